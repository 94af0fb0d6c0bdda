"""What a driver tells of the agent's task: the query tag, and the trace that it belongs to."""

import json
import re
from typing import Any

from gateway.requests import PROMPT_LENGTH

_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def prompt_of(tag: Any) -> str:
    """The prompt in a query tag: ``{"prompt": …}``, or the text itself where it is no JSON."""
    text = str(tag or "").strip()
    if not text:
        return ""
    try:
        found = json.loads(text)
    except ValueError:
        return text[:PROMPT_LENGTH]
    if isinstance(found, dict):
        prompt = found.get("prompt")
        text = prompt if isinstance(prompt, str) else ""
    return text.strip()[:PROMPT_LENGTH]


def trace_of(header: str | None) -> str:
    """A W3C ``traceparent``, or nothing where it is none."""
    return header if header is not None and _TRACE.fullmatch(header) else ""
