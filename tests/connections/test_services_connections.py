"""Registering, changing and closing connections; credentials; who may use them."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from accounts.principal import Role
from connections import services
from connections.models import Access, Connection, Credential
from hoopweb.lib.errors import Conflict, HoopwebError, InvalidRequest, NotAllowed
from recordings.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db
SECRET = "canary-9f2b-secret"


@pytest.fixture
def row() -> Connection:
    row = services.register_connection(by=None, name="shop", account="acme-shop")
    row.confirmed_at, row.is_active = timezone.now(), True
    row.save()
    return row


def test_names_are_kept_as_snowflake_stores_them() -> None:
    row = services.register_connection(
        by=None,
        name="shop",
        account="https://Acme-Shop.snowflakecomputing.com/console",
        database="prod",
        schema='"Mixed Case"',
        warehouse=" wh_1 ",
        role='"say ""hi"""',
        catalogue_databases=["prod", "PROD", "", "raw"],
    )
    assert row.account == "Acme-Shop"
    assert (row.database, row.schema, row.warehouse) == ("PROD", "Mixed Case", "WH_1")
    assert row.role == 'say "hi"'
    assert row.catalogue_databases == ["PROD", "RAW"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "New Shop"}, "name"),
        ({"name": "new"}, "name"),
        ({"account": "a b"}, "account"),
        ({"host": "https://x.example"}, "host"),
        ({"host": "a..b"}, "host"),
        ({"port": 0}, "port"),
        ({"port": 70_000}, "port"),
        ({"protocol": "ftp"}, "protocol"),
        ({"max_rows": 10**9}, "max_rows"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"role": "two\nlines"}, "role"),
        ({"database": "x" * 121}, "database"),
        ({"description": "x" * 401}, "description"),
        ({"queue": "no spaces"}, "queue"),
    ],
)
def test_a_setting_that_cannot_stand_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        services.register_connection(by=None, **({"name": "shop", "account": "acme"} | change))
    assert list(caught.value.fields["errors"]) == [field]


@pytest.mark.parametrize(
    "host", ["10.0.0.5", "metadata.internal", "snowflakecomputing.com.evil.example"]
)
def test_outside_local_mode_a_credential_goes_to_snowflake_only(settings: Any, host: str) -> None:
    settings.LOCAL = False
    with pytest.raises(InvalidRequest) as caught:
        services.register_connection(
            by=None, name="shop", account="acme", host=host, protocol="http"
        )
    assert set(caught.value.fields["errors"]) == {"host", "protocol"}
    services.register_connection(
        by=None, name="shop", account="acme", host="acme.privatelink.snowflakecomputing.com"
    )


def test_a_taken_name_is_a_conflict(row: Connection) -> None:
    with pytest.raises(Conflict, match="already"):
        services.register_connection(by=None, name="shop", account="acme")
    other = services.register_connection(by=None, name="other", account="acme")
    with pytest.raises(Conflict, match="already"):
        services.update_connection(connection=other, by=None, name="shop")


def test_a_change_is_audited_and_forgets_the_test_of_another_place(row: Connection) -> None:
    ada = factories.person("ada", Role.ADMIN)
    report = [{"name": "Login", "ok": True, "detail": "", "cure": "", "milliseconds": 3}]
    services.record_test(connection=row, report=report, by=ada)
    row = services.update_connection(connection=row, by=ada, revision=1, description="Sales")
    assert row.test_report == report
    row = services.update_connection(connection=row, by=ada, revision=2, role="reader")
    assert (row.test_report, row.tested_at, row.revision) == ([], None, 3)
    entry = AuditEntry.objects.filter(action="connection-changed").first()
    assert entry is not None
    assert (entry.before, entry.after) == ({"role": ""}, {"role": "READER"})
    with pytest.raises(Conflict, match="while you were editing"):
        services.update_connection(connection=row, by=ada, revision=2, role="other")


def test_an_unknown_setting_is_an_error(row: Connection) -> None:
    with pytest.raises(InvalidRequest, match="no setting called mask_salt"):
        services.update_connection(connection=row, by=None, mask_salt="x")


def test_a_closed_connection_is_usable_by_nobody(row: Connection) -> None:
    agent = factories.agent("bot")
    services.grant_access(connection=row, holder=agent, by=None)
    assert Connection.objects.usable_by(agent.as_principal()).exists()
    services.disable_connection(connection=row, by=None)
    assert not Connection.objects.usable_by(agent.as_principal()).exists()
    services.enable_connection(connection=row, by=None)
    services.enable_connection(connection=row, by=None)
    assert Connection.objects.usable_by(agent.as_principal()).exists()
    assert AuditEntry.objects.filter(action="connection-enabled").count() == 1


def test_a_key_pair_is_made_here_and_its_private_half_told_to_nobody(row: Connection) -> None:
    credential = services.set_credential(
        connection=row, by=None, method="key_pair", login_name="hoopweb"
    )
    assert credential.secret.startswith("-----BEGIN PRIVATE KEY-----")
    assert credential.public["fingerprint"].startswith("SHA256:")
    assert services.key_statement(credential) == (
        f"ALTER USER HOOPWEB SET RSA_PUBLIC_KEY = '{credential.public['public_key']}';"
    )
    again = services.set_credential(
        connection=row, by=None, method="key_pair", login_name="hoopweb", secret=credential.secret
    )
    assert again.pk == credential.pk
    assert again.public == credential.public
    assert services.target_for(row).secret == credential.secret


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"method": "telepathy"}, "method"),
        ({"method": "password", "login_name": "x"}, "secret"),
        ({"method": "programmatic_access_token"}, "secret"),
        ({"method": "key_pair", "login_name": ""}, "login_name"),
        ({"method": "key_pair", "secret": "not a key"}, "secret"),
        ({"method": "oauth_client_credentials", "secret": "x", "client_id": "y"}, "token_url"),
        (
            {
                "method": "oauth_client_credentials",
                "secret": "x",
                "client_id": "y",
                "token_url": "http://[",
            },
            "token_url",
        ),
        (
            {
                "method": "oauth_client_credentials",
                "secret": "x",
                "token_url": "https://login.example.com/token",
            },
            "client_id",
        ),
    ],
)
def test_a_credential_that_cannot_work_is_refused_by_field(
    row: Connection, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        services.set_credential(connection=row, by=None, **({"login_name": "HOOPWEB"} | given))
    assert list(caught.value.fields["errors"]) == [field]
    assert not Credential.objects.exists()


def test_no_password_outside_local_mode(row: Connection, settings: Any) -> None:
    settings.LOCAL = False
    with pytest.raises(InvalidRequest, match="credential"):
        services.set_credential(
            connection=row, by=None, method="password", login_name="x", secret="y"
        )


def test_the_secret_is_in_no_table_in_clear(row: Connection) -> None:
    services.set_credential(
        connection=row, by=None, method="password", login_name="HOOPWEB", secret=SECRET
    )
    with database.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s',
                [f"%{SECRET}%"],
            )
            assert cursor.fetchone() == (0,), table
    assert SECRET not in repr(services.target_for(row))


def test_without_a_credential_the_error_says_what_to_do(row: Connection) -> None:
    with pytest.raises(HoopwebError, match="sets one under Connections"):
        services.target_for(row)


def test_with_lost_keys_the_error_says_what_to_do(row: Connection, settings: Any) -> None:
    services.set_credential(
        connection=row, by=None, method="password", login_name="HOOPWEB", secret=SECRET
    )
    settings.HOOPWEB_KEYS = "other:" + "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="
    with pytest.raises(HoopwebError, match="HOOPWEB_KEYS"):
        services.target_for(row)


def test_access_begins_ends_and_is_given_once(row: Connection) -> None:
    team = factories.team("analysts")
    agent = factories.agent("bot")
    agent.teams.add(team)
    now = timezone.now()
    with pytest.raises(InvalidRequest, match="over already"):
        services.grant_access(
            connection=row, holder=team, by=None, valid_until=now - timedelta(days=1)
        )
    access = services.grant_access(
        connection=row, holder=team, by=None, valid_until=now + timedelta(days=1)
    )
    assert Connection.objects.usable_by(agent.as_principal()).exists()
    with pytest.raises(Conflict, match="already"):
        services.grant_access(connection=row, holder=team, by=None)
    services.revoke_access(access=access, by=None)
    services.revoke_access(access=access, by=None)
    assert not Connection.objects.usable_by(agent.as_principal()).exists()
    assert AuditEntry.objects.filter(action="access-revoked").count() == 1


def test_only_its_admins_change_a_connection(row: Connection) -> None:
    local = factories.person("local", Role.ADMIN, on=row)
    services.update_connection(connection=row, by=local, description="mine")
    with pytest.raises(NotAllowed):
        services.register_connection(by=local, name="another", account="acme")
    access = services.grant_access(connection=row, holder=local, by=local)
    for person in (factories.person("auditor", Role.AUDITOR), factories.person("stranger")):
        for attempt in (
            lambda p=person: services.update_connection(connection=row, by=p, description="x"),
            lambda p=person: services.disable_connection(connection=row, by=p),
            lambda p=person: services.record_test(connection=row, report=[], by=p),
            lambda p=person: services.grant_access(connection=row, holder=p, by=p),
            lambda p=person: services.revoke_access(access=access, by=p),
            lambda p=person: services.request_catalogue_sync(connection=row, by=p),
            lambda p=person: services.set_credential(
                connection=row, by=p, method="password", login_name="x", secret="y"
            ),
        ):
            with pytest.raises(NotAllowed):
                attempt()
    assert Access.objects.count() == 1


def test_a_session_starts_where_the_connection_says() -> None:
    row = services.register_connection(
        by=None, name="shop", account="acme", database="prod", role="reader"
    )
    context = services.context_for(row)
    assert (context.database, context.schema, context.role) == ("PROD", None, "READER")
