"""The whole product as real processes: what a browser and a killer need."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import psycopg
import requests

from hoopweb.local.ports import free_port
from hoopweb.local.postgres import EmbeddedPostgres
from hoopweb.local.processes import Program, Supervisor
from hoopweb.local.valkey import EmbeddedValkey
from tests import factories, warehouse

PYTHON = sys.executable


def _key(name: str) -> str:
    return f"{name}:{base64.urlsafe_b64encode(os.urandom(32)).decode()}"


class Stack:
    """Postgres, Valkey, warehouse, web server, worker and beat, each of which may be killed."""

    def __init__(
        self,
        directory: Path,
        *,
        seed: str = "tests.seed",
        setup: Sequence[str] = warehouse.SETUP,
        warehouse_options: Sequence[str] = (),
        **env: str,
    ) -> None:
        self.directory = directory
        self._seed, self._setup, self._warehouse_options = seed, setup, warehouse_options
        self._stack = ExitStack()
        self.supervisor = Supervisor(directory)
        self.postgres = EmbeddedPostgres(directory / "postgres", durable=True)
        self.valkey = EmbeddedValkey(directory / "valkey")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._extra = env

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.supervisor.stop_all()
        self.valkey.stop()
        self._stack.close()
        self.postgres.remove()

    def _start(self) -> None:
        self.warehouse_port = self._start_warehouse()
        self.database = self.postgres.start()
        self.env = {
            **{k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"},
            "DJANGO_SETTINGS_MODULE": "hoopweb.settings",
            "HOOPWEB_LOCAL": "1",
            "HOOPWEB_VAR": str(self.directory),
            "DATABASE_URL": self.database,
            "REDIS_URL": self.valkey.start(),
            "SITE_URL": self.url,
            "DEBUG": "1",
            "WORKER_SILENCE_SECONDS": "8",
            "RECONCILE_GRACE_SECONDS": "3",
            "LOG_LEVEL": "INFO",
            "SECRET_KEY": base64.b64encode(os.urandom(48)).decode(),
            "HOOPWEB_KEYS": _key("k1"),
            "HOOPWEB_TOKEN_PEPPERS": _key("1"),
            "HOOPWEB_CHECKPOINT_KEY": base64.b64encode(os.urandom(32)).decode(),
            **self._extra,
        }
        self._run("manage.py", "migrate", "-v", "0")
        self.seeded = json.loads(self._run("-m", self._seed, str(self.warehouse_port)))
        self.start_web()
        self.start_worker()
        self.start_beat()

    def _start_warehouse(self) -> int:
        """What stands for Snowflake; the port that it listens on."""
        self.warehouse = self._stack.enter_context(warehouse.running(*self._warehouse_options))
        self.warehouse.run(*self._setup)
        return self.warehouse.port

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [PYTHON, *arguments],
            env=self.env,
            cwd=warehouse.ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def _launch(self, name: str, *command: str, ready: Any = None) -> None:
        self.supervisor.start(
            Program(
                name, (PYTHON, *command), env=self.env, cwd=warehouse.ROOT, ready=ready, patience=60
            )
        )

    def start_web(self) -> None:
        self._launch(
            "web",
            *("-m", "uvicorn", "hoopweb.asgi:application", "--port", str(self.port)),
            *("--log-level", "warning"),
            ready=lambda: self._status("/readyz") == 200,
        )

    def start_worker(self) -> None:
        worker = ("-m", "celery", "-A", "hoopweb", "worker", "--pool=threads", "--concurrency=4")
        self._launch("worker", *worker, "-Q", "hoopweb", "--without-mingle", "--without-gossip")

    def start_beat(self) -> None:
        self._launch("beat", "-m", "celery", "-A", "hoopweb", "beat", "--pidfile=")

    def kill(self, name: str) -> None:
        """``kill -9`` and reap."""
        _, process = self.supervisor.programs[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
        self.supervisor.programs.pop(name)

    def kill_valkey(self) -> None:
        pid = self.valkey.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.valkey.stop()

    def restart_postgres(self, *, pause: float = 0) -> None:
        self.postgres.stop()
        time.sleep(pause)
        assert self.postgres.start() == self.database

    def _status(self, path: str) -> int:
        try:
            return requests.get(self.url + path, timeout=5).status_code
        except requests.RequestException:
            return 0

    # The agent

    def submit(
        self,
        sql: str,
        *,
        key: str | None = None,
        wait: float = 0,
        patience: float = 60,
        **body: Any,
    ) -> dict[str, Any]:
        """Send a statement as an agent does: the same key until an answer comes."""
        key = key or str(uuid.uuid4())
        until = time.monotonic() + patience
        while True:
            try:
                answer = requests.post(
                    f"{self.url}/api/v1/statements",
                    json={"sql": sql, "wait": wait, "connection": "shop", **body},
                    headers={**self.bearer, "Idempotency-Key": key},
                    timeout=wait + 20,
                )
                if answer.status_code < 500:
                    assert answer.status_code in (201, 202), answer.text
                    return answer.json()
            except requests.RequestException:
                pass
            assert time.monotonic() < until, "no answer in time"
            time.sleep(0.3)

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.seeded['token']}"}

    def get(self, path: str) -> Any:
        answer = requests.get(self.url + path, headers=self.bearer, timeout=20)
        answer.raise_for_status()
        return answer.json()

    # The reviewer

    def sign_in(self, name: str) -> requests.Session:
        session = requests.Session()
        session.get(f"{self.url}/sign-in/", timeout=20)
        answer = session.post(
            f"{self.url}/sign-in/",
            data={
                "name": name,
                "password": factories.PASSWORD,
                "csrfmiddlewaretoken": session.cookies["csrftoken"],
            },
            allow_redirects=False,
            timeout=20,
        )
        assert answer.status_code == 303, answer.text[:2000]
        return session

    def approve(self, session: requests.Session, request_id: str, digest: str) -> None:
        self._vote(session, request_id, choice="approve", digest=digest)

    def reject(self, session: requests.Session, request_id: str, digest: str, reason: str) -> None:
        self._vote(session, request_id, choice="reject", digest=digest, reason=reason)

    def _vote(self, session: requests.Session, request_id: str, **vote: str) -> None:
        answer = session.post(
            f"{self.url}/approvals/{request_id}/vote/",
            data={
                **vote,
                "csrfmiddlewaretoken": session.cookies["csrftoken"],
            },
            allow_redirects=False,
            timeout=20,
        )
        assert answer.status_code == 302, answer.text[:2000]

    # The truth

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(query, values).fetchall()

    def write(self, statement: str, *values: Any) -> None:
        """Change the database behind the product's back."""
        with psycopg.connect(self.database) as connection:
            connection.execute(statement, values)

    def verify(self) -> str:
        """What the verification command prints; fails when it finds anything."""
        return self._run("manage.py", "verify")
