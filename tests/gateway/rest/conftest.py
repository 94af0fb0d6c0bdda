"""Callers of the API: the agent with its token, people with their browser, and nobody."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from accounts import services
from accounts.models import Agent, User
from accounts.services.tokens import IssuedToken
from gateway.rest import throttling
from tests.conftest import Cast

WRITE = "UPDATE SHOP.CRM.CONTACTS SET CITY = 'Rome' WHERE CONTACT_ID = 1"
READ = "SELECT CITY, COUNT(*) AS N FROM SHOP.RETAIL.ORDERS GROUP BY CITY"
MASKED = "SELECT CONTACT_ID, EMAIL FROM SHOP.CRM.CONTACTS ORDER BY CONTACT_ID"
DENIED = "SELECT * FROM SHOP.CRM.NO_SUCH_TABLE"


@dataclass
class Api:
    """One caller. A dict is sent as JSON, bytes as they are."""

    client: Client
    headers: dict[str, str]

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        kwargs: dict[str, Any] = {"headers": {**self.headers, **headers}}
        if body is not None:
            kwargs["content_type"] = headers.pop("content_type", "application/json")
            kwargs["headers"] = {**self.headers, **headers}
            kwargs["data"] = body if isinstance(body, bytes | str) else json.dumps(body)
        path = path if path.startswith(("/", "http")) else f"/api/v1/{path}"
        return self.client.generic(method, path.removeprefix("http://testserver"), **kwargs)

    def get(self, path: str, **headers: str) -> Any:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("POST", path, body, **headers)


def with_token(text: str) -> Api:
    return Api(Client(), {"Authorization": f"Bearer {text}"})


def as_person(user: User) -> Api:
    client = Client()
    client.force_login(user)
    return Api(client, {})


def token_of(agent: Agent, **kw: Any) -> IssuedToken:
    return services.issue_token(agent=agent, label="test", by=agent.owner, **kw)


@pytest.fixture(autouse=True)
def _fresh_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests do not use up each other's requests."""
    monkeypatch.setattr(throttling, "_count", lambda _key, _window: 0)


@pytest.fixture
def token(cast: Cast) -> IssuedToken:
    return token_of(cast.agent)


@pytest.fixture
def agent(token: IssuedToken) -> Api:
    return with_token(token.text)


@pytest.fixture
def reviewer(cast: Cast) -> Api:
    return as_person(cast.reviewer)


@pytest.fixture
def nobody() -> Api:
    return Api(Client(), {})


def send(api: Api, sql: str, **body: Any) -> Any:
    headers = body.pop("headers", {})
    return api.post("statements", {"connection": "shop", "sql": sql, **body}, **headers)
