"""Logging in. Snowflake's own connector does it, for it knows every method; its tokens are then
taken over by our client.
"""

import asyncio
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import snowflake.connector
from cryptography.hazmat.primitives import serialization
from snowflake.connector import errors as driver
from snowflake.connector.network import SnowflakeRestful

from connections.upstream.errors import LoginRefused, UpstreamUnreachable
from connections.upstream.types import Method, Target, UpstreamSession
from connections.upstream.wire import is_loopback
from hoopweb.lib import outgoing

# Below warnings the driver tells of hosts, users and session ids.
logging.getLogger("snowflake.connector").setLevel(logging.WARNING)

_AUTHENTICATOR = {
    Method.PASSWORD: "snowflake",
    Method.KEY_PAIR: "SNOWFLAKE_JWT",
    Method.ACCESS_TOKEN: "PROGRAMMATIC_ACCESS_TOKEN",
    Method.OAUTH_CLIENT: "OAUTH_CLIENT_CREDENTIALS",
    Method.WORKLOAD: "WORKLOAD_IDENTITY",
}
# The driver's own numbers for "no connection came about".
_NO_CONNECTION = {250001, 250003, 251001, 251005, 251011, 290502, 290503, 290504}
# Host and port, which whoever reads the message knows.
_PREFIX = re.compile(r"^Failed to connect to DB: \S+?:\d+\. ")


async def log_in(target: Target) -> UpstreamSession:
    """A new session for ``target``. Raises ``LoginRefused`` or ``UpstreamUnreachable``.

    A refused login is tried once more when the credential turns out to have been rotated.
    """
    return await asyncio.to_thread(_log_in_or_renew, target)


def _log_in_or_renew(target: Target) -> UpstreamSession:
    try:
        return _log_in(target)
    except LoginRefused:
        renewed = target.renewed() if target.renewed is not None else None
        if renewed is None or renewed == target:
            raise
    return _log_in(renewed)


def _log_in(target: Target) -> UpstreamSession:
    _look_where(target)
    connection, failure = _connect(target)
    # Raised out here: the driver's own error drags frames along whose variables hold the secret.
    if failure is not None:
        raise failure
    try:
        return _tokens(connection)
    finally:
        # The session was opened to outlive the driver's connection.
        connection.close()


def _look_where(target: Target) -> None:
    """The driver connects by itself, so its addresses are judged just before."""
    urls = [target.base_url, *filter(None, [target.oauth_token_url])]
    for url in urls:
        parts = urlsplit(url)
        if outgoing.proxied(url):
            continue
        try:
            outgoing.vetted(parts.hostname or "", parts.port or 443)
        except OSError as error:
            raise UpstreamUnreachable(f"No login at {parts.netloc}: {error}") from None


def _connect(target: Target) -> tuple[Any, LoginRefused | UpstreamUnreachable | None]:
    try:
        return snowflake.connector.connect(**_options(target)), None
    except driver.Error as error:
        return None, _translated(error, target)
    except ValueError as error:
        return None, LoginRefused("390144", "28000", _without_secrets(str(error), target))


def _options(target: Target) -> dict[str, Any]:
    options: dict[str, Any] = {
        "account": target.account,
        "user": target.login_name,
        "host": target.address,
        "port": target.port,
        "protocol": target.protocol,
        "authenticator": _AUTHENTICATOR[target.method],
        "login_timeout": target.login_seconds,
        "network_timeout": target.login_seconds,
        "socket_timeout": target.login_seconds,
        "application": "Hoopweb",
        "server_session_keep_alive": True,
        "client_session_keep_alive": False,
        "client_store_temporary_credential": False,
        "client_request_mfa_token": False,
        # Neither ask the cloud's metadata service where we run, nor report on ourselves.
        "platform_detection_timeout_seconds": 0.0,
        "session_parameters": {"CLIENT_TELEMETRY_ENABLED": False, **target.session_parameters},
    }
    if is_loopback(target.address):
        options["no_proxy"] = target.address
    for name in ("warehouse", "database", "schema", "role"):
        if value := getattr(target, name):
            options[name] = value
    return options | _proof(target)


def _proof(target: Target) -> dict[str, Any]:
    """What each method is proved by, under the driver's documented names."""
    match target.method:
        case Method.PASSWORD:
            return {"password": target.secret}
        case Method.KEY_PAIR:
            return {"private_key": _private_key(target)}
        case Method.ACCESS_TOKEN:
            return {"token": target.secret}
        case Method.OAUTH_CLIENT:
            found = {
                "oauth_client_id": target.oauth_client_id or target.login_name,
                "oauth_client_secret": target.secret,
                "oauth_scope": target.oauth_scope,
            }
            if target.oauth_token_url:
                found["oauth_token_request_url"] = target.oauth_token_url
            return found
        case Method.WORKLOAD:
            # The clouds' own attestations are made by the driver; OIDC brings its token.
            token = {"token": target.secret} if target.secret else {}
            return {"workload_identity_provider": target.workload_provider, **token}


def _private_key(target: Target) -> bytes:
    try:
        key = serialization.load_pem_private_key(
            target.secret.encode(),
            password=target.key_passphrase.encode() if target.key_passphrase else None,
        )
    except (ValueError, TypeError):
        raise ValueError(
            "The private key cannot be read. Paste it as PEM, with its BEGIN and END lines, and "
            "give its passphrase if it has one."
        ) from None
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _tokens(connection: Any) -> UpstreamSession:
    rest: SnowflakeRestful = connection.rest
    if not rest.token or not rest.master_token:
        raise LoginRefused("390104", "08001", "Snowflake's login gave no tokens.")
    master_seconds = int(rest.master_validity_in_seconds or 0)
    return UpstreamSession(
        token=rest.token,
        master_token=rest.master_token,
        session_id=int(connection.session_id) if connection.session_id else None,
        master_expires=datetime.now(UTC) + timedelta(seconds=master_seconds)
        if master_seconds
        else None,
        role=connection.role,
        warehouse=connection.warehouse,
        database=connection.database,
        schema=connection.schema,
        parameters={
            name: value
            for name, value in connection.converter.get_parameters().items()
            if isinstance(value, str | int | bool)
        },
    )


def _translated(error: driver.Error, target: Target) -> LoginRefused | UpstreamUnreachable:
    number = error.errno if isinstance(error.errno, int) else 0
    message = _PREFIX.sub("", _without_secrets(str(error.raw_msg or error), target))
    refused = isinstance(error, driver.DatabaseError) and not isinstance(
        error, driver.OperationalError
    )
    if refused or (number and number not in _NO_CONNECTION):
        return LoginRefused(f"{max(number, 0):06d}", error.sqlstate, message)
    return UpstreamUnreachable(f"No login at {target.address}:{target.port}: {message}")


def _without_secrets(message: str, target: Target) -> str:
    for secret in (target.secret, target.key_passphrase):
        if secret:
            message = message.replace(secret, "***")
    return message
