"""Directories in the console: for admins, and their tokens shown once."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Directory, DirectoryToken
from accounts.services.directories import create_directory, issue_directory_token
from accounts.services.provisioning import Group, Person, create_group, create_person

pytestmark = pytest.mark.django_db


def as_(person):
    client = Client()
    client.force_login(person)
    return client


def address(name, *args):
    return reverse(f"accounts:{name}", args=args)


@pytest.fixture
def okta(db):
    return create_directory(name="Okta", issuer="https://idp.example", by=None)


def test_from_nothing_to_a_token(cast):
    admin = as_(cast.admin)
    assert b"No directories yet" in admin.get(address("directories")).content
    answer = admin.post(address("directory-new"), {"name": "Okta", "issuer": ""})
    made = Directory.objects.get()
    assert answer.url == address("directory", made.pk)
    assert admin.post(address("directory-new"), {"name": "Okta"}).status_code == 422
    page = address("directory-token-new", made.pk)
    shown = admin.post(page, {"label": "sync", "days": "90"})
    assert "no-store" in shown["Cache-Control"]
    text = re.search(r"hws_\w+", shown.content.decode())[0]
    for path in (address("directory", made.pk), page, address("directories")):
        assert text.split("_")[2] not in admin.get(path).content.decode()
    headers = {"Authorization": f"Bearer {text}"}
    assert Client().get("/scim/v2/Users", headers=headers).status_code == 200
    token = DirectoryToken.objects.get()
    admin.post(address("directory-token-revoke", made.pk, token.pk))
    assert Client().get("/scim/v2/Users", headers=headers).status_code == 401


def test_the_page_says_whom_it_keeps(cast, okta):
    person = create_person(directory=okta, said=Person(username="ana", name="Ana Alba"))
    create_group(directory=okta, said=Group(name="finance", members=frozenset({person.pk})))
    page = as_(cast.admin).get(address("directory", okta.pk)).content.decode()
    assert "Ana Alba" in page
    assert "finance" in page
    assert "/scim/v2" in page


def test_rotating_and_switching(cast, okta):
    admin = as_(cast.admin)
    token = issue_directory_token(directory=okta, label="sync", by=None).token
    page = address("directory-token-rotate", okta.pk, token.pk)
    assert admin.get(page).status_code == 200
    assert b"hws_" in admin.post(page, {"overlap": "0"}).content
    assert admin.post(page, {"overlap": "0"}).status_code == 422, "it has ended already"
    admin.post(address("directory-switch", okta.pk), {"to": "off"})
    okta.refresh_from_db()
    assert not okta.is_active
    assert b"stays enabled here" in admin.get(address("directory", okta.pk)).content
    admin.post(address("directory-switch", okta.pk), {"to": "on"})
    okta.refresh_from_db()
    assert okta.is_active


@pytest.mark.parametrize("who", ["owner", "reviewer", "auditor", "stranger"])
def test_nobody_else_comes_near(cast, okta, who):
    token = issue_directory_token(directory=okta, label="sync", by=None).token
    client = as_(getattr(cast, who))
    for name, *args in (
        ("directories",),
        ("directory-new",),
        ("directory", okta.pk),
        ("directory-token-new", okta.pk),
        ("directory-token-rotate", okta.pk, token.pk),
    ):
        assert client.get(address(name, *args)).status_code == 403, name
    for name, *args in (
        ("directory-switch", okta.pk),
        ("directory-token-revoke", okta.pk, token.pk),
    ):
        assert client.post(address(name, *args), {"to": "off"}).status_code == 403, name
    token.refresh_from_db()
    assert token.is_live()
