"""What becomes of values that detectors find in results, and patterns of one's own.

A built-in detector has a row only while it does something else than mask.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from accounts.models import User
from connections.masking.detectors import BY_NAME, DETECTORS
from connections.models import Connection, Detector
from connections.services.checked import checked_detector
from connections.services.revisions import (
    DETECTOR_FIELDS,
    Change,
    changing,
    check_revision,
    detector_row,
    gone,
)
from hoopweb.lib.errors import Conflict, InvalidRequest

MAX_OWN = 30
ACTION_WORDS = {"mask": "masks", "alert": "only counts", "off": "is off"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """One detector of a connection, built in or own, and what is chosen for it."""

    connection: Connection
    name: str
    label: str
    action: str
    pattern: str = ""
    finds: str = ""
    example: str = ""
    revision: int = 0
    id: UUID | None = None

    @property
    def built_in(self) -> bool:
        return not self.pattern

    @property
    def connection_id(self) -> UUID:
        return self.connection.pk


def chosen_detectors(connection: Connection) -> list[Chosen]:
    """Every detector of a connection: those built in, in the order in which they look, then own."""
    rows = {row.name: row for row in connection.detectors.all()}
    found = []
    for detector in DETECTORS:
        row = rows.get(detector.name)
        found.append(
            Chosen(
                connection,
                detector.name,
                detector.label,
                row.action if row else detector.action,
                finds=detector.finds,
                example=detector.example,
                revision=row.revision if row else 0,
            )
        )
    return found + [
        Chosen(
            connection,
            row.name,
            row.label or row.name,
            row.action,
            pattern=row.pattern,
            revision=row.revision,
            id=row.pk,
        )
        for row in rows.values()
        if row.pattern
    ]


def create_detector(
    *, connection: Connection, by: User | None, address: str | None = None, **values: Any
) -> Detector:
    """A pattern of one's own; the values are the fields of Detector.

    Raises InvalidRequest with ``errors``, Conflict when the name is taken.
    """
    if values["name"] in BY_NAME:
        raise _taken(values["name"])
    wanted = checked_detector({"action": "mask", "label": "", "pattern": ""} | values)
    with changing(connection=connection, by=by, address=address) as change:
        rows = change.connection.detectors
        if rows.filter(name=wanted["name"]).exists():
            raise _taken(wanted["name"])
        check_room(rows.exclude(pattern="").count() + 1)
        row = Detector(connection=change.connection, **wanted)
        row.save()
        change.add(
            f"Added detector {row}: {ACTION_WORDS[row.action]}",
            "detector-created",
            row,
            after=detector_row(row),
        )
    return row


def update_detector(
    *,
    detector: Detector,
    by: User | None,
    revision: int | None = None,
    address: str | None = None,
    **values: Any,
) -> Detector:
    """Change the given fields of an own detector, which keeps its name: recordings name it.

    ``revision`` is the one that the form was opened with: Conflict when someone saved since.
    """
    with changing(connection=detector.connection, by=by, address=address) as change:
        row = _held(change, detector.name)
        check_revision(row, revision)
        before = detector_row(row)
        wanted = checked_detector(_fields(row) | values | {"name": row.name})
        changed = [name for name in DETECTOR_FIELDS if before[name] != wanted[name]]
        if changed:
            for name in changed:
                setattr(row, name, wanted[name])
            row.revision += 1
            row.save()
            change.add(
                f"Changed detector {row}: {', '.join(changed)}",
                "detector-changed",
                row,
                before={name: before[name] for name in changed},
                after={name: wanted[name] for name in changed},
            )
    return row


def set_detector_action(
    *,
    connection: Connection,
    name: str,
    action: str,
    by: User | None,
    revision: int | None = None,
    address: str | None = None,
) -> None:
    """Let a detector, built in or own, mask, only alert, or rest. Raises InvalidRequest.

    ``revision`` is the one that was looked at, 0 for a built-in detector of which nothing is
    chosen: Conflict when it is another now.
    """
    if action not in ACTION_WORDS:
        text = f"A detector does one of: {', '.join(ACTION_WORDS)}."
        raise InvalidRequest(text, errors={"action": text})
    with changing(connection=connection, by=by, address=address) as change:
        row = next((r for r in change.connection.detectors.all() if r.name == name), None)
        if row is None:
            if name not in BY_NAME:
                raise gone(f"the detector {name}")
            row = Detector(connection=change.connection, name=name, revision=0)
        check_revision(row, revision)
        before = row.action
        if before == action:
            return
        row.action = action
        row.revision += 1
        change.add(
            f"Detector {row} {ACTION_WORDS[action]}",
            "detector-changed",
            row,
            before={"action": before},
            after={"action": action},
        )
        if row.pattern or action != "mask":
            row.save()
        else:
            row.delete()


def delete_detector(
    *, detector: Detector, by: User | None, revision: int | None = None, address: str | None = None
) -> None:
    """Take an own detector away."""
    with changing(connection=detector.connection, by=by, address=address) as change:
        row = _held(change, detector.name)
        check_revision(row, revision)
        change.add(f"Deleted detector {row}", "detector-deleted", row, before=detector_row(row))
        row.delete()


def check_room(own: int) -> None:
    """Raises InvalidRequest for more own patterns than a result is to be held against."""
    if own > MAX_OWN:
        raise InvalidRequest(
            f"A connection has at most {MAX_OWN} patterns of its own: each reads every text of "
            "every result. Join some with |."
        )


def _fields(row: Detector) -> dict[str, Any]:
    return {name: getattr(row, name) for name in DETECTOR_FIELDS}


def _held(change: Change, name: str) -> Detector:
    row = change.connection.detectors.exclude(pattern="").filter(name=name).first()
    if row is None:
        raise gone(f"the detector {name}")
    return row


def _taken(name: str) -> Conflict:
    text = f"There is a detector called {name} already. Choose another name."
    return Conflict(text, errors={"name": text})
