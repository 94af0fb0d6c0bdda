"""From claims to teams, roles and agents. Pure: claims and rules in, what follows from them out."""

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from accounts.principal import Role

Claims = Mapping[str, Any]

_LONGEST_NAME = 120
_FIELD = re.compile(r"\{([^{}]*)\}")


class Subject(StrEnum):
    """Whom a rule is about."""

    PERSON = "person"
    AGENT = "agent"


class Source(StrEnum):
    """Who tells what people are."""

    OIDC = "oidc"
    SAML = "saml"
    SCIM = "scim"


class Operator(StrEnum):
    """How a claim's values are compared. Letters count as they stand, capital or small."""

    EQUALS = "equals"
    ONE_OF = "one-of"
    GLOB = "glob"


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds when one of the values under ``claim`` (a path) matches one of ``values``.

    In a glob ``*`` stands for anything, slashes included, and ``?`` for one sign.
    """

    claim: str
    operator: Operator
    values: tuple[str, ...]

    def matching(self, claims: Claims) -> tuple[str, ...]:
        """The claim's values that match; none means that the condition does not hold."""
        return tuple(value for value in values_at(claims, self.claim) if self._fits(value))

    def _fits(self, value: str) -> bool:
        if self.operator == Operator.GLOB:
            # Square brackets are letters here.
            return any(fnmatch.fnmatchcase(value, v.replace("[", "[[]")) for v in self.values)
        return value in self.values


@dataclass(frozen=True, slots=True)
class RoleAt:
    """A role, on one connection or (None) everywhere."""

    role: Role
    connection_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as the core sees it. Without a condition it matches nobody.

    ``by_name`` adds each team whose short name is a matching value of the first condition.
    """

    id: UUID
    name: str
    conditions: tuple[Condition, ...]
    source: Source | None = None
    teams: frozenset[str] = frozenset()
    by_name: bool = False
    roles: frozenset[RoleAt] = frozenset()
    changed_by: UUID | None = None

    def match(self, claims: Claims) -> "Match | None":
        found = [condition.matching(claims) for condition in self.conditions]
        if not found or not all(found):
            return None
        named = frozenset(found[0]) if self.by_name else frozenset()
        return Match(self.id, self.name, self.teams, named, self.roles, self.changed_by)


@dataclass(frozen=True, slots=True)
class Match:
    """What one matching rule gives. ``named`` are short names that may or may not be teams."""

    rule_id: UUID
    rule: str
    teams: frozenset[str]
    named: frozenset[str] = frozenset()
    roles: frozenset[RoleAt] = frozenset()
    changed_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """What follows from a person's claims: short names of teams, roles, and by which rules."""

    source: Source
    matches: tuple[Match, ...] = ()

    @property
    def teams(self) -> frozenset[str]:
        return frozenset().union(*(match.teams for match in self.matches))

    @property
    def roles(self) -> frozenset[RoleAt]:
        return frozenset().union(*(match.roles for match in self.matches))

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rules that matched, in their order."""
        return tuple(match.rule for match in self.matches)

    def __bool__(self) -> bool:
        """Whether the person has anything here: without it nobody comes in."""
        return bool(self.teams or self.roles)


def map_claims(
    rules: Iterable[Rule], claims: Claims, *, source: Source, known_teams: Iterable[str]
) -> Mapped:
    """Every rule that matches, with the names among ``known_teams`` as its teams."""
    known = frozenset(known_teams)
    found = []
    for rule in rules:
        match = rule.match(claims) if rule.source in (None, source) else None
        if match is None:
            continue
        teams = match.teams | (match.named & known)
        if teams or match.roles:
            found.append(
                Match(match.rule_id, match.rule, teams, match.named, match.roles, match.changed_by)
            )
    return Mapped(source, tuple(found))


def values_at(claims: Any, path: str) -> tuple[str, ...]:
    """The texts under a path such as ``realm_access.roles``.

    Names with dots in them (``kubernetes.io.namespace``) are found, too: the longest name that
    exists is taken first. Lists are looked through. Numbers and flags count as their text.
    """
    return tuple(dict.fromkeys(_walk(claims, path.split(".")))) if path else ()


def _walk(found: Any, steps: list[str]) -> Iterator[str]:
    if isinstance(found, list):
        for each in found:
            yield from _walk(each, steps)
    elif not steps:
        yield from _text(found)
    elif isinstance(found, Mapping):
        for cut in range(len(steps), 0, -1):
            name = ".".join(steps[:cut])
            if name in found:
                yield from _walk(found[name], steps[cut:])
                return


def _text(value: Any) -> Iterator[str]:
    if isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, str | int | float) and "\0" not in str(value):
        yield str(value)


def agent_name(template: str, claims: Claims) -> str | None:
    """The name that ``template`` gives an agent; None when a claim in it is missing or unclear.

    Only one clear value is taken: a name must not depend on the order of a list.
    """
    missing = False

    def fill(found: re.Match[str]) -> str:
        nonlocal missing
        values = values_at(claims, found[1])
        missing = missing or len(values) != 1
        return values[0] if len(values) == 1 else ""

    name = _FIELD.sub(fill, template)
    name = "".join(sign for sign in name if sign.isprintable()).strip()
    # Never cut short: two long names must not become one agent.
    return None if missing or not 0 < len(name) <= _LONGEST_NAME else name
