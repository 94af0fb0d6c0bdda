"""Directories and what they send."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from accounts.models import Directory
from accounts.services.directories import create_directory, issue_directory_token

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ISSUER = "https://idp.example/tenant"


@dataclass
class Scim:
    """A directory's end of the line."""

    directory: Directory
    token: str

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        kind = headers.pop("content_type", "application/scim+json")
        data = body if isinstance(body, bytes) else json.dumps(body) if body is not None else ""
        found = {"Authorization": f"Bearer {self.token}", **headers}
        return Client().generic(method, f"/scim/v2/{path}", data, content_type=kind, headers=found)

    def get(self, path: str, **headers: str) -> Any:
        return self("GET", path, **headers)

    def user(self, username: str, status: int = 201, **more: Any) -> Any:
        answer = self("POST", "Users", {"schemas": [USER], "userName": username, **more})
        assert answer.status_code == status, answer.content
        return answer.json()

    def group(self, name: str, *members: str, status: int = 201, **more: Any) -> Any:
        body = {"schemas": [GROUP], "displayName": name, **more}
        body["members"] = [{"value": each} for each in members]
        answer = self("POST", "Groups", body)
        assert answer.status_code == status, answer.content
        return answer.json()

    def patch(self, path: str, *operations: dict[str, Any], status: int = 200) -> Any:
        answer = self("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)})
        assert answer.status_code == status, answer.content
        return answer.json()


def directory(name: str, issuer: str = "") -> Scim:
    made = create_directory(name=name, issuer=issuer, by=None)
    return Scim(made, issue_directory_token(directory=made, label="test", by=None).text)


@pytest.fixture
def okta(db: None) -> Scim:
    return directory("Okta", ISSUER)


@pytest.fixture
def entra(db: None) -> Scim:
    return directory("Entra")
