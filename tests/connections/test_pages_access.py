"""Every page and action of connections and policy, tried by the right and the wrong person."""

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from accounts.principal import Role
from connections import services
from connections.models import Connection, PolicyRevision
from tests import factories

pytestmark = pytest.mark.django_db

READ = [
    "connections:detail",
    "connections:catalogue",
    "connections:sync",
    "connections:rules",
    "connections:protections",
    "connections:detectors",
    "detectors-found",
    "connections:revisions",
    "connections:export",
]
FORMS = [
    "connections:edit",
    "connections:credential",
    "connections:new-rule",
    "connections:new-protection",
    "connections:new-detector",
]
ACTIONS = [
    "connections:state",
    "connections:test",
    "connections:stop-test",
    "connections:discard",
    "connections:sampling",
    "connections:stop-sampling",
    "connections:start-rotation",
    "connections:advance-rotation",
    "connections:undo-rotation",
    "connections:sync",
    "connections:access",
    "connections:install-default",
    "connections:accept-suggestions",
    "connections:detector-action",
]


@pytest.fixture
def row() -> Connection:
    row = factories.connection("shop")
    services.create_rule(connection=row, by=None, slug="extra", effect="deny")
    services.create_detector(connection=row, by=None, name="badge", pattern="B-[0-9]{4}")
    return row


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def of_one_row(row: Connection) -> list[tuple[str, list]]:
    """Addresses below a rule, a protection, a revision, an access."""
    item = row.protections.get()
    access = factories.allow(row, factories.team("holders"))
    return [
        ("connections:edit-rule", [row.name, "extra"]),
        ("connections:move-rule", [row.name, "extra"]),
        ("connections:switch-rule", [row.name, "extra"]),
        ("connections:delete-rule", [row.name, "extra"]),
        ("connections:edit-protection", [row.name, item.pk]),
        ("connections:switch-protection", [row.name, item.pk]),
        ("connections:delete-protection", [row.name, item.pk]),
        ("connections:edit-detector", [row.name, row.detectors.get().pk]),
        ("connections:delete-detector", [row.name, row.detectors.get().pk]),
        ("connections:restore", [row.name, 2]),
        ("connections:remove-access", [row.name, access.pk]),
    ]


@pytest.mark.parametrize("name", READ)
def test_who_may_see_reads_and_a_stranger_finds_nothing(row: Connection, name: str) -> None:
    url = reverse(name, args=[row.name])
    for user in (
        factories.person("admin", Role.ADMIN),
        factories.person("local", Role.ADMIN, on=row),
        factories.person("reviewer", Role.REVIEWER, on=row),
        factories.person("auditor", Role.AUDITOR),
    ):
        assert signed_in(user).get(url).status_code == 200, user
    user = factories.person("uses")
    factories.allow(row, user)
    assert signed_in(user).get(url).status_code == 200
    assert signed_in(factories.person("stranger")).get(url).status_code == 404
    assert Client().get(url).status_code == 302


@pytest.mark.parametrize("name", FORMS)
def test_only_admins_open_forms(row: Connection, name: str) -> None:
    url = reverse(name, args=[row.name])
    assert signed_in(factories.person("local", Role.ADMIN, on=row)).get(url).status_code == 200
    refused = signed_in(factories.person("reviewer", Role.REVIEWER)).get(url)
    assert refused.status_code == 403
    assert "Ask one of its admins: Local" in refused.content.decode()
    assert signed_in(factories.person("stranger")).get(url).status_code == 404


def test_nobody_else_changes_anything(row: Connection) -> None:
    other = factories.connection("other")
    reviewer = signed_in(factories.person("reviewer", Role.REVIEWER, Role.AUDITOR))
    stranger = signed_in(factories.person("stranger", Role.ADMIN, on=other))
    addresses = [(name, [row.name]) for name in (*FORMS, *ACTIONS)] + of_one_row(row)
    revision = Connection.objects.get(pk=row.pk).policy_revision
    for name, args in addresses:
        url = reverse(name, args=args)
        assert reviewer.post(url, {"active": "0", "enabled": "0"}).status_code == 403, name
        assert stranger.post(url, {"active": "0", "enabled": "0"}).status_code == 404, name
    fresh = Connection.objects.get(pk=row.pk)
    assert (fresh.policy_revision, fresh.is_active) == (revision, True)
    assert fresh.access.count() == 1


def test_rows_of_another_connection_are_not_reached_through_ours(row: Connection) -> None:
    other = factories.connection("other")
    theirs = other.protections.get()
    local = signed_in(factories.person("local", Role.ADMIN, on=row))
    for name in ("edit-protection", "switch-protection", "delete-protection"):
        url = reverse(f"connections:{name}", args=[row.name, theirs.pk])
        assert local.post(url, {"enabled": "0"}).status_code == 404
    detector = services.create_detector(connection=other, by=None, name="gate", pattern="G")
    for name in ("edit-detector", "delete-detector"):
        url = reverse(f"connections:{name}", args=[row.name, detector.pk])
        assert local.post(url, {"pattern": "x", "action": "off"}).status_code == 404
    assert other.detectors.filter(pattern="G", action="mask").exists()
    access = factories.allow(other, factories.team("holders"))
    url = reverse("connections:remove-access", args=[row.name, access.pk])
    assert local.post(url).status_code == 404
    assert other.access.exists()


def test_what_does_not_exist_is_not_found(row: Connection) -> None:
    client = signed_in(factories.person("admin", Role.ADMIN))
    for url in (
        reverse("connections:detail", args=["nowhere"]),
        reverse("connections:edit-rule", args=[row.name, "nothing"]),
        reverse("connections:edit-protection", args=[row.name, uuid.uuid4()]),
        reverse("connections:edit-detector", args=[row.name, uuid.uuid4()]),
        reverse("connections:revision", args=[row.name, 99]),
    ):
        assert client.get(url).status_code == 404
    assert client.post(reverse("connections:restore", args=[row.name, 99])).status_code == 404


def test_actions_want_post(row: Connection) -> None:
    client = signed_in(factories.person("admin", Role.ADMIN))
    for name in ACTIONS:
        if name not in {"connections:sync", "connections:test", "connections:sampling"}:
            assert client.get(reverse(name, args=[row.name])).status_code == 405, name


def test_only_an_admin_of_all_registers(row: Connection) -> None:
    url = reverse("connections:new")
    assert signed_in(factories.person("admin", Role.ADMIN)).get(url).status_code == 200
    local = signed_in(factories.person("local", Role.ADMIN, on=row))
    assert local.get(url).status_code == 403
    assert local.post(url, {"name": "x"}).status_code == 403
    assert Connection.objects.count() == 1


def test_lists_show_only_what_one_may_see(row: Connection) -> None:
    factories.connection("sealed-off")
    client = signed_in(factories.person("reviewer", Role.REVIEWER, on=row))
    page = client.get(reverse("connections:list")).content.decode()
    assert "shop" in page
    assert "sealed-off" not in page
    page = client.get(reverse("connections:simulate")).content.decode()
    assert "sealed-off" not in page
    stranger = signed_in(factories.person("stranger"))
    assert "No connection for you yet" in stranger.get(reverse("connections:list")).content.decode()
    assert "No policy for you" in stranger.get(reverse("connections:policy")).content.decode()
    assert (
        "No connection to judge" in stranger.get(reverse("connections:simulate")).content.decode()
    )


def test_a_reader_sees_no_controls(row: Connection) -> None:
    client = signed_in(factories.person("auditor", Role.AUDITOR))
    for name in ("detail", "rules", "protections"):
        page = client.get(reverse(f"connections:{name}", args=[row.name])).content.decode()
        assert 'method="post"' not in page.split("<main")[1].split("</main>")[0], name


def test_policy_opens_on_the_connection_asked_for(row: Connection) -> None:
    factories.connection("another")
    client = signed_in(factories.person("admin", Role.ADMIN))
    found = client.get(reverse("connections:policy"), {"connection": "shop", "show": "revisions"})
    assert found.headers["Location"] == reverse("connections:revisions", args=["shop"])
    found = client.get(reverse("connections:policy"), {"connection": "nowhere"})
    assert found.headers["Location"] == reverse("connections:rules", args=["another"])


def test_policy_revisions_name_who_and_what(row: Connection) -> None:
    admin = factories.person("ada", Role.ADMIN)
    rule = row.rules.get(slug="extra")
    services.update_rule(rule=rule, by=admin, match={"objects": ["*.HR.*"]}, note="Kept apart")
    client = signed_in(admin)
    page = client.get(reverse("connections:revisions", args=[row.name])).content.decode()
    assert "Changed rule extra: match, note" in page
    number = PolicyRevision.objects.filter(connection=row).latest("number").number
    page = client.get(reverse("connections:revision", args=[row.name, number])).content.decode()
    assert "Statements on *.HR.*" in page
    assert "Ada" in page


def test_only_its_admins_see_how_a_key_is_rotated(row: Connection) -> None:
    url = reverse("connections:rotation", args=[row.name])
    for user, status in (
        (factories.person("local", Role.ADMIN, on=row), 200),
        (factories.person("reviewer", Role.REVIEWER, on=row), 403),
        (factories.person("auditor", Role.AUDITOR), 403),
        (factories.person("stranger"), 404),
    ):
        assert signed_in(user).get(url).status_code == status, user
