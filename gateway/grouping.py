"""Work that arrives together is done together: one transaction for all of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


class Grouped(Generic[Piece, Result]):
    """Hands what waits to ``work`` as one list, as soon as one of its few helpers is free.

    Under no load each piece goes alone and at once; under load lists grow by themselves. ``work``
    gives a result or an exception for each piece, in order; what it raises must have changed
    nothing, and then ``alone`` is called with each piece by itself.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Piece]], Awaitable[Sequence[Result | Exception]]],
        alone: Callable[[Piece], Awaitable[Result]],
        *,
        most: int = 64,
        at_once: int = 2,
    ) -> None:
        self._work, self._alone, self._most, self._at_once = work, alone, most, at_once
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[tuple[Piece, asyncio.Future[Result]]] = []
        self._helpers: set[asyncio.Task[None]] = set()

    async def do(self, piece: Piece) -> Result:
        """The result for one piece, or its exception."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._waiting, self._helpers = loop, [], set()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((piece, future))
        if len(self._helpers) < self._at_once:
            helper = loop.create_task(self._help())
            self._helpers.add(helper)
            helper.add_done_callback(self._helpers.discard)
        return await future

    async def _help(self) -> None:
        while self._waiting:
            taken = self._waiting[: self._most]
            del self._waiting[: self._most]
            await self._do_all(taken)

    async def _do_all(self, taken: Sequence[tuple[Piece, "asyncio.Future[Result]"]]) -> None:
        try:
            results = await self._work([piece for piece, _ in taken])
        except Exception:  # noqa: BLE001 - which of them it was shows when each goes alone
            for piece, future in taken:
                try:
                    _settle(future, await self._alone(piece))
                except Exception as error:  # noqa: BLE001 - its own caller gets it
                    _settle(future, error)
            return
        for (_, future), result in zip(taken, results, strict=True):
            _settle(future, result)


def _settle(future: "asyncio.Future[Result]", result: Result | Exception) -> None:
    if future.done():
        return  # whoever asked has gone
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
