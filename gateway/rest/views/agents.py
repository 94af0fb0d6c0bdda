"""Agents' tokens, for those who answer for the agents and for admins: never for the agents."""

from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import services
from accounts.addresses import address_of
from accounts.models import Agent, AgentToken
from accounts.services.tokens import IssuedToken
from connections.models import Connection
from gateway.rest.door import Door, Scopes
from gateway.rest.paging import PageQuery
from gateway.rest.serializers.agents import TokenIn, TokenIssued, TokenOut, TokenRotation
from hoopweb.lib.errors import InvalidRequest


class _Tokens(Door):
    """Whoever sees an agent sees what opens it; what they may do with that, services say."""

    def agent(self, agent_id: UUID) -> Agent:
        seen = Agent.objects.visible_to(self.person).select_related("owner")
        found: Agent = self.one(seen, agent_id, "agent")
        return found

    def token(self, agent_id: UUID, token_id: UUID) -> AgentToken:
        rows = AgentToken.objects.filter(agent=self.agent(agent_id)).select_related("agent__owner")
        found: AgentToken = self.one(rows, token_id, "token")
        return found

    @property
    def acting(self) -> dict[str, Any]:
        return {"by": self.person, "address": address_of(self.request)}

    def issued(self, made: IssuedToken) -> Response:
        told = {"token": made.token, "text": made.text}
        return Response(
            TokenIssued(told).data,
            status=201,
            headers={
                "Location": self.address("agent-tokens", agent_id=made.token.agent_id),
                "Cache-Control": "no-store",
            },
        )


class AgentTokens(_Tokens):
    """An agent's tokens, ended ones too."""

    scopes: ClassVar[Scopes] = {"GET": None, "POST": None}
    ordering = ("-created_at", "-id")
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (409,)}

    @extend_schema(
        operation_id="list_tokens",
        summary="List an agent's tokens",
        description="Newest first, expired and revoked ones included. Their texts are not known.",
        parameters=[PageQuery],
        responses=TokenOut(many=True),
    )
    def get(self, _request: Request, agent_id: UUID) -> Response:
        agent = self.agent(agent_id)
        return self.page(agent.tokens.all(), TokenOut, self.query(PageQuery))

    @extend_schema(
        operation_id="issue_token",
        summary="Issue a token",
        description="The agent's owner only. The text stands in this answer and nowhere else.",
        request=TokenIn,
        responses={201: TokenIssued},
    )
    def post(self, _request: Request, agent_id: UUID) -> Response:
        agent = self.agent(agent_id)
        asked = self.body(TokenIn)
        wanted = set(asked.get("connections", ()))
        usable = Connection.objects.usable_by(agent.as_principal()).filter(pk__in=wanted)
        if missing := wanted - set(usable.values_list("pk", flat=True)):
            raise InvalidRequest(
                f"{agent} may use no connection {min(map(str, missing))}.", field="connections"
            )
        return self.issued(services.issue_token(agent=agent, **asked, **self.acting))


class AgentTokenRotate(_Tokens):
    """A token's successor."""

    scopes: ClassVar[Scopes] = {"POST": None}
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (409,)}

    @extend_schema(
        operation_id="rotate_token",
        summary="Replace a token by a new one",
        description="The agent's owner only. The new one has the same bounds and life; the old "
        "one ends after `overlap_hours`. 409 when it has ended already.",
        request=TokenRotation,
        responses={201: TokenIssued},
    )
    def post(self, _request: Request, agent_id: UUID, token_id: UUID) -> Response:
        token = self.token(agent_id, token_id)
        overlap = timedelta(hours=self.body(TokenRotation)["overlap_hours"])
        return self.issued(services.rotate_token(token=token, overlap=overlap, **self.acting))


class AgentTokenRevoke(_Tokens):
    """The end of a token."""

    scopes: ClassVar[Scopes] = {"POST": None}

    @extend_schema(
        operation_id="revoke_token",
        summary="Revoke a token",
        description="The agent's owner, or an admin. Idempotent. What it sent and has not run "
        "does not run.",
        request=None,
        responses=TokenOut,
    )
    def post(self, _request: Request, agent_id: UUID, token_id: UUID) -> Response:
        token = self.token(agent_id, token_id)
        return Response(TokenOut(services.revoke_token(token=token, **self.acting)).data)
