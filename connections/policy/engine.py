"""From facts to a decision. The strictest matching effect of the highest precedence wins; no
match denies; a problem denies before any rule is asked.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from connections.policy.matching import Question, any_match, matches
from connections.policy.types import (
    AppliedProtection,
    Decision,
    Effect,
    Reason,
    Rule,
    Subject,
)
from connections.sql.facts import Facts

_STRICTNESS = {Effect.ALLOW: 0, Effect.REVIEW: 1, Effect.DENY: 2}

# Only a rule that names one of these may let it pass.
GUARDED_FLAGS = frozenset({"copies-protected", "tests-protected", "moves-protected", "stage"})


def decide(
    facts: Facts,
    *,
    subject: Subject,
    rules: Sequence[Rule],
    protections: tuple[AppliedProtection, ...] = (),
    tags: Callable[[], Iterable[str]] = tuple,
    estimate: Mapping[str, int] | None = None,
) -> Decision:
    """Decide one statement. Positions are precedence: the lowest number is asked first."""
    question = Question(facts, subject, tags, estimate)
    found = [r for r in rules if r.enabled and matches(r, question)]
    hard = [p for p in facts.problems if not _waived(p.code, facts, found)]
    if hard:
        reasons = tuple(Reason(p.code, p.text, way_out=p.way_out) for p in hard)
        return Decision(Effect.DENY, reasons)
    if not found:
        return Decision(Effect.DENY, (_no_rule(facts, rules),))
    first = min(r.position for r in found)
    level = [r for r in found if r.position == first]
    effect = max((r.effect for r in level), key=_STRICTNESS.__getitem__)
    winners = [r for r in level if r.effect == effect]
    unguarded = _unguarded(facts, winners) if effect != Effect.DENY else ()
    if unguarded:
        return Decision(Effect.DENY, unguarded)
    return Decision(
        effect,
        tuple(_reason(r, facts) for r in winners),
        protections if effect != Effect.DENY else (),
        winners[0].terms if effect == Effect.REVIEW else None,
    )


def _waived(code: str, facts: Facts, found: Sequence[Rule]) -> bool:
    """An unknown function passes where the winning rules name it, and so vouch for it."""
    if code != "unknown-function" or not facts.unknown_functions:
        return False
    first = min((r.position for r in found), default=None)
    named = [
        str(p)
        for r in found
        if r.position == first and r.effect != Effect.DENY
        for p in r.match.get("functions", ())
        if str(p).strip("*")
    ]
    return all(any_match([f], named) for f in facts.unknown_functions)


def _unguarded(facts: Facts, winners: Sequence[Rule]) -> tuple[Reason, ...]:
    flags = sorted(GUARDED_FLAGS & facts.flags)
    named = {str(f) for r in winners for f in r.match.get("flags", ())}
    if facts.statement_class in {c for r in winners for c in _classes(r)}:
        named.add("stage")  # to move files is what such a class is for
    return tuple(_guarded_reason(f) for f in flags if f not in named)


def _classes(rule: Rule) -> tuple[str, ...]:
    given = rule.match.get("classes", ())
    return tuple(str(c).casefold() for c in ((given,) if isinstance(given, str) else given))


_GUARDED_TEXT = {
    "copies-protected": (
        "The statement copies protected columns to where they are not protected.",
        "Leave those columns out, or ask an admin for a rule that lets such copies be reviewed.",
    ),
    "tests-protected": (
        "What the statement changes depends on protected values, which a mask would falsify.",
        "Choose the rows by columns that are not protected.",
    ),
    "moves-protected": (
        "The statement renames or swaps what protections go by.",
        "Ask an admin to move the protection first.",
    ),
    "stage": (
        "The statement reaches files of a stage.",
        "Read with SELECT, or ask an admin for a rule that names this class of statement.",
    ),
}


def _guarded_reason(flag: str) -> Reason:
    text, way_out = _GUARDED_TEXT[flag]
    return Reason(flag, text, way_out=way_out)


def _reason(rule: Rule, facts: Facts) -> Reason:
    what = _describe(facts)
    said = {
        Effect.ALLOW: "may run",
        Effect.REVIEW: "waits for a reviewer",
        Effect.DENY: "is denied",
    }[rule.effect]
    text = f"{what} {said}: {rule.note}" if rule.note else f"{what} {said} by rule {rule.id}."
    way_out = ""
    if rule.effect == Effect.DENY:
        way_out = _way_out(rule, facts)
    return Reason(f"rule-{rule.effect}", text, rule.id, way_out)


def _way_out(rule: Rule, facts: Facts) -> str:
    for flag in sorted(GUARDED_FLAGS & facts.flags):
        if any_match([flag], rule.match.get("flags", ())):
            return _GUARDED_TEXT[flag][1]
    return "Read with SELECT instead, or ask an admin of this connection for a rule."


def _describe(facts: Facts) -> str:
    objects = [str(o) for o in (facts.writes or facts.reads)]
    shown = ", ".join(objects[:3]) + (" and others" if len(objects) > 3 else "")  # noqa: PLR2004
    name = facts.statement_class.replace("-", " ").upper()
    return f"{name} on {shown}" if shown else name


def _no_rule(facts: Facts, rules: Sequence[Rule]) -> Reason:
    if not rules:
        return Reason(
            "no-rules", "This connection has no rules.", way_out="Ask an admin to add some."
        )
    return Reason(
        "no-rule-matches",
        f"No rule matches {_describe(facts)}, and what no rule matches is denied.",
        way_out="Ask an admin of this connection for a rule.",
    )
