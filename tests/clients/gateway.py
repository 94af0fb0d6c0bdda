"""The whole product in front of an emulator, with a reviewer who goes by the statement's words."""

import json
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.clients import lab
from tests.stack import Stack

ISSUER = "https://provider.clients.example"
AUDIENCE = "hoopweb"


class Gateway(Stack):
    """A stack whose database holds the laboratory, and Rita, who looks every half second."""

    def __init__(self, directory: Path, *, rows: int, late: float, **env: str) -> None:
        # The session at Snowflake ends while a statement is held, and has to be renewed.
        super().__init__(
            directory,
            seed="tests.clients.lab",
            setup=[text.replace("{rows}", str(rows)) for text in lab.SETUP],
            warehouse_options=("--session-seconds", "100"),
            **{"RESULT_MAX_ROWS": "5000000", **env},
        )
        self._late = late
        self._stop = threading.Event()
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

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

    def answer(self, what: str, client: str) -> None:
        """What a client's program asks for."""
        if what == "restart":
            self.kill("web")
            self.start_web()
        elif what == "withdrawn":
            self._until_withdrawn(client)

    def _until_withdrawn(self, client: str) -> None:
        until = time.monotonic() + 30
        asked = """SELECT state FROM gateway_statement WHERE sql_given LIKE %s
                   ORDER BY received_at DESC LIMIT 1"""
        while self.rows(asked, f"%'never {client}'%") != [("withdrawn",)]:
            assert time.monotonic() < until, "the cancelled statement was not withdrawn"
            time.sleep(0.2)

    def _review(self) -> None:
        session: Any = None
        asked = """SELECT id, digest, sql_given, extract(epoch FROM now() - created_at)
                   FROM approvals_approvalrequest WHERE state = 'pending'"""
        while not self._stop.wait(0.5):
            try:
                session = session or self.sign_in("rita")
                for request_id, digest, sql, age in self.rows(asked):
                    if "'approve " in sql or ("'late " in sql and age > self._late):
                        self.approve(session, str(request_id), digest)
                    elif "'reject " in sql:
                        self.reject(session, str(request_id), digest, "not today")
            except Exception as error:  # noqa: BLE001 - the gateway may be on its way up again
                session = None
                print(f"rita: {type(error).__name__}: {error}"[:300])
