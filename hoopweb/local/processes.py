"""Child processes that end with whoever started them, whichever way that one ends."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hoopweb.local.errors import LocalServerError

_PR_SET_PDEATHSIG = 1
_LOG_TAIL = 2000

# Looked up once here: between fork and exec a child must not import or take locks.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _leash(death_signal: signal.Signals, parent: int) -> Callable[[], None] | None:
    """Ask the kernel to signal the child when the thread that forks it ends."""
    libc = _libc
    if libc is None:
        return None

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(death_signal))
        # The parent may have ended before the leash was on.
        if os.getppid() != parent:
            os._exit(1)

    return tie


def spawn(
    command: Sequence[str | os.PathLike[str]],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    uid: int | None = None,
    gid: int | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in a session of its own, writing to ``log``.

    The session keeps a Ctrl-C for the owner, which then stops its children in order; the leash
    covers an owner that is killed. Call from a thread that lives as long as the child should.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    identity: dict[str, Any] = {}
    if uid is not None:
        identity = {"user": uid, "group": gid if gid is not None else uid, "extra_groups": []}
    with log.open("ab") as sink:
        return subprocess.Popen(  # noqa: S603 - commands come from this package's callers
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            start_new_session=True,
            # Dropping the uid would clear the leash; Popen runs this hook after the drop.
            preexec_fn=_leash(death_signal, os.getpid()),  # noqa: PLW1509
            **identity,
        )


def stop(
    process: subprocess.Popen[bytes],
    *,
    polite: signal.Signals = signal.SIGTERM,
    patience: float = 10.0,
) -> None:
    """End ``process`` politely, then its whole group by force."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(polite)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    # The child led its own session, so its group is its pid and holds its descendants only.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def is_alive(pid: int) -> bool:
    """Whether ``pid`` runs; a zombie does not."""
    if pid <= 0:  # to the kernel such a number means a group, or everybody
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def command_of(pid: int) -> str:
    """The command line of ``pid``, or nothing when it has gone or cannot be read."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        pass
    with contextlib.suppress(OSError):
        return subprocess.run(  # noqa: S603
            ["ps", "-o", "command=", "-p", str(pid)],  # noqa: S607 - where the system keeps it
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
    return ""


def end_stranger(
    pid: int, *, polite: signal.Signals = signal.SIGTERM, patience: float = 10.0
) -> None:
    """End a process that is not our child: one left behind by a killed owner."""
    if pid <= 1:
        raise ValueError(f"{pid} names no single process that could be ended")
    for sign, wait in ((polite, patience), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            if not is_alive(pid):
                return
            time.sleep(0.02)
    raise LocalServerError(f"Process {pid} does not end; stop it by hand and start again.")


def tail(log: Path) -> str:
    """The end of a log, for an error message."""
    try:
        return log.read_text(errors="replace")[-_LOG_TAIL:].strip()
    except OSError:
        return ""


def wait_until(
    ready: Callable[[], bool],
    *,
    name: str,
    process: subprocess.Popen[bytes] | None = None,
    log: Path | None = None,
    seconds: float = 30.0,
) -> None:
    """Return when ``ready`` says so; raise when the process ends or time runs out."""
    deadline = time.monotonic() + seconds
    pause = 0.01
    while True:
        if ready():
            return
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() > deadline:
            what = "ended while starting" if ended else f"was not ready after {seconds:g} s"
            said = f" Its log {log} ends:\n{tail(log)}" if log else ""
            raise LocalServerError(f"{name} {what}.{said}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


@dataclass(frozen=True, slots=True)
class Program:
    """A process to supervise: how it starts, how to tell that it is ready."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    ready: Callable[[], bool] | None = None
    seconds: float = 60.0
    polite: signal.Signals = signal.SIGTERM
    patience: float = 10.0


@dataclass(slots=True)
class Supervisor:
    """Starts programs in order, keeps ``log/<name>.log`` and ``run/<name>.pid``, and stops them
    in reverse order.
    """

    state: Path
    programs: dict[str, tuple[Program, subprocess.Popen[bytes]]] = field(default_factory=dict)

    def log_of(self, name: str) -> Path:
        return self.state / "log" / f"{name}.log"

    def _pid_file(self, name: str) -> Path:
        return self.state / "run" / f"{name}.pid"

    def start(self, program: Program) -> subprocess.Popen[bytes]:
        """Start ``program`` and wait until it is ready; end what an earlier run left behind."""
        self._end_leftover(program)
        log = self.log_of(program.name)
        process = spawn(program.command, log=log, env=program.env, cwd=program.cwd)
        self.programs[program.name] = (program, process)
        pid_file = self._pid_file(program.name)
        pid_file.parent.mkdir(parents=True, exist_ok=True)
        pid_file.write_text(f"{process.pid}\n{' '.join(program.command)}\n")
        if program.ready is not None:
            try:
                wait_until(
                    program.ready,
                    name=program.name,
                    process=process,
                    log=log,
                    seconds=program.seconds,
                )
            except BaseException:
                self.stop(program.name)
                raise
        return process

    def _end_leftover(self, program: Program) -> None:
        try:
            pid, _, command = self._pid_file(program.name).read_text().partition("\n")
            leftover = int(pid)
        except (OSError, ValueError):
            return
        # A pid alone proves nothing: it may have been given to someone else since.
        if is_alive(leftover) and command.strip() and command_of(leftover) == command.strip():
            end_stranger(leftover, polite=program.polite, patience=program.patience)

    def ended(self) -> list[str]:
        """Names of programs that ended although nobody stopped them."""
        return [name for name, (_, process) in self.programs.items() if process.poll() is not None]

    def stop(self, name: str) -> None:
        program, process = self.programs.pop(name)
        stop(process, polite=program.polite, patience=program.patience)
        self._pid_file(name).unlink(missing_ok=True)

    def stop_all(self) -> None:
        for name in reversed(list(self.programs)):
            self.stop(name)
