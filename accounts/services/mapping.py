"""Mapping rules at work: what claims give a person, and putting the person there.

Every way in calls the same two: ``mapped`` reads the rules, ``place`` changes membership. The
claims name the groups ``groups``, wherever the provider keeps them.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts import mapping
from accounts.mapping import Mapped, Match, RoleAt, Source, Subject
from accounts.models import MappingRule, RoleGrant, Team, User
from accounts.principal import Role
from accounts.services.acting import actor_of
from accounts.signals import announce
from recordings.services import audit

DEFAULT_NAME = "Groups that are called like a team"


def mapped(source: Source, claims: Mapping[str, Any]) -> Mapped:
    """What the rules, as they stand, make of a person with these claims. Stores nothing.

    The result is false when it gives nothing: such a person has no place here.
    """
    rows = MappingRule.objects.filter(subject=Subject.PERSON, enabled=True)
    rules = [rule_of(row) for row in rows.prefetch_related("teams")]
    known = Team.objects.values_list("slug", flat=True)
    return mapping.map_claims(rules, claims, source=source, known_teams=known)


def place(
    person: User, found: Mapped, *, by: User | None = None, address: str | None = None
) -> User:
    """Put a person exactly where ``found`` says: teams, and the roles that rules give.

    The last source to speak is right: teams that it does not name are left. Roles that an admin
    gave by hand stay. What a rule gives to whom changed that rule last is held back: nobody gives
    anything to themselves.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=person.pk)
        before = _said(person)
        held = set(person.teams.values_list("slug", flat=True))
        theirs = [match for match in found.matches if match.changed_by == person.pk]
        others = Mapped(found.source, tuple(m for m in found.matches if m not in theirs))
        own = Mapped(found.source, tuple(theirs))
        wanted = others.teams | (own.teams & held)
        person.teams.set(Team.objects.filter(slug__in=wanted))
        _set_roles(person, others.roles, keep=own.roles)
        after = _said(person)
        if before != after:
            announce(people=[person.pk])
            audit(
                actor=actor_of(by),
                action="person-placed",
                kind="person",
                object_id=str(person.pk),
                object_name=str(person),
                before=before,
                after={**after, "source": str(found.source), "rules": list(found.rules)}
                | _held_back(own, wanted, others.roles),
                address=address,
            )
    person.forget_access()
    return person


def rule_of(row: MappingRule) -> mapping.Rule:
    """A row as the core sees it. A row that cannot be read matches nobody."""
    try:
        conditions = tuple(
            mapping.Condition(
                str(each["claim"]),
                mapping.Operator(each["operator"]),
                tuple(str(value) for value in each["values"]),
            )
            for each in row.conditions
        )
        roles = frozenset(role_at(each) for each in row.roles)
    except (KeyError, TypeError, ValueError):
        conditions, roles = (), frozenset()
    return mapping.Rule(
        id=row.pk,
        name=row.name,
        conditions=conditions,
        source=Source(row.source) if row.source else None,
        teams=frozenset(team.slug for team in row.teams.all()),
        by_name=row.by_name,
        roles=roles,
        changed_by=row.changed_by_id,
    )


def role_at(kept: Mapping[str, Any]) -> RoleAt:
    """A role as a row keeps it. Raises KeyError or ValueError when it is none."""
    connection = kept["connection"]
    return RoleAt(Role(kept["role"]), UUID(connection) if connection else None)


def install_default(rules: Any = MappingRule) -> None:
    """The rule that every installation starts with: whose group is called like a team is in it."""
    rules.objects.get_or_create(
        subject=Subject.PERSON.value,
        built_in=True,
        defaults={
            "position": 1,
            "name": DEFAULT_NAME,
            "conditions": [{"claim": "groups", "operator": "glob", "values": ["*"]}],
            "by_name": True,
        },
    )


def _set_roles(person: User, wanted: frozenset[RoleAt], keep: frozenset[RoleAt]) -> None:
    grants = RoleGrant.objects.filter(user=person)
    held = {RoleAt(Role(g.role), g.connection_id): g for g in grants}
    for at, grant in held.items():
        if grant.mapped and at not in wanted | keep:
            grant.delete()
    for at in wanted - held.keys():
        RoleGrant.objects.create(
            user=person, role=at.role, connection_id=at.connection_id, mapped=True
        )


def _said(person: User) -> dict[str, Any]:
    mapped_roles = RoleGrant.objects.filter(user=person, mapped=True)
    return {
        "teams": sorted(person.teams.values_list("slug", flat=True)),
        "roles": sorted(
            f"{role} on {connection}" if connection else f"{role} everywhere"
            for role, connection in mapped_roles.values_list("role", "connection_id")
        ),
    }


def _held_back(
    own: Mapped, teams: frozenset[str], roles: frozenset[RoleAt]
) -> dict[str, list[str]]:
    """The rules whose gifts were not given, because the person wrote them."""

    def gives_more(match: Match) -> bool:
        return bool(match.teams - teams or match.roles - roles)

    withheld = [match.rule for match in own.matches if gives_more(match)]
    return {"held_back": withheld} if withheld else {}
