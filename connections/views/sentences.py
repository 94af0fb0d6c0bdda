"""A rule as a sentence that a person reads in one go. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hoopweb.templatetags.words import size

FLAGS = {
    "star": "that select every column",
    "no-predicate": "that write without a WHERE",
    "tautology": "whose WHERE is always true",
    "cross-join": "with a cross join",
    "stage": "that touch a stage",
    "dynamic-sql": "with dynamic SQL",
    "multi-statement": "of several statements at once",
    "time-travel": "that read the past",
    "result-reuse": "that read earlier results",
    "session-variable": "that use a session variable",
    "replaces": "that replace what exists",
    "overwrite": "that overwrite a table or files",
    "purge": "that delete the files they load",
    "user-stage": "that reach the stage shared by all who use the connection",
    "table-stage": "that reach the stage of a table",
    "hidden-characters": "with hidden characters",
    "explains-*": "that explain another",
    "copies-protected": "that copy protected columns",
    "tests-protected": "whose writes depend on protected values",
    "moves-protected": "that rename what is protected",
    "writes-mask": "that may write masks over values",
}
DAYS = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the sentence; ``value`` marks what the rule says word for word."""

    text: str
    value: bool = False


def sentence_of(match: Mapping[str, Any]) -> list[Piece]:
    """What a rule matches, the effect left out: "UPDATE or DELETE on PROD.CRM.* by bot"."""
    pieces: list[Piece] = []
    _classes(pieces, match)
    _listed(pieces, "on", match.get("objects"))
    _listed(pieces, "meeting the columns", match.get("columns"))
    _listed(pieces, "that use a column as", match.get("uses"))
    _listed(pieces, "meeting columns tagged", match.get("tags"))
    _listed(pieces, "calling", match.get("functions"))
    _flags(pieces, match.get("flags"))
    _least(pieces, match)
    _listed(pieces, "by", match.get("principals"))
    _listed(pieces, "by members of", match.get("groups"))
    _listed(pieces, "through the door", match.get("doors"))
    _listed(pieces, "on the connection", match.get("connections"))
    _times(pieces, match)
    return pieces


def plain(match: Mapping[str, Any]) -> str:
    """The same without marks."""
    return " ".join(piece.text for piece in sentence_of(match))


def terms_of(rule: Any) -> str:
    """Who has to agree, and within what time."""
    who = " or ".join(rule.reviewers) if rule.reviewers else "any reviewer"
    if rule.votes > 1:
        who = f"{rule.votes} reviewers" + (
            f" of {' or '.join(rule.reviewers)}" * bool(rule.reviewers)
        )
    elif rule.reviewers:
        who = f"a reviewer of {who}"
    hours, minutes = divmod(rule.expires_minutes, 60)
    if hours and not minutes:
        within = "1 hour" if hours == 1 else f"{hours} hours"
    else:
        within = f"{rule.expires_minutes} minutes"
    return f"{who}, within {within}"


def _patterns(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(v) for v in value]


def _classes(pieces: list[Piece], match: Mapping[str, Any]) -> None:
    classes = match.get("classes")
    if not classes:
        pieces.append(Piece("Every statement" if not match else "Statements"))
        return
    names = [name.upper().replace("-", " ") for name in _patterns(classes)]
    _join(pieces, names)


def _listed(pieces: list[Piece], lead: str, values: Any) -> None:
    if values:
        pieces.append(Piece(lead))
        _join(pieces, _patterns(values))


def _join(pieces: list[Piece], values: Sequence[str]) -> None:
    for i, value in enumerate(values):
        if i:
            pieces.append(Piece("or" if i == len(values) - 1 else ","))
        pieces.append(Piece(value, value=True))


def _flags(pieces: list[Piece], values: Any) -> None:
    if values:
        said = [FLAGS.get(name, f"with the flag {name}") for name in _patterns(values)]
        pieces.append(Piece(", or ".join(said)))


def _least(pieces: list[Piece], match: Mapping[str, Any]) -> None:
    if (least := match.get("min_bytes")) is not None:
        pieces.append(Piece("reading at least"))
        pieces.append(Piece(size(least), value=True))
    if (least := match.get("min_rows")) is not None:
        pieces.append(Piece("meeting at least"))
        pieces.append(Piece(f"{least:,} rows", value=True))


def _times(pieces: list[Piece], match: Mapping[str, Any]) -> None:
    _listed(pieces, "between", [f"{h.replace('-', ' and ')} UTC" for h in _hours(match)])
    days = [DAYS.get(d.casefold()[:3], d) for d in _patterns(match.get("weekdays") or [])]
    _listed(pieces, "on a", days)


def _hours(match: Mapping[str, Any]) -> list[str]:
    return _patterns(match.get("hours") or [])
