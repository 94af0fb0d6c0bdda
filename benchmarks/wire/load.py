"""What a driver says, from one small client, at a constant rate.

``python -m benchmarks.wire.load`` reads one order as JSON on standard input and prints what it
measured as JSON. Latency counts from the moment at which a statement was due, so that a server
that falls behind cannot hide it.
"""

import asyncio
import gzip
import io
import json
import sys
import time
import uuid
from typing import Any

import pyarrow as pa
import uvloop

# Servers close what lies idle for five seconds.
_IDLE = 3.0
_WARM = 3


class Line:
    """One kept connection; one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._used = 0.0

    async def ask(
        self, method: str, target: str, body: bytes = b"", headers: str = ""
    ) -> tuple[int, bytes]:
        """Status and body, as they came."""
        now = time.monotonic()
        if self._reader is None or now - self._used > _IDLE:
            self._reader, self._writer = await asyncio.open_connection(
                self.host, self.port, limit=1 << 20
            )
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n{headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lower = answer.lower()
        if b"transfer-encoding: chunked" in lower:
            found = bytearray()
            while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
                found += await self._reader.readexactly(size)
                await self._reader.readexactly(2)
            await self._reader.readexactly(2)
            content = bytes(found)
        else:
            at = lower.index(b"content-length:") + 15
            content = await self._reader.readexactly(int(lower[at : lower.index(b"\r\n", at)]))
        self._used = time.monotonic()
        return int(answer[9:12]), content


class Driver:
    """One session: a login, then statements over its own lines."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        self._free: list[Line] = []
        self._sequence = 0

    def _line(self) -> Line:
        return self._free.pop() if self._free else Line("127.0.0.1", self._order["port"])

    async def log_in(self) -> None:
        data = {
            "data": {
                "CLIENT_APP_ID": "PythonConnector",
                "CLIENT_APP_VERSION": "4.8.0",
                "ACCOUNT_NAME": self._order["account"],
                "AUTHENTICATOR": "PROGRAMMATIC_ACCESS_TOKEN",
                "TOKEN": self._order["token"],
                "SESSION_PARAMETERS": {},
            }
        }
        line = self._line()
        target = f"/session/v1/login-request?requestId={uuid.uuid4()}"
        _, content = await line.ask("POST", target, json.dumps(data).encode())
        self._free.append(line)
        reply = json.loads(content)
        if not reply["success"]:
            raise RuntimeError(reply["message"])
        self._proof = f'Authorization: Snowflake Token="{reply["data"]["token"]}"\r\n'

    async def query(self, sql: str) -> dict[str, Any]:
        """One statement; the reply's data."""
        self._sequence += 1
        body = {
            "sqlText": sql,
            "asyncExec": False,
            "sequenceId": self._sequence,
            "querySubmissionTime": int(time.time() * 1000),
        }
        line = self._line()
        target = f"/queries/v1/query-request?requestId={uuid.uuid4()}"
        try:
            _, content = await line.ask("POST", target, json.dumps(body).encode(), self._proof)
        finally:
            self._free.append(line)
        reply = json.loads(content)
        if not reply["success"]:
            raise RuntimeError(f"{reply['code']} {reply['message']}")
        data: dict[str, Any] = reply["data"]
        return data

    async def part(self, url: str, headers: dict[str, str]) -> int:
        """One part of a large result, as a driver reads it; its rows."""
        line = self._line()
        said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        status, content = await line.ask("GET", "/" + url.split("/", 3)[3], b"", said)
        self._free.append(line)
        if status != 200:
            raise RuntimeError(f"a part: HTTP {status}")
        clear = await asyncio.to_thread(gzip.decompress, content)
        with pa.ipc.open_stream(io.BytesIO(clear)) as reader:
            return int(reader.read_all().num_rows)


def quantile(sorted_values: list[float], share: float) -> float:
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


async def arrivals(order: dict[str, Any]) -> dict[str, Any]:
    """``rate`` statements a second for ``seconds``, spread over ``sessions``."""
    drivers = [Driver(order) for _ in range(order["sessions"])]
    for driver in drivers:
        await driver.log_in()
    # What is made once (connections, plans, threads) is made before anything counts.
    for _ in range(_WARM):
        await asyncio.gather(*(driver.query(order["sql"]) for driver in drivers))
    taken: list[float] = []
    failures: list[str] = []
    loop = asyncio.get_running_loop()
    # The loop's own clock counts whole milliseconds.
    begun = time.perf_counter() + 0.05

    async def one(place: int) -> None:
        due = begun + place / order["rate"]
        try:
            await drivers[place % len(drivers)].query(order["sql"])
            taken.append((time.perf_counter() - due) * 1000)
        except Exception as error:  # noqa: BLE001 - counted and shown
            failures.append(f"{type(error).__name__}: {error}"[:200])

    under_way: set[asyncio.Task[None]] = set()
    for place in range(int(order["rate"] * order["seconds"])):
        pause = begun + place / order["rate"] - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        task = loop.create_task(one(place))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    if under_way:
        await asyncio.wait(under_way, timeout=60)
    elapsed = time.perf_counter() - begun
    taken.sort()
    return {
        "done": len(taken),
        "failed": len(failures) + len(under_way),
        "why": failures[:1],
        "rate": len(taken) / elapsed,
        "p50": quantile(taken, 0.5) if taken else None,
        "p99": quantile(taken, 0.99) if taken else None,
    }


async def fetch(order: dict[str, Any]) -> dict[str, Any]:
    """A large result, ``lines`` parts at a time; rows a second as the client sees them."""
    driver = Driver(order)
    await driver.log_in()
    begun = time.perf_counter()
    data = await driver.query(order["sql"])
    chunks = list(data.get("chunks", []))
    rows = int(data["total"]) - sum(chunk["rowCount"] for chunk in chunks)
    headers = data.get("chunkHeaders") or {}

    async def work() -> int:
        found = 0
        while chunks:
            found += await driver.part(chunks.pop(0)["url"], headers)
        return found

    rows += sum(await asyncio.gather(*(work() for _ in range(order["lines"]))))
    seconds = time.perf_counter() - begun
    return {"rows": rows, "seconds": seconds, "rate": rows / seconds}


def main() -> None:
    order = json.load(sys.stdin)
    work = fetch if order["kind"] == "fetch" else arrivals
    print(json.dumps(uvloop.run(work(order))))


if __name__ == "__main__":
    main()
