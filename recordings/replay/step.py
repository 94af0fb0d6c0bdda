"""One step of a replay, as templates take it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from recordings.replay.rows import Rows


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
class Story:
    """What is known of one statement by the step that is being built."""

    number: int
    given: str = ""
    decision: Mapping[str, Any] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    votes: list[dict[str, Any]] = field(default_factory=list)
