"""Stages of the emulator: directories on this machine, which drivers reach as a local storage.

fakesnow knows PUT, LIST and COPY INTO a table; paths, patterns, GET, REMOVE, a user's own stage and
unloading are made here, over the same directories.
"""

import csv
import gzip
import hashlib
import io
import re
import secrets
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pyarrow as pa
from fakesnow.transforms import stage as fakesnow_stage
from sqlglot import exp

from connections.sql import stages as grammar
from connections.sql.context import SessionContext
from connections.upstream.emulator.cursor import Connection
from connections.upstream.emulator.values import SqlError

PUT_TYPE, GET_TYPE, UNLOAD_TYPE = 0x7102, 0x7101, 0x3700
# Every answer carries keys as Snowflake's do. These open nothing; tests look where they turn up.
SECRET_MARK = "emulator-storage-secret"  # noqa: S105 - a mark, no secret
_OPTION = r"\b{name}\s*=\s*('(?:[^'\\]|\\.)*'|\w+)"

is_command = grammar.is_command


class Stages:
    """The files of one session's stages."""

    def __init__(self, connection: Connection, user: str) -> None:
        self._connection = connection
        self._user = user

    def run(self, sql: str) -> tuple[pa.Table | None, dict[str, Any], int]:
        """Rows, or what a driver needs to carry files; and the statement's type."""
        root, prefix, transfer = self._place(sql)
        found = _files(root, prefix, _pattern(sql))
        if transfer.direction == "put":
            return None, _upload(root / prefix.strip("/"), sql, transfer.file), PUT_TYPE
        if transfer.direction == "get":
            return None, _download(root, found, transfer.file), GET_TYPE
        named = transfer.stage.rpartition(".")[2]
        before = "" if named == "~" or named.startswith("%") else f"{named.lower()}/"
        names = [before + each.relative_to(root).as_posix() for each in found]
        if transfer.direction == "remove":
            for each in found:
                each.unlink()
            return pa.table({"name": names, "result": ["removed"] * len(names)}), {}, 0
        return _listed(names, found), {}, 0

    def unload(self, tree: exp.Expr) -> tuple[pa.Table, dict[str, Any], int]:
        """Run the query of COPY INTO @stage, and write its rows to a file."""
        text = _target(tree)
        root, prefix, _ = self._place(f"LIST '{text}'" if " " in text else f"LIST {text}")
        query = tree.args["files"][0]
        inner = query.this if isinstance(query, exp.Subquery) else exp.select("*").from_(query)
        cursor = self._connection.cursor()
        cursor.execute(inner.sql(dialect="snowflake"), server=True)
        rows: pa.Table = cursor._arrow_table  # noqa: SLF001
        options = tree.sql(dialect="snowflake")
        kind = _given(options, "TYPE") or "CSV"
        if kind.upper() != "CSV":
            raise SqlError("000603", f"The emulator unloads CSV only, not {kind}.", "XX000")
        sink = io.StringIO()
        writer = csv.writer(sink, lineterminator="\n")
        if (_given(options, "HEADER") or "").upper() == "TRUE":
            writer.writerow(rows.column_names)
        writer.writerows(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        plain = sink.getvalue().encode()
        content = gzip.compress(plain)
        name = prefix.strip("/")
        file = root / (f"{name}/data_0_0_0.csv.gz" if prefix.endswith("/") or not name else name)
        if file.suffix != ".gz":
            file = file.with_name(f"{file.name}_0_0_0.csv.gz")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        counts = (rows.num_rows, len(plain), len(content))
        names = ("rows_unloaded", "input_bytes", "output_bytes")
        return pa.table({n: [c] for n, c in zip(names, counts, strict=True)}), {}, UNLOAD_TYPE

    def _place(self, sql: str) -> tuple[Path, str, Any]:
        context = SessionContext(self._connection.database, self._connection.schema)
        facts = grammar.analyse_command(sql.strip().rstrip(";"), context, frozenset()).facts
        if facts.transfer is None:
            raise SqlError("001003", f"SQL compilation error: {facts.problems[0].text}")
        stage, path = facts.transfer.stage, facts.transfer.path.removeprefix("/")
        if stage == "~":
            storage = f"~.{self._user}.~"
        else:
            database, schema, name = stage.split(".")
            lookup = fakesnow_stage.stage_lookup_sql(
                database, schema, name, self._connection.table_stages
            )
            row = self._connection._duck_conn.execute(lookup).fetchone()  # noqa: SLF001
            if row is None:
                text = f"Stage '{stage}' does not exist or not authorized."
                raise SqlError("002003", f"SQL compilation error:\n{text}", "02000")
            storage = row[0]
        return Path(fakesnow_stage.internal_dir(storage)), path, facts.transfer


def unloads(tree: exp.Expr) -> bool:
    """Whether a statement is a COPY INTO a stage."""
    return isinstance(tree, exp.Copy) and _target(tree).startswith("@")


def _target(tree: exp.Expr) -> str:
    target = tree.this.this if isinstance(tree.this, exp.Table) else None
    return target.name if isinstance(target, (exp.Var, exp.Literal)) else ""


def _given(sql: str, name: str) -> str | None:
    match = re.search(_OPTION.format(name=name), sql, re.IGNORECASE)
    return match[1].strip("'") if match is not None else None


def _pattern(sql: str) -> "re.Pattern[str] | None":
    given = _given(sql, "PATTERN")
    return re.compile(given.replace("\\\\", "\\")) if given is not None else None


def _files(root: Path, prefix: str, pattern: "re.Pattern[str] | None") -> list[Path]:
    every = sorted(each for each in root.rglob("*") if each.is_file())
    return [
        each
        for each in every
        if each.relative_to(root).as_posix().startswith(prefix)
        and (pattern is None or pattern.fullmatch(each.relative_to(root).as_posix()))
    ]


def _storage(location: Path) -> dict[str, Any]:
    secret = f"{SECRET_MARK}-{secrets.token_hex(12)}"
    return {
        "locationType": "LOCAL_FS",
        "location": str(location),
        "path": "",
        "region": "local",
        "endPoint": None,
        "storageAccount": None,
        "presignedUrl": None,
        "isClientSideEncrypted": False,
        "creds": {"AWS_KEY_ID": secret, "AWS_SECRET_KEY": secret, "AWS_TOKEN": secret},
    }


def _upload(location: Path, sql: str, file: str) -> dict[str, Any]:
    location.mkdir(parents=True, exist_ok=True)
    compressed = (_given(sql, "AUTO_COMPRESS") or "TRUE").upper() == "TRUE"
    return {
        "command": "UPLOAD",
        "operation": "Node",
        "kind": None,
        "src_locations": [file.removeprefix("file://")],
        "parallel": int(_given(sql, "PARALLEL") or 4),
        "threshold": 209_715_200,
        "autoCompress": compressed,
        "overwrite": (_given(sql, "OVERWRITE") or "").upper() == "TRUE",
        "sourceCompression": (_given(sql, "SOURCE_COMPRESSION") or "auto_detect").lower(),
        "clientShowEncryptionParameter": False,
        "presignedUrls": None,
        "encryptionMaterial": None,
        "stageInfo": _storage(location),
    }


def _download(root: Path, found: list[Path], file: str) -> dict[str, Any]:
    return {
        "command": "DOWNLOAD",
        "operation": "Node",
        "kind": None,
        "src_locations": [each.relative_to(root).as_posix() for each in found],
        "localLocation": file.removeprefix("file://"),
        "parallel": 4,
        "clientShowEncryptionParameter": False,
        "presignedUrls": None,
        "encryptionMaterial": None,
        "stageInfo": _storage(root),
    }


def _listed(names: list[str], found: list[Path]) -> pa.Table:
    return pa.table(
        {
            "name": pa.array(names, pa.string()),
            "size": pa.array([each.stat().st_size for each in found], pa.int64()),
            "md5": pa.array(
                [hashlib.md5(each.read_bytes()).hexdigest() for each in found],  # noqa: S324
                pa.string(),
            ),
            "last_modified": pa.array(
                [formatdate(each.stat().st_mtime, usegmt=True) for each in found], pa.string()
            ),
        }
    )
