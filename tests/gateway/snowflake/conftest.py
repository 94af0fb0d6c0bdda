"""Snowflake's own connector against the whole product, in front of the emulator."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import snowflake.connector

from tests.stack import Stack


class Wire(Stack):
    """A stack as drivers and reviewers meet it."""

    def connect(self, account: str = "shop", **options: Any) -> Any:
        given = {
            "account": account,
            "user": "cleaner",
            "host": "127.0.0.1",
            "port": self.port,
            "protocol": "http",
            "authenticator": "programmatic_access_token",
            "token": self.seeded["token"],
            "login_timeout": 20,
            **options,
        }
        return snowflake.connector.connect(**given)

    def pending(self, mark: str, patience: float = 30) -> tuple[str, str]:
        """Id and digest of the request whose statement holds ``mark``."""
        until = time.monotonic() + patience
        while True:
            found = self.rows(
                "SELECT id, digest FROM approvals_approvalrequest "
                "WHERE state = 'pending' AND (sql_given LIKE %s OR prompt LIKE %s)",
                f"%{mark}%",
                f"%{mark}%",
            )
            if found:
                return str(found[0][0]), found[0][1]
            assert time.monotonic() < until, f"nothing waits with {mark}"
            time.sleep(0.05)

    def vote(self, mark: str, choice: str = "approve", reason: str = "") -> None:
        """What a reviewer answers once a statement with ``mark`` waits."""
        if not hasattr(self, "_rita"):
            self._rita = self.sign_in("rita")
        session = self._rita
        request_id, digest = self.pending(mark)
        answer = session.post(
            f"{self.url}/approvals/{request_id}/vote/",
            data={
                "choice": choice,
                "digest": digest,
                "reason": reason,
                "csrfmiddlewaretoken": session.cookies["csrftoken"],
            },
            allow_redirects=False,
            timeout=20,
        )
        assert answer.status_code == 302, answer.text[:2000]

    def during(self, work: Callable[..., Any], *given: Any, **named: Any) -> "Beside":
        return Beside(work, *given, **named)


class Beside:
    """Something done in another thread for the length of the block; its failure is the block's."""

    def __init__(self, work: Callable[..., Any], *given: Any, **named: Any) -> None:
        self._failure: BaseException | None = None

        def run() -> None:
            try:
                work(*given, **named)
            except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
                self._failure = error

        self._thread = threading.Thread(target=run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: object, *_: object) -> None:
        self._thread.join(60)
        if self._failure is not None and kind is None:
            raise self._failure


@pytest.fixture(scope="session")
def wire(tmp_path_factory) -> Iterator[Wire]:
    with Wire(
        tmp_path_factory.mktemp("wire"),
        warehouse_options=("--chunk-rows", "100"),
        RESULT_MAX_ROWS="1000",
    ) as running:
        yield running


@pytest.fixture(scope="session")
def _connection(wire) -> Iterator[Any]:
    with wire.connect() as connection:
        yield connection


@pytest.fixture
def cursor(_connection) -> Iterator[Any]:
    """A cursor of one long session."""
    with _connection.cursor() as found:
        yield found
