"""Statements about the session itself, which DuckDB knows nothing of."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from fakesnow.dialect import parse_one
from sqlglot import Expr, exp

_HISTORY = re.compile(r"^QUERY_HISTORY(_BY_(SESSION|USER|WAREHOUSE))?$")
# There are none here; dbt asks, and goes by these columns.
_FUNCTIONS = re.compile(r"\s*SHOW\s+USER\s+FUNCTIONS\b", re.IGNORECASE)
_NO_FUNCTIONS = """SELECT '' AS "created_on", '' AS "name", '' AS "schema_name",
    '' AS "is_builtin", '' AS "arguments", '' AS "description", '' AS "catalog_name"
    WHERE 1 = 0"""
HISTORY_RELATION = "_EMULATOR_QUERY_HISTORY"


@dataclass(slots=True)
class Context:
    """What a session says about itself."""

    user: str
    role: str
    warehouse: str | None
    account: str
    session_id: int
    last_query_id: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    # Temporary tables, as they are named in full: DuckDB has one place for all of them.
    temporary: set[tuple[str, str, str]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement ready for the engine; ``sql`` is as given unless it had to change."""

    sql: str
    tree: Expr
    history_limit: int | None = None
    wait_seconds: float = 0.0
    temporary: Expr | None = None  # the table that ends with the session


def prepare(sql: str, context: Context) -> Prepared:
    """Fill in what only the session knows. Raises fakesnow's own error for bad syntax."""
    tree = parse_one(sql)
    if isinstance(tree, exp.Command) and _FUNCTIONS.match(sql):
        sql = _NO_FUNCTIONS
        tree = parse_one(sql)
    answers: dict[type[Expr], Callable[[], str | None]] = {
        exp.CurrentUser: lambda: context.user,
        exp.CurrentRole: lambda: context.role,
        exp.CurrentWarehouse: lambda: context.warehouse,
        exp.CurrentAccount: lambda: context.account,
        exp.CurrentSession: lambda: str(context.session_id),
    }
    limit: int | None = None
    wait = 0.0
    changed = False
    for node in list(tree.walk()):
        answer = answers.get(type(node))
        if answer is not None:
            _replace(node, _literal(answer()))
            changed = True
        elif isinstance(node, exp.Parameter) and (column := _column(node)) is not None:
            node.replace(column)
            changed = True
        elif isinstance(node, exp.Anonymous) and node.name.upper() == "LAST_QUERY_ID":
            _replace(node, _literal(context.last_query_id))
            changed = True
        elif isinstance(node, exp.Anonymous) and node.name.upper() == "SYSTEM$CANCEL_ALL_QUERIES":
            _replace(node, _literal("0 queries canceled"))
            changed = True
        elif isinstance(node, exp.Anonymous) and node.name.upper() == "SYSTEM$WAIT":
            wait = _wait_seconds(node)
            _replace(node, _literal(f"waited {wait:g} seconds"))
            changed = True
        elif isinstance(node, exp.TableFromRows) and (call := _history_call(node)) is not None:
            limit = _history_limit(call)
            _replace(node, _history_table(node))
            changed = True
    temporary = _temporary(tree)
    changed = changed or temporary is not None
    text = tree.sql(dialect="snowflake") if changed else sql
    return Prepared(text, tree, limit, wait, temporary)


def _column(node: exp.Parameter) -> Expr | None:
    """The column that ``$1`` is, where rows are written out: DuckDB would take it for a bind."""
    select = node.find_ancestor(exp.Select)
    source = select.args.get("from_") if select is not None else None
    if not node.name.isdigit() or source is None or not isinstance(source.this, exp.Values):
        return None
    return exp.column(f"COLUMN{node.name}", quoted=True)


def _temporary(tree: Expr) -> Expr | None:
    """DuckDB has temporary tables in a place of their own only, Snowflake in any schema: here one
    is an ordinary table, which the session drops at its end.
    """
    if not isinstance(tree, exp.Create) or str(tree.args.get("kind")).upper() != "TABLE":
        return None
    properties = tree.args.get("properties")
    found = properties.find(exp.TemporaryProperty) if properties is not None else None
    name = tree.find(exp.Table)
    if found is None or name is None or not name.args.get("db"):
        return None
    found.pop()
    return name.copy()


def take_context(tree: Expr, context: Context) -> bool:
    """Apply USE ROLE, USE WAREHOUSE and ALTER SESSION. True when there is no more to do."""
    if isinstance(tree, exp.Use):
        kind = str(
            getattr(tree.args.get("kind"), "name", "") or tree.args.get("kind") or ""
        ).upper()
        name = tree.this.name if tree.this is not None else ""
        if kind == "ROLE":
            context.role = _stored(tree.this)
            return True
        if kind == "WAREHOUSE":
            context.warehouse = _stored(tree.this)
            return True
        return kind == "SECONDARY ROLES" and bool(name)
    if isinstance(tree, exp.Alter) and str(tree.args.get("kind")).upper() == "SESSION":
        return _alter_session(tree, context)
    return False


def _alter_session(tree: exp.Alter, context: Context) -> bool:
    change = tree.find(exp.AlterSession)
    if change is None:
        return False
    handled = True
    for item in change.args.get("expressions") or []:
        pair = item.this if isinstance(item, exp.SetItem) else item
        name = (pair.this.name if isinstance(pair, exp.EQ) else item.name).upper()
        if name in {"AUTOCOMMIT", "QUOTED_IDENTIFIERS_IGNORE_CASE"}:
            handled = False  # the engine has to know these
        elif isinstance(pair, exp.EQ):
            context.parameters[name] = pair.expression.name or pair.expression.sql()
        else:
            context.parameters.pop(name, None)
    return handled


def _stored(node: Expr) -> str:
    identifier = node.find(exp.Identifier)
    if identifier is None:
        return node.name.upper()
    return identifier.name if identifier.quoted else identifier.name.upper()


def _replace(node: Expr, new: Expr) -> None:
    # A projection keeps the name that it would have had.
    if isinstance(node.parent, exp.Select) and node.arg_key == "expressions":
        new = exp.alias_(new, node.sql(dialect="snowflake"), quoted=True)
    node.replace(new)


def _literal(value: str | None) -> Expr:
    return exp.Literal.string(value) if value is not None else exp.Null()


def _wait_seconds(node: exp.Anonymous) -> float:
    amount = float(node.expressions[0].name)
    unit = node.expressions[1].name.upper() if len(node.expressions) > 1 else "SECONDS"
    return amount * {"MILLISECONDS": 0.001, "SECONDS": 1, "MINUTES": 60}.get(unit, 1)


def _history_call(node: exp.TableFromRows) -> exp.Anonymous | None:
    inner = node.this
    if isinstance(inner, exp.Dot):
        inner = inner.expression
    if isinstance(inner, exp.Anonymous) and _HISTORY.match(inner.name.upper()):
        return inner
    return None


def _history_limit(call: exp.Anonymous) -> int:
    """The function looks at the newest rows only, before any WHERE: 100 unless told."""
    for argument in call.expressions:
        if isinstance(argument, exp.Kwarg) and argument.this.name.upper() == "RESULT_LIMIT":
            return max(1, min(int(argument.expression.name), 10_000))
    return 100


def _history_table(node: exp.TableFromRows) -> exp.Table:
    alias = node.args.get("alias")
    return exp.Table(
        this=exp.to_identifier(HISTORY_RELATION),
        db=exp.to_identifier("MAIN"),
        catalog=exp.to_identifier("TEMP"),
        alias=alias.copy() if alias is not None else None,
    )
