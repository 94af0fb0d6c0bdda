"""Runs the drivers and prints who can do what: ``python -m tests.clients [names]``.

All late approvals are waited for side by side while the rest is tried; the gateway is restarted
once, in the middle of a session of every driver. What fails through the gateway is run once more
against the emulator alone: what fails there too is the emulator's own gap, and is said as such.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import warehouse
from tests.clients import environments, lab, trial
from tests.clients.environments import CLIENTS, Client, MissingError
from tests.clients.gateway import Gateway
from tests.clients.trial import Cell, Row

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
LATE, RESTART = "held-long", "restart"
# Asked of nobody else.
DBTS_OWN = "model"
ALONE_TOKEN = "a-token-of-the-emulator"


@dataclass(frozen=True)
class Plan:
    """What is tried: ``late`` seconds until a late approval, ``at_once`` clients side by side."""

    names: tuple[str, ...] = BEHAVIOURS
    rows: int = 1_000_000
    late: float = 330.0
    at_once: int = 1
    verbose: bool = False


def tried(clients: Sequence[Client], plan: Plan, directory: Path) -> list[Row]:
    """A row for each client, in their order."""
    rows = [Row(client) for client in clients]
    with ThreadPoolExecutor(os.cpu_count()) as making:
        list(making.map(_made, rows))
    able = [row for row in rows if not row.missing]
    if able:
        with Gateway(directory, rows=plan.rows, late=plan.late) as gateway:
            _through(gateway, able, plan)
        _without(able, plan)
    return rows


def asked_of(client: Client, names: Sequence[str]) -> list[str]:
    return [name for name in names if name != DBTS_OWN or client.name == "dbt"]


def _made(row: Row) -> None:
    try:
        environments.command_of(row.client)
    except MissingError as error:
        row.missing = str(error)


def _through(gateway: Gateway, rows: list[Row], plan: Plan) -> None:
    def part(row: Row, *names: str) -> None:
        asked = asked_of(row.client, [name for name in names if name in plan.names])
        env = _environment(row.client, gateway.port, "lab", "drivers", gateway.token)
        env |= {"CLIENT_JWT": gateway.jwt(), "CLIENT_ROWS": str(plan.rows)}
        env["CLIENT_LATE"] = str(plan.late)
        with gateway.taking_part(row.client, names):
            row.cells |= trial.run(row.client, asked, env, gateway.answer, verbose=plan.verbose)
        if LATE in asked:
            _prove(gateway, row, plan)
        said = ", ".join(row.failed) or "done"
        print(f"{row.client.title}: {', '.join(names[:1])}…: {said}", file=sys.stderr, flush=True)

    most = [name for name in plan.names if name not in (LATE, RESTART)]
    with ThreadPoolExecutor(len(rows)) as waiting, ThreadPoolExecutor(plan.at_once) as working:
        parts = [waiting.submit(part, row, LATE) for row in rows if LATE in plan.names]
        parts += [working.submit(part, row, *most) for row in rows if most]
        for each in parts:
            each.result()
    if RESTART in plan.names:
        with ThreadPoolExecutor(len(rows)) as waiting:
            gateway.expect(row.client for row in rows)
            parts = [waiting.submit(part, row, RESTART) for row in rows]
            # From here: a child ends with the thread that started it.
            gateway.restart_when_asked()
            for each in parts:
                each.result()


def _prove(gateway: Gateway, row: Row, plan: Plan) -> None:
    cell = row.cells[LATE]
    wrong = gateway.disproved(row.client.name, renewed=plan.late >= Gateway.RENEWED_FROM)
    if cell.mark == "ok" and wrong:
        row.cells[LATE] = Cell("FAIL", wrong, cell.seconds)


def _without(rows: list[Row], plan: Plan) -> None:
    again = {row.client.name: [n for n in row.failed if n not in OURS] for row in rows}
    if not any(again.values()):
        return
    with _alone(plan.rows) as found:
        for row in rows:
            names = again[row.client.name]
            env = _environment(row.client, found.port, "LOCAL", "HOOPWEB", ALONE_TOKEN)
            env["CLIENT_ROWS"] = str(plan.rows)
            cells = trial.run(row.client, names, env, verbose=plan.verbose)
            for name in names:
                if cells[name].mark == "FAIL":
                    row.cells[name] = Cell("gap", f"without a gateway too: {cells[name].note}")


@contextlib.contextmanager
def _alone(rows: int) -> Iterator[warehouse.Warehouse]:
    """The emulator without a gateway, for what fails through it."""
    os.environ["SNOWFLAKE_EMULATOR_TOKEN"] = ALONE_TOKEN
    with warehouse.running(*lab.options(rows)) as found:
        found.run(*lab.setup(rows))
        yield found


def _environment(client: Client, port: int, account: str, user: str, token: str) -> dict[str, str]:
    return {
        "CLIENT_HOST": "127.0.0.1",
        "CLIENT_PORT": str(port),
        "CLIENT_ACCOUNT": account,
        "CLIENT_USER": user,
        "CLIENT_TOKEN": token,
        "CLIENT_NAME": client.name,
        "no_proxy": "127.0.0.1,localhost",
        # Nobody is asked which cloud this machine stands in: some wait long for that.
        "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true",
    }


def printed(rows: list[Row], names: Sequence[str]) -> str:
    """The matrix, then why anything in it is not ``ok``."""
    able = [row for row in rows if not row.missing]
    width = max(len(row.client.title) for row in rows) + 2
    lines = [f"{'':<15}" + "".join(f"{row.client.name:>12}" for row in able)]
    for name in names:
        cells = [row.cells.get(name, Cell("–")).mark for row in able]
        lines.append(f"{name:<15}" + "".join(f"{mark:>12}" for mark in cells))
    notes = [
        f"{row.client.title:<{width}}{name:<15}{cell.mark:<8}{cell.note[:400]}"
        for row in rows
        for name, cell in row.cells.items()
        if cell.note
    ]
    skipped = [f"skipped: {row.client.title}: {row.missing}" for row in rows if row.missing]
    return "\n".join([*lines, "", *notes, *skipped])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clients", nargs="*", help="names; all without")
    parser.add_argument("--only", default="", help="behaviours, comma separated")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--late", type=float, default=330, help="seconds until a late approval")
    parser.add_argument("--at-once", type=int, default=1, help="clients that are tried at once")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    unknown = set(args.clients) - {client.name for client in CLIENTS}
    if unknown:
        parser.error(f"no such client: {', '.join(sorted(unknown))}")
    names = tuple(args.only.split(",")) if args.only else BEHAVIOURS
    plan = Plan(names, args.rows, args.late, args.at_once, args.verbose)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hoopweb-clients-") as directory:
        chosen = [c for c in CLIENTS if not args.clients or c.name in args.clients]
        rows = tried(chosen, plan, Path(directory))
    print(printed(rows, names))
    result: dict[str, Any] = {
        row.client.name: row.missing or {n: (c.mark, c.seconds) for n, c in row.cells.items()}
        for row in rows
    }
    print(json.dumps({"seconds": round(time.monotonic() - started), "clients": result}))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))
    return int(any(row.failed for row in rows))
