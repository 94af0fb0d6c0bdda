"""Calls: what a function, a window or a subquery makes of its arguments."""

from sqlglot import exp

from connections.sql import functions, stars
from connections.sql.columns import Columns, tested_for_null
from connections.sql.facts import Use
from connections.sql.names import stored
from connections.sql.relation import EMPTY, NO_USES, NONE, Used, Value, merge
from connections.sql.scope import Scope
from connections.sql.syntax import spelled

_OBJECTS = frozenset({"OBJECT_CONSTRUCT", "OBJECT_CONSTRUCT_KEEP_NULL"})


class Calls(Columns):
    """Binds what is called with arguments, and queries that stand as expressions."""

    def _dot(self, node: exp.Expr, scope: Scope) -> Value:
        tail = node.args["expression"]
        if isinstance(tail, exp.Func):
            self.record.visited.add(id(tail))
            name = spelled(node).split("(", 1)[0].upper()
            self._unknown_function(name)
            return merge([self.value(c, scope) for c in tail.iter_expressions()])
        return self.value(node.this, scope)

    def function(self, node: exp.Func, scope: Scope) -> Value:
        name = functions.function_name(node)
        self.record.functions.add(name)
        self.record.visited.add(id(node))
        if not functions.is_known(node):
            self._unknown_function(name)
        if isinstance(node, exp.NthValue) and isinstance(node.args.get("from_first"), exp.Expr):
            self._unknown_function(f"{name} of three arguments")
        if isinstance(node, exp.JSONExtract) and isinstance(node.this, exp.Literal):
            self._unknown_function("of a path into a literal")
        if functions.counts(node):
            return self._count(node, scope, name)
        tested = tested_for_null(node)
        if tested is not None:
            return self._null_test(tested, scope)
        if isinstance(node, exp.Anonymous):
            self._unit(node, name, scope)
            if name == "NVL2" and node.expressions:
                first, *others = node.expressions
                return merge(
                    [self._null_test(first, scope), *(self.value(o, scope) for o in others)]
                )
            if name in _OBJECTS:
                return self._constructed(node, scope, name)
        if isinstance(node, exp.Struct):
            return self._object(node, scope, name)
        inner = self._args(node, scope)
        if isinstance(node, (exp.And, exp.Or, exp.Case, exp.If)):
            return inner
        aggregate = functions.is_aggregate(node)
        use = Use.AGGREGATED if aggregate else Use.ARGUMENT
        return Value(inner.sources, inner.used(use, name))

    def _unit(self, node: exp.Anonymous, name: str, scope: Scope) -> None:
        """A date part that stands bare is a word, whatever columns there are of that name."""
        position = functions.UNIT_AT.get(name)
        if position is None or len(node.expressions) <= position:
            return
        part = node.expressions[position]
        if not isinstance(part, exp.Column) or part.args.get("table") is not None:
            return
        word = part.this
        if not isinstance(word, exp.Identifier) or word.args.get("quoted"):
            return
        if word.this.upper() in functions.UNITS and not (
            name in functions.UNIT_OR_COLUMN and scope.candidates(stored(word))
        ):
            part.replace(exp.Var(this=word.this))

    def _args(self, node: exp.Expr, scope: Scope) -> Value:
        return merge([self.value(c, scope) for c in node.iter_expressions()])

    def _unknown_function(self, name: str) -> None:
        self.record.unknown_functions.add(name)
        self.record.refuse(
            "unknown-function",
            f"The function {name} is not known to be harmless.",
            "Use a built-in function, or ask an admin for a rule that names this one.",
        )

    def _count(self, node: exp.Func, scope: Scope, name: str) -> Value:
        distinct = not isinstance(node, exp.Count) or isinstance(node.this, exp.Distinct)
        sources, uses = NONE, NO_USES
        for part in _counted(node):
            if isinstance(part, exp.Star):
                continue
            value = self.value(part, scope)
            whole = isinstance(part, exp.Column) and isinstance(part.this, exp.Star)
            # How many distinct values two columns have together tells where they are equal.
            mixed = distinct and len({s.name for s in value.sources}) > 1
            if (value.pure and not mixed) or (whole and not value.uses):
                uses |= value.used(Use.COUNTED, name)
                self.silent(part, value, scope, distinct=distinct)
            else:
                sources |= value.sources
                uses |= value.used(Use.AGGREGATED, name)
        return Value(sources, uses)

    def _null_test(self, node: exp.Expr, scope: Scope) -> Value:
        value = self.value(node, scope)
        if value.pure:
            self.silent(node, value, scope, distinct=False)
            return Value(NONE, value.used(Use.NULL_TESTED))
        return Value(value.sources, value.uses)

    def _constructed(self, node: exp.Anonymous, scope: Scope, name: str) -> Value:
        """``OBJECT_CONSTRUCT(key, value, …)``, or of a star, whose keys are columns' names."""
        parts = node.expressions
        if any(stars.parts(part)[0] is not None for part in parts):
            inner = self._args(node, scope)
            return Value(inner.sources, inner.used(Use.ARGUMENT, name), keys=NONE)
        known = merge([self.value(key, scope) for key in parts[0::2]])
        inner = merge([known, *(self.value(value, scope) for value in parts[1::2])])
        return Value(inner.sources, inner.used(Use.ARGUMENT, name), keys=known.sources)

    def _object(self, node: exp.Expr, scope: Scope, name: str) -> Value:
        """``{'key': value, …}`` or ``{*}``."""
        keys, values = [], []
        for part in node.expressions:
            if isinstance(part, exp.PropertyEQ):
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


def _counted(node: exp.Func) -> "list[exp.Expr]":
    """What a count is over: its arguments, those behind DISTINCT one by one."""
    parts: list[exp.Expr] = []
    for part in node.iter_expressions():
        parts += part.expressions if isinstance(part, exp.Distinct) else [part]
    return parts
