"""The whole product in front of an emulator, with a reviewer who goes by the statement's words."""

import contextlib
import json
import random
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from hoopweb.local.errors import LocalServerError
from tests.clients import lab
from tests.clients.environments import Client
from tests.stack import Stack

ISSUER = "https://provider.clients.example"
AUDIENCE = "hoopweb"
# The session at Snowflake ends so soon that a late approval finds it over.
_UPSTREAM_SECONDS = 100
# Drivers ask for a held statement every 35 seconds.
_POLL_SECONDS = 35.0


class Gateway(Stack):
    """A stack whose database holds the laboratory, and Rita, who looks every half second."""

    # An approval that comes later than this finds drivers whose token was ended on the way, and
    # who have asked again since.
    RENEWED_FROM: ClassVar[float] = 2 * _POLL_SECONDS

    def __init__(self, directory: Path, *, rows: int, late: float, **env: str) -> None:
        super().__init__(
            directory,
            seed="tests.clients.lab",
            setup=lab.setup(rows),
            warehouse_options=(
                *("--session-seconds", str(_UPSTREAM_SECONDS)),
                *lab.options(rows),
            ),
            **{"RESULT_MAX_ROWS": "5000000", **env},
        )
        self._late = late
        self._stop = threading.Event()
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._ended: set[str] = set()
        # Who is to ask for the restart, who has asked, and that it is done.
        self._changed = threading.Condition()
        self._expected: set[str] = set()
        self._asked: set[str] = set()
        self._restarted = False

    def __enter__(self) -> Self:
        super().__enter__()
        self._trust()
        self._reviewer = threading.Thread(target=self._review, name="rita", daemon=True)
        self._reviewer.start()
        return self

    def close(self) -> None:
        self._stop.set()
        super().close()

    @property
    def token(self) -> str:
        return str(self.seeded["token"])

    def jwt(self) -> str:
        """A token of the organisation's provider, for the agent of the laboratory."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "drivers",
            "iat": now,
            "exp": now + 3600,
            "jti": str(uuid.uuid4()),
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": "lab"})

    def _trust(self) -> None:
        numbers = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        key = {**numbers, "kid": "lab", "alg": "RS256", "use": "sig"}
        self._run("-m", "tests.clients.trust", ISSUER, AUDIENCE, json.dumps(key))

    # What programs ask for

    def answer(self, what: str, client: Client) -> str:
        """Do it; what is wrong, or nothing."""
        if what == "restart":
            with self._changed:
                self._asked.add(client.name)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._restarted)
        elif what == "withdrawn" and not self._is_withdrawn(client.name):
            return "the statement that was cancelled was not withdrawn"
        return ""

    def expect(self, clients: Iterable[Client]) -> None:
        """These are going to ask for a restart, or to end before."""
        with self._changed:
            self._expected = {client.name for client in clients}
            self._asked, self._restarted = set(), False

    @contextlib.contextmanager
    def taking_part(self, client: Client, names: Sequence[str]) -> Iterator[None]:
        try:
            yield
        finally:
            if "restart" in names:
                with self._changed:
                    self._expected.discard(client.name)
                    self._changed.notify_all()

    def restart_when_asked(self) -> None:
        """One restart, when everyone who is left has a session and waits for it."""
        with self._changed:
            self._changed.wait_for(lambda: self._expected <= self._asked)
            asked = bool(self._asked)
        try:
            if asked:
                self.kill("web")
                self.start_web()
        except LocalServerError as error:
            # The drivers find out, and are counted as failed.
            print(f"no restart: {error}")
        finally:
            with self._changed:
                self._restarted = True
                self._changed.notify_all()

    def _is_withdrawn(self, client: str) -> bool:
        until = time.monotonic() + 30
        asked = """SELECT state FROM gateway_statement WHERE sql_given LIKE %s
                   ORDER BY received_at DESC LIMIT 1"""
        while time.monotonic() < until:
            if self.rows(asked, f"%'never {client}'%") == [("withdrawn",)]:
                return True
            time.sleep(0.2)
        return False

    # The reviewer

    def _review(self) -> None:
        session: Any = None
        asked = """SELECT id, digest, sql_given, extract(epoch FROM now() - created_at)
                   FROM approvals_approvalrequest WHERE state = 'pending'"""
        while not self._stop.wait(0.5):
            try:
                session = session or self.sign_in("rita")
                pending = self.rows(asked)
                random.shuffle(pending)
                for request_id, digest, sql, age in pending:
                    late = "'late " in sql
                    if "'approve " in sql or (late and age > self._late):
                        self.approve(session, str(request_id), digest)
                    elif "'reject " in sql:
                        self.reject(session, str(request_id), digest, "not today")
                    elif late and age > self._late / 4 and sql not in self._ended:
                        self._end_token(sql)
            except Exception as error:  # noqa: BLE001 - the gateway may be on its way up again
                session = None
                print(f"rita: {type(error).__name__}: {error}"[:300])

    def _end_token(self, sql: str) -> None:
        """The driver's own token is over, as after an hour."""
        self._ended.add(sql)
        self.write(
            """UPDATE gateway_wiresession SET token_until = now() WHERE id IN
               (SELECT wire_session_id FROM gateway_statement WHERE sql_given = %s)""",
            sql,
        )

    def disproved(self, client: str, *, renewed: bool) -> str:
        """What does not hold of a statement that was held for long; empty when all does."""
        word = f"'late {client}'"
        runs = [each["executions"] for each in self.warehouse.sent(word)]
        if runs != [1]:
            return f"executions at the warehouse: {runs}"
        asked = """SELECT count(*) FROM gateway_wiresession WHERE old_digest <> '' AND id IN
                   (SELECT wire_session_id FROM gateway_statement WHERE sql_given LIKE %s)"""
        if renewed and self.rows(asked, f"%{word}%") == [(0,)]:
            return "its token ended on the way, and was not renewed"
        return ""
