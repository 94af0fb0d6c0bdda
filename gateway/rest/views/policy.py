"""Rules and protections: read by people, changed by admins of the connection, tried by anyone."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.addresses import address_of
from accounts.models import Agent, User
from accounts.principal import Principal, TokenScope
from connections import services
from connections.models import Connection, Protection, Rule
from gateway.rest.door import Door, Scopes
from gateway.rest.serializers.policy import (
    PolicyQuery,
    ProtectionChange,
    ProtectionIn,
    ProtectionOut,
    RevisionQuery,
    RuleChange,
    RuleIn,
    RuleMove,
    RuleOut,
    SimulateIn,
    SimulateOut,
)
from gateway.rest.simulation import simulate


class _Policy(Door):
    """People see the policy of the connections that they see; agents do not."""

    def rows(self, model: Any) -> Any:
        seen = Connection.objects.visible_to(self.person)
        return model.objects.filter(connection__in=seen).select_related("connection")

    def connection_seen(self, named: str) -> Connection:
        return self.named(Connection.objects.visible_to(self.person), named)

    @property
    def acting(self) -> dict[str, Any]:
        return {"by": self.person, "address": address_of(self.request)}

    def listed(self, model: Any, shape: Any) -> Response:
        asked = self.query(PolicyQuery)
        rows = self.rows(model)
        if "connection" in asked:
            rows = rows.filter(connection_id=asked["connection"])
        return self.page(rows, shape, asked)


class Rules(_Policy):
    """The ordered lines of policy."""

    scopes: ClassVar[Scopes] = {"GET": TokenScope.SIMULATE, "POST": None}
    ordering = ("connection_id", "position", "id")
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (404, 409)}

    @extend_schema(
        operation_id="list_rules",
        summary="List rules",
        parameters=[PolicyQuery],
        responses=RuleOut(many=True),
    )
    def get(self, _request: Request) -> Response:
        return self.listed(Rule, RuleOut)

    @extend_schema(
        operation_id="create_rule",
        summary="Create a rule",
        request=RuleIn,
        responses={201: RuleOut},
    )
    def post(self, _request: Request) -> Response:
        asked = self.body(RuleIn)
        connection = self.connection_seen(asked.pop("connection"))
        rule = services.create_rule(connection=connection, **asked, **self.acting)
        return Response(
            RuleOut(rule).data,
            status=201,
            headers={"Location": self.address("rule", rule_id=rule.pk)},
        )


class RuleDetail(_Policy):
    """One rule."""

    scopes: ClassVar[Scopes] = {
        "GET": TokenScope.SIMULATE,
        "PATCH": None,
        "DELETE": None,
    }
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"PATCH": (409,), "DELETE": (409,)}

    def rule(self, rule_id: UUID) -> Rule:
        found: Rule = self.one(self.rows(Rule), rule_id, "rule")
        return found

    @extend_schema(operation_id="get_rule", summary="Get a rule", responses=RuleOut)
    def get(self, _request: Request, rule_id: UUID) -> Response:
        return Response(RuleOut(self.rule(rule_id)).data)

    @extend_schema(
        operation_id="update_rule",
        summary="Change a rule",
        description="409 when `revision` is given and someone saved the rule meanwhile.",
        request=RuleChange,
        responses=RuleOut,
    )
    def patch(self, _request: Request, rule_id: UUID) -> Response:
        rule = self.rule(rule_id)
        services.update_rule(rule=rule, **self.body(RuleChange), **self.acting)
        return Response(RuleOut(self.rule(rule_id)).data)

    @extend_schema(
        operation_id="delete_rule",
        summary="Delete a rule",
        parameters=[RevisionQuery],
        responses={204: None},
    )
    def delete(self, _request: Request, rule_id: UUID) -> Response:
        rule = self.rule(rule_id)
        services.delete_rule(rule=rule, **self.query(RevisionQuery), **self.acting)
        return Response(status=204)


class RulePlace(_Policy):
    """Where a rule stands in the order."""

    scopes: ClassVar[Scopes] = {"POST": None}
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (409,)}

    @extend_schema(
        operation_id="move_rule",
        summary="Move a rule in the order",
        request=RuleMove,
        responses=RuleOut,
    )
    def post(self, _request: Request, rule_id: UUID) -> Response:
        rule = self.one(self.rows(Rule), rule_id, "rule")
        services.move_rule(rule=rule, **self.body(RuleMove), **self.acting)
        return Response(RuleOut(self.one(self.rows(Rule), rule_id, "rule")).data)


class Protections(_Policy):
    """Protected columns and tags."""

    scopes: ClassVar[Scopes] = {"GET": TokenScope.SIMULATE, "POST": None}
    ordering = ("connection_id", "id")
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (404, 409)}

    @extend_schema(
        operation_id="list_protections",
        summary="List protections",
        parameters=[PolicyQuery],
        responses=ProtectionOut(many=True),
    )
    def get(self, _request: Request) -> Response:
        return self.listed(Protection, ProtectionOut)

    @extend_schema(
        operation_id="create_protection",
        summary="Protect a column or a tag",
        request=ProtectionIn,
        responses={201: ProtectionOut},
    )
    def post(self, _request: Request) -> Response:
        asked = self.body(ProtectionIn)
        connection = self.connection_seen(asked.pop("connection"))
        made = services.create_protection(connection=connection, **asked, **self.acting)
        return Response(
            ProtectionOut(made).data,
            status=201,
            headers={"Location": self.address("protection", protection_id=made.pk)},
        )


class ProtectionDetail(_Policy):
    """One protection."""

    scopes: ClassVar[Scopes] = {
        "GET": TokenScope.SIMULATE,
        "PATCH": None,
        "DELETE": None,
    }
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"PATCH": (409,), "DELETE": (409,)}

    def protection(self, protection_id: UUID) -> Protection:
        found: Protection = self.one(self.rows(Protection), protection_id, "protection")
        return found

    @extend_schema(
        operation_id="get_protection", summary="Get a protection", responses=ProtectionOut
    )
    def get(self, _request: Request, protection_id: UUID) -> Response:
        return Response(ProtectionOut(self.protection(protection_id)).data)

    @extend_schema(
        operation_id="update_protection",
        summary="Change a protection",
        request=ProtectionChange,
        responses=ProtectionOut,
    )
    def patch(self, _request: Request, protection_id: UUID) -> Response:
        services.update_protection(
            protection=self.protection(protection_id),
            **self.body(ProtectionChange),
            **self.acting,
        )
        return Response(ProtectionOut(self.protection(protection_id)).data)

    @extend_schema(
        operation_id="delete_protection",
        summary="Stop protecting",
        parameters=[RevisionQuery],
        responses={204: None},
    )
    def delete(self, _request: Request, protection_id: UUID) -> Response:
        services.delete_protection(
            protection=self.protection(protection_id), **self.query(RevisionQuery), **self.acting
        )
        return Response(status=204)


class Simulate(Door):
    """A statement judged and not run."""

    scopes: ClassVar[Scopes] = {"POST": TokenScope.SIMULATE}
    problems: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (404,)}

    @extend_schema(
        operation_id="simulate",
        summary="Ask what would be decided",
        description="Judges a statement by the policy in force. Nothing runs, nothing is recorded.",
        request=SimulateIn,
        responses=SimulateOut,
    )
    def post(self, _request: Request) -> Response:
        asked = self.body(SimulateIn)
        if isinstance(self.viewer, User):
            connection = self.named(Connection.objects.visible_to(self.viewer), asked["connection"])
        else:
            connection = self.connection_named(asked["connection"])
        verdict = simulate(
            sql=asked["sql"],
            connection=connection,
            principal=self._judged_as(asked.get("agent")),
            door=asked.get("door", "rest"),
        )
        return Response(SimulateOut(verdict).data)

    def _judged_as(self, agent_id: UUID | None) -> Principal:
        if agent_id is None or agent_id == self.viewer.pk:
            return self.principal
        agent = self.one(Agent.objects.visible_to(self.person), agent_id, "agent")
        return agent.as_principal()
