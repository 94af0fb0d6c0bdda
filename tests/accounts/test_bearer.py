"""Bearer tokens at the one entrance: whom they prove, and what each refusal says and keeps."""

import time
import uuid
from dataclasses import FrozenInstanceError
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from accounts import authentication, services
from accounts.authentication import authenticate_bearer
from accounts.bearer import BearerRefused, TooManyRefused
from accounts.models import Agent, AgentIdentity, Identity, MappingRule
from accounts.principal import Role, TokenScope
from accounts.services.identities import add_identity, remove_identity
from accounts.services.issuers import create_issuer, switch_issuer
from hoopweb.lib import rate
from recordings.models import AuditEntry
from tests import factories
from tests.accounts import jwts
from tests.accounts.jwts import EC_KEY, ISSUER, OTHER_RSA_KEY, RSA_KEY, claims, jwk, sign

pytestmark = pytest.mark.django_db
HERE = "203.0.113.7"


@pytest.fixture(autouse=True)
def _fresh_counts(monkeypatch):
    """Counted in this test alone."""
    counts = {}

    def count(key, window=None):
        counts[key] = counts.get(key, 0) + 1
        return counts[key]

    monkeypatch.setattr(rate, "count", count)


@pytest.fixture
def issuer():
    return create_issuer(
        name="Company", issuer=ISSUER, audiences=[jwts.AUDIENCE], given_keys=jwts.KEYS, by=None
    )


@pytest.fixture
def agent():
    return factories.agent("loader-agent", owner=factories.person("olga"))


@pytest.fixture
def identity(issuer, agent):
    return add_identity(agent=agent, issuer=issuer, subject="loader", by=None)


def enter(token, door="rest"):
    return authenticate_bearer(token, door=door, address=HERE)


def refused(token):
    with pytest.raises(BearerRefused) as caught:
        enter(token)
    return caught.value


def refusals():
    return AuditEntry.objects.filter(action="token-refused").order_by("number")


# Who comes in.


@pytest.mark.parametrize(
    ("algorithm", "key", "kid"),
    [("RS256", RSA_KEY, "r1"), ("PS256", RSA_KEY, "r1"), ("ES256", EC_KEY, "e1")],
)
def test_an_agent_known_to_its_issuer(identity, agent, algorithm, key, kid):
    bearer = enter(sign(claims(jti="j1"), key=key, algorithm=algorithm, kid=kid), door="mcp")
    assert bearer.agent == agent
    assert bearer.agent_id == bearer.principal.id == agent.pk
    assert (bearer.issuer, bearer.jti, bearer.token_id) == (ISSUER, "j1", None)
    assert bearer.principal.address == HERE
    assert bearer.principal.on_behalf_of == "Olga"
    assert bearer.scopes == frozenset(TokenScope)
    assert abs(bearer.expires_at.timestamp() - time.time() - 300) < 5
    assert bearer.door == "mcp"
    identity.refresh_from_db()
    assert identity.last_used_at is not None
    with pytest.raises(FrozenInstanceError):
        bearer.door = "rest"


def test_an_agent_token_comes_in_by_the_same_entrance(agent):
    where = uuid.uuid4()
    issued = services.issue_token(agent=agent, label="job", by=agent.owner, connections=[where])
    bearer = enter(issued.text, door="snowflake")
    assert bearer.token_id == issued.token.pk
    assert bearer.principal.token_connections == {where}
    assert bearer.expires_at == issued.token.expires_at
    assert bearer.scopes == frozenset(issued.token.scopes)


@pytest.mark.parametrize("kind", ["at+jwt", "application/at+jwt", "JWT"])
def test_names_that_an_access_token_may_have(identity, kind):
    assert enter(sign(typ=kind))


def test_a_key_in_the_header_is_not_read(identity):
    theirs = jwk(OTHER_RSA_KEY, "r1")
    elsewhere = {"jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/cert"}
    assert enter(sign(jwk=theirs, **elsewhere))
    assert refused(sign(key=OTHER_RSA_KEY, jwk=theirs, **elsewhere)).why == "wrong_signature"


def test_scopes_of_ours_narrow_and_others_do_not(identity):
    assert enter(sign(claims(scope="openid profile"))).scopes == frozenset(TokenScope)
    told = "openid hoopweb:statements:read hoopweb:nonsense"
    assert enter(sign(claims(scope=told))).scopes == {TokenScope.READ}
    assert enter(sign(claims(scp=["hoopweb:simulate"]))).scopes == {TokenScope.SIMULATE}
    assert enter(sign(claims(scope="hoopweb:nonsense"))).scopes == frozenset()


# On behalf of somebody.


def test_on_behalf_of_a_person_that_is_known_here(identity, agent):
    nora = factories.person("nora")
    Identity.objects.link(nora, issuer=ISSUER, subject="nora-at-home")
    bearer = enter(sign(claims(sub="nora-at-home", act={"sub": "loader"})))
    assert bearer.agent == agent
    assert bearer.principal.on_behalf_of == "Nora"


def test_on_behalf_of_a_person_without_an_account(identity):
    body = claims(sub="u-1", name="Uma", act={"sub": "loader"})
    assert enter(sign(body)).principal.on_behalf_of == "Uma"
    body = claims(sub="u-1", act={"sub": "loader"})
    assert enter(sign(body)).principal.on_behalf_of == "u-1"


def test_the_outermost_actor_acts(identity, agent):
    chain = {"sub": "loader", "act": {"sub": "planner", "act": {"sub": "portal"}}}
    assert enter(sign(claims(sub="u-1", act=chain))).agent == agent
    chain = {"sub": "planner", "act": {"sub": "loader"}}
    assert refused(sign(claims(sub="u-1", act=chain))).why == "unknown_subject"


@pytest.mark.parametrize(
    "act",
    [
        None,
        "loader",
        {},
        {"sub": ""},
        {"sub": 1},
        {"sub": "loader", "iss": "https://other.example.com"},
        {"sub": "loader", "act": None},
        {"sub": "loader", "act": {"name": "x"}},
        {"sub": "loader", "act": {"sub": "a", "iss": "https://other.example.com"}},
    ],
)
def test_an_act_that_cannot_be_followed(identity, act):
    assert refused(sign({**claims(sub="u-1"), "act": act})).why == "bad_act"


def test_a_chain_that_is_too_long(identity):
    chain = {"sub": "last"}
    for _ in range(8):
        chain = {"sub": "loader", "act": chain}
    assert refused(sign(claims(sub="u-1", act=chain))).why == "bad_act"


def test_not_for_a_person_who_is_disabled(identity):
    nora = factories.person("nora", is_active=False)
    Identity.objects.link(nora, issuer=ISSUER, subject="nora")
    found = refused(sign(claims(sub="nora", act={"sub": "loader"})))
    assert found.why == "person_disabled"
    assert refusals().last().after["acts_for"] == "nora"


def test_a_person_s_own_token_opens_nothing(issuer):
    nora = factories.person("nora")
    Identity.objects.link(nora, issuer=ISSUER, subject="nora")
    assert refused(sign(claims(sub="nora"))).why == "unknown_subject"


# Who does not.


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"aud": "another"}, "wrong_audience"),
        ({"aud": ["another", "yet another"]}, "wrong_audience"),
        ({"aud": None}, "incomplete_token"),
        ({"exp": timedelta(minutes=-2)}, "expired_token"),
        ({"exp": None}, "incomplete_token"),
        ({"exp": timedelta(hours=25)}, "too_long_lived"),
        ({"nbf": timedelta(minutes=5)}, "token_not_yet_valid"),
        ({"iat": timedelta(minutes=5)}, "token_not_yet_valid"),
        ({"iat": None}, "incomplete_token"),
        ({"sub": None}, "incomplete_token"),
        ({"sub": "x" * 501}, "incomplete_token"),
        ({"sub": "two\nlines"}, "incomplete_token"),
        ({"iss": "https://id.example.com/"}, "unknown_issuer"),
        ({"iss": "https://evil.example.com"}, "unknown_issuer"),
        ({"iss": "nul\0"}, "unknown_issuer"),
        ({"iss": None}, "unknown_issuer"),
        ({"sub": "somebody else"}, "unknown_subject"),
        ({"sub": "LOADER"}, "unknown_subject"),
    ],
)
def test_claims_that_do_not_hold(identity, changed, why):
    now = time.time()
    told = {
        name: int(now + value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in changed.items()
    }
    found = refused(sign(claims(**told)))
    assert (found.why, found.status) == (why, 401)
    entry = refusals().get()
    assert (entry.after["why"], entry.after["door"], entry.address) == (why, "rest", HERE)


def test_several_audiences_of_which_one_is_ours(identity):
    assert enter(sign(claims(aud=["another", jwts.AUDIENCE])))


def test_signatures_that_prove_nothing(identity):
    body = claims()
    unsigned = jwt.encode(body, None, "none", headers={"kid": "r1"})
    loud = jwts.by_hand({"alg": "NoNe", "kid": "r1"}, body, lambda _told: b"")
    head, _, signature = sign(body).split(".")
    swapped = sign(claims(sub="ada")).split(".")[1]
    for token, why in [
        (unsigned, "wrong_algorithm"),
        (loud, "wrong_algorithm"),
        (jwts.with_public_key_as_secret(body), "wrong_algorithm"),
        (sign(algorithm="RS512"), "wrong_algorithm"),
        (sign(key=OTHER_RSA_KEY), "wrong_signature"),
        (sign(key=OTHER_RSA_KEY, kid="r9"), "unknown_key"),
        (sign(key=EC_KEY, algorithm="ES256", kid="r1"), "unknown_key"),
        (f"{head}.{swapped}.{signature}", "wrong_signature"),
        (f"{head}.{swapped}.", "wrong_signature"),
    ]:
        found = refused(token)
        assert found.why == why
        # Whoever has no signature learns nothing, not even which part is wrong.
        assert found.detail == refused("a.b.c").detail


@pytest.mark.parametrize(
    "header", [{"typ": "dpop+jwt"}, {"typ": "secevent+jwt"}, {"typ": 1}, {"crit": ["exp"]}]
)
def test_other_kinds_of_tokens(identity, header):
    token = jwts.by_hand(
        {"alg": "RS256", "kid": "r1", **header},
        claims(),
        lambda told: jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(
            told, RSA_KEY
        ),
    )
    assert refused(token).why in {"unreadable_token", "wrong_type"}


def test_what_is_too_large_is_not_even_read(identity):
    assert refused(sign(claims(padding="x" * 16_000))).why == "too_large"


@pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c", "..", "a.b.c.d.e", "hwa_x", "é.é.é"])
def test_what_is_no_token(db, text):
    assert refused(text).status == 401


def test_a_key_that_is_too_short(agent):
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    row = create_issuer(
        name="Weak",
        issuer="https://weak.example.com",
        audiences=[jwts.AUDIENCE],
        given_keys={"keys": [jwk(weak, "w1")]},
        by=None,
    )
    add_identity(agent=agent, issuer=row, subject="loader", by=None)
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        token = sign(claims(iss=row.issuer), key=weak, kid="w1")
    assert refused(token).why == "weak_key"


@pytest.mark.parametrize("how", ["issuer off", "agent off", "owner off", "identity gone"])
def test_what_was_switched_off_opens_nothing(issuer, identity, agent, how):
    token = sign()
    assert enter(token)
    if how == "issuer off":
        switch_issuer(issuer=issuer, on=False, by=None)
    elif how == "agent off":
        services.disable_agent(agent=agent, by=None)
    elif how == "owner off":
        services.disable_user(user=agent.owner, by=None)
    else:
        remove_identity(identity=identity, by=None)
    assert refused(token).status == 401


def test_two_issuers_do_not_speak_for_each_other(issuer, identity):
    other = create_issuer(
        name="Other",
        issuer="https://other.example.com",
        audiences=[jwts.AUDIENCE],
        given_keys={"keys": [jwk(OTHER_RSA_KEY, "r1")]},
        by=None,
    )
    theirs = sign(claims(iss=other.issuer), key=OTHER_RSA_KEY)
    assert refused(theirs).why == "unknown_subject"
    assert refused(sign(claims(), key=OTHER_RSA_KEY)).why == "wrong_signature"
    assert refused(sign(claims(iss=other.issuer))).why == "wrong_signature"


# What a refusal keeps, and how often.


def test_a_refusal_is_written_down_once_a_minute_and_never_with_the_token(identity):
    token = sign(claims(sub="stranger", secret="do-not-keep"))
    for _ in range(5):
        refused(token)
    entry = refusals().get()
    assert entry.after == {
        "why": "unknown_subject",
        "door": "rest",
        "issuer": "Company",
        "subject": "stranger",
    }
    assert token not in str(entry.__dict__)
    assert "do-not-keep" not in str(entry.__dict__)


def test_what_is_not_proved_is_not_repeated(identity):
    refused(sign(claims(sub="ada"), key=OTHER_RSA_KEY))
    refused(sign(claims(iss="https://evil.example.com")))
    assert [entry.after for entry in refusals()] == [
        {"why": "wrong_signature", "door": "rest", "issuer": "Company"},
        {"why": "unknown_issuer", "door": "rest"},
    ]


def test_the_trail_names_the_agent_of_a_dead_token(agent):
    issued = services.issue_token(agent=agent, label="job", by=agent.owner)
    services.revoke_token(token=issued.token, by=agent.owner)
    refused(issued.text)
    entry = refusals().get()
    assert (entry.object_id, entry.after["why"]) == (str(agent.pk), "revoked_token")
    assert entry.after["key_id"] == issued.token.key_id


def test_one_address_is_told_no_more_after_too_many(identity):
    for number in range(authentication.REFUSALS_PER_MINUTE):
        refused(f"hwa_{number}")
    kept = refusals().count()
    found = refused("hwa_again")
    assert isinstance(found, TooManyRefused)
    assert found.status == 429
    assert refusals().count() == kept
    # Its neighbours work on.
    assert enter(sign())


# Agents that a mapping rule makes.

GITHUB = "https://token.actions.githubusercontent.com"


@pytest.fixture
def github():
    return create_issuer(
        name="GitHub",
        kind="github",
        issuer=GITHUB,
        audiences=[jwts.AUDIENCE],
        given_keys=jwts.KEYS,
        by=None,
    )


def ci(repository="org/app", ref="refs/heads/main", **changed):
    return sign(
        claims(
            **{
                "iss": GITHUB,
                "sub": f"repo:{repository}:ref:{ref}",
                "repository": repository,
                "repository_owner": repository.partition("/")[0],
                "ref": ref,
                **changed,
            }
        )
    )


@pytest.fixture
def rule(github):
    row = MappingRule.objects.create(
        subject="agent",
        position=1,
        name="CI of org",
        issuer=github,
        conditions=[
            {"claim": "repository", "operator": "glob", "values": ["org/*"]},
            {"claim": "ref", "operator": "one-of", "values": ["refs/heads/main"]},
        ],
        agent_name="ci {repository}",
        owner=factories.person("olga", Role.DEVELOPER),
    )
    row.teams.set([factories.team("ci")])
    return row


def test_a_rule_makes_the_agent_with_owner_and_teams(rule):
    bearer = enter(ci())
    made = Agent.objects.get()
    assert bearer.agent == made
    assert (made.name, made.owner, made.is_active) == ("ci org/app", rule.owner, True)
    assert bearer.principal.groups == {"ci"}
    assert AgentIdentity.objects.get().rule == rule
    actions = list(AuditEntry.objects.values_list("action", flat=True).order_by("number"))
    assert actions[-2:] == ["agent-created", "identity-added"]
    assert enter(ci()).agent == made
    assert Agent.objects.count() == 1


def test_another_subject_of_the_same_name_joins_the_agent(rule):
    first = enter(ci()).agent
    rule.conditions = rule.conditions[:1]
    rule.save()
    assert enter(ci(ref="refs/tags/v1")).agent == first
    assert AgentIdentity.objects.count() == 2


@pytest.mark.parametrize(
    "told", [{"repository": "evil/app"}, {"ref": "refs/pull/7/merge"}, {"repository": "organ/app"}]
)
def test_whom_no_rule_fits_stays_a_stranger(rule, told):
    found = refused(ci(**told))
    assert found.why == "unknown_subject"
    assert "Ask an admin" in found.detail
    assert not Agent.objects.exists()


def test_a_rule_is_asked_again_with_every_token(rule):
    told = {"sub": "repo:org/app:environment:prod"}
    assert enter(ci(**told))
    # The provider was told to leave the branch out of the subject; the rule still reads it.
    assert refused(ci(ref="refs/heads/evil", **told)).why == "rule_ended"
    rule.enabled = False
    rule.save()
    assert refused(ci(**told)).why == "rule_ended"
    rule.delete()
    assert refused(ci(**told)).why == "unknown_subject"


def test_a_rule_takes_no_agent_over_that_it_did_not_make(rule):
    taken = factories.agent("ci org/app", owner=factories.person("ada"))
    assert refused(ci()).why == "name_taken"
    assert not taken.identities.exists()


def test_a_rule_of_one_issuer_is_not_asked_for_another(rule, issuer):
    body = claims(sub="x", repository="org/app", ref="refs/heads/main")
    assert refused(sign(body)).why == "unknown_subject"


def test_a_service_account_of_a_cluster(agent):
    cluster = create_issuer(
        name="Cluster",
        kind="kubernetes",
        issuer="https://kubernetes.default.svc.cluster.local",
        audiences=["hoopweb"],
        given_keys=jwts.KEYS,
        by=None,
    )
    add_identity(agent=agent, issuer=cluster, subject="system:serviceaccount:data:loader", by=None)
    body = claims(
        iss=cluster.issuer,
        aud=["hoopweb"],
        sub="system:serviceaccount:data:loader",
        **{"kubernetes.io": {"namespace": "data", "serviceaccount": {"name": "loader"}}},
    )
    assert enter(sign(body)).agent == agent
    assert refused(sign({**body, "sub": "system:serviceaccount:data:other"})).status == 401
    assert refused(sign({**body, "aud": cluster.issuer})).why == "wrong_audience"
