"""Statements and their results."""

import math
from typing import Any

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from approvals.states import RequestState
from connections.policy.types import Effect
from gateway.models import Statement
from gateway.requests import PROMPT_LENGTH
from gateway.rest.fields import Id, OneOf, Query, QuerySeconds, QueryWhole, Seconds, Strict, Text
from gateway.rest.paging import PageQuery
from gateway.rest.serializers.common import (
    ColumnOut,
    ConnectionRef,
    Out,
    PrincipalOut,
    ProtectionUse,
    ReasonOut,
)
from gateway.states import StatementState

MAX_WAIT = 60
MAX_BINDS = 1000
# Snowflake's NUMBER has 38 digits.
_MAX_INT = 10**38


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string"},
            {"type": "number"},
            {"type": "boolean"},
            {"type": "null"},
        ]
    }
)
class Bind(serializers.Field[Any, Any, Any, Any]):
    """One value for ``?``: a string, a number, true, false or null."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_null=True, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            return Text(allow_blank=True).run_validation(data)
        if isinstance(data, bool):
            return data
        if isinstance(data, int) and abs(data) < _MAX_INT:
            return data
        if isinstance(data, float) and math.isfinite(data):
            return data
        raise ValidationError(
            "A bound value is a string, a number of at most 38 digits, true, false or null."
        )

    def to_representation(self, value: Any) -> Any:
        return value


class StatementIn(Strict):
    """One statement to run."""

    connection = Text(max_length=60, help_text="Name or id of the connection.")
    sql = Text(help_text="One SQL statement. `?` stands for a bound value.")
    binds = serializers.ListField(
        child=Bind(),
        required=False,
        max_length=MAX_BINDS,
        help_text="Values for each `?`, in order.",
    )
    prompt = Text(
        required=False,
        allow_blank=True,
        max_length=PROMPT_LENGTH,
        help_text="What you were asked to do. Reviewers and auditors read it.",
    )
    reason = Text(
        required=False,
        allow_blank=True,
        max_length=PROMPT_LENGTH,
        help_text="Why this statement serves the prompt.",
    )
    session = Id(
        required=False,
        allow_null=True,
        help_text="An open session of yours; without it your latest one is continued.",
    )
    wait = Seconds(
        required=False,
        default=0.0,
        min_value=0,
        max_value=MAX_WAIT,
        help_text="Seconds to wait for the end before a 202 is answered.",
    )


class StatementQuery(PageQuery):
    """Filters of the list."""

    connection = Id(required=False)
    session = Id(required=False)
    state = OneOf(choices=[s.value for s in StatementState], required=False)


class WaitQuery(Query):
    """How long to wait for the end."""

    wait = QuerySeconds(required=False, default=0.0, min_value=0, max_value=MAX_WAIT)


class ResultQuery(Query):
    """Which rows."""

    offset = QueryWhole(required=False, default=0, min_value=0, max_value=2**31 - 1)
    limit = QueryWhole(required=False, min_value=1, max_value=100_000)


class DecisionOut(Out):
    """What policy said."""

    effect = OneOf(choices=[e.value for e in Effect])
    reasons = ReasonOut(many=True)
    protections = ProtectionUse(many=True)
    policy_revision = serializers.IntegerField()


class ApprovalRef(Out):
    """Where the request for approval stands."""

    id = serializers.UUIDField()
    state = OneOf(choices=[s.value for s in RequestState])
    votes_needed = serializers.IntegerField()
    expires_at = serializers.DateTimeField()
    console_url = serializers.SerializerMethodField(help_text="Where a reviewer decides.")
    reason = serializers.SerializerMethodField(help_text="What the reviewer who rejected it said.")

    def get_console_url(self, row: Any) -> str:
        return console_url("approvals:detail", row.pk, f"/approvals/{row.pk}/")

    def get_reason(self, row: Any) -> str:
        if row.state != RequestState.REJECTED:
            return ""
        said = row.votes.filter(choice="reject").values_list("reason", flat=True).first()
        return said or ""


class ErrorOut(Out):
    """Why it failed, as Snowflake said it, or why it was taken back."""

    code = serializers.CharField()
    text = serializers.CharField()


class StatementOut(Out):
    """One statement: what was asked, what was decided, what became of it."""

    id = serializers.UUIDField()
    state = OneOf(choices=[s.value for s in StatementState])
    finished = serializers.BooleanField(source="is_final", help_text="Nothing more will happen.")
    connection = ConnectionRef(source="*")
    session = serializers.UUIDField(source="session_id")
    principal = PrincipalOut(source="*")
    request_id = serializers.CharField(help_text="The `Idempotency-Key` it came with.")
    prompt = serializers.CharField()
    sql = serializers.CharField(source="sql_given", help_text="As it was given.")
    sql_sent = serializers.CharField(help_text="As it is sent: masks in place. Empty when denied.")
    statement_class = serializers.CharField()
    reads = serializers.SerializerMethodField()
    writes = serializers.SerializerMethodField()
    decision = serializers.SerializerMethodField()
    approval = serializers.SerializerMethodField()
    columns = ColumnOut(many=True)
    row_count = serializers.IntegerField(allow_null=True)
    truncated = serializers.BooleanField(help_text="The connection's limit cut rows off.")
    error = serializers.SerializerMethodField()
    received_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    upstream_query_id = serializers.CharField()
    result_url = serializers.SerializerMethodField()

    def get_reads(self, row: Statement) -> list[str]:
        return list(row.facts.get("reads", []))

    def get_writes(self, row: Statement) -> list[str]:
        return list(row.facts.get("writes", []))

    @extend_schema_field(DecisionOut(allow_null=True))
    def get_decision(self, row: Statement) -> Any:
        return DecisionOut(row).data if row.effect else None

    @extend_schema_field(ApprovalRef(allow_null=True))
    def get_approval(self, row: Statement) -> Any:
        return ApprovalRef(row.approval).data if row.approval_id else None

    @extend_schema_field(ErrorOut(allow_null=True))
    def get_error(self, row: Statement) -> Any:
        if not row.error_code and not row.error_text:
            return None
        return {"code": row.error_code, "text": row.error_text}

    def get_result_url(self, row: Statement) -> str | None:
        if row.result_id is None:
            return None
        return settings.SITE_URL + reverse("api:statement-result", kwargs={"statement_id": row.pk})


class ResultOut(Out):
    """Rows of a finished statement, in the order of the columns. Exact decimals, and integers
    beyond 2^53, are strings.
    """

    columns = ColumnOut(many=True)
    rows = serializers.ListField(child=serializers.ListField(child=serializers.JSONField()))
    row_count = serializers.IntegerField(help_text="Of the whole result.")
    offset = serializers.IntegerField()
    truncated = serializers.BooleanField(help_text="The connection's limit cut rows off.")
    next = serializers.URLField(allow_null=True)


def console_url(name: str, pk: object, otherwise: str) -> str:
    """The console's page of something, absolute: agents hand it to people."""
    try:
        path = reverse(name, args=[pk])
    except NoReverseMatch:
        path = otherwise
    return settings.SITE_URL + path
