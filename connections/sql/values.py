"""Expressions: whose values flow into them, and how they use columns."""

from sqlglot import exp

from connections.sql import functions, stars
from connections.sql.facts import Use
from connections.sql.names import quoted, split_dotted, stored
from connections.sql.relation import EMPTY, NO_USES, NONE, Relation, Used, Value, merge
from connections.sql.scope import Record, Scope

# Operators and syntax that compute on their parts and do nothing else.
PLAIN: frozenset[type[exp.Expr]] = frozenset(
    {
        exp.Paren,
        exp.Neg,
        exp.Not,
        exp.BitwiseNot,
        exp.Add,
        exp.Sub,
        exp.Mul,
        exp.Div,
        exp.IntDiv,
        exp.Mod,
        exp.EQ,
        exp.NEQ,
        exp.GT,
        exp.GTE,
        exp.LT,
        exp.LTE,
        exp.NullSafeEQ,
        exp.NullSafeNEQ,
        exp.Like,
        exp.ILike,
        exp.Escape,
        exp.Between,
        exp.In,
        exp.Any,
        exp.All,
        exp.DPipe,
        exp.BitwiseAnd,
        exp.BitwiseOr,
        exp.BitwiseXor,
        exp.BitwiseLeftShift,
        exp.BitwiseRightShift,
        exp.Interval,
        exp.Bracket,
        exp.Slice,
        exp.Distinct,
        exp.Ordered,
        exp.Order,
        exp.Tuple,
        exp.Filter,
        exp.Where,
        exp.IgnoreNulls,
        exp.RespectNulls,
        exp.AtTimeZone,
        exp.Kwarg,
        exp.JSONKeyValue,
        exp.WindowSpec,
        exp.Prior,
        exp.HavingMax,
        exp.Is,
    }
)

# Leaves without a value of any column.
LEAVES: frozenset[type[exp.Expr]] = frozenset(
    {
        exp.Literal,
        exp.Null,
        exp.Boolean,
        exp.Placeholder,
        exp.Var,
        exp.DataType,
        exp.DataTypeParam,
        exp.IntervalSpan,
        exp.HexString,
        exp.RawString,
        exp.ByteString,
        exp.National,
        exp.JSONPath,
        exp.JSONPathRoot,
        exp.JSONPathKey,
        exp.JSONPathSubscript,
        exp.TimeUnit,
        exp.WeekStart,
    }
)

_COUNTS = (exp.Count, exp.ApproxDistinct, exp.Hll)


# Comparisons that may have NULL on one side and then tell only whether the other is null.
NULL_TESTS = frozenset({exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ, exp.EqualNull})


def tested_for_null(node: exp.Expr) -> exp.Expr | None:
    """The side of a comparison that is only tested for null, if that is all it does."""
    left: exp.Expr = node.this
    right: exp.Expr | None = node.args.get("expression")
    if isinstance(right, exp.Null):
        return left
    if isinstance(left, exp.Null) and not isinstance(node, exp.Is):
        return right
    return None


def stands_bare(node: exp.Expr) -> bool:
    """Whether a column here is only passed on, counted, or tested for null."""
    parent = node.parent
    if isinstance(parent, exp.Distinct):
        parent = parent.parent
        return isinstance(parent, _COUNTS)
    if parent is not None and type(parent) in NULL_TESTS:
        return tested_for_null(parent) is node
    if isinstance(parent, exp.Nvl2):
        return parent.this is node
    if isinstance(parent, exp.Alias):
        parent = parent.parent
    return isinstance(parent, (exp.Select, *_COUNTS))


class Values:
    """Binds expressions. Queries inside expressions are bound by the subclass."""

    def __init__(self, record: Record) -> None:
        self.record = record

    def query(self, node: exp.Expr, scope: Scope) -> Relation:
        raise NotImplementedError

    def value(self, node: exp.Expr, scope: Scope) -> Value:
        kind = type(node)
        self.record.step()
        if kind is exp.Column:
            return self.column(node, scope)
        if kind in LEAVES:
            return EMPTY
        if kind in NULL_TESTS:
            tested = tested_for_null(node)
            if tested is not None:
                self.record.visited.add(id(node))
                return self._null_test(tested, scope)
        if kind in PLAIN:
            return merge([self.value(child, scope) for child in node.iter_expressions()])
        if kind is exp.Alias:
            return self.value(node.this, scope)
        if kind is exp.Window:
            return self._window(node, scope)
        if kind is exp.WithinGroup:
            return merge([self.value(child, scope) for child in node.iter_expressions()])
        if kind in {exp.Subquery, exp.Select, exp.Union, exp.Intersect, exp.Except}:
            return self.subquery(node, scope)
        if kind is exp.Exists:
            self.record.visited.add(id(node))
            return self._existence(node.this, scope)
        if kind is exp.Parameter:
            return self.parameter(node, scope)
        if kind is exp.Lambda:
            return self._lambda(node, scope)
        if kind is exp.Identifier:
            name = stored(node)
            around: Scope | None = scope
            while around is not None:
                if name in around.parameters:
                    return around.parameters[name]
                around = around.parent
            self._unknown_column(name)
            return EMPTY
        if kind is exp.PropertyEQ:
            return self._property(node, scope)
        if isinstance(node, exp.Star):
            return self._star(node, "", scope)
        if kind is exp.DynamicIdentifier:
            return self._dynamic(node, scope)
        if kind is exp.Dot:
            return self._dot(node, scope)
        if isinstance(node, exp.Func):
            return self.function(node, scope)
        self.record.refuse(
            "unknown-syntax",
            f"The judge does not know the construct {kind.__name__}.",
            "Write it with ordinary expressions and joins.",
        )
        return merge([self.value(c, scope) for c in node.iter_expressions()])

    # columns

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
        if parts:
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

    def _dot(self, node: exp.Expr, scope: Scope) -> Value:
        tail = node.args["expression"]
        if isinstance(tail, exp.Func):
            self.record.visited.add(id(tail))
            name = node.sql("snowflake").split("(", 1)[0].upper()
            self._unknown_function(name)
            return merge([self.value(c, scope) for c in tail.iter_expressions()])
        return self.value(node.this, scope)

    # functions

    def function(self, node: exp.Func, scope: Scope) -> Value:
        name = functions.function_name(node)
        self.record.functions.add(name)
        self.record.visited.add(id(node))
        if not functions.is_known(node):
            self._unknown_function(name)
        if isinstance(node, _COUNTS):
            return self._count(node, scope, name)
        if isinstance(node, exp.Nvl2):
            tested = self._null_test(node.this, scope)
            rest = [self.value(c, scope) for k, c in node.args.items() if k != "this" and c]
            return merge([tested, *rest])
        if isinstance(node, exp.StarMap):
            inner = self._args(node, scope)
            return Value(inner.sources, inner.used(Use.ARGUMENT, name), keys=NONE)
        if isinstance(node, (exp.Struct, exp.JSONObject)):
            return self._object(node, scope, name)
        inner = self._args(node, scope)
        if isinstance(node, (exp.And, exp.Or, exp.Case, exp.If)):
            return inner
        aggregate = functions.is_aggregate(node)
        use = Use.AGGREGATED if aggregate else Use.ARGUMENT
        return Value(inner.sources, inner.used(use, name))

    def _args(self, node: exp.Expr, scope: Scope) -> Value:
        return merge([self.value(c, scope) for c in _arguments(node)])

    def _unknown_function(self, name: str) -> None:
        self.record.unknown_functions.add(name)
        self.record.refuse(
            "unknown-function",
            f"The function {name} is not known to be harmless.",
            "Use a built-in function, or ask an admin for a rule that names this one.",
        )

    def _count(self, node: exp.Func, scope: Scope, name: str) -> Value:
        this = node.this
        parts = this.expressions if isinstance(this, exp.Distinct) else [this]
        parts = [*parts, *node.args.get("expressions", [])] if isinstance(node, exp.Hll) else parts
        distinct = not isinstance(node, exp.Count) or isinstance(this, exp.Distinct)
        sources, uses = NONE, NO_USES
        for part in parts:
            if isinstance(part, exp.Star):
                continue
            value = self.value(part, scope) if part is not None else EMPTY
            whole = isinstance(part, exp.Column) and isinstance(part.this, exp.Star)
            # How many distinct values two columns have together tells where they are equal.
            mixed = distinct and len({s.name for s in value.sources}) > 1
            if (value.pure and not mixed) or (whole and not value.uses):
                uses |= value.used(Use.COUNTED, name)
            else:
                sources |= value.sources
                uses |= value.used(Use.AGGREGATED, name)
        return Value(sources, uses)

    def _null_test(self, node: exp.Expr, scope: Scope) -> Value:
        value = self.value(node, scope)
        if value.pure:
            return Value(NONE, value.used(Use.NULL_TESTED))
        return Value(value.sources, value.uses)

    def _object(self, node: exp.Expr, scope: Scope, name: str) -> Value:
        keys, values = [], []
        for part in node.expressions:
            if isinstance(part, (exp.PropertyEQ, exp.JSONKeyValue)):
                key, item = part.this, part.args["expression"]
                if not isinstance(key, exp.Identifier):
                    keys.append(self.value(key, scope))
                values.append(self.value(item, scope))
            else:
                values.append(self.value(part, scope))
        known = merge(keys)
        inner = merge([known, *values])
        return Value(inner.sources, inner.used(Use.ARGUMENT, name), keys=known.sources)

    def _property(self, node: exp.Expr, scope: Scope) -> Value:
        parts = [node.this, node.args["expression"]]
        return merge([self.value(p, scope) for p in parts if not isinstance(p, exp.Identifier)])

    def _lambda(self, node: exp.Expr, scope: Scope) -> Value:
        inner = Scope(parent=scope, ctes=scope.ctes)
        for parameter in node.expressions:
            name = stored(parameter.this if isinstance(parameter, exp.Cast) else parameter)
            inner.parameters[name] = EMPTY
        return self.value(node.this, inner)

    def _window(self, node: exp.Expr, scope: Scope) -> Value:
        inner = self.value(node.this, scope)
        uses: frozenset[Used] = inner.uses
        sources = inner.sources
        for part in node.args.get("partition_by") or []:
            by = self.value(part, scope)
            sources |= by.sources
            uses |= by.used(Use.GROUPED)
        order = node.args.get("order")
        if order is not None:
            by = self.value(order, scope)
            sources |= by.sources
            uses |= by.used(Use.ORDERED)
        spec = node.args.get("spec")
        if spec is not None:
            for key in ("start", "end"):
                bound = spec.args.get(key)
                if isinstance(bound, exp.Expr):
                    sources |= self.value(bound, scope).sources
        return Value(sources, uses)

    def _existence(self, node: exp.Expr, scope: Scope) -> Value:
        """EXISTS tells whether there are rows; what they would hold is never computed."""
        relation = self.query(node, scope.inner())
        deciding = frozenset(
            u[0] for u in relation.uses if u[1] not in {Use.NULL_TESTED, Use.COUNTED}
        )
        return Value(deciding, relation.uses)

    def subquery(self, node: exp.Expr, scope: Scope) -> Value:
        """A query as an expression: what decides its rows flows into the value too."""
        relation = self.query(node, scope.inner())
        value = merge([c.value for c in relation.columns])
        if relation.rest is not None:
            value = value.joined(relation.rest)
        deciding = {u[0] for u in relation.uses if u[1] not in {Use.NULL_TESTED, Use.COUNTED}}
        return Value(value.sources | deciding, value.uses | relation.uses)


def _arguments(node: exp.Expr) -> "list[exp.Expr]":
    return list(node.iter_expressions())
