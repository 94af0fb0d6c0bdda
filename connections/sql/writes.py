"""INSERT, UPDATE, DELETE, MERGE and TRUNCATE: what each reads, writes and copies."""

from sqlglot import exp

from connections.sql.catalogue import Table
from connections.sql.facts import Use
from connections.sql.names import stored
from connections.sql.scope import Scope
from connections.sql.statements import Handler, Statement


def _only(statement: Statement, tree: exp.Expr, *known: str) -> None:
    unknown = {k for k, v in tree.args.items() if v} - set(known)
    if unknown:
        statement.record.refuse(
            "unknown-syntax",
            f"The judge does not know {', '.join(sorted(unknown))} in this statement.",
            "Leave it out.",
        )


def _target_columns(statement: Statement, node: exp.Expr, table: Table) -> list[str]:
    names = [c.name for c in table.columns]
    if not isinstance(node, exp.Schema):
        return names
    chosen = [stored(c.this if isinstance(c, exp.Column) else c) for c in node.expressions]
    for name in chosen:
        if name not in names:
            statement.record.refuse(
                "unknown-column", f"{table.name} has no column {name}.", "Check its spelling."
            )
    return chosen


def insert(statement: Statement, tree: exp.Expr) -> None:
    statement.statement_class = "insert"
    _only(statement, tree, "this", "expression", "overwrite", "with_")
    if tree.args.get("overwrite"):
        statement.record.flags |= {"overwrite", "no-predicate"}
    scope = Scope()
    statement.with_clause(tree, scope)
    table = statement.known_target(tree.this)
    source = tree.args.get("expression")
    if source is None or table is None:
        if source is not None:
            statement.query(source, scope)
        else:
            statement.no_such("INSERT without a query or VALUES")
        return
    relation = statement.query(source, scope)
    columns = _target_columns(statement, tree.this, table)
    statement.copy_relation(table.name, columns, relation)


def multi_insert(statement: Statement, tree: exp.Expr) -> None:
    statement.statement_class = "insert"
    _only(statement, tree, "expressions", "kind", "source", "with_")
    scope = Scope()
    statement.with_clause(tree, scope)
    relation = statement.query(tree.args["source"], scope)
    statement.row_uses |= relation.uses
    every = [c.value for c in relation.columns]
    for branch in tree.expressions:
        if branch.args.get("expression") is not None:
            for value in every:
                statement.row_uses |= value.used(Use.FILTERED)
        into = branch.this
        table = statement.known_target(into.this if isinstance(into, exp.Insert) else into)
        if table is None:
            continue
        for column in table.columns:
            for value in every:
                statement.write(table.name, column.name, value)


def update(statement: Statement, tree: exp.Expr) -> None:
    statement.statement_class = "update"
    _only(statement, tree, "this", "expressions", "from_", "where", "with_")
    scope = Scope()
    statement.with_clause(tree, scope)
    table = statement.known_target(tree.this)
    if table is None:
        return
    statement.target_source(table, tree.this, scope)
    origin = tree.args.get("from_")
    if origin is not None:
        statement.from_item(origin.this, scope)
    for item in tree.expressions:
        _assign(statement, item, table, scope)
    _where(statement, tree, scope)


def _assign(statement: Statement, item: exp.Expr, table: Table, scope: Scope) -> None:
    if not isinstance(item, exp.EQ) or not isinstance(item.this, exp.Column):
        statement.record.refuse("unknown-syntax", "SET takes COLUMN = expression.")
        return
    name = stored(item.this.this)
    if all(c.name != name for c in table.columns):
        statement.record.refuse(
            "unknown-column", f"{table.name} has no column {name}.", "Check its spelling."
        )
    statement.write(table.name, name, statement.value(item.args["expression"], scope))


def _where(statement: Statement, tree: exp.Expr, scope: Scope) -> None:
    where = tree.args.get("where")
    if where is None:
        statement.record.flags.add("no-predicate")
        return
    if is_always_true(where.this):
        statement.record.flags.add("tautology")
    statement.row_uses |= statement.value(where.this, scope).used(Use.FILTERED)


def delete(statement: Statement, tree: exp.Expr) -> None:
    statement.statement_class = "delete"
    _only(statement, tree, "this", "using", "where", "with_")
    scope = Scope()
    statement.with_clause(tree, scope)
    table = statement.known_target(tree.this)
    if table is None:
        return
    statement.target_source(table, tree.this, scope)
    for item in tree.args.get("using") or []:
        statement.from_item(item, scope)
    _where(statement, tree, scope)


def merge(statement: Statement, tree: exp.Expr) -> None:
    statement.statement_class = "merge"
    _only(statement, tree, "this", "using", "on", "whens", "with_")
    scope = Scope()
    statement.with_clause(tree, scope)
    table = statement.known_target(tree.this)
    if table is None:
        return
    statement.target_source(table, tree.this, scope)
    statement.from_item(tree.args["using"], scope)
    condition = tree.args["on"]
    if is_always_true(condition):
        statement.record.flags.add("tautology")
    statement.row_uses |= statement.value(condition, scope).used(Use.JOINED)
    for when in tree.args["whens"].expressions:
        if when.args.get("condition") is not None:
            condition = statement.value(when.args["condition"], scope)
            statement.row_uses |= condition.used(Use.FILTERED)
        _action(statement, when.args["then"], table, scope)


def _action(statement: Statement, then: exp.Expr, table: Table, scope: Scope) -> None:
    if isinstance(then, exp.Update):
        for item in then.expressions:
            _assign(statement, item, table, scope)
    elif isinstance(then, exp.Insert):
        named = then.this.expressions if isinstance(then.this, exp.Tuple) else []
        columns = [stored(c.this if isinstance(c, exp.Column) else c) for c in named]
        columns = columns or [c.name for c in table.columns]
        given = then.args.get("expression")
        values = given.expressions if isinstance(given, exp.Tuple) else []
        if len(values) != len(columns):
            statement.record.refuse("column-count", "INSERT in MERGE has uneven columns.")
        for column, value in zip(columns, values, strict=False):
            statement.write(table.name, column, statement.value(value, scope))
    elif not (isinstance(then, exp.Var) and then.name.upper() == "DELETE"):
        statement.record.refuse("unknown-syntax", "MERGE takes UPDATE, DELETE or INSERT.")


def truncate(statement: Statement, tree: exp.Expr) -> None:
    statement.statement_class = "truncate"
    _only(statement, tree, "expressions", "exists")
    statement.record.flags.add("no-predicate")
    for node in tree.expressions:
        statement.known_target(node)


def is_always_true(node: exp.Expr) -> bool:
    """Whether a predicate lets every row pass on its face: TRUE, 1 = 1, x OR TRUE."""
    if isinstance(node, exp.Paren):
        return is_always_true(node.this)
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Literal):
        return not node.is_string and node.this not in {"0", "0.0"}
    if isinstance(node, exp.Or):
        return is_always_true(node.this) or is_always_true(node.args["expression"])
    if isinstance(node, exp.And):
        return is_always_true(node.this) and is_always_true(node.args["expression"])
    if isinstance(node, exp.Not):
        inner = node.this.this if isinstance(node.this, exp.Paren) else node.this
        return isinstance(inner, exp.Boolean) and not inner.this
    if isinstance(node, (exp.EQ, exp.NullSafeEQ, exp.GTE, exp.LTE, exp.Like, exp.ILike)):
        right = node.args["expression"]
        if isinstance(node, (exp.Like, exp.ILike)) and isinstance(right, exp.Literal):
            return set(right.this) == {"%"}
        return bool(node.this == right)
    return False


HANDLERS: dict[type[exp.Expr], Handler] = {
    exp.Insert: insert,
    exp.MultitableInserts: multi_insert,
    exp.Update: update,
    exp.Delete: delete,
    exp.Merge: merge,
    exp.TruncateTable: truncate,
}
