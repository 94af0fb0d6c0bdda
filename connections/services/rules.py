"""The ordered rules of a connection."""

from collections.abc import Iterable, Mapping
from typing import Any

from accounts.models import User
from connections.models import Connection, Rule
from connections.services.checked import checked_rule
from connections.services.revisions import (
    RULE_FIELDS,
    Change,
    changing,
    check_revision,
    gone,
    rule_row,
)
from hoopweb.lib.errors import Conflict

EFFECT_WORDS = {"allow": "allows", "review": "asks for review", "deny": "denies"}


def create_rule(
    *,
    connection: Connection,
    by: User | None,
    slug: str,
    effect: str,
    match: Mapping[str, Any] | None = None,
    reviewers: Iterable[str] = (),
    votes: int = 1,
    expires_minutes: int = 60,
    note: str = "",
    enabled: bool = True,
    place: int | None = None,
    address: str | None = None,
) -> Rule:
    """A new rule at ``place`` (1 is first), or last. Raises InvalidRequest with ``errors``."""
    values = checked_rule(
        {
            "slug": slug,
            "effect": effect,
            "match": {} if match is None else match,
            "reviewers": list(reviewers),
            "votes": votes,
            "expires_minutes": expires_minutes,
            "note": note,
            "enabled": enabled,
        }
    )
    with changing(connection=connection, by=by, address=address) as change:
        rows = list(change.connection.rules.all())
        if any(row.slug == values["slug"] for row in rows):
            text = f"There is a rule called {values['slug']} already. Choose another name."
            raise Conflict(text, errors={"slug": text})
        rule = Rule(connection=change.connection, position=0, **values)
        rows.insert(len(rows) if place is None else max(0, min(place - 1, len(rows))), rule)
        number_rows(rows)
        rule.save()
        change.add(
            f"Added rule {rule.slug}: {EFFECT_WORDS[rule.effect]}",
            "rule-created",
            rule,
            after=rule_row(rule),
        )
    return rule


def update_rule(
    *,
    rule: Rule,
    by: User | None,
    revision: int | None = None,
    address: str | None = None,
    **values: Any,
) -> Rule:
    """Change the given fields; a rule keeps its slug, because statements on record name it.

    ``revision`` is the one that the form was opened with: Conflict when someone saved since.
    """
    with changing(connection=rule.connection, by=by, address=address) as change:
        row = _held(change, rule)
        check_revision(row, revision)
        before = rule_row(row)
        wanted = (
            {name: before[name] for name in ("slug", *RULE_FIELDS)} | values | {"slug": row.slug}
        )
        wanted = checked_rule(wanted)
        changed = [name for name in RULE_FIELDS if before[name] != wanted[name]]
        if changed:
            for name in changed:
                setattr(row, name, wanted[name])
            row.revision += 1
            row.save()
            change.add(
                f"Changed rule {row.slug}: {', '.join(_words(changed))}",
                "rule-changed",
                row,
                before=_only(before, changed),
                after=_only(rule_row(row), changed),
            )
    return row


def set_rule_enabled(
    *,
    rule: Rule,
    enabled: bool,
    by: User | None,
    revision: int | None = None,
    address: str | None = None,
) -> Rule:
    with changing(connection=rule.connection, by=by, address=address) as change:
        row = _held(change, rule)
        check_revision(row, revision)
        if row.enabled != enabled:
            row.enabled = enabled
            row.revision += 1
            row.save(update_fields=["enabled", "revision"])
            change.add(
                f"{'Enabled' if enabled else 'Disabled'} rule {row.slug}",
                "rule-enabled" if enabled else "rule-disabled",
                row,
                before={"enabled": not enabled},
                after={"enabled": enabled},
            )
    return row


def move_rule(
    *,
    rule: Rule,
    place: int,
    by: User | None,
    policy_revision: int | None = None,
    address: str | None = None,
) -> Rule:
    """Put the rule at ``place`` in the order (1 is first).

    ``policy_revision`` is the one that the order was seen at: Conflict when it is another now.
    """
    with changing(connection=rule.connection, by=by, address=address) as change:
        row = _held(change, rule)
        if policy_revision is not None and policy_revision != change.connection.policy_revision:
            raise Conflict(
                "Someone changed this policy meanwhile, so the order you saw is not the order in "
                "force. Look at it again, then move the rule.",
                revision=change.connection.policy_revision,
            )
        rows = list(change.connection.rules.all())
        was = next(i for i, other in enumerate(rows) if other.pk == row.pk)
        wanted = max(0, min(place - 1, len(rows) - 1))
        if wanted != was:
            row = rows.pop(was)
            rows.insert(wanted, row)
            row.revision += 1
            number_rows(rows)
            row.save(update_fields=["position", "revision"])
            change.add(
                f"Moved rule {row.slug} from place {was + 1} to {wanted + 1}",
                "rule-moved",
                row,
                before={"place": was + 1},
                after={"place": wanted + 1},
            )
    return row


def delete_rule(
    *, rule: Rule, by: User | None, revision: int | None = None, address: str | None = None
) -> None:
    with changing(connection=rule.connection, by=by, address=address) as change:
        row = _held(change, rule)
        check_revision(row, revision)
        change.add(f"Deleted rule {row.slug}", "rule-deleted", row, before=rule_row(row))
        row.delete()
        number_rows(list(change.connection.rules.all()))


def number_rows(rows: list[Rule]) -> None:
    """Number in this order from 1, saving only the rows that move and exist already.

    The database checks the numbers at the end of the transaction, so they may cross on the way.
    """
    moved = []
    for position, row in enumerate(rows, start=1):
        if row.position != position:
            row.position = position
            if not row._state.adding:  # noqa: SLF001  the documented way to ask
                moved.append(row)
    Rule.objects.bulk_update(moved, ["position"])


def _held(change: Change, rule: Rule) -> Rule:
    row = change.connection.rules.filter(pk=rule.pk).first()
    if row is None:
        raise gone(f"the rule {rule.slug}")
    return row


def _only(row: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _words(names: list[str]) -> list[str]:
    return [{"expires_minutes": "time to decide"}.get(name, name) for name in names]
