"""PIVOT and UNPIVOT: rows into columns and back."""

from typing import TYPE_CHECKING

from sqlglot import exp

from connections.sql.facts import Use
from connections.sql.names import stored
from connections.sql.relation import Out, Relation, Source, Value, merge
from connections.sql.scope import Scope
from connections.sql.syntax import spelled

if TYPE_CHECKING:
    from connections.sql.sources import Sources


def pivoted(binder: "Sources", pivot: exp.Expr, relation: Relation, scope: Scope) -> Relation:
    """The columns after one PIVOT or UNPIVOT clause."""
    inner = Scope(parent=scope, ctes=scope.ctes, sources=[Source("", relation)])
    if pivot.args.get("unpivot"):
        return _unpivot(binder, pivot, relation)
    aggregates = [binder.value(e, inner) for e in pivot.expressions]
    gone = {stored(c.this) for e in pivot.expressions for c in e.find_all(exp.Column)}
    flow = merge(aggregates)
    names: list[str] | None = []
    for field in pivot.args.get("fields") or []:
        if not isinstance(field, exp.In):
            binder.record.refuse("unknown-syntax", "The judge does not know this form of PIVOT.")
            continue
        by = binder.value(field.this, inner)
        gone.add(stored(field.this.this))
        flow = flow.joined(Value(by.sources, by.used(Use.GROUPED)))
        query = field.args.get("query")
        members = [query] if query is not None else field.expressions
        for member in members:
            if isinstance(member, (exp.PivotAny, exp.Subquery, exp.Select)):
                names = None
                if not isinstance(member, exp.PivotAny):
                    flow = flow.joined(binder.subquery(member, scope))
            elif names is not None:
                names.append(_member(member))
    default = pivot.args.get("default_on_null")
    if isinstance(default, exp.Expr):
        flow = flow.joined(binder.value(default, inner))
    binder.record.evaluated |= flow.sources
    kept = tuple(c for c in relation.columns if c.name not in gone)
    grouping = (
        frozenset().union(*(c.value.used(Use.GROUPED) for c in kept)) if kept else frozenset()
    )
    flow = Value(flow.sources, flow.uses)
    binder.row_uses |= grouping
    if names is None:
        return Relation(kept, rest=flow)
    if len(aggregates) > 1:
        names = [f"{n}_{i}" for n in names for i in range(len(aggregates))]
    return Relation(kept + tuple(Out(n, flow) for n in names))


def _member(node: exp.Expr) -> str:
    if isinstance(node, (exp.PivotAlias, exp.Alias)):
        alias = node.args["alias"]
        return stored(alias) if isinstance(alias, exp.Identifier) else alias.name.upper()
    return spelled(node)


def _unpivot(binder: "Sources", pivot: exp.Expr, relation: Relation) -> Relation:
    known = {c.name: c.value for c in relation.columns}
    gone: set[str] = set()
    values: list[Value] = []
    named: list[str] = []
    for field in pivot.args.get("fields") or []:
        if not isinstance(field, exp.In):
            binder.record.refuse("unknown-syntax", "The judge does not know this form of UNPIVOT.")
            continue
        named.append(stored(field.this.this if isinstance(field.this, exp.Column) else field.this))
        for member in field.expressions:
            column = member.this if isinstance(member, (exp.PivotAlias, exp.Alias)) else member
            name = stored(column.this if isinstance(column, exp.Column) else column)
            alias = member.args.get("alias")
            if isinstance(alias, exp.Literal):
                binder.record.refuse("unknown-syntax", "UNPIVOT names a column by a literal.")
            gone.add(name)
            if name in known:
                values.append(known[name])
            else:
                binder.record.refuse("unknown-column", f"UNPIVOT names {name}, which is no column.")
    flow = merge(values)
    binder.record.evaluated |= flow.sources
    if not pivot.args.get("include_nulls"):
        binder.row_uses |= Value(flow.sources).used(Use.NULL_TESTED)
    made = [stored(e.this if isinstance(e, exp.Column) else e) for e in pivot.expressions]
    kept = tuple(c for c in relation.columns if c.name not in gone)
    return Relation(
        kept + tuple(Out(n, Value()) for n in named) + tuple(Out(m, flow) for m in made)
    )
