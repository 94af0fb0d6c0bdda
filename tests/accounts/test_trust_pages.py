"""Issuers, identities and mapping rules as an admin edits and tries them, and the wrong person."""

import json
import uuid

import pytest
from django.test import Client
from django.urls import reverse

from accounts.mapping import Condition, Operator
from accounts.models import Agent, AgentIdentity, Issuer, MappingRule
from accounts.services import identities, mapping_rules
from accounts.services.issuers import create_issuer
from hoopweb.lib.errors import Conflict, InvalidRequest, NotAllowed
from recordings.models import AuditEntry
from tests import factories
from tests.accounts import jwts

pytestmark = pytest.mark.django_db


def as_(user):
    client = Client()
    client.force_login(user)
    return client


def address(name, *args):
    return reverse(f"accounts:{name}", args=args)


def last():
    return AuditEntry.objects.order_by("-number").first()


@pytest.fixture
def ada(cast):
    return as_(cast.admin)


@pytest.fixture
def issuer():
    return create_issuer(
        name="Company",
        issuer=jwts.ISSUER,
        audiences=[jwts.AUDIENCE],
        given_keys=jwts.KEYS,
        by=None,
    )


def person_rule(by=None, **changed):
    values = {
        "name": "Stewards",
        "conditions": [Condition("groups", Operator.EQUALS, ("stewards",))],
        "teams": [factories.team("stewards")],
    }
    return mapping_rules.save_person_rule(rule=None, by=by, **values | changed)


def agent_rule(issuer, by=None, **changed):
    values = {
        "name": "CI",
        "issuer": issuer,
        "conditions": [Condition("repository", Operator.GLOB, ("company/*",))],
        "agent_name": "ci of {repository}",
        "owner": factories.person(),
    }
    return mapping_rules.save_agent_rule(rule=None, by=by, **values | changed)


# Who may.


@pytest.mark.parametrize("who", ["stranger", "owner", "reviewer", "auditor"])
def test_only_admins_come_here(cast, issuer, who):
    rule, other = person_rule(), agent_rule(issuer)
    identity = identities.add_identity(agent=cast.agent, issuer=issuer, subject="x", by=None)
    client = as_(getattr(cast, who))
    for name, *args in (
        ("issuers",),
        ("issuer-new",),
        ("issuer", issuer.pk),
        ("issuer-fetch", issuer.pk),
        ("issuer-switch", issuer.pk),
        ("issuer-delete", issuer.pk),
        ("identity-new", cast.agent.pk),
        ("identity-remove", cast.agent.pk, identity.pk),
        ("mapping",),
        ("mapping-try",),
        ("person-rule-new",),
        ("person-rule", rule.pk),
        ("agent-rule-new",),
        ("agent-rule", other.pk),
        ("mapping-change", rule.pk),
    ):
        assert client.get(address(name, *args)).status_code in {403, 405}, name
        assert client.post(address(name, *args), {"to": "gone"}).status_code in {403, 405}, name
    assert MappingRule.objects.filter(pk=rule.pk).exists()
    assert Issuer.objects.get().is_active
    assert AgentIdentity.objects.exists()


def test_verbs_ask_for_an_admin_too(cast, issuer):
    for attempt in (
        lambda: person_rule(by=cast.reviewer),
        lambda: agent_rule(issuer, by=cast.owner),
        lambda: identities.add_identity(
            agent=cast.agent, issuer=issuer, subject="x", by=cast.owner
        ),
    ):
        with pytest.raises(NotAllowed):
            attempt()


def test_the_owner_sees_the_identities_of_their_agent(cast, issuer):
    identities.add_identity(agent=cast.agent, issuer=issuer, subject="job-7", by=None)
    page = as_(cast.owner).get(address("agent", cast.agent.pk)).content.decode()
    assert "job-7" in page
    assert "Add identity" not in page
    assert as_(cast.stranger).get(address("agent", cast.agent.pk)).status_code == 404


# Issuers.


def posted_issuer(**changed):
    return {
        "name": "Company",
        "kind": "oidc",
        "issuer": "https://id.example.com",
        "audiences": "hoopweb\n https://hoopweb.example.com \n",
        "algorithms": ["RS256"],
        "subject_claim": "sub",
        "groups_claim": "groups",
        "name_claim": "name",
        "session_hours": "8",
        **changed,
    }


def test_an_issuer_is_set_up_changed_switched_and_deleted(ada):
    assert "No issuers yet" in ada.get(address("issuers")).content.decode()
    assert ada.post(address("issuer-new"), posted_issuer()).status_code == 302
    row = Issuer.objects.get()
    assert row.audiences == ["hoopweb", "https://hoopweb.example.com"]
    assert (last().action, last().after["algorithms"]) == ("issuer-created", ["RS256"])
    assert (last().after["session_hours"], last().after["within_person"]) == (8, False)
    page = ada.get(address("issuer", row.pk)).content.decode()
    assert "Nobody yet: its tokens are refused" in page
    changed = posted_issuer(name="Renamed", issuer="https://evil.example.com", audiences="other")
    assert ada.post(address("issuer", row.pk), changed).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.issuer) == ("Renamed", "https://id.example.com")
    assert last().before["audiences"] == ["hoopweb", "https://hoopweb.example.com"]
    ada.post(address("issuer-switch", row.pk), {"to": "off"})
    assert not Issuer.objects.get().is_active
    assert ada.post(address("issuer-delete", row.pk)).status_code == 302
    assert not Issuer.objects.exists()
    assert last().action == "issuer-deleted"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"issuer": "http://169.254.169.254/latest"}, "issuer"),
        ({"issuer": "https://user:secret@id.example.com"}, "issuer"),
        ({"issuer": "ftp://id.example.com"}, "issuer"),
        ({"jwks_url": "https://10.0.0.1/keys"}, "jwks_url"),
        ({"audiences": " \n "}, "audiences"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"algorithms": []}, "algorithms"),
        ({"session_hours": "25"}, "session_hours"),
        ({"session_hours": ""}, "session_hours"),
        ({"subject_claim": ""}, "subject_claim"),
        ({"authority": "no certificate"}, "authority"),
        ({"given_keys": "{"}, "given_keys"),
        ({"given_keys": '{"keys": []}'}, "given_keys"),
        ({"given_keys": '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}'}, "given_keys"),
        (
            {"given_keys": json.dumps({"keys": [jwts.jwk(jwts.EC_KEY, "e1", private=True)]})},
            "given_keys",
        ),
    ],
)
def test_an_issuer_that_cannot_be_used_is_refused_beside_its_field(ada, changed, field):
    answer = ada.post(address("issuer-new"), posted_issuer(**changed))
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not Issuer.objects.exists()


def test_private_parts_of_keys_are_never_kept(ada):
    keys = {"keys": [{**jwts.KEYS["keys"][0], "x5c": ["…"], "note": "mine"}]}
    ada.post(address("issuer-new"), posted_issuer(given_keys=json.dumps(keys)))
    assert set(Issuer.objects.get().given_keys[0]) == {"kty", "n", "e", "kid", "use"}


def test_what_is_in_use_is_not_deleted(ada, cast, issuer):
    identities.add_identity(agent=cast.agent, issuer=issuer, subject="x", by=None)
    ada.post(address("issuer-delete", issuer.pk))
    assert Issuer.objects.exists()


def test_an_issuer_that_does_not_answer_says_why(ada):
    row = create_issuer(name="Gone", issuer="http://127.0.0.1:9", audiences=["hoopweb"], by=None)
    answer = ada.post(address("issuer-fetch", row.pk), follow=True)
    assert "does not answer" in answer.content.decode()
    assert "Its keys could not be fetched" in answer.content.decode()


# Identities.


def test_an_identity_is_added_and_removed(ada, cast, issuer):
    told = {"issuer": str(issuer.pk), "subject": "system:serviceaccount:data:loader"}
    assert ada.post(address("identity-new", cast.agent.pk), told).status_code == 302
    assert last().after == {"issuer": jwts.ISSUER, "subject": told["subject"]}
    page = ada.get(address("agent", cast.agent.pk)).content.decode()
    assert "system:serviceaccount:data:loader" in page
    other = factories.agent("other", owner=cast.owner)
    answer = ada.post(address("identity-new", other.pk), told)
    assert (answer.status_code, AgentIdentity.objects.count()) == (422, 1)
    identity = AgentIdentity.objects.get()
    wrong = address("identity-remove", other.pk, identity.pk)
    assert ada.post(wrong).status_code == 404
    ada.post(address("identity-remove", cast.agent.pk, identity.pk))
    assert not AgentIdentity.objects.exists()
    assert last().action == "identity-removed"


# Mapping rules.


def posted_rule(**changed):
    return {
        "name": "Stewards",
        "source": "",
        "claim_0": "realm_access.roles",
        "operator_0": "one-of",
        "values_0": "stewards\nhelpers",
        "operator_1": "equals",
        "operator_2": "equals",
        "operator_3": "equals",
        **changed,
    }


def test_a_rule_for_people_is_written_edited_switched_and_deleted(ada, cast):
    team = factories.team("stewards")
    told = posted_rule(
        teams=[str(team.pk)], role_0="reviewer", on_0=str(cast.connection.pk), role_1="auditor"
    )
    assert ada.post(address("person-rule-new"), told).status_code == 302
    row = MappingRule.objects.get(name="Stewards")
    assert row.changed_by == cast.admin
    assert row.conditions == [
        {
            "claim": "realm_access.roles",
            "operator": "one-of",
            "values": ["stewards", "helpers"],
        }
    ]
    assert {(each["role"], each["connection"]) for each in row.roles} == {
        ("reviewer", str(cast.connection.pk)),
        ("auditor", None),
    }
    page = ada.get(address("mapping")).content.decode()
    assert "reviewer on shop" in page
    edited = ada.get(address("person-rule", row.pk)).context["form"]
    assert edited["values_0"].value() == "stewards\nhelpers"
    assert {edited["role_0"].value(), edited["role_1"].value()} == {"auditor", "reviewer"}
    ada.post(address("person-rule", row.pk), posted_rule(by_name="on"))
    row.refresh_from_db()
    assert (row.by_name, row.roles, row.teams.count()) == (True, [], 0)
    assert last().action == "mapping-rule-changed"
    ada.post(address("mapping-change", row.pk), {"to": "off"})
    row.refresh_from_db()
    assert not row.enabled
    ada.post(address("mapping-change", row.pk), {"to": "gone"})
    assert not MappingRule.objects.filter(pk=row.pk).exists()
    assert last().action == "mapping-rule-deleted"


@pytest.mark.parametrize(
    "changed",
    [
        {"by_name": ""},
        {"claim_0": ""},
        {"values_0": ""},
        {"operator_0": "regex"},
        {"operator_0": "equals"},
        {"claim_1": "sub"},
        {"values_1": "x"},
        {"teams": [str(uuid.uuid4())]},
        {"role_0": "owner"},
        {"values_0": "x" * 400},
    ],
)
def test_a_rule_that_means_nothing_is_refused(ada, changed):
    answer = ada.post(address("person-rule-new"), posted_rule(**{"by_name": "on", **changed}))
    assert answer.status_code == 422
    assert answer.context["form"].errors
    assert not MappingRule.objects.filter(built_in=False).exists()


def test_rules_are_ordered_and_the_ends_hold(ada):
    first, second = person_rule(name="one"), person_rule(name="two")

    def order():
        rows = MappingRule.objects.filter(subject="person", built_in=False)
        return list(rows.values_list("name", flat=True))

    ada.post(address("mapping-change", second.pk), {"to": "up"})
    assert order() == ["two", "one"]
    ada.post(address("mapping-change", first.pk), {"to": "down"})
    assert order() == ["two", "one"]
    assert last().before["order"][-2:] == ["one", "two"]


def test_the_built_in_rule_is_switched_off_and_not_deleted(ada):
    row = MappingRule.objects.get(built_in=True)
    ada.post(address("mapping-change", row.pk), {"to": "gone"})
    ada.post(address("mapping-change", row.pk), {"to": "off"})
    row.refresh_from_db()
    assert not row.enabled
    with pytest.raises(Conflict):
        mapping_rules.delete_rule(rule=row, by=None)


def test_a_rule_for_agents_is_written(ada, cast, issuer):
    told = posted_rule(
        claim_0="repository",
        operator_0="glob",
        values_0="company/*",
        issuer=str(issuer.pk),
        agent_name="ci of {repository}",
        owner=str(cast.owner.pk),
    )
    assert ada.post(address("agent-rule-new"), told).status_code == 302
    row = MappingRule.objects.get(subject="agent")
    assert (row.owner, row.issuer) == (cast.owner, issuer)
    page = ada.get(address("mapping")).content.decode()
    assert "ci of {repository}" in page
    # A rule of the other kind is not found under this address.
    assert ada.get(address("person-rule", row.pk)).status_code == 404


@pytest.mark.parametrize(
    "conditions",
    [
        [Condition("repository", Operator.GLOB, ("*",))],
        [Condition("repository", Operator.GLOB, ("*/project",))],
        [Condition("repository", Operator.GLOB, ("company/*", "?*"))],
    ],
)
def test_a_rule_that_lets_everybody_in_is_refused(issuer, conditions):
    with pytest.raises(InvalidRequest):
        agent_rule(issuer, conditions=conditions)


def test_a_rule_for_github_says_whose_workflows(issuer):
    issuer.kind = "github"
    branch = Condition("ref", Operator.EQUALS, ("refs/heads/main",))
    with pytest.raises(InvalidRequest, match="its repository"):
        agent_rule(issuer, conditions=[branch])
    owner = Condition("repository_owner_id", Operator.EQUALS, ("42",))
    assert agent_rule(issuer, conditions=[branch, owner])


@pytest.mark.parametrize("name", ["ci {", "ci }", "ci {}", "{a{b}}", ""])
def test_a_name_that_cannot_be_filled_in(issuer, name):
    with pytest.raises(InvalidRequest):
        agent_rule(issuer, agent_name=name)


# Trying.


def tried(ada, taken_as, text):
    answer = ada.post(address("mapping-try"), {"taken_as": taken_as, "text": text})
    return answer, answer.content.decode()


def test_claims_of_a_person_are_tried_and_leave_no_trace(ada, caplog):
    person_rule(roles=[])
    before = AuditEntry.objects.count()
    claims = {"sub": "nora", "groups": ["stewards", "canary-7f3a"], "note": "<b>bold</b>"}
    answer, page = tried(ada, "oidc", json.dumps(claims))
    assert answer.status_code == 200
    assert "claims without a signature" in page
    assert answer.context["trial"].person.teams == {"stewards"}
    assert "<b>bold</b>" not in page
    assert AuditEntry.objects.count() == before
    assert "canary-7f3a" not in caplog.text
    assert "no-store" in answer["Cache-Control"]


def test_a_person_without_a_place_is_told_apart(ada):
    _, page = tried(ada, "saml", '{"groups": ["nobody-knows"]}')
    assert "No place here" in page


def test_a_token_of_an_agent_is_verified_or_said_not_to_be(ada, cast, issuer):
    agent_rule(issuer)
    good = jwts.sign(jwts.claims(repository="company/app"))
    answer, page = tried(ada, str(issuer.pk), good)
    assert answer.context["trial"].verified is True
    assert "ci of company/app" in page
    assert "which would be made" in page
    forged = jwts.sign(jwts.claims(repository="company/app"), key=jwts.OTHER_RSA_KEY)
    answer, page = tried(ada, str(issuer.pk), forged)
    assert answer.context["trial"].verified is False
    assert "Not verified: wrong signature" in page
    identities.add_identity(agent=cast.agent, issuer=issuer, subject="loader", by=None)
    answer, _ = tried(ada, str(issuer.pk), good)
    assert answer.context["trial"].agent.known.agent == cast.agent
    answer, page = tried(ada, str(issuer.pk), '{"sub": "who", "act": 1}')
    assert "Refused" in page
    assert Agent.objects.filter(name__startswith="ci of").count() == 0


@pytest.mark.parametrize("text", ["x", "{", "[1]", "a.b.c", "hwa_x"])
def test_what_cannot_be_read_is_said_beside_the_field(ada, text):
    answer, page = tried(ada, "oidc", text)
    assert answer.status_code == 422
    assert text in page
