"""Somebody whose name an account has already: kept out, shown to an admin, linked or sent away."""

import pytest
from django.test import Client

from accounts import services
from accounts.models import Identity, Newcomer, SignIn
from accounts.principal import Role
from hoopweb.lib.errors import Conflict, NotAllowed
from recordings.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db

ISSUER = "https://id.example.com"


@pytest.fixture
def ada():
    return factories.person("ada", Role.ADMIN)


@pytest.fixture
def olga():
    return factories.person("olga", Role.REVIEWER)


def arrive(subject="olga-at-work", name="Olga", username="olga", email=""):
    services.await_link(issuer=ISSUER, subject=subject, name=name, username=username, email=email)
    return Newcomer.objects.get(issuer=ISSUER, subject=subject)


@pytest.fixture
def newcomer(olga):
    return arrive()


def page_of(person, newcomer=None, verb=None):
    base = f"/settings/people/{person.pk}/"
    return f"{base}newcomers/{newcomer.pk}/{verb}/" if newcomer else base


def signed_in(person):
    client = Client()
    client.force_login(person)
    return client


def last_entry():
    return AuditEntry.objects.order_by("-number").first()


def test_a_newcomer_stands_where_the_name_is_and_once(olga):
    arrive()
    arrive(name="Olga Again")
    assert [str(each) for each in Newcomer.objects.all()] == [f"Olga Again at {ISSUER}"]
    assert Newcomer.objects.get().user == olga


def test_the_address_says_more_than_the_name(olga):
    other = factories.person("olga2")
    assert arrive(username="olga", email=other.email.upper()).user == other
    assert arrive("x", username="nobody", email=olga.email).user == olga


def test_nobody_stands_nowhere():
    services.await_link(issuer=ISSUER, subject="x", name="X", username="x", email="")
    assert not Newcomer.objects.exists()


def test_an_admin_links_on_the_persons_page(ada, olga, newcomer):
    admin = signed_in(ada)
    assert "Is Olga the same person as Olga?" in admin.get(page_of(olga)).content.decode()
    assert page_of(olga) in admin.get("/settings/").content.decode()
    answer = admin.post(page_of(olga, newcomer, "link"))
    assert (answer.status_code, answer["Location"]) == (302, page_of(olga))
    assert Identity.objects.get(issuer=ISSUER, subject="olga-at-work").user == olga
    assert not Newcomer.objects.exists()
    entry = last_entry()
    assert (entry.action, entry.actor_id, entry.object_id) == (
        "identity-linked",
        ada.pk,
        str(olga.pk),
    )
    assert entry.after == {"issuer": ISSUER, "subject": "olga-at-work"}
    assert "olga-at-work" in admin.get(page_of(olga)).content.decode()


def test_an_admin_sends_away(ada, olga, newcomer):
    assert signed_in(ada).post(page_of(olga, newcomer, "dismiss")).status_code == 302
    assert not Newcomer.objects.exists()
    assert not Identity.objects.exists()
    assert last_entry().action == "identity-dismissed"


def test_unlinking_ends_what_that_identity_opened(ada, olga):
    link = Identity.objects.link(olga, issuer=ISSUER, subject="olga-at-work")
    by_provider, local = signed_in(olga), signed_in(olga)
    SignIn.objects.create(
        user=olga,
        session_key=by_provider.session.session_key,
        issuer=ISSUER,
        subject="olga-at-work",
    )
    answer = signed_in(ada).post(f"{page_of(olga)}links/{link.pk}/remove/")
    assert answer.status_code == 302
    assert not Identity.objects.exists()
    assert by_provider.get("/profile/").status_code == 302
    assert local.get("/profile/").status_code == 200
    entry = last_entry()
    assert entry.action == "identity-unlinked"
    assert entry.before == {"issuer": ISSUER, "subject": "olga-at-work"}
    assert entry.after == {"console_sessions_ended": 1}


@pytest.mark.parametrize("role", [None, Role.REVIEWER, Role.AUDITOR, Role.DEVELOPER])
def test_nobody_else_decides(olga, newcomer, role):
    link = Identity.objects.link(olga, issuer=ISSUER, subject="another")
    stranger = signed_in(factories.person("stan", *([role] if role else [])))
    for path in (
        page_of(olga, newcomer, "link"),
        page_of(olga, newcomer, "dismiss"),
        f"{page_of(olga)}links/{link.pk}/remove/",
    ):
        assert stranger.post(path).status_code == 403
        assert Client().post(path).status_code == 302
    assert Newcomer.objects.count() == Identity.objects.count() == 1
    for verb, row in (
        (services.link_identity, {"newcomer": newcomer}),
        (services.dismiss_newcomer, {"newcomer": newcomer}),
        (services.unlink_identity, {"identity": link}),
    ):
        with pytest.raises(NotAllowed):
            verb(**row, by=olga)


def test_not_even_an_admin_for_themselves(ada):
    mine = arrive(subject="ada-at-work", username="ada")
    assert "Another admin links you" in signed_in(ada).get(page_of(ada)).content.decode()
    signed_in(ada).post(page_of(ada, mine, "link"))
    assert not Identity.objects.exists()
    link = Identity.objects.link(ada, issuer=ISSUER, subject="another")
    with pytest.raises(NotAllowed):
        services.unlink_identity(identity=link, by=ada)


def test_somebody_who_is_somebody_already_is_not_linked_twice(ada, olga, newcomer):
    other = factories.person("other")
    Identity.objects.link(other, issuer=ISSUER, subject="olga-at-work")
    with pytest.raises(Conflict):
        services.link_identity(newcomer=newcomer, by=ada)
    assert Identity.objects.get().user == other


def test_what_stands_at_another_person_is_not_found(ada, olga, newcomer):
    other = factories.person("other")
    assert signed_in(ada).post(page_of(other, newcomer, "link")).status_code == 404
    assert not Identity.objects.exists()


def test_a_new_password_keeps_what_is_known_of_the_sign_in(olga):
    """Else the provider could not end that session any more."""
    client = signed_in(olga)
    SignIn.objects.create(
        user=olga, session_key=client.session.session_key, issuer=ISSUER, subject="olga"
    )
    new = "another horse battery staple"
    sent = {"old": factories.PASSWORD, "new": new, "again": new}
    assert client.post("/profile/password/", sent).status_code == 302
    found = SignIn.objects.get(ended_at=None)
    assert (found.issuer, found.session_key) == (ISSUER, client.session.session_key)
