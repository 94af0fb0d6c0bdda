"""The image's files, as far as they can be held to their word without an engine to run them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.architecture.sources import PACKAGES, ROOT

DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = ("gateway", "worker", "beat", "migrate")


def test_the_linter_is_content():
    linter = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [linter, DOCKER / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_image_is_pinned_and_not_root():
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(bases) == 2
    assert all(re.search(r":\d+\.\d+\.\d+-", base) for base in bases)
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert "requirements/runtime.lock" in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE
    assert "local.lock" not in DOCKERFILE


def test_what_is_copied_exists_and_passes_the_ignore_file():
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
            assert source in allowed, source
    assert set(PACKAGES) <= allowed


def test_every_other_image_is_pinned():
    images = {name: service["image"] for name, service in SERVICES.items() if name not in OURS}
    assert all(re.search(r":\d+\.\d+(\.\d+)?-", image) for image in images.values()), images


def test_secrets_come_by_file():
    declared = set(COMPOSE["secrets"])
    for name, service in SERVICES.items():
        assert set(service.get("secrets", ())) <= declared
        for variable, value in (service.get("environment") or {}).items():
            if re.search("KEY|SECRET|PASSWORD|TOKEN|PEPPER|DATABASE_URL", variable):
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert value.removeprefix("/run/secrets/") in declared
    made = set(re.findall(r"^make (\w+) ", (DOCKER / "make-secrets.sh").read_text(), re.MULTILINE))
    assert made == declared


def test_every_process_is_confined_and_watched():
    for name in OURS:
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
    for name in ("gateway", "worker", "postgres", "redis"):
        assert SERVICES[name]["healthcheck"]["test"]
    assert COMPOSE["networks"]["inner"]["internal"] is True
    published = [name for name, service in SERVICES.items() if service.get("ports")]
    assert published == ["caddy"]


def test_names_that_services_use_are_declared():
    for name, service in SERVICES.items():
        assert set(service.get("networks", ())) <= set(COMPOSE["networks"]), name
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source.startswith("./") or source in COMPOSE["volumes"], volume


def test_variables_that_compose_sets_are_settings():
    known = (ROOT / "hoopweb" / "settings.py").read_text()
    known += (ROOT / "hoopweb" / "checks.py").read_text()
    for variable in SERVICES["worker"]["environment"]:
        if variable != "FORWARDED_ALLOW_IPS":  # the server's own
            assert f'"{variable.removesuffix("_FILE")}"' in known, variable


def test_make_secrets_makes_what_the_checks_accept(tmp_path):
    script = shutil.copy(DOCKER / "make-secrets.sh", tmp_path)
    for _ in range(2):  # what is there stays
        subprocess.run([script], check=True, capture_output=True)
        secrets = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert set(secrets) == set(COMPOSE["secrets"])
    environment = SERVICES["gateway"]["environment"]
    env = {
        name: str(tmp_path / "secrets" / Path(value).name) if name.endswith("_FILE") else value
        for name, value in environment.items()
    }
    env |= {
        "SITE_URL": "https://hoopweb.example.com",
        "ALLOWED_HOSTS": "hoopweb.example.com",
        "HOOPWEB_VAR": str(tmp_path / "var"),
        "OIDC_ISSUER": "",
        "OIDC_CLIENT_ID": "",
        "LOCAL_ACCOUNTS": "0",
    }
    asked = (
        "import django; django.setup(); from hoopweb import checks; "
        "print([m.id for m in checks.configuration()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=ROOT,
        env=env | {"DJANGO_SETTINGS_MODULE": "hoopweb.settings", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The image's /app, made from the same lines of the Dockerfile."""
    app = tmp_path_factory.mktemp("app")
    for line in re.findall(r"^COPY (?!--from)(\S+) (\S+)$", DOCKERFILE, re.MULTILINE):
        source, target = line
        if (ROOT / source).is_dir():
            shutil.copytree(
                ROOT / source, app / target, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / source, app)
    [removed] = re.findall(r"rm -rf ((?:[\w/.]+[ \\\n]+)+)", DOCKERFILE)
    for name in removed.replace("\\", " ").split():
        target = app / name
        assert target.exists(), name
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    return app


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "collectstatic", "--noinput", "--verbosity=0"],
        ["-c", "import django; django.setup(); import approvals.routing, gateway.tasks"],
        ["manage.py", "help"],
    ],
    ids=["collectstatic", "imports", "commands"],
)
def test_it_stands_without_what_only_a_laptop_needs(image, tmp_path, command):
    done = subprocess.run(
        [sys.executable, *command],
        cwd=image,
        env={
            "PATH": os.environ["PATH"],
            "HOOPWEB_VAR": str(tmp_path),
            "SECRET_KEY": "only-while-building",
            "DJANGO_SETTINGS_MODULE": "hoopweb.settings",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if "collectstatic" in command:
        assert (tmp_path / "static" / "staticfiles.json").exists()
