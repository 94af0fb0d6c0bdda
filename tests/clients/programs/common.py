"""What every Python program of the matrix shares; needs nothing but the standard library.

A program is called with the names of behaviours and prints one line of JSON for each: ``ok`` true,
false with ``error``, or null with ``why`` when the client itself cannot do such a thing. A line
with ``ask`` is a question to the one who called; the answer is a line on standard input.
"""

import contextlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable

HOST = os.environ.get("CLIENT_HOST", "127.0.0.1")
PORT = int(os.environ.get("CLIENT_PORT", "0"))
ACCOUNT = os.environ.get("CLIENT_ACCOUNT", "lab")
USER = os.environ.get("CLIENT_USER", "agent")
TOKEN = os.environ.get("CLIENT_TOKEN", "")
JWT = os.environ.get("CLIENT_JWT", "")
NAME = os.environ.get("CLIENT_NAME", "client")
MILLION = int(os.environ.get("CLIENT_ROWS", "1000000"))

DENIED = "GRANT SELECT ON TABLE SHOP.LAB.TYPES TO ROLE PUBLIC"
MASKED = "SELECT CONTACT_ID, EMAIL FROM SHOP.CRM.CONTACTS ORDER BY CONTACT_ID"
TYPES = "SELECT * FROM SHOP.LAB.TYPES ORDER BY N"
BIG = "SELECT ID, WORD, AMOUNT FROM SHOP.LAB.BIG"
# A temporary table; the local Snowflake has one place for those of all sessions.
MINE = f"SHOP.LAB.MINE_{NAME.upper()}"


def held(word: str) -> str:
    """A read that waits for a reviewer, who decides by ``word``: approve, reject or late. Its rows
    are this client's own.
    """
    asked = f"SELECT ID, NOTE || ' for {NAME}' AS NOTE FROM SHOP.LAB.VAULT"
    return f"{asked} WHERE NOTE <> '{word} {NAME}' ORDER BY ID"


def is_own(rows: list) -> None:
    expected = [(1, f"first for {NAME}"), (2, f"second for {NAME}")]
    check([(int(row[0]), row[1]) for row in rows] == expected, rows)


class CannotError(Exception):
    """The client itself has no way to do this."""


def ask(what: str) -> str:
    print(json.dumps({"ask": what}), file=sys.__stdout__, flush=True)
    return sys.stdin.readline().strip()


def check(condition: object, what: object) -> None:
    if not condition:
        raise AssertionError(what)


def is_masked(rows: list) -> None:
    """Three contacts, whose addresses show nothing of what they are."""
    check(len(rows) == 3, rows)
    check([int(row[0]) for row in rows] == [1, 2, 3], rows)
    check(all(row[1] for row in rows[:2]), f"a mask stands in place of a value: {rows}")
    check("canary" not in str(rows) and "pii" not in str(rows), rows)


def is_big(count: int, total: int) -> None:
    check(count == MILLION, f"{count} rows of {MILLION}")
    check(total == MILLION * (MILLION - 1) // 2, f"the ids add up to {total}")


class Expected:
    """A block that has to fail, and how."""

    def __init__(self, kind: type[Exception], read: Callable[[Exception], tuple]) -> None:
        self._kind, self._read = kind, read
        self.number, self.state, self.text = 0, "", ""

    def __enter__(self):
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> bool:
        check(error is not None, "nothing was refused")
        if not isinstance(error, self._kind):
            return False
        self.number, self.state, self.text = self._read(error)
        return True

    def is_denial(self) -> None:
        check(int(self.number) > 0, f"number {self.number!r}: {self.text}")
        check(self.state == "42501", f"SQLSTATE {self.state!r}: {self.text}")
        check("denied" in self.text and "admin" in self.text, self.text)

    def is_rejection(self) -> None:
        check(self.state == "42501", f"SQLSTATE {self.state!r}: {self.text}")
        check("Rita" in self.text and "not today" in self.text, self.text)


def run(behaviours: dict[str, Callable[[], None]], cannot: dict[str, str] | None = None) -> None:
    """Do what the arguments name, one after the other; ``cannot`` says why the client does not."""
    reasons = cannot or {}

    def work(name: str) -> None:
        if name not in behaviours:
            raise CannotError(reasons.get(name, "not tried with this client"))
        behaviours[name]()

    for name in sys.argv[1:]:
        started = time.monotonic()
        line: dict[str, object] = {"behaviour": name, "ok": True}
        try:
            # What drivers print belongs to nobody's protocol.
            with contextlib.redirect_stdout(sys.stderr):
                work(name)
        except CannotError as error:
            line |= {"ok": None, "why": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever a driver raises is an answer
            traceback.print_exc()
            line |= {"ok": False, "error": f"{type(error).__name__}: {error}"[:600]}
        line["seconds"] = round(time.monotonic() - started, 2)
        print(json.dumps(line), flush=True)
