"""An agent's tokens over REST: who may do what with them, and where the text is seen."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AgentToken
from recordings.models import AuditEntry
from tests import factories
from tests.gateway.rest.conftest import READ, as_person, send, token_of, with_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(cast):
    return as_person(cast.owner)


@pytest.fixture
def path(cast):
    return f"agents/{cast.agent.pk}/tokens"


def test_a_token_is_issued_shown_once_and_works(cast, owner, path):
    asked = {
        "label": "nightly",
        "days": 7,
        "scopes": ["statements:run", "statements:read"],
        "connections": [str(cast.connection.pk)],
        "networks": ["127.0.0.0/8"],
    }
    answer = owner.post(path, asked)
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    text, told = answer.json()["text"], answer.json()["token"]
    assert told["live"] is True
    assert {name: told[name] for name in ("label", "connections", "networks")} == {
        name: asked[name] for name in ("label", "connections", "networks")
    }
    row = AgentToken.objects.get(pk=told["id"])
    assert row.expires_at - row.created_at == timedelta(days=7)
    assert send(with_token(text), READ).status_code == 202
    listed = owner.get(path)
    assert [each["id"] for each in listed.json()["results"]] == [told["id"]]
    assert listed.json()["results"][0]["last_used_address"] == "127.0.0.1"
    secret = text.rpartition("_")[2]
    assert secret not in listed.content.decode()
    entry = AuditEntry.objects.filter(action="token-issued").latest("number")
    assert entry.after["key_id"] == told["key_id"]
    assert secret not in str(entry.after)


def test_a_rotated_one_works_beside_its_successor(cast, owner, path):
    old = token_of(cast.agent)
    answer = owner.post(f"{path}/{old.token.pk}/rotate", {"overlap_hours": 2})
    assert answer.status_code == 201
    for text in (old.text, answer.json()["text"]):
        assert with_token(text).get("statements").status_code == 200
    old.token.refresh_from_db()
    assert old.token.expires_at <= timezone.now() + timedelta(hours=2)
    again = owner.post(f"{path}/{old.token.pk}/rotate", {"overlap_hours": 0})
    assert again.status_code == 201
    late = owner.post(f"{path}/{old.token.pk}/rotate", {})
    assert (late.status_code, late.json()["code"]) == (409, "conflict")


def test_a_revoked_one_opens_nothing_and_takes_what_it_sent(cast, path):
    leaked = token_of(cast.agent)
    assert with_token(leaked.text).get("statements").status_code == 200
    admin = as_person(cast.admin)
    for _ in range(2):
        answer = admin.post(f"{path}/{leaked.token.pk}/revoke")
        assert answer.status_code == 200
        assert answer.json()["live"] is False
    assert with_token(leaked.text).get("statements").status_code == 401


def test_only_the_owner_makes_tokens_and_strangers_see_nothing(cast, agent, path):
    token = token_of(cast.agent).token
    made = [(path, {"label": "x"}), (f"{path}/{token.pk}/rotate", {})]
    admin, reviewer, stranger = map(as_person, (cast.admin, cast.reviewer, cast.stranger))
    for where, body in made:
        assert admin.post(where, body).status_code == 403
        assert reviewer.post(where, body).status_code == 403
        assert stranger.post(where, body).status_code == 404
        assert agent.post(where, body).status_code == 403, "not even for itself"
    assert admin.get(path).status_code == 200
    assert reviewer.post(f"{path}/{token.pk}/revoke").status_code == 403
    assert stranger.get(path).status_code == 404
    assert agent.get(path).status_code == 403
    assert AgentToken.objects.filter(label="x").count() == 0


def test_another_agents_token_is_not_found_here(cast, owner, path):
    other = factories.agent("other", owner=cast.owner)
    theirs = token_of(other).token
    assert owner.post(f"{path}/{theirs.pk}/revoke").status_code == 404
    theirs.refresh_from_db()
    assert theirs.revoked_at is None


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"days": 91}, "days"),
        ({"days": "7"}, "days"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"networks": ["somewhere"]}, "networks"),
        ({"connections": ["00000000-0000-4000-8000-000000000000"]}, "connections"),
        ({"label": ""}, "label"),
        ({"text": "hwa_mine"}, "text"),
    ],
)
def test_what_cannot_be_is_named(owner, path, changed, field):
    answer = owner.post(path, {"label": "x", **changed})
    assert answer.status_code == 400
    assert any(each["field"].startswith(field) for each in answer.json()["errors"])
