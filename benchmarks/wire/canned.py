"""A Snowflake that answers from memory, faster than anything that asks it.

``python -m benchmarks.wire.canned [--rows N]`` prints its port. Replies are made once; a request
costs a look at its path and text.
"""

import argparse
import asyncio
import base64
import gzip
import io
import json
import sys
from dataclasses import dataclass, field

import pyarrow as pa

# What a statement's text holds, and the rows that it gets.
ONE, WIDE, BIG = "SELECT 1", "PUBLIC.WIDE", "PUBLIC.BIG"
INLINE = 1_000
CHUNK = 25_000
WORDS = ("cedar", "birch", "alder", "maple", "hazel", "rowan", "aspen", "larch")
# Ten columns: five numbers and five texts, as rows of a shop have them.
COLUMNS = (
    "ID NUMBER(38,0), CUSTOMER NUMBER(38,0), AMOUNT NUMBER(12,2), QUANTITY NUMBER(9,0), "
    "WEIGHT FLOAT, NAME TEXT, EMAIL TEXT, CITY TEXT, STREET TEXT, NOTE TEXT"
)


def _table(start: int, rows: int) -> pa.Table:
    """Rows of a shop. As Snowflake writes them: a number as a whole one with a scale."""
    ids = range(start, start + rows)
    fixed = {"logicalType": "FIXED", "precision": "38", "scale": "0"}
    text = {"logicalType": "TEXT", "charLength": "16777216", "byteLength": "16777216"}
    columns = {
        "ID": (pa.array(ids, pa.int64()), fixed),
        "CUSTOMER": (pa.array([i * 7919 % 50_021 for i in ids], pa.int32()), fixed),
        "AMOUNT": (
            pa.array([i * 31 % 100_000 for i in ids], pa.int32()),
            {**fixed, "precision": "12", "scale": "2"},
        ),
        "QUANTITY": (pa.array([i % 97 for i in ids], pa.int8()), {**fixed, "precision": "9"}),
        "WEIGHT": (pa.array([i / 8 for i in ids], pa.float64()), {"logicalType": "REAL"}),
        "NAME": (pa.array([f"{WORDS[i % 8]} {WORDS[i // 8 % 8]} {i}" for i in ids]), text),
        "EMAIL": (pa.array([f"contact number {i} at shop" for i in ids]), text),
        "CITY": (pa.array([WORDS[i % 5].title() for i in ids]), text),
        "STREET": (pa.array([f"{WORDS[i % 7]} street {i % 400}" for i in ids]), text),
        "NOTE": (pa.array([f"left at the {WORDS[i % 3]} door, box {i % 12}" for i in ids]), text),
    }
    fields = [
        pa.field(name, values.type, metadata={k: str(v) for k, v in meta.items()})
        for name, (values, meta) in columns.items()
    ]
    return pa.Table.from_arrays([v for v, _ in columns.values()], schema=pa.schema(fields))


def _stream(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _rowtype(table: pa.Table) -> list[dict[str, object]]:
    found = []
    for each in table.schema:
        said = {k.decode(): v.decode() for k, v in (each.metadata or {}).items()}
        fixed = said["logicalType"] == "FIXED"
        found.append(
            {
                "name": each.name,
                "database": "SHOP",
                "schema": "PUBLIC",
                "table": "",
                "type": said["logicalType"].lower(),
                "nullable": True,
                "precision": int(said["precision"]) if fixed else None,
                "scale": int(said["scale"]) if fixed else None,
                "length": 16777216 if said["logicalType"] == "TEXT" else None,
                "byteLength": 16777216 if said["logicalType"] == "TEXT" else None,
                "collation": None,
            }
        )
    return found


def _reply(table: pa.Table, *, total: int, query_id: str) -> dict[str, object]:
    return {
        "parameters": [
            {"name": "TIMEZONE", "value": "Etc/UTC"},
            {"name": "BINARY_OUTPUT_FORMAT", "value": "HEX"},
            {"name": "DATE_OUTPUT_FORMAT", "value": "YYYY-MM-DD"},
            {"name": "TIME_OUTPUT_FORMAT", "value": "HH24:MI:SS"},
            {"name": "TIMESTAMP_NTZ_OUTPUT_FORMAT", "value": "YYYY-MM-DD HH24:MI:SS.FF3"},
        ],
        "rowtype": _rowtype(table),
        "rowsetBase64": base64.b64encode(_stream(table)).decode(),
        "total": total,
        "returned": total,
        "queryId": query_id,
        "sqlState": "00000",
        "statementTypeId": 4096,
        "finalDatabaseName": "SHOP",
        "finalSchemaName": "PUBLIC",
        "finalRoleName": "HOOPWEB_ROLE",
        "finalWarehouseName": "HOOPWEB_WH",
        "numberOfBinds": 0,
        "arrayBindSupported": False,
        "version": 1,
        "queryResultFormat": "arrow",
    }


def _enveloped(data: object) -> bytes:
    whole = {"data": data, "code": None, "message": None, "success": True}
    return json.dumps(whole, separators=(",", ":")).encode()


def _answer(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


_JSON = "Content-Type: application/json"


@dataclass
class Replies:
    """All that is ever said."""

    rows: int
    places: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one = pa.table(
            [pa.array([1], pa.int8())],
            schema=pa.schema(
                [
                    pa.field(
                        "1",
                        pa.int8(),
                        metadata={"logicalType": "FIXED", "precision": "1", "scale": "0"},
                    )
                ]
            ),
        )
        self.one = _answer(_enveloped(_reply(one, total=1, query_id="01-one")), _JSON)
        wide = _reply(_table(0, 100), total=100, query_id="01-wide")
        self.wide = _answer(_enveloped(wide), _JSON)
        self.empty = _answer(_enveloped(None), _JSON)
        self._login = {
            "token": "canned-token",
            "masterToken": "canned-master",
            "validityInSeconds": 86_400,
            "masterValidityInSeconds": 86_400,
            "sessionId": 4711,
            "displayUserName": "HOOPWEB",
            "serverVersion": "9.0.0",
            "firstLogin": False,
            "healthCheckInterval": 45,
            "parameters": [
                {"name": "AUTOCOMMIT", "value": True},
                {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
                {"name": "TIMEZONE", "value": "Etc/UTC"},
            ],
            "sessionInfo": {
                "databaseName": "SHOP",
                "schemaName": "PUBLIC",
                "warehouseName": "HOOPWEB_WH",
                "roleName": "HOOPWEB_ROLE",
            },
        }
        self.login = _answer(_enveloped(self._login), _JSON)
        self.parts = []
        self._sizes = []
        for start in range(INLINE, self.rows, CHUNK):
            count = min(CHUNK, self.rows - start)
            clear = _stream(_table(start, count))
            self._sizes.append((count, len(clear)))
            self.parts.append(
                _answer(
                    gzip.compress(clear, 1),
                    "Content-Type: binary/octet-stream",
                    "Content-Encoding: gzip",
                )
            )
        self._big = _reply(_table(0, INLINE), total=self.rows, query_id="01-big")

    def big(self, host: str) -> bytes:
        """The large result, its parts under the address that was asked."""
        chunks = [
            {
                "url": f"http://{host}/parts/{place}",
                "rowCount": count,
                "uncompressedSize": size,
                "compressedSize": 0,
            }
            for place, (count, size) in enumerate(self._sizes)
        ]
        data = {**self._big, "chunks": chunks, "chunkHeaders": {"x-canned-key": "k"}}
        return _answer(_enveloped(data), _JSON)

    def to(self, target: bytes, host: str, body: bytes) -> bytes:
        """The answer to one request."""
        if target.startswith(b"/queries/v1/query-request"):
            text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
            if b"BIG" in text:
                return self.big(host)
            return self.wide if b"WIDE" in text else self.one
        if target.startswith(b"/parts/"):
            return self.parts[int(target[7:])]
        return self.login if target.startswith(b"/session/v1/login-request") else self.empty


class Server(asyncio.Protocol):
    """HTTP/1.1 with bodies of a known length, one request after the other."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end])
            length, host = 0, "127.0.0.1"
            lines = head.split(b"\r\n")
            for line in lines[1:]:
                name, _, value = line.partition(b":")
                match name.lower():
                    case b"content-length":
                        length = int(value)
                    case b"host":
                        host = value.strip().decode()
            if len(self._buffer) < end + 4 + length:
                return
            body = bytes(self._buffer[end + 4 : end + 4 + length])
            del self._buffer[: end + 4 + length]
            target = lines[0].split(b" ")[1]
            self._transport.write(self._replies.to(target, host, body))  # type: ignore[attr-defined]


async def _serve(rows: int) -> None:
    replies = Replies(rows)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(replies), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    try:
        import uvloop

        uvloop.run(_serve(given.rows))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
