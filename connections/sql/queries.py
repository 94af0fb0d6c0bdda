"""Queries: SELECT, set operations, common table expressions, and views through their text."""

from dataclasses import replace

from sqlglot import exp
from sqlglot.errors import SqlglotError

from connections.sql import stars
from connections.sql.catalogue import Table
from connections.sql.context import SessionContext
from connections.sql.facts import ColumnName, Use
from connections.sql.functions import is_aggregate
from connections.sql.names import stored
from connections.sql.relation import EMPTY, BaseColumn, Out, Relation, Source, Value, merge
from connections.sql.scope import Record, Scope, ViewColumn
from connections.sql.sources import Sources
from connections.sql.syntax import parse

_MODIFIERS = frozenset({"with_", "order", "limit", "offset"})
_SELECT_ARGS = _MODIFIERS | {
    "expressions",
    "distinct",
    "from_",
    "joins",
    "laterals",
    "where",
    "group",
    "having",
    "qualify",
    "windows",
    "sample",
    "match",
    "connect",
}
_SET_ARGS = _MODIFIERS | {"this", "expression", "distinct", "by_name"}
_SUBQUERY_ARGS = _MODIFIERS | {"this", "alias", "pivots", "joins", "sample"}
MAX_VIEW_DEPTH = 16


class Queries(Sources):
    """Binds whole queries to relations."""

    def query(self, node: exp.Expr, scope: Scope) -> Relation:
        self.record.visited.add(id(node))
        outer, self.row_uses = self.row_uses, frozenset()
        try:
            if isinstance(node, exp.Select):
                return self._select(node, scope)
            if isinstance(node, exp.SetOperation):
                return self._set_operation(node, scope)
            if isinstance(node, exp.Subquery):
                return self._wrapped(node, scope)
            if isinstance(node, exp.Values):
                return self.values_rows(node, scope)
            if isinstance(node, exp.Table):
                self.from_item(node, scope)
                columns = tuple(c for s in scope.sources for c in s.relation.columns)
                self.record.starred.update(b.scan for c in columns for b in c.value.sources)
                return Relation(columns, self.row_uses)
            self.record.refuse(
                "unknown-syntax",
                f"The judge does not know {type(node).__name__} as a query.",
                "Write a SELECT.",
            )
            return Relation(rest=EMPTY)
        finally:
            self.row_uses = outer

    def _known(self, node: exp.Expr, known: frozenset[str]) -> None:
        unknown = {k for k, v in node.args.items() if v} - known
        if unknown:
            self.record.refuse(
                "unknown-syntax",
                f"The judge does not know {', '.join(sorted(unknown))} in a query.",
                "Leave it out.",
            )

    def _wrapped(self, node: exp.Subquery, scope: Scope) -> Relation:
        self._known(node, _SUBQUERY_ARGS)
        self._ctes(node, scope)
        if isinstance(node.this, exp.Table):
            inner = scope.beside()
            self.from_item(node.this, inner)
            columns = tuple(c for s in inner.sources for c in s.relation.columns)
            relation = Relation(columns, self.row_uses)
        else:
            relation = self.query(node.this, scope.beside())
        self.row_uses |= relation.uses
        self._order(node, scope, relation)
        return replace(relation, uses=self.row_uses, index={})

    # common table expressions

    def _ctes(self, node: exp.Expr, scope: Scope) -> None:
        clause = node.args.get("with_")
        if clause is None:
            return
        if clause.args.get("udfs") or clause.args.get("search") or clause.args.get("cycle"):
            self.record.refuse("unknown-syntax", "The judge does not know this form of WITH.")
        for cte in clause.expressions:
            name = stored(cte.args["alias"].this)
            if not isinstance(cte.this, exp.Query):
                self.record.refuse(
                    "statement-in-with",
                    f"{name} in WITH is not a query.",
                    "Send a statement that writes by itself.",
                )
                continue
            scope.ctes[name] = self._cte(cte, name, scope)

    def _cte(self, cte: exp.Expr, name: str, scope: Scope) -> Relation:
        names = cte.args["alias"].args.get("columns") or []
        body = cte.this
        while isinstance(body, exp.Subquery) and set(body.args) <= {"this"}:
            self.record.visited.add(id(body))
            body = body.this
        recursive = isinstance(body, exp.Union) and any(
            not t.args.get("db") and stored(t.this) == name
            for t in body.args["expression"].find_all(exp.Table)
            if isinstance(t.this, exp.Identifier)
        )
        if not recursive:
            relation = self.query(cte.this, scope.beside())
            return self._renamed(relation, names) if names else relation
        self._refuse_shadow(name)
        self.record.visited.add(id(body))
        inner = scope.beside()
        self._ctes(body, inner)
        relation = self.query(body.this, inner.beside())
        relation = self._renamed(relation, names) if names else relation
        for _ in range(len(relation.columns) + 2):
            step = inner.beside()
            step.ctes[name] = relation
            again = self.query(body.args["expression"], step)
            grown = self._by_position(relation, again, both=True)
            if grown == relation:
                return relation
            relation = grown
        return relation

    def _refuse_shadow(self, name: str) -> None:
        context = self.record.context
        if context.database and context.schema:
            table = self.record.catalogue.find(context.database, context.schema, name)
            if table is not None:
                self.record.refuse(
                    "ambiguous-table",
                    f"{name} is both this recursive query and the table {table.name}.",
                    "Give the common table expression another name.",
                )

    # set operations

    def _set_operation(self, node: exp.SetOperation, scope: Scope) -> Relation:
        self._known(node, _SET_ARGS)
        self._ctes(node, scope)
        left = self.query(node.this, scope.beside())
        right = self.query(node.args["expression"], scope.beside())
        if node.args.get("by_name"):
            relation = self._by_name(left, right)
        else:
            relation = self._by_position(left, right, both=not isinstance(node, exp.Except))
        if node.args.get("distinct") or not isinstance(node, exp.Union):
            for side in (left, right):
                for column in side.columns:
                    self.row_uses |= column.value.used(Use.GROUPED)
        self.row_uses |= relation.uses
        self._order(node, scope, relation)
        return replace(relation, uses=self.row_uses, index={})

    def _by_position(self, left: Relation, right: Relation, *, both: bool) -> Relation:
        if left.rest is not None or right.rest is not None:
            every = [c.value for r in (left, right) for c in r.columns]
            every += [r.rest for r in (left, right) if r.rest is not None]
            return Relation(left.columns, left.uses | right.uses, rest=merge(every))
        if len(left.columns) != len(right.columns):
            self.record.refuse(
                "column-count",
                f"The sides of a set operation have {len(left.columns)} and "
                f"{len(right.columns)} columns.",
                "Give both sides the same columns.",
            )
        columns = []
        for i, column in enumerate(left.columns):
            value = column.value
            if both and i < len(right.columns):
                other = right.columns[i].value
                pure = value.pure and other.pure and not value.uses and not other.uses
                value = replace(value.joined(other), pure=pure)
            columns.append(Out(column.name, value, column.item))
        return Relation(tuple(columns), left.uses | right.uses)

    def _by_name(self, left: Relation, right: Relation) -> Relation:
        theirs = {c.name: c.value for c in right.columns}
        columns = [
            Out(c.name, c.value.joined(theirs.pop(c.name)) if c.name in theirs else c.value)
            for c in left.columns
        ]
        columns += [Out(c.name, c.value) for c in right.columns if c.name in theirs]
        return Relation(tuple(columns), left.uses | right.uses)

    # select

    def _select(self, node: exp.Select, scope: Scope) -> Relation:
        self._known(node, _SELECT_ARGS)
        self._ctes(node, scope)
        origin = node.args.get("from_")
        if origin is not None:
            self.from_item(origin.this, scope)
        for lateral in node.args.get("laterals") or []:
            self.from_item(lateral, scope)
        self.joins(node.args.get("joins") or [], scope)
        if node.args.get("match") is not None:
            self._match(node.args["match"], scope)
        for item in node.expressions:
            if isinstance(item, exp.Alias):
                scope.aliases.setdefault(stored(item.args["alias"]), item.this)
        connect = node.args.get("connect")
        if connect is not None:
            if not scope.candidates("LEVEL"):
                scope.parameters["LEVEL"] = EMPTY
            for part in connect.iter_expressions():
                self.row_uses |= self.value(part, scope).used(Use.FILTERED)
        columns: list[Out] = []
        rest: Value | None = None
        for item in node.expressions:
            outs, more = self._projection(item, scope)
            columns += outs
            if more is not None:
                rest = more if rest is None else rest.joined(more)
        relation = Relation(tuple(columns), rest=rest)
        for key in ("where", "having", "qualify"):
            clause = node.args.get(key)
            if clause is not None:
                self.row_uses |= self.value(clause.this, scope).used(Use.FILTERED)
        for window in node.args.get("windows") or []:
            self.row_uses |= self.value(window, scope).uses
        self._group(node, scope, relation)
        distinct = node.args.get("distinct")
        if distinct:
            if isinstance(distinct, exp.Expr) and distinct.args.get("on"):
                self.record.refuse("unknown-syntax", "DISTINCT ON is not Snowflake's.")
            for column in relation.columns:
                self.row_uses |= column.value.used(Use.GROUPED)
        self._order(node, scope, relation)
        return replace(relation, uses=self.row_uses, index={})

    def _projection(self, item: exp.Expr, scope: Scope) -> tuple[list[Out], Value | None]:
        star, alias = stars.parts(item)
        if star is not None:
            return stars.expand(self, star, alias, scope)
        if isinstance(item, exp.Alias):
            name = stored(item.args["alias"])
            if name in scope.resolved and scope.aliases.get(name) is item.this:
                return [Out(name, scope.resolved[name])], None
            scope.pending.add(name)
            value = self.value(item.this, scope)
            scope.pending.discard(name)
            return [Out(name, value)], None
        value = self.value(item, scope)
        if isinstance(item, exp.Column) and isinstance(item.this, exp.Identifier):
            return [Out(stored(item.this), value)], None
        return [Out("", value, item)], None

    def _group(self, node: exp.Select, scope: Scope, relation: Relation) -> None:
        group = node.args.get("group")
        if group is None:
            return
        if group.args.get("all"):
            for i, item in enumerate(node.expressions):
                aggregates = any(is_aggregate(f) for f in item.find_all(exp.Func))
                if not aggregates and i < len(relation.columns):
                    self.row_uses |= relation.columns[i].value.used(Use.GROUPED)
        for part in group.iter_expressions():
            self.row_uses |= self._grouping(part, scope, relation).used(Use.GROUPED)

    def _grouping(self, node: exp.Expr, scope: Scope, relation: Relation) -> Value:
        if isinstance(node, (exp.Cube, exp.Rollup, exp.GroupingSets, exp.Tuple, exp.Paren)):
            return merge([self._grouping(e, scope, relation) for e in node.iter_expressions()])
        position = _position(node, relation)
        if position is not None:
            self.record.evaluated |= position.sources
            return position
        return self.value(node, scope)

    def _order(self, node: exp.Expr, scope: Scope, relation: Relation) -> None:
        order = node.args.get("order")
        if order is not None:
            if not isinstance(node, exp.Select):
                scope = Scope(scope.parent, scope.ctes, [Source("", relation)])
            for part in order.expressions:
                self.row_uses |= self._ordering(part, scope, relation).used(Use.ORDERED)
        for key in ("limit", "offset"):
            clause = node.args.get(key)
            if clause is not None:
                self._constant(clause)
        sample = node.args.get("sample")
        if sample is not None:
            self._constant(sample)

    def _ordering(self, node: exp.Expr, scope: Scope, relation: Relation) -> Value:
        inner = node.this if isinstance(node, exp.Ordered) else node
        if node.args.get("with_fill"):
            self.record.refuse("unknown-syntax", "The judge does not know WITH FILL.")
        found = _position(inner, relation)
        if found is None and isinstance(inner, exp.Column) and inner.args.get("table") is None:
            name = stored(inner.this)
            found = next((c.value for c in relation.columns if c.name == name), None)
            if found is None and name == "ALL" and not inner.this.args.get("quoted"):
                found = merge([c.value for c in relation.columns])
        if found is not None:
            self.record.evaluated |= found.sources
            return found
        return self.value(inner, scope)

    def _match(self, node: exp.Expr, scope: Scope) -> None:
        """MATCH_RECOGNIZE: its measures become columns of the only source."""
        if len(scope.sources) != 1:
            self.record.refuse(
                "unknown-syntax", "MATCH_RECOGNIZE is judged over a single source only."
            )
            return
        source = scope.sources[0]
        symbols = {stored(d.args["alias"]) for d in node.args.get("define") or []}
        for column in list(node.find_all(exp.Column)):
            table = column.args.get("table")
            if table is not None and stored(table) in symbols | _pattern_symbols(node):
                column.set("table", None)
        flow = EMPTY
        for part in node.args.get("partition_by") or []:
            self.row_uses |= self.value(part, scope).used(Use.GROUPED)
        if node.args.get("order") is not None:
            self.row_uses |= self.value(node.args["order"], scope).used(Use.ORDERED)
        for define in node.args.get("define") or []:
            self.row_uses |= self.value(define.this, scope).used(Use.FILTERED)
        measures = []
        for measure in node.args.get("measures") or []:
            inner = measure.this
            name = stored(inner.args["alias"]) if isinstance(inner, exp.Alias) else ""
            value = self.value(inner.this if isinstance(inner, exp.Alias) else inner, scope)
            measures.append(Out(name, value.joined(flow)))
        rows = node.args.get("rows")
        one = rows is None or "ONE ROW" in str(rows.name).upper()
        kept: tuple[Out, ...] = source.relation.columns
        if one:
            by = node.args.get("partition_by") or []
            names = {stored(p.this) for p in by if isinstance(p, exp.Column)}
            kept = tuple(c for c in kept if c.name in names)
        scope.sources[0] = replace(source, relation=Relation(kept + tuple(measures)))

    # views

    def view_relation(self, table: Table) -> None:
        """Judge a view through its definition: where each of its columns comes from."""
        record = self.record
        if table.name in record.view_path or len(record.view_path) >= MAX_VIEW_DEPTH:
            record.refuse("view-cycle", f"The view {table.name} is defined by itself.")
            return
        memo = record.catalogue.memo
        inner = memo.get(table.name)
        if inner is None:
            inner = self._view(table)
            record.steps = inner.steps
            if all(p.code != "view-cycle" for p in inner.problems):
                memo[table.name] = inner
        for problem in inner.problems:
            record.refuse(problem.code, problem.text, problem.way_out)
        record.reads |= inner.reads
        record.functions |= inner.functions
        record.unknown_functions |= inner.unknown_functions
        record.lineage.update(inner.lineage)

    def _view(self, table: Table) -> Record:
        """The record of a view's own definition, with the lineage of its columns in it."""
        inner = Record(
            SessionContext(database=table.name.database, schema=table.name.schema),
            self.record.catalogue,
            view_path=(*self.record.view_path, table.name),
            steps=self.record.steps,
        )
        tree = definition_query(table.definition or "")
        if tree is None:
            inner.refuse(
                "unreadable-view",
                f"The definition of the view {table.name} cannot be analysed.",
                "Read its tables directly, or ask an admin to simplify the view.",
            )
            return inner
        relation = Queries(inner).query(tree, Scope())
        self.record.steps = inner.steps
        inner.problems = [
            replace(p, text=f"In the view {table.name}: {p.text}") for p in inner.problems
        ]
        if len(relation.columns) != len(table.columns) or relation.rest is not None:
            inner.refuse(
                "stale-catalogue",
                f"The view {table.name} and its definition have different columns.",
                "Refresh the catalogue.",
            )
            return inner
        for column, out in zip(table.columns, relation.columns, strict=True):
            inner.lineage[ColumnName(table.name, column.name)] = _origin(out.value, inner)
        inner.scans.clear()
        inner.by_node.clear()
        inner.visited.clear()
        return inner


def _origin(value: Value, record: Record) -> ViewColumn:
    sources: set[ColumnName] = set()
    passed: ColumnName | None = None
    for base in value.sources:
        further = record.lineage.get(base.name)
        sources.add(base.name)
        if further is not None:
            sources |= further.sources
    if value.pure and not value.uses and len(value.sources) == 1:
        only: BaseColumn = next(iter(value.sources))
        further = record.lineage.get(only.name)
        passed = only.name if further is None else further.passed
    return ViewColumn(frozenset(sources), passed)


def definition_query(text: str) -> exp.Expr | None:
    """The query of a view's stored text, whether or not CREATE VIEW stands before it."""
    try:
        trees = parse(text)
    except (SqlglotError, RecursionError, AttributeError, ValueError):
        return None
    if len(trees) != 1:
        return None
    tree = trees[0]
    query = tree.args.get("expression") if isinstance(tree, exp.Create) else tree
    return query if isinstance(query, exp.Query) else None


def _position(node: exp.Expr, relation: Relation) -> Value | None:
    if isinstance(node, exp.Literal) and not node.is_string and str(node.this).isdecimal():
        index = int(node.this)
        if 0 < index <= len(relation.columns):
            return relation.columns[index - 1].value
    return None


def _pattern_symbols(node: exp.Expr) -> set[str]:
    import re

    pattern = node.args.get("pattern")
    return set(re.findall(r"[A-Z_][A-Z0-9_$]*", pattern.name.upper())) if pattern else set()
