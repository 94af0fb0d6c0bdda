"""CREATE, ALTER, DROP and the like: which kind of object, what is read, what becomes a copy."""

from sqlglot import exp

from connections.sql.facts import ObjectName
from connections.sql.names import stored
from connections.sql.relation import Value
from connections.sql.scope import Scope, TableScan
from connections.sql.statements import Handler, Statement

# Properties of CREATE that only shape the new object.
_HARMLESS = (
    exp.TemporaryProperty,
    exp.TransientProperty,
    exp.SecureProperty,
    exp.SchemaCommentProperty,
    exp.MaterializedProperty,
    exp.CopyGrantsProperty,
    exp.Cluster,
    exp.ClusterProperty,
    exp.LikeProperty,
)
_TABLE_KINDS = {"TABLE", "VIEW"}
_CONTAINERS = {"SCHEMA", "DATABASE"}


def create(statement: Statement, tree: exp.Expr) -> None:
    kind = str(tree.args.get("kind") or "").upper()
    statement.statement_class = f"create-{kind.lower().replace(' ', '-') or 'unknown'}"
    if tree.args.get("replace"):
        statement.record.flags.add("replaces")
    if kind in _CONTAINERS:
        container(statement, tree.this, kind)
        _properties(statement, tree)
        if tree.args.get("clone") is not None:
            _clone_container(statement, tree, kind)
        return
    if kind not in _TABLE_KINDS:
        statement.record.refuse(
            "code-object",
            f"CREATE {kind} makes something that runs or reaches out later, unjudged.",
            "Create tables and views; ask an admin for anything else.",
        )
        return
    _properties(statement, tree)
    name, _ = statement.target(tree.this, kind.lower())
    if name is None:
        return
    _definitions(statement, tree.this)
    scope = Scope()
    statement.with_clause(tree, scope)
    clone = tree.args.get("clone")
    if clone is not None:
        _copy_of(statement, name, clone.this)
    query = tree.args.get("expression")
    if isinstance(query, exp.Query):
        relation = statement.query(query, scope)
        given = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
        columns = [stored(c.this) for c in given] or [
            c.name or f"${i + 1}" for i, c in enumerate(relation.columns)
        ]
        if relation.rest is not None and not given:
            statement.write(name, "*", relation.rest)
        statement.copy_relation(name, columns, relation)
        statement.created = tuple(columns)
    elif query is not None:
        statement.no_such(f"CREATE {kind} with this body")


def _properties(statement: Statement, tree: exp.Expr) -> None:
    properties = tree.args.get("properties")
    for item in properties.expressions if properties is not None else []:
        if isinstance(item, exp.LikeProperty):
            statement.scan(item.this)
        elif not isinstance(item, _HARMLESS):
            statement.record.refuse(
                "unknown-property",
                f"The judge does not know {item.sql('snowflake')[:60]} in CREATE.",
                "Leave it out, or ask an admin: it may send data elsewhere or run later.",
            )


_CONSTRAINTS = (
    exp.NotNullColumnConstraint,
    exp.PrimaryKeyColumnConstraint,
    exp.UniqueColumnConstraint,
    exp.DefaultColumnConstraint,
    exp.CommentColumnConstraint,
    exp.CollateColumnConstraint,
    exp.AutoIncrementColumnConstraint,
    exp.GeneratedAsIdentityColumnConstraint,
)


def _definitions(statement: Statement, node: exp.Expr) -> None:
    """The columns of a new table: defaults compute on constants, and no policy hangs on them."""
    for item in node.expressions if isinstance(node, exp.Schema) else []:
        definition(statement, item)


def definition(statement: Statement, item: exp.Expr) -> None:
    if isinstance(item, (exp.Identifier, exp.PrimaryKey, exp.Column)):
        return
    if not isinstance(item, exp.ColumnDef):
        statement.record.refuse(
            "unknown-property",
            f"The judge does not know {item.sql('snowflake')[:60]} in a column list.",
            "Give plain columns and a primary key.",
        )
        return
    for constraint in item.args.get("constraints") or []:
        kind = constraint.args.get("kind")
        if not isinstance(kind, _CONSTRAINTS):
            statement.record.refuse(
                "unknown-property",
                f"The judge does not know {constraint.sql('snowflake')[:60]} on a column.",
                "Leave it out; policies and tags are for admins.",
            )
        elif isinstance(kind, exp.DefaultColumnConstraint):
            statement.value(kind.this, Scope())
            if kind.find(exp.Query) is not None:
                statement.no_such("A default that is a query")


def _clone_container(statement: Statement, tree: exp.Expr, kind: str) -> None:
    """A clone of a schema or database carries every table in it."""
    origin = tree.args["clone"].this
    target = statement.writes[-1] if statement.writes else None
    before = len(statement.writes)
    container(statement, origin, kind)
    if target is None or len(statement.writes) == before:
        return
    source = statement.writes.pop()
    found = False
    for table in statement.record.catalogue.tables.values():
        name = table.name
        if name.database != source.database or source.schema not in {"*", name.schema}:
            continue
        found = True
        schema = name.schema if kind == "DATABASE" else target.schema
        copy = ObjectName(target.database, schema, name.name, name.kind)
        scan = TableScan(-1, exp.Table(), table)
        statement.record.reads.add(name)
        for column in table.columns:
            base = frozenset({scan.base(column.name)})
            statement.write(copy, column.name, Value(base, pure=True))
    if not found:
        statement.record.refuse(
            "unknown-table",
            f"{source.database} has no such {kind.lower()} in the catalogue.",
            "Refresh the catalogue.",
        )


def _copy_of(statement: Statement, name: ObjectName, origin: exp.Expr) -> None:
    """A clone carries every column of its origin."""
    if not isinstance(origin, exp.Table):
        statement.no_such("CLONE of this")
        return
    scan = statement.scan(origin)
    if scan is None:
        return
    if scan.table.definition is not None:
        statement.view_relation(scan.table)
    statement.targets.add(scan.index)
    for column in scan.table.columns:
        statement.write(name, column.name, Value(frozenset({scan.base(column.name)}), pure=True))
    statement.created = tuple(c.name for c in scan.table.columns)


def container(statement: Statement, node: exp.Expr, kind: str) -> None:
    """A schema or a database as what is written."""
    statement.record.visited.add(id(node))
    parts = [stored(p) for p in (node.args.get("catalog"), node.args.get("db"), node.this) if p]
    if kind == "DATABASE" and len(parts) == 1:
        statement.writes.append(ObjectName(parts[0], "*", "*", "database"))
    elif kind == "SCHEMA" and parts:
        database = parts[-2] if len(parts) > 1 else statement.record.context.database
        if database:
            statement.writes.append(ObjectName(database, parts[-1], "*", "schema"))
            return
        statement.record.refuse("unqualified-table", f"The schema {parts[-1]} has no database.")


def drop(statement: Statement, tree: exp.Expr) -> None:
    kind = str(tree.args.get("kind") or "").upper()
    statement.statement_class = f"drop-{kind.lower().replace(' ', '-') or 'unknown'}"
    for node in tree.args.get("tables") or [tree.this]:
        if kind in _TABLE_KINDS:
            statement.target(node, kind.lower())
        elif kind in _CONTAINERS:
            container(statement, node, kind)
        else:
            statement.record.refuse(
                "not-judged", f"DROP {kind} is not judged.", "Ask an admin to drop it."
            )


def undrop(statement: Statement, tree: exp.Expr) -> None:
    statement.statement_class = f"undrop-{str(tree.args.get('kind') or '').lower()}"
    statement.target(tree.this)


_ALTERATIONS = (
    exp.ColumnDef,
    exp.Drop,
    exp.AlterRename,
    exp.RenameColumn,
    exp.SwapTable,
    exp.AlterColumn,
)


def alter(statement: Statement, tree: exp.Expr) -> None:
    kind = str(tree.args.get("kind") or "").upper()
    statement.statement_class = f"alter-{kind.lower().replace(' ', '-') or 'unknown'}"
    if kind != "TABLE":
        statement.record.refuse(
            "not-judged",
            f"ALTER {kind} is not judged.",
            "Ask an admin.",
        )
        return
    name, table = statement.target(tree.this)
    if name is not None and table is None:
        statement.record.refuse(
            "unknown-table", f"{name} is not in the catalogue.", "Refresh the catalogue."
        )
    for action in tree.args.get("actions") or []:
        if not isinstance(action, _ALTERATIONS) or action.find(exp.Query) is not None:
            statement.record.refuse(
                "not-judged",
                f"This form of ALTER TABLE is not judged: {action.sql('snowflake')[:60]}",
                "Use the plain form of the statement, or ask an admin.",
            )
        elif isinstance(action, exp.ColumnDef):
            definition(statement, action)
        elif isinstance(action, (exp.AlterRename, exp.SwapTable)):
            other, there = statement.target(action.this)
            if name is not None and other is not None:
                _moves(statement, name, other)
                if isinstance(action, exp.SwapTable) and there is not None:
                    _moves(statement, other, name)
        elif isinstance(action, exp.RenameColumn) and name is not None and table is not None:
            old, new = stored(action.this.this), stored(action.args["to"].this)
            _move(statement, name, old, new)


def _moves(statement: Statement, name: ObjectName, other: ObjectName) -> None:
    table = statement.record.catalogue.find(name.database, name.schema, name.name)
    for column in table.columns if table is not None else ():
        _move(statement, name, column.name, column.name, other)


def _move(
    statement: Statement, name: ObjectName, old: str, new: str, other: ObjectName | None = None
) -> None:
    """Under its new name a column would escape protections that go by the old one."""
    statement.moved.append((name, old, other or name, new))


def comment(statement: Statement, tree: exp.Expr) -> None:
    statement.statement_class = "comment"
    if str(tree.args.get("kind") or "").upper() not in _TABLE_KINDS:
        statement.record.refuse("not-judged", "COMMENT is judged on tables and views only.")
        return
    statement.target(tree.this)


HANDLERS: dict[type[exp.Expr], Handler] = {
    exp.Create: create,
    exp.Drop: drop,
    exp.Undrop: undrop,
    exp.Alter: alter,
    exp.Comment: comment,
}
