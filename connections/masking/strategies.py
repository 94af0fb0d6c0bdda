"""The masks: each computes, inside Snowflake, what may be seen instead of a protected value.

A mask keeps the column's type, and NULL stays NULL: a test for null tells the truth. The
functions used are those that Snowflake and the local emulator both understand.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlglot import exp

from connections.masking.types import Family, cast, family, width

Options = Mapping[str, Any]
Build = Callable[[exp.Expr, str, str, Options], exp.Expr]
Example = Callable[[Any, Options], Any]

PLACEHOLDER = "***"
_EVERY = frozenset(Family)


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of a strategy, as a form shows it."""

    name: str
    label: str
    kind: str  # "choice", "number" or "text"
    default: Any
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to mask: ``build`` takes column, type, salt and options, and gives the mask."""

    name: str
    label: str
    description: str
    families: frozenset[Family]
    build: Build
    show: Example
    options: tuple[Option, ...] = field(default_factory=tuple)

    def fits(self, type_: str) -> bool:
        return family(type_) in self.families

    def example(self, value: Any, options: Options | None = None) -> Any:
        """What a person would see instead of ``value``."""
        return None if value is None else self.show(value, self.settings(options))

    def settings(self, options: Options | None) -> dict[str, Any]:
        """The given options, completed by the defaults; what is not allowed falls back."""
        settled = {o.name: o.default for o in self.options}
        for option in self.options:
            given = (options or {}).get(option.name)
            if given is None or (option.choices and given not in option.choices):
                continue
            if option.kind == "number" and not _positive(given):
                continue
            settled[option.name] = given
        return settled


def _positive(value: Any) -> bool:
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return False


def _text(value: str) -> exp.Expr:
    return exp.Literal.string(value)


def _unless_null(column: exp.Expr, value: exp.Expr) -> exp.Expr:
    test = exp.Not(this=exp.Is(this=column.copy(), expression=exp.Null()))
    return exp.Case(ifs=[exp.If(this=test, true=value)])


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _redacted(column: exp.Expr, type_: str, _salt: str, _options: Options) -> exp.Expr:
    return _unless_null(column, _blank(type_))


def _blank(type_: str) -> exp.Expr:
    kind = family(type_)
    if kind is Family.TEXT:
        return _text(PLACEHOLDER[: width(type_) or 3])
    if kind is Family.VARIANT:
        return _call("TO_VARIANT", _text(PLACEHOLDER))
    if kind is Family.ARRAY:
        return _call("ARRAY_CONSTRUCT", _text(PLACEHOLDER))
    if kind is Family.OBJECT:
        return _call("OBJECT_CONSTRUCT", _text(PLACEHOLDER), _text(PLACEHOLDER))
    if kind is Family.BINARY:
        return _call("TO_BINARY", _text("00"), _text("HEX"))
    blanks: dict[Family, exp.Expr] = {
        Family.NUMBER: exp.Literal.number(0),
        Family.DATE: _text("1900-01-01"),
        Family.TIMESTAMP: _text("1900-01-01 00:00:00"),
        Family.TIME: _text("00:00:00"),
        Family.BOOLEAN: exp.false(),
    }
    return cast(blanks.get(kind, exp.Null()), type_)


def _show_redacted(value: Any, _options: Options) -> Any:
    if isinstance(value, bool):
        return False
    return 0 if isinstance(value, int | float) else PLACEHOLDER


def _nothing(_column: exp.Expr, type_: str, _salt: str, _options: Options) -> exp.Expr:
    return cast(exp.Null(), type_)


def _hashed(column: exp.Expr, type_: str, salt: str, _options: Options) -> exp.Expr:
    salted = exp.DPipe(this=_text(salt), expression=column.copy(), safe=True)
    digest: exp.Expr = exp.SHA2(this=salted, length=exp.Literal.number(256))
    most = width(type_)
    if most is not None and most < 64:  # noqa: PLR2004 - the length of the digest
        digest = exp.Left(this=digest, expression=exp.Literal.number(most))
    return digest


def _show_hashed(value: Any, _options: Options) -> Any:
    return hashlib.sha256(f"example{value}".encode()).hexdigest()


def _partly(column: exp.Expr, type_: str, _salt: str, options: Options) -> exp.Expr:
    most = width(type_)
    blank = _text("****"[:most]) if most else _text("****")
    if options["keep"] == "domain":
        at = exp.StrPosition(this=column.copy(), substr=_text("@"))
        shown = exp.DPipe(
            this=_text("***@"),
            expression=exp.SplitPart(
                this=column.copy(), delimiter=_text("@"), part_index=exp.Literal.number(2)
            ),
            safe=True,
        )
        visible: exp.Expr = exp.GT(this=at, expression=exp.Literal.number(0))
    else:
        shown = exp.DPipe(
            this=_text("****"),
            expression=exp.Right(this=column.copy(), expression=exp.Literal.number(4)),
            safe=True,
        )
        visible = exp.GTE(
            this=exp.Length(this=column.copy()), expression=exp.Literal.number(_MIN_PARTIAL)
        )
    value: exp.Expr = exp.Case(ifs=[exp.If(this=visible, true=shown)], default=blank)
    if most is not None:
        value = exp.Left(this=value, expression=exp.Literal.number(most))
    return _unless_null(column, value)


_MIN_PARTIAL = 8  # a shorter value would be shown by half or more


def _show_partly(value: Any, options: Options) -> Any:
    text = str(value)
    if options["keep"] == "domain":
        return "***@" + text.split("@")[1] if "@" in text else "****"
    return "****" + text[-4:] if len(text) >= _MIN_PARTIAL else "****"


def _truncated(column: exp.Expr, type_: str, _salt: str, options: Options) -> exp.Expr:
    unit = _text(str(options["unit"]).upper())
    return cast(exp.TimestampTrunc(this=column.copy(), unit=exp.var(unit.name)), type_)


def _show_truncated(value: Any, options: Options) -> Any:
    text = str(value)
    unit = options["unit"]
    if unit == "quarter" and len(text) >= len("2000-01"):
        month = (int(text[5:7]) - 1) // 3 * 3 + 1
        return f"{text[:4]}-{month:02}-01"
    return f"{text[:4]}-01-01" if unit == "year" else f"{text[:7]}-01"


def _bucketed(column: exp.Expr, type_: str, _salt: str, options: Options) -> exp.Expr:
    size = exp.Literal.number(str(options["size"]))
    floor = exp.Floor(this=exp.Div(this=column.copy(), expression=size, safe=False, typed=False))
    return cast(exp.Mul(this=floor, expression=size.copy()), type_)


def _show_bucketed(value: Any, options: Options) -> Any:
    size = float(options["size"])
    try:
        floor = float(value) // size * size
    except (TypeError, ValueError):
        return 0
    return int(floor) if floor.is_integer() else floor


def _fixed(column: exp.Expr, type_: str, _salt: str, options: Options) -> exp.Expr:
    text = str(options["value"])
    kind = family(type_)
    if kind is Family.TEXT:
        return _unless_null(column, _text(text[: width(type_) or len(text)]))
    if kind is Family.NUMBER:
        try:
            float(text)
        except ValueError:
            return _redacted(column, type_, "", {})
        return _unless_null(column, cast(exp.Literal.number(text), type_))
    return _redacted(column, type_, "", {})


STRATEGIES: dict[str, Strategy] = {
    s.name: s
    for s in (
        Strategy(
            "redact",
            "Redact",
            "Every value becomes ***, or 0, or 1900-01-01, by its type.",
            _EVERY,
            _redacted,
            _show_redacted,
        ),
        Strategy(
            "null",
            "Empty",
            "Every value becomes NULL.",
            _EVERY,
            _nothing,
            lambda _value, _options: None,
        ),
        Strategy(
            "hash",
            "Hash",
            "Every value becomes a salted SHA-256: equal values stay equal on this connection.",
            frozenset({Family.TEXT}),
            _hashed,
            _show_hashed,
        ),
        Strategy(
            "partial",
            "Partial",
            "Only the last four characters, or only the domain of an e-mail, stay visible.",
            frozenset({Family.TEXT}),
            _partly,
            _show_partly,
            (Option("keep", "Keep", "choice", "last4", ("last4", "domain")),),
        ),
        Strategy(
            "date",
            "Coarse date",
            "Dates and times are cut to the year, quarter or month.",
            frozenset({Family.DATE, Family.TIMESTAMP}),
            _truncated,
            _show_truncated,
            (Option("unit", "Cut to", "choice", "year", ("year", "quarter", "month")),),
        ),
        Strategy(
            "bucket",
            "Bucket",
            "Numbers are rounded down to a multiple of the bucket's size.",
            frozenset({Family.NUMBER}),
            _bucketed,
            _show_bucketed,
            (Option("size", "Bucket size", "number", 100),),
        ),
        Strategy(
            "constant",
            "Constant",
            "Every value becomes the same given value.",
            frozenset({Family.TEXT, Family.NUMBER}),
            _fixed,
            lambda _value, options: options["value"],
            (Option("value", "Value", "text", "hidden"),),
        ),
    )
}

_STRICTNESS = ("null", "redact", "constant", "hash", "partial", "date", "bucket")


def strictest(names: "list[str]") -> str:
    """Of several masks for one column, the one that shows least."""
    known = [n for n in _STRICTNESS if n in names]
    return known[0] if known and all(n in STRATEGIES for n in names) else "null"


@lru_cache(maxsize=4096)
def column_salt(salt: str, column: str) -> str:
    """The salt of one column: equal values in two columns do not show as equal."""
    return hashlib.sha256(f"{salt}\x00{column}".encode()).hexdigest()


def masked(
    strategy: str,
    column: exp.Expr,
    type_: str,
    salt: str,
    options: Options | None = None,
    *,
    derived: bool = False,
) -> exp.Expr:
    """The masked column. A strategy that does not fit the type gives way to redaction, an unknown
    one to NULL. A column that a view computes from the protected one is blank in every row: part
    of it, which rows of it are equal, or which are NULL would tell of the value.
    """
    chosen = STRATEGIES.get(strategy)
    if chosen is None:
        return _nothing(column, type_, salt, {})
    if derived and chosen.build is not _nothing:
        return _blank(type_)
    if not chosen.fits(type_):
        chosen = STRATEGIES["redact"]
    return chosen.build(column, type_, salt, chosen.settings(options))
