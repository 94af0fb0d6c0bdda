"""Where a demo keeps its state, held by one at a time, and how all of it is forgotten."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from hoopweb.local.errors import LocalServerError
from hoopweb.local.postgres import EmbeddedPostgres
from hoopweb.local.programs import ROOT
from hoopweb.local.steps import Steps


def state_dir() -> Path:
    return Path(os.environ.get("HOOPWEB_VAR") or ROOT / "var").absolute()


@contextlib.contextmanager
def only_one(state: Path) -> Iterator[IO[str]]:
    """Hold the directory; raises LocalServerError that says where the other demo is."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "demo.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid, _, url = lock.read().strip().partition("\n")
            where = f" at {url}" if url else ""
            raise LocalServerError(
                f"A demo is running already{where} (process {pid or 'unknown'}). Use that one, or "
                "stop it with Ctrl-C in its terminal."
            ) from None
        yield lock


def note(lock: IO[str], text: str) -> None:
    lock.truncate(0)
    lock.write(text)
    lock.flush()


def is_writable(home: str) -> bool:
    try:
        with tempfile.TemporaryFile(dir=home or "/nonexistent"):
            return True
    except OSError:
        return False


def reset() -> int:
    """Forget data, keys and passwords of this machine's demo. Returns the exit status."""
    state = state_dir()
    steps = Steps()
    try:
        with only_one(state), steps.step("reset", str(state)):
            if (state / "postgres").exists():
                EmbeddedPostgres(state / "postgres").remove()
            for path in state.iterdir():
                # The installer's stamp and lock are not the demo's.
                if path.name in {"demo.lock", "install.lock"}:
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
    except LocalServerError as error:
        steps.say(f"\n{error}")
        return 1
    if os.environ.get("DATABASE_URL"):
        steps.say("DATABASE_URL is set: that database was left as it is.")
    return 0
