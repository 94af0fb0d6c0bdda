"""Sending a statement, following it, fetching its rows."""

import csv
import io

import pyarrow as pa
import pytest

from approvals import services as approvals
from approvals.models import ApprovalRequest
from gateway import execution
from gateway.models import Statement
from recordings.models import AuditEntry, Event
from tests import factories
from tests.conftest import Cast
from tests.gateway.rest.conftest import (
    DENIED,
    MASKED,
    READ,
    WRITE,
    as_person,
    send,
    token_of,
    with_token,
)
from tests.warehouse import Warehouse

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(cast: Cast, warehouse: Warehouse) -> Cast:
    warehouse.serve(cast.connection)
    return cast


def test_a_queued_statement_is_a_202_with_the_way_to_follow_it(agent, cast):
    answer = send(agent, READ, prompt="Where do we sell?", reason="Count first.")
    body = answer.json()
    assert answer.status_code == 202, body
    assert body["state"] == "queued"
    assert not body["finished"]
    assert answer["Location"] == f"http://testserver/api/v1/statements/{body['id']}"
    assert answer["Retry-After"] == "1"
    assert body["decision"]["effect"] == "allow"
    assert body["principal"] == {
        "kind": "agent",
        "id": str(cast.agent.pk),
        "name": "cleaner",
        "on_behalf_of": "Olga",
    }
    followed = agent.get(answer["Location"])
    assert followed.status_code == 200
    assert followed.json() == body


def test_a_denied_statement_is_finished_and_says_the_way_out(agent):
    answer = send(agent, DENIED)
    body = answer.json()
    assert answer.status_code == 201
    assert body["state"] == "denied"
    assert body["finished"]
    assert "Retry-After" not in answer
    assert body["sql_sent"] == ""
    assert body["decision"]["reasons"][0]["way_out"]
    result = agent.get(f"statements/{body['id']}/result")
    assert result.status_code == 409
    assert result.json()["code"] == "statement-denied"
    assert result.json()["reasons"] == body["decision"]["reasons"]


def test_a_write_waits_and_names_where_people_decide(agent, cast):
    answer = send(agent, WRITE)
    body = answer.json()
    assert answer.status_code == 202
    assert answer["Retry-After"] == "5"
    assert body["state"] == "awaiting_approval"
    request = ApprovalRequest.objects.get(statement_id=body["id"])
    assert body["approval"]["id"] == str(request.pk)
    assert body["approval"]["console_url"].endswith(f"/approvals/{request.pk}/")
    approvals.vote(
        request_id=request.pk,
        by=cast.reviewer,
        choice="reject",
        reason="Ask Otto first.",
        digest=request.digest,
    )
    told = agent.get(f"statements/{body['id']}").json()
    assert told["state"] == "rejected"
    assert told["approval"]["reason"] == "Ask Otto first."
    assert agent.get(f"statements/{body['id']}/result").json()["code"] == "conflict"


def test_the_same_key_is_the_same_statement(agent):
    first = send(agent, READ, headers={"Idempotency-Key": "k1"})
    again = send(agent, READ, headers={"Idempotency-Key": "k1"})
    assert first.json()["id"] == again.json()["id"]
    assert first.json()["request_id"] == "k1"
    other = send(agent, MASKED, headers={"Idempotency-Key": "k1"})
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency-mismatch"
    assert send(agent, READ).json()["id"] != first.json()["id"]
    assert Statement.objects.count() == 2


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "caf\u00e9", "a\tb"])
def test_a_key_that_cannot_be_kept_is_refused(agent, key):
    answer = send(agent, READ, headers={"Idempotency-Key": key})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


def test_rows_as_json_csv_and_arrow_with_the_masked_columns_marked(agent, shop):
    sent = send(agent, MASKED).json()
    path = f"statements/{sent['id']}/result"
    early = agent.get(path)
    assert early.status_code == 409
    assert early.json()["code"] == "result-not-ready"
    execution.execute(sent["id"])

    body = agent.get(path).json()
    assert [c["masked"] for c in body["columns"]] == [False, True]
    assert body["row_count"] == 3
    assert [row[0] for row in body["rows"]] == [1, 2, 3]
    assert "canary" not in str(body)

    for asked in ({"Accept": "text/csv"}, {}):
        answer = agent.get(path if asked else f"{path}?format=csv", **asked)
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["Hoopweb-Masked-Columns"] == "EMAIL"
        rows = list(csv.reader(io.StringIO(answer.content.decode())))
        assert rows[0] == ["CONTACT_ID", "EMAIL"]
        assert len(rows) == 4
        assert "canary" not in str(rows)

    answer = agent.get(path, Accept="application/vnd.apache.arrow.stream")
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.num_rows == 3
    assert table.schema.field("EMAIL").metadata[b"hoopweb.masked"] == b"true"
    assert "canary" not in str(table.to_pylist())


def test_a_result_in_pages(agent, shop):
    sent = send(agent, MASKED).json()
    execution.execute(sent["id"])
    seen, path = [], f"statements/{sent['id']}/result?limit=2"
    while path:
        answer = agent.get(path)
        seen += [row[0] for row in answer.json()["rows"]]
        path = answer.json()["next"]
        assert ("Link" in answer) == bool(path)
    assert seen == [1, 2, 3]
    assert agent.get(f"statements/{sent['id']}/result?offset=99").json()["rows"] == []


def test_an_error_keeps_its_form_whatever_was_asked_for(agent):
    sent = send(agent, READ).json()
    answer = agent.get(f"statements/{sent['id']}/result", Accept="text/csv")
    assert answer.status_code == 409
    assert answer["Content-Type"] == "application/problem+json"
    for asked in ("statements?format=xml", f"statements/{sent['id']}/result?format=parquet"):
        answer = agent.get(asked)
        assert answer.status_code == 406
        assert answer.json()["code"] == "not-acceptable"


def test_waiting_ends_when_the_statement_does(agent, shop, monkeypatch):
    def ran_meanwhile(statement_id, seconds, *, still):
        assert seconds == 30
        still()
        execution.execute(statement_id)
        return Statement.objects.get(pk=statement_id)

    monkeypatch.setattr("gateway.waiting.wait_until_settled", ran_meanwhile)
    answer = send(agent, READ, wait=30)
    assert answer.status_code == 201, answer.json()
    assert answer.json()["state"] == "succeeded"
    assert answer.json()["result_url"].endswith("/result")


def test_what_snowflake_refused_is_told(agent, shop):
    sent = send(agent, "SELECT TO_NUMBER(CITY) AS X FROM SHOP.RETAIL.ORDERS").json()
    execution.execute(sent["id"])
    told = agent.get(f"statements/{sent['id']}").json()
    assert told["state"] == "failed", told
    assert told["error"]["text"]
    assert agent.get(f"statements/{sent['id']}/result").json()["code"] == "upstream-failed"


def test_cancelling(agent, cast):
    waiting = send(agent, WRITE).json()
    answer = agent.post(f"statements/{waiting['id']}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "withdrawn")
    queued = send(agent, READ).json()
    assert agent.post(f"statements/{queued['id']}/cancel").json()["state"] == "withdrawn"
    again = agent.post(f"statements/{queued['id']}/cancel")
    assert (again.status_code, again.json()["state"]) == (200, "withdrawn")


def test_reading_rows_of_another_leaves_a_trace(agent, shop):
    sent = send(agent, READ).json()
    execution.execute(sent["id"])
    agent.get(f"statements/{sent['id']}/result")
    assert not AuditEntry.objects.filter(action="result-viewed").exists()
    as_person(shop.auditor).get(f"statements/{sent['id']}/result")
    assert AuditEntry.objects.get(action="result-viewed").actor["name"] == "Otto"


def test_lists_page_without_losing_or_repeating(agent, cast):
    made = [send(agent, READ).json()["id"] for _ in range(7)]
    seen, path = [], "statements?page_size=3"
    while path:
        answer = agent.get(path).json()
        seen += [row["id"] for row in answer["results"]]
        path = answer["next"]
    assert seen == made[::-1]
    denied = send(agent, DENIED).json()["id"]
    found = agent.get("statements?state=denied").json()["results"]
    assert [row["id"] for row in found] == [denied]


def test_a_token_bound_to_other_connections_sees_and_does_nothing_here(agent, cast):
    mine = send(agent, READ).json()
    elsewhere = factories.connection("elsewhere")
    factories.allow(elsewhere, cast.agent)
    bound = with_token(token_of(cast.agent, connections=[elsewhere.pk]).text)
    assert send(bound, READ).status_code == 404
    assert bound.get(f"statements/{mine['id']}").status_code == 404
    assert bound.get("statements").json()["results"] == []
    assert bound.get(f"sessions/{mine['session']}").status_code == 404
    assert [c["name"] for c in bound.get("connections").json()["results"]] == ["elsewhere"]
    assert agent.get(f"statements/{mine['id']}").status_code == 200


def test_the_connection_by_id_or_by_name(agent, cast):
    by_id = agent.post("statements", {"connection": str(cast.connection.pk), "sql": READ})
    assert by_id.status_code == 202
    for wrong in ("other", str(cast.agent.pk), "'; --", "*"):
        answer = agent.post("statements", {"connection": wrong, "sql": READ})
        assert answer.status_code == 404, wrong


def test_prompt_and_reason_reach_the_recording(agent):
    sent = send(agent, READ, prompt="Count cities", reason="To know the size.").json()
    said = dict(Event.objects.filter(session_id=sent["session"]).values_list("kind", "data__text"))
    assert said["prompt"] == "Count cities"
    assert said["message"] == "To know the size."


def test_binds_are_taken_and_never_shown(agent):
    answer = send(
        agent,
        "SELECT CITY FROM SHOP.RETAIL.ORDERS WHERE ORDER_ID = ? AND CITY = ?",
        binds=[7, "Oslo-secret"],
    )
    assert answer.status_code in (201, 202), answer.json()
    assert "Oslo-secret" not in answer.content.decode()
