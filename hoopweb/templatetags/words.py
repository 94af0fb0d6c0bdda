"""What the console calls a state, a decision, a size or an age: one word each, one place."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86400, 604800
KILO = 1000
KIBI = 1024


@dataclass(frozen=True, slots=True)
class Sign:
    """A meaning as the reader meets it: word, tone (a CSS class without ``is-``) and icon."""

    word: str
    tone: str
    icon: str


STATES: dict[str, Sign] = {
    # statements
    "received": Sign("Received", "neutral", "inbox-arrow-down"),
    "denied": Sign("Denied", "denied", "no-symbol"),
    "awaiting_approval": Sign("Waiting", "waiting", "pause-circle"),
    "queued": Sign("Queued", "neutral", "queue-list"),
    "running": Sign("Running", "running", "arrow-path"),
    "succeeded": Sign("Succeeded", "allowed", "check-circle"),
    "failed": Sign("Failed", "failed", "exclamation-triangle"),
    "cancelled": Sign("Cancelled", "neutral", "stop-circle"),
    "unknown": Sign("Unknown", "failed", "question-mark-circle"),
    "rejected": Sign("Rejected", "denied", "x-circle"),
    "expired": Sign("Expired", "neutral", "clock"),
    "withdrawn": Sign("Withdrawn", "neutral", "arrow-uturn-left"),
    # approval requests
    "pending": Sign("Waiting", "waiting", "pause-circle"),
    "approved": Sign("Approved", "allowed", "check-circle"),
    "revoked": Sign("Revoked", "denied", "minus-circle"),
    # sessions, connections, rules, agents
    "open": Sign("Open", "running", "signal"),
    "sealed": Sign("Sealed", "neutral", "lock-closed"),
    "active": Sign("Active", "allowed", "check-circle"),
    "enabled": Sign("Enabled", "allowed", "check-circle"),
    "disabled": Sign("Disabled", "neutral", "pause"),
    "paused": Sign("Paused", "neutral", "pause"),
    "healthy": Sign("Healthy", "allowed", "check-circle"),
    "unreachable": Sign("Unreachable", "failed", "signal-slash"),
    "unconfirmed": Sign("Not confirmed", "waiting", "pause-circle"),
    "untested": Sign("Not tested", "neutral", "question-mark-circle"),
}

DECISIONS: dict[str, Sign] = {
    "allow": Sign("Allowed", "allowed", "check-circle"),
    "masked": Sign("Allowed, masked", "masked", "eye-slash"),
    "review": Sign("Review", "waiting", "pause-circle"),
    "deny": Sign("Denied", "denied", "no-symbol"),
}

BADGES: dict[str, Sign] = {
    "verified": Sign("Verified", "allowed", "shield-check"),
    "sealed": Sign("Sealed", "neutral", "lock-closed"),
    "open": Sign("Not sealed yet", "neutral", "lock-open"),
    "broken": Sign("Broken", "denied", "shield-exclamation"),
    "unverified": Sign("Not verified", "waiting", "question-mark-circle"),
}

LEVELS: dict[str, Sign] = {
    "debug": Sign("Note", "neutral", "information-circle"),
    "info": Sign("Note", "running", "information-circle"),
    "success": Sign("Done", "allowed", "check-circle"),
    "warning": Sign("Take care", "waiting", "exclamation-triangle"),
    "error": Sign("Not done", "denied", "x-circle"),
}


def sign(table: dict[str, Sign], key: object) -> Sign:
    """The sign of a value; a value nobody has named is shown as it is, in the neutral tone."""
    text = str(key)
    return table.get(text) or Sign(
        text.replace("_", " ").capitalize(), "neutral", "question-mark-circle"
    )


def relative(moment: datetime, now: datetime | None = None) -> str:
    """How long ago, or in how long. static/js/when.js keeps the same words up to date."""
    now = now or datetime.now(UTC)
    seconds = (now - moment).total_seconds()
    past = seconds >= 0
    seconds = abs(seconds)
    if seconds < MINUTE * 0.75:
        return "just now" if past else "in a moment"
    if seconds < HOUR:
        span = f"{max(1, round(seconds / MINUTE))} min"
    elif seconds < DAY:
        span = f"{int(seconds // HOUR)} h"
    elif seconds < WEEK:
        days = int(seconds // DAY)
        span = f"{days} day" if days == 1 else f"{days} days"
    else:
        return moment.strftime("%-d %b" if moment.year == now.year else "%-d %b %Y")
    return f"{span} ago" if past else f"in {span}"


def duration(value: float | timedelta | None) -> str:
    """Milliseconds (or a timedelta) as a person says them."""
    if value is None:
        return "—"
    ms = value.total_seconds() * KILO if isinstance(value, timedelta) else float(value)
    if ms < KILO:
        return f"{ms:.0f} ms"
    seconds = ms / KILO
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), MINUTE)
    if minutes < MINUTE:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, MINUTE)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def size(value: float | None) -> str:
    """Bytes, in steps of 1024."""
    if value is None:
        return "—"
    amount = float(value)
    for unit in ("B", "KB", "MB", "GB"):
        if abs(amount) < KIBI:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= KIBI
    return f"{amount:.1f} TB"


def compact(value: float | None) -> str:
    """A count in at most four characters and a unit: 947, 12.4k, 1.2M."""
    if value is None:
        return "—"
    amount = float(value)
    for unit in ("", "k", "M"):
        if abs(amount) < KILO:
            return f"{amount:.0f}" if not unit else f"{amount:.1f}{unit}".replace(".0", "")
        amount /= KILO
    return f"{amount:.1f}G".replace(".0", "")


def counted(plural: str, count: float) -> str:
    """The word that goes with ``count``: entries, but 1 entry."""
    if count != 1:
        return plural
    return plural[:-3] + "y" if plural.endswith("ies") else plural.removesuffix("s")
