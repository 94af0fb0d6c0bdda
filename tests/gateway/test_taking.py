"""Statements of drivers: recorded together, each with all that belongs to it."""

import uuid

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from connections.upstream.types import UpstreamSession
from gateway import execution, pipeline, wire_sessions
from gateway.execution import Outcome
from gateway.models import Statement, Transition
from gateway.requests import StatementRequest
from gateway.states import StatementState
from hoopweb.lib import rate
from hoopweb.lib.errors import IdempotencyMismatch, TooManyRequests
from recordings.models import Event, Session

pytestmark = pytest.mark.django_db(transaction=True)

READ = "SELECT CITY FROM SHOP.RETAIL.ORDERS"
DENIED = "GRANT ROLE SYSADMIN TO USER EVE"
WRITE = "UPDATE SHOP.CRM.CONTACTS SET CITY = 'Rome' WHERE CONTACT_ID = 1"


def opened(cast, **given):
    """A driver's session."""
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
            "login_until": None,
            **given,
        }
    )


def judged(cast, session, sql, *, request_id=None):
    request = StatementRequest(
        connection_id=cast.connection.pk,
        sql=sql,
        request_id=request_id or str(uuid.uuid4()),
        door="snowflake",
        session_id=session.recording_id,
        wire_session_id=session.pk,
        context=session.context,
    )
    return pipeline.judged(request, principal=cast.principal, connection=cast.connection)


def kinds(statement):
    events = Event.objects.filter(statement_id=statement.pk).order_by("number")
    return list(events.values_list("kind", flat=True))


def moves(statement):
    return list(Transition.objects.filter(statement=statement).values_list("target", flat=True))


def unbroken(session_id):
    """The chain of a recording has each number once, each event knows the one before."""
    session = Session.objects.get(pk=session_id)
    events = list(session.events.order_by("number"))
    assert [e.number for e in events] == list(range(1, session.event_count + 1))
    assert [e.previous for e in events[1:]] == [e.hash for e in events[:-1]]
    assert session.head == events[-1].hash


def test_each_gets_its_decision_and_intent_in_its_own_chain(cast):
    one, other = (opened(cast)[0] for _ in range(2))
    asked = [
        judged(cast, one, READ),
        judged(cast, other, READ),
        judged(cast, one, DENIED),
        judged(cast, other, WRITE),
    ]
    took = pipeline.take_all(asked, "w-1")
    assert [statement.state for statement, _ in took] == [
        StatementState.RUNNING,
        StatementState.RUNNING,
        StatementState.DENIED,
        StatementState.AWAITING_APPROVAL,
    ]
    for statement, new in took:
        assert new
        kept = Statement.objects.get(pk=statement.pk)
        assert (kept.state, kept.effect, kept.sql_upstream) == (
            statement.state,
            statement.effect,
            statement.sql_upstream,
        )
        unbroken(kept.session_id)
    assert kinds(took[0][0]) == ["statement", "decision", "intent"]
    assert kinds(took[2][0]) == ["statement", "decision"]
    assert moves(took[0][0]) == ["queued", "running"]
    assert took[0][0].worker == "w-1"
    assert took[3][0].approval_id is not None


def test_a_repeated_id_among_several_records_nothing_and_is_joined_alone(cast):
    session, _ = opened(cast)
    first = judged(cast, session, READ, request_id="r")
    pipeline.take_one(first, "w-1")
    before = Event.objects.count()
    again, fresh = judged(cast, session, READ, request_id="r"), judged(cast, session, READ)
    with pytest.raises(IntegrityError):
        pipeline.take_all([fresh, again], "w-1")
    assert Event.objects.count() == before
    # One by one, as the caller does then, with the very same objects.
    statement, new = pipeline.take_one(fresh, "w-1")
    assert new
    assert statement.state == StatementState.RUNNING
    joined, new = pipeline.take_one(again, "w-1")
    assert not new
    assert joined.pk == first.statement.pk
    unbroken(session.recording_id)


def test_the_same_id_for_another_text_is_refused(cast):
    session, _ = opened(cast)
    pipeline.take_one(judged(cast, session, READ, request_id="r"), "w-1")
    with pytest.raises(IdempotencyMismatch):
        pipeline.take_one(judged(cast, session, READ + " LIMIT 1", request_id="r"), "w-1")


def test_rules_that_changed_in_between_count(cast):
    session, _ = opened(cast)
    asked = judged(cast, session, READ)
    cast.connection.rules.create(
        slug="nobody-reads", position=0, effect="deny", match={"classes": ["select"]}
    )
    type(cast.connection).objects.filter(pk=cast.connection.pk).update(policy_revision=2)
    (statement, _), *_ = pipeline.take_all([asked], "w-1")
    assert statement.state == StatementState.DENIED


def test_a_sealed_recording_takes_no_more(cast):
    one, other = (opened(cast)[0] for _ in range(2))
    asked = [judged(cast, one, READ), judged(cast, other, READ)]
    wire_sessions.end(one.pk, actor=cast.principal.as_actor(), reason="logged out")
    before = Statement.objects.count()
    with pytest.raises(Exception, match="sealed"):
        pipeline.take_all(asked, "w-1")
    assert Statement.objects.count() == before
    statement, _ = pipeline.take_one(asked[1], "w-1")
    assert statement.state == StatementState.RUNNING


def test_more_than_a_minute_takes_is_refused_before_anything_is_written(cast, settings):
    session, _ = opened(cast)
    settings.STATEMENTS_PER_MINUTE = 2
    rate._here.clear()
    for _ in range(2):
        pipeline.take_one(judged(cast, session, READ), "w-1")
    with pytest.raises(TooManyRequests, match="same request id"):
        judged(cast, session, READ)
    assert Statement.objects.count() == 2


def ended(statement, **given):
    return statement, Outcome(StatementState.SUCCEEDED, **given)


def test_ends_are_recorded_together(cast):
    sessions = [opened(cast)[0] for _ in range(2)]
    running = [pipeline.take_one(judged(cast, s, READ), "w-1")[0] for s in sessions * 2]
    running.append(pipeline.take_one(judged(cast, sessions[0], READ), "w-1")[0])
    # The last one was cancelled by somebody and has its end.
    execution.record_outcome(running[-1].pk, Outcome(StatementState.CANCELLED, code="000604"))
    failed = (running[0], Outcome(StatementState.FAILED, code="002003", text="no such table"))
    final = execution.record_outcomes([failed, *map(ended, running[1:])])
    assert [s.state for s in final] == ["failed", *["succeeded"] * 3, "cancelled"]
    for statement in final:
        kept = Statement.objects.get(pk=statement.pk)
        assert kept.state == statement.state
        assert kept.finished_at is not None
        assert kinds(kept)[-1] == "outcome"
        assert kinds(kept).count("outcome") == 1
        unbroken(kept.session_id)


def test_an_end_that_could_not_be_written_is_written_later(cast, monkeypatch):
    session, _ = opened(cast)
    statement, _ = pipeline.take_one(judged(cast, session, READ), "w-1")

    def away(*_):
        raise connection.Database.OperationalError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(execution.ledger, "finish_all", away)
        with pytest.raises(Exception, match="gone"):
            execution.record_outcomes([ended(statement)])
    assert Statement.objects.get(pk=statement.pk).state == StatementState.RUNNING
    (final,) = execution.record_outcomes([ended(statement, query_id="01-x")])
    assert final.state == StatementState.SUCCEEDED
    kept = Statement.objects.get(pk=statement.pk)
    assert (kept.state, kept.upstream_query_id) == (StatementState.SUCCEEDED, "01-x")
    assert kinds(kept).count("outcome") == 1


def test_many_cost_no_more_questions_than_few(cast):
    session, _ = opened(cast)

    def count(number):
        asked = [judged(cast, session, READ) for _ in range(number)]
        with CaptureQueriesContext(connection) as seen:
            took = pipeline.take_all(asked, "w-1")
            execution.record_outcomes([ended(statement) for statement, _ in took])
        return len(seen)

    count(1)
    assert count(8) == count(1)


def test_columns_of_an_end_are_kept_to_the_letter(cast):
    session, _ = opened(cast)
    statement, _ = pipeline.take_one(judged(cast, session, READ), "w-1")
    statement.columns = [{"name": 'Käse "a", {b}', "type": "TEXT", "masked": True}]
    execution.record_outcomes([ended(statement)])
    assert Statement.objects.get(pk=statement.pk).columns == statement.columns
