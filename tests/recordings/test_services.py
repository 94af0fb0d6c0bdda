"""Writing recordings, on a real Postgres."""

import threading
import uuid
from datetime import timedelta
from unittest import mock

import pytest
from django.db import connection, transaction
from django.utils import timezone

from hoopweb.lib.errors import Conflict, InvalidRequest, NotFound
from recordings import chain, services
from recordings.kinds import DESCRIPTIONS
from recordings.kinds import EventKind as K
from recordings.models import AuditEntry, Event, Session
from recordings.signals import event_appended
from tests.recordings.conftest import ACTOR, opened, say, stretch

pytestmark = pytest.mark.django_db


def test_a_session_opens_with_an_event_that_says_the_same_as_its_row():
    session = opened(title="  Find\n lost revenue ")
    event = session.events.get()
    assert (event.number, event.kind, event.previous) == (1, "session-opened", "")
    assert event.data == services.opening_facts(session)
    assert event.data["title"] == session.title == "Find"
    assert session.event_count == 1
    assert session.head == event.hash


def test_each_event_follows_from_the_one_before_and_hashes_as_documented():
    session = stretch()
    previous = ""
    for number, event in enumerate(session.events.order_by("number"), 1):
        assert (event.number, event.previous) == (number, previous)
        assert event.hash == chain.digest(services.body_of(event))
        previous = event.hash
    assert (session.event_count, session.head) == (number, previous)


def test_time_never_runs_backwards_in_a_chain():
    session = opened()
    earlier = timezone.now() - timedelta(hours=1)
    with mock.patch("recordings.services.sessions.timezone.now", return_value=earlier):
        event = say(session, K.PROMPT, text="hello")
    assert event.at == session.last_event_at


@pytest.mark.parametrize(
    "text", ["nul \x00 byte", "lone \ud800 surrogate", "\N{PILE OF POO}", "x" * 300_000]
)
def test_any_text_can_be_recorded_and_is_given_back_as_it_was_hashed(text):
    session = opened()
    event = say(session, K.PROMPT, text=text)
    event.refresh_from_db()
    assert chain.digest(services.body_of(event)) == event.hash


def test_a_prompt_names_an_untitled_session():
    session = opened()
    say(session, K.PROMPT, text="\n\n  Which cities\tlost most? \nMore.")
    say(session, K.PROMPT, text="Another")
    session.refresh_from_db()
    assert session.title == "Which cities lost most?"


def test_nothing_is_appended_to_what_is_sealed_or_unknown():
    session = stretch()
    with pytest.raises(Conflict, match="sealed"):
        say(session, K.PROMPT, text="late")
    with pytest.raises(NotFound):
        services.append(session_id=uuid.uuid4(), kind=K.PROMPT, actor=ACTOR, data={})


def test_closing_seals_and_closing_again_changes_nothing():
    session = stretch()
    assert not session.is_open
    assert session.seal == chain.seal_of(
        session_id=session.pk, count=session.event_count, head=session.head
    )
    assert session.events.order_by("number").last().at == session.ended_at
    again = services.close_session(session_id=session.pk, actor=ACTOR, reason="again")
    assert (again.seal, again.event_count) == (session.seal, session.event_count)


def test_a_session_with_an_unfinished_statement_stays_open():
    session, statement = opened(), uuid.uuid4()
    say(session, K.STATEMENT, statement, sql="select 1")
    with pytest.raises(Conflict, match="under way"):
        services.close_session(session_id=session.pk, actor=ACTOR)
    say(session, K.OUTCOME, statement, state="unknown")
    with pytest.raises(Conflict):
        services.close_session(session_id=session.pk, actor=ACTOR)
    say(session, K.RECONCILED, statement, state="succeeded")
    assert not services.close_session(session_id=session.pk, actor=ACTOR).is_open


@pytest.mark.parametrize(
    ("events", "finished"),
    [
        ([(K.DECISION, {"effect": "deny"})], True),
        ([(K.DECISION, {"effect": "review"})], False),
        ([(K.APPROVAL_DECIDED, {"state": "approved"})], False),
        ([(K.APPROVAL_DECIDED, {"state": "rejected"})], True),
        ([(K.APPROVAL_DECIDED, {"state": "expired"})], True),
        ([(K.APPROVAL_DECIDED, {"state": "withdrawn"})], True),
        ([(K.APPROVAL_DECIDED, {"state": "revoked"})], True),
        ([(K.INTENT, {})], False),
        ([(K.OUTCOME, {"state": "succeeded"})], True),
        ([(K.OUTCOME, {"state": "failed"})], True),
        ([(K.OUTCOME, {"state": "cancelled"})], True),
        ([(K.RECONCILED, {"state": "unknown"})], False),
        ([(K.CANCELLED, {"by": "x"})], True),
        ([(K.INTENT, {}), (K.CANCELLED, {"by": "x"})], False),
    ],
)
def test_which_events_end_a_statement(events, finished):
    session, statement = opened(), uuid.uuid4()
    say(session, K.STATEMENT, statement, sql="select 1")
    for kind, data in events:
        say(session, kind, statement, **data)
    assert (services.open_statements(session_id=session.pk) == set()) is finished


def test_messages_have_a_role_and_a_text():
    session = opened()
    event = services.add_message(
        session_id=session.pk, actor=ACTOR, role="assistant", text="Thinking."
    )
    assert event.data == {"role": "assistant", "text": "Thinking."}
    with pytest.raises(InvalidRequest):
        services.add_message(session_id=session.pk, actor=ACTOR, role="god", text="x")
    with pytest.raises(InvalidRequest):
        services.add_message(session_id=session.pk, actor=ACTOR, role="user", text="  ")


def test_a_payload_of_another_session_cannot_be_named():
    session, other = opened(), opened()
    payload = services.store_payload(session_id=other.pk, content=b"x", media_type="text/plain")
    with pytest.raises(InvalidRequest):
        services.append(
            session_id=session.pk, kind=K.OUTCOME, actor=ACTOR, data={}, payloads=[payload]
        )


def test_the_live_tail_hears_of_an_event_after_the_commit(django_capture_on_commit_callbacks):
    session = opened()
    heard = []

    def hear(**said):
        heard.append((said["session"].pk, said["session"].event_count))

    event_appended.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            say(session, K.PROMPT, text="x")
            assert heard == []
    finally:
        event_appended.disconnect(hear)
    assert heard == [(session.pk, 2)]


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("", None),
        (None, None),
        ("/run/socket", None),
    ],
)
def test_addresses_hash_as_the_database_gives_them_back(address, kept):
    entry = services.audit(actor=ACTOR, action="test", address=address)
    entry.refresh_from_db()
    assert entry.address == kept
    assert chain.digest(services.audit_body_of(entry)) == entry.hash


def test_the_audit_trail_is_one_chain_without_gaps():
    for i in range(3):
        services.audit(
            actor=ACTOR, action="rule-changed", kind="rule", object_id=str(i), before={"a": 1.5}
        )
    previous = ""
    for number, entry in enumerate(AuditEntry.objects.order_by("number"), 1):
        assert (entry.number, entry.previous) == (number, previous)
        assert entry.hash == chain.digest(services.audit_body_of(entry))
        previous = entry.hash


def test_every_kind_says_what_it_means():
    assert set(DESCRIPTIONS) == set(K)
    assert all(text.endswith(".") for text in DESCRIPTIONS.values())


def _together(work, count=6):
    failures = []

    def run():
        try:
            work()
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.django_db(transaction=True)
def test_many_writers_make_one_chain():
    session = opened()
    _together(lambda: [say(session, K.MESSAGE, text="x") for _ in range(5)])
    session.refresh_from_db()
    assert session.event_count == Event.objects.filter(session=session).count() == 31
    hashes = dict(session.events.values_list("number", "hash"))
    for event in session.events.filter(number__gt=1):
        assert event.previous == hashes[event.number - 1]


@pytest.mark.django_db(transaction=True)
def test_many_people_make_one_trail():
    _together(lambda: [services.audit(actor=ACTOR, action="x") for _ in range(3)])
    numbers = list(AuditEntry.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, 19))


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_event_leaves_no_trace():
    session = opened()
    with transaction.atomic():
        say(session, K.PROMPT, text="x")
        transaction.set_rollback(True)
    assert Session.objects.get(pk=session.pk).event_count == 1
    assert say(session, K.PROMPT, text="y").number == 2
