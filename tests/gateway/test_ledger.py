"""The short way through the database writes what the long one writes, or nothing."""

import os
import uuid
from types import SimpleNamespace

import pytest
from django.db import IntegrityError, connection
from django.forms.models import model_to_dict
from django.test.utils import CaptureQueriesContext
from isal import igzip

from accounts.services import issue_token
from connections.upstream.types import ResultColumn
from gateway import admission, execution, pipeline, wire_results, wire_sessions
from gateway.execution import Outcome
from gateway.models import Statement, Transition
from gateway.results import described
from gateway.states import StatementState
from hoopweb.lib.errors import NotFound
from recordings.kinds import EventKind
from recordings.models import Event, Payload, Session
from recordings.services import heads
from recordings.verify import verify_session
from tests import factories
from tests.gateway.test_admission import CHANGES
from tests.gateway.test_taking import DENIED, READ, WRITE, judged, opened, unbroken

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "192.0.2.1"


@pytest.fixture(autouse=True)
def _nothing_known():
    admission._known.clear()
    heads._known.clear()


@pytest.fixture
def login(cast):
    team = factories.team("loaders")
    cast.agent.teams.add(team)
    cast.connection.access.all().delete()
    factories.allow(cast.connection, team)
    token = issue_token(agent=cast.agent, label="t", by=cast.owner).token
    session, tokens = opened(cast, agent_token_id=token.pk)
    versions = admission.admitted(tokens.session, ADDRESS).versions
    return SimpleNamespace(
        session=session, text=tokens.session, token=token, versions=versions, cast=cast
    )


def result():
    import pyarrow as pa

    table = pa.table({"CITY": ["Lima", None]})
    column = ResultColumn("CITY", "TEXT", None, None, True)
    return described(table, ["CITY"], [], rowtype=[column], masked_outputs=[], query_id="01-a")


def take(cast, login, *texts, **given):
    asked = [judged(cast, login.session, text, **given) for text in texts]
    return pipeline.take_quickly(asked, [login.versions], "w-1")


OWN = {"id", "request_id", "received_at", "started_at", "heartbeat_at", "finished_at", "result"}


def row_of(statement):
    kept = Statement.objects.get(pk=statement.pk)
    row = {f.name: getattr(kept, f.attname) for f in Statement._meta.concrete_fields}
    assert all((row[name] is None) == (getattr(statement, name) is None) for name in OWN)
    return {name: value for name, value in row.items() if name not in OWN | {"request_digest"}}


def story_of(statement):
    events = Event.objects.filter(statement_id=statement.pk).order_by("number")
    left_out = {"request_id", "upstream_request_id", "duration_ms"}
    told = [
        (e.kind, e.actor, {k: v for k, v in e.data.items() if k not in left_out}) for e in events
    ]
    moves = Transition.objects.filter(statement=statement).order_by("id")
    return told, list(moves.values_list("source", "target"))


@pytest.mark.parametrize("sql", [READ, DENIED])
def test_both_ways_write_the_same(cast, login, sql):
    ((quick, new),) = take(cast, login, sql)
    assert new
    ((slow, _),) = pipeline.take_all([judged(cast, login.session, sql)], "w-1")
    assert row_of(quick) == row_of(slow)
    assert story_of(quick) == story_of(slow)
    unbroken(login.session.recording_id)


def test_both_ways_end_alike(cast, login):
    ((quick, _), (slow, _)) = take(cast, login, READ, READ)
    with CaptureQueriesContext(connection) as seen:
        execution.record_outcomes(
            [(quick, Outcome(StatementState.SUCCEEDED, result=result(), query_id="01-a"))]
        )
    assert not seen.captured_queries, "nothing but the one statement, which Django does not see"
    execution.record_outcome(
        slow.pk, Outcome(StatementState.SUCCEEDED, result=result(), query_id="01-a")
    )
    slow.refresh_from_db()
    assert row_of(quick) == row_of(slow)
    assert story_of(quick) == story_of(slow)
    kept = Payload.objects.get(pk=quick.result_id)
    assert kept.size == len(result().content)
    session = Session.objects.get(pk=login.session.recording_id)
    assert verify_session(session).ok


def test_what_waits_for_somebody_goes_the_long_way(cast, login):
    read, write = take(cast, login, READ, WRITE)
    assert read[0].state == StatementState.RUNNING
    assert write[0].state == StatementState.AWAITING_APPROVAL
    unbroken(login.session.recording_id)


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_written_once_anything_changed(cast, login, change):
    asked = judged(cast, login.session, READ)
    CHANGES[change](login)
    before = Statement.objects.count(), Event.objects.count(), Transition.objects.count()
    assert pipeline.take_quickly([asked], [login.versions], "w-1") is None
    assert (Statement.objects.count(), Event.objects.count(), Transition.objects.count()) == before
    unbroken(login.session.recording_id)


def test_one_that_was_overtaken_holds_back_all(cast, login):
    other, tokens = opened(cast, agent_token_id=login.token.pk)
    versions = admission.admitted(tokens.session, ADDRESS).versions
    asked = [judged(cast, login.session, READ), judged(cast, other, READ)]
    wire_sessions.remember(other.pk, context={"schema": "RETAIL"})
    assert pipeline.take_quickly(asked, [login.versions, versions], "w-1") is None
    assert not Statement.objects.exists()


def test_another_process_that_went_on_with_the_recording_is_noticed(cast, login):
    take(cast, login, READ)
    recording = login.session.recording_id
    known = heads.take([recording])
    pipeline.take_all([judged(cast, login.session, READ)], "w-2")
    heads.keep(known.values())  # as a process has it that heard nothing of that
    assert take(cast, login, READ) is None
    assert take(cast, login, READ) is not None, "read anew after that"
    unbroken(recording)


def test_a_repeated_id_is_told(cast, login):
    take(cast, login, READ, request_id="r")
    before = Event.objects.count()
    with pytest.raises(IntegrityError):
        take(cast, login, READ, request_id="r")
    assert Event.objects.count() == before
    assert take(cast, login, READ) is not None


def test_what_has_an_end_gets_no_other(cast, login):
    ((statement, _),) = take(cast, login, READ)
    execution.record_outcome(statement.pk, Outcome(StatementState.CANCELLED, code="000604"))
    (final,) = execution.record_outcomes([(statement, Outcome(StatementState.SUCCEEDED))])
    assert final.state == StatementState.CANCELLED
    assert story_of(statement)[0][-1][2]["state"] == "cancelled"
    unbroken(login.session.recording_id)


def test_what_moves_its_session_is_followed(cast, login):
    ((statement, _),) = take(cast, login, READ)
    places = {"database": "SHOP", "schema": "RETAIL", "role": "AGENT", "warehouse": "WH"}
    execution.record_outcomes([(statement, Outcome(StatementState.SUCCEEDED, places=places))])
    assert admission.admitted(login.text, ADDRESS).session.context["schema"] == "RETAIL"


def test_many_cost_no_more_than_one(cast, login):
    take(cast, login, READ)
    asked = [judged(cast, login.session, READ) for _ in range(8)]
    with CaptureQueriesContext(connection) as seen:
        took = pipeline.take_quickly(asked, [login.versions], "w-1")
        execution.record_outcomes(
            [(statement, Outcome(StatementState.SUCCEEDED)) for statement, _ in took]
        )
    assert not seen.captured_queries
    assert Statement.objects.filter(state="succeeded").count() == 8


def part_of(login, statement, place, content=b"rows"):
    return wire_results.sealed_part(
        statement,
        login.session.recording_id,
        place=place,
        rows=1,
        content=content,
        zipped=igzip.compress(content),
        findings=[],
    )


def parts_written(statement):
    events = Event.objects.filter(statement_id=statement.pk, kind=EventKind.RESULT_PART)
    found = events.order_by("number")
    return [(e.data["part"], e.payloads[0]["size"]) for e in found]


def test_parts_are_written_down_together_and_once(cast, login):
    ((statement, _),) = take(cast, login, READ)
    first = [part_of(login, statement, place) for place in (0, 1)]
    assert wire_results.record_together(first, [login.versions])
    again = [part_of(login, statement, place) for place in (2, 1)]
    assert not wire_results.record_together(again, [login.versions]), (
        "one of them has been written down"
    )
    for part in again:
        wire_results.record_part(part)
    assert parts_written(statement) == [(0, 4), (1, 4), (2, 4)]
    assert Payload.objects.filter(media_type="application/vnd.snowflake.part").count() == 3
    session = Session.objects.get(pk=login.session.recording_id)
    assert verify_session(session).ok


@pytest.mark.parametrize("change", CHANGES)
def test_parts_are_for_those_whose_access_stands(cast, login, change):
    ((statement, _),) = take(cast, login, READ)
    part = part_of(login, statement, 0)
    CHANGES[change](login)
    before = Event.objects.count()
    assert not wire_results.record_together([part], [login.versions])
    assert (Event.objects.count(), Payload.objects.count()) == (before, 0)
    if change == "session ended":
        return  # what it was answered may still be fetched, and is recorded elsewhere
    with pytest.raises((wire_sessions.SessionOver, NotFound)):
        admission.pass_for(login.session, ADDRESS)


def test_a_repeated_part_leaves_nothing_in_the_storage(cast, login, settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path)},
        },
    }
    ((statement, _),) = take(cast, login, READ)
    large = os.urandom(300_000)
    for _ in range(2):
        part = part_of(login, statement, 0, large)
        if not wire_results.record_together([part], [login.versions]):
            wire_results.record_part(part)
    assert parts_written(statement) == [(0, 300_000)]
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_words_come_back_to_the_letter(cast, login):
    sql = "SELECT CITY AS \"Käse 'a', {b} \\ 😀\" FROM SHOP.RETAIL.ORDERS"
    ((statement, _),) = take(cast, login, sql, request_id=f"r-{uuid.uuid4()}")
    kept = Statement.objects.get(pk=statement.pk)
    assert kept.sql_given == sql
    assert kept.sql_upstream == statement.sql_upstream
    assert model_to_dict(kept)["facts"] == statement.facts
