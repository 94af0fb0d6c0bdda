"""Processes that judge what could be too much for this one, and that can be ended.

A parse in C cannot be interrupted; a process can. Each worker holds one request at a time; when
it does not answer in time, or dies, it is replaced and the statement is denied.
"""

import contextlib
import os
import pickle
import select
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from connections.masking.verdict import Request, Verdict
from connections.policy.types import Decision, Effect, Reason
from connections.sql.catalogue import Catalogue
from connections.sql.facts import Facts, Problem

LIMIT_SECONDS = 4.0
START_SECONDS = 20.0
WORKERS = 2
_ROOT = str(Path(__file__).parents[2])
_LENGTH = struct.Struct(">Q")


class WorkerLostError(Exception):
    """The worker died or ran out of time; what it was doing is not known."""


class Worker:
    """One process and the two pipes to it."""

    def __init__(self) -> None:
        environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": _ROOT}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "connections.masking.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=_ROOT,
            start_new_session=True,
        )
        self.ready = False
        self.catalogue: Catalogue | None = None

    def ask(self, request: object, seconds: float) -> Any:
        """Send a request and wait for its answer, or raise WorkerLostError."""
        deadline = time.monotonic() + seconds
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            data = pickle.dumps(request, protocol=pickle.HIGHEST_PROTOCOL)
            self._process.stdin.write(_LENGTH.pack(len(data)) + data)
            self._process.stdin.flush()
            output = self._process.stdout.fileno()
            size = _LENGTH.unpack(self._read(output, _LENGTH.size, deadline))[0]
            return pickle.loads(self._read(output, size, deadline))  # noqa: S301 - our own child
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise WorkerLostError from error

    @staticmethod
    def _read(output: int, size: int, deadline: float) -> bytes:
        parts, missing = [], size
        while missing:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([output], [], [], left)[0]:
                raise WorkerLostError
            part = os.read(output, min(missing, 1 << 20))
            if not part:
                raise WorkerLostError
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def end(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()


class WorkerPool:
    """A few workers, started when first needed."""

    def __init__(self, workers: int = WORKERS, seconds: float = LIMIT_SECONDS) -> None:
        self._slots = threading.Semaphore(workers)
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._seconds = seconds
        self._owner = os.getpid()

    def judge(self, request: Request) -> Verdict:
        """The verdict of a worker, or a denial where none comes in time."""
        sql = request.sql
        if not self._slots.acquire(timeout=self._seconds):
            return refusal(sql, "Other large statements are being judged; this one had to wait.")
        try:
            worker = self._take()
            try:
                verdict = self._ask(worker, request)
            except WorkerLostError:
                worker.end()
                return refusal(sql, f"Judging it took more than {self._seconds:g} seconds.")
            except BaseException:
                worker.end()
                raise
            with self._lock:
                self._idle.append(worker)
            return verdict
        finally:
            self._slots.release()

    def _ask(self, worker: Worker, request: Request) -> Verdict:
        if not worker.ready:
            worker.ask(None, START_SECONDS)
            worker.ready = True
        catalogue, ruleset = request.catalogue, request.ruleset
        fresh = None
        if worker.catalogue is not catalogue:
            fresh = Catalogue(catalogue.tables, catalogue.version)
            worker.catalogue = catalogue
        question = (
            request.sql,
            request.context,
            fresh,
            (ruleset.rules, ruleset.protections, ruleset.revision, ruleset.salt),
            request.subject,
            dict(request.estimate) if request.estimate else None,
        )
        verdict: Verdict = worker.ask(question, self._seconds)
        return verdict

    def _take(self) -> Worker:
        with self._lock:
            if self._owner != os.getpid():  # after a fork the pipes belong to the parent
                self._idle = []
                self._owner = os.getpid()
            if self._idle:
                return self._idle.pop()
        return Worker()

    def close(self) -> None:
        with self._lock:
            for worker in self._idle:
                worker.end()
            self._idle.clear()


def refusal(sql: str, text: str) -> Verdict:
    """The verdict on what could not be judged within its limits."""
    way_out = "Split it into simpler statements, or use common table expressions."
    problem = Problem("too-complex", text, way_out)
    reason = Reason(problem.code, text, way_out=way_out)
    return Verdict(Facts("unknown", problems=(problem,)), Decision(Effect.DENY, (reason,)), sql)
