"""Where a request comes from."""

from typing import Any


def address_of(request: Any) -> str | None:
    """The caller's address as the server saw it."""
    return request.META.get("REMOTE_ADDR") or None
