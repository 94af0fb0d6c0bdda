"""``python -m hoopweb.local``: what ``make demo``, ``make dev`` and ``make demo-reset`` run."""

import argparse
import ctypes
import os
import signal
import sys

from hoopweb.local import demo, place

_PR_SET_PDEATHSIG = 1


def _tie_to_parent() -> None:
    """End when make is killed: it would not pass the word on."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if parent != os.getppid():
        sys.exit(1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hoopweb.local", description=demo.__doc__)
    parser.add_argument("--no-agent", action="store_true", help="without the sample agent")
    parser.add_argument("--loop", action="store_true", help="the agent goes on with other tasks")
    parser.add_argument("--reload", action="store_true", help="start again when a file changes")
    parser.add_argument("--once", action="store_true", help="stop as soon as everything is up")
    parser.add_argument("--reset", action="store_true", help="forget data, keys and passwords")
    parser.add_argument("--tied", action="store_true", help="end with the parent process")
    given = parser.parse_args()
    if given.tied:
        _tie_to_parent()
    if given.reset:
        return place.reset()
    return demo.run(
        demo.Options(
            agent=not given.no_agent, loop=given.loop, reload=given.reload, once=given.once
        )
    )


if __name__ == "__main__":
    sys.exit(main())
