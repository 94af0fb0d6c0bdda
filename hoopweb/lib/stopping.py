"""Whether this process is about to end: whoever waits for others looks here and answers early."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

STOPPING = threading.Event()


def announce_on(*signals: signal.Signals) -> None:
    """Set ``STOPPING`` when one of these arrives, then let whoever listened before go on.

    Only the main thread may listen to signals; elsewhere (a test's server) nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for sign in signals:
        signal.signal(sign, _announce(signal.getsignal(sign)))


def _announce(
    previous: Callable[[int, FrameType | None], Any] | int | None,
) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        STOPPING.set()
        if callable(previous):
            previous(number, frame)
        elif previous == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    return handle
