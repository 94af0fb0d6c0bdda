"""The verdict on a statement, and the rules that it was judged by."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from connections.policy.protections import Protections
from connections.policy.types import Decision, Protection, Rule, Subject
from connections.sql.catalogue import Catalogue
from connections.sql.context import SessionContext
from connections.sql.facts import ColumnName, Facts


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known, what is decided, and the only text that may be sent.

    ``sql_sent`` is None when the decision is deny; ``masked_outputs`` are 0-based positions.
    ``sql_shown`` is the text sent without the salts in it: the one to show and record.
    ``copies`` are columns that become protected, and by what, in the transaction of the outcome.
    """

    facts: Facts
    decision: Decision
    sql_given: str
    sql_sent: str | None = None
    output_names: tuple[str, ...] = ()
    masked_outputs: tuple[int, ...] = ()
    masks: bool = False
    sql_shown: str | None = None
    copies: tuple[tuple[ColumnName, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The rules and protections in force, at one policy revision."""

    rules: tuple[Rule, ...] = ()
    protections: tuple[Protection, ...] = ()
    revision: int = 0
    salt: str = ""
    compiled: Protections = field(init=False, compare=False, repr=False)
    timed: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        timed = any(k in r.match for r in self.rules for k in ("hours", "weekdays"))
        object.__setattr__(self, "timed", timed)
        object.__setattr__(self, "compiled", Protections(self.protections))


@dataclass(frozen=True, slots=True)
class Request:
    """A text and all that its verdict depends on."""

    sql: str
    context: SessionContext
    catalogue: Catalogue
    ruleset: Ruleset
    subject: Subject
    estimate: Mapping[str, int] | None = None
