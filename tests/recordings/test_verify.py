"""Every change, loss, swap and cut is found and named, also when someone owns the database."""

import json
import os
import uuid
from io import StringIO

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from recordings import chain, checkpoints, services
from recordings import outside as files
from recordings.findings import FAULTS, Fault
from recordings.kinds import EventKind as K
from recordings.models import Event, Payload, Session
from recordings.verify import verify_all, verify_session
from tests.recordings.conftest import ACTOR, opened, say, stretch

pytestmark = pytest.mark.django_db


def faults(session: Session) -> set[Fault]:
    session.refresh_from_db()
    return {finding.fault for finding in verify_session(session).findings}


def told() -> str:
    return "\n".join(str(finding) for finding in verify_all().findings)


@pytest.fixture
def session():
    """A sealed session among others, under a checkpoint, with an audit trail."""
    stretch()
    session = stretch()
    stretch(close=False)
    for action in ("a", "b", "c"):
        services.audit(actor=ACTOR, action=action)
    checkpoints.write_checkpoint()
    session.refresh_from_db()
    return session


def test_nothing_wrong_is_nothing_found(session):
    result = verify_session(session)
    assert (result.findings, result.proof, result.badge) == ([], "checkpoint", "verified")
    report = verify_all()
    assert report.findings == []
    assert (report.sessions, report.checkpoints, report.audit_entries) == (3, 1, 3)


def test_how_far_the_proof_reaches():
    open_one, sealed = stretch(close=False), stretch()
    assert verify_session(open_one).badge == "open"
    assert verify_session(sealed).badge == "sealed"
    checkpoints.write_checkpoint()
    sealed.refresh_from_db()
    assert verify_session(sealed).badge == "verified"


@pytest.mark.parametrize(
    "change",
    [
        'data = data || \'{"sql": "select 1"}\'',
        "kind = 'vote'",
        "at = at + interval '1 second'",
        "actor = '{}'",
        "statement_id = gen_random_uuid()",
        'payloads = \'[{"name": "result"}]\'',
        "previous = repeat('0', 64)",
        "hash = repeat('0', 64)",
    ],
)
def test_a_changed_event_is_named(session, owning, change):
    with owning() as cursor:
        cursor.execute(
            f"UPDATE recordings_event SET {change} WHERE session_id = %s AND number = 3",
            [session.pk],
        )
    assert Fault.CHANGED in faults(session)
    assert f"session {session.pk}: event 3" in told()
    assert 3 in verify_session(session).events()


def test_a_lost_event_and_a_cut_end_are_named(session, owning):
    with owning() as cursor:
        cursor.execute(
            "DELETE FROM recordings_event WHERE session_id = %s AND number IN (4, 8, 9)",
            [session.pk],
        )
    text = told()
    assert "event 4 is missing" in text
    assert "events 8 to 9 are gone" in text


def test_swapped_events_are_named(session, owning):
    with owning() as cursor:
        for old, new in ((3, 1003), (6, 3), (1003, 6)):
            cursor.execute(
                "UPDATE recordings_event SET number = %s WHERE session_id = %s AND number = %s",
                [new, session.pk, old],
            )
    text = told()
    assert "event 3 (outcome) was recorded as event 6" in text
    assert "event 6 (statement) was recorded as event 3" in text


def rewrite(session: Session, cursor, *, upto: int | None = None) -> None:
    """What someone who owns the database does: change an event, then mend every hash and seal."""
    previous = ""
    events = list(Event.objects.filter(session=session).order_by("number"))[:upto]
    for event in events:
        event.previous = previous
        if event.kind == K.STATEMENT:
            event.data["sql"] = "select 'nothing to see'"
        event.hash = previous = chain.digest(services.body_of(event))
        cursor.execute(
            "UPDATE recordings_event SET data = %s, previous = %s, hash = %s WHERE id = %s",
            [json.dumps(event.data), event.previous, event.hash, event.pk],
        )
    cursor.execute(
        "DELETE FROM recordings_event WHERE session_id = %s AND number > %s",
        [session.pk, len(events)],
    )
    seal = chain.seal_of(session_id=session.pk, count=len(events), head=previous)
    cursor.execute(
        "UPDATE recordings_session SET event_count = %s, head = %s, "
        "seal = CASE WHEN ended_at IS NULL THEN '' ELSE %s END WHERE id = %s",
        [len(events), previous, seal, session.pk],
    )


def test_a_recording_rewritten_whole_does_not_match_the_signed_seal(session, owning):
    with owning() as cursor:
        rewrite(session, cursor)
    assert faults(session) == {Fault.SEAL}
    assert "rewritten after it was sealed" in told()


def test_a_rewriter_who_drops_the_place_in_the_tree_is_found_by_the_whole(session, owning):
    with owning() as cursor:
        rewrite(session, cursor)
        cursor.execute("UPDATE recordings_session SET leaf = NULL WHERE id = %s", [session.pk])
    assert f"session {session.pk}: checkpoint 1 signed another seal" in told()


def test_a_rewriter_who_takes_another_place_in_the_tree_is_found(session, owning):
    with owning() as cursor:
        cursor.execute("UPDATE recordings_session SET leaf = 77 WHERE id = %s", [session.pk])
    assert Fault.TREE in faults(session)


def test_an_open_recording_rewritten_or_cut_after_a_checkpoint_is_found(owning):
    session = stretch(close=False)
    checkpoints.write_checkpoint()
    with owning() as cursor:
        rewrite(session, cursor)
    assert "rewritten while it was open" in told()
    assert faults(session) == {Fault.REPLACED}


def test_an_open_recording_cut_to_a_clean_beginning_is_found(owning):
    session = stretch(close=False)
    checkpoints.write_checkpoint()
    with owning() as cursor:
        rewrite(session, cursor, upto=2)
    assert "is not the one that checkpoint 1 saw" in told()


def test_lost_sessions_are_named_from_outside(session, owning):
    gone = list(Session.objects.values_list("pk", flat=True))
    with owning() as cursor:
        for table in ("event", "payload"):
            cursor.execute(f"DELETE FROM recordings_{table}")
        cursor.execute("DELETE FROM recordings_session")
        cursor.execute("DELETE FROM recordings_checkpoint")
    text = told()
    for session_id in gone:
        assert f"session {session_id}: it is gone" in text
    assert "checkpoint 1 is missing from the database" in text


def test_a_session_reopened_or_retold_by_its_row_is_found(session, owning):
    with owning() as cursor:
        cursor.execute(
            "UPDATE recordings_session SET ended_at = NULL, principal_name = 'somebody else' "
            "WHERE id = %s",
            [session.pk],
        )
    text = told()
    assert "the row says principal somebody else, the first event says cleaner" in text
    assert "its row was opened again" in text


def test_a_retitled_session_is_found(session, owning):
    with owning() as cursor:
        cursor.execute("UPDATE recordings_session SET title = 'x' WHERE id = %s", [session.pk])
    assert faults(session) == {Fault.FACTS}


def test_a_moved_end_is_found(session, owning):
    with owning() as cursor:
        cursor.execute(
            "UPDATE recordings_session SET ended_at = ended_at - interval '1 day' WHERE id = %s",
            [session.pk],
        )
    assert faults(session) == {Fault.FACTS}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("DELETE FROM recordings_payload WHERE session_id = %s", "the result of event 6 is gone"),
        (
            "UPDATE recordings_payload SET digest = repeat('0', 64) WHERE session_id = %s",
            "the result of event 6 is not the one that was recorded",
        ),
        (
            (
                "UPDATE recordings_payload SET body = (SELECT body FROM recordings_payload p "
                "WHERE p.session_id <> recordings_payload.session_id LIMIT 1) WHERE session_id = %s"
            ),
            "the result of event 6 cannot be read as recorded",
        ),
        (
            "UPDATE recordings_payload SET body = NULL WHERE session_id = %s",
            "has no body",
        ),
    ],
)
def test_a_lost_changed_or_exchanged_payload_is_named(session, owning, change, words):
    with owning() as cursor:
        cursor.execute(change, [session.pk])
    assert faults(session) == {Fault.PAYLOAD}
    assert words in told()


def test_a_payload_taken_from_another_session_is_named(session, owning):
    other = Session.objects.exclude(pk=session.pk).first()
    with owning() as cursor:
        cursor.execute(
            "UPDATE recordings_payload SET session_id = %s WHERE session_id = %s",
            [other.pk, session.pk],
        )
    assert faults(session) == {Fault.PAYLOAD}


def test_a_lost_file_of_a_large_payload_is_named():
    session = opened()
    payload = services.store_payload(
        session_id=session.pk, content=os.urandom(300_000), media_type="text/plain"
    )
    services.append(
        session_id=session.pk, kind=K.OUTCOME, actor=ACTOR, data={}, payloads={"log": payload}
    )
    default_storage.delete(payload.stored)
    assert "the log of event 2 cannot be read" in told()


def test_a_page_opens_no_more_than_it_has_time_for(session):
    result = verify_session(session, payload_bytes=1)
    assert result.ok
    assert "1 body against the recorded digest, 0 of them opened" in result.checked


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE recordings_auditentry SET action = 'x' WHERE number = 2", "entry 2 (x) is not"),
        ("DELETE FROM recordings_auditentry WHERE number = 2", "audit entry 2 is missing"),
        ("DELETE FROM recordings_auditentry WHERE number = 3", "the end of the audit trail is cut"),
        (
            "UPDATE recordings_auditentry SET previous = '' WHERE number = 2",
            "audit entry 2 does not follow from 1",
        ),
    ],
)
def test_a_tampered_audit_trail_is_named(session, owning, change, words):
    with owning() as cursor:
        cursor.execute(change)
    assert words in told()


def test_an_audit_trail_rewritten_whole_does_not_match_the_checkpoint(session, owning):
    from recordings.models import AuditEntry

    with owning() as cursor:
        previous = ""
        for entry in AuditEntry.objects.order_by("number"):
            entry.action, entry.previous = "harmless", previous
            previous = chain.digest(services.audit_body_of(entry))
            cursor.execute(
                "UPDATE recordings_auditentry SET action = 'harmless', previous = %s, hash = %s "
                "WHERE number = %s",
                [entry.previous, previous, entry.number],
            )
    assert "audit entry 3 is not the one that a signed checkpoint names" in told()


class TestCheckpoints:
    @pytest.fixture(autouse=True)
    def _three(self, session):
        for _ in range(2):
            stretch()
            checkpoints.write_checkpoint()

    def test_whole(self):
        assert told() == ""

    def test_a_lost_file(self, outside):
        (outside / files.name_of(2)).unlink()
        assert told() == "[outside] the file of checkpoint 2 is missing"

    def test_a_changed_file(self, outside):
        path = outside / files.name_of(2)
        path.chmod(0o644)
        content = json.loads(path.read_text())
        content["body"]["tree"]["root"] = "0" * 64
        path.write_text(json.dumps(content))
        assert told() == "[outside] the file of checkpoint 2 was changed"

    def test_rubbish_in_a_file(self, outside):
        path = outside / files.name_of(2)
        path.chmod(0o644)
        path.write_text("[]")
        assert told() == "[outside] the file of checkpoint 2 was changed"

    def test_files_exchanged(self, outside):
        one, two = (outside / files.name_of(number) for number in (1, 2))
        a, b = one.read_bytes(), two.read_bytes()
        for path, content in ((one, b), (two, a)):
            path.chmod(0o644)
            path.write_bytes(content)
        assert "the file of checkpoint 1 was changed" in told()

    def test_a_lost_row(self, owning):
        with owning() as cursor:
            cursor.execute("DELETE FROM recordings_checkpoint WHERE number = 2")
        assert told() == "[checkpoint] checkpoint 2 is missing from the database"

    def test_a_changed_row(self, owning):
        with owning() as cursor:
            cursor.execute(
                "UPDATE recordings_checkpoint SET body = jsonb_set(body, '{sealed}', '[]') "
                "WHERE number = 2"
            )
        assert "checkpoint 2 in the database is not what this installation signed" in told()

    def test_one_lost_everywhere(self, outside, owning):
        (outside / files.name_of(2)).unlink()
        with owning() as cursor:
            cursor.execute("DELETE FROM recordings_checkpoint WHERE number = 2")
        text = told()
        assert "the file of checkpoint 2 is missing" in text
        assert "checkpoint 2 is missing from the database" in text

    def test_signed_with_another_key(self, outside, settings):
        from hoopweb.lib.crypto import new_key

        settings.CHECKPOINT_KEY = new_key()
        assert "the file of checkpoint 1 was changed" in told()


def test_the_command_names_findings_and_exits_with_one(session, owning):
    out = StringIO()
    call_command("verify", stdout=out)
    assert "Nothing is wrong." in out.getvalue()
    call_command("verify", session=session.pk, stdout=out)
    with owning() as cursor:
        cursor.execute("UPDATE recordings_event SET actor = '{}' WHERE number = 2")
    for options in ({}, {"session": session.pk}):
        out = StringIO()
        with pytest.raises(CommandError) as raised:
            call_command("verify", stdout=out, **options)
        assert raised.value.returncode == 1
        assert f"session {session.pk}: event 2 (prompt) is not what its hash says" in out.getvalue()
    with pytest.raises(CommandError, match="no session"):
        call_command("verify", session=uuid.uuid4())


def test_every_fault_says_what_it_means():
    assert set(FAULTS) == set(Fault)


def test_events_appended_meanwhile_are_no_finding():
    session = stretch(close=False)
    stale = Session.objects.get(pk=session.pk)
    say(session, K.MESSAGE, text="later")
    fresh = Session.objects.get(pk=session.pk)
    assert verify_session(fresh).ok
    assert not verify_session(stale).ok  # which is why pages read row and events in one snapshot


def test_payload_rows_are_counted_once(session):
    assert Payload.objects.filter(session=session).count() == 1
