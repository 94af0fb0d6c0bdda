"""Running against a warehouse: masked, recorded first, once, and never again when in doubt."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from approvals import services as approvals
from approvals.models import ApprovalRequest, Grant
from gateway import execution, pipeline, reconciling, services
from gateway.models import Statement
from gateway.requests import StatementRequest
from gateway.results import read_result
from gateway.states import StatementState
from hoopweb.lib.errors import IllegalTransition, NotAllowed, NotFound, SelfApproval
from recordings.models import Event

pytestmark = [pytest.mark.django_db(transaction=True)]

MASKED_READ = "SELECT CONTACT_ID, EMAIL FROM SHOP.CRM.CONTACTS ORDER BY CONTACT_ID"


@pytest.fixture
def shop(cast, warehouse):
    warehouse.serve(cast.connection)
    return cast


_count = iter(range(1, 10_000))


def ask(cast, sql, **kw):
    request = StatementRequest(
        connection_id=cast.connection.pk, sql=sql, request_id=f"r{next(_count)}", door="rest", **kw
    )
    return pipeline.submit(request, principal=cast.principal)


def approve(cast, statement, **kw):
    request = ApprovalRequest.objects.get(statement_id=statement.pk)
    return approvals.vote(
        request_id=request.pk, by=cast.reviewer, choice="approve", digest=request.digest, **kw
    )


def finished(statement):
    execution.execute(statement.pk)
    return Statement.objects.get(pk=statement.pk)


def events(statement):
    return list(
        Event.objects.filter(statement_id=statement.pk)
        .order_by("number")
        .values_list("kind", flat=True)
    )


def marker():
    return f"M{next(_count)}"


def test_rows_come_back_masked_and_recorded(shop):
    statement = finished(ask(shop, MASKED_READ))
    assert statement.state == StatementState.SUCCEEDED, statement.error_text
    rows = read_result(statement).to_pylist()
    assert [r["CONTACT_ID"] for r in rows] == [1, 2, 3]
    assert rows[2]["EMAIL"] is None
    assert "canary" not in str(rows)
    assert statement.columns[1]["masked"]
    assert events(statement) == ["statement", "decision", "intent", "outcome"]


def test_what_reaches_the_warehouse_is_the_text_that_was_judged(shop, warehouse):
    mark = marker()
    statement = ask(
        shop, f"SELECT '{mark}' AS M, EMAIL /* agent's own words */ FROM SHOP.CRM.CONTACTS"
    )
    finished(statement)
    (sent,) = warehouse.sent(mark)
    assert sent["sql"] == statement.sql_upstream
    assert "agent's own words" not in sent["sql"]


def test_the_salt_of_a_hash_is_sent_and_shown_to_nobody(shop, warehouse):
    from connections.models import Protection

    Protection.objects.update(strategy="hash")
    shop.connection.policy_revision += 1
    shop.connection.save()
    mark = marker()
    statement = finished(ask(shop, f"SELECT '{mark}' AS M, EMAIL FROM SHOP.CRM.CONTACTS"))
    assert statement.state == StatementState.SUCCEEDED, statement.error_text
    (sent,) = warehouse.sent(mark)
    assert sent["sql"] == statement.sql_upstream != statement.sql_sent
    assert "(salt)" in statement.sql_sent
    recorded = str(list(Event.objects.filter(statement_id=statement.pk).values_list("data")))
    salts = re.findall(r"'([0-9A-Za-z+/=_-]{16,})'", sent["sql"])
    assert salts
    assert not [salt for salt in salts if salt in recorded]


def test_a_reviewed_copy_of_a_protected_column_is_protected_with_the_outcome(shop):
    shop.connection.rules.create(
        slug="copies", position=0, effect="review", match={"flags": ["copies-protected"]}
    )
    shop.connection.policy_revision += 1
    shop.connection.save()
    statement = ask(
        shop, "CREATE TABLE SHOP.RETAIL.MAILING AS SELECT CONTACT_ID, EMAIL FROM SHOP.CRM.CONTACTS"
    )
    assert statement.state == StatementState.AWAITING_APPROVAL, statement.reasons
    approve(shop, statement)
    assert not shop.connection.protections.filter(table="MAILING").exists()
    statement = finished(statement)
    assert statement.state == StatementState.SUCCEEDED, statement.error_text
    copy = shop.connection.protections.get(table="MAILING")
    assert (copy.schema, copy.column, copy.strategy) == ("RETAIL", "EMAIL", "redact")


def test_a_predicate_on_a_protected_column_sees_the_mask(shop):
    statement = finished(
        ask(
            shop,
            "SELECT CONTACT_ID FROM SHOP.CRM.CONTACTS WHERE EMAIL = 'canary-alice@pii.example'",
        )
    )
    assert statement.state == StatementState.SUCCEEDED
    assert read_result(statement).num_rows == 0


def test_an_approved_write_runs_once_however_often_it_is_offered(shop, warehouse):
    mark = marker()
    statement = ask(
        shop,
        f"UPDATE SHOP.CRM.CONTACTS SET CITY = '{mark}' WHERE CONTACT_ID = 2",
        prompt="Move Bob",
    )
    assert statement.state == StatementState.AWAITING_APPROVAL
    execution.execute(statement.pk)
    assert not warehouse.sent(mark), "nothing runs before a reviewer agreed"
    approve(shop, statement)
    for _ in range(3):
        statement = finished(statement)
    assert statement.state == StatementState.SUCCEEDED
    assert len(warehouse.sent(mark)) == 1
    assert warehouse.run("SELECT CITY FROM SHOP.CRM.CONTACTS WHERE CONTACT_ID = 2") == [
        {"CITY": mark}
    ]
    assert events(statement) == [
        "prompt",
        "statement",
        "decision",
        "approval-requested",
        "vote",
        "approval-decided",
        "intent",
        "outcome",
    ]


def test_a_rejected_write_never_runs_and_says_who_and_why(shop, warehouse):
    mark = marker()
    statement = ask(shop, f"DELETE FROM SHOP.CRM.CONTACTS WHERE CITY = '{mark}'")
    request = ApprovalRequest.objects.get(statement_id=statement.pk)
    approvals.vote(
        request_id=request.pk,
        by=shop.reviewer,
        choice="reject",
        reason="Not on a Friday",
        digest=request.digest,
    )
    statement = finished(statement)
    assert statement.state == StatementState.REJECTED
    assert "Not on a Friday" in statement.error_text
    assert "Rita" in statement.error_text
    assert not warehouse.sent(mark)


def test_nobody_decides_on_their_own_agents_request(shop):
    from accounts.models import RoleGrant, User

    RoleGrant.objects.create(user=shop.owner, role="reviewer")
    owner = User.objects.get(pk=shop.owner.pk)
    statement = ask(shop, "DELETE FROM SHOP.RETAIL.ORDERS WHERE ORDER_ID = 0")
    request = ApprovalRequest.objects.get(statement_id=statement.pk)
    with pytest.raises(SelfApproval):
        approvals.vote(request_id=request.pk, by=owner, choice="approve", digest=request.digest)
    with pytest.raises(NotAllowed):
        approvals.vote(
            request_id=request.pk, by=shop.auditor, choice="approve", digest=request.digest
        )
    with pytest.raises(NotFound):
        approvals.vote(
            request_id=request.pk, by=shop.stranger, choice="approve", digest=request.digest
        )


def test_a_decided_request_cannot_be_decided_again(shop):
    statement = ask(shop, "DELETE FROM SHOP.RETAIL.ORDERS WHERE ORDER_ID = 0")
    approve(shop, statement)
    request = ApprovalRequest.objects.get(statement_id=statement.pk)
    with pytest.raises(IllegalTransition):
        approvals.vote(
            request_id=request.pk,
            by=shop.second_reviewer,
            choice="reject",
            reason="Too late",
            digest=request.digest,
        )


def test_an_approval_expires_before_execution_too(shop, warehouse):
    mark = marker()
    statement = ask(shop, f"DELETE FROM SHOP.CRM.CONTACTS WHERE CITY = '{mark}'")
    approve(shop, statement)
    ApprovalRequest.objects.filter(statement_id=statement.pk).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )
    statement = finished(statement)
    assert statement.state == StatementState.WITHDRAWN
    assert "expired" in statement.error_text
    assert not warehouse.sent(mark)


def test_changed_rules_are_asked_again_at_execution(shop, warehouse):
    mark = marker()
    statement = ask(shop, f"SELECT '{mark}' AS M FROM SHOP.RETAIL.ORDERS")
    shop.connection.rules.all().delete()
    shop.connection.policy_revision += 1
    shop.connection.save()
    statement = finished(statement)
    assert statement.state == StatementState.WITHDRAWN
    assert not warehouse.sent(mark)


def test_a_new_protection_is_applied_to_what_already_waits_in_the_queue(shop):
    statement = ask(shop, "SELECT FULL_NAME FROM SHOP.CRM.CONTACTS")
    shop.connection.protections.create(
        database="SHOP", schema="CRM", table="CONTACTS", column="FULL_NAME", strategy="redact"
    )
    shop.connection.policy_revision += 1
    shop.connection.save()
    statement = finished(statement)
    assert statement.state == StatementState.SUCCEEDED
    assert "Alice" not in str(read_result(statement).to_pylist())


def test_a_disabled_agent_runs_nothing_more(shop, warehouse):
    mark = marker()
    statement = ask(shop, f"SELECT '{mark}' AS M FROM SHOP.RETAIL.ORDERS")
    shop.agent.is_active = False
    shop.agent.save()
    assert finished(statement).state == StatementState.WITHDRAWN
    assert not warehouse.sent(mark)


def test_a_grant_lets_exactly_the_same_statement_run_again(shop):
    sql = "UPDATE SHOP.RETAIL.ORDERS SET AMOUNT = 41 WHERE ORDER_ID = 10"
    first = ask(shop, sql)
    approve(shop, first, grant_minutes=15)
    assert finished(first).state == StatementState.SUCCEEDED
    assert ask(shop, sql).state == StatementState.QUEUED
    assert ask(shop, sql.replace("41", "42")).state == StatementState.AWAITING_APPROVAL, (
        "another statement waits"
    )
    approvals.revoke_grant(grant_id=Grant.objects.get().pk, by=shop.reviewer)
    assert ask(shop, sql).state == StatementState.AWAITING_APPROVAL


def test_a_grant_revoked_while_the_statement_is_queued_lets_nothing_run(shop, warehouse):
    mark = marker()
    sql = f"UPDATE SHOP.RETAIL.ORDERS SET CITY = '{mark}' WHERE ORDER_ID = 0"
    first = ask(shop, sql)
    approve(shop, first, grant_minutes=15)
    assert finished(first).state == StatementState.SUCCEEDED
    again = ask(shop, sql)
    assert again.state == StatementState.QUEUED
    approvals.revoke_grant(grant_id=Grant.objects.get().pk, by=shop.reviewer)
    assert finished(again).state == StatementState.WITHDRAWN
    assert len(warehouse.sent(mark)) == 1


def test_a_revoked_approval_does_not_run(shop, warehouse):
    mark = marker()
    statement = ask(shop, f"DELETE FROM SHOP.CRM.CONTACTS WHERE CITY = '{mark}'")
    request = approve(shop, statement)
    approvals.revoke(request_id=request.pk, by=shop.reviewer)
    assert finished(statement).state == StatementState.WITHDRAWN
    assert not warehouse.sent(mark)


def test_a_statement_can_be_withdrawn_while_it_waits(shop):
    statement = ask(shop, "DELETE FROM SHOP.RETAIL.ORDERS WHERE ORDER_ID = 0")
    services.cancel(statement_id=statement.pk, by=shop.principal)
    statement.refresh_from_db()
    assert statement.state == StatementState.WITHDRAWN
    with pytest.raises(IllegalTransition):
        approve(shop, statement)


def test_an_upstream_error_reaches_the_agent_without_protected_values(shop, warehouse):
    warehouse.fault(
        match="ERRORMARK",
        fail_code="100038",
        fail_message="Numeric value 'canary-alice@pii.example' is not recognized",
    )
    statement = finished(ask(shop, "SELECT 'ERRORMARK' AS M FROM SHOP.RETAIL.ORDERS"))
    assert statement.state == StatementState.FAILED
    assert statement.error_code == "100038"
    assert "canary-alice@pii.example" not in statement.error_text


def test_a_lost_answer_is_unknown_and_resolved_by_asking(shop, warehouse):
    mark = marker()
    warehouse.fault(match=mark, reset_after=True)
    statement = ask(shop, f"UPDATE SHOP.CRM.CONTACTS SET CITY = '{mark}' WHERE CONTACT_ID = 1")
    approve(shop, statement)
    statement = finished(statement)
    assert statement.state == StatementState.UNKNOWN
    execution.execute(statement.pk)
    reconciling.reconcile(statement.pk)
    statement.refresh_from_db()
    assert statement.state == StatementState.SUCCEEDED
    assert len(warehouse.sent(mark)) == 1
    assert events(statement)[-2:] == ["reconciled", "outcome"]


def test_a_silent_worker_is_declared_lost_and_what_never_arrived_is_said(shop, warehouse, settings):
    settings.RECONCILE_GRACE_SECONDS = 0
    mark = marker()
    statement = ask(shop, f"DELETE FROM SHOP.CRM.CONTACTS WHERE CITY = '{mark}'")
    approve(shop, statement)
    assert execution.claim(statement.pk) is not None
    assert execution.claim(statement.pk) is None, "a second worker gets nothing"
    assert not reconciling.declare_lost(statement.pk), "a living worker is left alone"
    Statement.objects.filter(pk=statement.pk).update(
        heartbeat_at=timezone.now() - timedelta(minutes=5)
    )
    assert reconciling.declare_lost(statement.pk)
    reconciling.reconcile(statement.pk)
    statement.refresh_from_db()
    assert statement.state == StatementState.FAILED
    assert statement.error_code == "never-arrived"
    assert not warehouse.sent(mark)


def test_an_unreachable_warehouse_fails_plainly_and_nothing_ran(cast):
    statement = finished(ask(cast, "SELECT CITY FROM SHOP.RETAIL.ORDERS"))
    assert statement.state == StatementState.FAILED
    assert statement.error_code == "unreachable"
    assert "upstream-secret" not in statement.error_text
