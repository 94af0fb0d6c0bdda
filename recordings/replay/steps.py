"""Events as the steps that a person walks through."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hoopweb.templatetags import words
from recordings.kinds import EventKind
from recordings.models import Event
from recordings.replay.rows import Rows

K = EventKind
# Shorter silences are not worth a word.
_GAP = timedelta(seconds=5)
_STRATEGY_UNKNOWN = "masked"

_SPEAKERS = {
    "user": ("The person says", "chat-bubble-left"),
    "assistant": ("The agent says", "chat-bubble-left-right"),
    "reasoning": ("The agent's reason", "light-bulb"),
    "system": ("Instructions", "adjustments-horizontal"),
    "tool": ("A tool answers", "wrench"),
}
_PLAIN: dict[str, tuple[str, str, str]] = {
    K.SESSION_OPENED: ("Session opened", "neutral", "play-circle"),
    K.PROMPT: ("Prompt", "running", "chat-bubble-left-ellipsis"),
    K.STATEMENT: ("Statement", "neutral", "command-line"),
    K.APPROVAL_REQUESTED: ("Waits for approval", "waiting", "pause-circle"),
    K.QUEUED: ("Queued", "neutral", "queue-list"),
    K.INTENT: ("Sent to Snowflake", "running", "paper-airplane"),
    K.CANCELLED: ("Cancelled", "neutral", "stop-circle"),
    K.RECONCILED: ("Snowflake was asked", "neutral", "magnifying-glass-circle"),
    K.SESSION_CLOSED: ("Session closed and sealed", "neutral", "lock-closed"),
}


@dataclass(slots=True)
class Step:
    """One event, ready to be shown."""

    number: int
    kind: str
    title: str
    at: datetime
    offset: str
    tone: str
    icon: str
    data: Mapping[str, Any]
    actor: Mapping[str, Any]
    hash: str
    # What is special about its kind; ``template`` puts the gap before it and findings around it.
    body: str = "recordings/steps/other.html"
    template: str = "recordings/steps/step.html"
    statement_id: uuid.UUID | None = None
    # Its place among the session's statements, from 1; 0 when it belongs to none.
    statement: int = 0
    # How long nothing happened before it, in words.
    gap: str = ""
    shown: dict[str, Any] = field(default_factory=dict)
    payloads: Sequence[Mapping[str, Any]] = ()
    result: Rows | None = None
    # What verification found about it.
    findings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Story:
    """What is known of one statement by the step that is being built."""

    number: int
    given: str = ""
    decision: Mapping[str, Any] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    votes: list[dict[str, Any]] = field(default_factory=list)


def steps_of(events: Sequence[Event]) -> list[Step]:
    """The steps of a session, in order."""
    stories: dict[uuid.UUID, _Story] = {}
    for event in events:
        if event.kind == K.STATEMENT and event.statement_id:
            stories[event.statement_id] = _Story(len(stories) + 1)
    several = len(stories) > 1
    start = events[0].at if events else None
    before: datetime | None = None
    steps = []
    for event in events:
        assert start is not None
        story = stories.get(event.statement_id) if event.statement_id else None
        step = Step(
            number=event.number,
            kind=event.kind,
            title=event.kind.replace("-", " ").capitalize(),
            at=event.at,
            offset=_offset(event.at - start),
            tone="neutral",
            icon="document-text",
            data=event.data if isinstance(event.data, dict) else {},
            actor=event.actor if isinstance(event.actor, dict) else {},
            hash=event.hash,
            statement_id=event.statement_id,
            statement=story.number if story else 0,
            payloads=[p for p in event.payloads if isinstance(p, dict)],
        )
        silence = event.at - (before or event.at)
        if silence >= _GAP:
            # Whole seconds: a silence is felt, not measured.
            step.gap = words.duration(timedelta(seconds=round(silence.total_seconds()))).replace(
                ".0 s", " s"
            )
        before = event.at
        try:
            _dress(step, story or _Story(0))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            # Someone changed the event, or a later version wrote it: show what is there.
            _undress(step, event)
        if several and story and event.kind != K.STATEMENT:
            step.title = f"{step.title} · {story.number}"
        steps.append(step)
    return steps


def _offset(since: timedelta) -> str:
    minutes, seconds = divmod(int(since.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


def _dress(step: Step, story: _Story) -> None:
    """Give a step its title, sign and template. A kind nobody knows keeps its data in view."""
    if step.kind in _PLAIN:
        step.title, step.tone, step.icon = _PLAIN[step.kind]
    if step.kind not in set(EventKind):
        _undress(step, None)
        return
    step.body = f"recordings/steps/{step.kind.replace('-', '_')}.html"
    if dress := _BY_KIND.get(step.kind):
        dress(step, story)


def _undress(step: Step, event: Event | None) -> None:
    data = event.data if event else step.data
    step.body = "recordings/steps/other.html"
    step.shown = {"raw": json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True)}


def _wear(step: Step, sign: words.Sign) -> None:
    step.tone, step.icon = sign.tone, sign.icon


def _message(step: Step, _story: _Story) -> None:
    step.title, step.icon = _SPEAKERS.get(str(step.data.get("role")), _SPEAKERS["assistant"])


def _statement(step: Step, story: _Story) -> None:
    story.given = str(step.data.get("sql", ""))
    step.shown = {"given": story.given}
    if story.number:
        step.title = f"Statement {story.number}"


def _decision(step: Step, story: _Story) -> None:
    story.decision = step.data
    masked = bool(step.data.get("masked_outputs") or step.data.get("protections"))
    effect = str(step.data.get("effect", ""))
    sign = words.sign(words.DECISIONS, "masked" if masked and effect == "allow" else effect)
    _wear(step, sign)
    step.title = f"Decision: {sign.word[0].lower()}{sign.word[1:]}"
    facts = step.data.get("facts") or {}
    step.shown = {
        "masked": masked,
        "reasons": _dicts(step.data.get("reasons")),
        "reads": list(facts.get("reads", [])),
        "writes": list(facts.get("writes", [])),
        "flags": list(facts.get("flags", [])),
        "functions": list(facts.get("functions", [])),
        "lineage": lineage(step.data),
        "outputs": outputs(step.data),
    }


def lineage(decision: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Columns with all their uses and the mask that each wears; protected ones first."""
    masks = {p["column"]: p["strategy"] for p in decision.get("protections", [])}
    found: dict[str, dict[str, Any]] = {}
    for use in (decision.get("facts") or {}).get("columns", []):
        entry = found.setdefault(
            use["column"],
            {"column": use["column"], "uses": [], "strategy": masks.get(use["column"], "")},
        )
        word = f"{use['use']} of {use['function']}" if use.get("function") else use["use"]
        if word not in entry["uses"]:
            entry["uses"].append(word)
    return sorted(found.values(), key=lambda entry: (not entry["strategy"], entry["column"]))


def outputs(decision: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The result's columns, where each comes from, and the masks on the way."""
    masks = {p["column"]: p["strategy"] for p in decision.get("protections", [])}
    masked = set(decision.get("masked_outputs", []))
    return [
        {
            "name": output.get("name", ""),
            "sources": output.get("sources", []),
            "strategy": ", ".join(
                dict.fromkeys(masks[s] for s in output.get("sources", []) if s in masks)
            )
            or (_STRATEGY_UNKNOWN if at in masked else ""),
        }
        for at, output in enumerate((decision.get("facts") or {}).get("outputs", []))
    ]


def _approval_requested(step: Step, story: _Story) -> None:
    story.request = step.data
    reviewers = step.data.get("reviewers") or []
    until = moment(step.data.get("expires_at"))
    step.shown = {
        "who": f"a reviewer of {', '.join(reviewers)}" if reviewers else "any reviewer",
        "reasons": _dicts(step.data.get("reasons")),
        "within": words.duration(until - step.at) if until else "",
    }


def _vote(step: Step, story: _Story) -> None:
    approved = step.data.get("choice") == "approve"
    _wear(step, words.sign(words.STATES, "approved" if approved else "rejected"))
    by = step.data.get("reviewer") or step.actor.get("name", "A reviewer")
    step.title = f"{by} {'approves' if approved else 'rejects'}"
    vote = {
        "by": by,
        "verdict": step.data.get("choice"),
        "reason": step.data.get("reason", ""),
        "at": step.at,
    }
    story.votes.append(vote)
    minutes = step.data.get("grant_minutes")
    step.shown = {
        "vote": vote,
        "grant": words.duration(timedelta(minutes=int(minutes))) if minutes else "",
    }


def _approval_decided(step: Step, story: _Story) -> None:
    sign = words.sign(words.STATES, step.data.get("state"))
    _wear(step, sign)
    step.title = f"Approval {sign.word.lower()}"
    step.shown = {
        "votes": list(story.votes),
        "needed": story.request.get("votes_needed"),
        "approvals": sum(vote["verdict"] == "approve" for vote in story.votes),
    }


def _intent(step: Step, story: _Story) -> None:
    step.shown = {"given": story.given, "sent": str(step.data.get("sql_sent", ""))}


def _outcome(step: Step, story: _Story) -> None:
    sign = words.sign(words.STATES, step.data.get("state"))
    _wear(step, sign)
    masks = {at: entry["strategy"] for at, entry in enumerate(outputs(story.decision))}
    detected = {
        found.get("column"): found.get("detector", _STRATEGY_UNKNOWN)
        for found in _dicts(step.data.get("findings"))
        if found.get("masked")
    }
    columns = [
        {
            "name": column.get("name", ""),
            "type": column.get("type", ""),
            "mask": masks.get(at) or detected.get(column.get("name")) or _STRATEGY_UNKNOWN
            if column.get("masked")
            else "",
        }
        for at, column in enumerate(_dicts(step.data.get("columns")))
    ]
    result = next((p for p in step.payloads if p.get("name") == "result"), None)
    step.title = "Result" if step.data.get("state") == "succeeded" else sign.word
    step.shown = {
        "sign": sign,
        "columns": columns,
        "masked": sum(bool(column["mask"]) for column in columns),
        "payload": result,
        "duration": words.duration(_number(step.data.get("duration_ms"))),
        "rows": _number(step.data.get("row_count")),
        "findings": [f for f in _dicts(step.data.get("findings")) if _number(f.get("count"))],
    }


def _reconciled(step: Step, _story: _Story) -> None:
    state = step.data.get("state")
    sign = words.sign(words.STATES, state)
    _wear(step, sign)
    if state == "unknown":
        step.title = "The answer was lost"
    step.shown = {"sign": sign}


_BY_KIND: dict[str, Callable[[Step, _Story], None]] = {
    K.MESSAGE: _message,
    K.STATEMENT: _statement,
    K.DECISION: _decision,
    K.APPROVAL_REQUESTED: _approval_requested,
    K.VOTE: _vote,
    K.APPROVAL_DECIDED: _approval_decided,
    K.INTENT: _intent,
    K.OUTCOME: _outcome,
    K.RECONCILED: _reconciled,
}


def moment(text: Any) -> datetime | None:
    """A moment that an event keeps as text."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _number(value: Any) -> int | None:
    try:
        return None if value is None else round(float(value))
    except (OverflowError, TypeError, ValueError):
        return None


def _dicts(value: Any) -> list[dict[str, Any]]:
    """The mappings of a list. Whoever owns the database may have left anything there."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
