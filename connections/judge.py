"""One call from text to verdict: analyse, decide, rewrite. Pure."""

from dataclasses import dataclass, field
from typing import Any

from connections.policy.types import Decision, Protection, Rule, Subject
from connections.sql.catalogue import Catalogue
from connections.sql.facts import Facts


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What unqualified names resolve against, and what the session has set."""

    database: str | None = None
    schema: str | None = None
    role: str | None = None
    warehouse: str | None = None
    variables: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known, what is decided, and the only text that may be sent.

    ``sql_sent`` is None when the decision is deny; ``masked_outputs`` are 0-based positions.
    """

    facts: Facts
    decision: Decision
    sql_given: str
    sql_sent: str | None = None
    output_names: tuple[str, ...] = ()
    masked_outputs: tuple[int, ...] = ()
    masks: bool = False


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The rules and protections in force, at one policy revision."""

    rules: tuple[Rule, ...] = ()
    protections: tuple[Protection, ...] = ()
    revision: int = 0
    salt: str = ""


def judge(
    sql: str,
    *,
    context: SessionContext,
    catalogue: Catalogue,
    ruleset: Ruleset,
    subject: Subject,
) -> Verdict:
    """Say what ``sql`` would touch, decide, and render the only text that may run. Never raises
    for any input: what cannot be proved is a deny with its reason.
    """
    raise NotImplementedError
