"""Whether a rule's match holds for a statement. An absent key matches everything."""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from functools import lru_cache
from re import Pattern
from re import compile as compile_pattern
from typing import Any

from connections.policy.types import Effect, Rule, Subject
from connections.sql.facts import Facts


class Question:
    """One statement and who asks: what rules are held against, each answer folded once."""

    def __init__(
        self,
        facts: Facts,
        subject: Subject,
        tags: Callable[[], Iterable[str]] = tuple,
        estimate: Mapping[str, int] | None = None,
    ) -> None:
        self.facts = facts
        self.subject = subject
        self.tags = tags
        self.estimate = estimate or {}
        self._values: dict[str, frozenset[str]] = {}

    def values(self, key: str) -> frozenset[str]:
        found = self._values.get(key)
        if found is None:
            found = frozenset(v.casefold() for v in _SETS[key](self))
            self._values[key] = found
        return found


_SETS: dict[str, Callable[[Question], Iterable[str]]] = {
    "principals": lambda q: {q.subject.id, q.subject.name, f"{q.subject.kind}:{q.subject.name}"},
    "groups": lambda q: q.subject.groups,
    "doors": lambda q: (q.subject.door,),
    "connections": lambda q: (q.subject.connection,),
    "classes": lambda q: (q.facts.statement_class,),
    "objects": lambda q: [str(o) for o in (*q.facts.reads, *q.facts.writes)],
    "columns": lambda q: {str(c.column) for c in q.facts.columns},
    "uses": lambda q: {c.use.value for c in q.facts.columns},
    "tags": lambda q: q.tags(),
    "flags": lambda q: q.facts.flags,
    "functions": lambda q: (*q.facts.functions, *q.facts.unknown_functions),
}

KEYS = frozenset(_SETS) | {"hours", "weekdays", "min_bytes", "min_rows"}


# To allow one thing is not to allow what stands beside it: an allow rule has to cover all of these,
# a stricter rule any.
_WHOLE = frozenset({"objects", "columns", "uses"})


@lru_cache(maxsize=4096)
def _prepared(patterns: tuple[str, ...]) -> tuple[frozenset[str], tuple[Pattern[str], ...]]:
    """Patterns without a wildcard, folded, and the others."""
    folded = [p.casefold() for p in patterns]
    exact = frozenset(p for p in folded if not set(p) & set("*?["))
    return exact, tuple(compile_pattern(translate(p)) for p in folded if p not in exact)


def any_match(values: Iterable[str], patterns: Iterable[str]) -> bool:
    """Whether any value matches any glob, without regard to case."""
    return _any(frozenset(v.casefold() for v in values), tuple(patterns))


def _any(values: frozenset[str], patterns: tuple[str, ...]) -> bool:
    exact, globs = _prepared(patterns)
    if not exact.isdisjoint(values):
        return True
    return any(glob.match(value) for glob in globs for value in values)


def _all(values: frozenset[str], wanted: Any) -> bool:
    return all(_any(frozenset({value}), _patterns(wanted)) for value in values)


def _patterns(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def matches(rule: Rule, question: Question) -> bool:
    """Whether every key of the rule's match holds. A key that nobody knows never holds for an
    allow, and always holds for anything stricter.
    """
    for key, wanted in rule.match.items():
        if key in _SETS:
            values = question.values(key)
            if not _any(values, _patterns(wanted)):
                return False
            if rule.effect == Effect.ALLOW and key in _WHOLE and not _all(values, wanted):
                return False
        elif key in KEYS:
            if not _measure(key, wanted, question):
                return False
        elif rule.effect == Effect.ALLOW:
            return False
    return True


def _measure(key: str, wanted: Any, question: Question) -> bool:
    at = question.subject.at
    if key == "hours":
        return at is not None and any(_within(w, at.strftime("%H:%M")) for w in _patterns(wanted))
    if key == "weekdays":
        days = {p.casefold()[:3] for p in _patterns(wanted)}
        return at is not None and at.strftime("%a").casefold() in days
    known = question.estimate.get(key.removeprefix("min_"))
    return known is None or known >= int(wanted)


def _within(window: str, now: str) -> bool:
    """``HH:MM-HH:MM``; a window may run over midnight."""
    start, _, end = window.partition("-")
    start, end = start.strip().zfill(5), end.strip().zfill(5)
    if start <= end:
        return start <= now < end
    return now >= start or now < end
