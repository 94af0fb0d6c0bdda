"""Cursor paging for page lists: newest first, stable while rows arrive."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.http import QueryDict

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Page(Generic[M]):
    """One page of rows with the queries of its neighbours ("" where there is none)."""

    rows: list[M]
    older: str
    newer: str


def _encode(row: Any, field: str, direction: str) -> str:
    text = f"{direction}|{getattr(row, field).isoformat()}|{row.pk}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[str, datetime, UUID] | None:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        direction, at, pk = text.split("|")
        return direction, datetime.fromisoformat(at), UUID(pk)
    except (binascii.Error, ValueError):
        return None


def page(rows: QuerySet[M], query: QueryDict, *, by: str, size: int = 50) -> Page[M]:
    """The page that ``query``'s ``cursor`` names, ordered by ``by`` and id, newest first.

    A cursor that makes no sense shows the first page: an old bookmark is no error.
    """
    place = _decode(query.get("cursor", ""))
    backwards = place is not None and place[0] == "newer"
    if place is not None:
        _, at, pk = place
        side = "gt" if backwards else "lt"
        rows = rows.filter(Q(**{f"{by}__{side}": at}) | Q(**{by: at, f"pk__{side}": pk}))
    order = (by, "pk") if backwards else (f"-{by}", "-pk")
    found = list(rows.order_by(*order)[: size + 1])
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    has_older, has_newer = (True, more) if backwards else (more, place is not None)

    def link(row: M, direction: str) -> str:
        params = query.copy()
        params["cursor"] = _encode(row, by, direction)
        return "?" + params.urlencode()

    return Page(
        found,
        link(found[-1], "older") if found and has_older else "",
        link(found[0], "newer") if found and has_newer else "",
    )
