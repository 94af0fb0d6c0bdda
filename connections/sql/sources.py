"""FROM: tables, views, CTEs, derived tables, table functions and what is hung on them."""

from dataclasses import replace

from sqlglot import exp

from connections.sql import functions
from connections.sql.catalogue import Table
from connections.sql.facts import ColumnName, Use
from connections.sql.names import qualify, quoted, split_dotted, stored, table_parts
from connections.sql.pivots import pivoted
from connections.sql.relation import (
    EMPTY,
    NONE,
    BaseColumn,
    Out,
    Relation,
    Source,
    Used,
    Value,
    merge,
)
from connections.sql.scope import Record, Scope, TableScan
from connections.sql.syntax import spelled
from connections.sql.system import system_table
from connections.sql.values import Values

_TABLE_ARGS = frozenset({"this", "alias", "db", "catalog", "joins", "pivots", "when", "sample"})
_JOIN_ARGS = frozenset(
    {"this", "on", "side", "kind", "using", "method", "match_condition", "expressions", "pivots"}
)


class Sources(Values):
    """Binds FROM items into the scope of their SELECT.

    ``row_uses`` collects what decides the rows of the query that is being bound.
    """

    def __init__(self, record: Record) -> None:
        super().__init__(record)
        self.row_uses: frozenset[Used] = frozenset()

    def view_relation(self, table: Table) -> None:
        raise NotImplementedError

    def from_item(self, node: exp.Expr, scope: Scope) -> None:
        """Bind one item and everything joined to it."""
        if isinstance(node, exp.Table):
            self._table(node, scope)
        elif isinstance(node, exp.Subquery):
            self._derived(node, scope)
        elif isinstance(node, exp.Values):
            self._add(node, self.values_rows(node, scope), scope)
        elif isinstance(node, (exp.Lateral, exp.TableFromRows)):
            self._unfolded(node, scope)
        else:
            self.record.refuse(
                "unknown-source",
                f"The judge does not know {type(node).__name__} as a source of rows.",
                "Read from tables, views, subqueries or FLATTEN.",
            )
        self.joins(node.args.get("joins") or [], scope)

    def joins(self, joins: "list[exp.Expr]", scope: Scope) -> None:
        for join in joins:
            self._join(join, scope)

    def _add(
        self, node: exp.Expr, relation: Relation, scope: Scope, table: TableScan | None = None
    ) -> None:
        alias = node.args.get("alias")
        name = stored(alias.this) if alias is not None and alias.this is not None else ""
        pivots = node.args.get("pivots") or []
        if not pivots and alias is not None and alias.args.get("columns"):
            relation = self._renamed(relation, alias.args["columns"])
        for pivot in pivots:
            relation = pivoted(self, pivot, relation, scope)
            given = pivot.args.get("alias")
            if given is not None and given.this is not None:
                name = stored(given.this)
                if given.args.get("columns"):
                    relation = self._renamed(relation, given.args["columns"])
        sample = node.args.get("sample")
        if sample is not None:
            self._constant(sample)
        known = table.table.name if table is not None else None
        if not name and known is not None:
            name = known.name
            if any(s.alias == name for s in scope.sources):
                self.record.aliases += 1
                name = f"{name}__{self.record.aliases}"
                node.set("alias", exp.TableAlias(this=quoted(name)))
        scope.sources.append(Source(name, relation, known))

    def _constant(self, node: exp.Expr) -> None:
        if next(node.find_all(exp.Column, exp.Query), None) is not None:
            self.record.refuse("unknown-syntax", "A clause that takes constants holds a query.")

    def _renamed(self, relation: Relation, names: "list[exp.Expr]") -> Relation:
        if len(names) > len(relation.columns):
            self.record.refuse(
                "column-count", "An alias names more columns than its table or query has."
            )
            return relation
        columns = list(relation.columns)
        for i, name in enumerate(names):
            columns[i] = replace(columns[i], name=stored(name))
        return replace(relation, columns=tuple(columns), index={})

    # tables

    def _table(self, node: exp.Table, scope: Scope) -> None:
        unknown = {k for k, v in node.args.items() if v} - _TABLE_ARGS
        if unknown:
            self.record.refuse(
                "unknown-syntax",
                f"The judge does not know {', '.join(sorted(unknown))} on a table.",
                "Read the table plainly.",
            )
        when = node.args.get("when")
        if when is not None:
            self.record.flags.add("time-travel")
            moment = when.args.get("expression")
            if isinstance(moment, exp.Expr):
                self.value(moment, Scope())
        this = node.this
        if isinstance(this, exp.DynamicIdentifier):
            if not self._spell_out(node):
                self._add(node, Relation(rest=EMPTY), scope)
                return
            this = node.this
        if isinstance(this, exp.Func):
            self._add(node, self._table_function(this, scope), scope)
            return
        if not isinstance(this, exp.Identifier):
            self._no_table(this)
            self._add(node, Relation(rest=EMPTY), scope)
            return
        parts = table_parts(node)
        if parts is not None and not parts[0] and not parts[1] and parts[2] in scope.ctes:
            relation = scope.ctes[parts[2]]
            self.record.visited.add(id(node))
            if not node.args.get("alias"):
                node.set("alias", exp.TableAlias(this=this.copy()))
            self.row_uses |= relation.uses
            self._add(node, replace(relation, uses=frozenset(), index={}), scope)
            return
        scan = self.scan(node)
        if scan is None:
            self._add(node, Relation(rest=EMPTY), scope)
            return
        if scan.table.definition is not None:
            self.view_relation(scan.table)
        relation = self.table_relation(scan)
        self._add(node, relation, scope, scan)

    def table_relation(self, scan: TableScan) -> Relation:
        """The columns of one scan. The same for every statement over this catalogue."""
        memo, key = self.record.catalogue.memo, (scan.table.name, scan.index)
        relation: Relation | None = memo.get(key)
        if relation is None:
            relation = Relation(
                tuple(
                    Out(
                        c.name,
                        Value(
                            frozenset({scan.base(c.name)}),
                            pure=self._as_it_is(scan, c.name),
                            type=c.type,
                        ),
                    )
                    for c in scan.table.columns
                )
            )
            memo[key] = relation
        return relation

    def _as_it_is(self, scan: TableScan, column: str) -> bool:
        """Whether a column holds stored values: counting what a view computes tells of it."""
        view = self.record.lineage.get(ColumnName(scan.table.name, column))
        return view is None or view.passed is not None

    def scan(self, node: exp.Table) -> TableScan | None:
        """Resolve a table by the catalogue and pin its full name into the tree."""
        known = self.record.by_node.get(id(node))
        if known is not None:
            return known
        parts = table_parts(node)
        name = qualify(parts, self.record.context) if parts is not None else None
        if name is None:
            shown = node.name or spelled(node)
            self.record.refuse(
                "unqualified-table",
                f"The table {shown} cannot be resolved: the session has no database and schema.",
                "Write DATABASE.SCHEMA.TABLE, or USE SCHEMA first.",
            )
            return None
        table = self.record.catalogue.find(name.database, name.schema, name.name)
        table = table or system_table(name)
        if table is None:
            self.record.refuse(
                "unknown-table",
                f"{name} is not in the catalogue of this connection.",
                "Check the name, or refresh the catalogue if the table is new.",
            )
            return None
        node.set("db", quoted(name.schema))
        node.set("catalog", quoted(name.database))
        scan = TableScan(len(self.record.scans), node, table)
        self.record.scans.append(scan)
        self.record.by_node[id(node)] = scan
        self.record.visited.add(id(node))
        self.record.reads.add(table.name)
        return scan

    def _spell_out(self, node: exp.Table) -> bool:
        inner = node.this.this
        parts = split_dotted(inner.this) if _is_string(inner) else None
        if not parts or node.args.get("db"):
            self.record.flags.add("dynamic-sql")
            self.record.refuse(
                "dynamic-name",
                "IDENTIFIER(…) names a table that only running would tell.",
                "Write the table's name itself.",
            )
            return False
        self.spell(node, parts)
        return True

    def spell(self, node: exp.Table, parts: "list[exp.Identifier]") -> None:
        node.set("this", parts[-1])
        node.set("db", parts[-2] if len(parts) > 1 else None)
        node.set("catalog", parts[-3] if len(parts) > 2 else None)  # noqa: PLR2004

    def _no_table(self, this: exp.Expr | None) -> None:
        text = spelled(this) if isinstance(this, exp.Expr) else str(this)
        if text.startswith(("@", "'@")):
            self.record.flags.add("stage")
            self.record.refuse(
                "stage-read",
                "Reading files of a stage is not judged: their content has no known origin.",
                "Load the files into a table with an approved COPY INTO, then read the table.",
            )
        else:
            self.record.refuse("unknown-source", f"{text} names no table.", "Name a table.")

    # derived tables

    def _derived(self, node: exp.Subquery, scope: Scope) -> None:
        inner = node.this
        self.record.visited.add(id(node))
        if isinstance(inner, (exp.Table, exp.Lateral, exp.TableFromRows, exp.Values)):
            nested = scope.beside()
            self.from_item(inner, nested)
            if node.args.get("alias") is None and not node.args.get("pivots"):
                scope.sources.extend(nested.sources)
                scope.merged |= nested.merged
                return
            columns = tuple(
                c
                for s in nested.sources
                for c in s.relation.columns
                if c.name not in s.hidden or not s.hidden
            )
            self._add(node, Relation(columns), scope)
            return
        relation = self.query(node, scope.beside())
        self.row_uses |= relation.uses
        self._add(node, replace(relation, uses=frozenset(), index={}), scope)

    def values_rows(self, node: exp.Values, scope: Scope) -> Relation:
        rows = [r.expressions if isinstance(r, exp.Tuple) else [r] for r in node.expressions]
        width = max((len(r) for r in rows), default=0)
        columns = [
            Out(f"COLUMN{i + 1}", merge([self.value(r[i], scope) for r in rows if i < len(r)]))
            for i in range(width)
        ]
        return Relation(tuple(columns))

    # laterals and table functions

    def _unfolded(self, node: exp.Expr, scope: Scope) -> None:
        inner = node.this
        if isinstance(inner, exp.Subquery):
            relation = self.query(inner, scope.inner())
            self.row_uses |= relation.uses
            self._add(node, replace(relation, uses=frozenset(), index={}), scope)
            return
        if _is_string(inner) and isinstance(node, exp.TableFromRows):
            parts = split_dotted(inner.this)
            if parts:
                table = exp.Table(
                    alias=node.args.get("alias"),
                    pivots=node.args.get("pivots"),
                    sample=node.args.get("sample"),
                )
                self.spell(table, parts)
                node.replace(table)
                self._table(table, scope)
                return
        if isinstance(inner, exp.Func):
            self._add(node, self._table_function(inner, scope), scope)
            return
        self.record.flags.add("dynamic-sql")
        self.record.refuse(
            "unknown-source",
            "TABLE(…) or LATERAL stands over something that only running would tell.",
            "Name the table, or use FLATTEN, GENERATOR or SPLIT_TO_TABLE.",
        )
        self._add(node, Relation(rest=EMPTY), scope)

    def _table_function(self, node: exp.Func, scope: Scope) -> Relation:
        name = functions.function_name(node)
        self.record.functions.add(name)
        self.record.visited.add(id(node))
        if name == "RESULT_SCAN":
            return self._result(node)
        columns = functions.TABLE_FUNCTIONS.get(name)
        if columns is None:
            self._unknown_function(name)
            return Relation(rest=self._args(node, scope))
        value = self._flatten_input(node, scope)
        sources = value.sources
        uses = value.used(Use.ARGUMENT, name)
        self.row_uses |= uses  # into how many rows it unfolds
        recursive = "RECURSIVE" in spelled(node).upper()
        keys = sources if value.keys is None or recursive else value.keys
        object_known = value.keys is not None and not recursive
        flows = {
            "SEQ": NONE,
            "INDEX": NONE if object_known else sources,
            "KEY": keys,
            "PATH": keys,
        }
        return Relation(tuple(Out(c, Value(flows.get(c, sources), uses)) for c in columns))

    def _flatten_input(self, node: exp.Func, scope: Scope) -> Value:
        values = []
        for part in node.iter_expressions():
            inner = part.args["expression"] if isinstance(part, exp.Kwarg) else part
            value = self.value(inner, scope)
            self.record.evaluated |= value.sources
            values.append(value)
        if len(values) == 1 or not any(v.sources for v in values[1:]):
            return values[0] if values else EMPTY
        return merge(values)

    def _result(self, node: exp.Func) -> Relation:
        self.record.flags.add("result-reuse")
        arguments = node.expressions
        argument = arguments[0] if len(arguments) == 1 else None
        results = self.record.context.results
        found = None
        if argument is not None:
            self.record.visited.add(id(argument))
        if isinstance(argument, exp.Anonymous) and argument.name.upper() == "LAST_QUERY_ID":
            offset = _integer(argument.expressions[0]) if argument.expressions else -1
            if offset is not None and -len(results) <= offset < 0:
                found = results[offset]
        elif _is_string(argument):
            assert argument is not None
            named = argument.this
            found = next((r for r in results if named in (r.query_id, *r.aliases)), None)
        if found is None:
            self.record.refuse(
                "unknown-result",
                "RESULT_SCAN names a result that this session did not produce.",
                "Run the query again as a subquery or a common table expression.",
            )
            return Relation(rest=EMPTY)
        if found.query_id is not None and argument is not None:
            argument.replace(exp.Literal.string(found.query_id))
        if found.open:
            return Relation(rest=EMPTY)
        return Relation(
            tuple(Out(o.name, Value(_earlier(o.sources), pure=True)) for o in found.outputs)
        )

    # joins

    def _join(self, join: exp.Expr, scope: Scope) -> None:
        unknown = {k for k, v in join.args.items() if v} - _JOIN_ARGS
        if unknown:
            self.record.refuse(
                "unknown-syntax", f"The judge does not know {', '.join(sorted(unknown))} on a join."
            )
        before = len(scope.sources)
        self.from_item(join.this, scope)
        left, right = scope.sources[:before], scope.sources[before:]
        names: list[str] = []
        if join.args.get("using"):
            names = [stored(u.this if isinstance(u, exp.Column) else u) for u in join.args["using"]]
        elif str(join.args.get("method") or "").upper() == "NATURAL":
            theirs = {c.name for s in right for c in s.relation.columns}
            names = [c.name for s in left for c in s.relation.columns if c.name in theirs]
        if names:
            self._merge_using(names, scope, before)
        for key in ("on", "match_condition"):
            condition = join.args.get(key)
            if condition is not None:
                self.row_uses |= self.value(condition, scope).used(Use.JOINED)
        has_condition = join.args.get("on") is not None or names
        if not has_condition and not isinstance(join.this, (exp.Lateral, exp.TableFromRows)):
            self.record.flags.add("cross-join")

    def _merge_using(self, names: list[str], scope: Scope, before: int) -> None:
        for i, source in enumerate(scope.sources):
            for name in names:
                value = source.find(name)
                if value is None:
                    continue
                self.row_uses |= value.used(Use.JOINED)
                self.record.evaluated |= value.sources
            if i >= before:
                scope.sources[i] = replace(source, hidden=source.hidden | set(names))
        for name in names:
            if not any(s.find(name) for s in scope.sources[:before]) or not any(
                s.find(name) for s in scope.sources[before:]
            ):
                self._unknown_column(name)
            both = merge([v for s in scope.sources if (v := s.find(name)) is not None])
            for i in range(before):
                source = scope.sources[i]
                if source.find(name) is not None and name not in source.hidden:
                    columns = tuple(
                        Out(c.name, both) if c.name == name else c for c in source.relation.columns
                    )
                    relation = replace(source.relation, columns=columns, index={})
                    scope.sources[i] = replace(source, relation=relation)
        scope.merged |= set(names)


def _earlier(sources: frozenset[ColumnName]) -> frozenset[BaseColumn]:
    """Columns that reached an earlier result: masked there, and still to be named here."""
    return frozenset(BaseColumn(-1, name) for name in sources)


def _is_string(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def _integer(node: exp.Expr) -> int | None:
    text = spelled(node)
    try:
        return int(text)
    except ValueError:
        return None
