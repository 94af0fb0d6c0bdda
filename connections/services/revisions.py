"""Each change of policy is one numbered revision: who, when, what, and all as it then stood."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from accounts.models import User
from connections.models import Connection, Detector, PolicyRevision, Protection, Rule
from connections.services.acting import actor_of, need_admin_of
from hoopweb.lib.errors import Conflict
from recordings.services import audit

RULE_FIELDS = ("effect", "match", "reviewers", "votes", "expires_minutes", "note", "enabled")
PLACE_FIELDS = ("database", "schema", "table", "column", "tag")
PROTECTION_FIELDS = (*PLACE_FIELDS, "strategy", "options", "note", "enabled")
DETECTOR_FIELDS = ("action", "label", "pattern")
_SUMMARY = 300


@dataclass
class Change:
    """What happens to one policy while its connection's row is held."""

    connection: Connection
    summaries: list[str] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        summary: str,
        action: str,
        row: Rule | Protection | Detector | Connection,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        """Say one thing that was done; a change that says nothing makes no revision."""
        self.summaries.append(summary)
        self.entries.append(
            {
                "action": action,
                "kind": type(row).__name__.lower(),
                "object_id": str(row.pk),
                "object_name": f"{self.connection.name}: {row}"
                if not isinstance(row, Connection)
                else row.name,
                "before": before,
                "after": after,
            }
        )


@contextmanager
def changing(
    *, connection: Connection, by: User | None, address: str | None = None
) -> Iterator[Change]:
    """Hold the connection, let the body change its policy, then number and keep the result.

    The lock makes changes queue up, so that a revision's number and content belong together.
    """
    need_admin_of(by, connection, "change its policy")
    with transaction.atomic():
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        change = Change(row)
        yield change
        if not change.summaries:
            return
        row.policy_revision += 1
        row.save(update_fields=["policy_revision"])
        connection.policy_revision = row.policy_revision
        summary = change.summaries[0]
        if len(change.summaries) > 1:
            summary = f"{summary} (and {len(change.summaries) - 1} more)"
        PolicyRevision.objects.create(
            connection=row,
            number=row.policy_revision,
            by=actor_of(by),
            summary=summary[:_SUMMARY],
            content=snapshot(row),
        )
        for entry in change.entries:
            audit(actor=actor_of(by), address=address, **entry)


def check_revision(row: Rule | Protection | Detector, revision: int | None) -> None:
    """Raises Conflict when ``row`` was saved since a form with ``revision`` was opened."""
    if revision is not None and revision != row.revision:
        raise Conflict(
            f"Someone changed {row} while you were editing. Nothing you typed is lost: it stands "
            "below, beside what is in force now. Save again to put yours in its place.",
            revision=row.revision,
        )


def gone(what: str) -> Conflict:
    return Conflict(f"Someone deleted {what} meanwhile. Add it again if it is still wanted.")


def rule_row(rule: Rule) -> dict[str, Any]:
    return {
        "slug": rule.slug,
        "position": rule.position,
        "revision": rule.revision,
        **{name: getattr(rule, name) for name in RULE_FIELDS},
    }


def protection_row(protection: Protection) -> dict[str, Any]:
    return {
        "id": str(protection.pk),
        "revision": protection.revision,
        **{name: getattr(protection, name) for name in PROTECTION_FIELDS},
    }


def detector_row(detector: Detector) -> dict[str, Any]:
    return {
        "name": detector.name,
        "revision": detector.revision,
        **{name: getattr(detector, name) for name in DETECTOR_FIELDS},
    }


def snapshot(connection: Connection) -> dict[str, Any]:
    """The whole policy as a revision keeps it."""
    return {
        "rules": [rule_row(rule) for rule in connection.rules.all()],
        "protections": [protection_row(item) for item in connection.protections.all()],
        "detectors": [detector_row(item) for item in connection.detectors.all()],
    }


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of what a revision changed; ``sign`` is "+", "-" or "~"."""

    sign: str
    what: str
    name: str
    details: tuple[tuple[str, Any, Any], ...] = ()
    # What came or went, whole.
    row: dict[str, Any] | None = None


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[Difference]:
    """What lies between two snapshots, rules first."""
    found = _compare("rule", old.get("rules", []), new.get("rules", []), _slug, RULE_FIELDS)
    was = {row["slug"]: i for i, row in enumerate(old.get("rules", []))}
    kept = [row["slug"] for row in new.get("rules", []) if row["slug"] in was]
    if kept != sorted(kept, key=lambda slug: was[slug]):
        before = ", ".join(slug for slug in was if slug in set(kept))
        found.append(Difference("~", "order", "rules", (("order", before, ", ".join(kept)),)))
    found += _compare(
        "protection",
        old.get("protections", []),
        new.get("protections", []),
        place_of,
        PROTECTION_FIELDS,
    )
    before, after = old.get("detectors", []), new.get("detectors", [])
    return found + _compare(
        "detector",
        before + _unsaid(before, after),
        after + _unsaid(after, before),
        _name,
        DETECTOR_FIELDS,
    )


def _unsaid(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those built in of which only ``others`` say something: they mask."""
    said = {row["name"] for row in rows}
    return [
        {"name": row["name"], "action": "mask", "label": "", "pattern": ""}
        for row in others
        if not row["pattern"] and row["name"] not in said
    ]


def _slug(row: dict[str, Any]) -> str:
    return str(row["slug"])


def _name(row: dict[str, Any]) -> str:
    return str(row["name"])


def place_of(row: dict[str, Any]) -> str:
    """What a protection covers, in one line; also what makes two of them the same."""
    if row["tag"]:
        return f"tag {row['tag']}"
    return ".".join(row[name] for name in ("database", "schema", "table", "column"))


def _compare(
    what: str,
    old: list[dict[str, Any]],
    new: list[dict[str, Any]],
    key: Any,
    fields: tuple[str, ...],
) -> list[Difference]:
    before, after = {key(row): row for row in old}, {key(row): row for row in new}
    found = [Difference("-", what, name, row=before[name]) for name in before if name not in after]
    for name, row in after.items():
        if name not in before:
            found.append(Difference("+", what, name, row=row))
            continue
        changed = tuple(
            (field_name, before[name][field_name], row[field_name])
            for field_name in fields
            if before[name][field_name] != row[field_name]
        )
        if changed:
            found.append(Difference("~", what, name, changed))
    return found
