"""What protected values look like: the second layer, for values that no protection names."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import re2

from connections.masking import checks
from connections.policy.types import DetectorSetting

ACTIONS = ("mask", "alert", "off")
# RE2 takes one step a character for each instruction at worst; cloud keys have 794 of them.
MAX_INSTRUCTIONS = 2_000
_QUIET = re2.Options()
_QUIET.log_errors = False
_EVERYTHING = r"(?s).+"


@dataclass(frozen=True, slots=True)
class Detector:
    """A pattern (RE2), an optional check of what it finds, and what to do about it.

    ``hint`` is a text that every hit contains; ``action`` is ``mask`` or ``alert``; ``finds`` and
    ``example`` are for people.
    """

    name: str
    label: str
    pattern: str
    check: Callable[[str], bool] | None = None
    hint: str = ""
    action: str = "mask"
    finds: str = ""
    example: str = ""

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
    """The pattern as RE2 reads it: finding is linear in the text, whatever an admin writes."""
    return re2.compile(pattern, _QUIET)


def own(name: str, pattern: str, *, action: str = "mask", label: str = "") -> Detector:
    """An admin's own detector. Raises ValueError where RE2 cannot read the pattern, where it is
    too large to be quick, or where it would hit the empty text.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", name):
        raise ValueError("a detector's name is made of small letters, digits and hyphens")
    if action not in {"mask", "alert"}:
        raise ValueError("a detector masks or alerts")
    try:
        found = compiled(pattern)
        # Arrow brings an RE2 of its own, which reads columns.
        pc.match_substring_regex(pa.array([""]), pattern)
    except (re2.error, pa.ArrowInvalid) as error:
        raise ValueError(f"the pattern cannot be read: {_fault(error)}") from error
    if max(found.programsize, found.reverseprogramsize) > MAX_INSTRUCTIONS:
        raise ValueError(
            "the pattern is too large to be quick: use smaller counts in braces, and [a-z] in "
            "place of \\p{L}"
        )
    if _hits_empty(pattern):
        raise ValueError("the pattern matches the empty text")
    return Detector(name, label or name, pattern, action=action)


def _fault(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    if "perl operator" in text:
        return f"{text} (look-ahead and look-behind do not exist here)"
    if re.search(r"escape sequence: \\[1-9]", text):
        return f"{text} (back-references do not exist here)"
    return text


def _hits_empty(pattern: str) -> bool:
    """Whether the pattern matches between two characters, whatever they are: at an end of the
    text, of a line, of a word, or within one.
    """
    return any(
        re2.compile(f"{re2.escape(before)}(?:{pattern}){re2.escape(after)}", _QUIET).fullmatch(
            before + after
        )
        for before, after in product(("", "a", " ", "\n"), repeat=2)
    )


DETECTORS: tuple[Detector, ...] = (
    Detector(
        "private-key",
        "Private key",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----"
        r"[\s\S]*?(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----|$)",
        hint="PRIVATE KEY",
        finds="PEM blocks of RSA, EC, SSH and other private keys, also when cut off.",
        example="-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----",
    ),
    Detector(
        "jwt",
        "JSON web token",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        hint="eyJ",
        finds="Signed or unsigned JSON web tokens.",
        example="eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
    ),
    Detector(
        "cloud-key",
        "Cloud key",
        r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{35}|\bgh[pousr]_[A-Za-z0-9]{36,}"
        r"|\bgithub_pat_[A-Za-z0-9_]{22,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bsk_(?:live|test)_[A-Za-z0-9]{16,}"
        r"|\bglpat-[A-Za-z0-9_-]{20,}|AccountKey=[A-Za-z0-9+/=]{40,}|\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}",
        finds="Keys of AWS, Google, Azure storage, GitHub, GitLab, Slack, Stripe, AI providers.",
        example="AKIAIOSFODNN7EXAMPLE",
    ),
    Detector(
        "email",
        "E-mail address",
        r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}",
        hint="@",
        finds="An address with a domain, anywhere in a text.",
        example="jane@example.com",
    ),
    Detector(
        "iban",
        "IBAN",
        r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b",
        checks.is_iban,
        finds="International bank account numbers whose check digits are right.",
        example="DE89 3704 0044 0532 0130 00",
    ),
    Detector(
        "card",
        "Payment card",
        r"\b[0-9](?:[ \-]?[0-9]){12,18}\b",
        checks.is_card,
        finds="13 to 19 digits whose Luhn check digit is right.",
        example="4111 1111 1111 1111",
    ),
    Detector(
        "ssn",
        "US social security number",
        r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b|\b[0-9]{3} [0-9]{2} [0-9]{4}\b",
        checks.is_ssn,
        finds="3-2-4 digits, with hyphens or spaces, whose parts are not all zero.",
        example="123-45-6789",
    ),
    Detector(
        "phone",
        "Phone number",
        r"\+[0-9]{1,3}[ .\-]?(?:\([0-9]{1,4}\)[ .\-]?)?[0-9](?:[ .\-]?[0-9]){6,12}\b"
        r"|\(?\b[2-9][0-9]{2}\)?[ .\-][0-9]{3}[ .\-][0-9]{4}\b",
        finds="International numbers with +, and 3-3-4 digits as written in North America.",
        example="+1 212 555 0199",
    ),
)

BY_NAME: dict[str, Detector] = {d.name: d for d in DETECTORS}


def configured(settings: Sequence[DetectorSetting]) -> tuple[Detector, ...]:
    """The detectors in force: those built in, each with the action chosen for it, then an admin's
    own, which so take nothing from what the others find.

    What cannot be read masks: a built-in detector by its default, an own one whatever it meets.
    """
    built_in = {s.name: s.action for s in settings if not s.pattern}
    found = []
    for detector in DETECTORS:
        action = built_in.get(detector.name, detector.action)
        if action == "alert":
            found.append(replace(detector, action="alert"))
        elif action != "off":
            found.append(detector)
    for each in settings:
        if not each.pattern or each.action == "off":
            continue
        try:
            made = own(each.name, each.pattern, action=each.action, label=each.label)
        except ValueError:
            made = Detector(each.name, each.label or each.name, _EVERYTHING)
        found.append(made)
    return tuple(found)


def strictest(*sets: Sequence[Detector]) -> tuple[Detector, ...]:
    """Every detector that one of them has, masking where one of them masks."""
    found: dict[tuple[str, str], Detector] = {}
    for detector in (each for one in sets for each in one):
        key = (detector.name, detector.pattern)
        if key not in found or detector.action == "mask":
            found[key] = detector
    places = {detector.name: place for place, detector in enumerate(DETECTORS)}
    return tuple(sorted(found.values(), key=lambda d: places.get(d.name, len(places))))


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
