"""An environment for each client, kept under ``var/clients`` by the digest of what it pins;
``CLIENTS_VAR`` names another place, for several clones to share.
"""

import fcntl
import functools
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KEPT = Path(os.environ.get("CLIENTS_VAR") or ROOT / "var" / "clients")
UV = Path(sys.executable).parent / "uv"
# The first time, everything is fetched.
_PATIENCE = 900


class MissingError(Exception):
    """A toolchain that this machine lacks, or a package that cannot be had; says which."""


@dataclass(frozen=True)
class Client:
    """One driver: its name in the matrix, its kind of environment, and what that is made from."""

    name: str
    title: str
    kind: str
    files: str
    program: str


CLIENTS = (
    Client("py4", "connector-python 4.8", "python", "py4", "connector.py"),
    Client("py5", "connector-python 5.2", "python", "py5", "connector.py"),
    Client("sqlalchemy", "snowflake-sqlalchemy", "python", "sqlalchemy", "alchemy.py"),
    Client("snowpark", "Snowpark", "python", "snowpark", "snowpark.py"),
    Client("cli", "snow CLI", "python", "cli", "cli.py"),
    Client("dbt", "dbt-snowflake", "python", "dbt", "dbt_project.py"),
    Client("adbc", "ADBC", "python", "adbc", "adbc.py"),
    Client("go", "Go driver", "go", "go", "clients"),
    Client("jdbc", "JDBC", "java", "java", "Matrix"),
    Client("node", "Node SDK", "node", "node", "matrix.mjs"),
)


def _run(
    command: Sequence[str | Path], cwd: Path, what: str, env: Mapping[str, str] | None = None
) -> None:
    try:
        done = subprocess.run(
            [str(c) for c in command],
            cwd=cwd,
            env=None if env is None else dict(env),
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired as error:
        raise MissingError(f"{what}: not had within {_PATIENCE} s") from error
    if done.returncode:
        raise MissingError(f"{what}: {(done.stdout + done.stderr).strip()[-600:]}")


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise MissingError(f"{name} is not on this machine")
    return found


def _digest(client: Client) -> str:
    found = hashlib.sha256()
    for path in sorted((HERE / client.files).iterdir()):
        if path.is_file():
            found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:16]


def command_of(client: Client) -> list[str]:
    """How to call the client's program, with its environment made. Raises MissingError."""
    place = KEPT / f"{client.name}-{_digest(client)}"
    ready = place / "ready"
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / f"{client.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            _MAKERS[client.kind](client, place)
            ready.touch()
    return _COMMANDS[client.kind](client, place)


@functools.cache
def _settings_for_uv() -> Mapping[str, str]:
    """What pip was told of indexes and certificates, as the project's own installation has it."""
    spec = importlib.util.spec_from_file_location("hoopweb_install", ROOT / ".ci" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Mapping[str, str] = module.settings_for_uv()
    return found


def _make_python(client: Client, place: Path) -> None:
    env = _settings_for_uv()
    venv = [UV, "venv", "-q", "-p", sys.executable, place / "venv"]
    _run(venv, place, "a virtual environment", env)
    wanted = HERE / client.files / "requirements.txt"
    python = place / "venv" / "bin" / "python"
    _run([UV, "pip", "install", "-q", "-p", python, "-r", wanted], place, client.title, env)


def _make_node(client: Client, place: Path) -> None:
    npm = _tool("npm")
    _tool("node")
    for path in (HERE / client.files).iterdir():
        shutil.copy(path, place)
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
    _run([npm, "ci", *quiet], place, client.title)


def _make_go(client: Client, place: Path) -> None:
    go = _tool("go")
    for path in (HERE / client.files).iterdir():
        shutil.copy(path, place)
    _run([go, "build", "-p", "1", "-o", client.program, "."], place, client.title)


def _make_java(client: Client, place: Path) -> None:
    maven = _tool("mvn")
    for path in (HERE / client.files).iterdir():
        shutil.copy(path, place)
    _run([maven, "-q", "-B", "dependency:copy-dependencies"], place, client.title)
    jars = f"{place}/target/dependency/*"
    _run([_tool("javac"), "-cp", jars, f"{client.program}.java"], place, client.title)


_MAKERS = {
    "python": _make_python,
    "node": _make_node,
    "go": _make_go,
    "java": _make_java,
}
_COMMANDS = {
    "python": lambda c, p: [str(p / "venv/bin/python"), str(HERE / "programs" / c.program)],
    "node": lambda c, p: [_tool("node"), str(p / c.program)],
    "go": lambda c, p: [str(p / c.program)],
    "java": lambda c, p: [
        _tool("java"),
        "--add-opens=java.base/java.nio=ALL-UNNAMED",
        "-cp",
        f"{p}/target/dependency/*:{p}",
        c.program,
    ],
}
