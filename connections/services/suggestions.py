"""Columns that look personal by their name or tags, offered for protection. Pure.

A name proves nothing: these are suggestions for a person, who adds or leaves them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from connections.masking.strategies import STRATEGIES, strictest
from connections.masking.types import Family, family
from connections.policy.types import Protection
from connections.sql.catalogue import Catalogue, Column, Table

MAX_SUGGESTIONS = 500
_GLOB = re.compile(r"[*?\[]")


Mask = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a name may stand for, and the masks that keep it useful, the first that fits."""

    label: str
    pattern: re.Pattern[str]
    masks: tuple[Mask, ...] = ()
    sample: str = "secret value"


def _words(pattern: str) -> re.Pattern[str]:
    """A pattern over whole words of a name such as CUSTOMER_EMAIL_2."""
    return re.compile(rf"(?:^|_)(?:{pattern})\d*(?:_|$)")


_NO = "(?:NO|NUM|NUMBER)"
_LAST4: Mask = ("partial", {"keep": "last4"})
_DOMAIN: Mask = ("partial", {"keep": "domain"})
_YEAR: Mask = ("date", {"unit": "year"})
_THOUSANDS: Mask = ("bucket", {"size": 10_000})

# In order: the first that fits names the column.
_KINDS = (
    Kind(
        "an e-mail address",
        _words("E?_?MAIL|E_?MAIL_?ADDR(?:ESS)?"),
        (_DOMAIN,),
        sample="ada@example.com",
    ),
    Kind(
        "a social security number",
        _words(f"SSN|SOCIAL_SEC(?:URITY)?(?:_?{_NO})?"),
        sample="078-05-1120",
    ),
    Kind(
        "an identity document",
        _words("PASSPORT|NATIONAL_ID|TAX_?ID|TIN|NINO|LICEN[CS]E"),
        sample="C01X00T47",
    ),
    Kind(
        "a card number",
        _words(f"(?:CREDIT_?)?CARD(?:_?{_NO})?|CC_?{_NO}|PAN"),
        (_LAST4,),
        sample="4111 1111 1111 1111",
    ),
    Kind(
        "a bank account",
        _words(f"IBAN|BANK_?ACCOUNT|ACCOUNT_?{_NO}|SORT_?CODE"),
        (_LAST4,),
        sample="DE89 3704 0044 0532 0130 00",
    ),
    Kind(
        "a phone number",
        _words("PHONE|MOBILE|CELL|TEL|TELEPHONE|FAX|MSISDN"),
        (_LAST4,),
        sample="+1 212 555 0188",
    ),
    Kind(
        "a date of birth",
        _words("DOB|BIRTH|BIRTH_?(?:DATE|DAY)|BORN"),
        (_YEAR,),
        sample="1987-06-14",
    ),
    Kind(
        "a person's name",
        _words("(?:FIRST|LAST|FULL|MIDDLE|MAIDEN|SUR|FAMILY|GIVEN)_?NAME"),
        sample="Ada Lovelace",
    ),
    Kind(
        "a home address",
        _words("STREET|(?:HOME_|POSTAL_)?ADDR(?:ESS)?(?:_LINE)?"),
        sample="12 St James Square",
    ),
    Kind("an IP address", _words("IP|IP_?ADDR(?:ESS)?"), sample="192.0.2.44"),
    Kind("pay", _words("SALARY|INCOME|WAGE"), (_THOUSANDS,)),
    Kind(
        "a secret", _words("PASSWORD|PASSWD|SECRET|API_?KEY|ACCESS_?TOKEN"), sample="hunter2-or-so"
    ),
)
# Tags of our own making that mark what is personal, as NAME=VALUE; and values that deny it.
_TAGGED = re.compile(
    r"(?:^|[._])(?:PII|PHI|PERSONAL|SENSITIVE|SENSITIVITY|CONFIDENTIAL|GDPR|PRIVACY_CATEGORY)"
    r"[A-Z_]*=(?!(?:FALSE|NO|NONE|PUBLIC|LOW|0)?$)"
)
# What Snowflake's own classification puts on a column.
_SEMANTIC = re.compile(r"(?:^|[._])SEMANTIC_CATEGORY=(\w+)$")
# EMAIL_VERIFIED or CARD_TYPE tell about the value without holding it.
_ABOUT = re.compile(
    "_(?:TYPE|FLAG|COUNT|COUNTRY|STATUS|VERIFIED|OPT_?IN|OPT_?OUT|KIND|SK|AT|ON|BRAND|LAST_?4)$"
)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One column and the mask that is offered for it."""

    table: Table
    column: Column
    label: str
    strategy: str
    options: dict[str, Any]
    by: str = "name"

    @property
    def key(self) -> str:
        return f"{self.table.name}.{self.column.name}"

    def as_values(self) -> dict[str, Any]:
        """What ``create_protections`` takes."""
        name = self.table.name
        return {
            "database": name.database,
            "schema": name.schema,
            "table": name.name,
            "column": self.column.name,
            "strategy": self.strategy,
            "options": dict(self.options),
            "note": f"Suggested: the {self.by} says {self.label}",
        }


def suggest(catalogue: Catalogue, protections: Iterable[Protection]) -> list[Suggestion]:
    """Unprotected columns whose names or tags say that they hold something personal."""
    marks = Marks(protections)
    found = []
    for table in catalogue.tables.values():
        # A view shows the masks of what it reads; protecting it again would mask a mask.
        if table.definition is not None or table.name.kind == "view":
            continue
        for column in table.columns:
            kind, by = kind_of(column.name), "name"
            if kind is None:
                kind, by = kind_by_tags(column.tags), "tag"
            # A flag such as HAS_PHONE says nothing that a mask could keep.
            if kind is None or family(column.type) is Family.BOOLEAN:
                continue
            if covers(marks.near(table), table, column):
                continue
            strategy, options = _mask(kind, column.type)
            found.append(Suggestion(table, column, kind.label, strategy, options, by))
            if len(found) == MAX_SUGGESTIONS:
                return found
    return found


@lru_cache(maxsize=16_384)  # names repeat from table to table, and pages ask for all of them
def kind_of(name: str) -> Kind | None:
    """What a column's name says that it holds."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).upper()
    if _ABOUT.search(words):
        return None
    return next((kind for kind in _KINDS if kind.pattern.search(words)), None)


def kind_by_tags(tags: Iterable[str]) -> Kind | None:
    """What a column's tags say that it holds."""
    marked: Kind | None = None
    for tag in tags:
        text = tag.upper()
        if found := _SEMANTIC.search(text):
            category = found[1]
            return kind_of(category) or Kind(category.lower().replace("_", " "), _TAGGED)
        if _TAGGED.search(text):
            marked = Kind(f"something personal ({tag})", _TAGGED)
    return marked


def sample_of(column: str, column_type: str = "TEXT") -> Any:
    """A made-up value of the kind that a column's name promises, to show a mask on."""
    of = family(column_type)
    if of is Family.NUMBER:
        return 48_213
    if of in {Family.DATE, Family.TIMESTAMP}:
        return "1987-06-14"
    kind = kind_of(column)
    return kind.sample if kind else "secret value"


def _mask(kind: Kind, column_type: str) -> Mask:
    fitting = (mask for mask in kind.masks if STRATEGIES[mask[0]].fits(column_type))
    return next(fitting, ("redact", {}))


def covers(protections: Iterable[Protection], table: Table, column: Column) -> Protection | None:
    """The protection, enabled or not, that this column wears: of several, the strictest."""
    found = [item for item in protections if _names(item, table, column)]
    if len(found) < 2:  # noqa: PLR2004
        return found[0] if found else None
    chosen = strictest([item.strategy for item in found])
    return next((item for item in found if item.strategy == chosen), found[0])


def _names(item: Protection, table: Table, column: Column) -> bool:
    name = table.name
    hit = (
        any(_same(tag, item.tag) for tag in column.tags)
        if item.tag
        else _same(column.name, item.column)
    )
    return (
        hit
        and _same(name.name, item.table)
        and _same(name.schema, item.schema)
        and _same(name.database, item.database)
    )


def _same(value: str, pattern: str) -> bool:
    """As the judge compares: by glob, without regard to case."""
    return pattern == "*" or fnmatchcase(value.casefold(), pattern.casefold())


class Marks:
    """Which columns of many tables are protected: most protections name one table, so each table
    is held against few of them.
    """

    def __init__(self, protections: Iterable[Protection]) -> None:
        self._anywhere: list[Protection] = []
        self._of_table: dict[str, list[Protection]] = defaultdict(list)
        for item in protections:
            if item.tag or _GLOB.search(item.table):
                self._anywhere.append(item)
            else:
                self._of_table[item.table.casefold()].append(item)

    def near(self, table: Table) -> list[Protection]:
        """Those that may meet a column of ``table``."""
        return [*self._of_table.get(table.name.name.casefold(), ()), *self._anywhere]

    def count(self, table: Table) -> int:
        """How many columns of ``table`` are protected."""
        near = self.near(table)
        return sum(any(_names(p, table, c) for p in near) for c in table.columns) if near else 0
