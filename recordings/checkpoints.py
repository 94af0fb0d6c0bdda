"""Signed tree heads. Each says which sessions are sealed, how far the open ones have come, and how
long the audit trail is; so that what the database says later can be held against it.
"""

from itertools import pairwise
from typing import Any

import structlog
from django.db import connection, transaction
from django.utils import timezone

from hoopweb.lib.errors import Conflict
from recordings import chain, merkle, outside, signing
from recordings.models import AuditEntry, Checkpoint, Session

log = structlog.get_logger(__name__)

VERSION = 1
# More sealed sessions than this wait for the next checkpoint.
BATCH = 5_000
_LOCK = 0x686F6F70_02


def write_checkpoint() -> Checkpoint | None:
    """Sign the state of all recordings; None when nothing is new since the last checkpoint.

    The row is committed first. A file that a crash left unwritten is made up for here, from the
    signed row, the next time.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        made = _next()
    write_missing()
    return made


def write_missing() -> None:
    """Write the files of rows that are newer than the newest file.

    Older gaps are left as they are: a file that went missing is a finding, not a thing to mend
    quietly.
    """
    found = outside.numbers()
    newest = found[-1] if found else None
    rows = Checkpoint.objects.order_by("number")
    # With no file at all, only a database that has had a single checkpoint is new.
    rows = rows.filter(number__gt=newest) if newest is not None else rows.order_by("-number")[:1]
    for row in rows:
        outside.write(signed(row))


def signed(row: Checkpoint) -> outside.Signed:
    """What a row says was signed."""
    return outside.Signed(row.body, row.signature)


def _next() -> Checkpoint | None:
    last = Checkpoint.objects.order_by("-number").first()
    if last is not None and not signed(last).is_genuine():
        raise Conflict(
            f"Checkpoint {last.number} was not signed with the key of this installation. Run "
            "manage.py verify, and give the retired key if the key was changed."
        )
    found = outside.numbers()
    if found and found[-1] > (last.number if last else 0):
        # Going on from here would sign a history that is shorter than the one signed before.
        raise Conflict(
            f"Checkpoint {found[-1]} lies outside the database, which has lost it. Run manage.py "
            "verify to see what else is gone, restore the database, or keep the files for "
            "inquiry and start an empty directory."
        )
    before: dict[str, Any] = last.body if last else {}
    tree = before.get("tree", {"size": 0, "peaks": []})
    size = int(tree["size"])
    fresh = list(
        Session.objects.filter(ended_at__isnull=False, leaf__isnull=True)
        .order_by("ended_at", "id")
        .only("id", "seal", "event_count", "leaf")[:BATCH]
    )
    for index, session in enumerate(fresh, size):
        session.leaf = index
    peaks, grown = merkle.grow(
        [bytes.fromhex(peak) for peak in tree["peaks"]],
        size,
        (merkle.leaf_hash(session.pk, session.seal) for session in fresh),
    )
    now = timezone.now()
    body: dict[str, Any] = {
        "version": VERSION,
        "number": last.number + 1 if last else 1,
        "at": chain.instant(max(now, last.at) if last else now),
        "previous": chain.digest(before) if last else "",
        "key": signing.key_id(signing.public_key()),
        "tree": {
            "size": grown,
            "root": merkle.root_of(peaks).hex(),
            "peaks": [peak.hex() for peak in peaks],
        },
        "sealed": [
            {
                "index": session.leaf,
                "session": str(session.pk),
                "events": session.event_count,
                "seal": session.seal,
            }
            for session in fresh
        ],
        "open": [
            {"session": str(pk), "events": count, "head": head}
            for pk, count, head in Session.objects.open()
            .order_by("id")
            .values_list("id", "event_count", "head")
        ],
        "audit": _audit_head(),
    }
    if last and not _says_more(before, body):
        return None
    Session.objects.bulk_update(fresh, ["leaf"], batch_size=500)
    return Checkpoint.objects.create(
        number=body["number"],
        at=max(now, last.at) if last else now,
        session_count=grown,
        root=body["tree"]["root"],
        previous=body["previous"],
        key_id=body["key"],
        signature=signing.sign(chain.canonical(body)),
        body=body,
    )


def _audit_head() -> dict[str, Any]:
    last = AuditEntry.objects.order_by("-number").values("number", "hash").first()
    return dict(last) if last else {"number": 0, "hash": ""}


def _says_more(before: dict[str, Any], body: dict[str, Any]) -> bool:
    return bool(body["sealed"]) or any(before[key] != body[key] for key in ("open", "audit"))


def covering(leaf: int) -> Checkpoint | None:
    """The first checkpoint whose tree holds this leaf."""
    return Checkpoint.objects.filter(session_count__gt=leaf).order_by("number").first()


def follow(checkpoints: list[outside.Signed]) -> list[tuple[int, int]]:
    """Pairs of numbers where one checkpoint does not follow from the one before it."""
    return [
        (earlier.number, later.number)
        for earlier, later in pairwise(checkpoints)
        if later.body.get("previous") != earlier.hash
    ]
