"""Cursor pagination by key set: stable under inserts, no page numbers to guess."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.rest.fields import Query, QueryWhole

PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
_STALE = "This cursor was not made here. Start again without it."


class PageQuery(Query):
    """What every list takes."""

    cursor = serializers.CharField(
        required=False, help_text="Where to go on; from `next` of the page before."
    )
    page_size = QueryWhole(required=False, default=PAGE_SIZE, min_value=1, max_value=MAX_PAGE_SIZE)


class Cursor(BasePagination):
    """Pages of a query set, by the fields that ``ordering`` of the view names.

    The last field is unique; all run in the same direction. A cursor holds the values of the last
    row shown, so it survives inserts and deletions.
    """

    def page_of(
        self, rows: QuerySet[Any], request: Request, *, ordering: Sequence[str], asked: Any
    ) -> tuple[list[Any], str | None]:
        """One page and the address of the next."""
        rows = rows.order_by(*ordering)
        if asked.get("cursor"):
            rows = rows.filter(_beyond(ordering, _open(asked["cursor"], rows.model, ordering)))
        size = asked["page_size"]
        found = list(rows[: size + 1])
        if len(found) <= size:
            return found, None
        found = found[:size]
        return found, _address(request, _close(found[-1], ordering))

    @staticmethod
    def response(results: Any, following: str | None) -> Response:
        headers = {"Link": f'<{following}>; rel="next"'} if following else {}
        return Response({"results": results, "next": following}, headers=headers)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {
                "results": schema,
                "next": {
                    "type": ["string", "null"],
                    "description": "Address of the next page; null on the last one.",
                },
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:  # noqa: ARG002
        # The views name their query serializer, which has them.
        return []

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        raise NotImplementedError


def _beyond(ordering: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows after ``values``: (a, b) < (x, y), spelled so that an index serves it."""
    word = "lt" if ordering[0].startswith("-") else "gt"
    found, equal = Q(), Q()
    for name, value in zip(ordering, values, strict=True):
        field = name.lstrip("-")
        found |= equal & Q(**{f"{field}__{word}": value})
        equal &= Q(**{field: value})
    return found


def _close(row: Model, ordering: Sequence[str]) -> str:
    values = [getattr(row, name.lstrip("-")) for name in ordering]
    text = json.dumps(
        [v.isoformat() if isinstance(v, datetime) else v for v in values], default=str
    )
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _open(cursor: str, model: type[Model], ordering: Sequence[str]) -> list[Any]:
    """The values in a cursor, each of the type that its column has. Raises ValidationError."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        if not isinstance(values, list) or len(values) != len(ordering):
            raise ValidationError({"cursor": [_STALE]})
        return [
            _typed(value, _kind(model, name.lstrip("-")))
            for value, name in zip(values, ordering, strict=True)
        ]
    except (ValueError, binascii.Error, TypeError, RecursionError, OverflowError) as error:
        raise ValidationError({"cursor": [_STALE]}) from error


def _kind(model: type[Model], name: str) -> str:
    field: Any = model._meta.get_field(name)  # noqa: SLF001
    return str(getattr(field, "target_field", field).get_internal_type())


def _typed(value: Any, kind: str) -> Any:
    if kind == "DateTimeField":
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if kind == "UUIDField":
        return UUID(str(value))
    if kind in {"CharField", "SlugField", "TextField"}:
        if not isinstance(value, str) or "\0" in value:
            raise ValueError(kind)
        value.encode()
        return value
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise ValueError(kind)
    return value


def _address(request: Request, cursor: str) -> str:
    asked = {k: v for k, v in request.query_params.items() if k != "cursor"}
    return f"{request.build_absolute_uri(request.path)}?{urlencode({**asked, 'cursor': cursor})}"
