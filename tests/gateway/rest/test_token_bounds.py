"""A token opens what it is for, from where it is for, and nothing else."""

import pytest
from django.urls import get_resolver

from accounts.authentication import principal_by_token, verify_agent_token
from accounts.models import AgentToken
from accounts.principal import TokenScope
from gateway import pipeline
from gateway.requests import StatementRequest
from gateway.rest.door import Door
from hoopweb.lib.errors import InvalidRequest, NotAllowed
from tests.gateway.rest.conftest import READ, send, token_of, with_token

pytestmark = pytest.mark.django_db


def api(cast, **bounds):
    return with_token(token_of(cast.agent, **bounds).text)


def views():
    patterns = next(p for p in get_resolver().url_patterns if str(p.pattern) == "api/")
    for pattern in patterns.url_patterns:
        view = getattr(pattern.callback, "view_class", None)
        if view and issubclass(view, Door):
            yield view


def test_every_method_of_every_endpoint_says_what_a_token_must_be_for():
    found = list(views())
    assert len(found) > 20
    undeclared = {
        (view.__name__, method)
        for view in found
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if hasattr(view, method.lower()) and method not in view.scopes
    }
    assert not undeclared


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        (TokenScope.RUN, "POST", "statements"),
        (TokenScope.RUN, "POST", "sessions"),
        (TokenScope.READ, "GET", "statements"),
        (TokenScope.READ, "GET", "approvals"),
        (TokenScope.SESSIONS, "GET", "sessions"),
        (TokenScope.SIMULATE, "POST", "simulate"),
    ],
)
def test_a_token_without_the_scope_is_refused_and_told_which(cast, scope, method, path):
    body = {"connection": "shop", "sql": READ} if path in {"statements", "simulate"} else None
    body = {"connection": "shop"} if path == "sessions" and method == "POST" else body
    others = [each for each in TokenScope if each != scope]
    answer = api(cast, scopes=others)(method, path, body)
    assert answer.status_code == 403, answer.content
    assert answer.json()["scope"] == scope
    assert api(cast, scopes=[scope])(method, path, body).status_code < 300


def test_any_token_may_list_its_connections(cast):
    assert api(cast, scopes=[TokenScope.READ]).get("connections").status_code == 200


def test_no_door_runs_a_statement_for_a_token_that_is_not_for_it(cast):
    issued = token_of(cast.agent, scopes=[TokenScope.READ])
    request = StatementRequest(
        connection_id=cast.connection.pk, sql=READ, request_id="one", door="snowflake"
    )
    with pytest.raises(NotAllowed):
        pipeline.submit(request, principal=principal_by_token(issued.token))


@pytest.mark.parametrize(
    ("networks", "address", "accepted"),
    [
        ([], "203.0.113.9", True),
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "11.1.2.3", False),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["10.0.0.0/8"], None, False),
        (["10.0.0.0/8"], "localhost", False),
        (["2001:db8::/32", "192.0.2.7"], "2001:db8::1", True),
        (["2001:db8::/32", "192.0.2.7"], "192.0.2.7", True),
        (["2001:db8::/32", "192.0.2.7"], "192.0.2.8", False),
    ],
)
def test_a_token_opens_only_from_its_networks(cast, networks, address, accepted):
    issued = token_of(cast.agent, networks=networks)
    assert bool(verify_agent_token(issued.text, address=address)) is accepted


def test_the_address_is_the_one_that_the_server_saw_not_one_that_is_claimed(cast):
    caller = api(cast, networks=["198.51.100.0/24"])
    assert caller.get("connections").status_code == 401
    claimed = {"X-Forwarded-For": "198.51.100.1", "X-Real-IP": "198.51.100.1"}
    assert caller.get("connections", **claimed).status_code == 401


@pytest.mark.parametrize("networks", [["10.0.0"], ["10.0.0.0/99"], ["everywhere"], ["1.1.1.1"] * 2])
def test_networks_are_networks(cast, networks):
    if len(set(networks)) < len(networks):
        assert token_of(cast.agent, networks=networks).token.networks == ["1.1.1.1/32"]
    else:
        with pytest.raises(InvalidRequest):
            token_of(cast.agent, networks=networks)


@pytest.mark.parametrize("scopes", [[], ["everything"], ["statements:run", "admin"]])
def test_scopes_are_known_ones(cast, scopes):
    with pytest.raises(InvalidRequest):
        token_of(cast.agent, scopes=scopes)


def test_a_successor_has_the_same_bounds(cast):
    from accounts import services

    old = token_of(cast.agent, scopes=[TokenScope.READ], networks=["127.0.0.0/8"])
    new = services.rotate_token(token=old.token, by=cast.owner).token
    assert (new.scopes, new.networks) == (["statements:read"], ["127.0.0.0/8"])


def test_use_is_noted_with_its_address(cast):
    issued = token_of(cast.agent)
    with_token(issued.text).get("connections")
    token = AgentToken.objects.get(pk=issued.token.pk)
    assert token.last_used_at
    assert token.last_used_address == "127.0.0.1"


def test_a_longer_life_is_a_setting(cast, settings):
    settings.AGENT_TOKEN_MAX_DAYS = 30
    with pytest.raises(InvalidRequest, match="30"):
        token_of(cast.agent, days=31)
    token = token_of(cast.agent).token
    assert (token.expires_at - token.created_at).days == 30


def test_what_was_sent_keeps_the_token_it_came_with(cast, agent, token):
    from gateway.models import Statement

    assert send(agent, READ).status_code in {201, 202}
    assert Statement.objects.get().principal["token"] == token.token.key_id
