"""From text to tree and back, word for word.

sqlglot reads a call into a class of its own and writes it as it likes: ``NVL`` comes back as
``COALESCE``, ``DIV0`` as a condition, ``WEEKISO`` as another function altogether. What is judged
must be what runs, so the parser is kept from knowing the functions that it would respell: their
names carry a mark while it reads, and each is then a plain call of that name, its arguments in
their order. Only what has a syntax of its own is left to it.
"""

import logging
import threading
from typing import Any

from sqlglot import ErrorLevel, exp
from sqlglot.dialects.snowflake import Snowflake
from sqlglot.errors import ParseError, UnsupportedError
from sqlglot.generator import Generator
from sqlglot.tokenizer_core import Token, TokenType

# The parser logs the text of what it only half understands; no statement's text goes to a log.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

_DIALECT = Snowflake()
_PARSER: Any = _DIALECT.parser_class

_KEPT = threading.local()  # a tokenizer holds the text that it cuts: each thread has its own

# A character that the look before refuses outside literals: no name can bring it along.
_MARK = "\uf4e1"
# These have arguments that are no list of expressions, or stand where no other call may.
_SPECIAL = {"CAST", "TRY_CAST", "EXTRACT", "COUNT", "TABLE", "IDENTIFIER", "REPLACE", "NTH_VALUE"}
_RESPELT = (
    frozenset(_PARSER.FUNCTIONS) | frozenset(_PARSER.FUNCTION_PARSERS) | frozenset({"IF"})
) - _SPECIAL
# The parser reads these and forgets them: a type that is another in some sessions, an overwriting.
_LOST = (("WITHOUT", "TIME", "ZONE"), ("OVERWRITE", "ALL"), ("OVERWRITE", "FIRST"))
_NULLS = (("NULLS", "FIRST"), ("NULLS", "LAST"))
# What the parser takes for a path or a slice, and Snowflake does not.
_MISREAD = {
    TokenType.COLON: frozenset({TokenType.PARAMETER, TokenType.NUMBER, TokenType.R_BRACKET}),
    TokenType.L_BRACKET: frozenset({TokenType.COLON}),
}
_AFTER = frozenset().union(*_MISREAD.values())


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text. Raises SqlglotError where it cannot be cut into any."""
    tokenizer = getattr(_KEPT, "tokenizer", None)
    if tokenizer is None:
        tokenizer = _KEPT.tokenizer = _DIALECT.tokenizer()
    tokens: list[Token] = tokenizer.tokenize(text)
    return tokens


def parse(text: str) -> list[exp.Expr]:
    """The statements of a text, empty ones left out. Raises SqlglotError and, on what the parser
    does not foresee, the errors of any code that does not.
    """
    tokens = tokens_of(text)
    upper = text.upper()
    if any(words[0] in upper and _holds(tokens, words) for words in _LOST):
        raise ParseError("Words that the parser would leave out.")
    nulls = "NULLS" in upper and any(_holds(tokens, words) for words in _NULLS)
    marked = _mark(tokens)
    trees = [t for t in _DIALECT.parser().parse(tokens, text) if t is not None]
    for tree in trees if marked else ():
        marked -= _unmark(tree, exp.Anonymous)
    for tree in trees if marked else ():  # some stand where no call does
        _unmark(tree, exp.Expr)
    for tree in trees if nulls else ():
        for node in tree.find_all(exp.Ordered):
            node.args["nulls"] = "FIRST" if node.args.get("nulls_first") else "LAST"
    return [t for t in trees if not isinstance(t, exp.Semicolon)]


def _mark(tokens: list[Token]) -> int:
    """Mark the names that the parser must not know, and say how many there are."""
    marked = 0
    before: Token | None = None
    for token in tokens:
        kind = token.token_type
        if before is not None:
            if kind == TokenType.L_PAREN:
                if before.token_type != TokenType.IDENTIFIER and before.text.upper() in _RESPELT:
                    before.text = _MARK + before.text
                    marked += 1
            elif (
                kind in _AFTER
                and kind in _MISREAD.get(before.token_type, ())
                and (kind != TokenType.NUMBER or "." in token.text)  # :1 stands for a bound value
            ):
                raise ParseError("What follows this is no path.")
        before = token
    return marked


def _holds(tokens: list[Token], words: tuple[str, ...]) -> bool:
    """Whether these words stand in the text, one after the other."""
    upper = [t.text.upper() for t in tokens]
    width = len(words)
    return any(tuple(upper[i : i + width]) == words for i in range(len(upper) - width + 1))


def _unmark(tree: exp.Expr, kind: type[exp.Expr]) -> int:
    """Take the marks off the nodes of that kind, and say how many there were."""
    found = 0
    for node in tree.find_all(kind):
        this = node.args.get("this")
        if type(this) is str and this.startswith(_MARK):
            node.args["this"] = this[1:]
            found += 1
    return found


def render(tree: exp.Expr, prefix: str = "") -> str:
    """The text of a tree, on one line and without comments. The tree may be changed by it.

    Raises UnsupportedError where the text would say less than the tree.
    """
    writer: Any = _DIALECT.generator(comments=False, unsupported_level=ErrorLevel.RAISE)
    writer._dispatch = _WRITERS  # noqa: SLF001 - compiled classes cannot be extended
    text: str = writer.generate(tree, copy=False)
    if _MARK in text:
        raise UnsupportedError("a name kept its mark")
    return prefix + text


def spelled(node: exp.Expr) -> str:
    """The text of a part of a tree, which stays as it is."""
    return render(node.copy())


def _identifier(_writer: Any, node: exp.Expr) -> str:
    """A name as it was written: in quotes where it stood in quotes."""
    name: str = node.args["this"]
    if node.args.get("quoted") or name[:1].isdigit():
        return '"' + name.replace('"', '""') + '"'
    return name


def _ordered(writer: Any, node: exp.Expr) -> str:
    """As it was written where no NULLS stands in the text, else all of it: the parser does not
    tell its default for NULLs from what was written, and the account may have another default.
    """
    way = {None: "", False: " ASC", True: " DESC"}[node.args.get("desc")]
    said = node.args.get("nulls")
    return f"{writer.sql(node, 'this')}{way}{f' NULLS {said}' if said else ''}"


def _tried(writer: Any, node: exp.Expr) -> str:
    """``TRY_CAST(… AS BOOLEAN)``, which the parser takes for TRY_TO_BOOLEAN."""
    return f"TRY_CAST({writer.sql(node, 'this')} AS BOOLEAN)"


_NEGATED = {exp.Is: "IS NOT", exp.Like: "NOT LIKE", exp.ILike: "NOT ILIKE"}


def _not(writer: Any, node: exp.Expr) -> str:
    """``a NOT IN (b)`` as it was: with NOT before it, it would bind otherwise to what is around."""
    inner: Any = node.this
    escape = ""
    if type(inner) is exp.Escape:
        escape, inner = f" ESCAPE {writer.sql(inner, 'expression')}", inner.this
    kind, args = type(inner), inner.args
    word = _NEGATED.get(kind)
    if word is not None:
        return f"{writer.sql(inner, 'this')} {word} {writer.sql(inner, 'expression')}{escape}"
    if kind is exp.Between and not args.get("symmetric"):
        low, high = writer.sql(inner, "low"), writer.sql(inner, "high")
        return f"{writer.sql(inner, 'this')} NOT BETWEEN {low} AND {high}"
    if kind is exp.In and not (args.get("unnest") or args.get("field")):
        query = args.get("query")
        among = writer.sql(query) if query else f"({writer.expressions(inner, flat=True)})"
        return f"{writer.sql(inner, 'this')} NOT IN {among}"
    return f"NOT {writer.sql(node, 'this')}"


def _writers() -> dict[type[exp.Expr], Any]:
    """How each class of node is written: as Snowflake's own writer does, without the steps with
    which it fits other dialects' queries to Snowflake. Those copy every SELECT, and respell it.
    """
    writer: Any = _DIALECT.generator()
    return {
        **writer._dispatch,  # noqa: SLF001
        exp.Select: Generator.select_sql,
        exp.Cast: Generator.cast_sql,
        exp.Filter: Generator.filter_sql,
        exp.Identifier: _identifier,
        exp.Not: _not,
        exp.Ordered: _ordered,
        exp.ToBoolean: _tried,
    }


_WRITERS = _writers()
