"""Columns that look personal by their name, offered for protection. Pure.

A name proves nothing: these are suggestions for a person, who adds or leaves them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from connections.policy.types import Protection
from connections.sql.catalogue import Catalogue, Column, Table

MAX_SUGGESTIONS = 500


@dataclass(frozen=True, slots=True)
class Kind:
    """What a name may stand for, and the mask that usually fits a text, a number or a date."""

    label: str
    pattern: re.Pattern[str]
    text: str = "redact"
    number: str = "null"
    moment: str = "null"


_TEXT = frozenset({"TEXT", "VARCHAR", "STRING", "CHAR", "CHARACTER", "NVARCHAR"})
_NUMBER = frozenset({"NUMBER", "INT", "INTEGER", "BIGINT", "DECIMAL", "NUMERIC", "FLOAT", "REAL"})
_MOMENT = frozenset({"DATE", "DATETIME", "TIMESTAMP", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ"})


def _words(pattern: str) -> re.Pattern[str]:
    """A pattern over whole words of a name such as CUSTOMER_EMAIL_2."""
    return re.compile(rf"(?:^|_)(?:{pattern})\d*(?:_|$)")


_NO = "(?:NO|NUM|NUMBER)"

# In order: the first that fits names the column.
_KINDS = (
    Kind("an e-mail address", _words("E?_?MAIL|E_?MAIL_?ADDR(?:ESS)?"), text="partial_email"),
    Kind("a social security number", _words(f"SSN|SOCIAL_SEC(?:URITY)?(?:_?{_NO})?")),
    Kind("an identity document", _words("PASSPORT|NATIONAL_ID|TAX_?ID|TIN|NINO|LICEN[CS]E")),
    Kind("a card number", _words(f"(?:CREDIT_?)?CARD(?:_?{_NO})?|CC_?{_NO}|PAN"), text="partial"),
    Kind("a bank account", _words(f"IBAN|BANK_?ACCOUNT|ACCOUNT_?{_NO}|SORT_?CODE"), text="partial"),
    Kind("a phone number", _words("PHONE|MOBILE|CELL|TEL|TELEPHONE|FAX|MSISDN"), text="partial"),
    Kind("a date of birth", _words("DOB|BIRTH|BIRTH_?(?:DATE|DAY)|BORN"), moment="date_trunc"),
    Kind("a person's name", _words("(?:FIRST|LAST|FULL|MIDDLE|MAIDEN|SUR|FAMILY|GIVEN)_?NAME")),
    Kind("a home address", _words("STREET|(?:HOME_|POSTAL_)?ADDR(?:ESS)?(?:_LINE)?")),
    Kind("an IP address", _words("IP|IP_?ADDR(?:ESS)?")),
    Kind("pay", _words("SALARY|INCOME|WAGE")),
    Kind("a secret", _words("PASSWORD|PASSWD|SECRET|API_?KEY|ACCESS_?TOKEN")),
)
# EMAIL_VERIFIED or CARD_TYPE tell about the value without holding it.
_ABOUT = re.compile(
    "_(?:TYPE|FLAG|COUNT|COUNTRY|STATUS|VERIFIED|OPT_?IN|OPT_?OUT|KIND|SK|AT|ON|BRAND)$"
)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One column and the mask that is offered for it."""

    table: Table
    column: Column
    label: str
    strategy: str

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
            "note": f"Suggested: the name says {self.label}",
        }


def suggest(catalogue: Catalogue, protections: Iterable[Protection]) -> list[Suggestion]:
    """Unprotected columns whose names say that they hold something personal."""
    protections = tuple(protections)
    found = []
    for table in catalogue.tables.values():
        # A view shows the masks of what it reads; protecting it again would mask a mask.
        if table.definition is not None or table.name.kind == "view":
            continue
        for column in table.columns:
            kind = kind_of(column.name)
            strategy = kind and _strategy(kind, column.type)
            if kind is None or not strategy or covers(protections, table, column):
                continue
            found.append(Suggestion(table, column, kind.label, strategy))
            if len(found) == MAX_SUGGESTIONS:
                return found
    return found


def kind_of(name: str) -> Kind | None:
    """What a column's name says that it holds."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).upper()
    if _ABOUT.search(words):
        return None
    return next((kind for kind in _KINDS if kind.pattern.search(words)), None)


def _strategy(kind: Kind, column_type: str) -> str | None:
    base = re.split(r"[\s(]", column_type.upper(), maxsplit=1)[0]
    if base in _TEXT:
        return kind.text
    if base in _NUMBER:
        return kind.number
    return kind.moment if base in _MOMENT else None


def covers(protections: Iterable[Protection], table: Table, column: Column) -> Protection | None:
    """The protection, enabled or not, that names this column or a tag of it."""
    name = table.name
    for item in protections:
        if item.tag:
            if any(fnmatchcase(tag.upper(), item.tag.upper()) for tag in column.tags):
                return item
        elif (
            fnmatchcase(column.name, item.column)
            and fnmatchcase(name.name, item.table)
            and fnmatchcase(name.schema, item.schema)
            and fnmatchcase(name.database, item.database)
        ):
            return item
    return None
