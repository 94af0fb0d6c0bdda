"""What the product has, its documents name: settings, endpoints, events, checks, metrics."""

import ast
import importlib
import re
from pathlib import Path

import pytest
from django.urls import get_resolver

from recordings.kinds import EventKind

ROOT = Path(__file__).resolve().parents[2]
OPERATING = (ROOT / "docs" / "operating.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
PACKAGES = ("hoopweb", "gateway", "approvals", "connections", "accounts", "recordings")


def _settings():
    """Every variable that is read through ``hoopweb.lib.env``."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "env"
                    and node.func.attr in {"text", "flag", "number", "words"}
                    and node.args
                    and isinstance(node.args[0], ast.Constant)
                ):
                    yield node.args[0].value


def _named(document):
    return set(re.findall(r"`([^`\n]+)`", document))


def test_every_setting_is_documented():
    assert set(_settings()) - _named(OPERATING) == set()


def test_no_setting_is_documented_that_nothing_reads():
    tables = OPERATING.partition("## Settings")[2].partition("### Of the demo only")[0]
    documented = {
        name for row in re.findall(r"^\| (`[^|]+) \|", tables, re.MULTILINE) for name in _named(row)
    }
    # Read by name from a tuple rather than one by one.
    read = set(_settings()) | {"OIDC_CLIENT_SECRET"}
    assert documented - read == set()


def test_every_endpoint_is_documented():
    api = next(p for p in get_resolver().url_patterns if str(p.pattern) == "api/")
    routes = {
        re.sub(r"<[^>]*?(\w+)>", lambda found: "{" + _short(found[1]) + "}", str(p.pattern))
        for p in api.url_patterns
    }
    versioned = {route.removeprefix("v1/") for route in routes if route.startswith("v1/")}
    assert versioned - _named(ARCHITECTURE) == set()
    others = {f"/api/{route}" for route in routes if route[0].isalpha()}
    others -= {f"/api/v1/{route}" for route in versioned}
    assert others - _named(ARCHITECTURE) == set()


def _short(name):
    return {"number": "number", "code": "code"}.get(name, "id")


def test_every_event_kind_is_documented():
    assert {str(kind) for kind in EventKind} - _named(ARCHITECTURE) == set()


def test_every_check_is_documented():
    source = (ROOT / "hoopweb" / "checks.py").read_text()
    numbers = {
        f"{kind[0].upper()}{int(number):03}"
        for kind, number in re.findall(r"_(error|warning)\(\s*(\d+),", source)
    }
    numbers |= {f"E{int(number):03}" for number in re.findall(r"_ring\(\s*(\d+),", source)}
    assert len(numbers) > 10
    table = set(re.findall(r"^\| `([EW]\d{3})` \|", OPERATING, re.MULTILINE))
    assert table == numbers


@pytest.mark.django_db
def test_every_metric_is_documented():
    from hoopweb.metrics import REGISTRY
    from hoopweb.metrics_store import StoreCollector

    families = [f for f in REGISTRY.collect() if f.name.startswith("hoopweb")]
    names = {f.name for f in [*families, *StoreCollector().collect()]}
    names = {"hoopweb_statements_total" if n == "hoopweb_statements" else n for n in names}
    assert names - _named(OPERATING) == set()


def _resolve(name):
    """The object behind a dotted name: the longest module, then attributes."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise AssertionError(name)


def test_symbols_that_documents_name_exist():
    for path in ("security-flow.md", "architecture.md"):
        for name in _named((ROOT / "docs" / path).read_text()):
            if re.fullmatch(rf"({'|'.join(PACKAGES)})(\.\w+)+", name):
                _resolve(name)


def test_links_between_documents_lead_somewhere():
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text()):
            # The picture is taken from the running product.
            if not target.startswith("docs/images/"):
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_make_targets_that_documents_name_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in ("README.md", "CONTRIBUTING.md", "docs/operating.md"):
        named = re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / path).read_text(), re.MULTILINE)
        assert set(named) <= targets, path
