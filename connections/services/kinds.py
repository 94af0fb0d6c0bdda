"""What a column's name or tags say that it holds. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from connections.masking.types import Family, family

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
LAST4: Mask = ("partial", {"keep": "last4"})
DOMAIN: Mask = ("partial", {"keep": "domain"})
_YEAR: Mask = ("date", {"unit": "year"})
_THOUSANDS: Mask = ("bucket", {"size": 10_000})

# In order: the first that fits names the column.
_KINDS = (
    Kind(
        "an e-mail address",
        _words("E?_?MAIL|E_?MAIL_?ADDR(?:ESS)?"),
        (DOMAIN,),
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
        (LAST4,),
        sample="4111 1111 1111 1111",
    ),
    Kind(
        "a bank account",
        _words(f"IBAN|BANK_?ACCOUNT|ACCOUNT_?{_NO}|SORT_?CODE"),
        (LAST4,),
        sample="DE89 3704 0044 0532 0130 00",
    ),
    Kind(
        "a phone number",
        _words("PHONE|MOBILE|CELL|TEL|TELEPHONE|FAX|MSISDN"),
        (LAST4,),
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
