"""What the pipeline promises, stage by stage."""

import pytest

from approvals.models import ApprovalRequest
from gateway import pipeline
from gateway.models import Statement, Transition
from gateway.requests import StatementRequest
from gateway.states import StatementState
from hoopweb.lib.errors import IdempotencyMismatch, InvalidRequest, NotFound
from recordings.models import Event
from tests import factories

pytestmark = pytest.mark.django_db

READ = "SELECT CITY, COUNT(*) AS N FROM SHOP.RETAIL.ORDERS GROUP BY CITY"
WRITE = "UPDATE SHOP.CRM.CONTACTS SET CITY = 'Rome' WHERE CONTACT_ID = 1"


def ask(cast, sql, *, request_id="r1", **kw):
    request = StatementRequest(
        connection_id=cast.connection.pk, sql=sql, request_id=request_id, door="rest", **kw
    )
    return pipeline.submit(request, principal=cast.principal)


def kinds(statement):
    return list(
        Event.objects.filter(session_id=statement.session_id)
        .order_by("number")
        .values_list("kind", flat=True)
    )


def test_a_read_is_queued_with_its_events(cast):
    statement = ask(cast, READ, prompt="Which cities buy most?")
    assert statement.state == StatementState.QUEUED
    assert kinds(statement) == ["session-opened", "prompt", "statement", "decision"]


def test_a_protected_column_is_masked_at_its_scan(cast):
    statement = ask(cast, "SELECT EMAIL FROM SHOP.CRM.CONTACTS")
    assert statement.state == StatementState.QUEUED
    assert statement.masked_outputs == [0]
    assert statement.sql_sent != statement.sql_given
    assert [p["column"] for p in statement.protections] == ["SHOP.CRM.CONTACTS.EMAIL"]


def test_a_write_waits_and_the_request_names_what_it_is_bound_to(cast):
    statement = ask(cast, WRITE, prompt="Move Alice")
    assert statement.state == StatementState.AWAITING_APPROVAL
    request = ApprovalRequest.objects.get(statement_id=statement.pk)
    assert request.digest == statement.digest
    assert request.sql_sent == statement.sql_sent
    assert request.reasons


@pytest.mark.parametrize(
    "sql",
    [
        "COPY INTO @SHOP.CRM.OUT FROM SHOP.CRM.CONTACTS",
        "GRANT OWNERSHIP ON TABLE SHOP.CRM.CONTACTS TO ROLE PUBLIC",
        "SELECT * FROM SHOP.CRM.NOWHERE",
        "SELECT NOTHING FROM SHOP.CRM.CONTACTS",
        "SELEKT 1",
        "SELECT 1; SELECT 2",
        "EXECUTE IMMEDIATE 'DROP TABLE SHOP.CRM.CONTACTS'",
    ],
)
def test_what_is_not_proved_harmless_is_denied_with_a_way_out(cast, sql):
    statement = ask(cast, sql)
    assert statement.state == StatementState.DENIED
    assert statement.reasons
    assert all(r["text"] for r in statement.reasons)
    assert any(r["way_out"] for r in statement.reasons), statement.reasons
    assert kinds(statement)[-1] == "decision"


def test_without_rules_everything_is_denied(cast):
    cast.connection.rules.all().delete()
    cast.connection.policy_revision += 1
    cast.connection.save()
    assert ask(cast, "SELECT 1").state == StatementState.DENIED


def test_a_repeated_request_id_joins_the_first_statement(cast):
    first = ask(cast, WRITE)
    assert ask(cast, WRITE).pk == first.pk
    assert Statement.objects.count() == 1
    assert ApprovalRequest.objects.count() == 1


def test_a_request_id_is_not_reused_for_something_else(cast):
    ask(cast, WRITE)
    with pytest.raises(IdempotencyMismatch):
        ask(cast, READ)


def test_the_same_request_id_of_another_agent_is_another_statement(cast):
    other = factories.agent("other", owner=cast.owner)
    factories.allow(cast.connection, other)
    first = ask(cast, READ)
    request = StatementRequest(
        connection_id=cast.connection.pk, sql=READ, request_id="r1", door="rest"
    )
    assert pipeline.submit(request, principal=other.as_principal()).pk != first.pk


def test_statements_close_in_time_share_a_session(cast):
    assert ask(cast, READ).session_id == ask(cast, WRITE, request_id="r2").session_id


def test_a_foreign_session_is_not_found(cast):
    other = factories.agent("other", owner=cast.stranger)
    factories.allow(cast.connection, other)
    session_id = ask(cast, READ).session_id
    request = StatementRequest(
        connection_id=cast.connection.pk,
        sql=READ,
        request_id="x",
        door="rest",
        session_id=session_id,
    )
    with pytest.raises(NotFound):
        pipeline.submit(request, principal=other.as_principal())


def test_without_access_the_connection_does_not_exist(cast):
    other = factories.agent("other", owner=cast.owner)
    request = StatementRequest(
        connection_id=cast.connection.pk, sql=READ, request_id="x", door="rest"
    )
    with pytest.raises(NotFound):
        pipeline.submit(request, principal=other.as_principal())
    assert not Statement.objects.exists()


@pytest.mark.parametrize("sql", ["", "  \n", "SELECT 'a\0b'", "SELECT '\ud800'", "x" * 300_000])
def test_what_cannot_be_recorded_faithfully_is_refused(cast, sql):
    with pytest.raises(InvalidRequest):
        ask(cast, sql)
    assert not Statement.objects.exists()


def test_a_statement_left_undecided_is_decided_by_the_sweep(cast, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(pipeline, "judge_statement", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ask(cast, READ)
    statement = Statement.objects.get()
    assert statement.state == StatementState.RECEIVED
    assert pipeline.decide(statement.pk).state == StatementState.QUEUED
    assert pipeline.decide(statement.pk).state == StatementState.QUEUED
    assert Transition.objects.count() == 1
