"""What signed checkpoints remember of sessions: the memory that the database does not hold.

The files outside are the witnesses; a row of the database is heard where a file is missing, and
only when its signature holds.
"""

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from recordings import checkpoints, merkle, outside
from recordings.findings import Fault, Finding, Verification
from recordings.models import Checkpoint, Session


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a checkpoint says of a sealed session."""

    index: int
    seal: str
    events: int
    checkpoint: int
    outside: bool


@dataclass(slots=True)
class Witnesses:
    """What some checkpoints, or all of them, say."""

    count: int = 0
    latest: outside.Signed | None = None
    sealed: dict[uuid.UUID, list[Sealed]] = field(default_factory=lambda: defaultdict(list))
    # Session to {events so far: (head, number of the checkpoint)}.
    open: dict[uuid.UUID, dict[int, tuple[str, int]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    # Checkpoint to (entries, hash of the last).
    audit: dict[int, tuple[int, str]] = field(default_factory=dict)

    def hear(self, signed: outside.Signed, *, from_outside: bool) -> None:
        """Take in what one genuine checkpoint says."""
        body, number = signed.body, signed.number
        self.count += 1
        if self.latest is None or number > self.latest.number:
            self.latest = signed
        for entry in body["sealed"]:
            self.sealed[uuid.UUID(entry["session"])].append(
                Sealed(entry["index"], entry["seal"], entry["events"], number, from_outside)
            )
        for entry in body["open"]:
            heads = self.open[uuid.UUID(entry["session"])]
            heads.setdefault(entry["events"], (entry["head"], number))
        self.audit[number] = (body["audit"]["number"], body["audit"]["hash"])

    @property
    def latest_at(self) -> datetime:
        assert self.latest is not None
        return datetime.strptime(self.latest.body["at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(
            tzinfo=UTC
        )

    @property
    def latest_took_all(self) -> bool:
        return self.latest is not None and len(self.latest.body["sealed"]) < checkpoints.BATCH

    def testify(self, session: Session, hashes: dict[int, str], result: Verification) -> None:
        """Hold a session against what is remembered of it. ``hashes`` are its events'."""
        self._of_its_seal(session, result)
        self._of_its_beginning(session, hashes, result)

    def _of_its_seal(self, session: Session, result: Verification) -> None:
        entries = self.sealed.get(session.pk, [])
        if session.leaf is not None and not entries:
            result.say(
                Fault.TREE,
                f"no signed checkpoint has it at place {session.leaf} of the tree",
                session.pk,
            )
        for entry in entries:
            if session.seal != entry.seal:
                result.say(
                    Fault.SEAL,
                    f"checkpoint {entry.checkpoint} signed another seal, over {entry.events} "
                    "events: the recording was rewritten after it was sealed",
                    session.pk,
                )
            elif session.leaf != entry.index:
                result.say(
                    Fault.TREE,
                    f"its place in the tree is {session.leaf}, checkpoint {entry.checkpoint} "
                    f"signed {entry.index}",
                    session.pk,
                )
            elif result.ok:
                result.proof, result.checkpoint = "checkpoint", entry.checkpoint
                where = "outside the database" if entry.outside else "(its file is missing)"
                result.checked.append(
                    f"the seal against signed checkpoint {entry.checkpoint} {where}"
                )

    def _of_its_beginning(
        self, session: Session, hashes: dict[int, str], result: Verification
    ) -> None:
        seen = 0
        for count, (head, number) in sorted(self.open.get(session.pk, {}).items()):
            if count and hashes.get(count) != head:
                result.say(
                    Fault.REPLACED,
                    f"event {count} is not the one that checkpoint {number} saw: "
                    "the recording was rewritten while it was open",
                    session.pk,
                    count,
                )
                return
            if session.is_open:
                seen, result.checkpoint = count, number
        if seen and result.ok:
            result.checked.append(
                f"the first {seen} events against signed checkpoint {result.checkpoint}"
            )

    def missing(self, there: set[uuid.UUID]) -> list[Finding]:
        """Sessions that a checkpoint names and the database has lost."""
        found = []
        for session_id, entries in self.sealed.items():
            if session_id not in there:
                entry = entries[0]
                found.append(
                    Finding(
                        Fault.LOST_SESSION,
                        f"it is gone; checkpoint {entry.checkpoint} signed it with "
                        f"{entry.events} events",
                        session_id,
                    )
                )
        for session_id, heads in self.open.items():
            if session_id not in there and session_id not in self.sealed:
                count = max(heads)
                found.append(
                    Finding(
                        Fault.LOST_SESSION,
                        f"it is gone; checkpoint {heads[count][1]} saw it open with {count} events",
                        session_id,
                    )
                )
        return found


def for_session(session: Session) -> Witnesses:
    """The one checkpoint that says most about a session, so that a page stays cheap."""
    seen = Witnesses()
    if session.leaf is not None:
        found = checkpoints.covering(session.leaf)
    else:
        found = Checkpoint.objects.order_by("-number").first()
    if (signed := _best(found)) is not None:
        seen.hear(signed[0], from_outside=signed[1])
    return seen


def latest() -> outside.Signed | None:
    """The last checkpoint, from its file where that holds."""
    found = _best(Checkpoint.objects.order_by("-number").first())
    return found[0] if found else None


def _best(row: Checkpoint | None) -> tuple[outside.Signed, bool] | None:
    """A checkpoint's file if it is genuine, else its row if that is; and which."""
    if row is None:
        return None
    file = outside.read(row.number)
    if file is not None and file.is_genuine():
        return file, True
    signed = checkpoints.signed(row)
    return (signed, False) if signed.is_genuine() else None


def everything(files: dict[int, outside.Signed | None], findings: list[Finding]) -> Witnesses:
    """Every checkpoint, here and outside, held against one another; says what is wrong."""
    seen = Witnesses()
    rows = {row.number: checkpoints.signed(row) for row in Checkpoint.objects.order_by("number")}
    for number in rows.keys() - files.keys():
        # Written since the files were read, most likely.
        if (late := outside.read(number)) is not None:
            files[number] = late
    before: outside.Signed | None = None
    peaks: list[bytes] = []
    size = 0
    for number in range(1, max([*rows, *files], default=0) + 1):
        signed, from_outside = _choose(number, rows.get(number), files, findings)
        if signed is None:
            before = None
            continue
        if before is not None and signed.body["previous"] != before.hash:
            _say(
                findings, Fault.CHECKPOINT, f"checkpoint {number} does not follow from {number - 1}"
            )
        tree: dict[str, Any] = signed.body["tree"]
        leaves = [
            merkle.leaf_hash(uuid.UUID(entry["session"]), entry["seal"])
            for entry in signed.body["sealed"]
        ]
        peaks, size = merkle.grow(peaks, size, leaves)
        if size != tree["size"] or merkle.root_of(peaks).hex() != tree["root"]:
            if before is not None:
                _say(
                    findings,
                    Fault.TREE,
                    f"the sessions that checkpoint {number} adds do not lead to its root",
                )
            # Go on from what was signed, so that one gap is not told again at every step.
            size, peaks = tree["size"], [bytes.fromhex(peak) for peak in tree["peaks"]]
        seen.hear(signed, from_outside=from_outside)
        before = signed
    return seen


def _choose(
    number: int,
    row: outside.Signed | None,
    files: dict[int, outside.Signed | None],
    findings: list[Finding],
) -> tuple[outside.Signed | None, bool]:
    """The witness to hear for one number, after naming what is wrong with either copy."""
    file = files.get(number)
    file_holds = file is not None and file.is_genuine()
    row_holds = row is not None and row.is_genuine()
    if number not in files:
        _say(findings, Fault.OUTSIDE, f"the file of checkpoint {number} is missing")
    elif not file_holds:
        _say(findings, Fault.OUTSIDE, f"the file of checkpoint {number} was changed")
    if row is None:
        _say(findings, Fault.CHECKPOINT, f"checkpoint {number} is missing from the database")
    elif not row_holds:
        _say(
            findings,
            Fault.CHECKPOINT,
            f"checkpoint {number} in the database is not what this installation signed",
        )
    if file_holds and row_holds and file != row:
        _say(findings, Fault.OUTSIDE, f"checkpoint {number} differs between database and file")
    if file_holds:
        return file, True
    return (row, False) if row_holds else (None, False)


def _say(findings: list[Finding], fault: Fault, text: str) -> None:
    findings.append(Finding(fault, text))
