"""The processes of a running Hoopweb on one machine: how each starts, how to tell it is ready."""

import contextlib
import http.client
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from hoopweb.local import ports
from hoopweb.local.processes import Program

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
# Long enough for a waiting request to be answered, short enough for whoever pressed Ctrl-C.
_GRACE = 8
WATCHED = ("hoopweb", "gateway", "approvals", "connections", "accounts", "recordings")


def answers_ok(port: int, path: str) -> bool:
    """Whether a GET there answers 200; goes past any proxy that the environment names."""
    asked = http.client.HTTPConnection(HOST, port, timeout=2)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(asked):
        asked.request("GET", path)
        return asked.getresponse().status == http.HTTPStatus.OK
    return False


def said_since_now(log: Path, text: str) -> Callable[[], bool]:
    """Whether ``text`` has been written to ``log`` after this call."""
    start = log.stat().st_size if log.exists() else 0

    def found() -> bool:
        try:
            with log.open("rb") as file:
                file.seek(start)
                return text.encode() in file.read()
        except OSError:
            return False

    return found


class Follower:
    """Reads what is added to a log, line by line, from now on."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._place = log.stat().st_size if log.exists() else 0
        self._rest = b""

    def lines(self) -> list[str]:
        try:
            with self._log.open("rb") as file:
                file.seek(self._place)
                added = file.read()
        except OSError:
            return []
        self._place += len(added)
        *whole, self._rest = (self._rest + added).split(b"\n")
        return [line.decode(errors="replace").rstrip() for line in whole]


def emulator(env: Mapping[str, str], *, port: int, data: Path) -> Program:
    command = (
        *(sys.executable, "-m", "connections.upstream.emulator"),
        *("--host", HOST, "--port", str(port), "--data", str(data)),
    )
    return Program(
        "emulator",
        command,
        env=env,
        cwd=ROOT,
        ready=lambda: ports.answers(port),
        seconds=300,
        patience=15,
    )


def server(env: Mapping[str, str], *, port: int, reload: bool) -> Program:
    command: tuple[str, ...] = (
        *(sys.executable, "-m", "uvicorn", "hoopweb.asgi:application"),
        *("--host", HOST, "--port", str(port), "--no-server-header"),
        *("--timeout-graceful-shutdown", str(_GRACE), "--ws-max-size", "65536"),
    )
    if reload:
        command += ("--reload", *(part for name in WATCHED for part in ("--reload-dir", name)))
    return Program(
        "server",
        command,
        env=env,
        cwd=ROOT,
        ready=lambda: answers_ok(port, "/readyz"),
        patience=_GRACE + 4,
    )


def worker(env: Mapping[str, str], *, log: Path, reload: bool) -> Program:
    command: tuple[str, ...] = (
        *(sys.executable, "-m", "celery", "-A", "hoopweb", "worker"),
        *("--pool=threads", "--concurrency=8", "-Q", "hoopweb", "--loglevel=INFO"),
        # One worker has nobody to gossip with, and looking for others costs a second at start.
        *("--without-gossip", "--without-mingle"),
    )
    if reload:
        watched = (sys.executable, "-m", "watchfiles", "--filter", "python")
        command = (*watched, " ".join(command), *WATCHED)
    return Program(
        "worker", command, env=env, cwd=ROOT, ready=said_since_now(log, " ready."), patience=_GRACE
    )


def beat(env: Mapping[str, str]) -> Program:
    command = (
        *(sys.executable, "-m", "celery", "-A", "hoopweb", "beat"),
        *("--pidfile=", "--loglevel=INFO"),
    )
    return Program("beat", command, env=env, cwd=ROOT, patience=4)


def agent(env: Mapping[str, str], *, loop: bool) -> Program:
    command: tuple[str, ...] = (
        *(sys.executable, "-m", "hoopweb.local.sample_agent"),
        # The server itself, whatever address people use; the token comes by the environment.
        *("--url", env["HOOPWEB_URL"]),
    )
    if loop:
        command += ("--loop",)
    return Program("agent", command, env=env, cwd=ROOT, polite=signal.SIGINT, patience=3)
