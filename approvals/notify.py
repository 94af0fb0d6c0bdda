"""Waking people up. A message says which row changed and nothing of what is in it; whoever hears
it asks again, and is checked again. Nothing here may fail, or slow down, the work that it speaks
of: words are spoken by a thread of their own, and those that repeat each other are said once.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import structlog
from channels.layers import get_channel_layer
from django.db import transaction

log = structlog.get_logger(__name__)
EVERYWHERE = "connections.all"
# Words about the same row within this time are one word; within the longer one while there is
# much to say, for nobody looks four times a second.
_GATHER, _GATHER_MUCH, _MUCH = 0.02, 0.25, 20
# A driver sends by the hundred, and a page that shows its session is drawn anew at every word.
_SESSION_EVERY = 1.0
_PATIENCE = 1.0
# After a failure nothing is tried for a moment: a layer that is away is not worth a queue.
_PAUSE = 2.0
# What cannot be said is forgotten: browsers ask again after a gap.
_MOST = 10_000
_LAST_WORDS = 1.0

_ACCESS, _SESSION = "access", "session"

Word = tuple[str, str, str]


def connection_group(connection_id: UUID | str) -> str:
    return f"connection.{connection_id}"


def person_group(person_id: UUID | str) -> str:
    return f"person.{person_id}"


class _Speaker:
    """One thread and one loop for all the words of this process."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._words: dict[Word, None] = {}
        self._spoken: dict[Word, float] = {}
        self._silent = threading.Event()
        self._silent.set()
        self._loop = asyncio.new_event_loop()
        self._something = asyncio.Event()
        threading.Thread(target=self._run, name="notify", daemon=True).start()

    @property
    def is_ours(self) -> bool:
        """Whether its thread lives in this process: a fork copies the object and not the thread."""
        return self._pid == os.getpid()

    def say(self, words: list[Word]) -> None:
        with self._lock:
            idle = not self._words
            if len(self._words) < _MOST:
                self._words.update(dict.fromkeys(words))
            self._silent.clear()
        if idle:
            self._loop.call_soon_threadsafe(self._something.set)

    def wait_until_said(self, seconds: float) -> bool:
        return self._silent.wait(seconds)

    def _run(self) -> None:
        self._loop.run_until_complete(self._speak())

    def _due(self) -> list[Word]:
        """What is to be said now; a session that was spoken of a moment ago waits its turn."""
        now = self._loop.time()
        self._spoken = {w: at for w, at in self._spoken.items() if now - at < _SESSION_EVERY}
        due = [word for word in self._words if word not in self._spoken]
        for word in due:
            del self._words[word]
            if word[1] == _SESSION:
                self._spoken[word] = now
        return due

    async def _speak(self) -> None:
        much = False
        while True:
            await self._something.wait()
            await asyncio.sleep(_GATHER_MUCH if much else _GATHER)
            with self._lock:
                words = self._due()
                self._something.clear()
                if self._words:
                    self._loop.call_later(_GATHER_MUCH, self._something.set)
            much = len(words) >= _MUCH
            try:
                await _send(words)
            except Exception as error:  # noqa: BLE001 - the browser asks again after a gap
                log.warning("not_notified", words=len(words), error=type(error).__name__)
                await asyncio.sleep(_PAUSE)
            with self._lock:
                if not self._words:
                    self._silent.set()


_speaker: _Speaker | None = None
_starting = threading.Lock()


async def _send(words: list[Word]) -> None:
    layer = get_channel_layer()
    if layer is None:
        raise RuntimeError("no channel layer is configured")
    for group, kind, row_id in words:
        message: dict[str, Any] = {"type": "row.changed", "kind": kind, "id": row_id}
        if kind == _ACCESS:
            message = {"type": "access.changed"}
        async with asyncio.timeout(_PATIENCE):
            await layer.group_send(group, message)


def _say(words: list[Word]) -> None:
    global _speaker  # noqa: PLW0603 - one per process
    with _starting:
        if _speaker is None or not _speaker.is_ours:
            _speaker = _Speaker()
    _speaker.say(words)


def wait_until_said(seconds: float = _LAST_WORDS) -> bool:
    """Wait until nothing is left to say; false when that takes longer than ``seconds``."""
    return _speaker is None or not _speaker.is_ours or _speaker.wait_until_said(seconds)


atexit.register(wait_until_said)


def row_changed(
    kind: str, row_id: UUID, *, connection_id: UUID, people: tuple[UUID | None, ...] = ()
) -> None:
    """After commit, tell everyone who may see the row that it changed.

    ``kind`` is ``approval``, ``session`` or ``statement``.
    """
    groups = {EVERYWHERE, connection_group(connection_id)}
    groups |= {person_group(p) for p in people if p is not None}
    words = [(group, kind, str(row_id)) for group in groups]
    transaction.on_commit(lambda: _say(words))


def access_changed(people: Iterable[UUID]) -> None:
    """Tell the open consoles of these people to ask again what they may see; at once, so after
    the commit.
    """
    _say([(person_group(person), _ACCESS, "") for person in people])
