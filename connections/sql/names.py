"""Names as Snowflake stores and resolves them."""

import re

from sqlglot import exp

from connections.sql.context import SessionContext
from connections.sql.facts import ObjectName

_PART = r'(?:"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)'
_DOTTED = re.compile(rf"\s*({_PART})(?:\.({_PART}))?(?:\.({_PART}))?\s*")


def stored(identifier: exp.Expr | str | None) -> str:
    """The name as Snowflake stores it: quoted as written, unquoted in upper case."""
    if type(identifier) is exp.Identifier:  # the most of them by far
        args = identifier.args
        return args["this"] if args.get("quoted") else args["this"].upper()  # type: ignore[no-any-return]
    if identifier is None:
        return ""
    if isinstance(identifier, str):
        return identifier.upper()
    return identifier.name.upper()


def quoted(name: str) -> exp.Identifier:
    """An identifier that means exactly this stored name."""
    return exp.Identifier(this=name, quoted=True)


def split_dotted(text: str) -> list[exp.Identifier] | None:
    """The parts of a dotted name inside a literal, as ``IDENTIFIER('a.b')`` reads it."""
    match = _DOTTED.fullmatch(text)
    if not match:
        return None
    parts = [part for part in match.groups() if part]
    return [
        exp.Identifier(this=p[1:-1].replace('""', '"'), quoted=True)
        if p.startswith('"')
        else exp.Identifier(this=p, quoted=False)
        for p in parts
    ]


def table_parts(table: exp.Table) -> tuple[str, str, str] | None:
    """Database, schema and name as far as the text gives them; None when they are no names."""
    this, db, catalog = table.this, table.args.get("db"), table.args.get("catalog")
    if not isinstance(this, exp.Identifier):
        return None
    for part in (db, catalog):
        if part is not None and part != "" and not isinstance(part, exp.Identifier):
            return None
    return stored(catalog or None), stored(db or None), stored(this)


def qualify(
    parts: tuple[str, str, str], context: SessionContext, kind: str = "table"
) -> ObjectName | None:
    """The full name by the session's database and schema; None when they do not suffice."""
    database, schema, name = parts
    if not database:
        database = context.database or ""
        if not schema:
            schema = context.schema or ""
    elif not schema:
        schema = "PUBLIC"
    if not (database and schema and name):
        return None
    return ObjectName(database, schema, name, kind)
