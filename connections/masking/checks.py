"""Check digits: what turns a number that looks like a card into a finding."""

import re

from stdnum import iban, luhn

_NOT_DIGIT = re.compile(r"\D+")


def is_card(text: str) -> bool:
    """Thirteen to nineteen digits with a right Luhn digit that are not all the same."""
    digits = _NOT_DIGIT.sub("", text)
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and bool(luhn.is_valid(digits))  # noqa: PLR2004


def is_iban(text: str) -> bool:
    """An IBAN whose check digits are right."""
    return bool(iban.is_valid(text))


def is_ssn(text: str) -> bool:
    """A number in the form of a US SSN whose parts are not all zero."""
    area, _, rest = text.partition(text[3])
    group, serial = rest[:2], rest[3:]
    return area not in {"000", "666"} and group != "00" and serial != "0000"
