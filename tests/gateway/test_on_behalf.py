"""What an agent does for somebody: recorded apart, never approved by them, ended with them."""

from dataclasses import replace

import pytest

from accounts import services
from accounts.authentication import authenticate_bearer, still_holds
from accounts.bearer import BearerRefused
from accounts.mapping import Condition, Operator
from accounts.models import Agent, AgentIdentity, Identity, User
from accounts.principal import Role
from accounts.services import identities, mapping_rules
from accounts.services.directories import create_directory
from accounts.services.identities import add_identity
from accounts.services.issuers import create_issuer, update_issuer
from accounts.services.provisioning import Person, create_person, delete_person
from approvals import services as approvals
from approvals.models import ApprovalRequest
from connections.models import Connection
from connections.services.access import revoke_access
from connections.upstream.types import UpstreamSession
from gateway import cutting, pipeline, standing, wire_sessions
from gateway.models import Statement
from gateway.requests import StatementRequest
from hoopweb.lib.errors import NotFound, SelfApproval
from recordings.models import Event
from tests import factories
from tests.accounts import jwts

pytestmark = pytest.mark.django_db
WRITE = "UPDATE SHOP.CRM.CONTACTS SET CITY = 'Rome' WHERE CONTACT_ID = {}"


def send(cast, number, principal, **told):
    request = StatementRequest(
        connection_id=cast.connection.pk,
        sql=WRITE.format(number),
        request_id=f"request-{number}",
        door="rest",
        **told,
    )
    return pipeline.submit(request, principal=principal)


def acting_for(cast, person):
    return cast.agent.as_principal(on_behalf_of=str(person), on_behalf_of_id=person.pk)


def test_nobody_approves_what_an_agent_does_for_them(cast):
    rita = cast.reviewer
    statement = send(cast, 1, acting_for(cast, rita))
    request = ApprovalRequest.objects.get(statement_id=statement.pk)
    assert request.on_behalf_of == "Rita"
    assert request not in ApprovalRequest.objects.decidable_by(rita)
    assert request in ApprovalRequest.objects.decidable_by(cast.second_reviewer)
    with pytest.raises(SelfApproval, match="acts for you"):
        approvals.vote(request_id=request.pk, by=rita, choice="approve", digest=request.digest)
    approvals.vote(
        request_id=request.pk, by=cast.second_reviewer, choice="approve", digest=request.digest
    )
    request.refresh_from_db()
    assert request.state == "approved"


def test_a_session_is_of_one_person(cast):
    uma = replace(cast.principal, on_behalf_of="Uma")
    first = send(cast, 1, uma)
    second = send(cast, 2, replace(cast.principal, on_behalf_of="Max"))
    third = send(cast, 3, uma)
    assert first.session_id == third.session_id != second.session_id
    assert second.session.on_behalf_of == "Max"
    with pytest.raises(NotFound):
        send(cast, 4, uma, session_id=second.session_id)


def test_what_waits_ends_with_the_person_it_is_for(cast, django_capture_on_commit_callbacks):
    nora = factories.person("nora", Role.DEVELOPER)
    for_nora = send(cast, 1, acting_for(cast, nora))
    other = send(cast, 2, acting_for(cast, cast.stranger))
    with django_capture_on_commit_callbacks(execute=True):
        services.disable_user(user=nora, by=None)
    for_nora.refresh_from_db()
    other.refresh_from_db()
    assert for_nora.state == "withdrawn"
    assert other.state == "awaiting_approval"
    assert standing.ended(for_nora) == standing.BEHIND_DISABLED


@pytest.mark.parametrize("how", ["switched off", "deleted"])
def test_what_a_rule_let_in_ends_with_the_rule(cast, how, django_capture_on_commit_callbacks):
    issuer = create_issuer(
        name="CI", issuer=jwts.ISSUER, audiences=["x"], given_keys=jwts.KEYS, by=None
    )
    rule = mapping_rules.save_agent_rule(
        rule=None,
        name="CI",
        issuer=issuer,
        conditions=[Condition("sub", Operator.EQUALS, ("job",))],
        agent_name="job",
        owner=cast.owner,
        by=None,
    )
    made = identities.admit(issuer, "job", {"sub": "job"}, address=None)
    assert made == AgentIdentity.objects.get()
    agent = Agent.objects.get(name="job")
    factories.allow(cast.connection, agent)
    statement = send(cast, 1, replace(agent.as_principal(), token=str(made.pk)))
    assert Statement.objects.get().state == "awaiting_approval"
    with django_capture_on_commit_callbacks(execute=True):
        if how == "deleted":
            mapping_rules.delete_rule(rule=rule, by=None)
        else:
            mapping_rules.switch_rule(rule=rule, on=False, by=None)
    statement.refresh_from_db()
    assert statement.state == "withdrawn"
    assert standing.ended(statement) == standing.TOKEN_REVOKED


@pytest.fixture
def issuer(cast):
    row = create_issuer(
        name="Company", issuer=jwts.ISSUER, audiences=[jwts.AUDIENCE], given_keys=jwts.KEYS, by=None
    )
    add_identity(agent=cast.agent, issuer=row, subject="loader", by=None)
    return row


def entered(person_subject):
    token = jwts.sign(jwts.claims(sub=person_subject, act={"sub": "loader"}))
    return authenticate_bearer(token, door="snowflake", address="192.0.2.1")


def known(person, subject):
    Identity.objects.link(person, issuer=jwts.ISSUER, subject=subject)
    return person


def logged_in(cast, bearer):
    """A driver's session."""
    session, tokens = wire_sessions.open_session(
        principal=bearer.principal,
        agent_token_id=None,
        login_until=bearer.session_until,
        connection=cast.connection,
        client="PythonConnector",
        client_version="4.8.1",
        context={},
        query_tag="",
        upstream=UpstreamSession("token-1", "master-1"),
    )
    return session, tokens


def test_a_disabled_person_s_delegations_are_refused_and_cut(
    cast, issuer, django_capture_on_commit_callbacks
):
    nora = known(factories.person("nora", Role.DEVELOPER), "u-nora")
    bearer, other = entered("u-nora"), entered("u-unknown")
    session, tokens = logged_in(cast, bearer)
    theirs, their_tokens = logged_in(cast, other)
    assert still_holds(bearer.principal)
    with django_capture_on_commit_callbacks(execute=True):
        services.disable_user(user=nora, by=None)
    with pytest.raises(BearerRefused) as caught:
        entered("u-nora")
    assert caught.value.why == "person_disabled"
    assert not still_holds(bearer.principal), "a call that waits ends"
    with pytest.raises(wire_sessions.SessionOver):
        wire_sessions.find(tokens.session)
    session.recording.refresh_from_db()
    assert session.recording.seal
    last = Event.objects.filter(session=session.recording).latest("number")
    assert last.data["reason"] == standing.BEHIND_DISABLED
    assert wire_sessions.find(their_tokens.session).pk == theirs.pk, "the agent may go on"
    assert theirs.recording.is_open


def test_a_lost_word_is_made_up_for(cast, issuer):
    nora = known(factories.person("nora", Role.DEVELOPER), "u-nora")
    session, _ = logged_in(cast, entered("u-nora"))
    User.objects.filter(pk=nora.pk).update(is_active=False)
    assert cutting.cut_lost() == 1
    session.refresh_from_db()
    assert session.ended_at


def test_whom_only_a_directory_knows_counts_too(cast, issuer):
    directory = create_directory(name="Okta", issuer=jwts.ISSUER, by=None)
    said = Person(username="lea", name="Lea", external_id="u-lea")
    lea = create_person(directory=directory, said=said)
    assert entered("u-lea").principal.on_behalf_of_id == lea.user_id
    delete_person(person=lea)
    with pytest.raises(BearerRefused) as caught:
        entered("u-lea")
    assert caught.value.why == "person_disabled"


def test_within_a_person_s_access_an_agent_does_what_both_may(
    cast, issuer, django_capture_on_commit_callbacks
):
    nora = known(factories.person("nora", Role.DEVELOPER), "u-nora")
    assert Connection.objects.usable_by(entered("u-nora").principal).exists(), "as it is unsaid"
    session, _ = logged_in(cast, entered("u-nora"))
    with django_capture_on_commit_callbacks(execute=True):
        update_issuer(issuer=issuer, by=None, within_person=True, given_keys=jwts.KEYS)
    session.refresh_from_db()
    assert session.ended_at, "said now, it ends what goes beyond"
    principal = entered("u-nora").principal
    assert not Connection.objects.usable_by(principal).exists()
    with pytest.raises(NotFound):
        send(cast, 1, principal)
    with pytest.raises(BearerRefused) as caught:
        entered("u-unknown")
    assert caught.value.why == "person_unknown"
    access = factories.allow(cast.connection, nora)
    principal = entered("u-nora").principal
    held = send(cast, 2, principal)
    session, _ = logged_in(cast, entered("u-nora"))
    own = send(cast, 3, cast.principal)
    assert (held.state, own.state) == ("awaiting_approval", "awaiting_approval")
    with django_capture_on_commit_callbacks(execute=True):
        revoke_access(access=access, by=cast.admin)
    for row in (held, own, session):
        row.refresh_from_db()
    assert (held.state, held.error_text) == ("withdrawn", standing.ACCESS_ENDED)
    assert session.ended_at
    assert own.state == "awaiting_approval", "for itself it needs nobody"


def test_a_person_s_access_gives_their_agent_nothing(cast, issuer):
    update_issuer(issuer=issuer, by=None, within_person=True, given_keys=jwts.KEYS)
    vault = factories.connection("vault")
    nora = known(factories.person("nora", Role.DEVELOPER), "u-nora")
    factories.allow(vault, nora)
    assert not Connection.objects.usable_by(entered("u-nora").principal).exists()


def test_a_grant_for_one_person_is_none_for_the_next(cast):
    nora, max_ = factories.person("nora"), factories.person("max")
    first = send(cast, 1, acting_for(cast, nora))
    request = ApprovalRequest.objects.get(statement_id=first.pk)
    approvals.vote(
        request_id=request.pk,
        by=cast.reviewer,
        choice="approve",
        digest=request.digest,
        grant_minutes=60,
    )

    def again(principal, request_id):
        return pipeline.submit(
            StatementRequest(
                connection_id=cast.connection.pk,
                sql=WRITE.format(1),
                request_id=request_id,
                door="rest",
            ),
            principal=principal,
        )

    assert again(acting_for(cast, nora), "again-1").state == "queued"
    assert again(acting_for(cast, max_), "again-2").state == "awaiting_approval"
    assert again(cast.principal, "again-3").state == "awaiting_approval"
