"""Fill an empty installation with the demo's people, agent, connection and policy.

Idempotent: what is there stays as somebody may have changed it. Everything goes through the same
services as the console, so all of it is in the audit trail.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts import services as accounts
from accounts.authentication import verify_agent_token
from accounts.models import Agent, RoleGrant, Team, User
from accounts.principal import Role
from connections import services as connections
from connections.models import CatalogueSync, Connection, ConnectionTest, Credential
from hoopweb.lib import env
from hoopweb.lib.errors import HoopwebError, InvalidRequest
from hoopweb.local import keys

Say = Callable[[str], None]
R = TypeVar("R", CatalogueSync, ConnectionTest)

AGENT = "revenue-analyst"
CONNECTION = "retail"
_TEAM = "analytics-agents"
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Seeded:
    """What the rest of the demo needs to know."""

    agent_token: str
    connection: str = CONNECTION


@dataclass(frozen=True, slots=True)
class _Person:
    username: str
    name: str
    role: Role


# Whoever answers for the agent cannot approve for it, so there are four of them.
PEOPLE = (
    _Person("rita", "Rita Falk", Role.REVIEWER),
    _Person("otto", "Otto Lindqvist", Role.AUDITOR),
    _Person("ada", "Ada Brandt", Role.ADMIN),
    _Person("nina", "Nina Park", Role.DEVELOPER),
)


def seed(*, say: Say) -> Seeded:
    """Make what is missing; ``say`` hears what is under way. Raises HoopwebError with the cure."""
    file = settings.VAR_DIR / "demo.env"
    kept = keys.kept(file, lambda: {p.username.upper(): keys.password() for p in PEOPLE})
    say("people")
    people = {person.username: _person(person, kept) for person in PEOPLE}
    agent = _agent(people["nina"])
    say("connection")
    connection = _connection()
    token = kept.get("AGENT_TOKEN", "")
    if not token or verify_agent_token(token) is None:
        token = accounts.issue_token(agent=agent, label="demo", by=None).text
        keys.write(file, kept | {"AGENT_TOKEN": token})
    if not connection.catalogue_version:
        say("catalogue: logging in and reading what exists")
        _read_catalogue(connection)
        say("protections")
        _protect(connection)
    if not connection.is_confirmed:
        say("confirming: the connection is tested")
        _confirm(connection)
    say("")
    return Seeded(token)


def _person(person: _Person, passwords: dict[str, str]) -> User:
    user = User.objects.filter(username=person.username).first()
    if user is None:
        user = accounts.create_user(
            username=person.username,
            name=person.name,
            email=f"{person.username}@example.com",
            password=passwords[person.username.upper()],
            by=None,
        )
    if not RoleGrant.objects.filter(user=user).exists():
        accounts.grant_role(role=person.role, user=user, by=None)
    return user


def _agent(owner: User) -> Agent:
    team = Team.objects.filter(slug=_TEAM).first() or accounts.create_team(
        slug=_TEAM, name="Analytics agents", by=None
    )
    return Agent.objects.filter(name=AGENT).first() or accounts.create_agent(
        name=AGENT,
        owner=owner,
        description="Answers questions about revenue and prepares mailings.",
        teams=[team],
        by=None,
    )


def _place() -> dict[str, Any]:
    """Where the connection points: the account that the environment names, else the emulator."""
    if account := env.text("SNOWFLAKE_ACCOUNT"):
        return {
            "account": account,
            "host": env.text("SNOWFLAKE_HOST"),
            "warehouse": env.text("SNOWFLAKE_WAREHOUSE"),
            "database": env.text("SNOWFLAKE_DATABASE"),
            "schema": env.text("SNOWFLAKE_SCHEMA"),
            "role": env.text("SNOWFLAKE_ROLE"),
            "catalogue_databases": env.words("SNOWFLAKE_DATABASE"),
        }
    return {
        "account": "LOCAL",
        "host": "127.0.0.1",
        "port": env.number("SNOWFLAKE_EMULATOR_PORT", 8084),
        "protocol": "http",
        "warehouse": "DEMO_WH",
        "database": "SHOP",
        "schema": "RETAIL",
        "role": "ANALYST",
        "catalogue_databases": ["SHOP"],
    }


def _secret() -> tuple[str, str, str]:
    """How to log in there: method, user and secret."""
    if not env.text("SNOWFLAKE_ACCOUNT"):
        return Credential.Method.PAT, "HOOPWEB", env.text("SNOWFLAKE_EMULATOR_TOKEN")
    user = env.text("SNOWFLAKE_USER")
    for name, method in (
        ("SNOWFLAKE_PAT", Credential.Method.PAT),
        ("SNOWFLAKE_PRIVATE_KEY", Credential.Method.KEY_PAIR),
    ):
        if user and (secret := env.text(name)):
            return method, user, secret
    raise InvalidRequest(
        "SNOWFLAKE_ACCOUNT is set, so the demo works there: set SNOWFLAKE_USER, and SNOWFLAKE_PAT "
        "or SNOWFLAKE_PRIVATE_KEY_FILE as well."
    )


def _connection() -> Connection:
    place = _place()
    connection = Connection.objects.filter(name=CONNECTION).first()
    if connection is None:
        connection = connections.register_connection(
            by=None,
            name=CONNECTION,
            description="Orders, products and customers of a chain of shops.",
            **place,
        )
        connections.grant_access(
            connection=connection, holder=Team.objects.get(slug=_TEAM), by=None
        )
    elif connection.account == place["account"]:
        # The emulator takes another port when its own is taken.
        moving = {key: place[key] for key in ("host", "port", "protocol") if key in place}
        connection = connections.update_connection(connection=connection, by=None, **moving)
    method, user, secret = _secret()
    credential = Credential.objects.filter(connection=connection).first()
    if credential is None or credential.secret != secret:
        connections.set_credential(
            connection=connection, by=None, method=method, login_name=user, secret=secret
        )
    return connection


def _read_catalogue(connection: Connection) -> None:
    asked = connections.request_catalogue_sync(connection=connection, by=None)
    # None when a worker has taken it meanwhile.
    sync = connections.sync_catalogue(asked.pk) or _wait_for(asked)
    if sync.state == "failed":
        raise InvalidRequest(f"The catalogue cannot be read. {sync.detail} {sync.cure}".strip())
    connection.refresh_from_db()


def _confirm(connection: Connection) -> None:
    asked = connections.request_connection_test(connection=connection, by=None)
    run = connections.run_connection_test(asked.pk) or _wait_for(asked)
    if run.state != "done":
        said = [f"{s['detail']} {s['cure']}" for s in run.steps if s["state"] == "failed"]
        raise InvalidRequest(f"The connection does not work. {run.detail} {' '.join(said)}")
    connections.confirm_connection(connection=connection, by=None)
    connection.refresh_from_db()


def _wait_for(run: R) -> R:
    until = time.monotonic() + _PATIENCE
    while run.finished_at is None and time.monotonic() < until:
        time.sleep(0.2)
        run.refresh_from_db()
    return run


def _protect(connection: Connection) -> None:
    """Take every suggestion: columns whose names say that they hold something personal."""
    found = connections.suggest(connections.catalogue_for(connection), ())
    if items := [suggestion.as_values() for suggestion in found]:
        connections.create_protections(connection=connection, by=None, items=items)


class Command(BaseCommand):
    help = __doc__

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.LOCAL:
            raise CommandError(
                "The demo's people have passwords that lie in a file. Set HOOPWEB_LOCAL=1 if this "
                "is a laptop; elsewhere `manage.py make_admin` makes the first admin."
            )
        try:
            seed(say=lambda text: self.stdout.write(text) if text else None)
        except HoopwebError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"Passwords are in {settings.VAR_DIR / 'demo.env'}.")
