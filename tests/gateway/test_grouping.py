"""Work that arrives together is done together, and one piece's fault is nobody else's."""

import asyncio

import pytest

from gateway.grouping import Grouped


class Counted:
    """Adds one, and remembers in which company each number came."""

    def __init__(self):
        self.lists, self.alone = [], []
        self.gate = asyncio.Event()

    async def all(self, numbers):
        self.lists.append(list(numbers))
        await self.gate.wait()
        if "poison" in numbers:
            raise ValueError("nothing was done")
        return [n + 1 if n >= 0 else KeyError(n) for n in numbers]

    async def one(self, number):
        self.alone.append(number)
        if number == "poison":
            raise ValueError("this one")
        return number + 1


def grouped(work, **limits):
    return Grouped(work.all, work.one, **limits)


def test_what_waits_meanwhile_goes_together():
    async def story():
        work = Counted()
        group = grouped(work, at_once=1)
        first = asyncio.create_task(group.do(0))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        rest = [asyncio.create_task(group.do(n)) for n in range(1, 6)]
        await asyncio.sleep(0)
        work.gate.set()
        assert await asyncio.gather(first, *rest) == [1, 2, 3, 4, 5, 6]
        assert work.lists == [[0], [1, 2, 3, 4, 5]]

    asyncio.run(story())


def test_lists_are_bounded_and_few_run_at_once():
    async def story():
        work = Counted()
        group = grouped(work, most=2, at_once=2)
        tasks = [asyncio.create_task(group.do(n)) for n in range(5)]
        for _ in range(3):
            await asyncio.sleep(0)
        assert work.lists == [[0, 1], [2, 3]]
        work.gate.set()
        assert await asyncio.gather(*tasks) == [1, 2, 3, 4, 5]

    asyncio.run(story())


def test_a_result_may_be_somebody_s_exception():
    async def story():
        work = Counted()
        work.gate.set()
        group = grouped(work, at_once=1)
        done = await asyncio.gather(group.do(1), group.do(-1), return_exceptions=True)
        assert done[0] == 2
        assert isinstance(done[1], KeyError)

    asyncio.run(story())


def test_poison_fails_alone():
    async def story():
        work = Counted()
        work.gate.set()
        group = grouped(work, at_once=1)
        done = await asyncio.gather(
            group.do(1), group.do("poison"), group.do(2), return_exceptions=True
        )
        assert (done[0], done[2]) == (2, 3)
        assert str(done[1]) == "this one"
        assert work.alone == [1, "poison", 2]
        # and the next ones are served as before
        assert await group.do(3) == 4

    asyncio.run(story())


def test_who_has_gone_disturbs_nobody():
    async def story():
        work = Counted()
        group = grouped(work, at_once=1)
        gone, stays = asyncio.create_task(group.do(1)), asyncio.create_task(group.do(2))
        await asyncio.sleep(0)
        gone.cancel()
        work.gate.set()
        assert await stays == 3
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(story())


def test_each_event_loop_begins_anew():
    work = Counted()
    work.gate.set()
    group = grouped(work)
    assert asyncio.run(group.do(1)) == 2
    assert asyncio.run(group.do(2)) == 3
