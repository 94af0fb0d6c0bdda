"""Bad input on every endpoint: a clear 4xx that names the field, never a 5xx, nothing half done."""

import json
import uuid

import pytest

from gateway.models import Statement
from hoopweb.lib import strict_json as parsers
from recordings.models import Session
from tests.gateway.rest.conftest import READ, WRITE, as_person, send
from tests.gateway.rest.test_access import EVERY, is_problem

pytestmark = pytest.mark.django_db

BODIES = [
    (b"", 400),
    (b"{", 400),
    (b"[]", 400),
    (b"null", 400),
    (b'"text"', 400),
    (b"\xff\xfe{}", 400),
    (b'{"sql": "\xc3\x28"}', 400),
    (b'{"a": NaN}', 400),
    (b'{"a": 1e999}', 400),
    (b'{"a": ' + b"9" * 5000 + b"}", 400),
    (b"[" * 100_000, 400),
    (b'{"a":' * 50_000, 400),
    (b'{"sql": "x", "sql": "y"}', 400),
    (b'{"connection": "shop", "sql": "select 1", "\\u0000": 1}', 400),
    (b'"' + b"a" * (parsers.MAX_BYTES + 10) + b'"', 413),
]
WITH_BODY = [
    (method, path, body) for method, path, body in EVERY if body is not None and "{" not in path
]


@pytest.mark.parametrize(("content", "status"), BODIES, ids=range(len(BODIES)))
def test_bodies_that_are_not_what_they_say(cast, agent, content, status):
    for caller in (agent, as_person(cast.admin)):
        for method, path, _ in WITH_BODY:
            answer = caller(method, path, content)
            expected = {status, 403} if path in {"rules", "protections"} else {status}
            assert answer.status_code in expected, (path, answer.content)
            assert answer["Content-Type"] == "application/problem+json"


def test_bodies_that_are_not_json(agent):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", ""):
        for path in ("statements", "sessions", "simulate"):
            answer = agent.post(path, b"sql=1", content_type=kind)
            assert is_problem(answer, 415, "unsupported-media-type"), kind


HUGE = 10**60
FIELDS = {
    "connection": [None, "", 1, True, [], {}, "x" * 61, "\0", "\ud800", ["shop"]],
    "sql": [None, "", "   ", 7, True, [], {}, "SELECT '\0'", "\ud800", "x" * 300_000],
    "binds": [None, 1, "x", {}, [[]], [{}], [HUGE], ["\0"], ["\ud800"], [1] * 1001],
    "prompt": [1, [], {}, "\0", "\udfff", "x" * 20_001],
    "reason": [1, [], "\0", "x" * 20_001],
    "session": [1, "", "x", [], HUGE, "\0", "{" + str(uuid.uuid4()) + "}"],
    "wait": [None, -1, 61, HUGE, "5", True, [], {}],
    "unknown": [None, 1, "x"],
}


@pytest.mark.parametrize("field", FIELDS)
def test_fields_of_a_statement(agent, field):
    for value in FIELDS[field]:
        body = {"connection": "shop", "sql": READ, field: value}
        answer = agent.post("statements", json.dumps(body))
        if field == "connection" and value in ("\0", "\ud800"):
            assert answer.status_code == 400
        assert is_problem(answer, 400, "invalid-request"), (field, value)
        named = {e["field"].split(".")[0] for e in answer.json()["errors"]}
        assert field in named, (value, answer.json())
    assert not Statement.objects.exists()
    assert not Session.objects.exists()


def test_a_session_that_is_not_there(agent):
    answer = send(agent, READ, session=str(uuid.uuid4()))
    assert is_problem(answer, 404, "not-found")


QUERIES = [
    "cursor=x",
    "cursor=",
    "cursor=%00",
    "cursor=%F0%9F%98%80",
    "cursor=W10",
    "cursor=WzEsMl0",
    "cursor=" + "A" * 3000,
    "cursor=W1siYSJdLFsiYiJdXQ",
    "cursor=WyI5OTk5OS0wMS0wMSIsIngiXQ",
    "cursor=WyIyMDI2LTAxLTAxIiwiXHUwMDAwIl0",
    "page_size=0",
    "page_size=-1",
    "page_size=201",
    "page_size=x",
    "page_size=99999999999999999999999999",
    "page_size=1&page_size=2",
    "unknown=1",
    "%00=1",
]
LISTS = ["connections", "sessions", "statements", "approvals", "grants"]


def test_parameters_of_lists(agent, cast, subtests):
    send(agent, READ)
    admin = as_person(cast.admin)
    for caller, paths in ((agent, LISTS), (admin, ["rules", "protections", "checkpoints"])):
        for path in paths:
            for query in QUERIES:
                with subtests.test(path=path, query=query):
                    answer = caller.get(f"{path}?{query}")
                    assert is_problem(answer, 400, "invalid-request")


@pytest.mark.parametrize(
    "path",
    [
        "statements?state=x",
        "statements?connection=x",
        "statements?session=%00",
        "sessions?state=closed",
        "approvals?state=",
        "grants?live=perhaps",
        "connections?usable=2",
    ],
)
def test_filters(agent, path):
    assert is_problem(agent.get(path), 400, "invalid-request")


def test_parameters_of_one_statement(agent):
    sent = send(agent, READ).json()
    for query in ("wait=-1", "wait=61", "wait=nan", "wait=inf", "wait=x", "wait=1e400", "x=1"):
        assert is_problem(agent.get(f"statements/{sent['id']}?{query}"), 400, "invalid-request")
    for query in ("limit=0", "limit=x", "limit=100001", "offset=-1", f"offset={HUGE}", "x=1"):
        answer = agent.get(f"statements/{sent['id']}/result?{query}")
        assert is_problem(answer, 400, "invalid-request"), query


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"role": "user"},
        {"role": "robot", "text": "x"},
        {"role": ["user"], "text": "x"},
        {"role": "user", "text": ""},
        {"role": "user", "text": "  \n "},
        {"role": "user", "text": 5},
        {"role": "user", "text": "\0"},
        {"role": "user", "text": "x" * 100_001},
        {"role": "user", "text": "x", "at": "now"},
    ],
)
def test_messages(agent, body):
    session = agent.post("sessions", {"connection": "shop"}).json()["id"]
    answer = agent.post(f"sessions/{session}/messages", json.dumps(body))
    assert is_problem(answer, 400, "invalid-request")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choice": "approve"},
        {"choice": "perhaps", "digest": "x"},
        {"choice": {}, "digest": "x"},
        {"choice": "approve", "digest": 1},
        {"choice": "approve", "digest": "\0"},
        {"choice": "reject", "digest": "", "reason": "x"},
        {"choice": "reject", "digest": "x", "reason": "x" * 1001},
        {"choice": "approve", "digest": "x", "grant_minutes": 0},
        {"choice": "approve", "digest": "x", "grant_minutes": "10"},
        {"choice": "approve", "digest": "x", "grant_minutes": HUGE},
        {"choice": "approve", "digest": "x", "votes": 2},
    ],
)
def test_votes(agent, reviewer, body):
    request = send(agent, WRITE).json()["approval"]["id"]
    answer = reviewer.post(f"approvals/{request}/votes", json.dumps(body))
    assert is_problem(answer, 400, "invalid-request")


def test_a_rejection_needs_its_reason(agent, reviewer):
    request = send(agent, WRITE).json()["approval"]["id"]
    digest = reviewer.get(f"approvals/{request}").json()["digest"]
    answer = reviewer.post(f"approvals/{request}/votes", {"choice": "reject", "digest": digest})
    assert is_problem(answer, 400, "invalid-request")
    assert answer.json()["errors"][0]["field"] == "reason"


RULES = [
    {},
    {"slug": "A B"},
    {"slug": 1},
    {"effect": "maybe"},
    {"effect": None},
    {"match": []},
    {"match": {"nonsense": ["x"]}},
    {"match": {"classes": 5}},
    {"match": {"classes": [[]]}},
    {"match": {"classes": []}},
    {"match": {"hours": ["25:00-26:00"]}},
    {"match": {"objects": ["\0"]}},
    {"match": {"\0": ["x"]}},
    {"match": {"min_rows": HUGE}},
    {"reviewers": "team"},
    {"reviewers": ["no-such-team"]},
    {"reviewers": ["\0"]},
    {"votes": 0},
    {"votes": True},
    {"expires_minutes": HUGE},
    {"note": "x" * 401},
    {"note": "\0"},
    {"enabled": "yes"},
    {"place": 0},
    {"position": 1},
]


@pytest.mark.parametrize("change", RULES[1:])
def test_rules(cast, change):
    from connections.models import Rule

    count = Rule.objects.count()
    admin = as_person(cast.admin)
    body = {"connection": "shop", "slug": "new-rule", "effect": "deny", **change}
    answer = admin.post("rules", json.dumps(body))
    assert is_problem(answer, 400, "invalid-request")
    assert Rule.objects.count() == count


@pytest.mark.parametrize(
    "change",
    [
        {"strategy": "rot13"},
        {"strategy": 1},
        {"column": ""},
        {"column": "A", "tag": "PII"},
        {"column": "\0"},
        {"options": []},
        {"options": {"nonsense": 1}},
        {"options": {"\0": 1}},
        {"enabled": 1},
        {"revision": 1},
    ],
)
def test_protections(cast, change):
    admin = as_person(cast.admin)
    body = {"connection": "shop", "column": "PHONE", "strategy": "redact", **change}
    assert is_problem(admin.post("protections", json.dumps(body)), 400, "invalid-request")


def test_a_stale_revision_is_a_conflict(cast):
    admin = as_person(cast.admin)
    rule = admin.get("rules").json()["results"][0]
    path = f"rules/{rule['id']}"
    fresh = admin("PATCH", path, {"note": "one", "revision": rule["revision"]})
    assert fresh.status_code == 200, fresh.content
    stale = admin("PATCH", path, {"note": "two", "revision": rule["revision"]})
    assert is_problem(stale, 409, "conflict")
    assert is_problem(admin("DELETE", f"{path}?revision={rule['revision']}"), 409, "conflict")
    assert admin("DELETE", path).status_code == 204
    assert admin.get(path).status_code == 404


def test_policy_is_made_changed_moved_and_taken_away(cast):
    admin = as_person(cast.admin)
    made = admin.post("rules", {"connection": "shop", "slug": "no-nights", "effect": "deny"})
    assert made.status_code == 201, made.content
    again = admin.post("rules", {"connection": "shop", "slug": "no-nights", "effect": "deny"})
    assert is_problem(again, 409, "conflict")
    seen, following = [], "rules?page_size=2"
    while following:
        page = admin.get(following).json()
        seen += [rule["position"] for rule in page["results"]]
        following = page["next"]
    assert seen == list(range(1, len(seen) + 1))
    path = f"rules/{made.json()['id']}"
    assert made["Location"].endswith(path)
    assert admin.post(f"{path}/place", {"place": 1}).json()["position"] == 1
    listed = admin.get(f"rules?connection={cast.connection.pk}").json()["results"]
    assert listed[0]["slug"] == "no-nights"
    cover = {"connection": "shop", "table": "CONTACTS", "column": "FULL_NAME", "strategy": "redact"}
    made = admin.post("protections", cover)
    assert made.status_code == 201, made.content
    assert is_problem(admin.post("protections", cover), 409, "conflict")
    path = f"protections/{made.json()['id']}"
    assert admin("PATCH", path, {"enabled": False}).json()["enabled"] is False
    assert admin("DELETE", path).status_code == 204


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Bad Name"},
        {"name": ""},
        {"name": "a\0"},
        {"pattern": "("},
        {"pattern": "a*"},
        {"pattern": ""},
        {"pattern": "x" * 501},
        {"pattern": "\0"},
        {"pattern": "\ud800"},
        {"pattern": 3},
        {"label": "x" * 81},
        {"action": "loud"},
        {"revision": 1},
    ],
)
def test_detectors(cast, change):
    admin = as_person(cast.admin)
    path = f"connections/{cast.connection.pk}/detectors"
    body = json.dumps({"name": "badge", "pattern": "B-[0-9]", **change})
    assert is_problem(admin.post(path, body), 400, "invalid-request")


def test_detectors_are_chosen_made_changed_and_taken_away(cast):
    admin = as_person(cast.admin)
    path = f"connections/{cast.connection.pk}/detectors"
    found = admin.get(path).json()["results"]
    assert {d["action"] for d in found} == {"mask"}
    assert all(d["built_in"] and d["connection"]["name"] == "shop" for d in found)
    email = f"{path}/email"
    assert admin("PATCH", email, {"action": "alert", "revision": 0}).json()["action"] == "alert"
    stale = admin("PATCH", email, {"action": "off", "revision": 0})
    assert is_problem(stale, 409, "conflict")
    assert is_problem(admin("PATCH", email, {"pattern": "x"}), 400, "invalid-request")
    assert is_problem(admin("DELETE", email), 400, "invalid-request")
    made = admin.post(path, {"name": "badge", "pattern": "B-[0-9]{4}", "label": "Badge"})
    assert made.status_code == 201, made.content
    assert made["Location"].endswith(f"{path}/badge")
    assert is_problem(admin.post(path, {"name": "badge", "pattern": "x"}), 409, "conflict")
    assert is_problem(admin.post(path, {"name": "email", "pattern": "x"}), 409, "conflict")
    badge = f"{path}/badge"
    assert admin.get(badge).json() == made.json()
    changed = admin("PATCH", badge, {"action": "off", "pattern": "C", "revision": 1}).json()
    assert (changed["action"], changed["pattern"], changed["revision"]) == ("off", "C", 2)
    assert is_problem(admin("DELETE", f"{badge}?revision=1"), 409, "conflict")
    assert admin("DELETE", f"{badge}?revision=2").status_code == 204
    assert is_problem(admin.get(badge), 404, "not-found")
    assert is_problem(admin("PATCH", badge, {"action": "off"}), 404, "not-found")
