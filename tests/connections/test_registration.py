"""Registering a connection step by step: kept, gone back to, and serving nobody before the end."""

import uuid
from html import unescape
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.principal import Role
from connections import services
from connections.models import Connection, Credential, Rule
from gateway import pipeline
from gateway.requests import StatementRequest
from hoopweb.lib.errors import Conflict, NotAllowed, NotFound
from recordings.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db
STEPS = ["account", "method", "test", "snowflake", "catalogue", "rules", "protections", "confirm"]
PASSED = [{"name": "Login", "ok": True, "detail": "", "cure": "", "milliseconds": 1}]
PLACE = {
    "name": "sales",
    "account": "ACME-SALES",
    "role": "reader",
    "database": "shop",
    "max_rows": "5000",
    "timeout_seconds": "60",
    "port": "443",
    "protocol": "https",
}


@pytest.fixture
def ada() -> Client:
    client = Client()
    client.force_login(factories.person("ada", Role.ADMIN))
    return client


@pytest.fixture
def draft() -> Connection:
    return factories.connection("draft", confirmed=False)


def at(step: str, name: str = "draft") -> str:
    return reverse("connections:setup-step", args=[name, step])


def text(response: Any) -> str:
    return unescape(response.content.decode())


def ready(row: Connection) -> None:
    """All that a confirmation wants."""
    services.record_test(connection=row, report=PASSED, by=None)
    for step in ("rules", "protections"):
        services.mark_step_seen(connection=row, step=step, by=None)
    row.refresh_from_db()


def test_from_the_first_step_to_the_last(ada: Client) -> None:
    response = ada.post(reverse("connections:new"), PLACE)
    assert response.headers["Location"] == at("method", "sales")
    row = Connection.objects.get()
    assert not row.is_active
    assert row.registered_by is not None
    assert row.rules.exists()
    given = {"method": "key_pair", "login_name": "hoopweb"}
    response = ada.post(at("method", "sales"), given)
    assert response.headers["Location"] == at("test", "sales")
    credential = Credential.objects.get()
    statement = f"SET RSA_PUBLIC_KEY = '{credential.public['public_key']}'"
    assert statement in text(ada.get(at("test", "sales")))
    page = text(ada.get(at("snowflake", "sales")))
    assert statement in page
    assert "GRANT USAGE ON WAREHOUSE HOOPWEB_WH TO ROLE READER;" in page
    assert "PRIVATE KEY" not in page
    assert credential.secret.splitlines()[1] not in page
    assert "PRIVATE KEY" not in str(list(AuditEntry.objects.values("before", "after")))
    services.record_test(connection=row, report=PASSED, by=None)
    Connection.objects.update(catalogue_version=1)
    row.catalogues.create(version=1, content=factories.contacts().to_json())
    for step, following in (("rules", "protections"), ("protections", "confirm")):
        assert ada.post(at(step, "sales")).headers["Location"] == at(following, "sales")
    assert "disabled" not in text(ada.get(at("confirm", "sales"))).split("Confirm sales")[0][-150:]
    response = ada.post(at("confirm", "sales"))
    assert response.headers["Location"] == reverse("connections:detail", args=["sales"])
    row.refresh_from_db()
    assert row.is_active
    assert row.is_confirmed
    entry = AuditEntry.objects.get(action="connection-confirmed")
    assert entry.after["catalogue_version"] == 1


def test_what_is_not_confirmed_serves_nobody(draft: Connection) -> None:
    agent = factories.agent()
    factories.allow(draft, agent)
    principal = agent.as_principal()
    assert not Connection.objects.usable_by(principal).exists()
    request = StatementRequest(
        connection_id=draft.pk, sql="SELECT 1", request_id=uuid.uuid4().hex, door="rest"
    )
    with pytest.raises(NotFound):
        pipeline.submit(request, principal=principal)
    with pytest.raises(Conflict, match="not confirmed"):
        services.enable_connection(connection=draft, by=None)
    # Not even by a write past every service.
    with pytest.raises(IntegrityError), transaction.atomic():
        Connection.objects.filter(pk=draft.pk).update(is_active=True)
    ready(draft)
    services.confirm_connection(connection=draft, by=None)
    assert Connection.objects.usable_by(principal).get() == draft


@pytest.mark.parametrize("missing", ["method", "test", "failed", "catalogue", "rules", "look"])
def test_confirming_wants_everything_and_names_what_is_missing(
    ada: Client, draft: Connection, missing: str
) -> None:
    if missing != "look":
        ready(draft)
    if missing == "method":
        draft.credential.delete()
    elif missing == "test":
        services.update_connection(connection=draft, by=None, role="OTHER")
    elif missing == "failed":
        services.record_test(connection=draft, report=[PASSED[0] | {"ok": False}], by=None)
    elif missing == "catalogue":
        Connection.objects.update(catalogue_version=0)
    elif missing == "rules":
        Rule.objects.update(enabled=False)
    else:
        services.record_test(connection=draft, report=PASSED, by=None)
    response = ada.post(at("confirm"))
    assert response.status_code == 409
    page = text(response)
    assert "Not ready to be confirmed" in page
    step = {"failed": "test", "look": "protections"}.get(missing, missing)
    assert f'href="{at(step)}"' in page.split("Not ready to be confirmed")[1].split("</ul>")[0]
    draft.refresh_from_db()
    assert not draft.is_active


def test_every_step_can_be_gone_to_in_any_order_and_links_to_the_others(
    ada: Client, draft: Connection
) -> None:
    for step in reversed(STEPS):
        response = ada.get(at(step))
        assert response.status_code == 200, step
        page = text(response)
        for other in STEPS:
            assert (f'href="{at(other)}"' in page) or other == step, (step, other)
        assert page.count('aria-current="step"') == 1
    assert ada.get(at("nonsense")).status_code == 404


def test_going_back_keeps_what_was_said_and_forgets_only_what_it_contradicts(
    ada: Client, draft: Connection
) -> None:
    ready(draft)
    page = text(ada.get(at("account")))
    assert 'value="SHOP"' in page
    values = PLACE | {"name": "renamed", "revision": str(draft.revision)}
    response = ada.post(at("account"), values)
    assert response.headers["Location"] == at("method", "renamed")
    draft.refresh_from_db()
    assert draft.tested_at is None
    assert set(draft.setup_seen) == {"rules", "protections"}
    assert Credential.objects.filter(connection=draft).exists()
    again = ada.get(reverse("connections:setup", args=["renamed"]))
    assert again.headers["Location"] == at("test", "renamed")
    stale = ada.post(at("account", "renamed"), values | {"role": "third"})
    assert stale.status_code == 422
    assert "while you were editing" in text(stale)


def test_what_was_left_is_listed_resumed_and_deleted(ada: Client, draft: Connection) -> None:
    factories.connection("shop")
    page = text(ada.get(reverse("connections:list")))
    assert "Registrations to finish" in page
    section = page.split("Registrations to finish")[1].split("</section>")[0]
    assert "draft" in section
    assert ">shop<" not in section
    resumed = ada.get(reverse("connections:setup", args=["draft"]))
    assert resumed.headers["Location"] == at("test")
    ada.post(reverse("connections:discard", args=["draft"]))
    assert not Connection.objects.filter(name="draft").exists()
    assert not Credential.objects.filter(connection=draft.pk).exists()
    assert AuditEntry.objects.filter(action="registration-discarded").exists()
    # What has served agents is never deleted.
    ada.post(reverse("connections:discard", args=["shop"]))
    assert Connection.objects.filter(name="shop").exists()


def test_a_confirmed_connection_has_no_steps_left(ada: Client) -> None:
    factories.connection("shop")
    for step in STEPS:
        for response in (ada.get(at(step, "shop")), ada.post(at(step, "shop"), PLACE)):
            assert response.headers["Location"] == reverse("connections:detail", args=["shop"])
    assert Connection.objects.get().account == "local"


def test_other_people_neither_see_the_steps_nor_take_them(draft: Connection) -> None:
    for person, status in (
        (factories.person("rita", Role.REVIEWER), 403),
        (factories.person("otto", Role.AUDITOR), 403),
        (factories.person("stan"), 404),
    ):
        client = Client()
        client.force_login(person)
        for step in STEPS:
            assert client.get(at(step)).status_code == status
            assert client.post(at(step)).status_code == status
        assert client.post(reverse("connections:discard", args=["draft"])).status_code == status
        with pytest.raises(NotAllowed):
            services.confirm_connection(connection=draft, by=person)
        assert "Delete the registration" not in text(client.get(reverse("connections:list")))
    local = factories.person("lena", Role.ADMIN, on=draft)
    with pytest.raises(NotAllowed):
        services.discard_registration(connection=draft, by=local)


def test_accepting_a_suggestion_leads_back_to_the_step(ada: Client, draft: Connection) -> None:
    url = reverse("connections:accept-suggestions", args=["draft"])
    assert ada.post(url, {"then": "setup"}).headers["Location"] == at("protections")
    assert draft.protections.filter(column="FULL_NAME").exists()


def test_the_detail_page_says_that_it_is_not_confirmed(ada: Client, draft: Connection) -> None:
    page = text(ada.get(reverse("connections:detail", args=["draft"])))
    assert "is not confirmed. No statement passes." in page
    assert "Continue registration" in page
    assert "Disable connection" not in page
