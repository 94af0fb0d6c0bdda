"""Headers: a column without a name is headed by its text, and must be headed by the agent's own.

Snowflake heads it by the text that runs, in upper case. Where that differs from what was given,
the given text becomes the column's name, so that a client finds the headers that it asked for.
"""

from collections.abc import Iterable, Iterator

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from connections.sql.names import quoted
from connections.sql.relation import Out
from connections.sql.syntax import spelled, tokens_of

LONGEST = 255  # no name may be longer

_OPEN = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_CLOSE = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
_ENDS = frozenset(
    {
        TokenType.FROM,
        TokenType.WHERE,
        TokenType.GROUP_BY,
        TokenType.HAVING,
        TokenType.QUALIFY,
        TokenType.ORDER_BY,
        TokenType.LIMIT,
        TokenType.OFFSET,
        TokenType.FETCH,
        TokenType.UNION,
        TokenType.EXCEPT,
        TokenType.INTERSECT,
        TokenType.SEMICOLON,
    }
)


def titled(outputs: Iterable[Out]) -> list[Out]:
    """Outputs with a name each: the text of the expression where nothing names it."""
    return [out if out.name else Out(_title(out.item), out.value, out.item) for out in outputs]


def _title(item: exp.Expr | None) -> str:
    return "?" if item is None else spelled(item).upper()


def keep_headers(text: str, tree: exp.Expr, outputs: tuple[Out, ...]) -> tuple[Out, ...]:
    """Name the unnamed columns of the outermost SELECT by their given text, in the tree too."""
    select = tree
    while isinstance(select, (exp.SetOperation, exp.Subquery)):
        select = select.this
    unnamed = {id(out.item) for out in outputs if out.item is not None}
    items = select.expressions if isinstance(select, exp.Select) else []
    if not any(id(item) in unnamed for item in items):
        return outputs
    given = list(_items(text))
    if len(given) != len(items):
        return outputs
    headers: dict[int, str] = {}
    for item, header in zip(items, given, strict=True):
        if id(item) not in unnamed or header is None or header == spelled(item).upper():
            continue
        headers[id(item)] = header
        _name(item, header)
    return tuple(Out(headers.get(id(o.item), o.name), o.value, o.item) for o in outputs)


def pin_headers(outputs: Iterable[Out]) -> None:
    """Name in the tree what is unnamed there, before a rewriting that changes its text."""
    for out in outputs:
        select = out.item.parent if out.item is not None else None
        if out.item is None or select is None or len(out.name) > LONGEST:
            continue
        if any(out.item is item for item in select.expressions):
            _name(out.item, out.name)


def _name(item: exp.Expr, header: str) -> None:
    """Put a name over the item itself: no copy of it would be masked."""
    alias = exp.Alias(alias=quoted(header))
    item.replace(alias)
    alias.set("this", item)


def _items(text: str) -> Iterator[str | None]:
    """The texts of the outermost select list, in upper case; None for one that cannot be a name.

    Nothing where the list is not plain to see.
    """
    tokens = tokens_of(text)
    at = _start(tokens)
    depth, first, before = 0, at, None
    while at is not None and at < len(tokens):
        token = tokens[at]
        kind = token.token_type
        if depth == 0 and (kind in _CLOSE or _ends(token, before, tokens[at + 1 : at + 2])):
            break
        depth += (kind in _OPEN) - (kind in _CLOSE)
        if depth == 0 and kind == TokenType.COMMA:
            yield _header(text, tokens[first:at])
            first = at + 1
        before, at = token, at + 1
    if at is not None and first is not None and first < at:
        yield _header(text, tokens[first:at])


def _start(tokens: list[Token]) -> int | None:
    """Where the outermost select list begins."""
    depth = 0
    for at, token in enumerate(tokens):
        kind = token.token_type
        before = tokens[at - 1].token_type if at else None
        if kind == TokenType.L_PAREN and (before is None or (depth == 0 and before == kind)):
            continue
        if kind == TokenType.SELECT and depth == 0:
            if before not in {None, TokenType.L_PAREN, TokenType.R_PAREN}:
                return None
            after = at + 1
            while after < len(tokens) and tokens[after].text.upper() in {"DISTINCT", "ALL"}:
                after += 1
            top = after < len(tokens) and tokens[after].token_type == TokenType.TOP
            return after + 2 if top else after
        depth += (kind in _OPEN) - (kind in _CLOSE)
    return None


def _ends(token: Token, before: Token | None, after: list[Token]) -> bool:
    kind = token.token_type
    if kind not in _ENDS:
        return False
    if kind == TokenType.FROM:
        apart = before is not None and before.text.upper() == "DISTINCT"
        ordinal = bool(after) and after[0].text.upper() in {"FIRST", "LAST"}
        return not apart and not (ordinal and before is not None and before.text == ")")
    starred = before is not None and (before.token_type == TokenType.STAR or before.text == ")")
    return not (token.text.upper() == "EXCLUDE" and starred)


def _header(text: str, tokens: list[Token]) -> str | None:
    given = text[tokens[0].start : tokens[-1].end + 1].upper() if tokens else ""
    remarks = any(mark in given for mark in ("--", "/*", "//"))
    return None if remarks or not given or len(given) > LONGEST else given
