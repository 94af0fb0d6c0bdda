"""Progress on a terminal or in a log: one line a step, with the time that it took.

Only the standard library: it also serves before anything is installed.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

# On a log nobody sees a spinner, so a step that takes longer says that it is under way.
_PATIENCE = 2.0
_TICK = 0.1
# Of a terminal that does not say.
_WIDTH = 80


@dataclass(slots=True)
class Step:
    """One step under way; ``detail`` is shown beside its name and may change."""

    name: str
    detail: str = ""
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


class Steps:
    """Prints steps as they end; on a terminal also while they run."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stdout
        self.started = time.monotonic()
        self._live = self.out.isatty() and os.environ.get("TERM") != "dumb"
        self._color = self._live and not os.environ.get("NO_COLOR")
        self._lock = threading.Lock()
        self._done, self._failed, self._under_way = self._signs()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def _signs(self) -> tuple[str, str, str]:
        try:
            "✓✗…".encode(self.out.encoding or "ascii")
        except (LookupError, UnicodeEncodeError):
            return "ok", "failed", "..."
        return "✓", "✗", "…"

    def _paint(self, text: str, code: int) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text

    def _put(self, text: str, *, end: str = "\n") -> None:
        with self._lock:
            if self._live:
                self.out.write("\r\x1b[2K")
            self.out.write(text + end)
            self.out.flush()

    def say(self, text: str = "") -> None:
        """A line of its own."""
        self._put(text)

    def line(self, sign: str, step: Step) -> str:
        detail = f"  {step.detail}" if step.detail else ""
        return f"{sign} {step.name:<14}{step.seconds:7.1f} s{detail}"

    @contextmanager
    def step(self, name: str, detail: str = "") -> Iterator[Step]:
        """Time what happens inside, and say how it ended."""
        step = Step(name, detail)
        ended = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(step, ended), daemon=True)
        ticker.start()
        try:
            yield step
        except BaseException:
            ended.set()
            ticker.join()
            self._put(self.line(self._paint(self._failed, 31), step))
            raise
        ended.set()
        ticker.join()
        self._put(self.line(self._paint(self._done, 32), step))

    def _tick(self, step: Step, ended: threading.Event) -> None:
        if not self._live:
            if not ended.wait(_PATIENCE):
                self._put(f"{self._under_way} {step.name}  {step.detail}".rstrip())
            return
        while not ended.wait(_TICK):
            self._put(self.line(self._under_way, step)[: self._width() - 1], end="")

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self.out.fileno()).columns or _WIDTH
        except OSError:
            return _WIDTH
