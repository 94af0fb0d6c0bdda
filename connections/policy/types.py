"""Rules, protections and decisions as values. Pure: no database, no clock, no Django."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Effect(StrEnum):
    ALLOW = "allow"
    REVIEW = "review"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks, from where: what a rule's ``who`` part matches on."""

    kind: str  # "agent" or "person"
    id: str
    name: str
    groups: frozenset[str] = frozenset()
    on_behalf_of: str | None = None
    connection: str = ""
    door: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReviewTerms:
    """Who has to agree, how many of them, within what time."""

    reviewers: tuple[str, ...] = ()  # team slugs; empty: any reviewer of the connection
    votes: int = 1
    expires_minutes: int = 60


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of policy. ``match`` keys: principals, groups, doors, classes, objects, columns,
    uses, tags, flags, functions, hours; an absent key matches everything; values are globs.
    """

    id: str
    effect: Effect
    position: int
    revision: int = 1
    match: dict[str, Any] = field(default_factory=dict)
    terms: ReviewTerms = ReviewTerms()
    note: str = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Protection:
    """A protected column and the mask it wears.

    ``database``, ``schema``, ``table`` and ``column`` are names as stored (globs allowed);
    ``tag`` protects every column that carries it instead.
    """

    id: str
    strategy: str
    database: str = "*"
    schema: str = "*"
    table: str = "*"
    column: str = ""
    tag: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class DetectorSetting:
    """What an admin chose for a detector: one built in, or with a pattern (RE2) one of their own.

    ``action`` is ``mask``, ``alert`` (the value stays and is counted) or ``off``.
    """

    name: str
    action: str = "mask"
    label: str = ""
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in words that a person and a model can act on."""

    code: str
    text: str
    rule: str | None = None
    way_out: str = ""


@dataclass(frozen=True, slots=True)
class AppliedProtection:
    """A protection that this statement meets, and the uses that it covers."""

    protection: str
    column: str  # DATABASE.SCHEMA.TABLE.COLUMN
    strategy: str
    uses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of policy for one statement."""

    effect: Effect
    reasons: tuple[Reason, ...] = ()
    protections: tuple[AppliedProtection, ...] = ()
    terms: ReviewTerms | None = None
