"""Every endpoint by the wrong caller: strangers learn nothing, agents never decide."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import services
from accounts.models import AgentToken
from accounts.principal import Role
from approvals.models import ApprovalRequest, Grant
from connections.models import Protection, Rule
from gateway.rest.urls import urlpatterns
from hoopweb.lib.errors import ErrorCode
from recordings.models import AuditEntry
from tests import factories
from tests.gateway.rest.conftest import READ, WRITE, as_person, send, token_of, with_token

pytestmark = pytest.mark.django_db

PROBLEM = "application/problem+json"


@pytest.fixture
def things(cast, agent):
    """One of each, as the agent's day leaves them behind."""
    waiting = send(agent, WRITE).json()
    queued = send(agent, READ).json()
    request = ApprovalRequest.objects.get(statement_id=waiting["id"])
    return {
        "connection_id": cast.connection.pk,
        "session_id": waiting["session"],
        "statement_id": queued["id"],
        "approval_id": request.pk,
        "rule_id": Rule.objects.filter(connection=cast.connection).first().pk,
        "detector": "phone",
        "agent_id": cast.agent.pk,
        "token_id": cast.agent.tokens.first().pk,
        "protection_id": Protection.objects.get(connection=cast.connection).pk,
    }


BY_ID = [
    ("GET", "connections/{connection_id}", None),
    ("GET", "sessions/{session_id}", None),
    ("GET", "sessions/{session_id}/events", None),
    ("POST", "sessions/{session_id}/messages", {"role": "user", "text": "hi"}),
    ("POST", "sessions/{session_id}/close", None),
    ("GET", "statements/{statement_id}", None),
    ("GET", "statements/{statement_id}/result", None),
    ("POST", "statements/{statement_id}/cancel", None),
    ("GET", "approvals/{approval_id}", None),
    ("POST", "approvals/{approval_id}/votes", {"choice": "approve", "digest": "x"}),
    ("POST", "approvals/{approval_id}/revoke", None),
    ("GET", "rules/{rule_id}", None),
    ("PATCH", "rules/{rule_id}", {"note": "x"}),
    ("DELETE", "rules/{rule_id}", None),
    ("POST", "rules/{rule_id}/place", {"place": 1}),
    ("GET", "protections/{protection_id}", None),
    ("PATCH", "protections/{protection_id}", {"note": "x"}),
    ("DELETE", "protections/{protection_id}", None),
    ("GET", "connections/{connection_id}/detectors", None),
    ("POST", "connections/{connection_id}/detectors", {"name": "x", "pattern": "y"}),
    ("GET", "connections/{connection_id}/detectors/{detector}", None),
    ("PATCH", "connections/{connection_id}/detectors/{detector}", {"action": "off"}),
    ("DELETE", "connections/{connection_id}/detectors/{detector}", None),
    ("GET", "agents/{agent_id}/tokens", None),
    ("POST", "agents/{agent_id}/tokens", {"label": "x"}),
    ("POST", "agents/{agent_id}/tokens/{token_id}/rotate", None),
    ("POST", "agents/{agent_id}/tokens/{token_id}/revoke", None),
    ("GET", "recordings/{session_id}/export", None),
]
PLAIN = [
    ("GET", "connections", None),
    ("GET", "sessions", None),
    ("POST", "sessions", {"connection": "shop"}),
    ("GET", "statements", None),
    ("POST", "statements", {"connection": "shop", "sql": READ}),
    ("GET", "approvals", None),
    ("GET", "grants", None),
    ("POST", f"grants/{uuid.uuid4()}/revoke", None),
    ("GET", "rules", None),
    ("POST", "rules", {"connection": "shop", "slug": "x", "effect": "deny"}),
    ("GET", "protections", None),
    ("POST", "protections", {"connection": "shop", "column": "X", "strategy": "redact"}),
    ("POST", "simulate", {"connection": "shop", "sql": READ}),
    ("GET", "checkpoints", None),
    ("GET", "checkpoints/1", None),
]
EVERY = BY_ID + PLAIN


def is_problem(answer, status, code):
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == PROBLEM
    body = answer.json()
    assert {"type", "title", "status", "code", "detail"} <= body.keys()
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"/api/problems/{code}"
    return True


def test_the_tables_here_name_every_endpoint():
    tried = {path.split("?")[0] for _, path, _ in EVERY}
    patterns = {
        str(p.pattern)
        .removeprefix("v1/")
        .replace("<uuid:", "{")
        .replace("<slug:", "{")
        .replace(">", "}")
        for p in urlpatterns
        if str(p.pattern).startswith("v1/")
    }
    patterns = {p.replace("{grant_id}", PLAIN[7][1].split("/")[1]) for p in patterns}
    assert {p.replace("<int:number}", "1") for p in patterns} == tried


def test_nobody_without_a_token(nobody, things, subtests):
    for method, path, body in EVERY:
        with subtests.test(method=method, path=path):
            answer = nobody(method, path.format(**things), body)
            assert is_problem(answer, 401, "not-authenticated")
            assert answer["WWW-Authenticate"] == 'Bearer realm="hoopweb"'


@pytest.mark.parametrize("who", ["stranger", "other agent"])
def test_a_stranger_cannot_tell_it_exists(cast, things, who, subtests):
    if who == "stranger":
        caller = as_person(cast.stranger)
    else:
        caller = with_token(token_of(factories.agent(owner=cast.stranger)).text)
    missing = {name: uuid.uuid4() for name in things}
    for method, path, body in BY_ID:
        with subtests.test(method=method, path=path):
            answer = caller(method, path.format(**things), body)
            people_s = path.startswith(("rules", "protections", "agents")) or "/detectors" in path
            if who == "other agent" and people_s:
                assert is_problem(answer, 403, "not-allowed"), "no agent reads policy or tokens"
                continue
            assert is_problem(answer, 404, "not-found")
            assert caller(method, path.format(**missing), body).content == answer.content


def test_a_stranger_s_lists_are_empty(cast, things):
    for path in ("connections", "sessions", "statements", "approvals", "grants", "rules"):
        assert as_person(cast.stranger).get(path).json() == {"results": [], "next": None}


def dead(cast, token, how):
    if how == "revoked":
        services.revoke_token(token=token.token, by=cast.owner)
    elif how == "expired":
        AgentToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif how == "agent disabled":
        services.disable_agent(agent=cast.agent, by=cast.owner)
    elif how == "owner disabled":
        services.disable_user(user=cast.owner, by=cast.admin)
    elif how == "mistyped":
        last = "a" if token.text[-1] != "a" else "b"
        return token.text[:-1] + last
    elif how == "another secret":
        return token_of(cast.agent).text.replace("hwa_", "hwa_")[:16] + token.text[16:]
    return token.text


@pytest.mark.parametrize(
    "how",
    ["revoked", "expired", "agent disabled", "owner disabled", "mistyped", "another secret"],
)
def test_a_token_that_no_longer_opens_anything(cast, token, how):
    text = dead(cast, token, how)
    for path in ("connections", "statements"):
        answer = with_token(text).get(path)
        assert is_problem(answer, 401, "not-authenticated")
        assert token.text.split("_")[2] not in answer.content.decode()


def test_a_header_that_is_no_token(nobody):
    for header in (
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer hwa__",
        "Basic Zm9v",
        "hwa_x",
        "\u00e9",
    ):
        assert is_problem(nobody.get("connections", Authorization=header), 401, "not-authenticated")


def test_an_agent_never_decides(agent, things, cast):
    digest = ApprovalRequest.objects.get().digest
    path = f"approvals/{things['approval_id']}/votes"
    answer = agent.post(path, {"choice": "approve", "digest": digest})
    assert is_problem(answer, 403, "not-allowed")
    assert ApprovalRequest.objects.get().state == "pending"


def test_the_owner_sees_it_and_does_not_decide(things, cast):
    factories.RoleGrant.objects.create(user=cast.owner, role=Role.REVIEWER)
    owner = as_person(cast.owner)
    digest = owner.get(f"approvals/{things['approval_id']}").json()["digest"]
    answer = owner.post(
        f"approvals/{things['approval_id']}/votes", {"choice": "approve", "digest": digest}
    )
    assert is_problem(answer, 403, ErrorCode.SELF_APPROVAL)


def test_a_reviewer_decides_grants_and_takes_back(reviewer, things, cast, agent):
    path = f"approvals/{things['approval_id']}"
    found = reviewer.get(path).json()
    wrong = reviewer.post(f"{path}/votes", {"choice": "approve", "digest": "0" * 64})
    assert is_problem(wrong, 409, "conflict")
    answer = reviewer.post(
        f"{path}/votes", {"choice": "approve", "digest": found["digest"], "grant_minutes": 10}
    )
    assert answer.status_code == 201, answer.content
    assert answer.json()["state"] == "approved"
    assert answer.json()["votes"][0]["reviewer"] == "Rita"
    assert is_problem(
        reviewer.post(f"{path}/votes", {"choice": "reject", "digest": found["digest"]}),
        403,
        "not-allowed",
    )
    grant = Grant.objects.get()
    assert [g["id"] for g in agent.get("grants?live=true").json()["results"]] == [str(grant.pk)]
    assert is_problem(agent.post(f"grants/{grant.pk}/revoke"), 403, "not-allowed")
    assert reviewer.post(f"grants/{grant.pk}/revoke").json()["revoked_at"]
    assert agent.get("grants?live=true").json()["results"] == []
    assert reviewer.post(f"{path}/revoke").json()["state"] == "revoked"


def test_a_browser_session_needs_its_csrf_token(cast, things):
    caller = as_person(cast.reviewer)
    caller.client.handler.enforce_csrf_checks = True
    answer = caller.post(f"approvals/{things['approval_id']}/revoke")
    assert is_problem(answer, 403, "not-allowed")


def test_admin_is_neither_reviewer_nor_auditor(cast, things):
    admin = as_person(cast.admin)
    assert admin.get(f"sessions/{things['session_id']}").status_code == 404
    assert admin.get(f"approvals/{things['approval_id']}").status_code == 404
    assert admin.get(f"recordings/{things['session_id']}/export").status_code == 404
    assert admin.get(f"rules/{things['rule_id']}").status_code == 200


def test_only_an_admin_of_the_connection_changes_policy(cast, things):
    here = factories.person("hera", Role.ADMIN, on=cast.connection)
    there = factories.person("thea", Role.ADMIN, on=factories.connection("there"))
    rule = f"rules/{things['rule_id']}"
    assert as_person(here)("PATCH", rule, {"note": "mine"}).json()["note"] == "mine"
    assert as_person(there).get(rule).status_code == 404
    assert is_problem(as_person(cast.reviewer)("PATCH", rule, {"note": "x"}), 403, "not-allowed")


def test_reading_and_exporting_another_s_recording_leave_a_trace(cast, things, agent):
    auditor = as_person(cast.auditor)
    session = things["session_id"]
    agent.get(f"sessions/{session}/events")
    assert not AuditEntry.objects.filter(action__startswith="recording").exists()
    events = auditor.get(f"sessions/{session}/events").json()["results"]
    assert [e["number"] for e in events] == list(range(1, len(events) + 1))
    answer = auditor.get(f"recordings/{session}/export")
    assert answer["Content-Type"] == "application/zip"
    assert answer.content[:2] == b"PK"
    trail = AuditEntry.objects.filter(action__startswith="recording").order_by("number")
    assert [e.action for e in trail] == ["recording-viewed", "recording-exported"]


def test_only_the_one_who_works_writes_into_a_session(cast, things, agent):
    path = f"sessions/{things['session_id']}"
    message = {"role": "assistant", "text": "I count first."}
    assert agent.post(f"{path}/messages", message).json()["data"]["text"] == "I count first."
    for person in (cast.owner, cast.reviewer, cast.auditor):
        assert is_problem(as_person(person).post(f"{path}/messages", message), 403, "not-allowed")
        assert is_problem(as_person(person).post(f"{path}/close"), 403, "not-allowed")
    assert is_problem(agent.post(f"{path}/close"), 409, "conflict")


def test_a_session_is_opened_used_and_sealed(agent):
    made = agent.post("sessions", {"connection": "shop", "title": "Lost revenue"})
    assert made.status_code == 201
    session = made.json()
    assert made["Location"].endswith(f"/api/v1/sessions/{session['id']}")
    sent = send(agent, "SELECT * FROM NOWHERE", session=session["id"]).json()
    assert sent["session"] == session["id"]
    assert agent.post(f"sessions/{session['id']}/close").json()["state"] == "sealed"
    assert agent.post(f"sessions/{session['id']}/close").json()["seal"]
    late = agent.post(f"sessions/{session['id']}/messages", {"role": "user", "text": "x"})
    assert is_problem(late, 409, "conflict")
    assert is_problem(send(agent, READ, session=session["id"]), 404, "not-found")


def test_simulating_records_nothing(agent, cast):
    answer = agent.post("simulate", {"connection": "shop", "sql": WRITE}).json()
    assert answer["effect"] == "review"
    assert answer["terms"]["votes"] == 1
    masked = agent.post(
        "simulate", {"connection": "shop", "sql": "SELECT EMAIL FROM SHOP.CRM.CONTACTS"}
    ).json()
    assert masked["masked_outputs"] == ["EMAIL"]
    assert agent.get("statements").json()["results"] == []
    as_agent = {"connection": "shop", "sql": READ, "agent": str(cast.agent.pk)}
    assert as_person(cast.admin).post("simulate", as_agent).json()["effect"] == "allow"
    assert as_person(cast.stranger).post("simulate", as_agent).status_code == 404


def test_checkpoints_are_for_auditors_and_admins(cast, agent):
    from recordings.checkpoints import write_checkpoint

    send(agent, READ)
    made = write_checkpoint()
    assert is_problem(agent.get("checkpoints"), 403, "not-allowed")
    assert is_problem(as_person(cast.stranger).get("checkpoints"), 403, "not-allowed")
    auditor = as_person(cast.auditor)
    listed = auditor.get("checkpoints").json()["results"]
    assert [c["number"] for c in listed] == ([made.number] if made else [])
    if made:
        assert auditor.get(f"checkpoints/{made.number}").json()["signature"] == made.signature
    assert is_problem(auditor.get(f"checkpoints/{10**30}"), 404, "not-found")


def test_an_unknown_address_is_a_problem_too(agent, nobody):
    assert is_problem(agent.get("nowhere"), 404, "not-found")
    assert is_problem(agent.get("statements/"), 404, "not-found")
    assert is_problem(agent.get("statements/not-a-uuid"), 404, "not-found")
    assert is_problem(agent("DELETE", "statements"), 405, "method-not-allowed")
    assert is_problem(agent("OPTIONS", "statements"), 405, "method-not-allowed")
    assert is_problem(nobody.get("nowhere"), 401, "not-authenticated")


def test_too_many_requests(agent, monkeypatch):
    from gateway.rest import throttling

    monkeypatch.setattr(throttling, "_count", lambda key, _w: 10**6 if "requests" in key else 0)
    answer = agent.get("statements")
    assert is_problem(answer, 429, "too-many-requests")
    assert 0 < int(answer["Retry-After"]) <= 61


def test_every_code_is_explained(nobody):
    for code in ErrorCode:
        answer = nobody.get(f"/api/problems/{code}", Accept="application/json")
        assert answer.json()["code"] == code
        assert answer.json()["next"]
