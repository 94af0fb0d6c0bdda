"""A client's program at work, and what became of each behaviour that it was asked for."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.clients import environments
from tests.clients.environments import Client

# For one call of a program, for each behaviour in it, and beyond the wait that it was told of.
PATIENCE, PATIENCE_EACH = 600.0, 30.0


# How a program says that it holds nothing for a behaviour.
NOT_TRIED = "not tried with this client"


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
    """A client's program; its lines as they come."""

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
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()

    def answer(self, text: str = "done") -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def said(self) -> str:
        self._log.seek(0)
        return self._log.read()[-4000:]

    def close(self) -> None:
        self._log.close()


# What is done when a program asks, and what was wrong then; empty when nothing.
Answer = Callable[[str, Client], str]


def nothing(what: str, client: Client) -> str:
    return ""


def run(
    client: Client,
    names: list[str],
    env: dict[str, str],
    answer: Answer = nothing,
    *,
    verbose: bool = False,
) -> dict[str, Cell]:
    """Each behaviour's cell; one that the program did not come to is a failure."""
    found: dict[str, Cell] = {}
    left = list(names)
    while left:
        program = Program(environments.command_of(client), left, env)
        patience = PATIENCE + PATIENCE_EACH * len(left) + float(env.get("CLIENT_LATE", "0"))
        wrong = ""
        try:
            for line in program.lines(patience):
                if "ask" in line:
                    wrong = answer(line["ask"], client)
                    program.answer()
                    continue
                name = line["behaviour"]
                found[name] = _cell(line) if not wrong else Cell("FAIL", wrong)
                left.remove(name)
                wrong = ""
            if left:
                # It died, or took too long, at the first that it did not come to.
                said = program.said()[-300:] or "it was given no more time"
                found[left.pop(0)] = Cell("FAIL", f"the program ended: {said}")
            if verbose and any(cell.mark == "FAIL" for cell in found.values()):
                print(program.said(), file=sys.stderr)
        finally:
            program.close()
    return found


def _cell(line: dict[str, Any]) -> Cell:
    why = line.get("error") or line.get("why") or ""
    if why == NOT_TRIED:
        return Cell("–")
    mark = {True: "ok", None: "cannot", False: "FAIL"}[line["ok"]]
    return Cell(mark, why, line.get("seconds", 0))
