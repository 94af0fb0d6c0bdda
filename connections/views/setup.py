"""How far a new connection is, as steps that a person can go through in any order."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from connections import services
from connections.models import Access, Connection, Credential
from connections.services.setup_sql import setup_statements


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. ``part`` names what the page shows inside the step."""

    title: str
    text: str
    done: bool
    part: str = ""
    url: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class Setup:
    """All steps, and the SQL and statement that the first of them is about."""

    steps: tuple[Step, ...]
    sql: str
    key_statement: str

    @property
    def done(self) -> int:
        return sum(step.done for step in self.steps)

    @property
    def complete(self) -> bool:
        return all(step.done for step in self.steps)

    @property
    def current(self) -> int:
        """The number, from 1, of the first step that is not done."""
        return next((i for i, s in enumerate(self.steps, start=1) if not s.done), len(self.steps))


def health_of(row: Connection) -> str:
    """What the last test said, as the state chip names it."""
    if row.tested_at is None:
        return "untested"
    return "healthy" if all(step["ok"] for step in row.test_report) else "unreachable"


def setup_of(row: Connection, credential: Credential | None, access: Sequence[Access]) -> Setup:
    healthy = health_of(row) == "healthy"
    suggested = 0
    if row.catalogue_version:
        values = [item.as_value() for item in row.protections.all()]
        suggested = len(services.suggest(services.catalogue_for(row), values))
    protected = row.protections.exists()
    key_pair = credential is not None and credential.method == Credential.Method.KEY_PAIR
    steps = (
        Step(
            "Prepare Snowflake",
            "Run this as an administrator of Snowflake. It makes a role that can do no more than "
            "agents need.",
            done=healthy,
            part="sql",
        ),
        Step(
            "Test the connection",
            "Each step is shown: address, login, role, warehouse, a look at the metadata.",
            done=healthy,
            part="test",
        ),
        Step(
            "Read the catalogue",
            "Statements are judged by what exists. Until it is known, everything is denied.",
            done=row.catalogue_version > 0,
            part="sync",
        ),
        Step(
            "Protect what is personal",
            f"{suggested} columns look personal by their name or tags."
            if suggested
            else "Say which columns nobody may see, and what is shown in their place.",
            done=protected or (row.catalogue_version > 0 and not suggested),
            url=reverse("connections:protections", args=[row.name]),
            action="Look at the suggestions" if suggested else "Protect columns",
        ),
        Step(
            "Say who may use it",
            "A team, an agent or a person. The rules still judge every statement.",
            done=bool(access),
            part="access",
        ),
    )
    return Setup(
        steps,
        setup_statements(row, credential),
        services.key_statement(credential) if credential and key_pair else "",
    )
