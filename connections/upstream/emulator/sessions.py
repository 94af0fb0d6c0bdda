"""Logged-in sessions and their tokens."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from connections.upstream.emulator.engine import EngineSession
from connections.upstream.emulator.values import SqlError


@dataclass(slots=True)
class Lifetimes:
    """How long tokens live, in seconds; Snowflake's own are an hour and four."""

    session: float = 3600.0
    master: float = 14400.0


@dataclass(slots=True)
class Session:
    """One login: its tokens, when they end, and the engine's side of it."""

    id: int
    user: str
    engine: EngineSession
    client: str
    token: str = field(repr=False)
    master: str = field(repr=False)
    token_until: float
    master_until: float

    @property
    def wants_json(self) -> bool:
        """Clients that cannot read Arrow, and sessions that asked for JSON."""
        if self.client == "JavaScript":
            return True
        parameters = self.engine.context.parameters
        return any(
            name.endswith("QUERY_RESULT_FORMAT") and value.upper() == "JSON"
            for name, value in parameters.items()
        )


class Sessions:
    """All sessions, found by either token."""

    def __init__(self, lifetimes: Lifetimes, clock: Callable[[], float] = time.monotonic) -> None:
        self.lifetimes = lifetimes
        self._clock = clock
        self._ids = count(int(time.time()) * 1000)
        self._by_token: dict[str, Session] = {}
        self._by_master: dict[str, Session] = {}

    def next_id(self) -> int:
        return next(self._ids)

    def open(self, session_id: int, user: str, client: str, engine: EngineSession) -> Session:
        now = self._clock()
        session = Session(
            id=session_id,
            user=user,
            engine=engine,
            client=client,
            token=_token(),
            master=_token(),
            token_until=now + self.lifetimes.session,
            master_until=now + self.lifetimes.master,
        )
        self._by_token[session.token] = session
        self._by_master[session.master] = session
        return session

    def take_over(self) -> list[Session]:
        """Sessions that nobody can renew any more, forgotten here and still to be closed."""
        now = self._clock()
        over = [session for session in self._by_token.values() if session.master_until <= now]
        for session in over:
            self.forget(session)
        return over

    def find(self, token: str) -> Session:
        session = self._by_token.get(token)
        if session is None:
            raise SqlError("390104", "User must login again to access the service.", "08001")
        if session.token_until <= self._clock():
            raise SqlError("390112", "Your session has expired. Please login again.", "08001")
        return session

    def renew(self, master: str, old_token: str) -> Session:
        session = self._by_master.get(master)
        if session is None:
            raise SqlError("390113", "Master token is not found. Please login again.", "08001")
        if session.master_until <= self._clock():
            raise SqlError("390114", "Master token has expired. Please login again.", "08001")
        if old_token != session.token:
            raise SqlError("390104", "User must login again to access the service.", "08001")
        now = self._clock()
        # The old token stays known, so that its late use is told apart from a stranger's.
        session.token = _token()
        session.master = _token()
        session.token_until = now + self.lifetimes.session
        session.master_until = now + self.lifetimes.master
        self._by_token[session.token] = session
        self._by_master[session.master] = session
        self._by_token.pop(old_token, None)
        self._by_master.pop(master, None)
        return session

    def forget(self, session: Session) -> None:
        """From now on its tokens are strangers'."""
        self._by_token.pop(session.token, None)
        self._by_master.pop(session.master, None)

    def expire_tokens(self) -> int:
        """End every session token now; master tokens stay good."""
        for session in self._by_token.values():
            session.token_until = 0.0
        return len(self._by_token)

    def __len__(self) -> int:
        return len(self._by_token)


def _token() -> str:
    return secrets.token_urlsafe(32)
