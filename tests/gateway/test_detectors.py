"""What an admin chose for a detector holds wherever rows and error texts leave."""

import base64
import io

import pyarrow as pa
import pytest

from connections import services
from connections.upstream.errors import UpstreamError
from gateway import execution, pipeline
from gateway.models import Statement
from gateway.requests import StatementRequest
from gateway.results import detectors_of, read_result
from gateway.snowflake import chunks, results
from recordings.models import Event

pytestmark = [pytest.mark.django_db(transaction=True)]
SQL = "SELECT 'badge B-1234' AS NOTE, 'jane@example.com' AS MAIL"


@pytest.fixture
def shop(cast, warehouse):
    warehouse.serve(cast.connection)
    services.create_detector(
        connection=cast.connection, by=cast.admin, name="badge", pattern="B-[0-9]{4}"
    )
    return cast


def choose(cast, name, action):
    services.set_detector_action(
        connection=cast.connection, name=name, action=action, by=cast.admin
    )


def ask(cast, sql=SQL):
    request = StatementRequest(
        connection_id=cast.connection.pk, sql=sql, request_id="r1", door="rest"
    )
    return pipeline.submit(request, principal=cast.principal)


def finished(statement):
    execution.execute(statement.pk)
    found = Statement.objects.get(pk=statement.pk)
    assert found.state == "succeeded", found.error_text
    return found


def row_of(statement):
    (row,) = read_result(statement).to_pylist()
    return tuple(row.values())


def told(statement):
    return {(f["detector"], f["column"], f["masked"]) for f in statement.findings}


def test_an_own_pattern_masks_and_an_alert_leaves_the_value_and_says_so(shop):
    choose(shop, "email", "alert")
    statement = finished(ask(shop))
    assert row_of(statement) == ("badge [badge]", "jane@example.com")
    assert told(statement) == {("badge", "NOTE", True), ("email", "MAIL", False)}
    assert [c["masked"] for c in statement.columns] == [True, False]
    outcome = Event.objects.get(statement_id=statement.pk, kind="outcome")
    assert outcome.data["findings"] == statement.findings


def test_a_detector_that_is_off_finds_nothing(shop):
    choose(shop, "email", "off")
    choose(shop, "badge", "off")
    statement = finished(ask(shop))
    assert row_of(statement) == ("badge B-1234", "jane@example.com")
    assert statement.findings == []


def test_another_connection_is_not_concerned(shop):
    other = services.register_connection(by=None, name="other", account="acme")
    services.set_detector_action(connection=other, name="email", action="off", by=None)
    assert row_of(finished(ask(shop))) == ("badge [badge]", "[email]")


def test_what_was_switched_off_after_a_statement_was_judged_still_masks_it(shop):
    """Its judgement promised that, and so does the recording of parts fetched before."""
    statement = ask(shop)
    choose(shop, "email", "off")
    assert row_of(finished(statement)) == ("badge [badge]", "[email]")


def test_what_was_added_after_a_statement_was_judged_masks_it(shop):
    statement = ask(shop)
    services.create_detector(connection=shop.connection, by=None, name="word", pattern="badge ")
    assert row_of(finished(statement)) == ("[word][badge]", "[email]")


def test_error_texts_pass_them_too(shop):
    choose(shop, "email", "off")
    statement = Statement.objects.get(pk=ask(shop).pk)
    error = UpstreamError("100038", "22018", "'B-1234' of jane@example.com is no number", None)
    outcome = execution.failed(error, detectors_of(statement))
    assert outcome.text == "'[badge]' of jane@example.com is no number"


def data(form):
    rowtype = [
        {"name": name, "type": "text", "nullable": True, "length": 20, "byteLength": 80}
        for name in ("NOTE", "MAIL")
    ]
    common = {"rowtype": rowtype, "total": 1, "returned": 1, "queryResultFormat": form}
    if form == "json":
        return common | {"rowset": [["badge B-1234", "jane@example.com"]]}
    sink = io.BytesIO()
    table = pa.table({"NOTE": ["badge B-1234"], "MAIL": ["jane@example.com"]})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return common | {"rowsetBase64": base64.b64encode(sink.getvalue()).decode()}


@pytest.mark.parametrize("form", ["json", "arrow"])
def test_the_wire_door_asks_the_same_and_costs_no_query(shop, form, django_assert_num_queries):
    choose(shop, "email", "alert")
    statement = Statement.objects.select_related("connection").get(pk=ask(shop).pk)
    with django_assert_num_queries(0):
        made = results.made(data(form), statement)
    (row,) = made.recorded.table.to_pylist()
    assert tuple(row.values()) == ("badge [badge]", "jane@example.com")
    reply = made.reply
    sent = (
        reply["rowset"][0]
        if form == "json"
        else list(
            results.read_stream(base64.b64decode(reply["rowsetBase64"])).to_pylist()[0].values()
        )
    )
    assert sent == ["badge [badge]", "jane@example.com"]
    assert {(f["detector"], f["masked"]) for f in made.recorded.findings} == {
        ("badge", True),
        ("email", False),
    }


@pytest.mark.parametrize("form", ["json", "arrow"])
def test_later_parts_ask_the_same(shop, form, monkeypatch):
    choose(shop, "email", "alert")
    statement = Statement.objects.select_related("connection").get(pk=ask(shop).pk)
    first = data(form)
    body = (
        b'["badge B-1234","jane@example.com"]'
        if form == "json"
        else base64.b64decode(first["rowsetBase64"])
    )
    parts = {"arrow": form == "arrow", "rowtype": first["rowtype"], "chunks": [{"rows": 1}]}
    kept = {}
    monkeypatch.setattr(chunks.wire_results, "sealed_part", lambda *_, **given: kept.update(given))

    class Session:
        recording_id = statement.session_id

        class recording:  # noqa: N801 - as the row has it
            is_open = True

    class Row:
        pass

    row = Row()
    row.statement = statement
    monkeypatch.setattr(Statement, "wire_session", Session())
    chunks._checked(row, parts, 0, body)
    assert b"B-1234" not in kept["content"]
    assert b"[badge]" in kept["content"]
    assert b"jane@example.com" in kept["content"]
    assert {(f["detector"], f["masked"]) for f in kept["findings"]} == {
        ("email", False),
        ("badge", True),
    }
