"""Who may log in, and with what."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from starlette.responses import JSONResponse, Response

from connections.upstream.emulator.values import SqlError


@dataclass(slots=True)
class Credentials:
    """One user and the secrets that prove it; an empty secret proves nothing."""

    user: str
    password: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    public_key: bytes = field(default=b"", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    roles: frozenset[str] = frozenset()
    _granted: set[str] = field(default_factory=set, repr=False)

    def may_use(self, role: str) -> bool:
        return not self.roles or role in self.roles

    def check(self, data: dict[str, Any], token_url: str = "") -> str:  # noqa: ARG002
        """The user's name as stored, or Snowflake's refusal."""
        method = str(data.get("AUTHENTICATOR") or "SNOWFLAKE").upper()
        token = str(data.get("TOKEN") or "")
        if method == "SNOWFLAKE_JWT":
            self._check_jwt(token)
        elif method == "OAUTH":
            if token not in self._granted and not _same(token, self.access_token):
                raise SqlError("390303", "Invalid OAuth access token.", "08001")
        elif method == "PROGRAMMATIC_ACCESS_TOKEN":
            if not _same(token, self.access_token):
                raise SqlError("394400", "Programmatic access token is invalid.", "08001")
        else:
            named = str(data.get("LOGIN_NAME") or "").upper() == self.user.upper()
            if not _same(str(data.get("PASSWORD") or ""), self.password) or not named:
                raise SqlError("390100", "Incorrect username or password was specified.", "28000")
        return self.user.upper()

    def _check_jwt(self, token: str) -> None:
        if not self.public_key:
            raise SqlError("390144", "JWT token is invalid.", "28000")
        key = serialization.load_pem_public_key(self.public_key)
        der = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        print_ = base64.b64encode(hashlib.sha256(der).digest()).decode()
        try:
            claims = jwt.decode(token, self.public_key, algorithms=["RS256"], leeway=30)
        except jwt.PyJWTError as error:
            raise SqlError("390144", f"JWT token is invalid. {error}", "28000") from error
        issuer, _, fingerprint = str(claims.get("iss", "")).partition(".SHA256:")
        named = issuer.rpartition(".")[2].upper() == self.user.upper()
        if fingerprint != print_ or not named:
            raise SqlError("390144", "JWT token is invalid.", "28000")

    def grant(self, form: str, authorization: str) -> Response:
        """An access token for the client credentials grant."""
        given = {name: values[0] for name, values in parse_qs(form).items()}
        client, secret = given.get("client_id", ""), given.get("client_secret", "")
        if authorization.startswith("Basic "):
            decoded = base64.b64decode(authorization[6:]).decode(errors="replace")
            client, _, secret = decoded.partition(":")
        if client != self.client_id or not _same(secret, self.client_secret):
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        token = secrets.token_urlsafe(32)
        self._granted.add(token)
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": 600})


def _same(given: str, expected: str) -> bool:
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())
