"""What a sink is told of an audit entry or an event. Pure but for the rows it reads.

Nothing that people or agents wrote freely leaves: no statement, prompt, message or error text.
Whatever is not listed here stays inside; the replay that a record points to has the rest.
"""

from collections.abc import Callable, Mapping
from typing import Any

from recordings import chain
from recordings.kinds import EventKind as K
from recordings.models import AuditEntry, Event

SCHEMA = "hoopweb.record.v1"
Data = Mapping[str, Any]


def _only(*names: str) -> Callable[[Data], dict[str, Any]]:
    return lambda data: {name: data[name] for name in names if name in data}


def _decision(data: Data) -> dict[str, Any]:
    facts = data.get("facts") or {}
    return {
        **_only("effect", "statement_class", "digest", "policy_revision", "catalogue_version")(
            data
        ),
        "reasons": [_only("code", "rule")(each) for each in data.get("reasons", [])],
        "protections": [_only("column", "strategy")(each) for each in data.get("protections", [])],
        **_only("reads", "writes", "flags")(facts),
    }


def _outcome(data: Data) -> dict[str, Any]:
    return {
        **_only("state", "row_count", "truncated", "query_id", "duration_ms")(data),
        "masked_columns": sum(bool(each.get("masked")) for each in data.get("columns") or []),
        "findings": len(data.get("findings") or []),
    }


_DATA: dict[str, Callable[[Data], dict[str, Any]]] = {
    K.SESSION_OPENED: _only("on_behalf_of", "owner", "client", "address", "started_at"),
    K.PROMPT: _only(),
    K.MESSAGE: _only("role"),
    K.STATEMENT: _only("binds", "request_id", "prompt_given"),
    K.DECISION: _decision,
    K.APPROVAL_REQUESTED: _only("request_id", "reviewers", "votes_needed", "expires_at"),
    K.VOTE: _only("request_id", "choice", "reviewer", "grant_minutes"),
    K.APPROVAL_DECIDED: _only("request_id", "state"),
    K.QUEUED: _only("queue"),
    K.INTENT: _only("role", "upstream_request_id", "worker"),
    K.RESULT_PART: _only("number", "row_count"),
    K.OUTCOME: _outcome,
    K.CANCELLED: _only("by"),
    K.TRANSFER: _only("listed", "count", "size"),
    K.RECONCILED: _only("state", "how"),
    K.SESSION_CLOSED: _only("reason"),
}


def of_entry(entry: AuditEntry, *, site: str) -> dict[str, Any]:
    """An audit entry as a record."""
    # A session is named after its prompt, which is the agent's own text.
    name = "" if entry.object_kind in {"session", "statement", "grant"} else entry.object_name
    return {
        "schema": SCHEMA,
        "id": f"audit-{entry.number}",
        "stream": "audit",
        "number": entry.number,
        "at": chain.instant(entry.at),
        "action": entry.action,
        "actor": entry.actor,
        "address": entry.address,
        "object": {"kind": entry.object_kind, "id": entry.object_id, "name": name},
        "before": entry.before,
        "after": entry.after,
        "previous": entry.previous,
        "hash": entry.hash,
        "url": f"{site}/audit/?before={entry.number + 1}",
    }


def of_event(event: Event, *, site: str) -> dict[str, Any]:
    """An event of a session as a record; ``event.session`` is read already."""
    session = event.session
    keep = _DATA.get(event.kind, _only())
    return {
        "schema": SCHEMA,
        "id": f"event-{session.pk}-{event.number}",
        "stream": "events",
        "number": event.number,
        "at": chain.instant(event.at),
        "action": event.kind,
        "actor": event.actor,
        "address": str(session.address) if session.address else None,
        "session": str(session.pk),
        "connection": {"id": str(session.connection_id), "name": session.connection_name},
        "door": session.door,
        "statement": str(event.statement_id) if event.statement_id else None,
        "data": keep(event.data),
        "previous": event.previous,
        "hash": event.hash,
        "url": f"{site}/sessions/{session.pk}/#step-{event.number}",
    }


def of_test(*, name: str, at: str, actor: Mapping[str, Any]) -> dict[str, Any]:
    """A record that says only that records arrive."""
    return {
        "schema": SCHEMA,
        "id": f"test-{name}-{at}",
        "stream": "test",
        "number": 0,
        "at": at,
        "action": "sink-tested",
        "actor": dict(actor),
        "object": {"kind": "sink", "id": "", "name": name},
    }
