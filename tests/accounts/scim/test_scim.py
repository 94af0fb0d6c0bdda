"""A provider's directory keeps people and groups here, in Okta's and in Entra's spelling."""

import pytest
from django.test import Client

from accounts import services
from accounts.mapping import Source
from accounts.models import Identity, SignIn, User
from accounts.principal import Role
from accounts.services import directories, provisioning
from hoopweb.lib import rate
from recordings.models import AuditEntry
from tests import factories
from tests.accounts.scim.conftest import GROUP, ISSUER, PATCH, USER, Scim

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_limits(monkeypatch):
    monkeypatch.setattr(rate, "count", lambda _key, _window=None: 2)


def refused(answer, status, scim_type=None):
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert answer["Content-Type"] == "application/scim+json"
    assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert body["status"] == str(status)
    assert body.get("scimType") == scim_type
    return body


def account(name):
    return User.objects.get(username=name)


# Life of a person


def test_okta_makes_changes_and_deactivates_somebody(okta):
    found = okta.get('Users?filter=userName eq "ana@corp.example"&startIndex=1&count=100')
    assert found.json()["totalResults"] == 0
    made = okta.user(
        "ana@corp.example",
        externalId="00u1",
        name={"givenName": "Ana", "familyName": "Alba"},
        emails=[{"primary": True, "value": "ana@corp.example", "type": "work"}],
        displayName="Ana Alba",
        locale="en-US",
        active=True,
        groups=[],
    )
    assert made["meta"]["location"].endswith(f"/scim/v2/Users/{made['id']}")
    assert (account("ana@corp.example").name, made["active"]) == ("Ana Alba", True)
    assert not account("ana@corp.example").has_usable_password()
    found = okta.get('Users?filter=userName eq "ANA@corp.example"').json()
    assert [each["id"] for each in found["Resources"]] == [made["id"]]
    whole = {**made, "displayName": "Ana Bell", "schemas": [USER]}
    answer = okta("PUT", f"Users/{made['id']}", whole)
    assert answer.json()["displayName"] == "Ana Bell", answer.content
    assert account("ana@corp.example").name == "Ana Bell"
    # Okta's PATCH: no path, the attributes in the value.
    said = okta.patch(f"Users/{made['id']}", {"op": "replace", "value": {"active": False}})
    assert said["active"] is False
    assert not account("ana@corp.example").is_active
    said = okta.patch(f"Users/{made['id']}", {"op": "replace", "value": {"active": True}})
    assert said["active"] is True
    assert account("ana@corp.example").is_active


def test_entra_spells_its_changes_in_its_own_way(entra):
    made = entra.user(
        "bo@corp.example",
        externalId="obj-1",
        emails=[{"primary": True, "value": "bo@corp.example", "type": "work"}],
    )
    path = f"Users/{made['id']}"
    said = entra.patch(
        path,
        {"op": "Replace", "path": "displayName", "value": "Bo B"},
        {"op": "Add", "path": 'emails[type eq "work"].value', "value": "bo.b@corp.example"},
        {"op": "Replace", "path": "name.familyName", "value": "B"},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "1"},
    )
    assert said["displayName"] == "Bo B"
    assert account("bo@corp.example").email == "bo.b@corp.example"
    said = entra.patch(path, {"op": "Replace", "path": "active", "value": "False"})
    assert said["active"] is False
    assert not account("bo@corp.example").is_active
    assert entra.patch(path, {"op": "Replace", "path": "active", "value": "True"})["active"]


def test_a_deleted_person_is_disabled_and_comes_back_by_name(okta):
    made = okta.user("cy@corp.example")
    assert okta("DELETE", f"Users/{made['id']}").status_code == 204
    assert not account("cy@corp.example").is_active
    refused(okta.get(f"Users/{made['id']}"), 404)
    assert okta.get("Users").json()["totalResults"] == 0
    refused(okta("DELETE", f"Users/{made['id']}"), 404)
    again = okta.user("CY@corp.example", displayName="Cy")
    assert again["id"] == made["id"]
    assert User.objects.get(username__iexact="cy@corp.example").is_active


def test_whom_an_admin_keeps_out_the_directory_does_not_let_in(okta):
    made = okta.user("di@corp.example")
    services.disable_user(user=account("di@corp.example"), by=None)
    okta.patch(f"Users/{made['id']}", {"op": "replace", "value": {"displayName": "Di"}})
    said = okta.patch(f"Users/{made['id']}", {"op": "replace", "value": {"active": True}})
    assert said["active"] is False
    assert not account("di@corp.example").is_active


def test_a_leaver_is_signed_out_with_the_agents(okta, django_capture_on_commit_callbacks):
    made = okta.user("ed@corp.example")
    person = account("ed@corp.example")
    browser = Client()
    browser.force_login(person)
    SignIn.objects.create(user=person, session_key=browser.session.session_key)
    assert browser.get("/profile/").status_code == 200
    agent = factories.agent(owner=person)
    token = services.issue_token(agent=agent, label="x", by=person).text
    call = {"headers": {"Authorization": f"Bearer {token}"}}
    assert Client().get("/api/v1/connections", **call).status_code == 200
    with django_capture_on_commit_callbacks(execute=True) as said:
        okta.patch(f"Users/{made['id']}", {"op": "replace", "value": {"active": False}})
    assert said
    assert browser.get("/profile/").status_code == 302
    assert Client().get("/api/v1/connections", **call).status_code == 401


# Groups


def test_a_group_gives_what_the_mapping_rules_say(okta):
    team = factories.team("finance")
    ana, bo = okta.user("ana"), okta.user("bo")
    made = okta.group("finance", ana["id"])
    okta.group("nobody knows it", bo["id"])
    assert list(account("ana").teams.all()) == [team]
    assert not account("bo").teams.exists()
    okta.patch(
        f"Groups/{made['id']}", {"op": "add", "path": "members", "value": [{"value": bo["id"]}]}
    )
    assert list(account("bo").teams.all()) == [team]
    okta.patch(f"Groups/{made['id']}", {"op": "remove", "path": f'members[value eq "{ana["id"]}"]'})
    assert not account("ana").teams.exists()
    assert [g["display"] for g in okta.get(f"Users/{bo['id']}").json()["groups"]]
    whole = {"schemas": [GROUP], "displayName": "finance", "members": [{"value": ana["id"]}]}
    assert okta("PUT", f"Groups/{made['id']}", whole).status_code == 200
    assert (account("ana").teams.count(), account("bo").teams.count()) == (1, 0)
    assert okta("DELETE", f"Groups/{made['id']}").status_code == 204
    assert not account("ana").teams.exists()


def test_entra_removes_members_by_value(entra):
    team = factories.team("ops")
    ana, bo = entra.user("ana"), entra.user("bo")
    made = entra.group("ops", ana["id"], bo["id"], externalId="g1")
    assert "members" not in entra.get(f"Groups/{made['id']}?excludedAttributes=members").json()
    entra.patch(
        f"Groups/{made['id']}",
        {"op": "Remove", "path": "members", "value": [{"value": ana["id"]}]},
    )
    assert list(team.people.all()) == [account("bo")]


def test_a_renamed_group_gives_by_its_new_name(okta):
    factories.team("old")
    new = factories.team("new")
    ana = okta.user("ana")
    made = okta.group("old", ana["id"])
    okta.patch(f"Groups/{made['id']}", {"op": "replace", "value": {"displayName": "new"}})
    assert list(account("ana").teams.all()) == [new]


def test_members_are_this_directory_s_people(okta, entra):
    strange = entra.user("ana")
    body = {"schemas": [GROUP], "displayName": "g", "members": [{"value": strange["id"]}]}
    refused(okta("POST", "Groups", body), 400, "invalidValue")
    body["members"] = [{"value": "nobody"}]
    refused(okta("POST", "Groups", body), 400, "invalidValue")
    assert okta.get("Groups").json()["totalResults"] == 0


# Strangers


def test_another_directory_sees_and_changes_nothing(okta, entra):
    made, group = okta.user("ana"), okta.group("g")
    assert entra.get("Users").json()["totalResults"] == 0
    assert entra.get('Users?filter=userName eq "ana"').json()["totalResults"] == 0
    gone = {"schemas": [PATCH], "Operations": [{"op": "replace", "value": {"active": False}}]}
    for kind, found in (("Users", made), ("Groups", group)):
        path = f"{kind}/{found['id']}"
        refused(entra.get(path), 404)
        refused(entra("PATCH", path, gone), 404)
        refused(entra("PUT", path, found), 404)
        refused(entra("DELETE", path), 404)
    assert account("ana").is_active


@pytest.mark.parametrize("how", ["nothing", "agent", "revoked", "off", "cut short", "session"])
def test_without_a_live_token_nothing_opens(okta, how, cast):
    headers = {"Authorization": f"Bearer {okta.token}"}
    client = Client()
    if how == "nothing":
        headers = {}
    elif how == "agent":
        issued = services.issue_token(agent=cast.agent, label="x", by=cast.owner)
        headers = {"Authorization": f"Bearer {issued.text}"}
    elif how == "revoked":
        directories.revoke_directory_token(token=okta.directory.tokens.get(), by=None)
    elif how == "off":
        directories.switch_directory(directory=okta.directory, on=False, by=None)
    elif how == "cut short":
        headers = {"Authorization": f"Bearer {okta.token[:-1]}"}
    else:
        client.force_login(cast.admin)
        headers = {}
    for path in ("Users", "Groups", "ServiceProviderConfig", "nowhere"):
        answer = client.get(f"/scim/v2/{path}", headers=headers)
        refused(answer, 401)
        assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_directory_s_token_opens_nothing_else(okta):
    headers = {"Authorization": f"Bearer {okta.token}"}
    assert Client().get("/api/v1/connections", headers=headers).status_code == 401


def test_nobody_is_taken_over_by_a_name_or_an_address(okta, cast):
    body = {"schemas": [USER], "userName": cast.admin.username}
    refused(okta("POST", "Users", body), 409, "uniqueness")
    email = {"emails": [{"value": cast.admin.email.upper()}]}
    refused(okta("POST", "Users", {**body, "userName": "else", **email}), 409, "uniqueness")
    mine = okta.user("mine")
    for change in ({"userName": cast.admin.username}, email):
        operations = [{"op": "replace", "value": change}]
        answer = okta(
            "PATCH", f"Users/{mine['id']}", {"schemas": [PATCH], "Operations": operations}
        )
        refused(answer, 409, "uniqueness")
    cast.admin.refresh_from_db()
    assert cast.admin.is_active
    assert account("mine").email == ""


def provider_s_person(name, subject, *roles):
    person = factories.person(name, *roles)
    person.set_unusable_password()
    person.save()
    Identity.objects.link(person, issuer=ISSUER, subject=subject)
    return person


def test_whom_the_same_provider_signed_in_before_becomes_its_directory_s(okta):
    person = provider_s_person("ana", "00u1")
    made = okta.user("ana", externalId="00u1", emails=[{"value": person.email}])
    assert okta.get(f"Users/{made['id']}").status_code == 200
    assert User.objects.filter(username="ana").count() == 1


@pytest.mark.parametrize("why", ["an admin", "another subject", "a password", "another provider"])
def test_but_not(okta, why):
    person = provider_s_person("ana", "00u1", *([Role.ADMIN] if why == "an admin" else []))
    if why == "a password":
        person.set_password(factories.PASSWORD)
        person.save()
    if why == "another provider":
        okta.directory.issuer = "https://elsewhere.example"
        okta.directory.save()
    body = {"schemas": [USER], "userName": "ana"}
    body["externalId"] = "00u2" if why == "another subject" else "00u1"
    refused(okta("POST", "Users", body), 409, "uniqueness")


# Who signs in


def match(**kw):
    return provisioning.match_sign_in(
        **({"issuer": ISSUER, "subjects": [], "username": "", "verified_email": ""} | kw)
    )


def test_a_sign_in_is_matched_by_the_subject_or_by_name_and_verified_address(okta):
    mail = "ana@corp.example"
    okta.user(mail, externalId="00u1", emails=[{"value": mail}])
    person = account(mail)
    assert match(subjects=["00u1"]) == person
    assert match(username=mail, verified_email=mail) == person
    assert match(subjects=["00u2"]) is None
    assert match(username=mail) is None
    assert match(verified_email=mail) is None
    assert match(username="else", verified_email=mail) is None
    assert match(issuer="https://elsewhere.example", subjects=["00u1"]) is None
    assert match(issuer="", subjects=["00u1"]) is None
    factories.RoleGrant.objects.create(user=person, role=Role.ADMIN)
    assert match(username=mail, verified_email=mail) is None, "an admin by the subject only"
    assert match(subjects=["00u1"]) == person
    Identity.objects.link(person, issuer=ISSUER, subject="00u1")
    assert match(subjects=["00u1"]) is None, "known already: the identity finds them"


# The letter


def test_filters(okta):
    for name, display in (("ana", "Ana"), ("bo", "Bo"), ("cy", None)):
        okta.user(name, externalId=f"x-{name}", **({"displayName": display} if display else {}))

    def found(filter_):
        answer = okta.get(f"Users?filter={filter_}")
        assert answer.status_code == 200, answer.content
        return [each["userName"] for each in answer.json()["Resources"]]

    assert found('userName eq "ANA"') == ["ana"]
    assert found('externalId eq "x-bo"') == ["bo"]
    assert found('externalId eq "X-BO"') == []
    assert found('userName eq "ana" or displayName sw "b"') == ["ana", "bo"]
    assert found('userName co "y" and not (displayName pr)') == ["cy"]
    assert found("active eq true") == ["ana", "bo", "cy"]
    refused(okta.get("Users?filter=nonsense"), 400, "invalidFilter")
    refused(okta.get('Users?filter=shoeSize eq "1"'), 400, "invalidFilter")
    refused(okta.get("Users?filter=" + "not (" * 190 + "active eq true"), 400, "invalidFilter")
    refused(okta.get('Users?filter=userName eq "' + "a" * 2000), 400, "invalidFilter")


def test_pages(okta):
    for number in range(5):
        okta.user(f"p{number}")
    page = okta.get("Users?startIndex=2&count=2").json()
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (5, 2, 2)
    assert [each["userName"] for each in page["Resources"]] == ["p1", "p2"]
    assert okta.get("Users?count=0").json()["totalResults"] == 5
    assert okta.get("Users?startIndex=99").json()["Resources"] == []
    assert len(okta.get("Users?count=100000").json()["Resources"]) == 5
    refused(okta.get("Users?count=many"), 400, "invalidValue")


def test_versions(okta):
    made = okta.user("ana")
    path = f"Users/{made['id']}"
    tag = okta.get(path)["ETag"]
    assert tag == made["meta"]["version"]
    assert okta.get(path, **{"If-None-Match": tag}).status_code == 304
    change = {"schemas": [PATCH], "Operations": [{"op": "replace", "value": {"displayName": "A"}}]}
    assert okta("PATCH", path, change, **{"If-Match": tag}).status_code == 200
    refused(okta("PATCH", path, change, **{"If-Match": tag}), 412)
    refused(okta("DELETE", path, **{"If-Match": tag}), 412)


@pytest.mark.parametrize(
    ("body", "status", "scim_type"),
    [
        (b"{", 400, "invalidSyntax"),
        (b"[" * 100000, 400, "invalidSyntax"),
        (b'"\xff"', 400, "invalidSyntax"),
        (b"[]", 400, "invalidSyntax"),
        ({}, 400, "invalidValue"),
        ({"schemas": [USER]}, 400, "invalidValue"),
        ({"schemas": [USER], "userName": ""}, 400, "invalidValue"),
        ({"schemas": [USER], "userName": "a\0b"}, 400, "invalidValue"),
        ({"schemas": [USER], "userName": "a" * 151}, 400, "invalidValue"),
        ({"schemas": [USER], "userName": 1}, 400, "invalidValue"),
        ({"schemas": [USER], "userName": "a", "externalId": "x" * 256}, 400, "invalidValue"),
        ({"schemas": [USER], "userName": "a", "emails": [{"value": "none"}]}, 400, "invalidValue"),
        ({"schemas": [USER], "userName": "a", "active": "perhaps"}, 400, "invalidValue"),
    ],
)
def test_a_user_that_cannot_be(okta, body, status, scim_type):
    refused(okta("POST", "Users", body), status, scim_type)
    assert not User.objects.exists()


def test_what_the_edge_refuses(okta):
    refused(okta("POST", "Users", b"{}", content_type="text/plain"), 415)
    refused(okta("POST", "ServiceProviderConfig", {}), 405)
    refused(okta("PUT", "Users", {}), 405)
    refused(okta.get("Bulk"), 404)
    refused(okta.get("Users/1"), 404)
    refused(okta.get("Me"), 404)


def test_too_much_is_answered_with_a_wait(okta, monkeypatch, settings):
    most = settings.SCIM_REQUESTS_PER_MINUTE
    monkeypatch.setattr(rate, "count", lambda _key, _window=None: most + 1)
    answer = okta.get("Users")
    refused(answer, 429)
    assert 0 < int(answer["Retry-After"]) <= 61
    answer = Scim(okta.directory, "hws_wrong").get("Users")
    refused(answer, 429)
    assert answer["Retry-After"]


def test_a_password_is_never_kept(okta):
    okta.user("ana", password="canary-5f1c")
    assert not account("ana").has_usable_password()
    assert "canary-5f1c" not in str(list(AuditEntry.objects.values()))


def test_every_change_is_in_the_audit_trail(okta):
    ana = okta.user("ana")
    group = okta.group("g", ana["id"])
    okta.patch(f"Users/{ana['id']}", {"op": "replace", "value": {"active": False}})
    okta("DELETE", f"Groups/{group['id']}")
    okta("DELETE", f"Users/{ana['id']}")
    entries = AuditEntry.objects.filter(actor__kind="directory").order_by("number")
    assert [each.action for each in entries] == [
        "person-created", "group-created", "person-changed", "person-disabled", "group-deleted",
        "person-deprovisioned",
    ]  # fmt: skip
    assert {each.actor["name"] for each in entries} == {"Okta"}


def test_a_token_is_rotated_with_an_overlap_and_its_use_noted(okta):
    token = okta.directory.tokens.get()
    new = directories.rotate_directory_token(token=token, by=None)
    assert okta.get("Users").status_code == 200
    assert Scim(okta.directory, new.text).get("Users").status_code == 200
    new.token.refresh_from_db()
    assert new.token.last_used_at
    assert new.token.last_used_address == "127.0.0.1"
    assert okta.token.split("_")[2] not in str(okta.directory.tokens.values())


def test_directories_are_for_admins(okta, cast):
    from hoopweb.lib.errors import NotAllowed

    with pytest.raises(NotAllowed):
        directories.create_directory(name="x", by=cast.owner)
    with pytest.raises(NotAllowed):
        directories.issue_directory_token(directory=okta.directory, label="x", by=cast.auditor)


def admitted(**claims):
    from accounts.oidc import people

    groups = claims.pop("groups", [])
    told = {"sub": "s-1", "email": "ana@corp.example"} | claims
    return people.admit(told, issuer=ISSUER, source=Source.OIDC, groups=groups, address=None)


def test_at_the_first_sign_in_the_announced_person_comes_in(okta):
    factories.team("finance")
    made = okta.user("ana@corp.example", externalId="00u1")
    okta.group("finance", made["id"])
    person = admitted(sub="00u1", preferred_username="whoever")
    assert person == account("ana@corp.example")
    assert person.team_slugs == {"finance"}, "the directory's groups count, not the token's"
    assert admitted(sub="00u1") == person
    assert Identity.objects.get().subject == "00u1"
    assert AuditEntry.objects.filter(action="identity-linked").count() == 1


def test_entra_s_object_id_is_the_directory_s(okta):
    factories.team("finance")
    made = okta.user("ana@corp.example", externalId="obj-1")
    okta.group("finance", made["id"])
    assert admitted(oid="obj-1") == account("ana@corp.example")
    assert Identity.objects.get().subject == "s-1"


@pytest.mark.parametrize("claims", [{}, {"email_verified": False}])
def test_an_address_that_nobody_verified_takes_no_account(okta, claims):
    from accounts.oidc.refusal import SignInRefused

    factories.team("finance")
    okta.user("ana@corp.example", externalId="00u1")
    with pytest.raises(SignInRefused):
        admitted(preferred_username="ana@corp.example", groups=["finance"], **claims)
    assert not Identity.objects.exists()


def test_a_leaver_does_not_sign_in(okta):
    from accounts.oidc.refusal import SignInRefused

    made = okta.user("ana@corp.example", externalId="00u1")
    okta.patch(f"Users/{made['id']}", {"op": "replace", "value": {"active": False}})
    with pytest.raises(SignInRefused) as refusal:
        admitted(sub="00u1")
    assert refusal.value.why == "disabled"
