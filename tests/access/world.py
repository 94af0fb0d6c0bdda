"""Who asks, and what there is to be asked for: one of everything here, and another's elsewhere."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from accounts import services as accounts
from accounts.mapping import Condition, Operator
from accounts.models import Agent, Identity, Newcomer, RoleGrant, SignIn, User
from accounts.principal import Role
from accounts.services.directories import create_directory, issue_directory_token
from accounts.services.identities import add_identity
from accounts.services.issuers import create_issuer
from accounts.services.mapping_rules import save_agent_rule, save_person_rule
from approvals import services as approvals
from approvals.models import ApprovalRequest
from connections import services as policies
from connections.models import Connection
from gateway import execution, pipeline
from gateway.models import Statement
from gateway.requests import StatementRequest
from recordings import checkpoints
from recordings.models import Payload, Sink
from tests import factories
from tests.accounts import jwts
from tests.warehouse import Warehouse

READ = "SELECT CITY, COUNT(*) AS N FROM SHOP.RETAIL.ORDERS GROUP BY CITY"
WRITE = "UPDATE SHOP.CRM.CONTACTS SET CITY = 'Rome' WHERE CONTACT_ID = {}"

# In the order of the table's columns, with what the head of the page says of each.
CALLERS = {
    "anonymous": "nobody is signed in",
    "stranger": "a person without any role",
    "developer": "a person with the role developer, who owns the agent",
    "agent": "a program with an agent token, no browser",
    "reviewer of one": "a reviewer on this connection only",
    "reviewer": "a reviewer everywhere",
    "auditor of one": "an auditor on this connection only",
    "auditor": "an auditor everywhere",
    "admin": "an admin everywhere, with no other role",
}


@dataclass
class Caller:
    """One column of the table. ``client`` keeps the browser's cookies, if there is a browser."""

    name: str
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))
    headers: dict[str, str] = field(default_factory=dict)
    sign_in: uuid.UUID | None = None


@dataclass
class Place:
    """One connection with an agent on it, and what that agent's day left behind."""

    connection: Connection
    agent: Agent
    values: dict[str, Any]


class World:
    """Everything that is asked for, and everybody who asks."""

    def __init__(self, warehouse: Warehouse) -> None:
        olga = factories.person("olga", Role.DEVELOPER)
        dora = factories.person("dora", Role.DEVELOPER)
        self.second = factories.person("rolf", Role.REVIEWER)
        self.here = self._place("shop", "cleaner", olga, warehouse)
        self.there = self._place("vault", "digger", dora, warehouse)
        on = self.here.connection
        people = {
            "stranger": factories.person("stan"),
            "developer": olga,
            "reviewer of one": factories.person("rita", Role.REVIEWER, on=on),
            "reviewer": self.second,
            "auditor of one": factories.person("otto", Role.AUDITOR, on=on),
            "auditor": factories.person("aude", Role.AUDITOR),
            "admin": factories.person("ada", Role.ADMIN),
        }
        self.elsewhere = self._sign_in(Client(), dora)
        # Holds every role: what this person is refused with 405 is no method of the address.
        self.keeper = Caller("keeper")
        self.keeper.sign_in = self._sign_in(self.keeper.client, factories.person("kim", *Role))
        self.callers = [self._caller(name, people.get(name)) for name in CALLERS]
        checkpoints.write_checkpoint()

    def _caller(self, name: str, person: User | None) -> Caller:
        caller = Caller(name)
        if name == "agent":
            issued = accounts.issue_token(
                agent=self.here.agent, label="matrix", by=self.here.agent.owner
            )
            caller.headers["Authorization"] = f"Bearer {issued.text}"
        if person is not None:
            caller.sign_in = self._sign_in(caller.client, person)
        return caller

    def _sign_in(self, client: Client, person: User) -> uuid.UUID:
        client.force_login(person)
        row, _ = SignIn.objects.get_or_create(
            session_key=client.session.session_key, defaults={"user": person}
        )
        return row.pk

    def _place(self, name: str, agent_name: str, owner: User, warehouse: Warehouse) -> Place:
        connection = warehouse.serve(factories.connection(name))
        agent = factories.agent(agent_name, owner=owner)
        access = factories.allow(connection, agent)
        done = self._send(connection, agent, READ)
        execution.execute(done.pk)
        done.refresh_from_db()
        assert done.state == "succeeded", done.error_text
        granted = self._send(connection, agent, WRITE.format(1))
        waiting = self._send(connection, agent, WRITE.format(2))
        asked = ApprovalRequest.objects.get(statement_id=granted.pk)
        approvals.vote(
            request_id=asked.pk,
            by=self.second,
            choice="approve",
            digest=asked.digest,
            grant_minutes=60,
        )
        request = ApprovalRequest.objects.get(statement_id=waiting.pk)
        team = factories.team(f"team-{name}")
        team_grant = RoleGrant.objects.create(team=team, role=Role.DEVELOPER)
        token = accounts.issue_token(agent=agent, label="laptop", by=owner).token
        directory = create_directory(name=f"directory-{name}", by=None)
        directory_token = issue_directory_token(directory=directory, label="sync", by=None).token
        rule = connection.rules.order_by("position").first()
        assert rule is not None
        policies.delete_rule(rule=connection.rules.order_by("position").last(), by=None)
        detector = policies.create_detector(
            connection=connection, by=None, name="badge", pattern="B-[0-9]{4}"
        )
        connection.refresh_from_db()
        link = Identity.objects.link(owner, issuer="https://id.example.com", subject=name)
        newcomer = Newcomer.objects.create(
            user=owner, issuer="https://id.example.com", subject=f"{name}-2"
        )
        values: dict[str, Any] = {
            "connections:name": connection.name,
            "step": "account",
            "detectors-found:name": connection.name,
            "connection_id": connection.pk,
            "access_id": access.pk,
            "connections:slug": rule.slug,
            "rule_id": rule.pk,
            "detector_id": detector.pk,
            "detector": detector.name,
            "protection_id": connection.protections.get().pk,
            "connections:number": connection.policy_revision,
            "api:number": 1,
            "api:code": "not-found",
            "query_id": done.pk,
            "handle": done.pk,
            "result_id": done.pk,
            "place": 0,
            "agent_id": agent.pk,
            "token_id": token.pk,
            "person_id": owner.pk,
            "newcomer_id": newcomer.pk,
            "link_id": link.pk,
            "team_id": team.pk,
            "accounts:grant_id": team_grant.pk,
            **self._trust(name, agent),
            "grant_id": asked.votes.get().grant.pk,
            "session_id": done.session_id,
            "payload_id": Payload.objects.get(session_id=done.session_id).pk,
            "statement_id": done.pk,
            "request_id": request.pk,
            "approval_id": request.pk,
            "digest": request.digest,
            "directory_id": directory.pk,
            "key_row_id": directory_token.pk,
            "scim:row_id": uuid.UUID(int=0),
            "scim:name": "User",
        }
        values["sink_id"] = Sink.objects.create(
            name=f"siem-{name}", kind="file", address=f"{name}.jsonl", with_events=False
        ).pk
        return Place(connection, agent, values)

    def _trust(self, name: str, agent: Agent) -> dict[str, Any]:
        """An issuer, an identity and a mapping rule of each kind."""
        issuer = create_issuer(
            name=f"Issuer of {name}",
            issuer=f"https://{name}.example.com",
            audiences=["hoopweb"],
            given_keys=jwts.KEYS,
            by=None,
        )
        identity = add_identity(agent=agent, issuer=issuer, subject="loader", by=None)
        conditions = [Condition("groups", Operator.EQUALS, (name,))]
        people = save_person_rule(
            rule=None, name=name, conditions=conditions, by_name=True, by=None
        )
        agents = save_agent_rule(
            rule=None,
            name=name,
            conditions=conditions,
            issuer=issuer,
            agent_name="{sub}",
            owner=agent.owner,
            by=None,
        )
        return {
            "issuer_id": issuer.pk,
            "identity_id": identity.pk,
            "accounts:rule_id": people.pk,
            "agent_rule_id": agents.pk,
        }

    def _send(self, connection: Connection, agent: Agent, sql: str) -> Statement:
        return pipeline.submit(
            StatementRequest(
                connection_id=connection.pk, sql=sql, request_id=uuid.uuid4().hex, door="rest"
            ),
            principal=agent.as_principal(),
        )

    def value(self, place: Place, caller: Caller, name: str, argument: str) -> Any:
        """What stands for ``<argument>`` in a route called ``name``. Raises LookupError."""
        if argument == "sign_in_id":
            return (caller.sign_in or uuid.UUID(int=0)) if place is self.here else self.elsewhere
        app = name.partition(":")[0]
        for key in (f"{app}:{argument}", argument):
            if key in place.values:
                return place.values[key]
        raise LookupError(argument)


Bodies = dict[str, Callable[[Place], dict[str, Any]]]


def bodies() -> Iterator[tuple[str, Callable[[Place], dict[str, Any]]]]:
    """What is sent where an empty body would be turned away before anybody's rights are looked at.

    By "METHOD url-name". Everything else is sent empty: who may act is told what is missing.
    """
    yield "POST api:sessions", lambda p: {"connection": p.connection.name}
    yield "POST api:session-messages", lambda _: {"role": "user", "text": "Good morning."}
    yield (
        "POST api:statements",
        lambda p: {"connection": p.connection.name, "sql": READ, "wait": 0},
    )
    yield "POST api:simulate", lambda p: {"connection": p.connection.name, "sql": READ}
    yield (
        "POST api:approval-votes",
        lambda p: {"choice": "approve", "digest": p.values["digest"]},
    )
    yield (
        "POST approvals:vote",
        lambda p: {"choice": "approve", "digest": p.values["digest"], "grant": ""},
    )
    yield (
        "POST api:rules",
        lambda p: {"connection": p.connection.name, "slug": "matrix", "effect": "deny"},
    )
    yield "PATCH api:rule", lambda _: {"note": "Asked by the matrix."}
    yield "POST api:rule-place", lambda _: {"place": 1}
    yield (
        "POST api:protections",
        lambda p: {
            "connection": p.connection.name,
            "database": "SHOP",
            "schema": "CRM",
            "table": "CONTACTS",
            "column": "CITY",
            "strategy": "redact",
        },
    )
    yield "POST connections:detector-action", lambda _: {"detector": "phone", "action": "alert"}
    yield "POST api:detectors", lambda _: {"name": "matrix", "pattern": "M-[0-9]"}
    yield "PATCH api:detector", lambda _: {"action": "alert"}
    yield "POST api:agent-tokens", lambda _: {"label": "matrix"}
    yield "POST api:agent-token-rotate", lambda _: {"overlap_hours": 1}
    yield "PATCH api:protection", lambda _: {"note": "Asked by the matrix."}
