"""The approval pages, tried by the right and by the wrong person."""

import pytest
from django.db import connection as db

from approvals.models import ApprovalRequest, Grant
from gateway import pipeline
from gateway.requests import StatementRequest

pytestmark = pytest.mark.django_db
SQL = "UPDATE SHOP.CRM.CONTACTS SET CITY = '<script>alert(1)</script>' WHERE CONTACT_ID = 1"


@pytest.fixture
def held(cast):
    request = StatementRequest(
        connection_id=cast.connection.pk,
        sql=SQL,
        request_id="r1",
        door="rest",
        prompt="Move <b>Alice</b>",
    )
    statement = pipeline.submit(request, principal=cast.principal)
    return ApprovalRequest.objects.get(statement_id=statement.pk)


def answer(client, row, **data):
    body = {"choice": "approve", "digest": row.digest, "reason": "", "grant": "", **data}
    return client.post(f"/approvals/{row.pk}/vote/", body)


def test_the_inbox_shows_what_waits(client, cast, held):
    client.force_login(cast.reviewer)
    page = client.get("/approvals/").content.decode()
    assert str(held.pk) in page
    assert "needs you" in page
    assert "<script>alert" not in page
    assert "<b>Alice</b>" not in page


@pytest.mark.parametrize("show", ["waiting", "mine", "decided", "all", "nonsense"])
def test_every_filter_answers(client, cast, held, show):
    client.force_login(cast.reviewer)
    assert client.get("/approvals/", {"show": show, "q": "CONTACTS\0%"}).status_code == 200
    assert (
        client.get("/approvals/", {"show": show, "cursor": "x", "connection": "nix"}).status_code
        == 200
    )


def test_an_empty_inbox_says_what_will_appear(client, cast):
    client.force_login(cast.reviewer)
    assert "Nothing waits" in client.get("/approvals/").content.decode()


@pytest.mark.parametrize("name", ["stranger", "admin"])
def test_who_may_not_see_it_gets_a_404(client, cast, held, name):
    client.force_login(getattr(cast, name))
    assert client.get(f"/approvals/{held.pk}/").status_code == 404
    assert answer(client, held).status_code == 404
    assert client.post(f"/approvals/{held.pk}/withdraw/").status_code == 404
    assert client.post(f"/approvals/{held.pk}/revoke/").status_code == 404
    assert str(held.pk) not in client.get("/approvals/").content.decode()
    held.refresh_from_db()
    assert held.state == "pending"


def test_signed_out_means_sign_in(client, held):
    assert client.get(f"/approvals/{held.pk}/").status_code == 302
    assert answer(client, held).status_code == 302
    held.refresh_from_db()
    assert held.state == "pending"


def test_an_auditor_looks_on(client, cast, held):
    client.force_login(cast.auditor)
    page = client.get(f"/approvals/{held.pk}/").content.decode()
    assert "Only reviewers" in page
    assert answer(client, held).status_code == 403
    held.refresh_from_db()
    assert held.state == "pending"


def test_the_owner_cannot_approve_but_can_withdraw(client, cast, held):
    client.force_login(cast.owner)
    assert answer(client, held).status_code == 403
    assert client.post(f"/approvals/{held.pk}/withdraw/").status_code == 302
    held.refresh_from_db()
    assert held.state == "withdrawn"


def test_approving_moves_the_statement(client, cast, held):
    client.force_login(cast.reviewer)
    assert answer(client, held).status_code == 302
    held.refresh_from_db()
    assert held.state == "approved"


def test_a_rejection_needs_a_reason_and_keeps_what_was_typed(client, cast, held):
    client.force_login(cast.reviewer)
    refused = answer(client, held, choice="reject", reason="  ")
    assert refused.status_code == 422
    assert "Say why you reject" in refused.content.decode()
    kept = answer(client, held, digest="0" * 64, reason="Looks fine to me")
    assert kept.status_code == 422
    assert "Looks fine to me" in kept.content.decode()
    assert answer(client, held, choice="reject", reason="No").status_code == 302


@pytest.mark.parametrize(
    "data",
    [
        {"choice": "perhaps"},
        {"digest": "x"},
        {"digest": "\0"},
        {"grant": "999999"},
        {"grant": "-1"},
        {"reason": "x" * 5000},
        {"reason": "\0"},
    ],
)
def test_bad_input_is_refused_and_nothing_happens(client, cast, held, data):
    client.force_login(cast.reviewer)
    assert answer(client, held, **data).status_code == 422
    held.refresh_from_db()
    assert held.state == "pending"


def test_a_grant_is_listed_and_revoked_by_reviewers_only(client, cast, held):
    client.force_login(cast.reviewer)
    answer(client, held, grant="60")
    grant = Grant.objects.get()
    assert "Revoke grant" in client.get("/approvals/grants/").content.decode()
    client.force_login(cast.stranger)
    assert client.post(f"/approvals/grants/{grant.pk}/revoke/").status_code == 404
    client.force_login(cast.auditor)
    client.post(f"/approvals/grants/{grant.pk}/revoke/")
    grant.refresh_from_db()
    assert grant.revoked_at is None
    client.force_login(cast.reviewer)
    client.post(f"/approvals/grants/{grant.pk}/revoke/")
    grant.refresh_from_db()
    assert grant.revoked_at is not None


def test_bound_values_are_shown_to_the_reviewer_and_sealed_in_the_table(client, cast):
    request = StatementRequest(
        connection_id=cast.connection.pk,
        sql="UPDATE SHOP.CRM.CONTACTS SET CITY = ? WHERE CONTACT_ID = ?",
        request_id="r2",
        door="rest",
        binds=("Reykjavik-on-sea", None),
    )
    statement = pipeline.submit(request, principal=cast.principal)
    client.force_login(cast.reviewer)
    page = client.get(f"/approvals/{statement.approval_id}/").content.decode()
    assert "Reykjavik-on-sea" in page
    with db.cursor() as cursor:
        cursor.execute("SELECT binds FROM approvals_approvalrequest")
        assert "Reykjavik" not in str(cursor.fetchall())


def test_a_line_says_where_the_statement_stands_to_those_who_may_see_it(client, cast, held):
    line = f"/statements/{held.statement_id}/line/"
    client.force_login(cast.reviewer)
    answer(client, held, choice="reject", reason="Not today")
    assert "Not today" in client.get(line).content.decode()
    assert line in client.get(f"/approvals/{held.pk}/").content.decode()
    client.force_login(cast.stranger)
    assert client.get(line).status_code == 404


def test_a_part_is_the_page_without_its_frame(client, cast, held):
    client.force_login(cast.reviewer)
    part = client.get(f"/approvals/{held.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "Your decision" in part


def test_the_overview_and_the_search_show_only_what_one_may_see(client, cast, held):
    client.force_login(cast.reviewer)
    assert str(held.pk) in client.get("/").content.decode()
    assert "CONTACTS" in client.get("/search/", {"q": "Move"}).content.decode()
    assert client.get("/search/", {"q": str(held.pk)}).status_code == 302
    client.force_login(cast.stranger)
    assert str(held.pk) not in client.get("/").content.decode()
    assert "Nothing found" in client.get("/search/", {"q": "Move"}).content.decode()
    assert client.get("/search/", {"q": str(held.pk)}).status_code == 200
    assert client.get("/search/", {"q": "a\0b" * 200}).status_code == 200
