"""Requests for approval: read by those concerned, decided by people."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.principal import TokenScope
from approvals import services
from approvals.models import ApprovalRequest, Grant
from gateway.rest.door import Door, Scopes
from gateway.rest.serializers.approvals import (
    ApprovalOut,
    ApprovalQuery,
    GrantOut,
    GrantQuery,
    VoteIn,
)


def _requests(viewer: Any) -> Any:
    return (
        ApprovalRequest.objects.visible_to(viewer)
        .select_related("connection")
        .prefetch_related("votes__reviewer")
    )


class Approvals(Door):
    """What was asked."""

    scopes: ClassVar[Scopes] = {"GET": TokenScope.READ}
    ordering = ("-created_at", "-id")

    @extend_schema(
        operation_id="list_approvals",
        summary="List requests for approval",
        parameters=[ApprovalQuery],
        responses=ApprovalOut(many=True),
    )
    def get(self, _request: Request) -> Response:
        asked = self.query(ApprovalQuery)
        rows = _requests(self.viewer)
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        if "connection" in asked:
            rows = rows.filter(connection_id=asked["connection"])
        return self.page(rows, ApprovalOut, asked)


class ApprovalDetail(Door):
    """One request."""

    scopes: ClassVar[Scopes] = {"GET": TokenScope.READ}

    @extend_schema(
        operation_id="get_approval", summary="Get a request for approval", responses=ApprovalOut
    )
    def get(self, _request: Request, approval_id: UUID) -> Response:
        return Response(ApprovalOut(self.one(_requests(self.viewer), approval_id, "request")).data)


class ApprovalVotes(Door):
    """Answers to a request."""

    scopes: ClassVar[Scopes] = {"POST": None}
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (409,)}

    @extend_schema(
        operation_id="vote",
        summary="Approve or reject",
        description="People only: an agent never approves, and nobody decides on their own "
        "request or on one of their own agent. `digest` is the request's, as you read it.",
        request=VoteIn,
        responses={201: ApprovalOut},
    )
    def post(self, _request: Request, approval_id: UUID) -> Response:
        found = self.one(_requests(self.viewer), approval_id, "request")
        person = self.person
        asked = self.body(VoteIn)
        services.vote(
            request_id=found.pk,
            by=person,
            choice=asked["choice"],
            reason=asked.get("reason", ""),
            digest=asked["digest"],
            grant_minutes=asked.get("grant_minutes"),
            address=self.principal.address,
        )
        decided = _requests(person).get(pk=found.pk)
        return Response(
            ApprovalOut(decided).data,
            status=201,
            headers={"Location": self.address("approval", approval_id=decided.pk)},
        )


class ApprovalRevoke(Door):
    """Taking an approval back."""

    scopes: ClassVar[Scopes] = {"POST": None}
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (409,)}

    @extend_schema(
        operation_id="revoke_approval",
        summary="Revoke an approval before the statement has started",
        request=None,
        responses=ApprovalOut,
    )
    def post(self, _request: Request, approval_id: UUID) -> Response:
        found = self.one(_requests(self.viewer), approval_id, "request")
        services.revoke(request_id=found.pk, by=self.person, address=self.principal.address)
        return Response(ApprovalOut(_requests(self.viewer).get(pk=found.pk)).data)


class Grants(Door):
    """Standing permissions."""

    scopes: ClassVar[Scopes] = {"GET": TokenScope.READ}
    ordering = ("-created_at", "-id")

    @extend_schema(
        operation_id="list_grants",
        summary="List grants",
        parameters=[GrantQuery],
        responses=GrantOut(many=True),
    )
    def get(self, _request: Request) -> Response:
        asked = self.query(GrantQuery)
        rows = Grant.objects.visible_to(self.viewer).select_related("connection", "granted_by")
        if "live" in asked:
            live = Grant.objects.live()
            rows = rows.filter(pk__in=live) if asked["live"] else rows.exclude(pk__in=live)
        return self.page(rows, GrantOut, asked)


class GrantRevoke(Door):
    """The end of a standing permission."""

    scopes: ClassVar[Scopes] = {"POST": None}

    @extend_schema(
        operation_id="revoke_grant",
        summary="Revoke a grant",
        description="Idempotent. Reviewers of the connection only.",
        request=None,
        responses=GrantOut,
    )
    def post(self, _request: Request, grant_id: UUID) -> Response:
        found = self.one(Grant.objects.visible_to(self.viewer), grant_id, "grant")
        grant = services.revoke_grant(
            grant_id=found.pk, by=self.person, address=self.principal.address
        )
        return Response(GrantOut(grant).data)
