"""An agent at work: it sends statements through the REST door and reacts to each answer.

``python -m hoopweb.local.sample_agent --url http://127.0.0.1:8000 --token hwa_… [--loop]``

It needs nothing but Python, and knows nothing of Snowflake: no account, no credential.
"""

import argparse
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote

from hoopweb.local.sample_tasks import CHORES, LOST_PROMPT, Chore, chore, lost_revenue

WAIT = 25
# Short at first: whoever has to approve should be told soon.
FIRST_WAIT = 3
# A gateway that restarts is back within this; a loop waits for as long as it takes.
PATIENCE = 120
# In a loop the first ask waits for whoever has just opened the console; later ones do not pile up.
FIRST_APPROVAL_IN_LOOP, APPROVAL_IN_LOOP = 1800, 240


class GaveUp(Exception):
    """The task cannot go on; the text says why."""


class Voice:
    """What the agent tells whoever watches it; in colour on a terminal."""

    COLOURS = {"me": 36, "sql": 2, "allowed": 32, "masked": 35, "waiting": 33, "denied": 31}

    def __init__(self) -> None:
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def __call__(self, kind: str, text: str) -> None:
        mark = {"me": "·", "sql": " ", "allowed": "✓", "masked": "◌", "waiting": "…"}.get(kind, "✕")
        for number, line in enumerate(text.strip().splitlines()):
            shown = f"{mark if number == 0 else ' '} {line}"
            if self.colour:
                shown = f"\033[{self.COLOURS.get(kind, 0)}m{shown}\033[0m"
            sys.stdout.write(f"{shown}\n")
        sys.stdout.flush()


@dataclass
class Gateway:
    """The REST door, seen from outside."""

    url: str
    token: str
    patience: float
    say: Voice

    def call(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """The answer as JSON. Safe to repeat: a statement carries its key, and runs once."""
        until, pause = time.monotonic() + self.patience, 1.0
        while True:
            try:
                return self._once(method, path, body, key)
            except urllib.error.HTTPError as error:
                problem = _read_problem(error)
                if error.code not in {429, 502, 503, 504} or time.monotonic() > until:
                    raise GaveUp(f"{problem} ({error.code})") from error
                pause = float(error.headers.get("Retry-After") or pause)
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                if time.monotonic() > until:
                    raise GaveUp(f"The gateway at {self.url} does not answer.") from error
                self.say("waiting", f"The gateway does not answer; again in {pause:.0f} s.")
            time.sleep(min(pause, 15))
            pause = min(pause * 1.6, 15)

    def _once(self, method: str, path: str, body: Any, key: str) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "User-Agent": "sample-agent/1.0"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        if key:
            headers["Idempotency-Key"] = key
        request = urllib.request.Request(  # noqa: S310 - the address is the caller's own choice
            f"{self.url}/api/v1/{path}", data=data, headers=headers, method=method
        )
        with urllib.request.urlopen(request, timeout=WAIT + 15) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")


def _read_problem(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["detail"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason)


@dataclass
class Work:
    """One task in one session: the agent thinks aloud, asks, and reads what it gets."""

    gateway: Gateway
    connection: str
    prompt: str
    # Seconds after which a statement nobody decides on is taken back; None is never.
    approval_patience: float | None
    pace: Callable[[], None]
    session: str = field(default="", init=False)

    def __enter__(self) -> Self:
        self.gateway.say("me", f"\nTask: {self.prompt}")
        opened = self.gateway.call(
            "POST", "sessions", {"connection": self.connection, "title": self.prompt[:120]}
        )
        self.session = opened["id"]
        self._message("user", self.prompt)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.gateway.call("POST", f"sessions/{self.session}/close")

    def think(self, text: str) -> None:
        """Say something, for the recording too."""
        self.pace()
        self.gateway.say("me", text)
        self._message("assistant", text)

    def _message(self, role: str, text: str) -> None:
        path = f"sessions/{self.session}/messages"
        self.gateway.call("POST", path, {"role": role, "text": text})

    def run(self, sql: str, reason: str, binds: Sequence[Any] = ()) -> dict[str, Any]:
        """Send a statement and wait until it is finished; whatever becomes of it is returned."""
        self.pace()
        self.gateway.say("sql", sql)
        body = {
            "connection": self.connection,
            "session": self.session,
            "sql": sql,
            "binds": list(binds),
            "prompt": self.prompt,
            "reason": reason,
            "wait": FIRST_WAIT,
        }
        statement = self.gateway.call("POST", "statements", body, key=str(uuid.uuid4()))
        asked = time.monotonic()
        told = False
        while not statement["finished"]:
            if statement["state"] == "awaiting_approval" and not told:
                told = True
                where = statement["approval"]["console_url"]
                self.gateway.say("waiting", f"A person has to approve this. Open {where}")
            path = f"statements/{statement['id']}"
            if self._is_too_long(asked):
                self.gateway.say("waiting", "Nobody has decided. I take it back and go on.")
                statement = self.gateway.call("POST", f"{path}/cancel")
            else:
                statement = self.gateway.call("GET", f"{path}?wait={WAIT}")
        return self._tell(statement)

    def _is_too_long(self, asked: float) -> bool:
        patience = self.approval_patience
        return patience is not None and time.monotonic() - asked > patience

    def _tell(self, statement: dict[str, Any]) -> dict[str, Any]:
        say, state = self.gateway.say, statement["state"]
        masked = [c["name"] for c in statement["columns"] if c["masked"]]
        if state == "succeeded":
            say("allowed", f"{statement['row_count']} rows")
            if masked:
                say("masked", f"masked: {', '.join(masked)}")
        elif state == "denied":
            for reason in statement["decision"]["reasons"]:
                say("denied", f"Denied: {reason['text']}\nWay out: {reason['way_out'] or 'none'}")
        elif state == "rejected":
            say("denied", f"Rejected: {statement['approval']['reason']}")
        else:
            say("denied", f"{state}: {(statement['error'] or {}).get('text', '')}")
        return statement

    def rows(self, statement: dict[str, Any], limit: int = 100) -> list[list[Any]]:
        """The rows of a statement that succeeded, else none."""
        if statement["state"] != "succeeded":
            return []
        path = f"statements/{quote(statement['id'])}/result?limit={limit}"
        found: list[list[Any]] = self.gateway.call("GET", path)["rows"]
        return found


def tasks(*, loop: bool) -> Iterator[Chore | None]:
    """What to do next; None stands for the story."""
    yield None
    while loop:
        yield from random.sample(CHORES, len(CHORES))
        yield None


def _patience(number: int, *, loop: bool) -> float | None:
    if not loop:
        return None
    return APPROVAL_IN_LOOP if number else FIRST_APPROVAL_IN_LOOP


def work_through(gateway: Gateway, options: argparse.Namespace) -> None:
    def pace() -> None:
        if options.loop:
            time.sleep(random.uniform(3, 10))  # noqa: S311 - a pause, not a secret

    for number, what in enumerate(tasks(loop=options.loop)):
        try:
            with Work(
                gateway,
                options.connection,
                what.prompt if what else LOST_PROMPT,
                _patience(number, loop=options.loop),
                pace,
            ) as work:
                if what is None:
                    lost_revenue(work)
                else:
                    chore(work, what)
        except GaveUp as error:
            gateway.say("denied", str(error))
            if not options.loop:
                raise SystemExit(1) from error
            time.sleep(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default=os.environ.get("SITE_URL", "http://127.0.0.1:8000"))
    parser.add_argument("--token", default=os.environ.get("HOOPWEB_TOKEN", ""))
    parser.add_argument("--connection", default="retail")
    parser.add_argument("--loop", action="store_true", help="go on with other tasks, calmly")
    options = parser.parse_args()
    if not options.token:
        parser.error("no token: give --token, or set HOOPWEB_TOKEN. Its owner issues it.")
    # A token on the command line is readable by everyone on the machine: better the variable.
    say = Voice()
    patience = float("inf") if options.loop else PATIENCE
    try:
        work_through(Gateway(options.url.rstrip("/"), options.token, patience, say), options)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
