"""The database behind the emulator: fakesnow over DuckDB files, one per Snowflake database."""

import contextlib
import re
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import duckdb
import fakesnow.info_schema
import pyarrow as pa
import snowflake.connector.errors
from fakesnow.instance import GLOBAL_DATABASE_NAME, FakeSnow
from fakesnow.rowtype import describe_as_rowtype
from fakesnow.statement_type import DML_TYPE_IDS, statement_type_id
from fakesnow.transforms import show
from sqlglot import Expr, exp

from connections.upstream.emulator import information, stages
from connections.upstream.emulator.bindings import Parameters, to_parameters
from connections.upstream.emulator.cursor import Connection
from connections.upstream.emulator.dialect import (
    HISTORY_RELATION,
    Context,
    Prepared,
    prepare,
    take_context,
)
from connections.upstream.emulator.types_of import rowtype_of
from connections.upstream.emulator.users import Keys
from connections.upstream.emulator.values import UNKNOWN_TYPE, Outcome, SqlError

_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_$]*$")
_RESULTS_KEPT = 100
_RESULT_BYTES_KEPT = 512 * 1024 * 1024
_NOT_THE_USERS = {GLOBAL_DATABASE_NAME, "memory", "SNOWFLAKE"}


class _Recent(OrderedDict[str, tuple[Any, ...]]):
    """fakesnow remembers every result for ever; this remembers the last ones."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._size = 0

    def __setitem__(self, key: str, value: tuple[Any, ...]) -> None:
        with self._lock:
            super().__setitem__(key, value)
            self._size += value[0].nbytes
            while len(self) > 1 and (len(self) > _RESULTS_KEPT or self._size > _RESULT_BYTES_KEPT):
                oldest = next(iter(self))
                self._size -= super().__getitem__(oldest)[0].nbytes
                super().__delitem__(oldest)

    def rename(self, old: str, new: str) -> None:
        with self._lock:
            if old in self:
                super().__setitem__(new, super().__getitem__(old))
                super().__delitem__(old)


class Engine(FakeSnow):
    """All databases of one directory. DuckDB lets one process at a time have them open."""

    def __init__(self, directory: Path | None, *, threads: int = 2) -> None:
        # Not super().__init__: that would keep stages, comments and text lengths in memory only.
        self.create_database_on_connect = False
        self.create_schema_on_connect = False
        self.db_path = directory
        self.nop_regexes = None
        self.results = _Recent()
        self.results_cache = self.results  # fakesnow's name for it
        self.directory = directory
        self.keys: Keys | None = None
        # Snowflake lets writers of one table wait for each other; DuckDB makes the second fail.
        self.writing = threading.Lock()
        self.duck_conn = duckdb.connect(
            ":memory:", config={"lambda_syntax": "ENABLE_SINGLE_ARROW", "threads": threads}
        )
        where = ":memory:"
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            where = str(directory / f"{GLOBAL_DATABASE_NAME}.duckdb")
        try:
            self.duck_conn.execute(f"ATTACH '{_quoted(where)}' AS {GLOBAL_DATABASE_NAME}")
        except duckdb.IOException as error:
            raise SystemExit(
                f"{directory} is in use by another emulator: stop that one, or give --data another "
                f"directory. DuckDB says: {error}"
            ) from error
        self.duck_conn.execute(fakesnow.info_schema.fs_global_creation_sql())
        self.duck_conn.execute(show.fs_global_creation_sql())
        self.duck_conn.execute(information.global_creation_sql())
        self.duck_conn.execute("SET GLOBAL TimeZone = 'UTC'")
        for file in sorted(directory.glob("*.db")) if directory is not None else []:
            self.create_database(file.stem)

    def create_database(self, name: str) -> None:
        """Attach the database ``name``, made when it is new."""
        if not _IDENTIFIER.match(name):
            raise SqlError("001003", f"{name!r} is no plain database name.")
        opener = Connection(
            self.duck_conn.cursor(), self.results_cache, database=name, db_path=self.db_path
        )
        opener._duck_conn.execute(information.database_creation_sql(name.upper()))  # noqa: SLF001
        opener.close()

    def databases(self) -> set[str]:
        found = self.duck_conn.cursor().execute(
            "SELECT database_name FROM duckdb_databases() WHERE NOT internal"
        )
        return {name for (name,) in found.fetchall()} - _NOT_THE_USERS

    def connection(self, database: str | None, schema: str | None = None) -> Connection:
        """A connection of its own for one session; unknown names leave nothing current."""
        known = database is not None and database.upper() in self.databases()
        return Connection(
            self.duck_conn.cursor(),
            self.results_cache,
            database if known else None,
            schema if known else None,
            create_database=False,
            create_schema=False,
            db_path=self.db_path,
        )

    def close(self) -> None:
        with contextlib.suppress(duckdb.Error):
            self.duck_conn.close()


def _quoted(text: str) -> str:
    return text.replace("'", "''")


class EngineSession:
    """One session's connection: runs one statement at a time, and can be interrupted."""

    def __init__(
        self, engine: Engine, context: Context, database: str | None, schema: str | None
    ) -> None:
        self.engine = engine
        self.context = context
        self.connection = engine.connection(database, schema)
        self._stages = stages.Stages(self.connection, context.user)
        self._one_at_a_time = threading.Lock()
        self._running: str | None = None
        self._temporary: list[str] = []

    def interrupt(self, query_id: str) -> None:
        """Stop ``query_id`` if it is the one that runs; harmless otherwise."""
        if self._running == query_id:
            self.connection._duck_conn.interrupt()  # noqa: SLF001

    def close(self) -> None:
        with self._one_at_a_time, contextlib.suppress(duckdb.Error):
            for name in self._temporary:
                with contextlib.suppress(snowflake.connector.errors.Error, duckdb.Error):
                    self.connection.cursor().execute(f"DROP TABLE IF EXISTS {name}")
            self.connection.close()

    def run(
        self,
        query_id: str,
        sql: str,
        *,
        bindings: dict[str, Any] | None,
        aborted: threading.Event,
        history: pa.Table | None = None,
        describe_only: bool = False,
    ) -> Outcome:
        """Run one statement to its end. Blocks; raises ``SqlError``."""
        with self._one_at_a_time:
            if aborted.is_set():
                raise _cancelled()
            self._running = query_id
            try:
                outcome = self._run(
                    query_id,
                    sql,
                    parameters=to_parameters(bindings),
                    aborted=aborted,
                    history=history,
                    describe_only=describe_only,
                )
            except snowflake.connector.errors.Error as error:
                raise _as_sql_error(error) from error
            except duckdb.InterruptException as error:
                raise _cancelled() from error
            except duckdb.TransactionException as error:
                # Snowflake would wait for the other transaction; DuckDB gives up at once.
                raise SqlError("000625", str(error).split("\n", 1)[0], "57014") from error
            except duckdb.Error as error:
                raise SqlError("100038", str(error).split("\n", 1)[0], "22000") from error
            except RecursionError as error:
                raise SqlError("001003", "The statement is nested too deeply.") from error
            finally:
                self._running = None
            self.context.last_query_id = query_id
            return outcome

    def _run(
        self,
        query_id: str,
        sql: str,
        *,
        parameters: Parameters,
        aborted: threading.Event,
        history: pa.Table | None,
        describe_only: bool,
    ) -> Outcome:
        if self.engine.keys and (found := self.engine.keys.run(sql, self.context.role)):
            return self._outcome(table=found, rowtype=rowtype_of(found), type_id=UNKNOWN_TYPE)
        if stages.is_command(sql):
            return self._filed(self._stages.run(sql))
        prepared = prepare(sql, self.context)
        if prepared.wait_seconds and aborted.wait(prepared.wait_seconds):
            raise _cancelled()
        if prepared.history_limit is not None and history is not None:
            recent = history.slice(0, prepared.history_limit)
            self.connection._duck_conn.register(HISTORY_RELATION, recent)  # noqa: SLF001
        if take_context(prepared.tree, self.context):
            return self._status()
        if describe_only:
            return self._describe(prepared)
        if stages.unloads(prepared.tree):
            return self._filed(self._stages.unload(prepared.tree))
        return self._answer(prepared, parameters, query_id, sql)

    def _answer(
        self, prepared: Prepared, parameters: Parameters, query_id: str, sql: str
    ) -> Outcome:
        type_id = statement_type_id(prepared.tree)
        writes = not isinstance(prepared.tree, exp.Query | exp.Show | exp.Describe)
        with self.engine.writing if writes else contextlib.nullcontext():
            cursor, affected = self._execute(prepared, parameters)
        if prepared.temporary is not None:
            self._temporary.append(prepared.temporary.sql(dialect="snowflake"))
        self._after(prepared.tree, sql)
        table: pa.Table = cursor._arrow_table  # noqa: SLF001
        if len(parameters.rows) > 1:
            table = pa.table([pa.array([affected])], names=table.column_names[:1])
        # RESULT_SCAN and LAST_QUERY_ID speak of the id that the client was given.
        self.engine.results.rename(cursor.sfqid or "", query_id)
        try:
            described = describe_as_rowtype(cursor._describe_last_sql())  # noqa: SLF001
            rowtype = [dict(column) for column in described]
        except NotImplementedError:
            rowtype = rowtype_of(table)
        return self._outcome(
            table=table,
            rowtype=rowtype,
            type_id=type_id,
            is_dml=type_id in DML_TYPE_IDS,
            affected=affected,
        )

    def _filed(self, found: tuple[pa.Table | None, dict[str, Any], int]) -> Outcome:
        """What became of a statement about files: rows, or a driver's orders."""
        rows, carried, type_id = found
        table = rows if rows is not None else pa.table({})
        return self._outcome(
            table=table,
            rowtype=rowtype_of(table),
            type_id=type_id,
            extra={"carried": carried} if carried else {},
        )

    def _execute(self, prepared: Prepared, parameters: Parameters) -> tuple[Any, int]:
        cursor = self.connection.cursor()
        affected = 0
        for row in parameters.rows:
            cursor.execute(prepared.sql, binding_params=row, server=True)
            affected += cursor.rowcount or 0
        return cursor, affected

    def _describe(self, prepared: Prepared) -> Outcome:
        cursor = self.connection.cursor()
        found = cursor._describe_only(prepared.sql)  # noqa: SLF001
        rowtype = describe_as_rowtype(found) if found is not None else []
        return self._outcome(
            table=pa.table({column["name"]: pa.array([], pa.string()) for column in rowtype}),
            rowtype=[dict(column) for column in rowtype],
            type_id=statement_type_id(prepared.tree),
        )

    def _after(self, tree: Expr, sql: str) -> None:
        """Keep what Snowflake keeps and DuckDB does not: a view's own text."""
        information.after(self.connection, tree, sql)

    def _status(self) -> Outcome:
        return self._outcome(
            table=pa.table({"status": ["Statement executed successfully."]}),
            rowtype=rowtype_of(pa.table({"status": pa.array([], pa.string())})),
            type_id=UNKNOWN_TYPE,
        )

    def _outcome(self, **known: Any) -> Outcome:
        return Outcome(
            **known,
            database=self.connection.database,
            schema=self.connection.schema,
            role=self.context.role,
            warehouse=self.context.warehouse,
        )


def _cancelled() -> SqlError:
    return SqlError("000604", "SQL execution canceled", "57014")


def _as_sql_error(error: snowflake.connector.errors.Error) -> SqlError:
    number = error.errno if isinstance(error.errno, int) and error.errno > 0 else 2043
    return SqlError(f"{number:06d}", error.raw_msg or str(error), error.sqlstate or "42000")
