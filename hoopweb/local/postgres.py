"""An embedded Postgres on a Unix socket.

Postgres refuses to run as root, so under root it runs as an unprivileged account; where that
account cannot reach the directory or the binaries, both get a place that it can reach.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from hoopweb.local import processes
from hoopweb.local.errors import LocalServerError
from hoopweb.local.postgres_place import Account, Place, find_place
from hoopweb.local.sockets import socket_dir

_NAME = "hoopweb"
_SOCKET = ".s.PGSQL.5432"
_TEMPORARY = "hoopweb-test-"
_SWEEP_AFTER = 24 * 3600.0

_SETTINGS = {
    # Reached through its socket only: file permissions are the whole access control.
    "listen_addresses": "",
    "port": "5432",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """Postgres for one directory. ``durable=False`` trades safety at power loss for speed."""

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self.directory = directory.absolute()
        self.durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._place: Place | None = None

    @classmethod
    @contextlib.contextmanager
    def temporary(cls) -> Iterator["EmbeddedPostgres"]:
        """A fast, forgetful server for the length of a test run; nothing of it remains."""
        cls._sweep()
        directory = Path(tempfile.mkdtemp(prefix=_TEMPORARY))
        server = cls(directory, durable=False)
        try:
            server.start()
            yield server
        finally:
            server.remove()

    @classmethod
    def _sweep(cls) -> None:
        """Take away what killed test runs left behind."""
        for old in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*"):
            with contextlib.suppress(OSError, LocalServerError):
                facts = old.lstat()
                # A day, for a process of another container may be alive and not seen from here.
                aged = time.time() - facts.st_mtime > _SWEEP_AFTER
                if aged and facts.st_uid == os.getuid() and (old / "owner.pid").exists():
                    cls(old).remove()

    @property
    def log(self) -> Path:
        return self.directory / "postgres.log"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def place(self) -> Place:
        """Where data and binaries are; decided once and remembered in the directory."""
        if self._place is None:
            self._place = find_place(self.directory)
        return self._place

    @property
    def sockets(self) -> Path:
        account = self.place.account
        return socket_dir(self.place.base / "socket", _SOCKET, uid=account.uid if account else None)

    @property
    def url(self) -> str:
        return f"postgresql://{_NAME}@/{_NAME}?host={quote(str(self.sockets), safe='/')}"

    def start(self) -> str:
        """Make the cluster if there is none, start it, and return its URL.

        A server that is already up and whose owner lives is shared, and ``stop`` leaves it be.
        One that a killed owner left behind is ended first: nobody else would ever end it.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._lock():
            if not (self.place.data / "PG_VERSION").exists():
                self._create()
            self._check_owner()
            found = self._running()
            if found is not None:
                if self._owner_lives():
                    return self.url
                processes.end_stranger(found, polite=signal.SIGINT, patience=20)
            self._launch()
            self._create_database()
        return self.url

    def stop(self) -> None:
        """Stop the server if this object started it: clients are cut off, data is flushed."""
        if self._process is None:
            return
        processes.stop(self._process, polite=signal.SIGINT, patience=20)
        self._process = None
        self._owner_file.unlink(missing_ok=True)

    def remove(self) -> None:
        """Stop the server and delete its data, wherever that is."""
        self.stop()
        left = self._running()
        if left is not None:
            if self._owner_lives():
                raise LocalServerError(f"The server of {self.directory} is in use by its owner.")
            processes.end_stranger(left, polite=signal.SIGINT, patience=20)
        base = self.place.base
        shutil.rmtree(self.sockets, ignore_errors=True)
        shutil.rmtree(self.place.data, ignore_errors=True)
        if base != self.directory:
            shutil.rmtree(base, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def _owner_file(self) -> Path:
        return self.directory / "owner.pid"

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.directory / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _run(self, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        account = self.place.account
        return subprocess.run(  # noqa: S603 - our own binaries and arguments
            [str(self.place.binaries / tool), *arguments],
            capture_output=True,
            text=True,
            check=False,
            # initdb looks at where it stands, which the account may not be able to read.
            cwd="/",
            env=_environment(),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )

    def _create(self) -> None:
        # Made beside and renamed: a cluster whose making was cut short is never taken for one.
        half = self.place.base / "data.new"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700, parents=True)
        _give(half, self.place.account)
        made = self._run(
            "initdb",
            f"--pgdata={half}",
            f"--username={_NAME}",
            "--auth=trust",
            "--encoding=UTF8",
            # Sorting is the same on every machine, whichever locales it has.
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            *(() if self.durable else ("--no-sync",)),
        )
        if made.returncode:
            raise LocalServerError(f"initdb could not make {half}:\n{made.stderr.strip()}")
        half.rename(self.place.data)

    def _check_owner(self) -> None:
        account = self.place.account
        uid = account.uid if account else os.getuid()
        if self.place.data.stat().st_uid != uid:
            raise LocalServerError(
                f"{self.place.data} was made by another account. Run as that one, or remove it "
                "(the data in it is then lost) and start again."
            )

    def _running(self) -> int | None:
        """The pid of a server on this data, if it runs; a stale pid file is taken away."""
        pid_file = self.place.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None
        # After a crash the number may belong to any other program by now.
        if processes.is_alive(pid) and str(self.place.data) in processes.command_of(pid):
            return pid
        pid_file.unlink(missing_ok=True)
        return None

    def _owner_lives(self) -> bool:
        try:
            pid, _, command = self._owner_file.read_text().partition("\n")
            return processes.is_alive(int(pid)) and processes.command_of(int(pid)) == command
        except (OSError, ValueError):
            return False

    def _launch(self) -> None:
        account = self.place.account
        settings = _SETTINGS | ({} if self.durable else _FORGETFUL)
        command = [str(self.place.binaries / "postgres"), "-D", str(self.place.data)]
        command += ["-k", str(self.sockets)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self._process = processes.spawn(
            command,
            log=self.log,
            env=_environment(),
            cwd=Path("/"),
            uid=account.uid if account else None,
            gid=account.gid if account else None,
            death_signal=signal.SIGINT,
        )
        self._owner_file.write_text(f"{os.getpid()}\n{processes.command_of(os.getpid())}")
        try:
            processes.wait_until(
                lambda: self._run("pg_isready", "-q", "-h", str(self.sockets)).returncode == 0,
                name="Postgres",
                process=self._process,
                log=self.log,
                seconds=60,
            )
        except BaseException:
            self.stop()
            raise

    def _create_database(self) -> None:
        host = ("-h", str(self.sockets), "-U", _NAME)
        made = self._run("createdb", *host, _NAME)
        if made.returncode and "already exists" not in made.stderr:
            raise LocalServerError(f"The database was not made: {made.stderr.strip()}")


def _environment() -> dict[str, str]:
    """No PG* variable of the caller may steer these programs elsewhere."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PG") and name not in {"HOME", "LC_ALL", "LANG"}
    } | {"HOME": "/", "LC_ALL": "C"}


def _give(path: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid)
