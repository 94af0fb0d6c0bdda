"""The recorder: the only code that writes sessions, events, payloads and the audit trail.

What cannot be recorded must not happen, so every verb raises rather than lose something.
"""

from recordings.services.bodies import (
    discard_payload,
    open_payload,
    read_payload,
    save_payloads,
    sealed_payload,
    store_payload,
)
from recordings.services.drafts import Draft, draft
from recordings.services.sessions import (
    SYSTEM,
    Entry,
    add_message,
    append,
    append_all,
    append_many,
    body_of,
    close_session,
    open_session,
    open_statements,
    opening_facts,
    seal,
)
from recordings.services.sinks import (
    create_sink,
    delete_sink,
    described,
    switch_sink,
    try_sink,
)
from recordings.services.trail import audit, audit_body_of

__all__ = [
    "SYSTEM",
    "Draft",
    "Entry",
    "add_message",
    "append",
    "append_all",
    "append_many",
    "audit",
    "audit_body_of",
    "body_of",
    "close_session",
    "create_sink",
    "delete_sink",
    "described",
    "discard_payload",
    "draft",
    "open_payload",
    "open_session",
    "open_statements",
    "opening_facts",
    "read_payload",
    "save_payloads",
    "seal",
    "sealed_payload",
    "store_payload",
    "switch_sink",
    "try_sink",
]
