"""HTTP to Snowflake: envelopes, token renewal, and what a broken connection means."""

import asyncio
import ipaddress
import json
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

import aiohttp
from isal import igzip

from connections.upstream.errors import SessionLost, UpstreamError, UpstreamFailure
from connections.upstream.errors import UpstreamUnreachable as Unreachable
from connections.upstream.types import Keeper, Target, UpstreamSession
from hoopweb.lib import outgoing

logger = logging.getLogger(__name__)

EXPIRED = "390112"
LOST = {"390104", "390111", "390113", "390114", "390115", "390103"}
# Larger bodies do not occur: inline rows are a few megabytes, chunks some tens.
_BODY_LIMIT = 256 * 1024 * 1024
# Where the files of these are is told in plain JSON only.
_CARRIES = ("PUT ", "GET ")
_PARSE_ASIDE = 1024 * 1024
_TOO_MANY = 429
_REQUEST_TIMEOUT = 408
_SERVER_FAULT = 500
_OK = 200


class AnswerLost(UpstreamFailure):
    """A request went out, or may have, and no answer can be trusted."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The envelope of every answer."""

    success: bool
    code: str
    message: str
    data: dict[str, Any]

    @property
    def in_progress(self) -> bool:
        return self.code in {"333333", "333334"} or (
            bool(self.data.get("getResultUrl"))
            and "rowset" not in self.data
            and "rowsetBase64" not in self.data
        )

    def error(self, query_id: str | None = None) -> UpstreamError:
        kind = SessionLost if self.code in LOST | {EXPIRED} else UpstreamError
        return kind(
            self.code,
            self.data.get("sqlState"),
            self.message or "Snowflake gave no reason.",
            self.data.get("queryId") or query_id,
        )


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    query: Mapping[str, str] | None
    body: Mapping[str, Any] | None
    seconds: float


class Wire:
    """One session's HTTP side. Tokens are renewed in here and nowhere else."""

    def __init__(
        self,
        target: Target,
        tokens: UpstreamSession,
        http: aiohttp.ClientSession,
        on_renew: Callable[[UpstreamSession], None] | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self.target = target
        self.tokens = tokens
        self._http = http
        self._on_renew = on_renew
        self._keeper = keeper
        self._renewing = asyncio.Lock()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        seconds: float = 90.0,
    ) -> Reply:
        """Ask and answer; an expired token is renewed and the same request is repeated.

        That repetition is safe for any statement: the refusal came before the statement was read.
        """
        request = _Request(method, path, query, body, seconds)
        for _ in range(2):
            token = self.tokens.token
            reply = await self._ask(request, token)
            if reply.success or not self._may_be_renewed(reply.code, token):
                return reply
            await self._renew(token)
        return await self._ask(request, self.tokens.token)

    def _may_be_renewed(self, code: str, used: str) -> bool:
        # A token that is no longer known may only be an old one: of a statement that was on its
        # way while another's renewal was answered, or where other processes renew too.
        old = self._keeper is not None or self.tokens.token != used
        return code == EXPIRED or (old and code in LOST)

    async def _renew(self, used: str) -> None:
        async with self._renewing:
            if self.tokens.token != used:
                return  # someone else did, while we waited for the lock
            if self._keeper is not None:
                newer = await self._keeper.claim(self.tokens)
                if newer is not None:
                    self.tokens = newer
                    return
            request = _Request(
                "POST",
                "/session/token-request",
                {"requestId": str(uuid.uuid4())},
                {"oldSessionToken": used, "requestType": "RENEW"},
                30.0,
            )
            try:
                reply = await self._ask(request, self.tokens.master_token)
            except (AnswerLost, Unreachable) as error:
                await self._give_back()
                # What waited for the new token has been refused, so it has not run.
                raise Unreachable(f"The session could not be renewed: {error}") from error
            if not reply.success:
                await self._give_back()
                raise SessionLost(
                    reply.code, "08001", f"The session could not be renewed: {reply.message}"
                )
            now = datetime.now(UTC)
            self.tokens = replace(
                self.tokens,
                token=str(reply.data["sessionToken"]),
                master_token=str(reply.data["masterToken"]),
                token_expires=_after(now, reply.data.get("validityInSecondsST")),
                master_expires=_after(now, reply.data.get("validityInSecondsMT")),
            )
            if self._keeper is not None:
                await self._keeper.keep(self.tokens)
            if self._on_renew is not None:
                self._on_renew(self.tokens)

    async def _give_back(self) -> None:
        if self._keeper is not None:
            await self._keeper.keep(self.tokens)

    async def _ask(self, request: "_Request", token: str) -> Reply:
        sql = str((request.body or {}).get("sqlText", ""))
        plain = request.path.startswith("/session") or sql.startswith(_CARRIES)
        kind = "json" if plain else "snowflake"
        headers = {
            "Authorization": f'Snowflake Token="{token}"',
            "Accept": f"application/{kind}",
        }
        raw = await self._exchange(request, headers)
        try:
            parsed = await _parse(raw)
            return Reply(
                success=parsed["success"] is True,
                code=str(parsed.get("code") or ""),
                message=str(parsed.get("message") or ""),
                data=parsed["data"] if isinstance(parsed.get("data"), dict) else {},
            )
        except (ValueError, KeyError, TypeError) as error:
            raise AnswerLost(f"The answer to {request.path} is not Snowflake's") from error

    async def _exchange(self, request: "_Request", headers: Mapping[str, str]) -> bytes:
        where = f"{self.target.address}:{self.target.port}"
        try:
            async with self._http.request(
                request.method,
                self.target.base_url + request.path,
                params=request.query,
                json=request.body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=request.seconds, sock_connect=10),
                allow_redirects=False,
            ) as response:
                _judge(response.status, where)
                raw = bytearray()
                async for piece in response.content.iter_any():
                    raw += piece
                    if len(raw) > _BODY_LIMIT:
                        raise AnswerLost(f"The answer of {where} exceeds {_BODY_LIMIT} bytes")
                return bytes(raw)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreachable(f"No connection to {where}: {error}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AnswerLost(
                f"The connection to {where} broke: {type(error).__name__} {error}"
            ) from error

    async def fetch_chunk(self, url: str, headers: Mapping[str, str]) -> bytes:
        """A remote part of a result of this session; see the function of this name."""
        return await fetch_chunk(self._http, url, headers)


async def fetch_chunk(
    http: aiohttp.ClientSession, url: str, headers: Mapping[str, str], tries: int = 4
) -> bytes:
    """A remote part of a result, from wherever Snowflake put it, as it lies there: mostly zipped
    (see ``unzipped``). No token of ours goes there. Raises AnswerLost.
    """
    failure = ""
    for attempt in range(tries):
        if attempt:
            await asyncio.sleep(0.2 * 2**attempt)
        try:
            async with http.get(
                url,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=300, sock_connect=10, sock_read=60),
                allow_redirects=False,
                auto_decompress=False,
            ) as response:
                raw = await response.read()
                if response.status == _OK:
                    return raw
                failure = f"HTTP {response.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = f"{type(error).__name__} {error}"
    raise AnswerLost(f"A part of the result cannot be fetched: {failure}")


def _judge(status: int, where: str) -> None:
    """An HTTP status other than 200 comes from something between; some come after the act."""
    if status >= _SERVER_FAULT or status == _REQUEST_TIMEOUT:
        raise AnswerLost(f"{where} answered HTTP {status}")
    if status == _TOO_MANY:
        raise Unreachable(f"{where} takes no more requests now (HTTP 429)")
    if status != _OK:
        raise UpstreamError(
            f"{status:06d}",
            "08001",
            f"{where} refused the request with HTTP {status}. Check the account name, the host "
            "and any proxy between.",
        )


def unzipped(raw: bytes) -> bytes:
    """A remote part in clear. Storage does not always say whether what it holds is zipped."""
    if not is_zipped(raw):
        return raw
    return bytes(igzip.decompress(raw))  # type: ignore[no-untyped-call]


def is_zipped(raw: bytes) -> bool:
    return raw[:2] == b"\x1f\x8b"


async def _parse(raw: bytes) -> Any:
    # Large bodies are parsed aside, so that other statements of this process go on.
    return await asyncio.to_thread(json.loads, raw) if len(raw) > _PARSE_ASIDE else json.loads(raw)


def _after(now: datetime, seconds: Any) -> datetime | None:
    return now + timedelta(seconds=float(seconds)) if seconds else None


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine, which no proxy of the environment could reach for us."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def open_http(target: Target) -> aiohttp.ClientSession:
    """A pool for one session. Idle connections go early: reusing a dying one loses an answer."""
    return aiohttp.ClientSession(
        # Each connection is judged by the address that it goes to, chunks' included.
        connector=aiohttp.TCPConnector(
            limit=16, keepalive_timeout=10, socket_factory=outgoing.socket_for
        ),
        headers={"User-Agent": f"PythonConnector/{version('snowflake-connector-python')} Hoopweb"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=not is_loopback(target.address),
    )
