"""A catalogue out of DDL: for judging without a connection, and for what a session creates."""

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.errors import SqlglotError

from connections.sql.analyse import analyse
from connections.sql.catalogue import Catalogue, Column, Table
from connections.sql.context import SessionContext
from connections.sql.facts import ObjectName
from connections.sql.names import qualify, stored, table_parts
from connections.sql.syntax import parse, spelled


def catalogue_from_ddl(text: str, version: int = 1) -> Catalogue:
    """The tables and views that a script of CREATE statements leaves behind."""
    catalogue = Catalogue(version=version)
    context = SessionContext()
    for tree in parse(text):
        catalogue = _after(catalogue, tree, context)
    return catalogue


def with_ddl(catalogue: Catalogue, text: str, context: SessionContext) -> Catalogue:
    """The catalogue after one statement; unchanged where it creates or drops nothing."""
    try:
        trees = parse(text)
    except SqlglotError:
        return catalogue
    return _after(catalogue, trees[0], context) if len(trees) == 1 else catalogue


def _after(catalogue: Catalogue, tree: exp.Expr, context: SessionContext) -> Catalogue:
    if isinstance(tree, exp.Create) and str(tree.args.get("kind")).upper() in {"TABLE", "VIEW"}:
        table = _created(tree, catalogue, context)
        if table is not None:
            return Catalogue.of([*catalogue.tables.values(), table], catalogue.version + 1)
    if isinstance(tree, exp.Drop):
        gone = {n for node in tree.args.get("tables") or [] if (n := _name(node, context))}
        kept = [t for t in catalogue.tables.values() if t.name not in gone]
        if len(kept) != len(catalogue.tables):
            return Catalogue.of(kept, catalogue.version + 1)
    return catalogue


def _name(node: exp.Expr, context: SessionContext, kind: str = "table") -> ObjectName | None:
    parts = table_parts(node) if isinstance(node, exp.Table) else None
    return qualify(parts, context, kind) if parts is not None else None


def _created(tree: exp.Create, catalogue: Catalogue, context: SessionContext) -> Table | None:
    kind = str(tree.args.get("kind")).lower()
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    name = _name(target, context, kind)
    if name is None:
        return None
    clone = tree.args.get("clone")
    if clone is not None:
        origin = _name(clone.this, context)
        table = catalogue.find(origin.database, origin.schema, origin.name) if origin else None
        return Table(name, table.columns) if table is not None else None
    query = tree.args.get("expression")
    columns = tuple(_declared(tree.this))
    if query is not None:
        inner = SessionContext(name.database, name.schema) if kind == "view" else context
        outputs = analyse(spelled(query), inner, catalogue).outputs
        names = [c.name for c in columns] or [o.name for o in outputs]
        columns = tuple(
            Column(n, o.value.type or "VARCHAR") for n, o in zip(names, outputs, strict=False)
        )
    definition = spelled(query) if kind == "view" and query is not None else None
    return Table(name, columns, definition)


def _declared(node: exp.Expr) -> Iterator[Column]:
    for item in node.expressions if isinstance(node, exp.Schema) else []:
        if isinstance(item, exp.ColumnDef):
            type_ = item.args.get("kind")
            text = spelled(type_) if isinstance(type_, exp.Expr) else "VARCHAR"
            yield Column(stored(item.this), text)
        elif isinstance(item, exp.Identifier):
            yield Column(stored(item), "VARCHAR")


def catalogue_from_schema(schema: dict[str, dict[str, dict[str, dict[str, str]]]]) -> Catalogue:
    """The catalogue of ``{database: {schema: {table: {column: type}}}}``, names as stored."""
    return Catalogue.of(
        (
            Table(
                ObjectName(database, name, table),
                tuple(Column(column, type_) for column, type_ in columns.items()),
            )
            for database, schemas in schema.items()
            for name, tables in schemas.items()
            for table, columns in tables.items()
        ),
        version=1,
    )
