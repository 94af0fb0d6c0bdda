"""Pages of agents, tokens, people and roles: who may open them, and what they refuse."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.authentication import verify_agent_token
from accounts.models import Agent, AgentToken, RoleGrant, Team, User
from accounts.principal import Role
from accounts.services import issue_token
from recordings.models import AuditEntry
from tests import factories
from tests.conftest import Cast

pytestmark = pytest.mark.django_db


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def address(name: str, *args: object) -> str:
    return reverse(f"accounts:{name}", args=args)


@pytest.fixture
def token(cast: Cast) -> AgentToken:
    return issue_token(agent=cast.agent, label="laptop", by=cast.owner).token


def test_everyone_sees_the_agents_they_should(cast, token):
    factories.agent("other", owner=cast.stranger)
    seen = {
        "owner": {"cleaner"},
        "stranger": {"other"},
        "admin": {"cleaner", "other"},
        "auditor": {"cleaner", "other"},
        "reviewer": {"cleaner", "other"},
    }
    for who, names in seen.items():
        page = as_(getattr(cast, who)).get(address("agents")).content.decode()
        assert {n for n in ("cleaner", "other") if f">{n}<" in page} == names, who


def test_a_stranger_s_agent_is_a_404_everywhere(cast, token):
    stranger = as_(cast.stranger)
    for name, *args in (
        ("agent", cast.agent.pk),
        ("agent-edit", cast.agent.pk),
        ("token-new", cast.agent.pk),
        ("token-rotate", cast.agent.pk, token.pk),
    ):
        assert stranger.get(address(name, *args)).status_code == 404, name
        assert stranger.post(address(name, *args)).status_code in {404, 405}, name
    for name, *args in (
        ("agent-switch", cast.agent.pk),
        ("token-revoke", cast.agent.pk, token.pk),
    ):
        assert stranger.post(address(name, *args)).status_code == 404, name
    assert stranger.get(reverse("agent-activity", args=[cast.agent.pk])).status_code == 404


def test_a_token_of_another_agent_is_a_404(cast, token):
    mine = factories.agent("second", owner=cast.owner)
    owner = as_(cast.owner)
    assert owner.post(address("token-revoke", mine.pk, token.pk)).status_code == 404
    assert owner.post(address("token-rotate", mine.pk, token.pk)).status_code == 404


def test_who_sees_an_agent_without_managing_it_changes_nothing(cast, token):
    for who in (cast.auditor, cast.reviewer):
        client = as_(who)
        assert client.get(address("agent", cast.agent.pk)).status_code == 200
        assert client.get(address("agent-edit", cast.agent.pk)).status_code == 404
        client.post(address("agent-switch", cast.agent.pk), {"to": "off"})
        client.post(address("token-revoke", cast.agent.pk, token.pk))
        client.post(address("token-new", cast.agent.pk), {"label": "x", "days": "7"})
    cast.agent.refresh_from_db()
    token.refresh_from_db()
    assert cast.agent.is_active
    assert token.is_live()
    assert AgentToken.objects.count() == 1


SCOPES = ["statements:run", "statements:read"]


def issued(answer) -> str:
    assert answer.status_code == 200, answer.content
    assert "no-store" in answer["Cache-Control"]
    found = re.search(r"hwa_\w+", answer.content.decode())
    assert found
    return found.group()


def test_a_token_is_shown_in_one_answer_only(cast):
    owner = as_(cast.owner)
    answer = owner.post(
        address("token-new", cast.agent.pk), {"label": "laptop", "days": "30", "scopes": SCOPES}
    )
    text = issued(answer)
    assert verify_agent_token(text).label == "laptop"
    assert sorted(verify_agent_token(text).scopes) == sorted(SCOPES)
    for page in (address("agent", cast.agent.pk), address("token-new", cast.agent.pk)):
        assert text.split("_")[2] not in owner.get(page).content.decode()


def test_a_token_can_be_bound_to_connections_that_the_agent_may_use(cast):
    vault = factories.connection("vault")
    owner = as_(cast.owner)
    path = address("token-new", cast.agent.pk)
    assert b"vault" not in owner.get(path).content
    wrong = {"label": "x", "days": "7", "scopes": SCOPES, "connections": [str(vault.pk)]}
    assert owner.post(path, wrong).status_code == 422
    right = wrong | {"connections": [str(cast.connection.pk)]}
    token = verify_agent_token(issued(owner.post(path, right)))
    assert token.connections == [str(cast.connection.pk)]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"label": "", "days": "7"},
        {"label": "x"},
        {"label": "x", "days": "365"},
        {"label": "x", "days": "-1"},
        {"label": "\0", "days": "7"},
        {"label": "x" * 121, "days": "7"},
        {"label": "x", "days": "7", "connections": ["not-an-id"]},
        {"label": "x", "days": "7", "scopes": []},
        {"label": "x", "days": "7", "scopes": ["everything"]},
        {"label": "x", "days": "7", "networks": "10.0.0.0/99"},
    ],
)
def test_a_token_form_that_cannot_be(cast, data):
    data = {"scopes": SCOPES} | data if data else data
    answer = as_(cast.owner).post(address("token-new", cast.agent.pk), data)
    assert answer.status_code == 422
    assert b"hwa_" not in answer.content


def test_rotating_from_the_page(cast, token):
    owner = as_(cast.owner)
    path = address("token-rotate", cast.agent.pk, token.pk)
    assert owner.get(path).status_code == 200
    assert owner.post(path, {"overlap": "5"}).status_code == 422
    assert verify_agent_token(issued(owner.post(path, {"overlap": "0"})))
    token.refresh_from_db()
    assert not token.is_live()
    assert owner.post(path, {"overlap": "0"}).status_code == 422, "it has ended already"


def test_an_admin_disables_and_revokes_and_does_not_issue(cast, token):
    admin = as_(cast.admin)
    assert admin.get(address("token-new", cast.agent.pk)).status_code == 403
    admin.post(address("token-revoke", cast.agent.pk, token.pk))
    admin.post(address("agent-switch", cast.agent.pk), {"to": "off"})
    cast.agent.refresh_from_db()
    token.refresh_from_db()
    assert not cast.agent.is_active
    assert token.revoked_at
    assert b"is disabled" in admin.get(address("agent", cast.agent.pk)).content


def test_making_and_changing_an_agent(cast):
    owner = as_(cast.owner)
    assert owner.post(address("agent-new"), {"name": ""}).status_code == 422
    assert owner.post(address("agent-new"), {"name": "cleaner"}).status_code == 422, "taken"
    assert owner.post(address("agent-new"), {"name": "a\0b"}).status_code == 422
    made = owner.post(address("agent-new"), {"name": "mine", "description": "Mine."})
    agent = Agent.objects.get(name="mine")
    assert made["Location"] == address("agent", agent.pk)
    assert agent.owner == cast.owner
    sneaky = {"name": "mine", "owner": str(cast.stranger.pk)}
    owner.post(address("agent-edit", agent.pk), sneaky)
    agent.refresh_from_db()
    assert agent.owner == cast.owner, "owners are named by admins"
    given = {"name": "mine", "owner": str(cast.stranger.pk)}
    assert as_(cast.admin).post(address("agent-edit", agent.pk), given).status_code == 302
    agent.refresh_from_db()
    assert agent.owner == cast.stranger


def test_someone_who_may_not_create_agents_is_told_whom_to_ask(cast):
    stranger = as_(cast.stranger)
    page = stranger.get(address("agent-new"))
    assert page.status_code == 403
    assert b"Ada" in page.content
    assert stranger.post(address("agent-new"), {"name": "x"}).status_code == 403


def test_the_activity_part_shows_what_one_may_see(cast):
    from gateway import pipeline
    from gateway.requests import StatementRequest

    pipeline.submit(
        StatementRequest(
            connection_id=cast.connection.pk,
            sql="SELECT CITY FROM SHOP.RETAIL.ORDERS",
            request_id="r1",
            door="rest",
            prompt="Where do we sell?",
        ),
        principal=cast.principal,
    )
    path = reverse("agent-activity", args=[cast.agent.pk])
    for who in (cast.owner, cast.auditor, cast.reviewer):
        page = as_(who).get(path).content
        assert b"Where do we sell?" in page
        assert b"shop" in page
    admin = as_(cast.admin).get(path).content
    assert b"Where do we sell?" not in admin
    assert b"without seeing them" in admin


SETTINGS = ["people", "person-new", "team-new"]


def test_people_and_roles_are_for_admins(cast):
    team = factories.team("ops")
    paths = [address(name) for name in SETTINGS]
    paths += [address("person", cast.stranger.pk), address("team", team.pk)]
    for who in (cast.owner, cast.reviewer, cast.auditor, cast.stranger):
        for path in paths:
            answer = as_(who).get(path)
            assert answer.status_code == 403, (who, path)
            assert b"Ada" in answer.content, "says whom to ask"
        as_(who).post(address("grant-person", who.pk), {"role": "admin"})
    assert not RoleGrant.objects.filter(role="admin").exclude(user=cast.admin).exists()
    for path in paths:
        assert as_(cast.admin).get(path).status_code == 200


def test_an_admin_of_one_connection_is_not_an_admin_of_people(cast):
    local = factories.person("lena", Role.ADMIN, on=cast.connection)
    assert as_(local).get(address("people")).status_code == 403


def test_adding_a_person(cast):
    admin = as_(cast.admin)
    data = {"name": "Pia", "username": "Pia", "email": "pia@hoopweb.example"}
    assert admin.post(address("person-new"), data).status_code == 422, "needs a password here"
    assert admin.post(address("person-new"), {**data, "password": "short"}).status_code == 422
    answer = admin.post(address("person-new"), {**data, "password": factories.PASSWORD})
    assert answer["Location"] == address("person", User.objects.get(username="pia").pk)
    again = admin.post(address("person-new"), {**data, "password": factories.PASSWORD})
    assert again.status_code == 422
    assert factories.PASSWORD not in again.content.decode()
    assert factories.PASSWORD not in str(AuditEntry.objects.values())


def test_roles_are_granted_and_taken(cast):
    admin = as_(cast.admin)
    path = address("grant-person", cast.stranger.pk)
    admin.post(path, {"role": "reviewer", "connection": str(cast.connection.pk)})
    grant = RoleGrant.objects.get(user=cast.stranger)
    assert grant.connection_id == cast.connection.pk
    assert b"on shop" in admin.get(address("person", cast.stranger.pk)).content
    for bad in ({}, {"role": "king"}, {"role": "admin", "connection": "x"}):
        admin.post(path, bad)
    assert RoleGrant.objects.filter(user=cast.stranger).count() == 1
    admin.post(address("revoke-role", grant.pk))
    assert not RoleGrant.objects.filter(user=cast.stranger).exists()
    admin.post(address("grant-person", cast.admin.pk), {"role": "auditor"})
    assert RoleGrant.objects.filter(user=cast.admin).count() == 1, "not to oneself"


def test_a_team_s_role_reaches_its_people(cast):
    admin = as_(cast.admin)
    made = admin.post(address("team-new"), {"name": "Stewards", "slug": "stewards"})
    team = Team.objects.get()
    assert made["Location"] == address("team", team.pk)
    assert admin.post(address("team-new"), {"name": "x", "slug": "a b"}).status_code == 422
    assert admin.post(address("team-new"), {"name": "x", "slug": "stewards"}).status_code == 422
    admin.post(address("grant-team", team.pk), {"role": "reviewer"})
    admin.post(address("person", cast.stranger.pk), {"teams": [str(team.pk)]})
    assert User.objects.get(pk=cast.stranger.pk).reviews.everywhere
    bad = admin.post(address("person", cast.stranger.pk), {"teams": ["x"]})
    assert bad.status_code == 422


def test_disabling_a_person_from_their_page(cast):
    admin = as_(cast.admin)
    admin.post(address("person-switch", cast.stranger.pk), {"to": "off"})
    assert not User.objects.get(pk=cast.stranger.pk).is_active
    admin.post(address("person-switch", cast.admin.pk), {"to": "off"})
    assert User.objects.get(pk=cast.admin.pk).is_active, "not oneself"
    admin.post(address("person-switch", cast.stranger.pk), {"to": "on"})
    assert User.objects.get(pk=cast.stranger.pk).is_active


def test_pages_hold_nothing_inline(cast, token):
    for who, path in (
        (cast.owner, address("agent", cast.agent.pk)),
        (cast.admin, address("people")),
        (cast.owner, address("profile")),
    ):
        page = as_(who).get(path).content.decode()
        assert " style=" not in page
        assert not re.search(r"\son\w+=\"", page)
        assert not re.search(r"<script(?![^>]*src=)", page)
