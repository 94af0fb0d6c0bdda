"""fakesnow's cursor and connection, nearer to Snowflake in sums and in the names of columns."""

from typing import Any

from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot import Expr, exp

_CASTS = (exp.Cast, exp.TryCast)
_NAMED = (exp.Alias, exp.Aliases, exp.Column, exp.Star, exp.Dot)


class Cursor(FakeSnowflakeCursor):
    """Sums stay exact, and a projection without alias is named by its text."""

    def _transform(self, expression: Expr, params: Any) -> Expr:
        for total in expression.find_all(exp.Sum):
            total.meta["own_cast"] = isinstance(total.this, _CASTS)
        if isinstance(expression, exp.Select):
            _name_projections(expression)
        transformed = super()._transform(expression, params)
        # fakesnow sums everything as floats, so that texts can be summed too: 0.1 + 0.2 in money.
        for total in transformed.find_all(exp.Sum):
            if isinstance(total.this, exp.TryCast) and not total.meta.get("own_cast"):
                total.set("this", total.this.this)
        return transformed


class Connection(FakeSnowflakeConnection):
    """A connection whose cursors are ours."""

    def cursor(self, cursor_class: Any = None) -> FakeSnowflakeCursor:  # noqa: ARG002
        return Cursor(conn=self, duck_conn=self._duck_conn)


def _name_projections(select: exp.Select) -> None:
    named = []
    for projection in select.expressions:
        if isinstance(projection, _NAMED) or projection.find(exp.Star, exp.Columns):
            plain = isinstance(projection, exp.Count) and isinstance(projection.this, exp.Star)
            named.append(_as(projection, "COUNT(*)") if plain else projection)
        else:
            named.append(_as(projection, _text(projection)))
    select.set("expressions", named)


def _as(projection: Expr, name: str) -> Expr:
    return exp.alias_(projection, name, quoted=True)


def _text(projection: Expr) -> str:
    def upper(node: Expr) -> Expr:
        if isinstance(node, exp.Identifier) and not node.quoted:
            node.set("this", node.name.upper())
        return node

    return projection.copy().transform(upper).sql(dialect="snowflake")
