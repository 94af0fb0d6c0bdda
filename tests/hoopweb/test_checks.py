"""Every check by its number: quiet when all is well, and with a cure when it is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hoopweb import checks
from hoopweb.lib.crypto import new_key
from hoopweb.local import keys
from tests import factories

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "LOCAL": False,
    "LOCAL_ACCOUNTS": False,
    "DEBUG": False,
    "SITE_URL": "https://hoopweb.example.com",
    "ALLOWED_HOSTS": ["hoopweb.example.com"],
}
REPEATED = "k1:" + "QUFB" * 10 + "QUE="


@pytest.fixture
def production(settings, tmp_path):
    for name, value in PRODUCTION.items():
        setattr(settings, name, value)
    settings.VAR_DIR = tmp_path
    settings.CHECKPOINT_DIR = tmp_path / "checkpoints"
    settings.SECRET_KEY = keys.fresh()["SECRET_KEY"]
    return settings


def found():
    return [message.id for message in checks.configuration()]


def test_a_good_configuration_is_quiet(production):
    assert found() == []


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("SECRET_KEY", "not-given", "hoopweb.E001"),
        ("SECRET_KEY", "short", "hoopweb.E001"),
        ("HOOPWEB_KEYS", "", "hoopweb.E002"),
        ("HOOPWEB_KEYS", "k1:not base64", "hoopweb.E002"),
        ("HOOPWEB_KEYS", "k1:c2hvcnQ=", "hoopweb.E002"),
        ("HOOPWEB_KEYS", REPEATED, "hoopweb.E011"),
        ("TOKEN_PEPPERS", "", "hoopweb.E003"),
        ("TOKEN_PEPPERS", "1", "hoopweb.E003"),
        ("CHECKPOINT_KEY", "", "hoopweb.E004"),
        ("CHECKPOINT_KEY", "nonsense", "hoopweb.E004"),
        ("CHECKPOINT_DIR", Path("/proc/nowhere"), "hoopweb.E009"),
        ("SITE_URL", "hoopweb.example.com", "hoopweb.E010"),
        ("SITE_URL", "http://hoopweb.example.com", "hoopweb.E010"),
        ("LOCAL_ACCOUNTS", True, "hoopweb.W012"),
        ("DEBUG", True, "hoopweb.E015"),
        ("ALLOWED_HOSTS", ["127.0.0.1"], "hoopweb.E016"),
    ],
)
def test_each_fault_has_its_number(production, name, value, number):
    setattr(production, name, value)
    assert found() == [number]


def test_each_fault_has_a_cure(production):
    production.SECRET_KEY = "short"
    production.HOOPWEB_KEYS = production.CHECKPOINT_KEY = production.TOKEN_PEPPERS = ""
    messages = checks.configuration()
    assert len(messages) == 4
    assert all(message.hint for message in messages)


def test_no_key_is_shown(production):
    production.HOOPWEB_KEYS = f"k1:{new_key()[:-4]}"
    [message] = checks.configuration()
    assert production.HOOPWEB_KEYS.partition(":")[2] not in f"{message.msg}{message.hint}"


def test_a_laptop_may_speak_http_and_have_local_accounts(production):
    production.LOCAL = production.LOCAL_ACCOUNTS = True
    production.SITE_URL = "http://127.0.0.1:8000"
    production.ALLOWED_HOSTS = ["127.0.0.1"]
    assert found() == []


def test_the_demos_keys_are_refused_elsewhere(production):
    keys.write(production.VAR_DIR / "keys.env", {"HOOPWEB_KEYS": production.HOOPWEB_KEYS})
    assert found() == ["hoopweb.E011"]


def test_a_database_has_to_be_named(production, monkeypatch):
    monkeypatch.delenv("DATABASE_URL")
    assert found() == ["hoopweb.E005"]


def test_a_provider_is_set_whole_or_not_at_all(production, monkeypatch):
    monkeypatch.setenv("OIDC_ISSUER", "https://id.example.com")
    assert found() == ["hoopweb.E013"]
    monkeypatch.setenv("OIDC_CLIENT_ID", "hoopweb")
    monkeypatch.setenv("OIDC_CLIENT_SECRET", "secret")
    assert found() == []


def test_redis_that_does_not_answer_is_a_warning(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert [message.id for message in checks._redis()] == ["hoopweb.W008"]


def test_uncollected_styles_are_an_error(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
    assert [message.id for message in checks._static_files()] == ["hoopweb.E017"]
    (tmp_path / "staticfiles.json").write_text("{}")
    assert not list(checks._static_files())


@pytest.mark.django_db
def test_the_emulator_is_a_warning_outside_local_mode(production):
    factories.connection("retail")
    assert [message.id for message in checks._store()] == ["hoopweb.W014"]


@pytest.mark.django_db
def test_missing_migrations_are_an_error(monkeypatch):
    from django.db.migrations.recorder import MigrationRecorder

    MigrationRecorder.Migration.objects.filter(app="gateway").delete()
    [message] = checks._store()
    assert message.id == "hoopweb.E007"
    assert "gateway.0001" in message.msg


def _run(*command, **env):
    kept = {name: os.environ[name] for name in ("PATH", "REDIS_URL") if name in os.environ}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=kept | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_server_refuses_to_start_and_says_why(tmp_path):
    done = _run("-c", "import hoopweb.asgi", HOOPWEB_VAR=str(tmp_path))
    assert done.returncode == os.EX_CONFIG
    for number in ("E001", "E002", "E003", "E004", "E005", "E010"):
        assert f"hoopweb.{number}" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_server_refuses_to_start_without_its_store(tmp_path):
    done = _run(
        "-c",
        "import hoopweb.asgi",
        HOOPWEB_LOCAL="1",
        HOOPWEB_VAR=str(tmp_path),
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing",
        **keys.fresh(),
    )
    assert done.returncode == os.EX_CONFIG
    assert "hoopweb.E006" in done.stderr


@pytest.mark.django_db(transaction=True)
def test_production_settings_pass_the_deployment_checks(tmp_path, settings):
    database = settings.DATABASES["default"]
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "staticfiles.json").write_text("{}")
    done = _run(
        "manage.py",
        "check",
        "--deploy",
        "--fail-level=WARNING",
        HOOPWEB_VAR=str(tmp_path),
        DATABASE_URL=f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}",
        SITE_URL="https://hoopweb.example.com",
        ALLOWED_HOSTS="hoopweb.example.com",
        **keys.fresh(),
    )
    assert done.returncode == 0, done.stderr
