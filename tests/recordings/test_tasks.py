"""Sealing on a schedule."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from hoopweb.lib.errors import Conflict
from recordings import services
from recordings.kinds import EventKind as K
from recordings.models import Session
from recordings.tasks import seal_idle_sessions
from tests.recordings.conftest import opened, say, stretch

pytestmark = pytest.mark.django_db


def grow_old(*sessions: Session, minutes: int = 31) -> None:
    Session.objects.filter(pk__in=[s.pk for s in sessions]).update(
        last_event_at=timezone.now() - timedelta(minutes=minutes)
    )


def test_idle_sessions_are_sealed_and_others_left():
    idle, busy, waiting, fresh = (stretch(close=False) for _ in range(4))
    statement = uuid.uuid4()
    say(waiting, K.STATEMENT, statement, sql="update x")
    say(waiting, K.DECISION, statement, effect="review")
    grow_old(idle, waiting)
    grow_old(busy, minutes=29)
    assert seal_idle_sessions() == 1
    assert {s.pk for s in Session.objects.open()} == {busy.pk, waiting.pk, fresh.pk}
    idle.refresh_from_db()
    assert idle.events.order_by("number").last().data == {"reason": "idle"}
    say(waiting, K.APPROVAL_DECIDED, statement, state="expired")
    grow_old(waiting)
    assert seal_idle_sessions() == 1


def test_it_asks_the_database_once_however_much_waits(django_assert_num_queries):
    for _ in range(3):
        session = opened()
        say(session, K.STATEMENT, uuid.uuid4(), sql="x")
        grow_old(session)
    with django_assert_num_queries(1):
        assert seal_idle_sessions() == 0


def test_a_session_that_woke_up_meanwhile_is_left_open():
    session = stretch(close=False)
    before = session.last_event_at
    say(session, K.MESSAGE, text="here again")
    with pytest.raises(Conflict, match="in use again"):
        services.close_session(session_id=session.pk, actor=services.SYSTEM, idle_since=before)
