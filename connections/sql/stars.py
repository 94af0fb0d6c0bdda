"""``*`` and all that may hang on it: which columns it stands for, in which order."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from connections.sql.names import quoted, stored
from connections.sql.relation import Out, Value
from connections.sql.scope import MAX_COLUMNS, Scope, TooMuchError

if TYPE_CHECKING:
    from connections.sql.columns import Columns


def parts(item: exp.Expr) -> tuple[exp.Star | None, str]:
    """The star of a select item and the alias before it, if it is one."""
    if isinstance(item, exp.Star):
        return item, ""
    if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
        return item.this, stored(item.args.get("table"))
    return None, ""


def expand(
    binder: "Columns", star: exp.Star, alias: str, scope: Scope
) -> tuple[list[Out], Value | None]:
    """The columns that a star stands for."""
    binder.record.flags.add("star")
    node = star.parent if isinstance(star.parent, exp.Column) else None
    schema = stored(node.args.get("db")) if node is not None else ""
    database = stored(node.args.get("catalog")) if node is not None else ""
    around: Scope | None = scope
    sources = scope.sources
    if alias:
        while around is not None:
            sources = around.find_source(alias, schema, database)
            if sources:
                break
            around = around.parent
    if not sources or (alias and len(sources) > 1):
        binder.record.refuse(
            "unknown-table",
            f"{alias or '*'} names no table of this query.",
            "Check the alias before the star.",
        )
    elif node is not None and schema:
        node.set("table", quoted(sources[0].alias))
        node.set("db", None)
        node.set("catalog", None)
    columns: list[Out] = []
    rest: Value | None = None
    for source in sources:
        hidden = source.hidden if not alias else frozenset()
        binder.record.step(len(source.relation.columns))
        columns += [c for c in source.relation.columns if c.name not in hidden]
        starred = (c.value.sources for c in source.relation.columns)
        binder.record.starred.update(base.scan for sources in starred for base in sources)
        if source.relation.rest is not None:
            more = source.relation.rest
            rest = more if rest is None else rest.joined(more)
    if len(columns) > MAX_COLUMNS:
        raise TooMuchError
    return _altered(binder, star, columns, scope), rest


def _altered(binder: "Columns", star: exp.Star, columns: list[Out], scope: Scope) -> list[Out]:
    pattern = star.args.get("ilike")
    if pattern is not None:
        like = _like(pattern.name)
        columns = [c for c in columns if like.fullmatch(c.name)]
    gone = {_name(e) for e in star.args.get("except_") or []}
    columns = [c for c in columns if c.name not in gone]
    replaced = {
        stored(e.args["alias"]): e.this
        for e in star.args.get("replace") or []
        if isinstance(e, exp.Alias)
    }
    for i, column in enumerate(columns):
        if column.name in replaced:
            columns[i] = Out(column.name, binder.value(replaced[column.name], scope))
    renamed = {
        _name(e.this): stored(e.args["alias"])
        for e in star.args.get("rename") or []
        if isinstance(e, exp.Alias)
    }
    return [replace(c, name=renamed.get(c.name, c.name)) for c in columns]


def _name(node: exp.Expr) -> str:
    return stored(node.this if isinstance(node, exp.Column) else node)


def _like(pattern: str) -> "re.Pattern[str]":
    out = "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.compile(out, re.IGNORECASE | re.DOTALL)
