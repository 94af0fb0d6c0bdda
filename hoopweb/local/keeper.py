"""Watches what runs, says what ended and why, and starts it again; gives up when that is no use."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hoopweb.local.errors import LocalServerError

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
# Running for so long, it has recovered: an end after that counts as the first again.
_STEADY = 60.0
_MOST_ENDS = 6
# Enough to tell one cause from another; the log has the rest.
_LINES, _WIDTH = 4, 160


@dataclass(slots=True)
class Kept:
    """One thing that should run."""

    name: str
    has_ended: Callable[[], bool]
    start: Callable[[], object]
    last_words: Callable[[], str]
    ends: int = 0
    started: float = field(default_factory=time.monotonic)
    due: float | None = None


class Keeper:
    """Looks round when asked; ``say`` prints a line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.kept: list[Kept] = []

    def keep(
        self,
        name: str,
        *,
        has_ended: Callable[[], bool],
        start: Callable[[], object],
        last_words: Callable[[], str],
    ) -> None:
        self.kept.append(Kept(name, has_ended, start, last_words))

    def replace(self, name: str, start: Callable[[], object]) -> None:
        """From now on ``name`` is started in another way."""
        for kept in self.kept:
            if kept.name == name:
                kept.start, kept.ends, kept.due = start, 0, None

    def look(self) -> None:
        """Notice who ended, restart who is due. Raises LocalServerError when one will not stay."""
        now = time.monotonic()
        for kept in self.kept:
            if kept.due is None and kept.has_ended():
                self._ended(kept, now)
            elif kept.due is not None and now >= kept.due:
                self._restart(kept)

    def _ended(self, kept: Kept, now: float) -> None:
        kept.ends = kept.ends + 1 if now - kept.started < _STEADY else 1
        words = kept.last_words()
        if kept.ends >= _MOST_ENDS:
            raise LocalServerError(
                f"{kept.name} ended {kept.ends} times in a row. The last words of its log:\n"
                f"{words}\nMend what they say and start again; `make demo-reset` begins anew."
            )
        pause = min(_FIRST_PAUSE * 2 ** (kept.ends - 1), _LONGEST_PAUSE)
        kept.due = now + pause
        last = "\n".join(f"    {line[:_WIDTH]}" for line in words.splitlines()[-_LINES:])
        self.say(f"{kept.name} ended; it starts again in {pause:g} s. The last words of its log:")
        self.say(last or "    (none)")

    def _restart(self, kept: Kept) -> None:
        kept.due, kept.started = None, time.monotonic()
        try:
            kept.start()
        except (LocalServerError, OSError) as error:
            self.say(f"{kept.name} did not start: {error}")
            self._ended(kept, time.monotonic())
        else:
            self.say(f"{kept.name} was started again")
