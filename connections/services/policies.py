"""A whole policy at once: the one to start with, an earlier one, one from a file."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from accounts.models import User
from connections.models import Connection, Detector, PolicyRevision, Protection, Rule
from connections.policy import document
from connections.policy import types as policy_types
from connections.policy.defaults import default_rules
from connections.services.checked import checked_detector, checked_protection, checked_rule
from connections.services.detectors import check_room
from connections.services.revisions import (
    DETECTOR_FIELDS,
    PROTECTION_FIELDS,
    RULE_FIELDS,
    Change,
    changing,
    differences,
    place_of,
    snapshot,
)
from hoopweb.lib.errors import Conflict, InvalidRequest, NotFound

_LENIENCE = {
    policy_types.Effect.DENY: 0,
    policy_types.Effect.REVIEW: 1,
    policy_types.Effect.ALLOW: 2,
}


def install_default_policy(
    *, connection: Connection, by: User | None, address: str | None = None
) -> None:
    """The rules that a connection starts with. Raises Conflict when it has rules already."""
    with changing(connection=connection, by=by, address=address) as change:
        if change.connection.rules.exists():
            raise Conflict(
                f"{connection.name} has rules already. Restore an earlier revision, or delete "
                "them first."
            )
        rules = [_rule_values(rule) for rule in default_rules()]
        _replace_rules(change, rules)
        change.add(
            f"Installed the {len(rules)} default rules",
            "policy-installed",
            change.connection,
            after={"rules": [rule["slug"] for rule in rules]},
        )


def restore_policy(
    *,
    connection: Connection,
    number: int,
    by: User | None,
    policy_revision: int | None = None,
    address: str | None = None,
) -> None:
    """Put the policy back to what it was at revision ``number``, as a new revision.

    ``policy_revision`` is the one that the page showed: Conflict when it is another now.
    """
    wanted = PolicyRevision.objects.filter(connection=connection, number=number).first()
    if wanted is None:
        raise NotFound(f"{connection.name} has no policy revision {number}.")
    with changing(connection=connection, by=by, address=address) as change:
        if policy_revision is not None and policy_revision != change.connection.policy_revision:
            raise Conflict(
                "Someone changed this policy meanwhile. Look at the newest revision, then restore "
                "if you still want to.",
                revision=change.connection.policy_revision,
            )
        replace_policy(
            change,
            # Before there were choices, every detector masked.
            {"detectors": [], **wanted.content},
            f"Restored revision {number}",
            "policy-restored",
        )


def export_policy(connection: Connection) -> str:
    """The policy as the versioned document that ``import_policy`` reads.

    Revisions and row ids stay out: the same policy gives the same text on every connection.
    """
    return document.dump(
        document.Document(
            tuple(replace(rule.as_value(), revision=1) for rule in connection.rules.all()),
            tuple(
                replace(row.as_value(), id=place_of(_values(row)))
                for row in connection.protections.all()
            ),
            tuple(row.as_value() for row in connection.detectors.all()),
        )
    )


def import_policy(
    *, connection: Connection, text: str, by: User | None, address: str | None = None
) -> list[str]:
    """Put the document's rules and protections in place of all that is there, and its detectors
    too if it speaks of any.

    Answers what changed, a line each; nothing changed makes no revision. Raises InvalidRequest
    that names the place in the document.
    """
    try:
        policy = document.load(text)
    except document.DocumentError as error:
        raise InvalidRequest(f"The policy document cannot be read: {error}") from error
    # Rules on one place are decided by the strictest; here each has a place of its own, so the
    # strictest goes first.
    rules = sorted(policy.rules, key=lambda rule: (rule.position, _LENIENCE[rule.effect]))
    notes = {place_of(_values(row)): row.note for row in connection.protections.all()}
    protections = []
    for item in policy.protections:
        values = {name: getattr(item, name, "") for name in PROTECTION_FIELDS}
        # The document has no notes on protections, so those that stay keep theirs.
        protections.append(values | {"note": notes.get(place_of(values), "")})
    content = {"rules": [_rule_values(rule) for rule in rules], "protections": protections}
    if policy.detectors is not None:
        content["detectors"] = [asdict(item) for item in policy.detectors]
    with changing(connection=connection, by=by, address=address) as change:
        return replace_policy(
            change,
            content,
            "Imported a policy document",
            "policy-imported",
        )


def _rule_values(rule: policy_types.Rule) -> dict[str, Any]:
    return {
        "slug": rule.id,
        "effect": rule.effect.value,
        "match": {k: list(v) if isinstance(v, tuple) else v for k, v in rule.match.items()},
        "reviewers": list(rule.terms.reviewers),
        "votes": rule.terms.votes,
        "expires_minutes": rule.terms.expires_minutes,
        "note": rule.note,
        "enabled": rule.enabled,
    }


def _values(row: Protection) -> dict[str, Any]:
    return {name: getattr(row, name) for name in PROTECTION_FIELDS}


def replace_policy(
    change: Change,
    content: Mapping[str, Iterable[Mapping[str, Any]]],
    summary: str,
    action: str,
) -> list[str]:
    """Make the policy be exactly this: ``rules``, ``protections`` and, if it is there,
    ``detectors``. Rows that stay the same keep their revision.
    """
    before = snapshot(change.connection)
    _replace_rules(change, [_checked(r, checked_rule, "rule", "slug") for r in content["rules"]])
    _replace_protections(
        change,
        [_checked(p, checked_protection, "protection", "column") for p in content["protections"]],
    )
    if "detectors" in content:
        _replace_detectors(
            change,
            [_checked(d, checked_detector, "detector", "name") for d in content["detectors"]],
        )
    found = differences(before, snapshot(change.connection))
    lines = [f"{item.sign} {item.what} {item.name}" for item in found]
    if lines:
        change.add(
            f"{summary}: {len(lines)} {'difference' if len(lines) == 1 else 'differences'}",
            action,
            change.connection,
            before={"revision": change.connection.policy_revision},
            after={"revision": change.connection.policy_revision + 1, "differences": lines},
        )
    return lines


def _checked(row: Mapping[str, Any], check: Any, what: str, name: str) -> dict[str, Any]:
    """``row`` checked; an error says which row of the many it is about."""
    try:
        return dict(check(row))
    except InvalidRequest as error:
        problems = " ".join(error.fields.get("errors", {}).values())
        raise InvalidRequest(f"The {what} {row.get(name)!r}: {problems}") from error


def _replace_rules(change: Change, wanted: list[dict[str, Any]]) -> None:
    slugs = [row["slug"] for row in wanted]
    if double := sorted({slug for slug in slugs if slugs.count(slug) > 1}):
        raise InvalidRequest(f"Two rules are called {double[0]}. Each needs a name of its own.")
    rules = {rule.slug: rule for rule in change.connection.rules.all()}
    for slug in rules.keys() - set(slugs):
        rules[slug].delete()
    for position, row in enumerate(wanted, start=1):
        rule = rules.get(row["slug"]) or Rule(
            connection=change.connection, slug=row["slug"], revision=0
        )
        values = {name: row[name] for name in RULE_FIELDS}
        if any(getattr(rule, name) != value for name, value in values.items()) or not rule.revision:
            rule.revision += 1
        elif rule.position == position:
            continue
        rule.position = position
        for name, value in values.items():
            setattr(rule, name, value)
        rule.save()


def _replace_protections(change: Change, wanted: list[dict[str, Any]]) -> None:
    by_place = {place_of(row): row for row in wanted}
    if len(by_place) < len(wanted):
        places = [place_of(row) for row in wanted]
        double = next(place for place in places if places.count(place) > 1)
        raise InvalidRequest(f"{double} is protected twice. Keep one of the two.")
    rows = {place_of(_values(row)): row for row in change.connection.protections.all()}
    for place in rows.keys() - by_place.keys():
        rows[place].delete()
    for place, values in by_place.items():
        row = rows.get(place) or Protection(connection=change.connection, revision=0)
        fields = {name: values[name] for name in PROTECTION_FIELDS}
        if row.revision and all(getattr(row, name) == value for name, value in fields.items()):
            continue
        for name, value in fields.items():
            setattr(row, name, value)
        row.revision += 1
        row.save()


def _replace_detectors(change: Change, wanted: list[dict[str, Any]]) -> None:
    if len({row["name"] for row in wanted}) < len(wanted):
        raise InvalidRequest("Two detectors have the same name. Each needs a name of its own.")
    # A built-in detector that masks is what it is without a row.
    by_name = {row["name"]: row for row in wanted if row["pattern"] or row["action"] != "mask"}
    check_room(sum(bool(row["pattern"]) for row in by_name.values()))
    rows = {row.name: row for row in change.connection.detectors.all()}
    for name in rows.keys() - by_name.keys():
        rows[name].delete()
    for name, values in by_name.items():
        row = rows.get(name) or Detector(connection=change.connection, name=name, revision=0)
        fields = {field: values[field] for field in DETECTOR_FIELDS}
        if row.revision and all(getattr(row, field) == value for field, value in fields.items()):
            continue
        for field, value in fields.items():
            setattr(row, field, value)
        row.revision += 1
        row.save()
