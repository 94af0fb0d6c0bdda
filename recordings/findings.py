"""What verification finds, and says by name. Pure."""

import uuid
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """Stable names for what can be wrong with a recording."""

    CHANGED = "changed"
    MISSING = "missing"
    MOVED = "moved"
    REPLACED = "replaced"
    CUT = "cut"
    ADDED = "added"
    FACTS = "facts"
    SEAL = "seal"
    PAYLOAD = "payload"
    LOST_SESSION = "lost-session"
    TREE = "tree"
    CHECKPOINT = "checkpoint"
    OUTSIDE = "outside"
    AUDIT = "audit"


FAULTS: dict[Fault, str] = {
    Fault.CHANGED: "An event is not what its hash says.",
    Fault.MISSING: "An event is gone.",
    Fault.MOVED: "An event stands where another one was recorded.",
    Fault.REPLACED: "An event does not follow from the one before it.",
    Fault.CUT: "Events at the end are gone.",
    Fault.ADDED: "There are events that the session does not count.",
    Fault.FACTS: "The session's row says something else than its events.",
    Fault.SEAL: "The seal does not fit the events, or is not the one that was signed.",
    Fault.PAYLOAD: "A body is gone, changed, or was exchanged for another.",
    Fault.LOST_SESSION: "A session that a checkpoint names is gone.",
    Fault.TREE: "The tree of seals does not lead to the signed root.",
    Fault.CHECKPOINT: "A checkpoint is gone, changed, or not signed by this installation.",
    Fault.OUTSIDE: "A checkpoint's file is gone, or differs from the database.",
    Fault.AUDIT: "The audit trail has an entry that was changed, moved or taken out.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, where, in a sentence."""

    fault: Fault
    text: str
    session: uuid.UUID | None = None
    event: int | None = None

    def __str__(self) -> str:
        where = f"session {self.session}: " if self.session else ""
        return f"[{self.fault}] {where}{self.text}"


@dataclass(slots=True)
class Verification:
    """What was checked, and what was found.

    ``proof`` is how far the proof reaches: "checkpoint" (sealed and in a signed tree outside the
    database), "seal" (sealed, no checkpoint yet), "chain" (still open).
    """

    checked: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    proof: str = "chain"
    checkpoint: int | None = None

    @property
    def ok(self) -> bool:
        return not self.findings

    def say(self, fault: Fault, text: str, session: uuid.UUID, event: int | None = None) -> None:
        """Add a finding."""
        self.findings.append(Finding(fault, text, session, event))

    @property
    def badge(self) -> str:
        """The name of the badge that a page shows."""
        if not self.ok:
            return "broken"
        return {"checkpoint": "verified", "seal": "sealed"}.get(self.proof, "open")

    def events(self) -> set[int]:
        """The numbers of events that something is wrong with."""
        return {f.event for f in self.findings if f.event is not None}
