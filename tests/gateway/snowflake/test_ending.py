"""Sessions that nobody goes on with, and who may renew what."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connections.upstream.types import UpstreamSession
from gateway import pipeline, tasks, wire_sessions
from gateway.models import Statement, WireSession
from gateway.requests import StatementRequest

pytestmark = [pytest.mark.django_db(transaction=True)]
UPSTREAM = UpstreamSession("token-1", "master-1")


@pytest.fixture
def session(cast, warehouse):
    warehouse.serve(cast.connection)
    opened, _ = wire_sessions.open_session(
        principal=cast.principal,
        agent_token_id=None,
        connection=cast.connection,
        client="PythonConnector",
        client_version="4.8.1",
        context={"database": "SHOP", "schema": "CRM", "role": "AGENT", "warehouse": "WH"},
        query_tag="",
        upstream=UPSTREAM,
    )
    return opened


def aged(session, **fields):
    WireSession.objects.filter(pk=session.pk).update(**fields)


def test_an_expired_session_is_ended_and_its_recording_sealed(session):
    assert tasks.end_wire_sessions()["ended"] == 0
    aged(session, master_until=timezone.now() - timedelta(seconds=1))
    assert tasks.end_wire_sessions()["ended"] == 1
    session.refresh_from_db()
    assert session.ended_at is not None
    assert session.upstream == ""
    assert not session.recording.is_open
    assert tasks.end_wire_sessions()["ended"] == 0


def test_a_held_statement_that_nobody_asks_for_is_withdrawn(cast, session):
    statement = pipeline.submit(
        StatementRequest(
            connection_id=cast.connection.pk,
            sql="INSERT INTO SHOP.RETAIL.ORDERS SELECT 1, 'x', 1.0",
            request_id="r1",
            door="snowflake",
            session_id=session.recording_id,
            wire_session_id=session.pk,
            context=session.context,
        ),
        principal=cast.principal,
    )
    assert statement.state == "awaiting_approval"
    long_ago = timezone.now() - timedelta(minutes=6)
    aged(session, last_seen_at=long_ago)
    assert tasks.end_wire_sessions()["abandoned"] == 0, "it has just arrived"
    Statement.objects.update(received_at=long_ago)
    assert tasks.end_wire_sessions()["abandoned"] == 1
    statement.refresh_from_db()
    assert (statement.state, statement.error_text) == ("withdrawn", wire_sessions.NOBODY_WAITS)


def test_one_process_renews_and_the_others_take_what_it_got(session):
    assert wire_sessions.claim_renewal(session.pk, "token-1") is True
    assert wire_sessions.claim_renewal(session.pk, "token-1") is False, "another one is at it"
    newer = UpstreamSession("token-2", "master-2")
    wire_sessions.keep_tokens(session.pk, newer)
    assert wire_sessions.claim_renewal(session.pk, "token-1") == newer
    assert wire_sessions.claim_renewal(session.pk, "token-2") is True
    session.refresh_from_db()
    assert "token" not in str(WireSession.objects.values_list("upstream", flat=True)[0])


def test_tokens_are_kept_as_digests_and_renewed_by_the_master(cast, session):
    opened, tokens = wire_sessions.open_session(
        principal=cast.principal,
        agent_token_id=None,
        connection=cast.connection,
        client="Go",
        client_version="1",
        context={},
        query_tag="",
        upstream=UPSTREAM,
    )
    assert wire_sessions.find(tokens.session).pk == opened.pk
    _, renewed = wire_sessions.renew(tokens.master)
    assert wire_sessions.find(renewed).pk == opened.pk
    assert wire_sessions.find(tokens.session).pk == opened.pk, "for a moment both are good"
    aged(opened, old_until=timezone.now())
    with pytest.raises(wire_sessions.TokenExpired):
        wire_sessions.find(tokens.session)
    with pytest.raises(wire_sessions.TokenExpired):
        wire_sessions.renew(tokens.session)
    row = WireSession.objects.filter(pk=opened.pk).values().get()
    assert tokens.session not in str(row)
    assert tokens.master not in str(row)
