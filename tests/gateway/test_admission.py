"""Who may send is known for a moment, and no change within it is overlooked."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.services import issue_token
from gateway import admission, wire_sessions
from gateway.models import WireSession
from hoopweb.lib.errors import NotFound
from tests import factories
from tests.gateway.test_taking import opened

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "192.0.2.1"


@pytest.fixture(autouse=True)
def _nothing_known():
    admission._known.clear()


@pytest.fixture
def login(cast):
    """A session that an agent token opened, by way of a team; asked for once."""
    team = factories.team("loaders")
    cast.agent.teams.add(team)
    cast.connection.access.all().delete()
    factories.allow(cast.connection, team)
    token = issue_token(agent=cast.agent, label="t", by=cast.owner).token
    session, tokens = opened(cast, agent_token_id=token.pk)
    admission.admitted(tokens.session, ADDRESS)
    return session, tokens.session, token


def test_a_second_statement_asks_once(login):
    _, text, _ = login
    with CaptureQueriesContext(connection) as seen:
        admission.admitted(text, ADDRESS)
    assert len(seen) == 1


def test_another_address_is_another_question(login):
    _, text, token = login
    token.networks = [f"{ADDRESS}/32"]
    token.save()
    admission.admitted(text, ADDRESS)
    with pytest.raises(wire_sessions.SessionOver):
        admission.admitted(text, "192.0.2.2")


def switch_off(row):
    row.is_active = False
    row.save()


CHANGES = {
    "token revoked": lambda it: _set(it.token, revoked_at=timezone.now()),
    "token expired": lambda it: _set(it.token, expires_at=_a_moment_ago()),
    "agent off": lambda it: switch_off(it.cast.agent),
    "owner off": lambda it: switch_off(it.cast.owner),
    "connection off": lambda it: switch_off(it.cast.connection),
    "team left": lambda it: it.cast.agent.teams.clear(),
    "access gone": lambda it: it.cast.connection.access.all().delete(),
    "access over": lambda it: it.cast.connection.access.update(valid_until=_a_moment_ago()),
    "session ended": lambda it: wire_sessions.end(
        it.session.pk, actor=it.cast.principal.as_actor(), reason="test"
    ),
}


def _a_moment_ago():
    return timezone.now() - timedelta(seconds=1)


def _set(row, **values):
    type(row).objects.filter(pk=row.pk).update(**values)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_counts_with_the_next_statement(cast, login, change):
    session, text, token = login
    CHANGES[change](SimpleNamespace(cast=cast, token=token, session=session))
    with pytest.raises((wire_sessions.SessionOver, NotFound)):
        admission.admitted(text, ADDRESS)


def test_what_a_session_has_set_is_seen(login):
    session, text, _ = login
    wire_sessions.remember(session.pk, context={"schema": "RETAIL"})
    assert admission.admitted(text, ADDRESS).session.context["schema"] == "RETAIL"


def test_new_rules_are_seen(cast, login):
    _, text, _ = login
    _set(cast.connection, policy_revision=7)
    assert admission.admitted(text, ADDRESS).connection.policy_revision == 7


def test_what_only_the_clock_ends_is_noticed(cast, login, monkeypatch):
    session, text, _ = login
    WireSession.objects.filter(pk=session.pk).update(
        token_until=timezone.now() + timedelta(seconds=0.2), old_digest=""
    )
    # The row's change is noticed; its end comes later, by the clock alone.
    monkeypatch.setattr(wire_sessions, "_slide", lambda *_: None)
    admission.admitted(text, ADDRESS)
    monkeypatch.setattr(
        wire_sessions.timezone, "now", lambda: session.started_at + timedelta(hours=5)
    )
    assert admission.recent(text, ADDRESS) is None
    with pytest.raises(wire_sessions.TokenExpired):
        admission.admitted(text, ADDRESS)
