"""Shapes of what a policy holds: what cannot work is refused with the field and the cure."""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from accounts.models import Team
from connections.masking.detectors import ACTIONS, BY_NAME, own
from connections.masking.strategies import STRATEGIES, Strategy
from connections.policy.matching import KEYS
from connections.policy.types import Effect
from connections.sql.facts import Use
from hoopweb.lib.errors import InvalidRequest

# In the order in which people read them; what the engine knows beyond these is added at the end.
MATCH_KEYS = (
    "principals",
    "groups",
    "connections",
    "doors",
    "classes",
    "objects",
    "columns",
    "uses",
    "tags",
    "functions",
    "flags",
    "hours",
    "weekdays",
    "min_bytes",
    "min_rows",
)
DOORS = ("snowflake", "rest", "mcp")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NUMBERS = ("min_bytes", "min_rows")
_WINDOW = re.compile(r"([01]?\d|2[0-3]):[0-5]\d\s*-\s*([01]?\d|2[0-3]):[0-5]\d")
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_DETECTOR = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_GLOB = re.compile(r"[*?\[\]]")
MAX_PATTERNS = 200
MAX_TEXT = 200
MAX_LABEL = 80
MAX_PATTERN = 500
MAX_VOTES = 10
MAX_MINUTES = 7 * 24 * 60


def checked_rule(values: Mapping[str, Any]) -> dict[str, Any]:
    """A rule's values, normalised. Raises InvalidRequest with ``errors`` by field."""
    found = dict(values)
    errors: dict[str, str] = {}
    if not _SLUG.fullmatch(str(found["slug"])):
        errors["slug"] = "A rule's name is lower case letters, digits, - and _, at most 60."
    if found["effect"] not in {effect.value for effect in Effect}:
        errors["effect"] = "The effect is allow, review or deny."
    found["effect"] = str(found["effect"])
    found["match"] = _checked_match(found["match"], errors)
    found["reviewers"] = list(dict.fromkeys(found["reviewers"]))
    if unknown := unknown_teams(found["reviewers"]):
        errors["reviewers"] = _no_team(unknown)
    if not _whole(found["votes"], 1, MAX_VOTES):
        errors["votes"] = f"Between 1 and {MAX_VOTES} people have to agree."
    if not _whole(found["expires_minutes"], 1, MAX_MINUTES):
        errors["expires_minutes"] = f"Write minutes from 1 to {MAX_MINUTES:,}, a week."
    found["note"] = str(found["note"]).strip()
    if len(found["note"]) > 400:  # noqa: PLR2004  the column's width
        errors["note"] = "A note has at most 400 characters."
    if errors:
        raise InvalidRequest("This rule cannot stand like this.", errors=errors)
    return found


def _checked_match(match: Any, errors: dict[str, str]) -> dict[str, Any]:
    if not isinstance(match, Mapping):
        errors["match"] = "What a rule matches is a set of keys: " + ", ".join(MATCH_KEYS) + "."
        return {}
    found: dict[str, Any] = {}
    for key, value in match.items():
        try:
            found[key] = _checked_key(str(key), value)
        except ValueError as error:
            found[key], errors[f"match.{key}"] = value, str(error)
    return found


def _checked_key(key: str, value: Any) -> Any:
    """One key's value, normalised. Raises ValueError with what to write instead."""
    if key not in KEYS:
        raise ValueError(f"A rule cannot match on {key!r}. It can on: {', '.join(MATCH_KEYS)}.")
    if key in NUMBERS:
        if not _whole(value, 0, 2**63 - 1):
            raise ValueError("Write a whole number.")
        return value
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, list | tuple) or not all(isinstance(p, str) for p in patterns):
        raise ValueError(f"Write {key} as a list of texts.")
    patterns = list(dict.fromkeys(p.strip() for p in patterns))
    if not patterns or not all(patterns):
        raise ValueError(
            f"An empty pattern under {key} matches nothing. Write *, or leave {key} out."
        )
    if len(patterns) > MAX_PATTERNS:
        raise ValueError(f"At most {MAX_PATTERNS} patterns under {key}. Use globs: PROD.*.")
    _check_words(key, patterns)
    return patterns


def _check_words(key: str, patterns: list[str]) -> None:
    """Raises ValueError for a word that can never match, such as a mistyped door."""
    if key == "groups" and (unknown := unknown_teams(patterns)):
        raise ValueError(_no_team(unknown))
    if key == "hours" and (bad := [p for p in patterns if not _WINDOW.fullmatch(p)]):
        raise ValueError(f"{bad[0]!r} is not a time of day. Write it as 08:00-18:00, in UTC.")
    known = {"doors": DOORS, "uses": tuple(Use), "weekdays": WEEKDAYS}.get(key)
    if known:
        for pattern in patterns:
            if not any(fnmatchcase(word, pattern.casefold()) for word in known):
                raise ValueError(f"{pattern!r} is none of: {', '.join(known)}.")


def unknown_teams(slugs: Iterable[str]) -> list[str]:
    """Those that no team has; a pattern is not a name and is left alone."""
    names = [slug for slug in slugs if not _GLOB.search(slug)]
    known = set(Team.objects.filter(slug__in=names).values_list("slug", flat=True))
    return [name for name in names if name not in known]


def _no_team(unknown: list[str]) -> str:
    known = ", ".join(Team.objects.values_list("slug", flat=True)[:20]) or "none yet"
    return f"There is no team called {', '.join(unknown)}. The teams are: {known}."


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _check_target(found: dict[str, Any], errors: dict[str, str]) -> None:
    for name in ("database", "schema", "table", "column", "tag", "note"):
        found[name] = str(found[name]).strip()
    if found["tag"]:
        if found["column"]:
            errors["column"] = "Name a column or a tag, not both: a tag counts wherever it stands."
        found.update(database="*", schema="*", table="*")
    elif not found["column"]:
        errors["column"] = "Name the column to protect, or a tag that its columns carry."
    for name in ("database", "schema", "table"):
        if not found[name]:
            errors[name] = "An empty name matches nothing. Write * for any."
    widths = {"database": 120, "schema": 120, "table": 120, "column": 120, "tag": 200, "note": 400}
    for name, width in widths.items():
        if len(found[name]) > width:
            errors[name] = f"At most {width} characters."


def checked_protection(values: Mapping[str, Any]) -> dict[str, Any]:
    """A protection's values, normalised. Raises InvalidRequest with ``errors`` by field."""
    found = dict(values)
    errors: dict[str, str] = {}
    _check_target(found, errors)
    strategy = STRATEGIES.get(found["strategy"])
    if strategy is None:
        errors["strategy"] = (
            f"There is no strategy {found['strategy']!r}. Choose one of: {', '.join(STRATEGIES)}."
        )
    elif not isinstance(found["options"], Mapping):
        errors["options"] = "Options are names with values."
    else:
        found["options"] = _checked_options(strategy, found["options"], errors)
    if errors:
        raise InvalidRequest("This protection cannot stand like this.", errors=errors)
    return found


def _checked_options(
    strategy: Strategy, options: Mapping[str, Any], errors: dict[str, str]
) -> dict[str, Any]:
    known = {option.name: option for option in strategy.options}
    for name, value in options.items():
        option = known.get(name)
        if option is None:
            errors[f"options.{name}"] = f"{strategy.label} has no option {name!r}."
        elif option.choices and value not in option.choices:
            errors[f"options.{name}"] = f"Choose one of: {', '.join(option.choices)}."
        elif option.kind == "number" and not _positive(value):
            errors[f"options.{name}"] = "Write a number above 0."
        elif option.kind == "text" and (not isinstance(value, str) or len(value) > MAX_TEXT):
            errors[f"options.{name}"] = f"Write a text of at most {MAX_TEXT} characters."
    return dict(options)


def _positive(value: Any) -> bool:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return numeric and 0 < value < float("inf")


def checked_detector(values: Mapping[str, Any]) -> dict[str, Any]:
    """A detector's values, normalised: an own pattern, or the action of one that is built in.

    Raises InvalidRequest with ``errors`` by field.
    """
    found = {name: str(values[name]) for name in ("name", "action", "label", "pattern")}
    found["label"] = found["label"].strip()
    errors: dict[str, str] = {}
    if found["action"] not in ACTIONS:
        errors["action"] = f"A detector does one of: {', '.join(ACTIONS)}."
    if found["name"] in BY_NAME:
        if found["pattern"] or found["label"]:
            errors["name"] = f"{found['name']} is built in. Choose another name."
    elif not _DETECTOR.fullmatch(found["name"]):
        errors["name"] = "A name is lower case letters, digits and hyphens, at most 41."
    elif fault := pattern_fault(found["pattern"]):
        errors["pattern"] = fault
    if len(found["label"]) > MAX_LABEL or not found["label"].isprintable():
        errors["label"] = f"A label is one line of at most {MAX_LABEL} characters."
    if errors:
        raise InvalidRequest("This detector cannot stand like this.", errors=errors)
    return found


def pattern_fault(pattern: str) -> str:
    """What is wrong with a pattern, as a sentence; empty when nothing is."""
    if not pattern:
        return "Write a pattern: what is looked for, such as EMP-[0-9]{6}."
    if len(pattern) > MAX_PATTERN or "\0" in pattern:
        return f"A pattern has at most {MAX_PATTERN} characters, none of them NUL."
    try:
        own("pattern", pattern)
    except ValueError as error:
        text = str(error)
        return f"{text[0].upper()}{text[1:]}."
    return ""
