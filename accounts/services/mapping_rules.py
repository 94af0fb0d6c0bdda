"""Mapping rules as an admin edits them: written, ordered, switched and deleted."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from accounts.mapping import Condition, Operator, RoleAt, Source, Subject
from accounts.models import Issuer, IssuerKind, MappingRule, Team, User
from accounts.services.acting import actor_of, need_admin
from accounts.signals import announce
from hoopweb.lib.errors import Conflict, InvalidRequest
from recordings.services import audit

_MOST_CONDITIONS, _MOST_VALUES, _LONGEST = 10, 100, 300
_TEMPLATE = re.compile(r"(?:[^{}]|\{[^{}]+\})+")
# Anybody in the world gets a token of GitHub's; these say whose workflow it is.
_GITHUB_OWNERS = {
    "sub", "repository", "repository_id", "repository_owner", "repository_owner_id",
}  # fmt: skip


def save_person_rule(
    *,
    rule: MappingRule | None,
    name: str,
    conditions: Sequence[Condition],
    by: User | None,
    source: Source | None = None,
    teams: Iterable[Team] = (),
    by_name: bool = False,
    roles: Iterable[RoleAt] = (),
    address: str | None = None,
) -> MappingRule:
    """A rule for people, new at the end when ``rule`` is None. It counts from the next sign-in on.

    Raises InvalidRequest for one that matches nobody, or gives nothing.
    """
    need_admin(by, "write mapping rules")
    teams, roles = list(teams), list(roles)
    if not (teams or by_name or roles):
        raise InvalidRequest("Choose what the rule gives: a team, or a role.", field="teams")
    return _save(
        rule,
        by=by,
        address=address,
        teams=teams,
        subject=Subject.PERSON,
        name=name,
        conditions=_kept(conditions),
        source=str(source or ""),
        by_name=by_name,
        roles=[
            {
                "role": str(at.role),
                "connection": str(at.connection_id) if at.connection_id else None,
            }
            for at in roles
        ],
    )


def save_agent_rule(
    *,
    rule: MappingRule | None,
    name: str,
    issuer: Issuer,
    conditions: Sequence[Condition],
    agent_name: str,
    owner: User,
    by: User | None,
    teams: Iterable[Team] = (),
    address: str | None = None,
) -> MappingRule:
    """A rule by which ``issuer``'s tokens make agents that ``owner`` answers for.

    Changed, it is asked with the next token of every agent that it has let in. Raises
    InvalidRequest for one that would let everybody in.
    """
    need_admin(by, "write mapping rules")
    if not _TEMPLATE.fullmatch(agent_name):
        raise InvalidRequest(
            "Write the name with claims in braces, such as: ci of {repository}", field="agent_name"
        )
    if not owner.is_active:
        raise InvalidRequest(f"{owner} is disabled and cannot answer for agents.", field="owner")
    _need_narrow(conditions, issuer)
    return _save(
        rule,
        by=by,
        address=address,
        teams=list(teams),
        subject=Subject.AGENT,
        name=name,
        issuer=issuer,
        conditions=_kept(conditions),
        agent_name=agent_name,
        owner=owner,
    )


def move_rule(*, rule: MappingRule, up: bool, by: User | None, address: str | None = None) -> None:
    """One place up or down among its kind; at the end nothing happens."""
    need_admin(by, "order mapping rules")
    with transaction.atomic():
        rows = list(MappingRule.objects.select_for_update().filter(subject=rule.subject))
        before = [row.name for row in rows]
        place = next((i for i, row in enumerate(rows) if row.pk == rule.pk), None)
        other = None if place is None else place + (-1 if up else 1)
        if place is None or other is None or not 0 <= other < len(rows):
            return
        rows[place], rows[other] = rows[other], rows[place]
        for position, row in enumerate(rows, start=1):
            MappingRule.objects.filter(pk=row.pk).update(position=position)
        _record(
            "mapping-rule-moved",
            rule,
            by,
            address,
            before={"order": before},
            after={"order": [row.name for row in rows]},
        )


def switch_rule(
    *, rule: MappingRule, on: bool, by: User | None, address: str | None = None
) -> None:
    """Off, it gives nothing from the next sign-in on, and its agents stay outside. Idempotent."""
    need_admin(by, "switch mapping rules")
    with transaction.atomic():
        changed = {"enabled": on, "changed_by": by, "changed_at": timezone.now()}
        if MappingRule.objects.filter(pk=rule.pk, enabled=not on).update(**changed):
            _record(f"mapping-rule-{'enabled' if on else 'disabled'}", rule, by, address)
            if not on:
                announce(tokens=_identities_of(rule))


def delete_rule(*, rule: MappingRule, by: User | None, address: str | None = None) -> None:
    """Gone, with the identities that it made: their tokens open nothing. The agents stay."""
    need_admin(by, "delete mapping rules")
    if rule.built_in:
        raise Conflict("Every installation has this rule. Change it, or switch it off.")
    with transaction.atomic():
        made = _identities_of(rule)
        before = _said(rule) | {"identities": len(made)}
        if MappingRule.objects.filter(pk=rule.pk).delete()[0]:
            _record("mapping-rule-deleted", rule, by, address, before=before)
            announce(tokens=made)


def _save(
    rule: MappingRule | None,
    *,
    by: User | None,
    address: str | None,
    teams: list[Team],
    subject: Subject,
    **values: Any,
) -> MappingRule:
    with transaction.atomic():
        if rule is None:
            last = MappingRule.objects.filter(subject=subject).aggregate(last=Max("position"))
            row = MappingRule(subject=subject.value, position=(last["last"] or 0) + 1)
            before = None
        else:
            row = MappingRule.objects.select_for_update().get(pk=rule.pk, subject=subject)
            before = _said(row)
        for name, value in values.items():
            setattr(row, name, value)
        row.changed_by, row.changed_at = by, timezone.now()
        row.save()
        row.teams.set(teams)
        after = _said(row)
        if before != after:
            action = "mapping-rule-created" if before is None else "mapping-rule-changed"
            _record(action, row, by, address, before=before, after=after)
    return row


def _identities_of(rule: MappingRule) -> list[str]:
    """As ``Principal.token`` names them."""
    return [str(pk) for pk in rule.identities.values_list("pk", flat=True)]


def _kept(conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    if not 1 <= len(conditions) <= _MOST_CONDITIONS:
        raise InvalidRequest(
            f"Write 1 to {_MOST_CONDITIONS} conditions. A rule without one would match everybody.",
            field="conditions",
        )
    for each in conditions:
        texts = (each.claim, *each.values)
        if not each.values or len(each.values) > _MOST_VALUES or not all(map(_usable, texts)):
            raise InvalidRequest(
                f"A condition has a claim and 1 to {_MOST_VALUES} values, each one line of at "
                f"most {_LONGEST} characters.",
                field="conditions",
            )
        if each.operator == Operator.EQUALS and len(each.values) > 1:
            raise InvalidRequest('For several values choose "is one of".', field="conditions")
    return [
        {"claim": c.claim, "operator": str(c.operator), "values": list(c.values)}
        for c in conditions
    ]


def _usable(text: str) -> bool:
    return bool(text) and text.isprintable() and len(text) <= _LONGEST


def _need_narrow(conditions: Sequence[Condition], issuer: Issuer) -> None:
    """Some condition must be able to fail for a stranger's token."""

    def tells_apart(each: Condition) -> bool:
        ours = issuer.kind != IssuerKind.GITHUB or each.claim in _GITHUB_OWNERS
        anything = each.operator == Operator.GLOB and any(
            not value.strip("*?") or value.startswith("*") for value in each.values
        )
        return ours and not anything

    if not any(map(tells_apart, conditions)):
        named = (
            "its repository, its owner or its sub"
            if issuer.kind == IssuerKind.GITHUB
            else "some claim"
        )
        raise InvalidRequest(
            f"This rule would make agents of anybody's tokens. Add a condition on {named} that "
            "does not begin with *.",
            field="conditions",
        )


def _said(rule: MappingRule) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": rule.name,
        "conditions": rule.conditions,
        "teams": sorted(rule.teams.values_list("slug", flat=True)),
        "enabled": rule.enabled,
    }
    if rule.subject == Subject.PERSON:
        return said | {"source": rule.source, "by_name": rule.by_name, "roles": rule.roles}
    return said | {
        "issuer": str(rule.issuer),
        "agent_name": rule.agent_name,
        "owner": rule.owner.username if rule.owner else "",
    }


def _record(
    action: str,
    rule: MappingRule,
    by: User | None,
    address: str | None,
    *,
    before: Any = None,
    after: Any = None,
) -> None:
    audit(
        actor=actor_of(by),
        action=action,
        kind="mapping rule",
        object_id=str(rule.pk),
        object_name=rule.name,
        before=before,
        after=after,
        address=address,
    )
