"""What protected values look like: the second layer, for values that no protection names."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from connections.masking import checks

MASK = "***"


@dataclass(frozen=True, slots=True)
class Detector:
    """A pattern (RE2), an optional check of what it finds, and what to do about it.

    ``hint`` is a cheaper pattern that every hit contains; ``action`` is ``mask`` or ``alert``.
    """

    name: str
    label: str
    pattern: str
    check: Callable[[str], bool] | None = None
    hint: str = ""
    action: str = "mask"

    @property
    def replacement(self) -> str:
        return f"[{self.name}]"


@dataclass(frozen=True, slots=True)
class Finding:
    """How often a detector hit, and where: a column's name, or empty for a text."""

    detector: str
    column: str
    count: int
    action: str = "mask"


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Any:
    """The pattern as RE2 reads it: linear in the text, whatever an admin writes."""
    return re2.compile(pattern)


def own(name: str, pattern: str, *, action: str = "mask", label: str = "") -> Detector:
    """An admin's own detector. Raises ValueError where RE2 cannot read the pattern or where it
    would hit the empty text.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", name):
        raise ValueError("a detector's name is made of small letters, digits and hyphens")
    if action not in {"mask", "alert"}:
        raise ValueError("a detector masks or alerts")
    try:
        found = re2.compile(pattern)
    except re2.error as error:
        raise ValueError(f"the pattern cannot be read: {error}") from error
    if found.search(""):
        raise ValueError("the pattern matches the empty text")
    return Detector(name, label or name, pattern, action=action)


DETECTORS: tuple[Detector, ...] = (
    Detector(
        "private-key",
        "Private key",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----"
        r"[\s\S]*?(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----|$)",
        hint="PRIVATE KEY",
    ),
    Detector(
        "jwt",
        "JSON web token",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        hint="eyJ",
    ),
    Detector(
        "cloud-key",
        "Cloud key",
        r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{35}|\bgh[pousr]_[A-Za-z0-9]{36,}"
        r"|\bgithub_pat_[A-Za-z0-9_]{22,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bsk_(?:live|test)_[A-Za-z0-9]{16,}"
        r"|\bglpat-[A-Za-z0-9_-]{20,}|AccountKey=[A-Za-z0-9+/=]{40,}|\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}",
    ),
    Detector(
        "email",
        "E-mail address",
        r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}",
        hint="@",
    ),
    Detector(
        "iban",
        "IBAN",
        r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
        checks.is_iban,
    ),
    Detector(
        "card",
        "Payment card",
        r"\b[0-9](?:[ \-]?[0-9]){12,18}\b",
        checks.is_card,
    ),
    Detector(
        "ssn",
        "US social security number",
        r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b|\b[0-9]{3} [0-9]{2} [0-9]{4}\b",
        checks.is_ssn,
    ),
    Detector(
        "phone",
        "Phone number",
        r"\+[0-9]{1,3}[ .\-]?(?:\([0-9]{1,4}\)[ .\-]?)?[0-9](?:[ .\-]?[0-9]){6,12}\b"
        r"|\(?\b[2-9][0-9]{2}\)?[ .\-][0-9]{3}[ .\-][0-9]{4}\b",
    ),
)

BY_NAME: dict[str, Detector] = {d.name: d for d in DETECTORS}


def redact(text: str, detector: Detector) -> tuple[str, int]:
    """Replace all that one detector finds in one text."""
    if detector.hint and detector.hint not in text:
        return text, 0
    hits = 0

    def swap(match: Any) -> str:
        nonlocal hits
        found: str = match.group(0)
        if detector.check is not None and not detector.check(found):
            return found
        hits += 1
        return detector.replacement if detector.action == "mask" else found

    changed: str = compiled(detector.pattern).sub(swap, text)
    return changed, hits
