"""Bad input on every form: a clear error, nothing lost that was typed, no secret put back."""

from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.principal import Role
from connections import services
from connections.models import Connection, Credential
from connections.upstream import login
from tests import factories

pytestmark = pytest.mark.django_db
SECRET = "canary-4711-secret"
HOSTILE = [
    "\x00",
    "💥" * 50,
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "x" * 500_000,
    "\u202eabc",
]


@pytest.fixture
def row() -> Connection:
    return factories.connection("shop")


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(factories.person("ada", Role.ADMIN))
    return client


def text(response: Any) -> str:
    return unescape(response.content.decode())


def new_connection(**change: Any) -> dict[str, Any]:
    return {
        "name": "sales",
        "description": "Orders & returns",
        "account": "ACME-SALES",
        "role": "reader",
        "database": "shop",
        "catalogue_databases": "shop, raw",
        "max_rows": "5000",
        "timeout_seconds": "60",
        "port": "443",
        "protocol": "https",
    } | change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": ""}, "required"),
        ({"name": "New Name!"}, "lower case letters"),
        ({"name": "simulate"}, "address of a page"),
        ({"account": "a b"}, "account identifier"),
        ({"port": "many"}, "whole number"),
        ({"port": "99999999"}, "from 1 to 65,535"),
        ({"max_rows": "-1"}, "greater than or equal"),
        ({"host": "http://x"}, "host alone"),
        ({"name": "Bad Name", "account": ""}, "Name</a>: A name is lower case letters"),
        ({"protocol": "gopher"}, "not one of the available choices"),
        ({"database": "x" * 121}, "at most 120"),
    ],
)
def test_a_bad_registration_says_so_and_keeps_what_was_typed(
    client: Client, change: dict[str, str], said: str
) -> None:
    response = client.post(reverse("connections:new"), new_connection(**change))
    page = text(response)
    assert response.status_code == 422
    assert said in page
    assert "Orders & returns" in page
    assert 'value="shop, raw"' in page
    assert not Connection.objects.exists()


def test_a_taken_name_stands_at_its_field(client: Client, row: Connection) -> None:
    response = client.post(reverse("connections:new"), new_connection(name="shop"))
    assert response.status_code == 422
    assert "There is a connection called shop already" in text(response)
    assert not Connection.objects.filter(account="ACME-SALES").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "programmatic_access_token"}, "Secret</a>: This field is required"),
        ({"method": "telepathy"}, "not one of the available choices"),
        ({"login_name": ""}, "required"),
        (
            {
                "method": "oauth_client_credentials",
                "secret": SECRET,
                "token_url": "ftp://x",
                "client_id": "hoopweb",
            },
            "token address",
        ),
    ],
)
@pytest.mark.parametrize("page_name", ["connections:credential", "connections:setup-step"])
def test_a_bad_credential_says_so_and_sets_none(
    client: Client, change: dict[str, str], said: str, page_name: str
) -> None:
    row = factories.connection("draft", confirmed=False)
    arguments = [row.name] if page_name == "connections:credential" else [row.name, "method"]
    given = {"method": "key_pair", "login_name": "hoopweb"} | change
    response = client.post(reverse(page_name, args=arguments), given)
    page = text(response)
    assert response.status_code == 422
    assert said in page
    assert SECRET not in page
    assert Credential.objects.get(connection=row).login_name == "HOOPWEB"


def test_a_secret_is_taken_and_not_given_back(client: Client, row: Connection) -> None:
    url = reverse("connections:credential", args=[row.name])
    given = {"method": "programmatic_access_token", "login_name": "HOOPWEB", "secret": SECRET}
    response = client.post(url, given | {"login_name": ""})
    assert response.status_code == 422
    assert SECRET not in text(response)
    response = client.post(url, given, follow=True)
    assert SECRET not in text(response)
    assert Credential.objects.get(connection=row).secret == SECRET
    assert SECRET not in text(client.get(url))


def test_a_secret_that_lies_elsewhere_is_named_and_shown_by_name(
    client: Client, row: Connection, settings: Any, tmp_path: Path
) -> None:
    url = reverse("connections:credential", args=[row.name])
    assert "Where the secret lies" not in text(client.get(url))
    settings.REFERENCE_DIRECTORIES = [str(tmp_path)]
    (tmp_path / "pat").write_text(SECRET)
    page = text(client.get(url))
    assert "A mounted file" in page
    assert "HashiCorp Vault" not in page
    given = {
        "method": "programmatic_access_token",
        "login_name": "HOOPWEB",
        "source": "file",
        "reference_name": "/etc/passwd",
    }
    response = client.post(url, given)
    assert response.status_code == 422
    assert "HOOPWEB_REFERENCE_DIRECTORIES" in text(response)
    assert 'value="/etc/passwd"' in text(response)
    # A place that is not open cannot be chosen by hand either.
    assert client.post(url, given | {"source": "vault"}).status_code == 422
    name = str(tmp_path / "pat")
    page = text(client.post(url, given | {"reference_name": name}, follow=True))
    assert name in page
    assert SECRET not in page
    assert Credential.objects.get(connection=row).secret == ""
    assert f'value="{name}"' in text(client.get(url))


def test_a_workload_needs_no_secret_and_no_user(client: Client, row: Connection) -> None:
    url = reverse("connections:credential", args=[row.name])
    given = {"method": "workload_identity", "login_name": "", "provider": "AWS"}
    assert client.post(url, given).status_code == 302
    credential = Credential.objects.get(connection=row)
    assert (credential.secret, credential.public) == ("", {"provider": "AWS"})
    assert "Workload identity" in text(client.get(reverse("connections:detail", args=[row.name])))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snowflake's driver tries for one second to log in, not for thirty."""
    options = login._options
    monkeypatch.setattr(login, "_options", lambda to: options(replace(to, login_seconds=1)))


def test_a_key_rotation_on_its_page(impatient: None, client: Client, row: Connection) -> None:
    page = reverse("connections:rotation", args=[row.name])
    assert "There is no key to rotate here" in text(client.get(page))
    services.set_credential(connection=row, by=None, method="key_pair", login_name="HOOPWEB")
    assert "Rotate key" in text(client.get(page))
    started = client.post(reverse("connections:start-rotation", args=[row.name]), follow=True)
    assert "The next step is under way" in text(started)
    # Nobody answers at this address: the page says so and offers another try, or the old key.
    part = client.post(
        reverse("connections:advance-rotation", args=[row.name]),
        headers={"hx-request": "true", "hx-target": "rotation"},
    )
    assert "SET RSA_PUBLIC_KEY_2" in text(part)
    assert "Try again" in text(part)
    assert "<h1" not in text(part)
    undone = client.post(reverse("connections:undo-rotation", args=[row.name]), follow=True)
    assert "Undone" in text(undone)
    secret = Credential.objects.get(connection=row).secret
    assert secret.splitlines()[2] not in text(undone)


def test_two_people_editing_settings_notice_each_other(client: Client, row: Connection) -> None:
    url = reverse("connections:edit", args=[row.name])
    form = {
        key: value if value is not None else ""
        for key, value in client.get(url).context["form"].initial.items()
    }
    services.update_connection(connection=row, by=None, description="theirs")
    response = client.post(url, form | {"description": "mine"})
    page = text(response)
    assert response.status_code == 422
    assert "while you were editing" in page
    assert 'value="mine"' in page
    again = client.post(url, form | {"description": "mine", "revision": "2"})
    assert again.status_code == 302
    row.refresh_from_db()
    assert row.description == "mine"


def rule(**change: Any) -> dict[str, Any]:
    return {
        "slug": "no-hr",
        "effect": "review",
        "note": "Ask first",
        "objects": "PROD.HR.*, PROD.PAY.*\nPROD.X",
        "uses": ["projected"],
        "votes": "2",
        "expires_minutes": "30",
        "place": "1",
        "min_rows": "10",
    } | change


def test_a_rule_is_added_and_read_back_as_typed(client: Client, row: Connection) -> None:
    response = client.post(reverse("connections:new-rule", args=[row.name]), rule(), follow=True)
    made = row.rules.get(slug="no-hr")
    assert made.match == {
        "objects": ["PROD.HR.*", "PROD.PAY.*", "PROD.X"],
        "uses": ["projected"],
        "min_rows": 10,
    }
    assert (made.position, made.votes, made.expires_minutes) == (1, 2, 30)
    page = text(response)
    assert "<code>PROD.HR.*</code>, <code>PROD.PAY.*</code> or <code>PROD.X</code>" in page
    assert "2 reviewers, within 30 minutes" in page
    url = reverse("connections:edit-rule", args=[row.name, "no-hr"])
    form = client.get(url).context["form"]
    typed = {f.name: f.value() for f in form if f.value() not in (None, "")}
    client.post(url, typed | {"note": "Ask twice"})
    after = row.rules.get(slug="no-hr")
    assert (after.match, after.note, after.revision) == (made.match, "Ask twice", 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"slug": "No HR"}, "lower case letters"),
        ({"slug": "default-01"}, "already"),
        ({"effect": "perhaps"}, "not one of the available choices"),
        ({"votes": "0"}, "greater than or equal"),
        ({"votes": "99"}, "Between 1 and"),
        ({"expires_minutes": "1e9"}, "whole number"),
        ({"hours": "all day"}, "08:00-18:00"),
        ({"uses": ["guessed"]}, "not one of the available choices"),
        ({"place": "77"}, "not one of the available choices"),
        ({"reviewers": ["ghosts"]}, "not one of the available choices"),
        ({"note": "n" * 401}, "at most 400"),
        ({"min_bytes": "-5"}, "greater than or equal"),
        ({"classes": ",".join(f"c{i}" for i in range(300))}, "At most 200"),
    ],
)
def test_a_bad_rule_says_so_and_keeps_what_was_typed(
    client: Client, row: Connection, change: dict[str, Any], said: str
) -> None:
    response = client.post(reverse("connections:new-rule", args=[row.name]), rule(**change))
    page = text(response)
    assert response.status_code == 422
    assert said in page
    assert "PROD.HR.*, PROD.PAY.*" in page
    assert not row.rules.filter(slug="no-hr").exists()


def test_two_people_editing_a_rule_notice_each_other(client: Client, row: Connection) -> None:
    made = services.create_rule(connection=row, by=None, slug="no-hr", effect="deny")
    url = reverse("connections:edit-rule", args=[row.name, "no-hr"])
    services.update_rule(rule=made, by=None, note="theirs", match={"objects": ["THEIRS.*"]})
    response = client.post(url, rule(revision="1", note="mine"))
    page = text(response)
    assert response.status_code == 422
    assert "while you were editing" in page
    assert "THEIRS.*" in page
    assert 'value="mine"' in page
    assert "PROD.HR.*, PROD.PAY.*" in page
    client.post(url, rule(revision="2", note="mine"))
    made.refresh_from_db()
    assert made.note == "mine"
    services.delete_rule(rule=made, by=None)
    assert client.post(url, rule(revision="3")).status_code == 404


def test_rules_move_switch_and_go_by_htmx_and_without(client: Client, row: Connection) -> None:
    part = {"HX-Request": "true"}
    first, second = row.rules.values_list("slug", flat=True)[:2]
    move = reverse("connections:move-rule", args=[row.name, first])
    response = client.post(move, {"to": "down", "policy_revision": "1"}, headers=part)
    assert response.status_code == 200
    assert "<html" not in text(response)
    assert list(row.rules.values_list("slug", flat=True))[:2] == [second, first]
    response = client.post(move, {"to": "1", "policy_revision": "1"}, headers=part)
    assert "not the order in force" in response.headers["HX-Trigger"]
    assert client.post(move, {"to": "sideways"}).status_code == 302
    switch = reverse("connections:switch-rule", args=[row.name, first])
    client.post(switch, {"enabled": "0"})
    assert not row.rules.get(slug=first).enabled
    delete = reverse("connections:delete-rule", args=[row.name, first])
    response = client.post(delete, {"revision": "1"}, follow=True)
    assert "while you were editing" in text(response)
    client.post(delete, {"revision": str(row.rules.get(slug=first).revision)})
    assert not row.rules.filter(slug=first).exists()


def test_without_rules_the_page_says_so_and_installs_the_default(
    client: Client, row: Connection
) -> None:
    row.rules.all().delete()
    page = text(client.get(reverse("connections:rules", args=[row.name])))
    assert "No rules, so everything is denied" in page
    client.post(reverse("connections:install-default", args=[row.name]))
    count = row.rules.count()
    assert count
    again = client.post(reverse("connections:install-default", args=[row.name]), follow=True)
    assert "has rules already" in text(again)
    assert row.rules.count() == count


def protection(**change: Any) -> dict[str, Any]:
    return {
        "database": "SHOP",
        "schema": "CRM",
        "table": "CONTACTS",
        "column": "FULL_NAME",
        "strategy": "partial",
        "partial_keep": "last4",
        "bucket_size": "100",
        "note": "Asked by legal",
    } | change


def test_a_protection_is_added_changed_and_switched(client: Client, row: Connection) -> None:
    client.post(reverse("connections:new-protection", args=[row.name]), protection())
    item = row.protections.get(column="FULL_NAME")
    assert (item.strategy, item.options) == ("partial", {"keep": "last4"})
    url = reverse("connections:edit-protection", args=[row.name, item.pk])
    assert "****lace" in text(client.get(url))
    client.post(url, protection(strategy="bucket", bucket_size="25", revision="1"))
    item.refresh_from_db()
    assert (item.strategy, item.options) == ("bucket", {"size": 25.0})
    stale = client.post(url, protection(note="late", revision="1"))
    assert stale.status_code == 422
    assert "while you were editing" in text(stale)
    assert 'value="late"' in text(stale)
    client.post(
        reverse("connections:switch-protection", args=[row.name, item.pk]), {"enabled": "0"}
    )
    item.refresh_from_db()
    assert not item.enabled
    client.post(reverse("connections:delete-protection", args=[row.name, item.pk]))
    assert not row.protections.filter(pk=item.pk).exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"column": ""}, "Name the column"),
        ({"tag": "PII"}, "not both"),
        ({"column": "EMAIL"}, "protected already"),
        ({"strategy": "blur"}, "not one of the available choices"),
        ({"strategy": "bucket", "bucket_size": "0"}, "above 0"),
        ({"strategy": "bucket", "bucket_size": "wide"}, "Enter a number"),
        ({"strategy": "bucket", "bucket_size": "inf"}, "Enter a number"),
        ({"partial_keep": "everything"}, "not one of the available choices"),
        ({"column": "x" * 121}, "at most 120"),
    ],
)
def test_a_bad_protection_says_so_and_keeps_what_was_typed(
    client: Client, row: Connection, change: dict[str, Any], said: str
) -> None:
    url = reverse("connections:new-protection", args=[row.name])
    response = client.post(url, protection(**change))
    page = text(response)
    assert response.status_code == 422
    assert said in page
    assert "Asked by legal" in page
    assert row.protections.count() == 1


def test_suggestions_are_taken_one_by_one_or_all(client: Client, row: Connection) -> None:
    page = text(client.get(reverse("connections:protections", args=[row.name])))
    assert "1 column looks personal" in page
    url = reverse("connections:accept-suggestions", args=[row.name])
    client.post(url, {"column": "SHOP.CRM.CONTACTS.CITY"})
    assert row.protections.count() == 1
    client.post(url, {"column": "SHOP.CRM.CONTACTS.FULL_NAME"})
    assert row.protections.get(column="FULL_NAME").strategy == "redact"
    assert "protected already" in text(client.post(url, follow=True))


def test_columns_are_picked_from_the_catalogue(client: Client, row: Connection) -> None:
    url = reverse("connections:new-protection", args=[row.name])
    part = text(client.get(url, {"q": "crm name"}, headers={"HX-Request": "true"}))
    assert "FULL_NAME" in part
    assert "<html" not in part
    assert "No column of the catalogue" in text(
        client.get(url, {"q": "zzz"}, headers={"HX-Request": "true"})
    )
    page = text(client.get(url, {"database": "SHOP", "schema": "CRM", "column": "FULL_NAME"}))
    assert 'value="FULL_NAME"' in page


def test_access_is_given_until_a_day_and_taken_back(client: Client, row: Connection) -> None:
    url = reverse("connections:access", args=[row.name])
    team = factories.team("analysts")
    client.post(url, {"holder": f"team:{team.pk}", "days": "7"})
    access = row.access.get()
    assert access.valid_until is not None
    twice = client.post(url, {"holder": f"team:{team.pk}", "days": ""})
    assert twice.status_code == 422
    assert "already" in text(twice)
    for bad in ({"holder": ""}, {"holder": "team:x"}, {"holder": "team", "days": "999"}):
        assert client.post(url, bad).status_code == 422
    client.post(reverse("connections:remove-access", args=[row.name, access.pk]))
    assert not row.access.exists()


def test_a_revision_is_restored(client: Client, row: Connection) -> None:
    services.create_rule(connection=row, by=None, slug="one", effect="deny")
    services.create_rule(connection=row, by=None, slug="two", effect="deny")
    url = reverse("connections:restore", args=[row.name, 2])
    stale = client.post(url, {"policy_revision": "2"}, follow=True)
    assert "changed this policy meanwhile" in text(stale)
    client.post(url, {"policy_revision": "3"})
    assert not row.rules.filter(slug="two").exists()
    assert row.rules.filter(slug="one").exists()


def test_simulating_shows_the_decision_and_runs_nothing(client: Client, row: Connection) -> None:
    url = reverse("connections:simulate")
    bot = factories.agent("bot")
    given = {"connection": "shop", "principal": f"agent:{bot.pk}", "door": "rest"}
    sql = "SELECT city, email FROM shop.crm.contacts"
    page = text(client.post(url, given | {"sql": sql}))
    assert "Allowed, masked" in page
    assert "default-13" in page
    part = text(
        client.post(
            url, given | {"sql": "COPY INTO @out FROM contacts"}, headers={"HX-Request": "true"}
        )
    )
    assert "Nothing would be sent" in part
    assert "<html" not in part
    for bad in ({"sql": ""}, {"sql": sql, "principal": "user:x"}, {"sql": sql, "door": "window"}):
        response = client.post(url, given | bad)
        assert response.status_code == 422
    assert sql in text(client.post(url, given | {"sql": sql, "connection": "nowhere"}))


@pytest.mark.parametrize("junk", HOSTILE)
def test_junk_is_refused_or_kept_and_breaks_nothing(
    client: Client, row: Connection, junk: str
) -> None:
    item = row.protections.get()
    first = row.rules.values_list("slug", flat=True)[0]
    forms = [
        (reverse("connections:new"), dict.fromkeys(new_connection(), junk)),
        (reverse("connections:edit", args=[row.name]), dict.fromkeys(new_connection(), junk)),
        (
            reverse("connections:credential", args=[row.name]),
            {"method": "password", "login_name": junk, "secret": junk},
        ),
        (reverse("connections:new-rule", args=[row.name]), rule(slug=junk, objects=junk)),
        (
            reverse("connections:edit-rule", args=[row.name, first]),
            rule(objects=junk, functions=junk, note=junk, revision=junk),
        ),
        (reverse("connections:new-protection", args=[row.name]), protection(column=junk)),
        (
            reverse("connections:edit-protection", args=[row.name, item.pk]),
            protection(tag=junk, column="", revision=junk),
        ),
        (reverse("connections:access", args=[row.name]), {"holder": junk, "days": junk}),
        (reverse("connections:move-rule", args=[row.name, first]), {"to": junk}),
        (reverse("connections:switch-rule", args=[row.name, first]), {"revision": junk}),
        (reverse("connections:accept-suggestions", args=[row.name]), {"column": junk}),
        (reverse("connections:restore", args=[row.name, 1]), {"policy_revision": junk}),
        (
            reverse("connections:simulate"),
            {"connection": "shop", "principal": "me", "door": "rest", "sql": junk},
        ),
    ]
    for url, data in forms:
        assert client.post(url, data).status_code < 500, url
    for url in ("connections:catalogue", "connections:new-protection", "connections:revisions"):
        query = {"q": junk[:2000], "from": junk[:50], "schema": junk[:50], "below": junk[:50]}
        assert client.get(reverse(url, args=[row.name]), query).status_code < 500, url
    table = client.get(reverse("connections:catalogue", args=[row.name]), {"table": junk[:2000]})
    assert table.status_code == 404
