"""Closed by default: what anybody may open without signing in is listed here, and nothing else."""

import uuid

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver

PUBLIC = {
    "/healthz",
    "/readyz",
    "/sign-in/",
    "/sign-in/local-accounts/",
    "/sign-out/",
    "/api/problems/1",
}
_VALUES = {"uuid": str(uuid.UUID(int=0)), "slug": "1", "int": "1", "str": "1", "path": "1"}


def _paths(patterns, before="/"):
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from _paths(pattern.url_patterns, route)


def _example(route):
    """A path that the route matches."""
    for kind, value in _VALUES.items():
        while f"<{kind}:" in route:
            head, _, rest = route.partition(f"<{kind}:")
            route = head + value + rest.partition(">")[2]
    # The API's last pattern catches every path that is none of its own.
    return route.replace("^.*$", "no-such-thing")


PATHS = sorted({_example(route) for route in _paths(get_resolver().url_patterns)})


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_nothing_opens_without_signing_in(method):
    client = Client(raise_request_exception=False)
    opened = []
    for path in PATHS:
        answer = getattr(client, method)(path)
        if path in PUBLIC:
            continue
        to_sign_in = answer.status_code == 302 and answer.url.startswith("/sign-in/")
        # An address or a method that does not exist tells nothing.
        if not to_sign_in and answer.status_code not in {401, 404, 405}:
            opened.append((path, answer.status_code))
    assert not opened


def test_the_list_names_what_exists():
    assert set(PATHS) >= PUBLIC
