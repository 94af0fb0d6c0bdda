"""Statements about the session itself: USE, SET, SHOW, DESCRIBE, EXPLAIN, CALL, transactions."""

import re

from sqlglot import exp

from connections.sql.ddl import alter
from connections.sql.facts import SessionChange, Use
from connections.sql.names import stored
from connections.sql.relation import Out
from connections.sql.scope import Scope
from connections.sql.statements import Handler, Statement
from connections.sql.syntax import parse

_SETTINGS = frozenset(
    {
        "AUTOCOMMIT",
        "BINARY_INPUT_FORMAT",
        "BINARY_OUTPUT_FORMAT",
        "CLIENT_RESULT_COLUMN_CASE_INSENSITIVE",
        "CLIENT_SESSION_KEEP_ALIVE",
        "CLIENT_TIMESTAMP_TYPE_MAPPING",
        "DATE_INPUT_FORMAT",
        "DATE_OUTPUT_FORMAT",
        "ERROR_ON_NONDETERMINISTIC_MERGE",
        "GEOGRAPHY_OUTPUT_FORMAT",
        "GEOMETRY_OUTPUT_FORMAT",
        "JSON_INDENT",
        "QUERY_TAG",
        "ROWS_PER_RESULTSET",
        "TIMESTAMP_DAY_IS_ALWAYS_24H",
        "TIMESTAMP_INPUT_FORMAT",
        "TIMESTAMP_LTZ_OUTPUT_FORMAT",
        "TIMESTAMP_NTZ_OUTPUT_FORMAT",
        "TIMESTAMP_OUTPUT_FORMAT",
        "TIMESTAMP_TYPE_MAPPING",
        "TIMESTAMP_TZ_OUTPUT_FORMAT",
        "TIMEZONE",
        "TIME_INPUT_FORMAT",
        "TIME_OUTPUT_FORMAT",
        "TWO_DIGIT_CENTURY_START",
        "USE_CACHED_RESULT",
        "WEEK_OF_YEAR_POLICY",
        "WEEK_START",
    }
)
_COLUMNS = ("TYPE", "COLUMNS")
_SHOWN = frozenset(
    {
        "TABLES",
        "VIEWS",
        "SCHEMAS",
        "DATABASES",
        "COLUMNS",
        "OBJECTS",
        "PRIMARY KEYS",
        "UNIQUE KEYS",
        "IMPORTED KEYS",
        "USER FUNCTIONS",
    }
)
_FUNCTIONS = re.compile(r"\s*USER\s+FUNCTIONS\s+IN\s+(?:SCHEMA\s+)?([\w$.\"]+)\s*", re.IGNORECASE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def use(statement: Statement, tree: exp.Expr) -> None:
    kind = tree.args.get("kind")
    what = (kind.name if isinstance(kind, exp.Expr) else str(kind or "DATABASE")).upper()
    if not kind and isinstance(tree.this, exp.Table) and tree.this.args.get("db"):
        what = "SCHEMA"
    statement.statement_class = f"use-{what.lower().replace(' ', '-')}"
    _place(statement, what, tree.this)
    if what not in {"DATABASE", "SCHEMA", "WAREHOUSE", "ROLE"}:
        statement.record.refuse(
            "not-judged",
            f"USE {what} widens what the session may do.",
            "Work with the connection's own role.",
        )


def _place(statement: Statement, what: str, node: exp.Expr | None) -> None:
    parts = [p for p in (node.args.get("db"), node.this) if p] if node is not None else []
    if not all(isinstance(p, exp.Identifier) for p in parts) or not parts:
        if what in {"DATABASE", "SCHEMA"}:
            statement.no_such(f"USE {what} without a plain name")
        return
    if what == "DATABASE":
        statement.changes.append(SessionChange("database", stored(parts[-1])))
    elif what == "SCHEMA":
        if len(parts) > 1:
            statement.changes.append(SessionChange("database", stored(parts[0])))
        statement.changes.append(SessionChange("schema", stored(parts[-1])))


def _variables(statement: Statement, pair: exp.Expr) -> None:
    names, given = [pair.this], [pair.args["expression"]]
    if isinstance(pair.this, exp.Tuple):
        names = pair.this.expressions
        given = given[0].expressions if isinstance(given[0], exp.Tuple) else []
    for i, name in enumerate(names):
        known = _literal(given[i]) if i < len(given) else None
        key = name.name.upper() if isinstance(name, exp.Column) else stored(name)
        statement.changes.append(SessionChange("variable", key, known))


def _literal(node: exp.Expr) -> str | int | float | bool | None:
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Literal):
        if node.is_string:
            return str(node.this)
        return float(node.this) if "." in node.this or "e" in node.this.lower() else int(node.this)
    return None


def set_variable(statement: Statement, tree: exp.Expr) -> None:
    statement.statement_class = "set"
    if tree.args.get("tag"):
        statement.no_such("SET TAG")
    for item in tree.expressions:
        pair = item.this
        if not isinstance(pair, exp.EQ):
            if not tree.args.get("unset"):
                statement.no_such("This form of SET")
            continue
        value = statement.value(pair.args["expression"], Scope())
        statement.outputs = (*statement.outputs, Out("", value))
        statement.row_uses |= value.used(Use.ARGUMENT, "SET")
        _variables(statement, pair)
    if statement.outputs:
        statement.record.flags.add("session-variable")


def alter_or_session(statement: Statement, tree: exp.Expr) -> None:
    if str(tree.args.get("kind") or "").upper() != "SESSION":
        alter(statement, tree)
        return
    statement.statement_class = "alter-session"
    for action in tree.args.get("actions") or []:
        for item in action.expressions:
            pair = item.this
            name = pair.this if isinstance(pair, exp.EQ) else pair
            key = (name.name if isinstance(name, exp.Expr) else str(name)).upper()
            if key not in _SETTINGS:
                statement.record.refuse(
                    "session-setting",
                    f"The session setting {key} is not one that an agent may change.",
                    "Formats, time zone, week settings and QUERY_TAG may be set.",
                )
            given = _literal(pair.expression) if isinstance(pair, exp.EQ) else None
            statement.changes.append(SessionChange("parameter", key, given))


def listed(text: str) -> exp.Expr | None:
    """What stands after SHOW, where that is ``USER FUNCTIONS IN`` a schema: the parser does not
    know it. It lists names and signatures, and dbt asks for it before each run.
    """
    match = _FUNCTIONS.fullmatch(_COMMENT.sub(" ", text))
    if match is None:
        return None
    (tree,) = parse(f"SHOW OBJECTS IN SCHEMA {match[1]}")
    if not isinstance(tree, exp.Show):
        return None
    tree.set("this", "USER FUNCTIONS")
    return tree


def show(statement: Statement, tree: exp.Expr) -> None:
    statement.statement_class = "show"
    if str(tree.this).upper() not in _SHOWN:
        statement.record.refuse(
            "not-judged",
            f"SHOW {tree.this} is not judged.",
            "SHOW lists DATABASES, SCHEMAS, TABLES, VIEWS, COLUMNS and keys.",
        )


def describe(statement: Statement, tree: exp.Expr) -> None:
    statement.statement_class = "describe"
    kind = str(tree.args.get("kind") or "TABLE").upper()
    extra = {k for k, v in tree.args.items() if v} - {"this", "kind"}
    # The columns are what is told anyway; the other type is about stages.
    if [(e.name.upper(), e.text("value").upper()) for e in tree.expressions] == [_COLUMNS]:
        extra -= {"expressions"}
    if kind not in {"TABLE", "VIEW"} or extra or not isinstance(tree.this, exp.Table):
        statement.record.refuse(
            "not-judged", f"DESCRIBE {kind} is not judged.", "DESCRIBE takes a TABLE or a VIEW."
        )
        return
    scan = statement.scan(tree.this)
    if scan is not None:
        statement.targets.add(scan.index)


def transaction(statement: Statement, tree: exp.Expr) -> None:
    statement.statement_class = "transaction"
    if any(v for v in tree.args.values()):
        statement.no_such("This form of a transaction statement")


def closed(statement_class: str, text: str, way_out: str) -> Handler:
    """A handler for what is never judged further."""

    def handler(statement: Statement, _tree: exp.Expr) -> None:
        statement.statement_class = statement_class
        if statement_class in {"put", "get", "list"}:
            statement.record.flags.add("stage")
        statement.record.refuse("not-judged", text, way_out)

    return handler


HANDLERS: dict[type[exp.Expr], Handler] = {
    exp.Use: use,
    exp.Set: set_variable,
    exp.Alter: alter_or_session,
    exp.Show: show,
    exp.Describe: describe,
    exp.Transaction: transaction,
    exp.Commit: transaction,
    exp.Rollback: transaction,
    exp.Grant: closed("grant", "GRANT changes who may do what.", "Ask an admin."),
    exp.Revoke: closed("revoke", "REVOKE changes who may do what.", "Ask an admin."),
    # What connections.sql.stages does not read, such as one behind a comment.
    exp.Put: closed("put", "PUT uploads a file.", "Write PUT first, without comments."),
    exp.Get: closed("get", "GET takes files out of Snowflake.", "Write GET first."),
    exp.ListStage: closed("list", "LIST reads a stage.", "Write LIST first, without comments."),
}
