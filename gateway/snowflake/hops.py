"""From the event loop to the database and back: one hop for each stage of a statement."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

P = ParamSpec("P")
T = TypeVar("T")
_THREADS = 6
# A connection that lay idle for so long goes back to the pool, which looks whether it still works.
_IDLE_SECONDS = 5.0
# Without a pool nobody looks whether a kept connection still works.
_POOLED = "pool" in settings.DATABASES["default"].get("OPTIONS", {})
_pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="wire")
_thread = threading.local()


async def hop(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function of the database in a thread of this door."""
    work: Any = partial(_with_connection, partial(call, *args, **kwargs))
    return await asyncio.get_running_loop().run_in_executor(_pool, work)


def _with_connection(call: Callable[[], T]) -> T:
    """Threads keep their connections while they are busy: asking each time whether one still
    works would cost a round trip.
    """
    if time.monotonic() - getattr(_thread, "used", 0.0) > _IDLE_SECONDS:
        connection.close()
    try:
        return call()
    except (OperationalError, InterfaceError):
        connection.close()
        raise
    finally:
        _thread.used = time.monotonic()
        if not _POOLED:
            connection.close()
