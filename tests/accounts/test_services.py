"""What the verbs on people, roles, agents and tokens allow, refuse and leave in the trail."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import services
from accounts.authentication import verify_agent_token
from accounts.models import Agent, AgentToken, RoleGrant, Team, User
from accounts.principal import Role
from hoopweb.lib.errors import Conflict, InvalidRequest, NotAllowed
from recordings.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db


def trail() -> list[str]:
    return list(AuditEntry.objects.order_by("number").values_list("action", flat=True))


@pytest.fixture
def admin() -> User:
    return factories.person("ada", Role.ADMIN)


@pytest.fixture
def owner() -> User:
    return factories.person("olga", Role.DEVELOPER)


@pytest.fixture
def agent(owner: User) -> Agent:
    return factories.agent("crawler", owner=owner)


def test_a_person_is_created_with_teams_and_an_audit_entry(admin: User) -> None:
    team = services.create_team(slug="retail", name="Retail", by=admin)
    user = services.create_user(
        username="rolf", name="Rolf", email="rolf@hoopweb.example", teams=[team], by=admin
    )
    assert user.team_slugs == {"retail"}
    assert not user.has_usable_password()
    assert trail() == ["team-created", "person-created"]


@pytest.mark.parametrize(("username", "email"), [("ADA", ""), ("x", "Ada@hoopweb.example")])
def test_names_and_addresses_name_one_person(admin: User, username: str, email: str) -> None:
    with pytest.raises(Conflict):
        services.create_user(name="Second", by=admin, username=username, email=email)


def test_only_an_admin_adds_people_teams_and_roles(owner: User) -> None:
    for refused in (
        lambda: services.create_user(username="x", name="X", by=owner),
        lambda: services.create_team(slug="x", name="X", by=owner),
        lambda: services.grant_role(role=Role.ADMIN, user=factories.person(), by=owner),
        lambda: services.disable_user(user=factories.person(), by=owner),
    ):
        with pytest.raises(NotAllowed):
            refused()
    assert trail() == []


def test_nobody_gives_themselves_a_role(admin: User) -> None:
    team = factories.team("ops")
    admin.teams.add(team)
    for holder in ({"user": admin}, {"team": team}):
        with pytest.raises(NotAllowed, match="themselves"):
            services.grant_role(role=Role.REVIEWER, by=admin, **holder)
    with pytest.raises(NotAllowed):
        services.set_teams(user=admin, teams=[], by=admin)


def test_a_role_counts_at_once_and_is_granted_once(admin: User) -> None:
    rita = factories.person("rita")
    assert not rita.reviews
    first = services.grant_role(role=Role.REVIEWER, user=rita, by=admin)
    assert services.grant_role(role=Role.REVIEWER, user=rita, by=admin) == first
    assert rita.reviews.everywhere
    assert trail() == ["role-granted"]


def test_the_last_admin_stays(admin: User) -> None:
    grant = RoleGrant.objects.get(user=admin)
    with pytest.raises(Conflict, match="last admin"):
        services.revoke_role(grant=grant, by=admin)
    second = factories.person("second", Role.ADMIN)
    services.revoke_role(grant=grant, by=second)
    assert not User.objects.get(pk=admin.pk).is_admin


def test_a_disabled_admin_is_not_counted_as_one(admin: User) -> None:
    factories.person("gone", Role.ADMIN, is_active=False)
    with pytest.raises(Conflict):
        services.revoke_role(grant=RoleGrant.objects.get(user=admin), by=admin)


def test_a_developer_makes_agents_for_themselves_only(owner: User, admin: User) -> None:
    mine = services.create_agent(name="mine", owner=owner, by=owner)
    assert mine.owner == owner
    with pytest.raises(NotAllowed):
        services.create_agent(name="theirs", owner=admin, by=owner)
    with pytest.raises(NotAllowed, match="developer"):
        services.create_agent(
            name="x", owner=factories.person("nil"), by=User.objects.get(username="nil")
        )
    with pytest.raises(Conflict):
        services.create_agent(name="mine", owner=owner, by=owner)


def test_an_agent_enters_only_teams_of_the_one_who_adds_it(owner: User, admin: User) -> None:
    team = factories.team("finance")
    with pytest.raises(NotAllowed, match="Finance"):
        services.create_agent(name="x", owner=owner, teams=[team], by=owner)
    placed = services.create_agent(name="x", owner=owner, teams=[team], by=admin)
    # The owner may still edit the rest of an agent that an admin has placed.
    services.update_agent(agent=placed, teams=[team], description="new", by=owner)
    assert Agent.objects.get(pk=placed.pk).description == "new"


def test_a_token_is_shown_once_and_kept_as_a_digest(agent: Agent, owner: User) -> None:
    issued = services.issue_token(agent=agent, label="laptop", by=owner)
    assert verify_agent_token(issued.text) == issued.token
    row = AgentToken.objects.values().get(pk=issued.token.pk)
    secret = issued.text.split("_")[2]
    assert secret not in str(row)
    assert secret not in repr(issued)
    entry = AuditEntry.objects.get(action="token-issued")
    assert entry.after
    assert secret not in str(entry.after)
    assert entry.after["key_id"] == issued.token.key_id
    assert issued.token.expires_at - issued.token.created_at == timedelta(days=90)


@pytest.mark.parametrize("days", [0, -1, 91, 10**9])
def test_no_token_lives_longer_than_90_days(agent: Agent, owner: User, days: int) -> None:
    with pytest.raises(InvalidRequest):
        services.issue_token(agent=agent, label="x", by=owner, days=days)


def test_not_even_an_admin_issues_tokens_for_another_owner(agent: Agent, admin: User) -> None:
    with pytest.raises(NotAllowed, match="owner"):
        services.issue_token(agent=agent, label="x", by=admin)


def test_an_admin_revokes_any_token(agent: Agent, owner: User, admin: User) -> None:
    issued = services.issue_token(agent=agent, label="x", by=owner)
    services.revoke_token(token=issued.token, by=admin)
    services.revoke_token(token=issued.token, by=admin)
    assert verify_agent_token(issued.text) is None
    assert trail() == ["token-issued", "token-revoked"]


def test_rotation_lets_both_live_for_the_overlap(agent: Agent, owner: User) -> None:
    old = services.issue_token(agent=agent, label="ci", by=owner, days=30)
    new = services.rotate_token(token=old.token, by=owner, overlap=timedelta(hours=1))
    assert verify_agent_token(old.text)
    assert verify_agent_token(new.text)
    old.token.refresh_from_db()
    assert old.token.expires_at <= timezone.now() + timedelta(hours=1)
    assert new.token.expires_at - new.token.created_at == timedelta(days=30)
    cut = services.rotate_token(token=new.token, by=owner, overlap=timedelta())
    assert verify_agent_token(new.text) is None
    assert verify_agent_token(cut.text)
    with pytest.raises(Conflict):
        services.rotate_token(token=new.token, by=owner)


def test_what_cuts_a_token_off(agent: Agent, owner: User, admin: User) -> None:
    text = services.issue_token(agent=agent, label="x", by=owner).text
    services.disable_agent(agent=agent, by=owner)
    assert verify_agent_token(text) is None
    services.enable_agent(agent=agent, by=owner)
    assert verify_agent_token(text)
    services.disable_user(user=owner, by=admin)
    assert verify_agent_token(text) is None
    services.enable_user(user=owner, by=admin)
    assert verify_agent_token(text)
    services.update_agent(agent=agent, owner=factories.person("heir"), by=admin)
    assert verify_agent_token(text) is None, "the former owner may still hold it"


def test_nobody_hands_over_an_agent_of_their_own(admin: User) -> None:
    agent = factories.agent(owner=admin)
    with pytest.raises(NotAllowed):
        services.update_agent(agent=agent, owner=factories.person(), by=admin)


@pytest.mark.parametrize("length", [0, 1, 20, 54, 55, 56, 57, 58, 200])
def test_a_mistyped_token_is_nothing(length: int, agent: Agent, owner: User) -> None:
    text = services.issue_token(agent=agent, label="x", by=owner).text
    assert verify_agent_token((text[:-1] + "!")[:length].ljust(length, "a")) is None
    assert verify_agent_token(text.swapcase()) is None


def test_a_disabled_agent_gets_no_token(agent: Agent, owner: User) -> None:
    services.disable_agent(agent=agent, by=owner)
    with pytest.raises(Conflict, match="disabled"):
        services.issue_token(agent=agent, label="x", by=owner)


def test_every_verb_leaves_nothing_behind_when_the_trail_fails(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("no trail")

    monkeypatch.setattr("accounts.services.people.audit", broken)
    monkeypatch.setattr("accounts.services.roles.audit", broken)
    with pytest.raises(RuntimeError):
        services.create_user(username="x", name="X", by=admin)
    with pytest.raises(RuntimeError):
        services.create_team(slug="x", name="X", by=admin)
    assert not User.objects.filter(username="x").exists()
    assert not Team.objects.filter(slug="x").exists()
