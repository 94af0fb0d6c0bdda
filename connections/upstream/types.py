"""Values and the one interface between us and Snowflake."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import pyarrow as pa

Bindings = Mapping[str, Mapping[str, Any]]


class Method(StrEnum):
    """How a connection proves who it is."""

    PASSWORD = "password"  # noqa: S105 - a kind, not a secret
    KEY_PAIR = "key_pair"
    ACCESS_TOKEN = "programmatic_access_token"  # noqa: S105 - a kind, not a secret
    OAUTH_CLIENT = "oauth_client_credentials"
    WORKLOAD = "workload_identity"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to log in, as whom. ``secret`` is what ``method`` needs: the password, the private
    key in PEM, the access token, the client's secret, or the token of an OIDC workload; no repr
    ever shows it. ``renewed`` reads the credential anew after a refused login, for it may have been
    rotated since: a target with another secret, or None.
    """

    account: str
    login_name: str = ""
    secret: str = field(default="", repr=False)
    method: Method = Method.PASSWORD
    host: str = ""
    port: int = 443
    protocol: str = "https"
    warehouse: str = ""
    database: str = ""
    schema: str = ""
    role: str = ""
    key_passphrase: str = field(default="", repr=False)
    oauth_client_id: str = ""
    oauth_token_url: str = ""
    oauth_scope: str = ""
    # AWS, AZURE, GCP or OIDC.
    workload_provider: str = ""
    renewed: "Callable[[], Target | None] | None" = field(default=None, repr=False, compare=False)
    session_parameters: Mapping[str, Any] = field(default_factory=dict)
    login_seconds: int = 30

    @property
    def address(self) -> str:
        """The host to speak to."""
        # Certificates know no underscore, so Snowflake's host names have none.
        return self.host or f"{self.account.replace('_', '-').lower()}.snowflakecomputing.com"

    @property
    def base_url(self) -> str:
        return f"{self.protocol}://{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class UpstreamSession:
    """A session's tokens: enough for another process to go on with it. Keep it encrypted."""

    token: str = field(repr=False)
    master_token: str = field(repr=False)
    session_id: int | None = None
    token_expires: datetime | None = None
    master_expires: datetime | None = None
    role: str | None = None
    warehouse: str | None = None
    database: str | None = None
    schema: str | None = None
    # What the login said of time zone, formats and the like.
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Everything, secrets included."""
        return {
            "token": self.token,
            "master_token": self.master_token,
            "session_id": self.session_id,
            "token_expires": self.token_expires.isoformat() if self.token_expires else None,
            "master_expires": self.master_expires.isoformat() if self.master_expires else None,
            "role": self.role,
            "warehouse": self.warehouse,
            "database": self.database,
            "schema": self.schema,
            "parameters": dict(self.parameters),
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "UpstreamSession":
        values = dict(given)
        for name in ("token_expires", "master_expires"):
            if values.get(name):
                values[name] = datetime.fromisoformat(values[name])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class QueryHandle:
    """A statement that Snowflake has taken. ``deadline`` is on the event loop's clock."""

    query_id: str
    request_id: str = ""
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A result column as Snowflake describes it."""

    name: str
    type: str
    nullable: bool = True
    precision: int | None = None
    scale: int | None = None
    length: int | None = None
    database: str = ""
    schema: str = ""
    table: str = ""

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> "ResultColumn":
        return cls(
            name=str(given.get("name") or ""),
            type=str(given.get("type") or "text").upper(),
            nullable=bool(given.get("nullable", True)),
            precision=given.get("precision"),
            scale=given.get("scale"),
            length=given.get("length"),
            database=str(given.get("database") or ""),
            schema=str(given.get("schema") or ""),
            table=str(given.get("table") or ""),
        )


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What came back. ``total`` counts all rows; ``truncated`` says that ``table`` has fewer.

    For DML ``counts`` holds what Snowflake reports, by its column names, and ``affected`` the
    rows among them; ``table`` then is that one row.
    """

    table: pa.Table
    query_id: str
    rowtype: tuple[ResultColumn, ...] = ()
    total: int = 0
    truncated: bool = False
    counts: Mapping[str, int] | None = None
    stats: Mapping[str, Any] = field(default_factory=dict)
    statement_type_id: int = 0
    database: str | None = None
    schema: str | None = None
    role: str | None = None
    warehouse: str | None = None

    @property
    def affected(self) -> int | None:
        if self.counts is None:
            return None
        # Beside rows, an UPDATE reports how many of them met several joined rows.
        return sum(n for name, n in self.counts.items() if name.startswith("number of rows"))


class FoundState(StrEnum):
    """What Snowflake says became of a statement."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RUNNING = "running"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of ``find``; ``matches`` above one would mean that something ran twice."""

    state: FoundState
    query_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    rows: int | None = None
    matches: int = 0


class Upstream(Protocol):
    """A session with Snowflake, or with whatever stands for it in a test."""

    tokens: UpstreamSession

    async def submit(
        self,
        sql: str,
        *,
        binds: Bindings | Sequence[Any] | None = None,
        request_id: str | None = None,
        tag: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the statement's limit, not the call's
        repeatable: bool = False,
        asynchronous: bool = True,
    ) -> QueryHandle: ...

    async def result(
        self, handle: QueryHandle, *, max_rows: int | None = None, max_bytes: int | None = None
    ) -> QueryResult: ...

    async def abort(self, handle: QueryHandle) -> bool: ...

    async def find(
        self,
        *,
        tag: str | None = None,
        request_id: str | None = None,
        since: datetime | None = None,
    ) -> Found: ...


class Keeper(Protocol):
    """Where the tokens of a session lie that several processes go on with."""

    async def claim(self, used: UpstreamSession) -> UpstreamSession | None:
        """Tokens newer than ``used`` when someone renewed them; None gives the right to renew."""

    async def keep(self, tokens: UpstreamSession) -> None:
        """Keep what a renewal gave, and give the right to renew back."""


class Connect(Protocol):
    """How a session is opened."""

    def __call__(self, target: Target) -> AbstractAsyncContextManager[Upstream]: ...
