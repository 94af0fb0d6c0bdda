"""What a clone holds: nothing of one machine, no registry's address, no module grown too large."""

import ast
import re

import pytest

from tests.architecture.sources import ROOT, kept_files, modules

# Written in parts, so that this file does not name what it looks for.
_MACHINE = re.compile(
    "|".join(
        ["/work" + "/", "/ro" + "ot/", r"/ho" + r"me/\w", r"/Us" + r"ers/\w", "/op" + "t/wheels"]
    )
)
_REGISTRY = re.compile(
    "|".join(
        [
            r"pypi" + r"\.org",
            r"pythonhosted" + r"\.org",
            r"registry\.npm" + "js",
            "artifact" + "ory",
        ]
    )
)
_TEXT = {
    ".py", ".toml", ".lock", ".in", ".md", ".html", ".css", ".js", ".yaml", ".yml", ".txt", ".svg",
    ".sh", ".json", "",
}  # fmt: skip
_MOST_LINES = 500


def _texts():
    for path in kept_files():
        if path.suffix in _TEXT:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


@pytest.mark.parametrize("pattern", [_MACHINE, _REGISTRY], ids=["machine", "registry"])
def test_no_file_names_a_place(pattern):
    found = [f"{path}: {match[0]}" for path, text in _texts() if (match := pattern.search(text))]
    assert not found


def test_every_lock_pins_by_hash():
    for lock in (ROOT / "requirements").glob("*.lock"):
        entries = re.split(r"\n(?=\S)", lock.read_text().strip())
        assert all("==" in entry and "--hash=sha256:" in entry for entry in entries), lock.name


def test_the_locks_agree():
    def pins(name):
        text = (ROOT / "requirements" / f"{name}.lock").read_text()
        return set(re.findall(r"^(\S+==\S+)", text, re.MULTILINE))

    assert pins("runtime") <= pins("local") <= pins("dev")


def test_no_module_has_grown_too_large(record_property):
    sizes = {str(path): len((ROOT / path).read_text().splitlines()) for path in modules()}
    # Above 300 lines a second noun usually waits to be found.
    record_property("above_300_lines", sorted(name for name, n in sizes.items() if n > 300))
    assert not [f"{name}: {n} lines" for name, n in sizes.items() if n > _MOST_LINES]


def test_every_model_says_what_it_is():
    silent = []
    for path in modules():
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.ClassDef) and not ast.get_docstring(node):
                bases = {ast.unparse(base) for base in node.bases}
                if bases & {"models.Model", "AbstractUser", "Protocol"}:
                    silent.append(f"{path}: {node.name}")
    assert not silent


def test_no_module_is_unfinished():
    words = ("TO" + "DO", "FIX" + "ME")
    found = [
        f"{path}: {word}"
        for path in modules()
        for word in words
        if word in (ROOT / path).read_text()
    ]
    assert not found
