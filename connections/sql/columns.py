"""Columns: which one a name, a position or a star means."""

from sqlglot import exp

from connections.sql import stars
from connections.sql.functions import counts, function_name
from connections.sql.names import quoted, split_dotted, stored
from connections.sql.relation import EMPTY, Relation, Value, merge
from connections.sql.scope import Record, Scope, Silent

# Comparisons that may have NULL on one side and then tell only whether the other is null.
_COMPARISONS = frozenset({exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ})


def tested_for_null(node: exp.Expr) -> exp.Expr | None:
    """The side of a comparison that is only tested for null, if that is all it does."""
    kind = type(node)
    left: exp.Expr | None
    right: exp.Expr | None
    if kind in _COMPARISONS:
        left, right = node.this, node.args.get("expression")
    elif kind is exp.Anonymous and function_name(node) == "EQUAL_NULL":
        left, right = (*node.expressions, None, None)[:2]
    else:
        return None
    if isinstance(right, exp.Null):
        return left
    if isinstance(left, exp.Null) and kind is not exp.Is:
        return right
    return None


def stands_bare(node: exp.Expr) -> bool:
    """Whether a column here is only passed on, counted, or tested for null."""
    parent = node.parent
    if parent is None:
        return False
    if isinstance(parent, exp.Distinct):
        return parent.parent is not None and counts(parent.parent)
    if tested_for_null(parent) is node:
        return True
    if isinstance(parent, exp.Anonymous) and function_name(parent) == "NVL2":
        return parent.expressions[0] is node
    if isinstance(parent, exp.Alias):
        parent = parent.parent
    return isinstance(parent, exp.Select) or (parent is not None and counts(parent))


class Columns:
    """Binds names. Expressions and queries are bound by the subclasses."""

    def __init__(self, record: Record) -> None:
        self.record = record

    def value(self, node: exp.Expr, scope: Scope) -> Value:
        raise NotImplementedError

    def query(self, node: exp.Expr, scope: Scope) -> Relation:
        raise NotImplementedError

    def column(self, node: exp.Expr, scope: Scope) -> Value:
        value = self._resolve(node, scope)
        if not stands_bare(node):
            self.record.evaluated |= value.sources
        return value

    def _resolve(self, node: exp.Expr, scope: Scope) -> Value:
        this, table = node.this, node.args.get("table")
        if isinstance(this, exp.Star):
            return self._star(this, stored(table), scope)
        if isinstance(this, exp.Parameter):
            return self._position(this, scope, stored(table))
        self.record.visited.add(id(node))
        if node.args.get("join_mark"):
            self.record.refuse(
                "outer-join-mark",
                "The (+) join mark is not judged.",
                "Write LEFT or RIGHT OUTER JOIN.",
            )
        name = stored(this)
        if table is not None:
            return self._qualified(node, name, scope)
        around: Scope | None = scope
        aliased: Value | None = None
        while around is not None:
            if name in around.parameters:
                return around.parameters[name]
            found = around.candidates(name)
            if found:
                if len(found) > 1 and name not in around.merged:
                    self.record.refuse(
                        "ambiguous-column",
                        f"The column {name} exists in more than one table of this query.",
                        "Put the table's name or alias before it.",
                    )
                value = found[0] if len(found) == 1 else merge(found)
                return value if aliased is None else value.joined(aliased)
            rests = [s.relation.rest for s in around.sources if s.relation.rest is not None]
            if rests:
                return merge(rests)
            if aliased is None:
                here = around
                aliased = around.alias(name, lambda n, s=here: self.value(n, s))  # type: ignore[misc]
            around = around.parent
        if aliased is not None:
            return aliased
        self._unknown_column(name)
        return EMPTY

    def _qualified(self, node: exp.Expr, name: str, scope: Scope) -> Value:
        alias = stored(node.args["table"])
        schema, database = stored(node.args.get("db")), stored(node.args.get("catalog"))
        around: Scope | None = scope
        while around is not None:
            sources = around.find_source(alias, schema, database)
            if len(sources) > 1:
                self.record.refuse(
                    "ambiguous-table",
                    f"More than one table of this query is called {alias}.",
                    "Give each its own alias.",
                )
            for source in sources:
                if schema:
                    node.set("table", quoted(source.alias))
                    node.set("db", None)
                    node.set("catalog", None)
                value = source.find(name)
                if value is None and source.relation.rest is not None:
                    value = source.relation.rest
                if value is not None:
                    return value
                self._unknown_column(f"{alias}.{name}")
                return merge([c.value for c in source.relation.columns])
            around = around.parent
        self._unknown_column(f"{alias}.{name}")
        return EMPTY

    def silent(self, node: exp.Expr, value: Value, scope: Scope, *, distinct: bool) -> None:
        """Remember a column that is read from a scan of this very SELECT, and tells no value."""
        if not isinstance(node, exp.Column) or len(value.sources) != 1:
            return
        alias = stored(node.args.get("table"))
        near = [s for s in scope.sources if alias in {"", s.alias} and s.find(stored(node.this))]
        if len(near) == 1 and near[0].object is not None:
            self.record.silent.append(Silent(next(iter(value.sources)), node, distinct))

    def _unknown_column(self, name: str) -> None:
        self.record.refuse(
            "unknown-column",
            f"The column {name} is not in the catalogue of any table that this query reads.",
            "Check its spelling (quoted names keep their case), or refresh the catalogue.",
        )

    def _position(self, node: exp.Expr, scope: Scope, alias: str) -> Value:
        number = node.this
        if isinstance(number, exp.Literal) and not number.is_string:
            sources = scope.find_source(alias) if alias else scope.sources
            index = int(number.this) if number.this.isdecimal() else 0
            if len(sources) == 1 and 0 < index <= len(sources[0].relation.columns):
                return sources[0].relation.columns[index - 1].value
        self.record.refuse(
            "unknown-column",
            f"The position ${number.name} names no column of one table.",
            "Name the column.",
        )
        return self._all(scope)

    def parameter(self, node: exp.Expr, scope: Scope) -> Value:
        if isinstance(node.this, exp.Literal):
            return self._position(node, scope, "")
        self.record.flags.add("session-variable")
        name = node.name.upper()
        if name not in self.record.context.variables:
            self.record.refuse(
                "unknown-variable",
                f"The session variable ${name} has no known value.",
                "SET it in this session to a plain value first, or write the value itself.",
            )
        return EMPTY

    def _star(self, star: exp.Star, alias: str, scope: Scope) -> Value:
        """What ``*`` stands for inside a function or an object literal."""
        outs, rest = stars.expand(self, star, alias, scope)
        values = [o.value for o in outs]
        if rest is not None:
            values.append(rest)
        value = merge(values)
        self.record.evaluated |= value.sources
        return Value(value.sources, value.uses)

    def _all(self, scope: Scope, alias: str = "") -> Value:
        """Every column of one source or of all: what ``*`` stands for inside a function."""
        around: Scope | None = scope
        while around is not None:
            sources = around.find_source(alias) if alias else around.sources
            if sources:
                values = [c.value for s in sources for c in s.relation.columns]
                values += [s.relation.rest for s in sources if s.relation.rest is not None]
                value = merge(values)
                self.record.evaluated |= value.sources
                self.record.flags.add("star")
                return Value(value.sources, value.uses)
            if alias is None:
                break
            around = around.parent
        self.record.refuse("unknown-table", f"{alias or '*'} names no table of this query.")
        return EMPTY

    def _dynamic(self, node: exp.Expr, scope: Scope) -> Value:
        self.record.visited.add(id(node))
        inner = node.this
        parts = (
            split_dotted(inner.this) if isinstance(inner, exp.Literal) and inner.is_string else None
        )
        if parts and not node.args.get("expressions"):
            keys = ("this", "table", "db", "catalog")
            column = exp.Column(**dict(zip(keys, reversed(parts), strict=False)))
            parent = node.parent
            if isinstance(parent, exp.Column) and parent.this is node and len(parts) == 1:
                parent.set("this", parts[0])
                return self.column(parent, scope)
            node.replace(column)
            return self.column(column, scope)
        self.record.refuse(
            "dynamic-name",
            "IDENTIFIER(…) names a column that only running would tell.",
            "Write the column's name itself.",
        )
        return self._all(scope) if scope.sources else EMPTY
