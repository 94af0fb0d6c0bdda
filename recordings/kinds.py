"""The kinds of event, and what each one says. Pure."""

from enum import StrEnum


class EventKind(StrEnum):
    """Stable names: they stand in recordings for as long as recordings are kept."""

    SESSION_OPENED = "session-opened"
    PROMPT = "prompt"
    MESSAGE = "message"
    STATEMENT = "statement"
    DECISION = "decision"
    APPROVAL_REQUESTED = "approval-requested"
    VOTE = "vote"
    APPROVAL_DECIDED = "approval-decided"
    QUEUED = "queued"
    INTENT = "intent"
    OUTCOME = "outcome"
    RESULT_PART = "result-part"
    TRANSFER = "transfer"
    CANCELLED = "cancelled"
    RECONCILED = "reconciled"
    SESSION_CLOSED = "session-closed"


K = EventKind
DESCRIPTIONS: dict[EventKind, str] = {
    K.SESSION_OPENED: "A session begins: who, for whom, on which connection, through which door.",
    K.PROMPT: "What the agent was asked to do.",
    K.MESSAGE: "A turn of the agent's conversation, its reasoning included.",
    K.STATEMENT: "One SQL statement as the agent sent it.",
    K.DECISION: "What policy decided about the statement, and why.",
    K.APPROVAL_REQUESTED: "The statement waits: these reviewers are asked.",
    K.VOTE: "A reviewer's answer.",
    K.APPROVAL_DECIDED: "The request for approval is settled.",
    K.QUEUED: "The statement waits for a worker.",
    K.INTENT: "The text that is about to be sent to Snowflake, written down before it is sent.",
    K.OUTCOME: "What came back: state, columns and rows as the agent sees them, or the error.",
    K.RESULT_PART: "A further part of a large result was handed out, as the agent sees it.",
    K.TRANSFER: "What lies in the stage after a driver carried files there, or took them from it.",
    K.CANCELLED: "Someone asked for the statement to stop.",
    K.RECONCILED: "An answer was lost; Snowflake was asked what became of the statement.",
    K.SESSION_CLOSED: "The session ends and is sealed.",
}

# States after which nothing more comes of a statement. "unknown" is none: Snowflake will be asked.
FINAL_OUTCOMES = frozenset({"succeeded", "failed", "cancelled"})
FINAL_APPROVALS = frozenset({"rejected", "expired", "withdrawn", "revoked"})
