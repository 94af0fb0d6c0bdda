"""Whose access ends, nothing of theirs goes on: statements in every state, sessions, grants."""

import pytest
from django.utils import timezone

from accounts import services as accounts
from accounts.authentication import principal_by_token, still_holds
from accounts.models import AgentToken, User
from approvals import services as approvals
from approvals.models import ApprovalRequest, Grant
from connections.services.access import revoke_access
from gateway import cutting, execution, pipeline, standing
from gateway.models import Statement
from gateway.requests import StatementRequest
from gateway.states import StatementState
from recordings.models import Event, Session
from recordings.verify import verify_all
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True)]
READ = "SELECT CITY FROM SHOP.RETAIL.ORDERS"
WRITE = "UPDATE SHOP.CRM.CONTACTS SET CITY = 'Rome' WHERE CONTACT_ID = 1"
_count = iter(range(1, 10_000))


def ask(cast, sql=READ, *, principal=None, door="rest"):
    request = StatementRequest(
        connection_id=cast.connection.pk, sql=sql, request_id=f"cut{next(_count)}", door=door
    )
    return pipeline.submit(request, principal=principal or cast.principal)


def now(statement):
    return Statement.objects.select_related("session").get(pk=statement.pk)


def disable_agent(cast):
    accounts.disable_agent(agent=cast.agent, by=cast.admin)
    return standing.AGENT_DISABLED


def disable_owner(cast):
    accounts.disable_user(user=cast.owner, by=cast.admin)
    return standing.OWNER_DISABLED


def take_access_away(cast):
    for access in cast.connection.access.all():
        revoke_access(access=access, by=cast.admin)
    return standing.ACCESS_ENDED


WAYS = [disable_agent, disable_owner, take_access_away]


@pytest.mark.parametrize("way", WAYS)
def test_what_waits_and_what_is_queued_is_withdrawn_and_the_session_sealed(cast, way):
    held, queued = ask(cast, WRITE), ask(cast)
    assert (held.state, queued.state) == ("awaiting_approval", "queued")
    why = way(cast)
    for statement in (now(held), now(queued)):
        assert (statement.state, statement.error_text) == ("withdrawn", why)
    session = now(held).session
    assert session.ended_at
    assert session.seal
    last = Event.objects.filter(session=session).latest("number")
    assert (last.kind, last.data["reason"]) == ("session-closed", why)
    assert ApprovalRequest.objects.get(statement_id=held.pk).state == "withdrawn"
    assert not verify_all().findings


@pytest.mark.parametrize("way", WAYS)
def test_what_runs_is_asked_to_stop_and_its_session_ends_with_it(cast, way):
    statement = ask(cast)
    assert execution.claim(statement.pk)
    why = way(cast)
    assert now(statement).cancel_requested_at
    assert now(statement).session.is_open, "its outcome is still to be recorded"
    stopped = execution.Outcome(StatementState.CANCELLED, code="000604", text="stopped")
    execution.record_outcome(statement.pk, stopped)
    cutting.end_after(statement.pk)
    assert now(statement).session.ended_at
    last = Event.objects.filter(session=now(statement).session).latest("number")
    assert last.data["reason"] == why


def test_others_go_on(cast):
    other = factories.agent("bystander", owner=cast.owner)
    factories.allow(cast.connection, other)
    theirs = ask(cast, principal=other.as_principal())
    mine = ask(cast)
    disable_agent(cast)
    assert now(mine).state == "withdrawn"
    assert now(theirs).state == "queued"
    assert now(theirs).session.is_open


def test_a_revoked_token_takes_what_it_sent_with_it_and_leaves_the_other_tokens(cast):
    leaked, kept = (
        accounts.issue_token(agent=cast.agent, label=name, by=cast.owner).token
        for name in ("leaked", "kept")
    )
    by_leaked = ask(cast, WRITE, principal=principal_by_token(leaked), door="rest")
    by_kept = ask(cast, WRITE, principal=principal_by_token(kept), door="mcp")
    accounts.revoke_token(token=leaked, by=cast.owner)
    assert (now(by_leaked).state, now(by_leaked).error_text) == (
        "withdrawn",
        standing.TOKEN_REVOKED,
    )
    assert now(by_leaked).session.ended_at
    assert now(by_kept).state == "awaiting_approval"
    assert now(by_kept).session.is_open
    assert not still_holds(principal_by_token(leaked))
    assert still_holds(principal_by_token(kept))


def test_a_token_that_runs_out_leaves_what_it_sent(cast):
    token = accounts.issue_token(agent=cast.agent, label="x", by=cast.owner).token
    statement = ask(cast, WRITE, principal=principal_by_token(token))
    AgentToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())
    cutting.cut_lost()
    assert now(statement).state == "awaiting_approval"
    assert not still_holds(principal_by_token(token)), "and lets nothing new in"


def test_a_new_owner_ends_what_the_old_one_s_tokens_sent(cast):
    token = accounts.issue_token(agent=cast.agent, label="x", by=cast.owner).token
    statement = ask(cast, WRITE, principal=principal_by_token(token))
    accounts.update_agent(agent=cast.agent, owner=factories.person("heir"), by=cast.admin)
    assert now(statement).state == "withdrawn"


def test_leaving_a_team_ends_what_only_the_team_allowed(cast):
    team = factories.team("finance")
    vault = factories.connection("vault")
    factories.allow(vault, team)
    accounts.update_agent(agent=cast.agent, teams=[team], by=cast.admin)
    request = StatementRequest(connection_id=vault.pk, sql=WRITE, request_id="v", door="rest")
    by_team = pipeline.submit(request, principal=cast.principal)
    own = ask(cast, WRITE)
    accounts.update_agent(agent=cast.agent, teams=[], by=cast.admin)
    assert (now(by_team).state, now(own).state) == ("withdrawn", "awaiting_approval")


def test_a_person_s_own_statements_end_with_them(cast):
    factories.allow(cast.connection, cast.owner)
    statement = ask(cast, WRITE, principal=cast.owner.as_principal())
    accounts.disable_user(user=cast.owner, by=cast.admin)
    assert (now(statement).state, now(statement).error_text) == (
        "withdrawn",
        standing.PERSON_DISABLED,
    )


def test_a_revoked_grant_ends_what_it_let_run(cast):
    first = ask(cast, WRITE)
    request = ApprovalRequest.objects.get(statement_id=first.pk)
    approvals.vote(
        request_id=request.pk,
        by=cast.reviewer,
        choice="approve",
        digest=request.digest,
        grant_minutes=60,
    )
    second = ask(cast, WRITE)
    assert second.state == "queued"
    approvals.revoke_grant(grant_id=Grant.objects.get().pk, by=cast.reviewer)
    assert (now(second).state, now(second).error_text) == ("withdrawn", cutting.GRANT_REVOKED)
    assert now(first).state == "queued", "that one has an approval of its own"
    assert now(second).session.is_open, "the agent may go on"


def test_a_disabled_connection_ends_its_sessions(cast):
    from connections.services import disable_connection

    statement = ask(cast, WRITE)
    disable_connection(connection=cast.connection, by=cast.admin)
    assert now(statement).state == "withdrawn"
    assert not Session.objects.open().exists()


def test_a_lost_word_is_made_up_for(cast):
    statement = ask(cast, WRITE)
    # No service, so no word: somebody's hand in the database.
    User.objects.filter(pk=cast.owner.pk).update(is_active=False)
    assert now(statement).state == "awaiting_approval"
    assert cutting.cut_lost() == 2
    assert now(statement).state == "withdrawn"
    assert not Session.objects.open().exists()
    assert cutting.cut_lost() == 0


def test_a_failing_receiver_does_not_undo_the_change(cast, monkeypatch):
    def fail(_change):
        raise RuntimeError

    monkeypatch.setattr(cutting, "cut", fail)
    accounts.disable_agent(agent=cast.agent, by=cast.admin)
    cast.agent.refresh_from_db()
    assert not cast.agent.is_active
