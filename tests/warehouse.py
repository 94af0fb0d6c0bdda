"""A Snowflake to test against: the emulator as its own process, with a log of what reached it."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connections.models import Connection

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "upstream-secret"
SETUP = [
    "CREATE SCHEMA IF NOT EXISTS SHOP.CRM",
    "CREATE SCHEMA IF NOT EXISTS SHOP.RETAIL",
    """CREATE OR REPLACE TABLE SHOP.CRM.CONTACTS
       (CONTACT_ID NUMBER(38,0), FULL_NAME VARCHAR, EMAIL VARCHAR, CITY VARCHAR)""",
    """INSERT INTO SHOP.CRM.CONTACTS VALUES
       (1,'Alice Ash','canary-alice@pii.example','Oslo'),
       (2,'Bob Birch','canary-bob@pii.example','Lima'),
       (3,'Carol Cedar',NULL,'Oslo')""",
    """CREATE OR REPLACE TABLE SHOP.RETAIL.ORDERS
       (ORDER_ID NUMBER(38,0), CITY VARCHAR, AMOUNT NUMBER(12,2))""",
    "INSERT INTO SHOP.RETAIL.ORDERS VALUES (10,'Oslo',40.00),(11,'Oslo',15.00),(12,'Lima',99.90)",
]


@dataclass
class Warehouse:
    url: str
    process: "subprocess.Popen[str]"

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/_emulator/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def statements(self) -> list[dict[str, Any]]:
        """Every statement that arrived, oldest first."""
        found = self._call("GET", "statements")
        return found["statements"] if isinstance(found, dict) else found

    def sent(self, text: str) -> list[dict[str, Any]]:
        """Those that arrived and contain ``text``."""
        return [s for s in self.statements() if text in s["sql"]]

    def fault(self, **order: Any) -> None:
        """Order a fault (connections.upstream.emulator.faults.Fault)."""
        self._call("POST", "faults", order)

    def heal(self) -> None:
        self._call("DELETE", "faults")

    def serve(self, row: Connection) -> Connection:
        """Point a connection at this warehouse."""
        row.port = self.port
        row.save(update_fields=["port"])
        return row

    def run(self, *statements: str) -> list[Any]:
        """Run statements as the warehouse's owner; rows of the last."""
        import asyncio

        from connections.upstream.client import connect
        from connections.upstream.types import Target

        target = Target(
            account="LOCAL",
            login_name="HOOPWEB",
            secret=PASSWORD,
            host="127.0.0.1",
            port=self.port,
            protocol="http",
        )

        async def work() -> list[Any]:
            rows: list[Any] = []
            async with connect(target) as session:
                for sql in statements:
                    handle = await session.submit(sql, asynchronous=False)
                    rows = (await session.result(handle)).table.to_pylist()
            return rows

        return asyncio.run(work())


@contextmanager
def running(*arguments: str) -> Iterator[Warehouse]:
    """An emulator in memory for the length of the block."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "connections.upstream.emulator",
            "--database",
            "SHOP",
            "--hold-seconds",
            "2",
            *arguments,
        ],
        cwd=ROOT,
        env={**os.environ, "SNOWFLAKE_EMULATOR_PASSWORD": PASSWORD},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "the emulator did not start"
        yield Warehouse(url, process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            # A busy machine; nothing of it is kept.
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
