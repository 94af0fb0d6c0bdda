"""Which kind of statement a tree is, and what every kind reads and writes."""

import re
from collections.abc import Callable, Mapping

from sqlglot import exp

from connections.sql.analysis import WrittenColumn
from connections.sql.catalogue import Table
from connections.sql.facts import ColumnName, ObjectName, SessionChange, Transfer, Use
from connections.sql.headers import titled
from connections.sql.names import qualify, quoted, stored, table_parts
from connections.sql.queries import Queries
from connections.sql.relation import Out, Relation, Source, Value
from connections.sql.scope import Record, Scope
from connections.sql.syntax import spelled

Handler = Callable[["Statement", exp.Expr], None]


class Statement(Queries):
    """Binds a whole statement. ``statement_class`` and the lists say what was found."""

    def __init__(self, record: Record) -> None:
        super().__init__(record)
        self.statement_class = "unknown"
        self.outputs: tuple[Out, ...] = ()
        self.writes: list[ObjectName] = []
        self.written: list[WrittenColumn] = []
        self.targets: set[int] = set()  # scans that no subquery can stand for
        self.created: tuple[str, ...] = ()
        self.moved: list[tuple[ObjectName, str, ObjectName, str]] = []
        self.changes: list[SessionChange] = []
        self.transfer: Transfer | None = None

    def bind(self, tree: exp.Expr, handlers: "Mapping[type[exp.Expr], Handler]") -> None:
        if isinstance(tree, (exp.Select, exp.SetOperation, exp.Subquery, exp.Values)):
            self.read(tree)
        elif isinstance(tree, exp.Command):
            self._command(tree)
        else:
            handler = handlers.get(type(tree))
            if handler is None:
                self.no_such(type(tree).__name__.upper())
            else:
                handler(self, tree)

    def no_such(self, what: str) -> None:
        self.record.refuse(
            "unknown-statement",
            f"{what} is a statement that the judge does not know.",
            "Use SELECT to read, or INSERT, UPDATE, DELETE, MERGE or DDL to write.",
        )

    def read(self, tree: exp.Expr) -> None:
        self.statement_class = "select"
        relation = self.query(tree, Scope())
        self.emit(relation)

    def emit(self, relation: Relation) -> None:
        self.row_uses |= relation.uses
        outputs = list(relation.columns)
        if relation.rest is not None:
            outputs.append(Out("*", relation.rest))
        for out in outputs:
            self.row_uses |= out.value.used(Use.PROJECTED)
        self.outputs = tuple(titled(outputs))

    def with_clause(self, tree: exp.Expr, scope: Scope) -> None:
        self._ctes(tree, scope)

    # targets of writes

    def target(
        self, node: exp.Expr | None, kind: str = "table"
    ) -> tuple[ObjectName | None, Table | None]:
        """The full name of what is written, pinned into the tree, and its table if it is known."""
        if isinstance(node, exp.Schema):
            node = node.this
        if isinstance(node, exp.Table) and isinstance(node.this, exp.DynamicIdentifier):
            self._spell_out(node)
        parts = table_parts(node) if isinstance(node, exp.Table) else None
        name = qualify(parts, self.record.context, kind) if parts is not None else None
        if name is None:
            shown = spelled(node) if node is not None else "nothing"
            self.record.refuse(
                "unqualified-table",
                f"What is written, {shown}, cannot be resolved to a full name.",
                "Write DATABASE.SCHEMA.NAME, or USE SCHEMA first.",
            )
            return None, None
        assert node is not None
        self.record.visited.add(id(node))
        node.set("db", quoted(name.schema))
        node.set("catalog", quoted(name.database))
        if name not in self.writes:
            self.writes.append(name)
        table = self.record.catalogue.find(name.database, name.schema, name.name)
        return name, table

    def known_target(self, node: exp.Expr | None) -> Table | None:
        name, table = self.target(node)
        if name is not None and table is None:
            self.record.refuse(
                "unknown-table",
                f"{name} is not in the catalogue of this connection.",
                "Check the name, or refresh the catalogue if the table is new.",
            )
        if table is not None and table.definition is not None:
            self.record.refuse("write-to-view", f"{table.name} is a view.", "Write to its table.")
        return table

    def target_source(self, table: Table, node: exp.Expr, scope: Scope) -> None:
        """Let the expressions of a write see the old values of its target."""
        assert isinstance(node, exp.Table)
        scan = self.scan(node)
        if scan is None:
            return
        self.targets.add(scan.index)
        alias = node.args.get("alias")
        name = stored(alias.this) if alias is not None and alias.this else table.name.name
        scope.sources.append(Source(name, self.table_relation(scan), table.name))

    def write(self, name: ObjectName, column: str, value: Value) -> None:
        self.written.append(WrittenColumn(ColumnName(name, column), value.sources))
        self.row_uses |= value.uses | {(s, Use.PROJECTED, None) for s in value.sources}

    def copy_relation(self, name: ObjectName, columns: list[str], relation: Relation) -> None:
        """Rows of a query become rows of ``name``, column by column."""
        self.row_uses |= relation.uses
        if relation.rest is not None or len(relation.columns) != len(columns):
            self.record.refuse(
                "column-count",
                f"The query gives {len(relation.columns)} columns for {len(columns)} of {name}.",
                "Name the columns on both sides.",
            )
        for column, out in zip(columns, relation.columns, strict=False):
            self.write(name, column, out.value)

    # opaque commands

    def _command(self, tree: exp.Command) -> None:
        verb = tree.name.upper()
        rest = tree.args.get("expression")
        text = rest.name if isinstance(rest, exp.Expr) else str(rest or "")
        words = re.findall(r"[A-Za-z_]+", f"{verb} {text}")
        first = [w.upper() for w in words[:6]]
        self.statement_class, problem = _command_class(first)
        code, what, way_out = problem
        if self.statement_class in {"execute-immediate", "scripting"}:
            self.record.flags.add("dynamic-sql")
        if "@" in text:
            self.record.flags.add("stage")
        self.record.refuse(code, what, way_out)


def _command_class(first: list[str]) -> tuple[str, tuple[str, str, str]]:
    verb = first[0] if first else ""
    second = first[1] if len(first) > 1 else ""
    if verb in {"GRANT", "REVOKE"}:
        return verb.lower(), _opaque(f"{verb} changes who may do what.", "Ask an admin.")
    if verb == "EXECUTE" and second == "IMMEDIATE":
        return "execute-immediate", _opaque(
            "EXECUTE IMMEDIATE runs a text that is not judged.", "Send that statement itself."
        )
    if verb in {"GET", "PUT", "REMOVE", "RM", "LIST", "LS"}:
        return {"RM": "remove", "LS": "list"}.get(verb, verb.lower()), _opaque(
            f"{verb} moves or lists files of a stage.", "Read tables instead."
        )
    if verb in {"DECLARE", "BEGIN", "LET", "FOR", "WHILE", "LOOP", "IF", "RETURN", "CASE"}:
        return "scripting", _opaque("Scripting blocks are not judged.", "Send single statements.")
    if verb in {"CREATE", "ALTER", "DROP", "UNDROP"}:
        return f"{verb.lower()}-{_object_kind(first[1:])}", _opaque(
            f"This form of {verb} {second} is not judged.",
            "Use the plain form of the statement, or ask an admin.",
        )
    known = {
        "SHOW": "show",
        "EXPLAIN": "explain",
        "CALL": "call",
        "DESCRIBE": "describe",
        "DESC": "describe",
        "USE": "use",
        "SET": "set",
        "UNSET": "set",
        "EXECUTE": "execute",
        "COPY": "copy-in",
        "COMMENT": "comment",
    }
    return known.get(verb, "unknown"), _opaque(
        f"{verb} {second}".strip() + " is not a statement that the judge can analyse.",
        "Use SELECT to read tables and views.",
    )


def _object_kind(words: list[str]) -> str:
    skip = {
        "OR",
        "REPLACE",
        "IF",
        "NOT",
        "EXISTS",
        "TEMPORARY",
        "TEMP",
        "TRANSIENT",
        "LOCAL",
        "GLOBAL",
        "VOLATILE",
        "SECURE",
        "RECURSIVE",
    }
    for word in words:
        if word not in skip:
            return word.lower()
    return "unknown"


def _opaque(text: str, way_out: str) -> tuple[str, str, str]:
    return "not-judged", text, way_out
