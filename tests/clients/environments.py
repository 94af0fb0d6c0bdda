"""An environment for each client, kept under ``var/clients`` by the digest of what it pins."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KEPT = Path(os.environ.get("CLIENTS_VAR") or ROOT / "var" / "clients")
UV = Path(sys.executable).parent / "uv"


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


def _run(command: Sequence[str | Path], cwd: Path, what: str) -> None:
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, capture_output=True, text=True, check=False
    )
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
    if not ready.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        _MAKERS[client.kind](client, place)
        ready.touch()
    return _COMMANDS[client.kind](client, place)


def _make_python(client: Client, place: Path) -> None:
    _run([UV, "venv", "-q", "-p", sys.executable, place / "venv"], place, "a virtual environment")
    wanted = HERE / client.files / "requirements.txt"
    python = place / "venv" / "bin" / "python"
    _run([UV, "pip", "install", "-q", "-p", python, "-r", wanted], place, client.title)


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
