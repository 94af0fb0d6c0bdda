"""Requests for approval, votes and grants."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from approvals.models import ApprovalRequest, Grant, Vote
from approvals.services import MAX_GRANT_MINUTES, REASON_LENGTH
from approvals.states import RequestState
from gateway.rest.fields import Id, OneOf, Strict, Text, Whole
from gateway.rest.paging import PageQuery
from gateway.rest.serializers.common import (
    ConnectionRef,
    Out,
    PrincipalOut,
    ProtectionUse,
    ReasonOut,
)
from gateway.rest.serializers.statements import console_url


class ApprovalQuery(PageQuery):
    """Filters of the list."""

    state = OneOf(choices=[s.value for s in RequestState], required=False)
    connection = Id(required=False)


class VoteOut(Out):
    """One reviewer's answer."""

    reviewer = serializers.CharField()
    choice = OneOf(choices=Vote.Choice.values)
    reason = serializers.CharField()
    at = serializers.DateTimeField()


class ApprovalOut(Out):
    """The ask: may exactly this statement run?"""

    id = serializers.UUIDField()
    state = OneOf(choices=[s.value for s in RequestState])
    statement = serializers.UUIDField(source="statement_id")
    session = serializers.UUIDField(source="session_id")
    connection = ConnectionRef(source="*")
    principal = PrincipalOut(source="*")
    digest = serializers.CharField(help_text="A vote names it: it covers exactly this statement.")
    prompt = serializers.CharField()
    sql = serializers.CharField(source="sql_given")
    sql_sent = serializers.CharField()
    statement_class = serializers.CharField()
    reasons = ReasonOut(many=True)
    protections = ProtectionUse(many=True)
    reviewers = serializers.ListField(
        child=serializers.CharField(), help_text="Teams that may decide; empty: any reviewer."
    )
    votes_needed = serializers.IntegerField()
    votes = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    used_at = serializers.DateTimeField(allow_null=True)
    console_url = serializers.SerializerMethodField()

    @extend_schema_field(VoteOut(many=True))
    def get_votes(self, row: ApprovalRequest) -> Any:
        return VoteOut(row.votes.all(), many=True).data

    def get_console_url(self, row: ApprovalRequest) -> str:
        return console_url("approvals:detail", row.pk, f"/approvals/{row.pk}/")


class VoteIn(Strict):
    """Your answer to exactly the statement that `digest` names."""

    choice = OneOf(choices=Vote.Choice.values)
    digest = Text(max_length=64)
    reason = Text(
        required=False,
        allow_blank=True,
        max_length=REASON_LENGTH,
        help_text="Needed to reject: the agent reads it.",
    )
    grant_minutes = Whole(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=MAX_GRANT_MINUTES,
        help_text="Also let the same statement of the same agent run again for so long.",
    )


class GrantQuery(PageQuery):
    """Filters of the list."""

    live = serializers.BooleanField(required=False, help_text="Only those that still hold.")


class GrantOut(Out):
    """A standing permission for one principal to run one statement again."""

    id = serializers.UUIDField()
    connection = ConnectionRef(source="*")
    principal_id = serializers.UUIDField()
    principal_name = serializers.CharField()
    digest = serializers.CharField()
    sql_sent = serializers.CharField()
    granted_by = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    use_count = serializers.IntegerField()
    last_used_at = serializers.DateTimeField(allow_null=True)

    def get_granted_by(self, row: Grant) -> str:
        return str(row.granted_by)
