"""Files that drivers carry: what is recorded of Snowflake's answer, and when a story is over."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from gateway import execution, pipeline, tasks, transfers, wire_sessions
from gateway.execution import Outcome
from gateway.models import Statement, WireSession
from gateway.requests import StatementRequest
from gateway.snowflake import results
from gateway.states import StatementState
from hoopweb.lib.errors import Conflict
from recordings import services as recordings
from recordings.models import Event
from tests.gateway.snowflake.test_ending import session

__all__ = ["session"]
pytestmark = [pytest.mark.django_db(transaction=True)]
CANARY = "canary-of-the-storage"
PUT = "PUT file:///data/a.csv @SHOP.CRM.FILES/in/"


def answer(store="S3", **changed):
    """What Snowflake says to a PUT, each secret of it marked."""
    return {
        "command": "UPLOAD",
        "queryId": "01b8-put",
        "src_locations": ["/data/a.csv"],
        "autoCompress": True,
        "overwrite": False,
        "presignedUrls": [f"https://b.example/x?X-Amz-Signature={CANARY}"],
        "encryptionMaterial": {"queryStageMasterKey": CANARY, "queryId": "q", "smkId": 7},
        "uploadInfo": {"creds": {"AWS_TOKEN": CANARY}},
        "stageInfo": {
            "locationType": store,
            "location": f"bucket/stages/1/?sig={CANARY}",
            "path": "stages/1/",
            "region": "eu-north-1",
            "endPoint": "blob.core.windows.net",
            "storageAccount": "account",
            "presignedUrl": f"https://b.example/?sig={CANARY}",
            "isClientSideEncrypted": True,
            "creds": {
                "AWS_KEY_ID": CANARY,
                "AWS_SECRET_KEY": CANARY,
                "AWS_TOKEN": CANARY,
                "AZURE_SAS_TOKEN": CANARY,
                "GCS_ACCESS_TOKEN": CANARY,
            },
        },
        **changed,
    }


def bump(connection):
    """Rules were changed behind the console's back."""
    connection.policy_revision += 1
    connection.save(update_fields=["policy_revision"])


@pytest.fixture
def allowed(cast):
    cast.connection.rules.create(
        slug="files", position=0, effect="allow", match={"classes": ["put", "get"]}
    )
    bump(cast.connection)
    return cast


def taken(cast, session, sql=PUT, **given):
    request = StatementRequest(
        connection_id=cast.connection.pk,
        sql=sql,
        request_id=f"{session.pk}/r1",
        door="snowflake",
        session_id=session.recording_id,
        wire_session_id=session.pk,
        context=session.context,
        **given,
    )
    return pipeline.take(request, principal=cast.principal, worker="me")[0]


@pytest.mark.parametrize("store", ["S3", "AZURE", "GCS"])
def test_what_opens_the_storage_reaches_the_driver_and_no_record(allowed, session, store):
    statement = taken(allowed, session)
    assert statement.state == StatementState.RUNNING
    made = results.made(answer(store), statement)
    reply = results.with_parts(made, statement).to_json("http://x/")
    assert reply["stageInfo"]["creds"]["AWS_SECRET_KEY"] == CANARY
    assert reply["encryptionMaterial"]["queryStageMasterKey"] == CANARY
    assert CANARY not in json.dumps(made.transfer)
    assert made.transfer["files"] == ["/data/a.csv"]
    assert made.transfer["storage"]["type"] == store
    assert made.transfer["storage"]["region"] == "eu-north-1"
    assert (made.transfer["stage"], made.transfer["path"]) == ("SHOP.CRM.FILES", "/in/")
    outcome = Outcome(StatementState.SUCCEEDED, transfer=made.transfer, query_id="01b8-put")
    execution.record_outcome(statement.pk, outcome)
    assert CANARY not in str(list(Event.objects.values_list("data", "payloads")))
    assert CANARY not in str(list(Statement.objects.values()))


@pytest.mark.parametrize(
    "changed",
    [
        {"command": "DOWNLOAD"},
        {"command": None},
        {"stageInfo": None},
        {"src_locations": ["/etc/passwd"]},
        {"src_locations": ["/data/a.csv", "/etc/passwd"]},
        {"src_locations": [""]},
        {"src_locations": None},
        {"stageInfo": {"locationType": "LOCAL_FS", "location": "/data"}},
        {"stageInfo": {"locationType": "FTP", "location": "x"}},
    ],
    ids=str,
)
def test_an_answer_to_something_else_is_not_handed_on(allowed, session, changed):
    allowed.connection.protocol = "https"
    allowed.connection.save()
    statement = taken(allowed, session)
    with pytest.raises(results.Unreadable):
        results.made(answer(**changed), statement)


def test_storage_in_the_answer_to_anything_else_is_not_handed_on(cast, session):
    statement = taken(cast, session, "SELECT CITY FROM SHOP.CRM.CONTACTS")
    with pytest.raises(results.Unreadable):
        results.made(answer(rowtype=[], rowset=[], total=0), statement)


def test_without_a_driver_or_for_its_columns_only_it_is_denied(allowed, session):
    assert taken(allowed, session, describe_only=True).state == StatementState.DENIED
    request = StatementRequest(
        connection_id=allowed.connection.pk, sql=PUT, request_id="rest", door="rest"
    )
    statement = pipeline.submit(request, principal=allowed.principal)
    assert statement.state == StatementState.DENIED
    assert statement.reasons[0]["code"] == "needs-driver"


def test_a_session_stays_open_until_its_files_were_looked_at(allowed, session, monkeypatch):
    statement = taken(allowed, session)
    made = results.made(answer(), statement)
    outcome = Outcome(StatementState.SUCCEEDED, transfer=made.transfer, query_id="01b8-put")
    execution.record_outcome(statement.pk, outcome)
    with pytest.raises(Conflict):
        recordings.close_session(session_id=session.recording_id, actor=recordings.SYSTEM)
    assert transfers.unmeasured() == [], "the driver is still at it"

    async def nothing(*_):
        return []

    monkeypatch.setattr(transfers, "_list", nothing)
    later(statement, seconds=5)
    assert tasks.measure_transfers() == 0, "perhaps it is slow"
    later(statement, seconds=120)
    assert tasks.measure_transfers() == 1
    assert tasks.measure_transfers() == 0
    (event,) = Event.objects.filter(kind="transfer")
    assert event.data == {"listed": True, "files": [], "count": 0, "size": 0}
    recordings.close_session(session_id=session.recording_id, actor=recordings.SYSTEM)


def test_of_what_lies_in_a_stage_the_files_that_were_meant_are_recorded(
    allowed, session, monkeypatch
):
    statement = taken(allowed, session)
    outcome = Outcome(StatementState.SUCCEEDED, transfer={"command": "UPLOAD"})
    execution.record_outcome(statement.pk, outcome)
    later(statement, seconds=5)
    old, new = "Mon, 05 Jan 2026 10:00:00 GMT", "Mon, 05 Jan 2099 10:00:00 GMT"
    rows = [
        {"name": "files/in/a.csv.gz", "size": 10, "md5": "aa", "last_modified": new},
        {"name": "files/in/a.csv", "size": 5, "md5": "bb", "last_modified": old},
        {"name": "files/in/b.csv.gz", "size": 7, "md5": "cc", "last_modified": new},
    ]
    asked = []

    async def listed(sql, *_):
        asked.append(sql)
        return rows

    monkeypatch.setattr(transfers, "_list", listed)
    assert tasks.measure_transfers() == 1
    assert asked == ["LIST @SHOP.CRM.FILES/in/"]
    (event,) = Event.objects.filter(kind="transfer")
    assert [(f["name"], f["new"]) for f in event.data["files"]] == [
        ("files/in/a.csv.gz", True),
        ("files/in/a.csv", False),
    ]
    assert (event.data["count"], event.data["size"]) == (2, 15)


def later(statement, *, seconds):
    finished = timezone.now() - timedelta(seconds=seconds)
    Statement.objects.filter(pk=statement.pk).update(finished_at=finished)


def test_no_worker_runs_it_and_one_that_nobody_comes_for_is_withdrawn(allowed, session):
    rule = allowed.connection.rules.get(slug="files")
    rule.effect = "review"
    rule.save()
    bump(allowed.connection)
    statement = taken(allowed, session)
    assert statement.state == StatementState.AWAITING_APPROVAL
    Statement.objects.filter(pk=statement.pk).update(state=StatementState.QUEUED)
    execution.execute(statement.pk)
    statement.refresh_from_db()
    assert statement.state == StatementState.QUEUED
    long_ago = timezone.now() - timedelta(minutes=6)
    WireSession.objects.filter(pk=session.pk).update(last_seen_at=long_ago)
    Statement.objects.update(received_at=long_ago)
    assert wire_sessions.abandoned() == [statement.pk]
    assert tasks.end_wire_sessions()["abandoned"] == 1
    statement.refresh_from_db()
    assert statement.state == StatementState.WITHDRAWN
