"""Runs the drivers and prints who can do what: ``python -m tests.clients [names]``.

What fails through the gateway is run once more against the emulator alone: what fails there too
is the emulator's own gap, and is said as such.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import warehouse
from tests.clients import environments, lab
from tests.clients.environments import CLIENTS, Client, MissingError
from tests.clients.gateway import Gateway

BEHAVIOURS = (
    "connect-token",
    "connect-jwt",
    "types",
    "arrow",
    "binds",
    "executemany",
    "describe",
    "async",
    "multi",
    "transaction",
    "session-state",
    "model",
    "cancel",
    "masked",
    "denied",
    "held-approved",
    "held-rejected",
    "held-async",
    "held-long",
    "million",
    "restart",
)
# These are the gateway's doing: alone, the emulator has nothing to show.
OURS = frozenset(
    (
        "connect-jwt",
        "arrow",
        "cancel",
        "masked",
        "denied",
        "held-approved",
        "held-rejected",
        "held-async",
    )
) | {"held-long", "restart"}
SLOW = frozenset({"held-long"})
ALONE_TOKEN = "a-token-of-the-emulator"
PATIENCE = 240.0


@dataclass
class Cell:
    """What became of one behaviour with one client."""

    mark: str
    note: str = ""
    seconds: float = 0.0


@dataclass
class Row:
    client: Client
    cells: dict[str, Cell] = field(default_factory=dict)
    missing: str = ""

    @property
    def failed(self) -> list[str]:
        return [name for name, cell in self.cells.items() if cell.mark == "FAIL"]


class Program:
    """A client's program at work; its lines as they come."""

    def __init__(self, command: list[str], names: list[str], env: dict[str, str]) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the program
        self._process = subprocess.Popen(
            [*command, *names],
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def lines(self, patience: float) -> Iterator[dict[str, Any]]:
        assert self._process.stdout is not None
        timer = threading.Timer(patience, self._process.kill)
        timer.start()
        try:
            for line in self._process.stdout:
                if line.startswith("{"):
                    yield json.loads(line)
        finally:
            timer.cancel()
            self._process.kill()
            self._process.wait()

    def answer(self, text: str = "done") -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def said(self) -> str:
        self._log.seek(0)
        return self._log.read()[-4000:]


def _environment(client: Client, port: int, account: str, user: str, token: str) -> dict[str, str]:
    return {
        "CLIENT_HOST": "127.0.0.1",
        "CLIENT_PORT": str(port),
        "CLIENT_ACCOUNT": account,
        "CLIENT_USER": user,
        "CLIENT_TOKEN": token,
        "CLIENT_NAME": client.name,
        "no_proxy": "127.0.0.1,localhost",
    }


def run(
    client: Client, names: list[str], env: dict[str, str], gateway: Gateway | None, *, verbose: bool
) -> dict[str, Cell]:
    """Each behaviour's cell; one that the program did not come to is a failure."""
    found: dict[str, Cell] = {}
    left = list(names)
    while left:
        program = Program(environments.command_of(client), left, env)
        patience = PATIENCE + (lab_seconds(env) if SLOW & set(left) else 0) + 20 * len(left)
        for line in program.lines(patience):
            if "ask" in line:
                if gateway is not None:
                    gateway.answer(line["ask"], client.name)
                program.answer()
                continue
            mark = {True: "ok", None: "cannot", False: "FAIL"}[line["ok"]]
            note = line.get("error") or line.get("why") or ""
            found[line["behaviour"]] = Cell(mark, note, line.get("seconds", 0))
            left.remove(line["behaviour"])
        if left:
            # It died, or took too long, at the first that it did not come to.
            found[left[0]] = Cell("FAIL", f"the program ended: {program.said()[-300:]}")
            left.pop(0)
        if verbose and any(cell.mark == "FAIL" for cell in found.values()):
            print(program.said(), file=sys.stderr)
    return found


def lab_seconds(env: dict[str, str]) -> float:
    return float(env.get("CLIENT_LATE", "330"))


@contextmanager
def alone(rows: int) -> Iterator[warehouse.Warehouse]:
    """The emulator without a gateway, for what fails through it."""
    os.environ["SNOWFLAKE_EMULATOR_TOKEN"] = ALONE_TOKEN
    with warehouse.running() as found:
        found.run(*(text.replace("{rows}", str(rows)) for text in lab.SETUP))
        yield found


def try_client(client: Client, names: list[str], gateway: Gateway, args: Any) -> Row:
    row = Row(client)
    try:
        environments.command_of(client)
    except MissingError as error:
        row.missing = str(error)
        return row
    env = _environment(client, gateway.port, "lab", "drivers", gateway.token)
    env |= {"CLIENT_JWT": gateway.jwt(), "CLIENT_ROWS": str(args.rows)}
    env["CLIENT_LATE"] = str(args.late)
    row.cells = run(client, names, env, gateway, verbose=args.verbose)
    again = [name for name in row.failed if name not in OURS]
    if again:
        with alone(args.rows) as found:
            env = _environment(client, found.port, "LOCAL", "HOOPWEB", ALONE_TOKEN)
            env |= {"CLIENT_ROWS": str(args.rows)}
            without = run(client, again, env, None, verbose=args.verbose)
        for name in again:
            if without[name].mark == "FAIL":
                row.cells[name] = Cell("gap", f"without a gateway too: {without[name].note}")
    return row


def printed(rows: list[Row], names: list[str]) -> str:
    width = max(len(row.client.title) for row in rows) + 2
    lines = []
    for name in names:
        cells = [row.cells.get(name, Cell("–")).mark for row in rows if not row.missing]
        lines.append(f"{name:<15}" + "".join(f"{mark:>12}" for mark in cells))
    head = f"{'':<15}" + "".join(f"{row.client.name:>12}" for row in rows if not row.missing)
    notes = [
        f"{row.client.title:<{width}}{name:<15}{cell.mark:<8}{cell.note[:300]}"
        for row in rows
        for name, cell in row.cells.items()
        if cell.note
    ]
    skipped = [f"skipped: {row.client.title}: {row.missing}" for row in rows if row.missing]
    return "\n".join([head, *lines, "", *notes, *skipped])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clients", nargs="*", help="names; all without")
    parser.add_argument("--only", default="", help="behaviours, comma separated")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--late", type=float, default=330, help="seconds until a late approval")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    names = args.only.split(",") if args.only else list(BEHAVIOURS)
    chosen = [c for c in CLIENTS if not args.clients or c.name in args.clients]
    started = time.monotonic()
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="hoopweb-clients-") as directory,
        Gateway(Path(directory), rows=args.rows, late=args.late) as gateway,
    ):
        for client in chosen:
            rows.append(try_client(client, names, gateway, args))
            print(f"{client.title}: {', '.join(rows[-1].failed) or 'done'}", file=sys.stderr)
    print(printed(rows, names))
    result = {
        row.client.name: row.missing or {n: (c.mark, c.seconds) for n, c in row.cells.items()}
        for row in rows
    }
    print(json.dumps({"seconds": round(time.monotonic() - started), "clients": result}))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))
    return int(any(row.failed for row in rows))
