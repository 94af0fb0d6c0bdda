"""Whether a rule's match holds for a statement. An absent key matches everything."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from connections.policy.types import Rule, Subject
from connections.sql.facts import Facts

KEYS = frozenset(
    {
        "principals",
        "groups",
        "doors",
        "connections",
        "classes",
        "objects",
        "columns",
        "uses",
        "tags",
        "flags",
        "functions",
        "hours",
        "weekdays",
        "min_bytes",
        "min_rows",
    }
)


@lru_cache(maxsize=4096)
def _folded(pattern: str) -> str:
    return pattern.casefold()


def any_match(values: Iterable[str], patterns: Iterable[str]) -> bool:
    """Whether any value matches any glob, without regard to case."""
    globs = [_folded(p) for p in patterns]
    return any(fnmatchcase(v.casefold(), g) for v in values for g in globs)


def _patterns(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(v) for v in value]


def matches(
    rule: Rule,
    facts: Facts,
    subject: Subject,
    *,
    tags: Iterable[str] = (),
    estimate: dict[str, int] | None = None,
) -> bool:
    """Whether every key of the rule's match holds. A key that nobody knows never holds for an
    allow, and always holds for anything stricter.
    """
    for key, wanted in rule.match.items():
        if key not in KEYS:
            if rule.effect == "allow":
                return False
            continue
        if not _holds(key, wanted, facts, subject, tags, estimate or {}):
            return False
    return True


def _holds(  # noqa: PLR0911, C901 - one line for each key
    key: str,
    wanted: Any,
    facts: Facts,
    subject: Subject,
    tags: Iterable[str],
    estimate: dict[str, int],
) -> bool:
    if key == "hours":
        return _within(wanted, subject)
    if key == "weekdays":
        if subject.at is None:
            return False
        return subject.at.strftime("%a").casefold() in {p.casefold()[:3] for p in _patterns(wanted)}
    if key in {"min_bytes", "min_rows"}:
        known = estimate.get(key.removeprefix("min_"))
        return known is None or known >= int(wanted)
    patterns = _patterns(wanted)
    if key == "principals":
        return any_match({subject.id, subject.name, f"{subject.kind}:{subject.name}"}, patterns)
    if key == "groups":
        return any_match(subject.groups, patterns)
    if key == "doors":
        return any_match([subject.door], patterns)
    if key == "connections":
        return any_match([subject.connection], patterns)
    if key == "classes":
        return any_match([facts.statement_class], patterns)
    if key == "objects":
        return any_match([str(o) for o in (*facts.reads, *facts.writes)], patterns)
    if key == "columns":
        return any_match([str(c.column) for c in facts.columns], patterns)
    if key == "uses":
        return any_match([str(c.use) for c in facts.columns], patterns)
    if key == "tags":
        return any_match(tags, patterns)
    if key == "flags":
        return any_match(facts.flags, patterns)
    return any_match([*facts.functions, *facts.unknown_functions], patterns)


def _within(wanted: Any, subject: Subject) -> bool:
    """``HH:MM-HH:MM`` in the subject's own clock; a window may run over midnight."""
    if subject.at is None:
        return False
    now = subject.at.strftime("%H:%M")
    for window in _patterns(wanted):
        start, _, end = window.partition("-")
        start, end = start.strip().zfill(5), end.strip().zfill(5)
        if (start <= now < end) if start <= end else (now >= start or now < end):
            return True
    return False
