"""A login with a provider's token counts for so long, and what it let in is not cut off."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AgentIdentity, Issuer
from accounts.services.identities import add_identity
from accounts.services.issuers import create_issuer, update_issuer
from connections.upstream.types import UpstreamSession
from gateway import logins, pipeline, tasks, wire_sessions
from gateway.models import Statement, WireBatch, WireSession
from gateway.requests import StatementRequest
from gateway.snowflake.errors import MASTER_EXPIRED, refusal_of
from gateway.snowflake.login import Ask, _who
from hoopweb.lib.errors import InvalidRequest
from tests.accounts import jwts

pytestmark = [pytest.mark.django_db(transaction=True)]
WRITE = "INSERT INTO SHOP.RETAIL.ORDERS SELECT 1, 'x', 1.0"


@pytest.fixture
def issuer(cast):
    row = create_issuer(
        name="Company", issuer=jwts.ISSUER, audiences=[jwts.AUDIENCE], given_keys=jwts.KEYS, by=None
    )
    add_identity(agent=cast.agent, issuer=row, subject="loader", by=None)
    return row


def entered(**claims):
    """What the door knows of a driver that logs in with a JWT."""
    data = {"AUTHENTICATOR": "OAUTH", "TOKEN": jwts.sign(jwts.claims(**claims))}
    return _who(Ask.parse(data, {}, "192.0.2.1"))


def opened(cast, warehouse, **given):
    warehouse.serve(cast.connection)
    return wire_sessions.open_session(
        **{
            "principal": cast.principal,
            "agent_token_id": None,
            "connection": cast.connection,
            "client": "PythonConnector",
            "client_version": "4.8.1",
            "context": {"database": "SHOP", "schema": "CRM", "role": "AGENT", "warehouse": "WH"},
            "query_tag": "",
            "upstream": UpstreamSession("token-1", "master-1"),
            "login_until": timezone.now() + timedelta(hours=4),
            **given,
        }
    )


def past(session, seconds=1):
    """The login's time is over."""
    until = timezone.now() - timedelta(seconds=seconds)
    WireSession.objects.filter(pk=session.pk).update(login_until=until)
    session.refresh_from_db()


def send(cast, session, request_id="r1"):
    return pipeline.submit(
        StatementRequest(
            connection_id=cast.connection.pk,
            sql=WRITE,
            request_id=f"{session.pk}/{request_id}",
            door="snowflake",
            session_id=session.recording_id,
            wire_session_id=session.pk,
            context=session.context,
        ),
        principal=cast.principal,
    )


def hours(until):
    return (until - timezone.now()) / timedelta(hours=1)


def test_the_issuer_says_how_long_a_login_counts(issuer):
    assert hours(entered().session_until) == pytest.approx(4, abs=0.01), "a token of five minutes"
    update_issuer(issuer=issuer, by=None, session_hours=12, given_keys=jwts.KEYS)
    assert hours(entered().session_until) == pytest.approx(12, abs=0.01)
    update_issuer(issuer=issuer, by=None, session_hours=0, given_keys=jwts.KEYS)
    bearer = entered()
    assert bearer.session_until == bearer.expires_at, "0: as long as the token itself"
    with pytest.raises(InvalidRequest, match="24 hours"):
        update_issuer(issuer=issuer, by=None, session_hours=25, given_keys=jwts.KEYS)


def test_an_agent_token_is_asked_each_time_instead(cast):
    from accounts import services as accounts

    token = accounts.issue_token(agent=cast.agent, label="x", by=cast.owner)
    data = {"AUTHENTICATOR": "PROGRAMMATIC_ACCESS_TOKEN", "TOKEN": token.text}
    assert _who(Ask.parse(data, {}, "192.0.2.1")).session_until is None


def test_renewing_does_not_outlast_the_login(cast, warehouse):
    session, tokens = opened(cast, warehouse)
    _, renewed = wire_sessions.renew(tokens.master)
    session.refresh_from_db()
    past(session)
    for ask in (
        lambda: wire_sessions.find(renewed),
        lambda: wire_sessions.renew(tokens.master),
        lambda: logins.need_to_begin(session, "new", "new"),
    ):
        with pytest.raises(logins.LoginOver, match="fresh token of your provider"):
            ask()
    assert refusal_of(logins.LoginOver()).code == MASTER_EXPIRED == "390114"


def test_drivers_are_told_what_is_left(cast, warehouse):
    session, _ = opened(cast, warehouse, login_until=timezone.now() + timedelta(minutes=10))
    assert 590 <= logins.left(session, wire_sessions.MASTER_LIFE) <= 600
    session.login_until = None
    assert logins.left(session, wire_sessions.MASTER_LIFE) == 4 * 3600


def test_what_waits_is_asked_for_beyond_the_login_and_nothing_begins(cast, warehouse):
    session, tokens = opened(cast, warehouse)
    held = send(cast, session)
    assert held.state == "awaiting_approval"
    past(session)
    assert wire_sessions.find(tokens.session).pk == session.pk
    _, renewed = wire_sessions.renew(tokens.master)
    assert wire_sessions.find(renewed).pk == session.pk
    assert tasks.end_wire_sessions()["ended"] == 0
    logins.need_to_begin(session, held.request_id, "r1")
    with pytest.raises(logins.LoginOver):
        logins.need_to_begin(session, f"{session.pk}/r2", "r2")
    # Decided, its answer may be fetched for a moment; then the session is over.
    Statement.objects.update(state="rejected", finished_at=timezone.now())
    assert wire_sessions.find(renewed).pk == session.pk
    Statement.objects.update(finished_at=timezone.now() - timedelta(minutes=6))
    with pytest.raises(logins.LoginOver):
        wire_sessions.find(renewed)
    assert tasks.end_wire_sessions()["ended"] == 1
    session.refresh_from_db()
    assert session.ended_at


def test_a_batch_that_was_taken_in_goes_on(cast, warehouse):
    session, _ = opened(cast, warehouse)
    WireBatch.objects.create(wire_session=session, request_id="b1", sql="SELECT 1; SELECT 2")
    past(session)
    logins.need_to_begin(session, "", "b1")
    with pytest.raises(logins.LoginOver):
        logins.need_to_begin(session, "", "b2")


def test_a_token_s_end_alone_cuts_nothing(cast, warehouse, issuer):
    bearer = entered()
    session, tokens = opened(
        cast, warehouse, principal=bearer.principal, login_until=bearer.session_until
    )
    assert session.principal["token"] == str(AgentIdentity.objects.get().pk)
    held = send(cast, session)
    # Its five minutes are long over; the login counts.
    Issuer.objects.update(session_hours=0)
    assert wire_sessions.find(tokens.session).pk == session.pk
    assert tasks.end_wire_sessions()["ended"] == 0
    held.refresh_from_db()
    assert held.state == "awaiting_approval"
