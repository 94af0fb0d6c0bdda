"""What became of each statement of a session: the answer, before the steps that lead to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from recordings.kinds import EventKind
from recordings.replay.step import Step

K = EventKind


@dataclass(slots=True)
class Line:
    """One statement: its text, what was decided, where it stands, and the step that shows it."""

    number: int
    sql: str
    step: int
    effect: str = ""
    masked: bool = False
    state: str = "received"
    rows: int | None = None
    sent: bool = False


def outline_of(steps: Sequence[Step]) -> list[Line]:
    """Statements in order, each with its state after the last event about it."""
    lines: dict[int, Line] = {}
    for step in steps:
        if not step.statement:
            continue
        if step.kind == K.STATEMENT:
            lines[step.statement] = Line(
                step.statement, str(step.data.get("sql", "")), step=step.number
            )
        elif (line := lines.get(step.statement)) is not None:
            _follow(line, step)
    return list(lines.values())


def _follow(line: Line, step: Step) -> None:
    state = str(step.data.get("state", ""))
    if step.kind == K.DECISION:
        line.effect = str(step.data.get("effect", ""))
        line.masked = bool(step.shown.get("masked"))
        if line.effect == "deny":
            line.state = "denied"
    elif step.kind == K.APPROVAL_REQUESTED:
        line.state = "awaiting_approval"
    elif step.kind == K.APPROVAL_DECIDED:
        line.state = {"approved": "queued", "revoked": "withdrawn"}.get(state, state)
    elif step.kind == K.QUEUED:
        line.state = "queued"
    elif step.kind == K.INTENT:
        line.state, line.sent = "running", True
    elif step.kind == K.CANCELLED and not line.sent:
        line.state = "withdrawn"
    elif step.kind in (K.OUTCOME, K.RECONCILED):
        line.state = state
        rows = step.data.get("row_count")
        line.rows = rows if isinstance(rows, int) else line.rows
