"""A cheap look at a text before the parser sees it: size, nesting, and characters that deceive.

One pass of one regular expression without backtracking. It cuts the text as Snowflake does into
literals, quoted names, comments and the rest; only the rest is code.
"""

import re
import unicodedata
from dataclasses import dataclass

from connections.sql.facts import Problem

MAX_BYTES = 256 * 1024
MAX_TOKENS = 40_000
MAX_DEPTH = 60
SMALL_TOKENS = 6_000
SMALL_DEPTH = 32
SMALL_COST = 400

_TOKEN = re.compile(
    r"""
    [ \t\r\n\f\v]*+ (?:
      (?P<word>[A-Za-z_0-9][A-Za-z0-9_$.]*+)
    | (?P<line>(?:--|//)[^\n]*+)
    | (?P<block>/\*(?:[^*]|\*(?!/))*+\*/)
    | (?P<string>'(?:[^'\\]|\\.|'')*+')
    | (?P<quoted>"(?:[^"]|"")*+")
    | (?P<dollar>\$\$(?:[^$]|\$(?!\$))*+\$\$)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<semicolon>;)
    | (?P<flow>->>)
    | (?P<bad>/\*|'|"|\$\$)
    | (?P<end>\Z)
    | (?P<other>.)
    )
    """,
    re.VERBOSE | re.DOTALL,
)

_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE]\d*)?")
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|0(?![0-7])|[^0-7xu]|\Z)", re.DOTALL)
# Before a name: a colon that hangs on nothing.
_COLON = re.compile(r"""(?:\A|[^\w"')\]}:$?]):\Z""")
_PREFIXES = frozenset({"NOT", "PRIOR", "DISTINCT", "EXPLAIN", "CONNECT_BY_ROOT", "INTERVAL", "ALL"})
# Cyrillic, Greek and other letters that print like Latin ones.
_LOOK_LATIN = frozenset(
    "\u0405\u0406\u0408\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425"
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04ae\u04bb\u04cf\u0501\u050d"
    "\u051a\u051b\u051c\u051d\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1"
    "\u03a4\u03a5\u03a7\u03b1\u03b9\u03bd\u03bf\u03c1\u03c5\u0131\u0261\u0578\u057d\u0585\u13a0"
)
_CHAINS = frozenset("+-*/%|&^<>=:~!?@#[")
_SET_WORDS = frozenset({"UNION", "EXCEPT", "INTERSECT", "MINUS", "JOIN"})
_NOTED = _PREFIXES | _SET_WORDS | {"CASE", "END"}


@dataclass(frozen=True, slots=True)
class Scan:
    """What the look found. ``cost`` tells how deep a tree the text may grow into."""

    size: int
    tokens: int
    depth: int
    cost: int
    statements: int
    hidden: bool = False
    problems: tuple[Problem, ...] = ()

    @property
    def small(self) -> bool:
        """Whether parsing, binding and rendering stay within a fraction of a second here."""
        return self.tokens <= SMALL_TOKENS and self.depth <= SMALL_DEPTH and self.cost <= SMALL_COST


def _deceives(char: str) -> str | None:
    """What is wrong with a character that stands in code, if anything is."""
    if char.isascii():
        return None if char.isprintable() or char in "\t\r\n\f\v" else "control character"
    category = unicodedata.category(char)
    if category == "Cf":
        return "invisible character"
    if category in {"Zs", "Zl", "Zp"}:
        return "space that is not a plain space"
    return "character that may look like another"


def _quoted_deceives(name: str) -> bool:
    """Whether a quoted name hides characters, or passes letters off as Latin ones."""
    if name.isascii():
        return not name.isprintable()
    alike = False
    for char in name:
        category = unicodedata.category(char)
        if category[0] in "CZ" and char != " ":
            return True
        folded = unicodedata.normalize("NFKC", char)
        if folded != char and len(folded) == 1 and folded.isascii() and folded.isalpha():
            alike = alike or char not in "\u00aa\u00ba"
        alike = alike or char in _LOOK_LATIN
    return (alike and any(c.isascii() and c.isalpha() for c in name)) or _all_wide(name)


def _all_wide(name: str) -> bool:
    """A name that is nothing but another form of plain letters."""
    folded = unicodedata.normalize("NFKC", name)
    return folded != name and folded.isascii() and folded.isalpha()


def _escapes_oddly(literal: str) -> bool:
    """Whether a literal has an octal escape, or one that is cut off."""
    return "\\" in _ESCAPE.sub("", literal)


def _hides(text: str) -> bool:
    return not text.isascii() and any(unicodedata.category(c) in {"Cf", "Zl", "Zp"} for c in text)


def split(text: str) -> list[str]:
    """The statements of a text, cut where ``scan`` counts them; parts without one are left out."""
    parts: list[str] = []
    start, pending = 0, False
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "semicolon":
            if pending:
                parts.append(text[start : match.start("semicolon")])
            start, pending = match.end(), False
        elif match.lastgroup not in {"line", "block", "end"}:
            pending = True
    if pending:
        parts.append(text[start:])
    return parts


def placeholders(text: str) -> tuple[int, frozenset[str]]:
    """How many ``?`` stand in a text's code, and the names of those written ``:1`` or ``:name``.

    A ``:`` that hangs on a value opens a path into it, and ``::`` casts: neither is a placeholder.
    """
    marks = 0
    names: set[str] = set()
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or 0
        start, value = match.start(kind), match.group(kind)
        marks += kind == "other" and value == "?"
        if kind == "word" and _COLON.search(text, max(0, start - 2), start):
            names.add(value.partition(".")[0])
    return marks, frozenset(names)


def scan(text: str) -> Scan:  # noqa: PLR0915 - one loop over one alternation
    """Measure a text and name every character that must not stand in it."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        problem = Problem(
            "too-large",
            f"The statement has {size} bytes; at most {MAX_BYTES} are judged.",
            "Shorten it, or load long lists of values into a table first.",
        )
        return Scan(size, 0, 0, 0, 1, problems=(problem,))
    problems: list[Problem] = []
    tokens = depth = deepest = cases = run = chain = sets = 0
    statements, pending, hidden = 0, False, False

    def refuse(code: str, what: str, way_out: str, position: int) -> None:
        if len(problems) < 5:  # noqa: PLR2004 - more would only be noise
            problems.append(Problem(code, f"{what} at position {position}.", way_out, position))

    def at(found: re.Match[str]) -> int:
        return found.start(found.lastgroup or 0)

    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        value = match.group(kind or 0)
        if kind in {"line", "block"}:
            hidden = hidden or _hides(value)
            if kind == "block" and "/*" in value[2:]:
                refuse(
                    "nested-comment",
                    "A comment opens inside a comment",
                    "Remove the comment.",
                    at(match),
                )
            continue
        if kind == "end":
            break
        tokens += 1
        if kind == "semicolon":
            statements, pending = statements + pending, False
            continue
        pending = True
        if kind == "word":
            upper = value.upper()
            if upper in _NOTED:
                run = run + 1 if upper in _PREFIXES else 0
                cases += upper == "CASE"
                cases -= upper == "END" and cases > 0
                sets += upper in _SET_WORDS
            else:
                run = 0
            if value[0] in "0123456789" and not _NUMBER.fullmatch(value):
                refuse(
                    "odd-number",
                    f"{value[:20]} is no number, and a name does not begin with a digit",
                    "Write decimal numbers; put a space before what follows one.",
                    at(match),
                )
            chain += value.count(".")
        elif kind == "open":
            if value == "{" and text[match.end() : match.end() + 1] in {"{", "%", "#"}:
                refuse(
                    "template",
                    "A template marker stands in the statement",
                    "Send the text after the template has been filled in.",
                    at(match),
                )
            depth += 1
        elif kind == "close":
            depth -= 1
        elif kind == "flow":
            refuse(
                "flow-operator",
                "The flow operator ->> chains statements",
                "Send each statement by itself.",
                at(match),
            )
        elif kind == "bad":
            refuse(
                "unbalanced",
                f"A {value} opens and never closes",
                "Close the literal, quoted name or comment.",
                at(match),
            )
            break
        elif kind == "quoted":
            if _quoted_deceives(value[1:-1].replace('""', '"')):
                refuse(
                    "confusable",
                    "A quoted name holds hidden characters or mixes alphabets that look alike",
                    "Type the name again in plain characters.",
                    at(match),
                )
        elif kind in {"string", "dollar"}:
            hidden = hidden or _hides(value)
            run = 0
            if kind == "string" and "\\" in value and _escapes_oddly(value):
                refuse(
                    "odd-escape",
                    "A literal holds an escape that is read in different ways",
                    "Write the character itself, or double the backslash.",
                    at(match),
                )
        else:
            chain += value in _CHAINS
            run = run + 1 if value in _CHAINS else 0
            wrong = _deceives(value)
            if wrong:
                code = "confusable" if not value.isascii() else "control-character"
                refuse(
                    code,
                    f"A {wrong} (U+{ord(value):04X}) stands outside any literal",
                    "Type it again in plain characters.",
                    at(match),
                )
        deepest = max(deepest, depth + cases + run)
    if not problems and (tokens > MAX_TOKENS or deepest > MAX_DEPTH):
        what = f"{tokens} tokens" if tokens > MAX_TOKENS else f"{deepest} levels of nesting"
        most = MAX_TOKENS if tokens > MAX_TOKENS else MAX_DEPTH
        problems.append(
            Problem(
                "too-complex",
                f"The statement has {what}; at most {most} are judged.",
                "Split it into simpler statements, or use common table expressions.",
            )
        )
    return Scan(
        size,
        tokens,
        deepest,
        deepest + chain + sets,
        statements + pending,
        hidden,
        tuple(problems),
    )
