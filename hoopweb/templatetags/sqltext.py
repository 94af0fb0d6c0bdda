"""SQL as a reviewer reads it: highlighted, numbered, with nothing hidden in it. Pure."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlparse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers.sql import SqlLexer
from pygments.token import Error, Keyword, Name, Operator, String, _TokenType, is_token_subtype
from sqlparse.engine import FilterStack
from sqlparse.filters import (
    IdentifierCaseFilter,
    KeywordCaseFilter,
    ReindentFilter,
    SerializerUnicode,
    StripWhitespaceFilter,
)
from sqlparse.sql import TokenList
from sqlparse.tokens import DML

# A statement longer than this is shown as it came: formatting it would cost more than it tells.
FORMAT_LIMIT = 20_000
# And this much of it is coloured; the rest is shown plain.
COLOUR_LIMIT = 120_000
DIFF_LINES = 2_000
CASE_LENGTH = 100

_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True, classprefix="t-")
_BEFORE_BRACKET = frozenset(
    {"in", "values", "and", "or", "not", "over", "exists", "as", "on", "using"}
)


# Words of Snowflake's SQL that the stock lexer takes for names.
_WORDS = frozenset(
    {
        "merge",
        "matched",
        "qualify",
        "undrop",
        "ilike",
        "rlike",
        "pivot",
        "unpivot",
        "lateral",
        "clone",
    }
)


class _Lexer(SqlLexer):
    """Tells names from words of the language, where the stock lexer goes by spelling alone."""

    def get_tokens_unprocessed(
        self, text: str, stack: Iterable[str] = ("root",)
    ) -> Iterator[tuple[int, _TokenType, str]]:
        for index, kind, value in super().get_tokens_unprocessed(text, stack):
            if kind is String.Symbol:
                # What stands in double quotes is a name here, not a text.
                kind = Name  # noqa: PLW2901
            elif is_token_subtype(kind, Keyword) or is_token_subtype(kind, Name):
                after = text[index + len(value) : index + len(value) + 1]
                if len(value) == 1 or after == "." or text[max(0, index - 1) : index] == ".":
                    kind = Name  # noqa: PLW2901
                elif value.lower() in _WORDS:
                    kind = Keyword  # noqa: PLW2901
                elif after == "(" and value.lower() not in _BEFORE_BRACKET:
                    kind = Name.Function  # noqa: PLW2901
            elif kind is Error and value.isascii():
                # Snowflake's own signs (@stage, $1, :path), which plain SQL does not know.
                kind = Operator  # noqa: PLW2901
            yield index, kind, value


_LEXER = _Lexer(stripnl=False, ensurenl=False)


@dataclass(frozen=True, slots=True)
class Line:
    """One shown line; ``sign`` is "", "-" or "+"."""

    html: SafeString
    sign: str = ""


class _Reindent(ReindentFilter):
    """Breaks clauses, not calls: an argument on a line of its own says nothing, and the stock
    filter moves it to the right of everything. A short CASE stays on its line as well.
    """

    def _process_function(self, tlist: TokenList) -> None:
        if any(token.ttype is DML for token in tlist.flatten()):
            super()._process_function(tlist)  # type: ignore[no-untyped-call]

    def _process_case(self, tlist: TokenList) -> None:
        if len(str(tlist)) > CASE_LENGTH:
            super()._process_case(tlist)  # type: ignore[no-untyped-call]


def tidy(text: str, *, fold_case: bool = False, fine: bool = False) -> str:
    """``text`` broken into clauses, or as it is where that cannot be done.

    ``fold_case`` raises names and keywords, never what stands in quotes; ``fine`` gives each
    item of a list its own line.
    """
    if len(text) > FORMAT_LIMIT:
        return text
    case = "upper" if fold_case else None
    try:
        stack: Any = FilterStack()
        stack.enable_grouping()
        if case:
            stack.preprocess += [KeywordCaseFilter(case), IdentifierCaseFilter(case)]
        broken = _Reindent(wrap_after=0 if fine else 72)  # type: ignore[no-untyped-call]
        stack.stmtprocess += [StripWhitespaceFilter(), broken]
        stack.postprocess.append(SerializerUnicode())
        pretty = "".join(stack.run(text))
    except (sqlparse.exceptions.SQLParseError, RecursionError):
        return text
    return pretty.strip()


def _reveal(match: re.Match[str]) -> str:
    """A character that draws nothing, or turns the line round, is shown by its name."""
    char = match.group()
    name = unicodedata.name(char, "CONTROL CHARACTER")
    return (
        f'<span class="sql-odd" title="U+{ord(char):04X} {escape(name)}">'
        f"<span>U+{ord(char):04X}</span>{char}</span>"
    )


# Control and format characters, lone surrogates, and spaces that are not the space.
_ODD = re.compile(
    "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u00a0\\u00ad\\u061c\\u115f\\u1160\\u1680\\u180e"
    "\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0"
    "\\ufff0-\\uffff\\ud800-\\udfff\\U000e0000-\\U000e0fff]"
)


@lru_cache(maxsize=256)
def lines(text: str) -> tuple[Line, ...]:
    """Highlighted lines of ``text``. Every character of it is escaped before it is coloured."""
    text = text.replace("\r\n", "\n").encode("utf-8", "replace").decode()
    head, rest = text[:COLOUR_LIMIT], text[COLOUR_LIMIT:]
    html = highlight(head, _LEXER, _FORMATTER)
    # The formatter ends its last line, whether or not the text does.
    html = (html if head.endswith("\n") else html.removesuffix("\n")) + escape(rest)
    return tuple(
        Line(mark_safe(_ODD.sub(_reveal, line)))  # noqa: S308  escaped by Pygments and escape()
        for line in html.split("\n")
    )


def difference(sent: str, given: str) -> tuple[Line, ...]:
    """What was taken out of and put into the agent's text, both laid out alike first."""
    old, new = lines(tidy(given, fine=True)), lines(tidy(sent, fine=True))
    if max(len(old), len(new)) > DIFF_LINES:
        return ()
    # Compared without regard to case and spacing outside quotes; shown as written.
    matcher = difflib.SequenceMatcher(a=_keys(given), b=_keys(sent), autojunk=False)
    shown: list[Line] = []
    for verb, a1, a2, b1, b2 in matcher.get_opcodes():
        if verb == "equal":
            shown += new[b1:b2]
        else:
            shown += [Line(line.html, "-") for line in old[a1:a2]]
            shown += [Line(line.html, "+") for line in new[b1:b2]]
    return tuple(shown)


def listing(shown: tuple[Line, ...]) -> SafeString:
    """The lines as they stand inside a ``<pre>``, where a template's own white space would show."""
    classes = {"": "sql-line", "+": "sql-line is-added", "-": "sql-line is-removed"}
    tags = {"": "{}", "+": "<ins>{}</ins>", "-": "<del>{}</del>"}
    return mark_safe(  # noqa: S308  every line was escaped by lines()
        "".join(
            f'<span class="{classes[line.sign]}">{tags[line.sign].format(line.html)}\n</span>'
            for line in shown
        )
    )


def _keys(text: str) -> list[str]:
    return [line.strip().rstrip("; ") for line in tidy(text, fold_case=True, fine=True).split("\n")]
