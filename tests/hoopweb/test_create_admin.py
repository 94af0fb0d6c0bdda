"""The first admin is made by a command, with a password that no process list shows."""

import io

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User

pytestmark = pytest.mark.django_db


def create(monkeypatch, password, *arguments):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    out = io.StringIO()
    call_command("create_admin", *arguments, stdout=out)
    return out.getvalue()


def test_an_admin_is_made(monkeypatch):
    said = create(monkeypatch, "a long enough pass phrase", "ada", "--name", "Ada Brandt")
    ada = User.objects.get(username="ada")
    assert ada.is_admin
    assert not ada.reviews
    assert ada.check_password("a long enough pass phrase")
    assert "Ada Brandt administers" in said


def test_a_weak_password_makes_nobody(monkeypatch):
    with pytest.raises(CommandError, match="will not do"):
        create(monkeypatch, "short", "ada")
    assert not User.objects.exists()


def test_a_taken_name_is_said(monkeypatch):
    create(monkeypatch, "a long enough pass phrase", "ada")
    with pytest.raises(CommandError, match="already"):
        create(monkeypatch, "a long enough pass phrase", "ada")
