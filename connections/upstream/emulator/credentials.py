"""Who may log in, and with what."""

import base64
import hmac
import json
import secrets
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from starlette.responses import JSONResponse, Response

from connections.upstream.emulator.users import Keys
from connections.upstream.emulator.values import SqlError


@dataclass(slots=True)
class Credentials:
    """One user and the secrets that prove it; an empty secret proves nothing."""

    user: str
    password: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    keys: Keys | None = None
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    roles: frozenset[str] = frozenset()
    # An identity provider whose tokens are taken, verified by its published keys.
    issuer: str = ""
    audience: str = ""
    subject: str = ""
    _granted: set[str] = field(default_factory=set, repr=False)

    def may_use(self, role: str) -> bool:
        return not self.roles or role in self.roles

    def check(self, data: dict[str, Any]) -> str:
        """The user's name as stored, or Snowflake's refusal."""
        method = str(data.get("AUTHENTICATOR") or "SNOWFLAKE").upper()
        token = str(data.get("TOKEN") or "")
        if method == "SNOWFLAKE_JWT":
            self._check_jwt(token)
        elif method == "OAUTH":
            known = token in self._granted or _same(token, self.access_token)
            if not known and not self._issued(token):
                raise SqlError("390303", "Invalid OAuth access token.", "08001")
        elif method == "WORKLOAD_IDENTITY":
            if data.get("PROVIDER") != "OIDC" or not self._issued(token):
                raise SqlError("390144", "Workload identity attestation is invalid.", "08001")
        elif method == "PROGRAMMATIC_ACCESS_TOKEN":
            if not _same(token, self.access_token):
                raise SqlError("394400", "Programmatic access token is invalid.", "08001")
        else:
            named = str(data.get("LOGIN_NAME") or "").upper() == self.user.upper()
            if not _same(str(data.get("PASSWORD") or ""), self.password) or not named:
                raise SqlError("390100", "Incorrect username or password was specified.", "28000")
        return self.user.upper()

    def _check_jwt(self, token: str) -> None:
        known = self.keys.by_fingerprint() if self.keys else {}
        try:
            claimed = jwt.decode(token, options={"verify_signature": False})
            issuer, _, fingerprint = str(claimed.get("iss", "")).partition(".SHA256:")
            key: Any = serialization.load_der_public_key(known[fingerprint])
            jwt.decode(token, key, algorithms=["RS256"], leeway=30)
        except (jwt.PyJWTError, KeyError) as error:
            raise SqlError("390144", "JWT token is invalid.", "28000") from error
        if issuer.rpartition(".")[2].upper() != self.user.upper():
            raise SqlError("390144", "JWT token is invalid.", "28000")

    def _issued(self, token: str) -> bool:
        """Whether the provider made this token for us, by its own published keys."""
        if not self.issuer:
            return False
        try:
            described = _json(f"{self.issuer}/.well-known/openid-configuration")
            key = jwt.PyJWKClient(described["jwks_uri"]).get_signing_key_from_jwt(token)
            claims = jwt.decode(
                token,
                key.key,
                algorithms=["RS256"],
                issuer=self.issuer,
                audience=self.audience,
                leeway=30,
            )
        except (jwt.PyJWTError, OSError, ValueError, KeyError):
            return False
        return claims.get("sub") == self.subject

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


def _json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - given on our command line
        return json.load(answer)
