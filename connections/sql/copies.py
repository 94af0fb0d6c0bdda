"""COPY INTO: files of a stage into a table, and what a query reads into files of a stage."""

import re

from sqlglot import exp

from connections.sql.names import stored
from connections.sql.relation import Value
from connections.sql.scope import Scope
from connections.sql.stages import Stage, read_stage
from connections.sql.statements import Handler, Statement

# What a file looks like. Others, and what reads or writes other objects, are not judged.
_FORMAT = re.compile(
    "TYPE|FORMAT_NAME|COMPRESSION|RECORD_DELIMITER|FIELD_DELIMITER|FILE_EXTENSION|PARSE_HEADER|"
    "SKIP_HEADER|SKIP_BLANK_LINES|DATE_FORMAT|TIME_FORMAT|TIMESTAMP_FORMAT|BINARY_FORMAT|ESCAPE|"
    "ESCAPE_UNENCLOSED_FIELD|TRIM_SPACE|FIELD_OPTIONALLY_ENCLOSED_BY|NULL_IF|"
    "ERROR_ON_COLUMN_COUNT_MISMATCH|REPLACE_INVALID_CHARACTERS|EMPTY_FIELD_AS_NULL|"
    "SKIP_BYTE_ORDER_MARK|ENCODING|STRIP_OUTER_ARRAY|STRIP_NULL_VALUES|ALLOW_DUPLICATE|"
    "ENABLE_OCTAL|IGNORE_UTF8_ERRORS|SNAPPY_COMPRESSION|BINARY_AS_TEXT|USE_LOGICAL_TYPE|"
    "USE_VECTORIZED_SCANNER|MULTI_LINE"
)
_LOADS = re.compile(
    "FILE_FORMAT|FILES|PATTERN|ON_ERROR|SIZE_LIMIT|PURGE|RETURN_FAILED_ONLY|MATCH_BY_COLUMN_NAME|"
    "ENFORCE_LENGTH|TRUNCATECOLUMNS|FORCE|LOAD_UNCERTAIN_FILES"
)
_UNLOADS = re.compile(
    "FILE_FORMAT|OVERWRITE|SINGLE|MAX_FILE_SIZE|INCLUDE_QUERY_ID|DETAILED_OUTPUT|HEADER"
)


def copy(statement: Statement, tree: exp.Expr) -> None:
    """COPY INTO a table loads; COPY INTO anything else unloads."""
    target = tree.this
    into_table = isinstance(target, (exp.Table, exp.Schema)) and isinstance(
        (target.this if isinstance(target, exp.Schema) else target).this,
        (exp.Identifier, exp.Table),
    )
    statement.statement_class = "copy-in" if into_table else "unload"
    statement.record.flags.add("stage")
    credentials = tree.args.get("credentials")
    files = tree.args.get("files") or []
    unknown = {k for k, v in tree.args.items() if v} - {
        *("this", "kind", "credentials", "files", "params")
    }
    if unknown or len(files) != 1 or not tree.args.get("kind"):
        statement.no_such("This form of COPY INTO")
        return
    if isinstance(credentials, exp.Expr) and any(credentials.args.values()):
        statement.record.refuse(
            "stage-credentials",
            "COPY INTO with credentials or an integration of its own reaches past every stage.",
            "Name a stage that an admin has made.",
        )
        return
    _options(statement, tree, _LOADS if into_table else _UNLOADS)
    if into_table:
        _load(statement, target, files[0])
    else:
        _unload(statement, target, files[0])


def _load(statement: Statement, target: exp.Expr, source: exp.Expr) -> None:
    """Every column that the files may fill is written; of what is in them nothing is known."""
    stage = _stage(statement, source)
    table = statement.known_target(target)
    if stage is None or table is None:
        return
    statement.record.reads.add(stage.name)
    statement.transfer = stage.moved("copy-in")
    names = [c.name for c in table.columns]
    chosen = [stored(c) for c in target.expressions] if isinstance(target, exp.Schema) else names
    for name in chosen:
        if name not in names:
            statement.record.refuse(
                "unknown-column", f"{table.name} has no column {name}.", "Check its spelling."
            )
        statement.write(table.name, name, Value(frozenset()))


def _unload(statement: Statement, target: exp.Expr, source: exp.Expr) -> None:
    """What goes into the files is what the query would show: masked as its rows would be."""
    stage = _stage(statement, target)
    if stage is None:
        return
    query = source
    if isinstance(source, exp.Table):
        # A table by its name is all of its rows: as a query it has a place for masks.
        source.replace(query := exp.Subquery(this=exp.Select(expressions=[exp.Star()])))
        query.this.set("from_", exp.From(this=source))
    if not isinstance(query, exp.Subquery) or {k for k, v in query.args.items() if v} - {"this"}:
        statement.no_such("COPY INTO a stage from this")
        return
    relation = statement.query(query, Scope())
    statement.emit(relation)
    statement.writes.append(stage.name)
    statement.transfer = stage.moved("unload")


def _stage(statement: Statement, node: exp.Expr) -> Stage | None:
    """The stage that a node names, spelled out in full in the tree."""
    inner = node.this if isinstance(node, exp.Table) else None
    extra = {k for k, v in node.args.items() if v} - {"this"}
    stage = None
    if isinstance(inner, (exp.Var, exp.Literal)) and not extra:
        quoted = isinstance(inner, exp.Literal) and inner.is_string
        text = f"'{inner.name}'" if quoted else inner.name
        stage = read_stage(text, statement.record.context)
    if stage is None:
        statement.record.refuse(
            "unproved-transfer",
            "COPY INTO goes between a table and a stage; this is no stage that can be told.",
            "Name it as @DATABASE.SCHEMA.STAGE/path. Queries over files and addresses outside "
            "Snowflake are not judged.",
        )
        return None
    statement.record.flags |= stage.flags
    statement.record.visited.add(id(node))
    spelled = stage.spelled()
    node.set(
        "this",
        exp.Literal.string(spelled[1:-1]) if spelled.startswith("'") else exp.Var(this=spelled),
    )
    return stage


def _options(statement: Statement, tree: exp.Expr, known: "re.Pattern[str]") -> None:
    seen: set[str] = set()
    for option in tree.args.get("params") or []:
        name = option.this.name.upper() if isinstance(option, exp.CopyParameter) else ""
        if not known.fullmatch(name) or name in seen or not _plain(name, option):
            statement.record.refuse(
                "unknown-syntax",
                f"The judge does not know {name or 'this'} in COPY INTO.",
                "Leave it out.",
            )
            return
        seen.add(name)
        given = option.args.get("expression")
        if isinstance(given, exp.Boolean) and given.this and name in {"OVERWRITE", "PURGE"}:
            statement.record.flags.add(name.lower())


def _plain(name: str, option: exp.Expr) -> bool:
    """Whether an option is words, numbers and literals only."""
    if name == "FILE_FORMAT":
        parts = option.expressions
        return bool(parts) and all(
            isinstance(part, exp.Property)
            and _FORMAT.fullmatch(part.this.name.upper())
            and _value(part.args.get("value"))
            for part in parts
        )
    return not option.expressions and _value(option.args.get("expression"))


def _value(node: exp.Expr | None) -> bool:
    if isinstance(node, (exp.Tuple, exp.Paren)):
        inner = node.expressions or [node.this]
        return all(isinstance(each, exp.Literal) for each in inner)
    if isinstance(node, (exp.Column, exp.Identifier)):
        return re.fullmatch(r"[A-Za-z0-9_]+", node.sql("snowflake")) is not None
    return isinstance(node, (exp.Var, exp.Boolean, exp.Literal))


HANDLERS: dict[type[exp.Expr], Handler] = {exp.Copy: copy}
