"""The operator's way in: from the shell, with the password never among the arguments."""

import io

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from recordings.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db


def make_admin(monkeypatch: pytest.MonkeyPatch, *arguments: str, typed: str = "") -> str:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    call_command("make_admin", *arguments, stdout=out)
    return out.getvalue()


def test_the_first_admin(monkeypatch, client):
    said = make_admin(monkeypatch, "ada", "--name", "Ada", typed=f"{factories.PASSWORD}\n")
    assert "Ada is an admin" in said
    assert User.objects.get().is_admin
    client.post("/sign-in/", {"name": "ada", "password": factories.PASSWORD})
    assert client.get("/settings/").status_code == 200
    assert AuditEntry.objects.get(action="role-granted").actor["kind"] == "system"


def test_someone_who_is_here_already(monkeypatch):
    nina = factories.person("nina")
    make_admin(monkeypatch, "NINA")
    make_admin(monkeypatch, "nina")
    assert User.objects.get().pk == nina.pk
    assert nina.grants.count() == 1


def test_a_weak_password_makes_nobody(monkeypatch):
    with pytest.raises(CommandError):
        make_admin(monkeypatch, "ada", typed="password\n")
    assert not User.objects.exists()


def test_where_the_provider_signs_people_in_there_is_no_password(monkeypatch, settings):
    settings.LOCAL_ACCOUNTS = False
    make_admin(monkeypatch, "ada")
    assert not User.objects.get().has_usable_password()
