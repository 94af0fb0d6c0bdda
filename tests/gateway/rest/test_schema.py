"""The OpenAPI document, and generated requests held against it: no 5xx, nothing undocumented."""

import os
from typing import Any

import pytest
import requests
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.principal import Role
from approvals.models import ApprovalRequest, Grant
from approvals.services import vote
from connections.models import Protection, Rule
from gateway.models import Statement
from tests import factories
from tests.gateway.rest.conftest import MASKED, READ, WRITE, as_person, send, token_of

pytestmark = pytest.mark.django_db

EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "4"))
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
CSRF = "a" * 32
HERE = "http://testserver"


def openapi(api: Any) -> dict[str, Any]:
    answer = api.get("/api/schema/?format=json")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_the_document_names_every_endpoint_once_and_explains_it(agent):
    document = openapi(agent)
    assert document["openapi"].startswith("3.1")
    ids = set()
    for path, item in document["paths"].items():
        assert path.startswith("/api/v1/")
        for method, operation in item.items():
            assert operation["operationId"] not in ids, (method, path)
            ids.add(operation["operationId"])
            assert operation["summary"], (method, path)
            assert {"400", "401", "403", "429", "503"} <= operation["responses"].keys()
            assert operation["security"] == [{"agentToken": []}, {"consoleSession": []}]
    assert {"send_statement", "get_result", "vote", "simulate", "export_recording"} <= ids


def test_the_document_and_its_page_are_for_those_who_may_use_the_api(nobody, cast):
    assert nobody.get("/api/schema/").status_code == 401
    assert nobody.get("/api/docs/").status_code == 302
    page = as_person(cast.auditor).get("/api/docs/")
    assert page.status_code == 200
    assert b"<script>" not in page.content
    assert b"<style" not in page.content
    assert "unsafe" not in page["Content-Security-Policy"]


@pytest.fixture
def callers(cast, agent, token):
    """An agent, a person of each role, and one who may do all that people may."""
    everything = factories.person("pia", Role.ADMIN, Role.REVIEWER, Role.AUDITOR)
    people = (everything, cast.admin, cast.reviewer, cast.auditor)
    sessions = [as_person(person).client.cookies["sessionid"].value for person in people]
    return [
        {"Authorization": f"Bearer {token.text}"},
        *(
            {"Cookie": f"sessionid={session}; csrftoken={CSRF}", "X-CSRFToken": CSRF}
            for session in sessions
        ),
    ]


@pytest.fixture
def there(cast, agent):
    """Ids that lead somewhere."""
    pending, granted = (
        send(agent, WRITE.replace("Rome", city)).json() for city in ("Rome", "Bonn")
    )
    request = ApprovalRequest.objects.get(statement_id=granted["id"])
    vote(
        request_id=request.pk,
        by=cast.reviewer,
        choice="approve",
        digest=request.digest,
        grant_minutes=5,
    )
    return {
        "connection_id": str(cast.connection.pk),
        "session_id": pending["session"],
        "statement_id": send(agent, MASKED).json()["id"],
        "approval_id": pending["approval"]["id"],
        "grant_id": str(Grant.objects.get().pk),
        "rule_id": str(Rule.objects.filter(connection=cast.connection).first().pk),
        "detector": "phone",
        "protection_id": str(Protection.objects.get().pk),
        "number": 1,
        "agent_id": str(cast.agent.pk),
        "token_id": str(token_of(cast.agent).token.pk),
    }


def call(case, caller):
    """Send a generated case through Django's test client, in the test's own transaction."""
    request = requests.Request(**case.as_transport_kwargs(base_url=HERE)).prepare()
    content = request.body or b""
    # Who calls is the test's affair; generated credentials would only ever be refused.
    ours = {"content-length", "authorization", "cookie"}
    headers = {k: v for k, v in request.headers.items() if k.lower() not in ours} | caller
    answer = Client().generic(
        request.method,
        request.path_url,
        data=content.encode() if isinstance(content, str) else content,
        content_type=headers.pop("Content-Type", ""),
        headers=headers,
    )
    return schemathesis.Response(
        status_code=answer.status_code,
        headers={name: [value] for name, value in answer.headers.items()},
        content=answer.content,
        request=request,
        elapsed=0.1,
        verify=False,
    )


@pytest.mark.filterwarnings("ignore")
def test_generated_requests(agent, callers, there, monkeypatch, subtests):
    monkeypatch.setattr(
        "gateway.waiting.wait_until_settled", lambda pk, _seconds, **_: Statement.objects.get(pk=pk)
    )
    schema = schemathesis.openapi.from_dict(openapi(agent))
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (
            schemathesis.GenerationMode.POSITIVE,
            schemathesis.GenerationMode.NEGATIVE,
        ):
            with subtests.test(operation=operation.label, mode=mode.value):
                hold(operation, mode, callers, there)


def hold(operation, mode, callers, there):
    try:
        cases = operation.as_strategy(generation_mode=mode)
    except Exception as error:  # noqa: BLE001  some operations have nothing to get wrong
        pytest.skip(str(error))

    @seed(7)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, caller=st.sampled_from(callers), real=st.booleans())
    def run(case, caller, real):
        if real:
            for name in case.path_parameters:
                case.path_parameters[name] = there[name]
        known = real and mode is schemathesis.GenerationMode.POSITIVE
        if known and isinstance(case.body, dict) and "connection" in case.body:
            case.body["connection"] = "shop"
            if "sql" in case.body:
                case.body["sql"] = READ
        answer = call(case, caller)
        case.validate_response(answer, checks=CHECKS, headers=caller)

    run()
