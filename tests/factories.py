"""Rows for tests, made as the product makes them; traits name what is special."""

import itertools
from typing import Any

from django.utils import timezone

from accounts.models import Agent, RoleGrant, Team, User
from accounts.principal import Role
from connections.models import Access, Catalogue, Connection, Credential, Protection, Rule
from connections.sql.catalogue import Catalogue as CatalogueValue
from connections.sql.catalogue import Column, Table
from connections.sql.facts import ObjectName

_count = itertools.count(1)
PASSWORD = "correct horse battery staple"


def team(slug: str | None = None) -> Team:
    slug = slug or f"team-{next(_count)}"
    return Team.objects.get_or_create(slug=slug, defaults={"name": slug.title()})[0]


def person(name: str | None = None, *roles: Role, on: Connection | None = None, **kw: Any) -> User:
    """A person; ``roles`` are held everywhere, or on one connection."""
    name = name or f"person{next(_count)}"
    teams = kw.pop("teams", ())
    user = User(username=name, name=name.title(), email=f"{name}@hoopweb.example", **kw)
    user.set_password(PASSWORD)
    user.save()
    for role in roles:
        RoleGrant.objects.create(user=user, role=role, connection_id=on.pk if on else None)
    user.teams.set(teams)
    return user


def agent(name: str | None = None, *, owner: User | None = None, **kw: Any) -> Agent:
    return Agent.objects.create(name=name or f"agent-{next(_count)}", owner=owner or person(), **kw)


def contacts() -> CatalogueValue:
    """The little catalogue that most tests speak of."""
    return CatalogueValue.of(
        [
            Table(
                ObjectName("SHOP", "CRM", "CONTACTS"),
                (
                    Column("CONTACT_ID", "NUMBER(38,0)"),
                    Column("FULL_NAME", "TEXT"),
                    Column("EMAIL", "TEXT"),
                    Column("CITY", "TEXT"),
                ),
            ),
            Table(
                ObjectName("SHOP", "RETAIL", "ORDERS"),
                (
                    Column("ORDER_ID", "NUMBER(38,0)"),
                    Column("CITY", "TEXT"),
                    Column("AMOUNT", "NUMBER(12,2)"),
                ),
            ),
        ]
    )


def connection(
    name: str | None = None, *, catalogue: CatalogueValue | None = None, confirmed: bool = True
) -> Connection:
    """A connection with a catalogue, EMAIL protected, reads allowed and writes reviewed."""
    name = name or f"connection-{next(_count)}"
    row = Connection.objects.create(
        name=name,
        account="local",
        host="127.0.0.1",
        port=1,
        protocol="http",
        database="SHOP",
        schema="CRM",
        warehouse="WH",
        role="AGENT",
        policy_revision=1,
        catalogue_version=1,
        mask_salt="salt",
        is_active=confirmed,
        confirmed_at=timezone.now() if confirmed else None,
    )
    Credential.objects.create(
        connection=row, method="password", login_name="HOOPWEB", secret="upstream-secret"
    )
    content = (catalogue or contacts()).to_json()
    Catalogue.objects.create(connection=row, version=1, content=content, table_count=len(content))
    from connections.policy.defaults import default_rules

    for position, rule in enumerate(default_rules(), start=1):
        Rule.objects.create(
            connection=row,
            slug=rule.id,
            position=position,
            effect=rule.effect,
            match=rule.match,
            reviewers=list(rule.terms.reviewers),
            votes=rule.terms.votes,
            expires_minutes=rule.terms.expires_minutes,
        )
    Protection.objects.create(
        connection=row,
        database="SHOP",
        schema="CRM",
        table="CONTACTS",
        column="EMAIL",
        strategy="redact",
    )
    return row


def allow(row: Connection, holder: User | Agent | Team) -> Access:
    """Let someone send statements through a connection."""
    kind = {User: "user", Agent: "agent", Team: "team"}[type(holder)]
    return Access.objects.create(connection=row, **{kind: holder})
