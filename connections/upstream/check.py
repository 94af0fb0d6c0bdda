"""A connection tried step by step, so that a failure says where it is and what helps."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any

from connections.upstream.client import SnowflakeSession, connect
from connections.upstream.errors import LoginRefused, UpstreamFailure
from connections.upstream.find import quoted
from connections.upstream.types import Method, Target
from hoopweb.lib import outgoing

_SECONDS = 10.0

NAMES = ("DNS", "TLS", "Login", "Role", "Warehouse", "Metadata")


@dataclass(frozen=True, slots=True)
class Step:
    """One step's outcome; ``cure`` says what to do when it failed."""

    name: str
    ok: bool
    seconds: float
    detail: str
    cure: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class _Failed(Exception):
    def __init__(self, detail: str, cure: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.cure = cure


async def check(target: Target) -> AsyncIterator[Step]:
    """Each step as it ends; the first that fails is the last."""
    async with contextlib.AsyncExitStack() as stack:
        session: SnowflakeSession | None = None
        for name in NAMES:
            began = time.monotonic()
            try:
                if name == "Login":
                    session = await _log_in(stack, target)
                    detail = (
                        f"Session {session.tokens.session_id} as {target.login_name or 'token'}"
                    )
                elif session is None:
                    detail = await _BEFORE[name](target)
                else:
                    detail = await _AFTER[name](session)
            except _Failed as failed:
                yield Step(name, ok=False, seconds=_since(began), **failed.__dict__)
                return
            except UpstreamFailure as error:
                yield Step(name, False, _since(began), str(error), _CURES.get(name, ""))
                return
            yield Step(name, ok=True, seconds=_since(began), detail=detail)


async def report(target: Target) -> list[Step]:
    """All steps up to the first failure."""
    return [step async for step in check(target)]


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


async def _address(target: Target) -> str:
    if outgoing.proxied(target.base_url):
        return f"{target.address} is reached by the gateway's proxy"
    try:
        async with asyncio.timeout(_SECONDS):
            found = await asyncio.to_thread(outgoing.vetted, target.address, target.port)
    except outgoing.AddressRefused as error:
        raise _Failed(
            str(error),
            "Check the host. PrivateLink leads to private addresses: the operator adds their "
            "network to HOOPWEB_ALLOWED_NETWORKS and starts the gateway again.",
        ) from error
    except (OSError, TimeoutError) as error:
        raise _Failed(
            f"{target.address} has no address: {error or 'no answer from DNS'}",
            "Check the account identifier, or the host if you set one. From within a private "
            "network the host needs a DNS record there.",
        ) from error
    return f"{target.address} is {found[0]}"


async def _connection(target: Target) -> str:
    if outgoing.proxied(target.base_url):
        return "Left to the proxy"
    secure = ssl.create_default_context() if target.protocol == "https" else None
    try:
        async with asyncio.timeout(_SECONDS):
            found = await asyncio.to_thread(outgoing.vetted, target.address, target.port)
            _, writer = await asyncio.open_connection(
                found[0],
                target.port,
                ssl=secure,
                server_hostname=target.address if secure else None,
            )
    except ssl.SSLError as error:
        raise _Failed(
            f"No secure connection: {error.reason or error}",
            "The certificate is not trusted or not for this host. If a proxy inspects TLS, add "
            "its authority to SSL_CERT_FILE of the gateway.",
        ) from error
    except (OSError, TimeoutError) as error:
        raise _Failed(
            f"{target.address}:{target.port} does not answer: {error or 'timed out'}",
            "Allow the gateway to reach this host and port, and check Snowflake's network policy.",
        ) from error
    tls = writer.get_extra_info("ssl_object")
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
    return f"Connected, {tls.version()}" if tls else "Connected without TLS"


async def _log_in(stack: contextlib.AsyncExitStack, target: Target) -> SnowflakeSession:
    try:
        return await stack.enter_async_context(connect(target))
    except LoginRefused as error:
        raise _Failed(str(error), _login_cure(error.code, target)) from error


def _login_cure(code: str, target: Target) -> str:
    if code in {"390189", "390186"}:
        return f"Grant the role to the user: GRANT ROLE {target.role} TO USER {target.login_name}."
    if code == "390422":
        return "Snowflake's network policy does not admit the gateway's address; add it there."
    return {
        Method.PASSWORD: "Check login name and password.",
        Method.KEY_PAIR: "Check that the user's RSA_PUBLIC_KEY belongs to this private key, and "
        "that the login name and the account are spelled as in Snowflake.",
        Method.ACCESS_TOKEN: "Check that the token has not expired and that the user's network "
        "policy admits the gateway.",
        Method.OAUTH_CLIENT: "Check client id, secret and token URL, and Snowflake's security "
        "integration for this provider.",
        Method.WORKLOAD: "Check that the Snowflake user's WORKLOAD_IDENTITY names this provider, "
        "issuer and subject.",
    }[target.method]


async def _one(session: SnowflakeSession, sql: str) -> Any:
    rows = (await session.fetch(sql)).to_pylist()
    return next(iter(rows[0].values())) if rows else None


async def _role(session: SnowflakeSession) -> str:
    role = await _one(session, "SELECT CURRENT_ROLE()")
    wanted = session.target.role
    if wanted and role != wanted:
        raise _Failed(
            f"The session has the role {role}, not {wanted}",
            f"Grant it: GRANT ROLE {wanted} TO USER {session.target.login_name}.",
        )
    return str(role)


async def _warehouse(session: SnowflakeSession) -> str:
    warehouse = await _one(session, "SELECT CURRENT_WAREHOUSE()")
    if not warehouse:
        wanted = session.target.warehouse
        raise _Failed(
            f"The warehouse {wanted} is not usable" if wanted else "The session has no warehouse",
            f"Grant it: GRANT USAGE ON WAREHOUSE {wanted} TO ROLE {session.target.role}."
            if wanted
            else "Name a warehouse in the connection, or give the user a default one.",
        )
    return str(warehouse)


async def _metadata(session: SnowflakeSession) -> str:
    database = session.target.database
    if not database:
        rows = (await session.fetch("SHOW DATABASES")).num_rows
        return f"{rows} databases visible"
    count = await _one(
        session,
        f"SELECT COUNT(*) FROM {quoted(database)}.INFORMATION_SCHEMA.TABLES "  # noqa: S608
        "WHERE TABLE_SCHEMA <> 'INFORMATION_SCHEMA'",
    )
    if not count:
        raise _Failed(
            f"No table of {database} is visible",
            f"Grant USAGE on database {database} and its schemas, and SELECT on the tables, to "
            f"role {session.target.role or 'of the user'}.",
        )
    return f"{count} tables and views visible in {database}"


_BEFORE = {"DNS": _address, "TLS": _connection}
_AFTER = {"Role": _role, "Warehouse": _warehouse, "Metadata": _metadata}
_CURES = {
    "Login": "Snowflake could not be reached for the login; try again, then check the proxy.",
    "Role": "The session could not be asked; try again.",
    "Warehouse": "The session could not be asked; try again.",
    "Metadata": "Check that the database's name is spelled as stored and that the role has USAGE "
    "on it.",
}
