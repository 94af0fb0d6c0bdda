"""The sample agent against the real door: it reacts to each answer, and outlives a restart."""

import io
import json
import urllib.error

import pytest

from approvals import services as approvals
from approvals.models import ApprovalRequest
from gateway import execution
from gateway.models import Statement
from gateway.states import StatementState
from hoopweb.local import sample_agent, sample_tasks
from recordings.models import Event, Session
from tests.gateway.rest.conftest import with_token

pytestmark = pytest.mark.django_db(transaction=True)


class Said(list):
    def __call__(self, kind, text):
        self.append((kind, text))


class InProcess(sample_agent.Gateway):
    """The same client, with Django's test client as its wire and a reviewer at hand."""

    def __init__(self, token, *, react=lambda: None):
        super().__init__("http://testserver", token, 0.2, Said())
        self.api = with_token(token)
        self.react = react
        self.lost = 0

    def _once(self, method, path, body, key):
        if self.lost:
            self.lost -= 1
            raise urllib.error.URLError("connection refused")
        for pk in Statement.objects.filter(state=StatementState.QUEUED).values_list("pk"):
            execution.execute(pk[0])
        self.react()
        path = path.replace("wait=25", "wait=0")
        if isinstance(body, dict) and "wait" in body:
            body = {**body, "wait": 0}
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.api(method, path, body, **headers)
        if answer.status_code >= 400:
            raise urllib.error.HTTPError(
                path, answer.status_code, "", answer.headers, io.BytesIO(answer.content)
            )
        return json.loads(answer.content)


def work(gateway, prompt="A task", patience=None):
    return sample_agent.Work(gateway, "shop", prompt, patience, lambda: None)


@pytest.fixture
def shop(cast, warehouse):
    warehouse.serve(cast.connection)
    return cast


def test_an_allowed_read_is_followed_to_its_rows(shop, token):
    gateway = InProcess(token.text)
    with work(gateway) as doing:
        doing.think("I count.")
        found = doing.run("SELECT COUNT(*) AS N FROM SHOP.CRM.CONTACTS", "Count.")
        assert doing.rows(found) == [[3]]
    session = Session.objects.get()
    assert session.ended_at
    said = Event.objects.filter(kind="message").values_list("data__text", flat=True)
    assert {"A task", "I count.", "Count."} <= set(said)


def test_it_notices_a_mask_and_says_so(shop, token):
    gateway = InProcess(token.text)
    with work(gateway) as doing:
        doing.run("SELECT CONTACT_ID, EMAIL FROM SHOP.CRM.CONTACTS", "Look.")
    assert ("masked", "masked: EMAIL") in gateway.say


def test_it_reads_the_way_out_of_a_denial(shop, token):
    gateway = InProcess(token.text)
    with work(gateway) as doing:
        found = doing.run("COPY INTO @S/x.csv FROM (SELECT CITY FROM SHOP.CRM.CONTACTS)", "x")
    assert found["state"] == "denied"
    assert any(kind == "denied" and "Way out" in text for kind, text in gateway.say)


def decide(cast, choice):
    def react():
        for request in ApprovalRequest.objects.pending():
            approvals.vote(
                request_id=request.pk,
                by=cast.reviewer,
                choice=choice,
                reason="Ask Otto first." if choice == "reject" else "",
                digest=request.digest,
            )

    return react


WRITE = "UPDATE SHOP.CRM.CONTACTS SET CITY = 'Rome' WHERE CONTACT_ID = 1"


@pytest.mark.parametrize(("choice", "state"), [("approve", "succeeded"), ("reject", "rejected")])
def test_it_waits_for_a_person(shop, token, choice, state):
    gateway = InProcess(token.text, react=decide(shop, choice))
    with work(gateway) as doing:
        assert doing.run(WRITE, "Move.")["state"] == state
    waited = [text for kind, text in gateway.say if kind == "waiting"]
    assert "/approvals/" in waited[0]


def test_it_takes_back_what_nobody_decides_on(shop, token):
    gateway = InProcess(token.text)
    with work(gateway, patience=0.0) as doing:
        assert doing.run(WRITE, "Move.")["state"] == "withdrawn"


def test_a_restart_of_the_gateway_is_waited_out(shop, token, monkeypatch):
    monkeypatch.setattr(sample_agent.time, "sleep", lambda _: None)
    gateway = InProcess(token.text)
    gateway.patience = 60
    with work(gateway) as doing:
        gateway.lost = 3
        assert doing.run("SELECT 1 AS A", "x")["finished"]
    assert Statement.objects.count() == 1


def test_a_gateway_that_stays_away_ends_the_task(token, monkeypatch):
    monkeypatch.setattr(sample_agent.time, "sleep", lambda _: None)
    gateway = InProcess(token.text)
    gateway.patience, gateway.lost = 0, 99
    with pytest.raises(sample_agent.GaveUp, match="does not answer"):
        gateway.call("GET", "connections")


def test_a_revoked_token_ends_the_task_with_the_reason(db):
    gateway = InProcess("hwa_x")
    with pytest.raises(sample_agent.GaveUp, match="unknown, expired or revoked"):
        gateway.call("GET", "connections")


class Scripted:
    """Answers the story's statements one after the other."""

    def __init__(self, last):
        self.thoughts = []
        ended = {"columns": [], "approval": {"reason": "Not now."}, "error": None}
        way = {"reasons": [{"way_out": "Read the rows with SELECT."}]}
        self.answers = iter(
            [
                {"state": "succeeded", "columns": []},
                {"state": "succeeded", "columns": [{"name": "EMAIL", "masked": True}]},
                {"state": "denied", "decision": way},
                {"state": last, **ended},
                {"state": "succeeded", "columns": []},
            ]
        )

    def think(self, text):
        self.thoughts.append(text)

    def run(self, sql, reason, binds=()):
        return next(self.answers)

    def rows(self, statement, limit=100):
        return [["Porto", 1, 2], ["O'Brien", 1, 2], ["Oslo", 1, 2]][: 3 if limit else 0]


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("rejected", "Not now."),
        ("expired", "Nobody decided"),
        ("withdrawn", "did not happen"),
        ("failed", "did not happen"),
    ],
)
def test_the_story_ends_as_the_answer_does(state, says):
    script = Scripted(state)
    sample_tasks.lost_revenue(script)
    assert "masked" in " ".join(script.thoughts)
    assert "Read the rows with SELECT." in " ".join(script.thoughts)
    assert says in script.thoughts[-1]
