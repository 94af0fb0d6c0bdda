"""Sending statements, following them, fetching their rows."""

from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.principal import TokenScope
from gateway import pipeline, services, waiting
from gateway.models import Statement
from gateway.requests import StatementRequest
from gateway.rest.door import Door, Scopes
from gateway.rest.result_formats import (
    ARROW,
    ArrowRenderer,
    CSVRenderer,
    as_arrow,
    as_csv,
    masked_header,
    rows_of,
)
from gateway.rest.results import read
from gateway.rest.serializers.statements import (
    ResultOut,
    ResultQuery,
    StatementIn,
    StatementOut,
    StatementQuery,
    WaitQuery,
)
from gateway.rest.throttling import PerPrincipal, StatementsPerPrincipal
from gateway.states import StatementState
from recordings.services import audit

JSON_ROWS = 1000
_CLIENT = 200
_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Your own id for this statement, kept over retries: a repeated one joins the "
    "statement that it named first. Without it each request is a new statement.",
    required=False,
)


def _statements(viewer: Any) -> Any:
    return Statement.objects.visible_to(viewer).select_related("connection", "approval")


class Statements(Door):
    """Send one, or list those you may see."""

    scopes: ClassVar[Scopes] = {"GET": TokenScope.READ, "POST": TokenScope.RUN}
    ordering = ("-received_at", "-id")
    throttle_classes = [PerPrincipal, StatementsPerPrincipal]
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (404, 409, 422)}

    @extend_schema(
        operation_id="list_statements",
        summary="List statements",
        parameters=[StatementQuery],
        responses=StatementOut(many=True),
    )
    def get(self, _request: Request) -> Response:
        asked = self.query(StatementQuery)
        rows = _statements(self.viewer)
        for name, field in (("connection", "connection_id"), ("session", "session_id")):
            if name in asked:
                rows = rows.filter(**{field: asked[name]})
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        return self.page(rows, StatementOut, asked)

    @extend_schema(
        operation_id="send_statement",
        summary="Send a statement",
        description=(
            "Judges the statement, records it, and runs it when the policy allows. The answer is "
            "201 when it is finished within `wait` seconds and 202 otherwise; follow `Location` "
            "after `Retry-After` seconds, or with `?wait=`.\n\nA denied statement is finished: "
            "201 with `state` `denied`, and `decision.reasons` say which rule, why, and what "
            "would be allowed. A statement held for review is 202 with `state` "
            "`awaiting_approval`; `approval.console_url` is where people decide."
        ),
        parameters=[_KEY],
        request=StatementIn,
        responses={
            201: OpenApiResponse(StatementOut, description="Finished, well or not."),
            202: OpenApiResponse(StatementOut, description="Taken in, and not finished yet."),
        },
    )
    def post(self, request: Request) -> Response:
        asked = self.body(StatementIn)
        key = self.request_id()
        connection = self.connection_named(asked["connection"])
        statement = pipeline.submit(
            StatementRequest(
                connection_id=connection.pk,
                sql=asked["sql"],
                binds=tuple(asked.get("binds", ())),
                prompt=asked.get("prompt", ""),
                reason=asked.get("reason", ""),
                request_id=key,
                session_id=asked.get("session"),
                door="rest",
                client=request.headers.get("User-Agent", "")[:_CLIENT],
                address=self.principal.address,
            ),
            principal=self.principal,
        )
        statement = waiting.wait_until_settled(
            statement.pk, asked["wait"], still=self.need_standing
        )
        answer = _shown(statement, status=201 if statement.is_final else 202)
        answer["Location"] = self.address("statement", statement_id=statement.pk)
        return answer


class StatementDetail(Door):
    """One statement as it stands."""

    scopes: ClassVar[Scopes] = {"GET": TokenScope.READ}

    @extend_schema(
        operation_id="get_statement",
        summary="Get a statement",
        parameters=[WaitQuery],
        responses=StatementOut,
    )
    def get(self, _request: Request, statement_id: UUID) -> Response:
        wait = self.query(WaitQuery)["wait"]
        statement = self.one(_statements(self.viewer), statement_id, "statement")
        if wait and not statement.is_final:
            statement = waiting.wait_until_settled(statement.pk, wait, still=self.need_standing)
        return _shown(statement)


class StatementCancel(Door):
    """Stop a statement wherever it is."""

    scopes: ClassVar[Scopes] = {"POST": TokenScope.RUN}
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (409,)}

    @extend_schema(
        operation_id="cancel_statement",
        summary="Cancel a statement",
        description="Withdrawn while it waits, stopped while it runs. A finished one is answered "
        "as it is. Only the one who sent it and the agent's owner may.",
        request=None,
        responses={
            200: OpenApiResponse(StatementOut, description="Finished."),
            202: OpenApiResponse(StatementOut, description="Asked to stop; follow it."),
        },
    )
    def post(self, _request: Request, statement_id: UUID) -> Response:
        found = self.one(_statements(self.viewer), statement_id, "statement")
        services.cancel(statement_id=found.pk, by=self.principal)
        statement = _statements(self.viewer).get(pk=found.pk)
        return _shown(statement, status=200 if statement.is_final else 202)


class StatementResult(Door):
    """The rows, masked, in one of three formats."""

    scopes: ClassVar[Scopes] = {"GET": TokenScope.READ}
    renderer_classes = [JSONRenderer, CSVRenderer, ArrowRenderer]
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"GET": (409,)}

    @extend_schema(
        operation_id="get_result",
        summary="Get the rows of a statement",
        description=(
            "By `Accept` or `?format=`: `json` (1,000 rows a page unless `limit` says otherwise), "
            "`csv` or `arrow` (all rows unless `limit` says otherwise). `Link` and `next` lead to "
            "the next page. Masked columns are marked: `columns[].masked` in JSON, the header "
            "`Hoopweb-Masked-Columns` everywhere, field metadata in Arrow.\n\n409 while the "
            "statement is unfinished (`result-not-ready`), and when it has no rows because it was "
            "denied (`statement-denied`), failed (`upstream-failed`) or was stopped (`conflict`)."
        ),
        parameters=[
            ResultQuery,
            OpenApiParameter(
                "format", OpenApiTypes.STR, enum=["json", "csv", "arrow"], required=False
            ),
        ],
        responses={
            (200, "application/json"): ResultOut,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, ARROW): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, statement_id: UUID) -> Response | HttpResponse:
        asked = self.query(ResultQuery)
        statement = self.one(
            _statements(self.viewer).select_related("result"), statement_id, "statement"
        )
        table = read(statement)
        self._note_reading(statement)
        form = request.accepted_renderer.format
        offset = asked["offset"]
        limit = asked.get("limit") or (JSON_ROWS if form == "json" else table.num_rows)
        part = table.slice(offset, limit)
        following = None
        if offset + limit < table.num_rows:
            query = urlencode({"format": form, "offset": offset + limit, "limit": limit})
            following = f"{request.build_absolute_uri(request.path)}?{query}"
        columns = statement.columns
        answer: Response | HttpResponse
        if form == "csv":
            answer = HttpResponse(as_csv(part), content_type="text/csv; charset=utf-8")
        elif form == "arrow":
            answer = HttpResponse(as_arrow(part, columns), content_type=ARROW)
        else:
            answer = Response(
                {
                    "columns": columns,
                    "rows": rows_of(part),
                    "row_count": table.num_rows,
                    "offset": offset,
                    "truncated": statement.truncated,
                    "next": following,
                }
            )
        answer["Hoopweb-Masked-Columns"] = masked_header(columns)
        answer["Hoopweb-Row-Count"] = str(table.num_rows)
        if following:
            answer["Link"] = f'<{following}>; rel="next"'
        return answer

    def _note_reading(self, statement: Statement) -> None:
        """Rows that someone else sent for: reading them leaves a trace."""
        if self.principal.id == statement.principal_id:
            return
        audit(
            actor=self.principal.as_actor(),
            action="result-viewed",
            kind="statement",
            object_id=str(statement.pk),
            object_name=str(statement),
            address=self.principal.address,
        )


def _shown(statement: Statement, status: int = 200) -> Response:
    answer = Response(StatementOut(statement).data, status=status)
    if not statement.is_final:
        waits = statement.state == StatementState.AWAITING_APPROVAL
        answer["Retry-After"] = "5" if waits else "1"
    return answer
