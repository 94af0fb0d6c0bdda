"""What is special about each kind of event: its title, its sign, and what its template shows."""

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from hoopweb.templatetags import words
from recordings.kinds import EventKind
from recordings.replay.step import Step, Story

K = EventKind
_STRATEGY_UNKNOWN = "masked"
_CARRIES = {"UPLOAD": "Let the driver upload", "DOWNLOAD": "Let the driver download"}
_MOST_FILES = 50

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
    K.RESULT_PART: ("Part of the result", "neutral", "square-3-stack-3d"),
    K.TRANSFER: ("Files in the stage", "neutral", "folder"),
    K.CANCELLED: ("Cancelled", "neutral", "stop-circle"),
    K.RECONCILED: ("Snowflake was asked", "neutral", "magnifying-glass-circle"),
    K.SESSION_CLOSED: ("Session closed and sealed", "neutral", "lock-closed"),
}


def dress(step: Step, story: Story) -> None:
    """Give a step its title, sign and template. A kind nobody knows keeps its data in view."""
    if step.kind in _PLAIN:
        step.title, step.tone, step.icon = _PLAIN[step.kind]
    if step.kind not in set(EventKind):
        undress(step, step.data)
        return
    step.body = f"recordings/steps/{step.kind.replace('-', '_')}.html"
    if special := _BY_KIND.get(step.kind):
        special(step, story)


def undress(step: Step, data: Any) -> None:
    """Show an event as it stands in the database."""
    step.body = "recordings/steps/other.html"
    step.shown = {"raw": json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True)}


def _wear(step: Step, sign: words.Sign) -> None:
    step.tone, step.icon = sign.tone, sign.icon


def _message(step: Step, _story: Story) -> None:
    step.title, step.icon = _SPEAKERS.get(str(step.data.get("role")), _SPEAKERS["assistant"])


def _statement(step: Step, story: Story) -> None:
    story.given = str(step.data.get("sql", ""))
    step.shown = {"given": story.given}
    if story.number:
        step.title = f"Statement {story.number}"


def _decision(step: Step, story: Story) -> None:
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


def _approval_requested(step: Step, story: Story) -> None:
    story.request = step.data
    reviewers = step.data.get("reviewers") or []
    until = moment(step.data.get("expires_at"))
    step.shown = {
        "who": f"a reviewer of {', '.join(reviewers)}" if reviewers else "any reviewer",
        "reasons": _dicts(step.data.get("reasons")),
        "within": words.duration(until - step.at) if until else "",
    }


def _vote(step: Step, story: Story) -> None:
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


def _approval_decided(step: Step, story: Story) -> None:
    sign = words.sign(words.STATES, step.data.get("state"))
    _wear(step, sign)
    step.title = f"Approval {sign.word.lower()}"
    step.shown = {
        "votes": list(story.votes),
        "needed": story.request.get("votes_needed"),
        "approvals": sum(vote["verdict"] == "approve" for vote in story.votes),
    }


def _intent(step: Step, story: Story) -> None:
    step.shown = {"given": story.given, "sent": str(step.data.get("sql_sent", ""))}


def _result_part(step: Step, _story: Story) -> None:
    step.shown = {
        "number": (_number(step.data.get("part")) or 0) + 2,  # the first came with the outcome
        "rows": _number(step.data.get("rows")) or 0,
        "findings": [f for f in _dicts(step.data.get("findings")) if _number(f.get("count"))],
    }


def _outcome(step: Step, story: Story) -> None:
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
    result = next((p for p in step.payloads if p.get("name") == "result" and _is_id(p)), None)
    step.title = "Result" if step.data.get("state") == "succeeded" else sign.word
    transfer = _mapping(step.data.get("transfer"))
    if transfer:
        step.title = _CARRIES.get(str(transfer.get("command")), step.title)
    step.shown = {
        "sign": sign,
        "columns": columns,
        "masked": sum(bool(column["mask"]) for column in columns),
        "payload": {"id": result["id"], "size": _number(result.get("size")) or 0}
        if result
        else None,
        "duration": words.duration(_number(step.data.get("duration_ms"))),
        "rows": _number(step.data.get("row_count")),
        "findings": [f for f in _dicts(step.data.get("findings")) if _number(f.get("count"))],
        "transfer": _carried(transfer),
    }


def _carried(transfer: Mapping[str, Any]) -> dict[str, Any] | None:
    """Files that the driver was let carry, and the storage that it was sent to."""
    if not transfer:
        return None
    files, storage = _texts(transfer.get("files")), _mapping(transfer.get("storage"))
    return {
        "stage": f"@{transfer.get('stage', '')}{transfer.get('path', '')}",
        "up": transfer.get("command") == "UPLOAD",
        "files": files[:_MOST_FILES],
        "more": max(0, (_number(transfer.get("count")) or 0) - len(files[:_MOST_FILES])),
        "storage": {
            name.replace("_", " "): value
            for name, value in storage.items()
            if isinstance(value, str) and value
        },
    }


def _transfer(step: Step, _story: Story) -> None:
    files = _dicts(step.data.get("files"))
    step.shown = {
        "listed": bool(step.data.get("listed")),
        "files": [
            {
                "name": str(each.get("name", "")),
                "size": _number(each.get("size")) or 0,
                "new": bool(each.get("new")),
                "md5": str(each.get("md5", "")),
            }
            for each in files[:_MOST_FILES]
        ],
        "count": _number(step.data.get("count")) or 0,
        "more": max(0, (_number(step.data.get("count")) or 0) - len(files[:_MOST_FILES])),
        "size": _number(step.data.get("size")) or 0,
    }


def _reconciled(step: Step, _story: Story) -> None:
    state = step.data.get("state")
    sign = words.sign(words.STATES, state)
    _wear(step, sign)
    if state == "unknown":
        step.title = "The answer was lost"
    step.shown = {"sign": sign}


_BY_KIND: dict[str, Callable[[Step, Story], None]] = {
    K.MESSAGE: _message,
    K.STATEMENT: _statement,
    K.DECISION: _decision,
    K.APPROVAL_REQUESTED: _approval_requested,
    K.VOTE: _vote,
    K.APPROVAL_DECIDED: _approval_decided,
    K.INTENT: _intent,
    K.OUTCOME: _outcome,
    K.RESULT_PART: _result_part,
    K.TRANSFER: _transfer,
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


def _is_id(payload: Mapping[str, Any]) -> bool:
    try:
        uuid.UUID(str(payload.get("id")))
    except ValueError:
        return False
    return True


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    """The mappings of a list. Whoever owns the database may have left anything there."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
