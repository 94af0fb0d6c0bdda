"""Expressions: whose values flow into them, and how they use columns."""

from sqlglot import exp

from connections.sql.calls import Calls
from connections.sql.columns import tested_for_null
from connections.sql.names import stored
from connections.sql.relation import EMPTY, Value, merge
from connections.sql.scope import Scope

# Operators and syntax that compute on their parts and do nothing else.
PLAIN: frozenset[type[exp.Expr]] = frozenset(
    {
        exp.Paren,
        exp.Neg,
        exp.Not,
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
        exp.Interval,
        exp.Bracket,
        exp.Distinct,
        exp.Ordered,
        exp.Order,
        exp.Tuple,
        exp.Filter,
        exp.Where,
        exp.IgnoreNulls,
        exp.RespectNulls,
        exp.Kwarg,
        exp.JSONKeyValue,
        exp.WindowSpec,
        exp.Prior,
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


def _denies_several(node: exp.Expr) -> bool:
    several = (exp.Any, exp.All)
    return isinstance(node, (exp.Like, exp.ILike)) and isinstance(node.args["expression"], several)


def _odd(part: exp.Expr) -> bool:
    """A key that paths and literals escape in different ways."""
    return isinstance(part, exp.JSONPathKey) and any(c in str(part.this) for c in '"\\')


class Values(Calls):
    """Binds expressions of every kind. Queries inside them are bound by the subclass."""

    def value(self, node: exp.Expr, scope: Scope) -> Value:
        kind = type(node)
        self.record.step()
        if kind is exp.Column:
            return self.column(node, scope)
        if kind in LEAVES:
            if kind is exp.JSONPath and any(_odd(part) for part in node.expressions):
                self._unknown_syntax("quotes or backslashes in a path's key")
            return EMPTY
        tested = tested_for_null(node)
        if tested is not None and not isinstance(node, exp.Func):
            return self._null_test(tested, scope)
        if kind is exp.Is:
            self._unknown_syntax("IS TRUE, IS FALSE and the like")
        if kind is exp.Not and _denies_several(node.this):
            self._unknown_syntax("NOT before LIKE ANY or LIKE ALL without parentheses")
        if kind is exp.Between and node.args.get("symmetric"):
            self._unknown_syntax("BETWEEN SYMMETRIC")
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
        self._unknown_syntax(f"The construct {kind.__name__}")
        return merge([self.value(c, scope) for c in node.iter_expressions()])

    def _unknown_syntax(self, what: str) -> None:
        self.record.refuse(
            "unknown-syntax",
            f"The judge does not know this: {what}.",
            "Write it with ordinary expressions and joins.",
        )
