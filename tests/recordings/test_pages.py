"""The pages over recordings: who sees what, what is written down, what a page costs."""

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.principal import Role
from recordings import checkpoints, services
from recordings.kinds import EventKind as K
from recordings.models import AuditEntry, Payload, Session
from tests import factories
from tests.recordings.conftest import ACTOR, arrow, opened, say, stretch

pytestmark = pytest.mark.django_db


def client(person) -> Client:
    found = Client()
    found.force_login(person)
    return found


def recorded(cast, **changes: Any) -> Session:
    """A session of the cast's agent on its connection."""
    fields = {
        "actor": cast.principal.as_actor(),
        "owner_id": cast.owner.pk,
        "connection_id": cast.connection.pk,
        "connection_name": cast.connection.name,
    } | changes
    return stretch(**fields)


@pytest.fixture
def people(cast):
    """The cast, and those who are nearly allowed."""
    elsewhere = factories.connection("elsewhere")
    return {
        "owner": cast.owner,
        "reviewer": cast.reviewer,
        "auditor": cast.auditor,
        "reviewer here": factories.person("rosa", Role.REVIEWER, on=cast.connection),
        "auditor here": factories.person("oleg", Role.AUDITOR, on=cast.connection),
        "reviewer elsewhere": factories.person("rene", Role.REVIEWER, on=elsewhere),
        "auditor elsewhere": factories.person("ovid", Role.AUDITOR, on=elsewhere),
        "teammate": factories.person("tara", Role.DEVELOPER),
        "admin": cast.admin,
        "stranger": cast.stranger,
    }


SEE = {"owner", "reviewer", "auditor", "reviewer here", "auditor here"}


def test_only_those_who_may_see_a_recording_reach_any_part_of_it(cast, people):
    session = recorded(cast)
    payload = Payload.objects.get(session=session)
    pages = [
        reverse("recordings:replay", args=[session.pk]),
        reverse("recordings:export", args=[session.pk]),
        reverse("recordings:payload", args=[session.pk, payload.pk]),
    ]
    for name, person in people.items():
        browser = client(person)
        for page in pages:
            wanted = 200 if name in SEE else 404
            assert browser.get(page).status_code == wanted, (name, page)
            part = browser.get(f"{page}?after=3", headers={"HX-Request": "true"})
            assert part.status_code == wanted, (name, page)
        listed = str(session.pk) in browser.get(reverse("recordings:list")).text
        assert listed is (name in SEE), name
    assert Client().get(pages[0]).status_code == 302


def test_what_is_not_there_is_not_found(cast):
    session, other = recorded(cast), recorded(cast)
    payload = Payload.objects.get(session=other)
    browser = client(cast.auditor)
    for page in (
        reverse("recordings:replay", args=[uuid.uuid4()]),
        reverse("recordings:export", args=[uuid.uuid4()]),
        reverse("recordings:payload", args=[session.pk, uuid.uuid4()]),
        reverse("recordings:payload", args=[session.pk, payload.pk]),
    ):
        assert browser.get(page).status_code == 404


def test_a_body_that_no_event_names_is_part_of_no_recording(cast):
    session = recorded(cast, close=False)
    loose = services.store_payload(session_id=session.pk, content=b"x", media_type="text/plain")
    page = reverse("recordings:payload", args=[session.pk, loose.pk])
    assert client(cast.auditor).get(page).status_code == 404


def test_reading_is_written_down(cast):
    session = recorded(cast)
    payload = Payload.objects.get(session=session)
    browser = client(cast.auditor)
    browser.get(reverse("recordings:replay", args=[session.pk]))
    browser.get(reverse("recordings:payload", args=[session.pk, payload.pk]))
    browser.get(reverse("recordings:export", args=[session.pk]))
    entries = AuditEntry.objects.filter(actor_id=cast.auditor.pk, object_kind="session")
    assert list(entries.order_by("number").values_list("action", "object_id")) == [
        ("replay-opened", str(session.pk)),
        ("result-read", str(session.pk)),
        ("session-exported", str(session.pk)),
    ]
    assert entries.first().address == "127.0.0.1"
    client(cast.stranger).get(reverse("recordings:replay", args=[session.pk]))
    assert not AuditEntry.objects.filter(actor_id=cast.stranger.pk).exists()


def test_the_live_tail_belongs_to_the_reading_that_was_noted_and_hides_none(cast):
    session = recorded(cast, close=False)
    page = reverse("recordings:replay", args=[session.pk])
    browser = client(cast.auditor)
    tail = {"path": f"{page}?after=1", "headers": {"HX-Request": "true"}}
    notes = AuditEntry.objects.filter(action="replay-opened")
    browser.get(**tail)
    assert notes.count() == 1  # asked for without the page: a reading like any other
    browser.get(**tail)
    assert notes.count() == 1
    browser.get(page)
    assert notes.count() == 2


def test_the_replay_tells_the_whole_story_without_a_script(cast):
    session = recorded(cast)
    checkpoints.write_checkpoint()
    page = client(cast.auditor).get(reverse("recordings:replay", args=[session.pk])).text
    for text in (
        "Which contacts live in Lyon?",
        "Reads are allowed.",
        "SHOP.CRM.CONTACTS.",
        "masked: redact",
        "Copies take the mask off.",
        "Read the rows instead.",
        "01b8-q",
        "Verified",
        "signed checkpoint 1",
    ):
        assert text in page
    for number in range(1, 10):
        assert f'id="step-{number}"' in page
    assert "maria@" not in page


def test_the_tail_brings_what_came_since_and_nothing_else(cast):
    session = recorded(cast, close=False)
    seen = session.event_count
    page = reverse("recordings:replay", args=[session.pk])
    say(session, K.MESSAGE, text="And now Porto.", role="assistant")
    part = client(cast.auditor).get(f"{page}?after={seen}", headers={"HX-Request": "true"}).text
    assert "And now Porto." in part
    assert f'id="step-{seen + 1}"' in part
    assert f'id="step-{seen}"' not in part
    assert f'name="after" value="{seen + 1}"' in part
    assert "<html" not in part


@pytest.mark.parametrize("after", ["x", "-1", "", "9" * 30, "1.5"])
def test_a_nonsense_tail_is_no_error(cast, after):
    session = recorded(cast)
    page = reverse("recordings:replay", args=[session.pk])
    response = client(cast.auditor).get(f"{page}?after={after}", headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert "<html" not in response.text


def test_a_tampered_recording_says_so_on_its_page_and_still_opens(cast, owning):
    session = recorded(cast)
    with owning() as cursor:
        cursor.execute(
            "UPDATE recordings_event SET data = '[1]', actor = '\"x\"', payloads = '[2]' "
            "WHERE session_id = %s AND number = 4",
            [session.pk],
        )
        cursor.execute(
            'UPDATE recordings_event SET data = \'{"facts": 3, "reasons": 4}\' '
            "WHERE session_id = %s AND number = 8",
            [session.pk],
        )
    page = client(cast.auditor).get(reverse("recordings:replay", args=[session.pk])).text
    assert "This recording is not what was recorded" in page
    assert "Event 4 (decision) is not what its hash says" in page
    assert "Broken" in page


KEYS = """
    text role sql binds request_id effect reasons protections facts masked_outputs digest reviewers
    votes_needed expires_at choice reason reviewer grant_minutes state queue sql_sent row_count
    columns findings duration_ms error by how principal connection transfer listed files count size
"""


@pytest.mark.parametrize("odd", ["x", 3, [], {}, [1], {"a": 1}, None])
def test_no_shape_of_data_breaks_the_page(cast, odd):
    session = recorded(cast, close=False)
    for kind in set(K) - {K.SESSION_CLOSED}:
        statement = uuid.uuid4()
        say(session, K.STATEMENT, statement, sql="select 1")
        services.append(
            session_id=session.pk,
            kind=kind,
            actor=ACTOR,
            statement_id=statement,
            data=dict.fromkeys(KEYS.split(), odd),
        )
    page = reverse("recordings:replay", args=[session.pk])
    assert client(cast.auditor).get(page).status_code == 200


def test_a_kind_of_event_that_nobody_knows_is_shown_as_it_is(cast, owning):
    session = recorded(cast)
    with owning() as cursor:
        cursor.execute(
            "UPDATE recordings_event SET kind = 'teleported' WHERE session_id = %s AND number = 2",
            [session.pk],
        )
    page = client(cast.auditor).get(reverse("recordings:replay", args=[session.pk])).text
    assert "Teleported" in page
    assert "&quot;text&quot;" in page


def test_a_damaged_result_is_named_and_not_exported(cast, owning):
    session = recorded(cast)
    with owning() as cursor:
        cursor.execute("UPDATE recordings_payload SET body = NULL")
    browser = client(cast.auditor)
    page = browser.get(reverse("recordings:replay", args=[session.pk])).text
    assert "These rows are not what was recorded" in page
    response = browser.get(reverse("recordings:export", args=[session.pk]), follow=True)
    assert "Nothing was exported" in response.text


def test_what_an_agent_wrote_stays_text(cast):
    session = recorded(cast, close=False)
    evil = "<script>alert(1)</script>"
    statement = uuid.uuid4()
    say(session, K.PROMPT, statement, text=evil)
    say(session, K.STATEMENT, statement, sql=f"select '{evil}'", request_id=evil)
    say(
        session,
        K.DECISION,
        statement,
        effect=evil,
        reasons=[{"text": evil, "rule": evil}],
        facts={
            "reads": [evil],
            "flags": [evil],
            "outputs": [{"name": evil, "sources": [evil]}],
            "columns": [{"column": evil, "use": evil}],
        },
    )
    say(session, K.INTENT, statement, sql_sent=evil, role=evil)
    say(
        session,
        K.OUTCOME,
        statement,
        state=evil,
        query_id=evil,
        error={"code": evil, "text": evil},
        findings=[{"detector": evil, "column": evil, "count": 1}],
        duration_ms=evil,
    )
    say(session, K.CANCELLED, statement, by=evil, reason=evil)
    say(session, K.RECONCILED, statement, state=evil, how=evil)
    browser = client(cast.auditor)
    page = browser.get(reverse("recordings:replay", args=[session.pk]))
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    services.audit(
        actor={**ACTOR, "name": evil}, action=evil[:60], object_name=evil, after={evil: evil}
    )
    assert "<script>alert" not in browser.get(reverse("recordings:audit")).text


def test_rows_come_a_page_at_a_time(cast):
    session, statement = recorded(cast, close=False), uuid.uuid4()
    payload = services.store_payload(
        session_id=session.pk,
        content=arrow(N=list(range(2500)), WHO=[None, "x"] * 1250),
        media_type="application/vnd.apache.arrow.stream",
    )
    say(session, K.STATEMENT, statement, sql="select n")
    services.append(
        session_id=session.pk,
        kind=K.OUTCOME,
        actor=ACTOR,
        statement_id=statement,
        data={
            "state": "succeeded",
            "row_count": 2500,
            "columns": [
                {"name": "N", "type": "NUMBER", "masked": False},
                {"name": "WHO", "type": "TEXT", "masked": True},
            ],
        },
        payloads={"result": payload},
    )
    browser = client(cast.auditor)
    page = reverse("recordings:payload", args=[session.pk, payload.pk])
    first = browser.get(page).text
    assert "Rows 1 to 1,000 of 2,500" in first
    assert "?first=1000" in first
    last = browser.get(f"{page}?first=2000").text
    assert "Rows 2,001 to 2,500 of 2,500" in last
    for odd in ("-5", "x", "9999999999999999999999", "2500"):
        assert browser.get(f"{page}?first={odd}").status_code == 200
    part = browser.get(page, headers={"HX-Request": "true"}).text
    assert "<html" not in part
    assert "See all 2,500 rows" in part


def test_a_long_session_is_shown_in_windows(cast):
    session = recorded(cast, close=False)
    for i in range(320):
        say(session, K.MESSAGE, text=f"turn {i}", role="assistant")
    browser = client(cast.auditor)
    page = reverse("recordings:replay", args=[session.pk])
    first = browser.get(page).text
    assert 'id="step-300"' in first
    assert 'id="step-301"' not in first
    assert "?from=301" in first
    second = browser.get(f"{page}?from=301").text
    assert 'id="step-301"' in second
    assert 'id="step-300"' not in second
    assert f'href="{page}#step-1"' in second
    assert 'name="after" value="328"' in second
    part = browser.get(f"{page}?after=5", headers={"HX-Request": "true"}).text
    assert 'id="step-305"' in part
    assert 'id="step-306"' not in part
    for odd in ("0", "-1", "x", "999999999", "99999999999999999999"):
        assert browser.get(f"{page}?from={odd}").status_code == 200


class TestClosing:
    def close(self, person, session: Session):
        return client(person).post(reverse("recordings:close", args=[session.pk]), follow=True)

    def test_the_owner_ends_a_session(self, cast):
        session = recorded(cast, close=False)
        assert "Session closed and sealed." in self.close(cast.owner, session).text
        session.refresh_from_db()
        assert session.seal
        assert AuditEntry.objects.filter(action="session-closed").count() == 1

    def test_others_who_see_it_do_not(self, cast):
        session = recorded(cast, close=False)
        assert "Only the one who answers" in self.close(cast.auditor, session).text
        assert self.close(cast.stranger, session).status_code == 404
        session.refresh_from_db()
        assert session.is_open

    def test_an_admin_who_sees_it_does(self, cast):
        session = recorded(cast, close=False)
        both = factories.person("alba", Role.ADMIN, Role.AUDITOR)
        self.close(both, session)
        session.refresh_from_db()
        assert not session.is_open

    def test_a_statement_under_way_keeps_it_open(self, cast):
        session = recorded(cast, close=False)
        say(session, K.STATEMENT, uuid.uuid4(), sql="update x")
        assert "still under way" in self.close(cast.owner, session).text

    def test_looking_ends_nothing(self, cast):
        session = recorded(cast, close=False)
        page = reverse("recordings:close", args=[session.pk])
        assert client(cast.owner).get(page).status_code == 405


class TestList:
    def get(self, cast, query: str = "", person=None) -> str:
        return client(person or cast.auditor).get(f"{reverse('recordings:list')}{query}").text

    def test_empty(self, cast):
        assert "No session has been recorded yet" in self.get(cast)

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("?state=open", {"open"}),
            ("?state=sealed", {"sealed", "mcp"}),
            ("?door=mcp", {"mcp"}),
            ("?q=porto", {"mcp"}),
            ("?q=PORTO+lost", {"mcp"}),
            ("?q=nothing-like-it", set()),
            ("?principal=cleaner", {"open", "sealed", "mcp"}),
            ("?connection=shop", {"open", "sealed", "mcp"}),
            ("?connection=unheard-of", {"open", "sealed", "mcp"}),
            ("?since=2000-01-01", {"open", "sealed", "mcp"}),
            ("?until=2000-01-01", set()),
            ("?since=rubbish", {"open", "sealed", "mcp"}),
            ("?q=%00", {"open", "sealed", "mcp"}),
            ("?cursor=rubbish", {"open", "sealed", "mcp"}),
        ],
    )
    def test_filters_live_in_the_address(self, cast, query, found):
        rows = {
            "open": recorded(cast, close=False),
            "sealed": recorded(cast),
            "mcp": recorded(cast, door="mcp", title="What was lost in Porto"),
        }
        page = self.get(cast, query)
        assert {name for name, row in rows.items() if str(row.pk) in page} == found

    def test_pages_follow_one_another(self, cast):
        for i in range(60):
            opened(connection_id=cast.connection.pk, title=f"run {i:02}")
        page = self.get(cast)
        assert "50 of 60 sessions" in page
        assert "run 59" in page
        older = page.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
        second = self.get(cast, older.replace("&amp;", "&"))
        assert "run 09" in second
        assert "run 10" not in second

    def test_it_costs_the_same_however_many_rows(self, cast, django_assert_num_queries):
        browser = client(cast.auditor)
        recorded(cast)
        browser.get(reverse("recordings:list"))
        for _ in range(3):
            recorded(cast)
            with django_assert_num_queries(LIST_QUERIES):
                browser.get(reverse("recordings:list"))


LIST_QUERIES = 9
REPLAY_QUERIES = 16


def test_a_replay_costs_the_same_however_many_steps(cast, django_assert_num_queries):
    browser = client(cast.auditor)
    session = recorded(cast, close=False)
    page = reverse("recordings:replay", args=[session.pk])
    browser.get(page)
    with django_assert_num_queries(REPLAY_QUERIES):
        browser.get(page)
    for i in range(10):
        say(session, K.MESSAGE, text=str(i), role="assistant")
    with django_assert_num_queries(REPLAY_QUERIES):
        browser.get(page)


class TestAudit:
    def get(self, person, query: str = ""):
        return client(person).get(f"{reverse('recordings:audit')}{query}")

    def test_auditors_only_and_others_learn_whom_to_ask(self, cast, people):
        for name, person in people.items():
            response = self.get(person)
            if name == "auditor":
                assert response.status_code == 200
            else:
                assert response.status_code == 403, name
                assert "Ask an admin for the auditor role" in response.text

    def test_entries_show_what_changed(self, cast):
        services.audit(
            actor=ACTOR,
            action="rule-changed",
            kind="rule",
            object_id="r1",
            object_name="hold writes",
            before={"votes": 1, "same": 1},
            after={"votes": 2, "same": 1},
        )
        page = self.get(cast.auditor).text
        assert "rule-changed" in page
        assert "<del>1</del>" in page
        assert "<ins>2</ins>" in page
        assert "1 value<" in page
        assert "Verified" in page

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("?action=beta", {"beta"}),
            ("?actor=cleaner", {"alpha", "beta"}),
            ("?q=second", {"beta"}),
            ("?q=%00", {"alpha", "beta"}),
            ("?since=2000-01-01", {"alpha", "beta"}),
            ("?until=2000-01-01", set()),
            ("?before=2", {"alpha"}),
            ("?after=1", {"beta"}),
            ("?before=x&after=99999999999999999999", {"alpha", "beta"}),
        ],
    )
    def test_filters_live_in_the_address(self, cast, query, found):
        services.audit(actor=ACTOR, action="alpha", object_name="first thing")
        services.audit(actor=ACTOR, action="beta", object_name="second thing")
        page = self.get(cast.auditor, query).text
        names = {"alpha": "first thing", "beta": "second thing"}
        assert {n for n, thing in names.items() if thing in page} == found

    def test_a_tampered_entry_is_named_where_it_stands(self, cast, owning):
        for i in range(3):
            services.audit(actor=ACTOR, action="x", object_name=str(i))
        with owning() as cursor:
            cursor.execute("UPDATE recordings_auditentry SET object_name = 'z' WHERE number = 2")
        page = self.get(cast.auditor).text
        assert "The audit trail is not what was written" in page
        assert "This entry is not what was written." in page
        assert "Broken" in page

    def test_a_cut_trail_is_found_by_the_checkpoint(self, cast, owning):
        for i in range(3):
            services.audit(actor=ACTOR, action="x", object_name=str(i))
        checkpoints.write_checkpoint()
        with owning() as cursor:
            cursor.execute("DELETE FROM recordings_auditentry WHERE number = 3")
        assert "Entry 3, which checkpoint 1 signed, is missing." in self.get(cast.auditor).text

    def test_empty(self, cast):
        assert "Nothing has been written yet" in self.get(cast.auditor).text
        assert "No entry matches" in self.get(cast.auditor, "?q=zzz").text

    def test_pages_follow_one_another(self, cast):
        for i in range(60):
            services.audit(actor=ACTOR, action="x", object_name=f"thing {i:02}")
        page = self.get(cast.auditor).text
        assert "?before=11" in page
        older = self.get(cast.auditor, "?before=11").text
        assert "thing 09" in older
        assert "?after=10" in older
        newer = self.get(cast.auditor, "?after=10").text
        assert "thing 59" in newer


def test_a_transfer_is_shown_with_what_was_not_seen_of_it(cast):
    session, statement = recorded(cast, close=False), uuid.uuid4()
    say(session, K.STATEMENT, statement, sql="PUT file:///data/a.csv @SHOP.CRM.FILES/in/")
    say(
        session,
        K.OUTCOME,
        statement,
        state="succeeded",
        transfer={
            "command": "UPLOAD",
            "stage": "SHOP.CRM.FILES",
            "path": "/in/",
            "files": ["/data/a<b>.csv"],
            "count": 1,
            "storage": {"type": "S3", "region": "eu-north-1", "encrypted_by_client": True},
        },
        awaits="transfer",
    )
    say(
        session,
        K.TRANSFER,
        statement,
        listed=True,
        files=[{"name": "files/in/a.csv.gz", "size": 2048, "md5": "ab" * 16, "new": True}],
        count=1,
        size=2048,
    )
    gone = uuid.uuid4()
    say(session, K.STATEMENT, gone, sql="GET @~ file:///data/")
    say(session, K.TRANSFER, gone, listed=False, files=[], count=0, size=0)
    page = client(cast.auditor).get(reverse("recordings:replay", args=[session.pk])).text
    assert "Let the driver upload" in page
    assert "@SHOP.CRM.FILES/in/" in page
    assert "does not pass the gateway" in page
    assert "/data/a&lt;b&gt;.csv" in page
    assert "eu-north-1" in page
    assert "files/in/a.csv.gz" in page
    assert "could not be listed afterwards" in page
