"""Put a mask where a protected column is scanned.

Every scan of a table with protected columns becomes a subquery of the same name and the same
columns in the same order. Nothing above the subquery can tell or reach what was there.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlglot import exp

from connections.sql.names import quoted
from connections.sql.scope import TableScan

Mask = Callable[[exp.Expr], exp.Expr]

_OUTSIDE = ("alias", "pivots", "joins", "laterals")


def replace_scan(
    scan: TableScan,
    masks: Mapping[str, Mask],
    *,
    keep_name: bool = True,
    bare: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Let a masking subquery take the place of one scan, in place. ``bare`` gives columns that
    it passes on unmasked, by names of their own, after all others.
    """
    node = scan.node
    inner = exp.Table(this=node.this, db=node.args.get("db"), catalog=node.args.get("catalog"))
    for key, value in list(node.args.items()):
        if key not in {"this", "db", "catalog", *_OUTSIDE} and value:
            inner.set(key, value)
    projections: list[exp.Expr] = []
    for column in scan.table.columns:
        plain = exp.Column(this=quoted(column.name))
        mask = masks.get(column.name)
        if mask is None:
            projections.append(plain)
        else:
            projections.append(exp.Alias(this=mask(plain), alias=quoted(column.name)))
    for name, column_name in bare.items():
        plain = exp.Column(this=quoted(column_name))
        projections.append(exp.Alias(this=plain, alias=quoted(name)))
    select = exp.Select(expressions=projections, from_=exp.From(this=inner))
    outer = exp.Subquery(this=select)
    for key in _OUTSIDE:
        value = node.args.get(key)
        if value:
            outer.set(key, value)
    if keep_name and not outer.args.get("alias") and not outer.args.get("pivots"):
        outer.set("alias", exp.TableAlias(this=quoted(scan.table.name.name)))
    node.replace(outer)
