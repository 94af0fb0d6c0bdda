"""Secrets that lie elsewhere: read at use, only where the operator allows it, forgotten soon."""

import asyncio
import json
import os
import time

import boto3
import pytest
from moto.server import ThreadedMotoServer

from connections import references, services
from connections.models import Credential
from connections.references import Reference, ReferenceRefused, ReferenceUnavailable, Source
from connections.upstream.errors import LoginRefused
from connections.upstream.login import log_in
from hoopweb.checks import configuration
from hoopweb.lib.errors import HoopwebError, InvalidRequest
from recordings.models import AuditEntry
from tests import factories
from tests.connections import vault_server
from tests.warehouse import PASSWORD

CANARY = "canary-elsewhere-4471"


@pytest.fixture(autouse=True)
def _nothing_remembered():
    references.forget()
    yield
    references.forget()


# Environment


@pytest.fixture
def environment(settings, monkeypatch):
    settings.REFERENCE_ENVIRONMENT = ["SNOWFLAKE_"]
    monkeypatch.setenv("SNOWFLAKE_PAT", CANARY)
    return Reference(Source.ENVIRONMENT, "SNOWFLAKE_PAT")


def test_a_variable_with_an_allowed_beginning_is_read(environment):
    assert references.resolve(environment) == CANARY


@pytest.mark.parametrize(
    "name",
    ["PATH", "DATABASE_URL", "HOOPWEB_KEYS", "SECRET_KEY", "snowflake_pat", "SNOWFLAKE_PAT=", ""],
)
def test_no_other_variable_is(environment, name):
    with pytest.raises(ReferenceRefused, match="SNOWFLAKE_…"):
        references.resolve(Reference(Source.ENVIRONMENT, name))


@pytest.mark.parametrize(
    "name", ["HOOPWEB_KEYS", "SECRET_KEY", "DATABASE_URL", "REDIS_URL", "PGPASSWORD", "ANY_FILE"]
)
def test_the_gateways_own_are_closed_whatever_the_operator_opens(settings, monkeypatch, name):
    settings.REFERENCE_ENVIRONMENT = [name[:4], name]
    monkeypatch.setenv(name, CANARY)
    with pytest.raises(ReferenceRefused):
        references.resolve(Reference(Source.ENVIRONMENT, name))


def test_nothing_is_open_by_default(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("SNOWFLAKE_PAT", CANARY)
    (tmp_path / "x").write_text(CANARY)
    for reference in (
        Reference(Source.ENVIRONMENT, "SNOWFLAKE_PAT"),
        Reference(Source.FILE, str(tmp_path / "x")),
        Reference(Source.VAULT, "secret/hoopweb/x"),
        Reference(Source.AWS, "hoopweb/x"),
    ):
        with pytest.raises(ReferenceRefused, match="none"):
            references.resolve(reference)


def test_a_variable_that_is_not_there_says_so(environment):
    with pytest.raises(ReferenceUnavailable, match="has no variable SNOWFLAKE_OTHER"):
        references.resolve(Reference(Source.ENVIRONMENT, "SNOWFLAKE_OTHER"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REFERENCE_ENVIRONMENT", ["S"]),
        ("REFERENCE_DIRECTORIES", ["/"]),
        ("REFERENCE_DIRECTORIES", ["run/secrets"]),
    ],
)
def test_a_place_that_is_too_wide_keeps_the_server_from_starting(settings, name, value):
    setattr(settings, name, value)
    assert "hoopweb.E019" in [message.id for message in configuration()]


def test_vault_without_tls_keeps_a_production_server_from_starting(settings):
    settings.LOCAL = False
    settings.VAULT_ADDR = "http://vault.example.com:8200"
    assert "hoopweb.E019" in [message.id for message in configuration()]


# Files


@pytest.fixture
def mounted(settings, tmp_path):
    directory = tmp_path / "mounted"
    directory.mkdir()
    settings.REFERENCE_DIRECTORIES = [str(directory)]
    return directory


def _file(path):
    return Reference(Source.FILE, str(path))


def test_a_mounted_file_is_read_also_as_kubernetes_lays_it_out(mounted):
    (mounted / "..2026_01").mkdir()
    (mounted / "..2026_01" / "pat").write_text(CANARY + "\n")
    (mounted / "..data").symlink_to("..2026_01")
    (mounted / "pat").symlink_to("..data/pat")
    assert references.resolve(_file(mounted / "pat")) == CANARY


def test_no_path_leads_out(mounted, tmp_path):
    (tmp_path / "keys").write_text(CANARY)
    (mounted / "link").symlink_to(tmp_path / "keys")
    for path in (
        tmp_path / "keys",
        mounted / ".." / "keys",
        mounted / "link",
        "/etc/passwd",
        "mounted/pat",
        f"{mounted}-beside/x",
    ):
        with pytest.raises(ReferenceRefused):
            references.resolve(_file(path))


def test_a_file_that_holds_a_key_of_ours_is_closed(mounted, monkeypatch):
    (mounted / "ring").write_text(CANARY)
    monkeypatch.setenv("HOOPWEB_KEYS_FILE", str(mounted / "ring"))
    with pytest.raises(ReferenceRefused):
        references.resolve(_file(mounted / "ring"))


def test_what_cannot_be_read_says_why(mounted):
    os.mkfifo(mounted / "pipe")
    (mounted / "binary").write_bytes(b"\xff\xfe")
    (mounted / "empty").write_text("\n")
    (mounted / "large").write_text("x" * 70_000)
    for name, why in (
        ("missing", "No such file"),
        ("pipe", "no file"),
        ("binary", "not text"),
        ("empty", "empty"),
        ("large", "longer"),
    ):
        with pytest.raises(ReferenceUnavailable, match=why):
            references.resolve(_file(mounted / name))


# Vault


@pytest.fixture
def vault(settings, tmp_path):
    with vault_server.running() as server:
        settings.REFERENCE_VAULT = ["secret/hoopweb"]
        settings.VAULT_ADDR = server.url
        settings.VAULT_TOKEN_FILE = str(tmp_path / "token")
        (tmp_path / "token").write_text("root-token\n")
        server.values["secret/hoopweb/prod"] = {"value": CANARY, "pat": "other", "number": 7}
        yield server


def _vault(name="secret/hoopweb/prod", field=""):
    return Reference(Source.VAULT, name, field)


def test_vault_by_a_token_file(vault):
    assert references.resolve(_vault()) == CANARY
    assert references.resolve(_vault(field="pat")) == "other"


def test_vault_by_approle(vault, settings, tmp_path):
    settings.VAULT_TOKEN_FILE = ""
    settings.VAULT_ROLE_ID = "role-1"
    settings.VAULT_SECRET_ID_FILE = str(tmp_path / "secret-id")
    (tmp_path / "secret-id").write_text("secret-id-1")
    assert references.resolve(_vault()) == CANARY
    (tmp_path / "secret-id").write_text("wrong")
    with pytest.raises(ReferenceUnavailable, match="does not answer"):
        references.resolve(_vault(), fresh=True)


def test_vault_by_kubernetes(vault, settings, tmp_path):
    settings.VAULT_TOKEN_FILE = ""
    settings.VAULT_KUBERNETES_ROLE = "hoopweb"
    settings.VAULT_KUBERNETES_TOKEN_FILE = str(tmp_path / "jwt")
    (tmp_path / "jwt").write_text("projected-jwt")
    assert references.resolve(_vault()) == CANARY


@pytest.mark.parametrize(
    "name",
    [
        "secret/hoopweb2/x",
        "secret/other",
        "secret",
        "secret/hoopweb/../other",
        "secret/hoopweb/%2e%2e/other",
        "secret/hoopweb/x?version=1",
        "sys/policies",
        "/secret/hoopweb/x",
        "secret/hoopweb/",
    ],
)
def test_no_other_path_of_vault(vault, name):
    with pytest.raises(ReferenceRefused):
        references.resolve(_vault(name))
    assert vault.asked == []


def test_what_vault_refuses_is_told_without_the_value(vault, settings, tmp_path):
    with pytest.raises(ReferenceUnavailable, match="nothing at secret/hoopweb/none"):
        references.resolve(_vault("secret/hoopweb/none"))
    for field in ("missing", "number"):
        with pytest.raises(ReferenceUnavailable, match="no text called") as caught:
            references.resolve(_vault(field=field))
        assert CANARY not in str(caught.value)
    vault.redirect_to = "http://127.0.0.1:1/steal"
    with pytest.raises(ReferenceUnavailable):
        references.resolve(_vault())
    vault.redirect_to = ""
    vault.tokens.clear()
    with pytest.raises(ReferenceUnavailable, match="does not let"):
        references.resolve(_vault())
    settings.VAULT_ADDR = "http://127.0.0.1:1"
    with pytest.raises(ReferenceUnavailable, match="does not answer"):
        references.resolve(_vault())
    settings.VAULT_TOKEN_FILE = str(tmp_path / "gone")
    with pytest.raises(ReferenceUnavailable, match="login for Vault"):
        references.resolve(_vault())


# AWS


@pytest.fixture(scope="module")
def _moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()
    server.stop()


@pytest.fixture
def aws(_moto, settings, monkeypatch):
    host, port = _moto
    settings.REFERENCE_AWS = ["hoopweb/"]
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    client = boto3.client("secretsmanager")
    yield client
    for found in client.list_secrets()["SecretList"]:
        client.delete_secret(SecretId=found["Name"], ForceDeleteWithoutRecovery=True)


def test_aws_secrets_manager(aws):
    aws.create_secret(Name="hoopweb/prod", SecretString=CANARY)
    aws.create_secret(Name="hoopweb/many", SecretString=json.dumps({"pat": "other", "n": 1}))
    assert references.resolve(Reference(Source.AWS, "hoopweb/prod")) == CANARY
    assert references.resolve(Reference(Source.AWS, "hoopweb/many", "pat")) == "other"
    for name, field, why in (
        ("hoopweb/none", "", "no such secret"),
        ("hoopweb/many", "n", "no text called"),
        ("hoopweb/prod", "pat", "no text called"),
    ):
        with pytest.raises(ReferenceUnavailable, match=why) as caught:
            references.resolve(Reference(Source.AWS, name, field))
        assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["other/x", "", "arn:aws:secretsmanager:eu-central-1:1:secret:hoopweb/x", "hoopweb/x y"]
)
def test_no_other_secret_of_aws(aws, name):
    with pytest.raises(ReferenceRefused):
        references.resolve(Reference(Source.AWS, name))


# The short memory


def test_a_value_is_remembered_briefly_and_then_gone(environment, settings, monkeypatch):
    settings.REFERENCE_SECONDS = 0.2
    assert references.resolve(environment) == CANARY
    monkeypatch.setenv("SNOWFLAKE_PAT", "rotated")
    assert references.resolve(environment) == CANARY
    time.sleep(0.4)
    from connections.references import resolving

    # Gone by itself, not only when somebody asks.
    assert resolving._kept == {}
    assert references.resolve(environment) == "rotated"


def test_what_the_operator_closes_is_closed_at_once(environment, settings):
    references.resolve(environment)
    settings.REFERENCE_ENVIRONMENT = []
    with pytest.raises(ReferenceRefused):
        references.resolve(environment)


# As a connection's credential

GIVEN = {
    "method": "programmatic_access_token",
    "login_name": "HOOPWEB",
    "source": "environment",
    "reference": {"name": "SNOWFLAKE_PAT"},
}


@pytest.mark.django_db
def test_only_the_place_is_stored(environment):
    row = factories.connection()
    credential = services.set_credential(connection=row, by=None, **GIVEN)
    credential.refresh_from_db()
    assert (credential.secret, credential.reference) == ("", {"name": "SNOWFLAKE_PAT"})
    assert services.target_for(row).secret == CANARY
    entry = AuditEntry.objects.filter(action="credential-set").latest("number")
    assert entry.after["reference"] == {"name": "SNOWFLAKE_PAT"}
    assert CANARY not in json.dumps([entry.before, entry.after])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"source": "cellar"}, "source"),
        ({"reference": {}}, "reference_name"),
        ({"reference": {"name": "DATABASE_URL"}}, "reference_name"),
        ({"reference": {"name": "SNOWFLAKE_NONE"}}, "reference_name"),
        ({"method": "workload_identity", "provider": "AWS"}, "source"),
        ({"method": "workload_identity", "provider": "MARS"}, "provider"),
        ({"method": "workload_identity", "provider": "OIDC", "source": "sealed"}, "source"),
        # Who may name a secret must not have it sent to a server of their own.
        (
            {
                "method": "oauth_client_credentials",
                "client_id": "x",
                "token_url": "https://attacker.example.com/token",
            },
            "token_url",
        ),
    ],
)
def test_a_place_that_cannot_serve_is_refused_by_field(environment, change, field):
    row = factories.connection()
    with pytest.raises(InvalidRequest) as caught:
        services.set_credential(connection=row, by=None, **GIVEN | change)
    assert list(caught.value.fields["errors"]) == [field]
    assert Credential.objects.get(connection=row).source == "sealed"


@pytest.mark.django_db
def test_a_place_that_went_away_is_said_when_it_is_needed(environment, monkeypatch):
    row = factories.connection()
    services.set_credential(connection=row, by=None, **GIVEN)
    references.forget()
    monkeypatch.delenv("SNOWFLAKE_PAT")
    with pytest.raises(HoopwebError, match="has no variable SNOWFLAKE_PAT"):
        services.target_for(row)


@pytest.mark.django_db(transaction=True)
def test_a_refused_login_reads_the_secret_once_more(environment, monkeypatch, warehouse):
    row = warehouse.serve(factories.connection())
    services.set_credential(connection=row, by=None, **GIVEN | {"method": "password"})
    target = services.target_for(row)
    with pytest.raises(LoginRefused):
        asyncio.run(log_in(target))
    # The right one was put there after we had read the wrong one.
    monkeypatch.setenv("SNOWFLAKE_PAT", PASSWORD)
    assert asyncio.run(log_in(target)).token
