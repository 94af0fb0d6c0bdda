"""Broken lines and dying services: sent once, and known or said to be unknown."""

import asyncio

import pytest

from connections.upstream.client import connect
from connections.upstream.errors import OutcomeUnknown, SessionLost, UpstreamUnreachable
from connections.upstream.types import FoundState, UpstreamSession
from tests.connections.upstream.emulators import running

_WRITE = "UPDATE RETAIL.STORES SET FLOOR_SPACE = FLOOR_SPACE + 1 WHERE STORE_ID = 1 /* {} */"


async def _space(session):
    table = await session.fetch("SELECT FLOOR_SPACE AS N FROM RETAIL.STORES WHERE STORE_ID = 1")
    return table.to_pylist()[0]["N"]


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("fault", [{"status_after": 503}, {"reset_after": True}])
async def test_a_write_whose_answer_is_lost_is_never_sent_again(
    emulator, session, fault, asynchronous
):
    before = await _space(session)
    mark = f"lost-{asynchronous}-{'-'.join(fault)}"
    emulator.fault(match=mark, **fault)
    with pytest.raises(OutcomeUnknown):
        await session.submit(_WRITE.format(mark), tag=mark, asynchronous=asynchronous)
    (entry,) = emulator.sent(mark)
    assert (entry["requests"], entry["executions"]) == (1, 1)
    found = await session.find(tag=mark)
    assert (found.state, found.matches) == (FoundState.SUCCEEDED, 1)
    result = await session.result(session.handle(found.query_id))
    assert result.affected == 1
    assert await _space(session) == before + 1


async def test_a_write_that_was_refused_before_it_ran_is_found_nowhere(emulator, session):
    emulator.fault(match="refused-503", status_before=503)
    with pytest.raises(OutcomeUnknown):
        await session.submit(_WRITE.format("refused-503"), tag="refused-503")
    assert (await session.find(tag="refused-503")).state == FoundState.NOT_FOUND


async def test_a_read_is_asked_again_under_the_same_request_id(emulator, session):
    emulator.fault(match="again-read", times=2, status_after=503)
    handle = await session.submit("SELECT 1 AS N /* again-read */", repeatable=True)
    assert (await session.result(handle)).table.num_rows == 1
    (entry,) = emulator.sent("again-read")
    assert (entry["requests"], entry["executions"]) == (3, 1)


async def test_polling_survives_a_broken_line(emulator, session):
    handle = await session.submit("SELECT SYSTEM$WAIT(2) /* poll-broken */")
    emulator.fault(match="poll-broken", where="result", status_before=502, times=2)
    assert (await session.result(handle)).table.num_rows == 1


async def test_a_chunk_is_fetched_again(emulator, session):
    emulator.fault(match="chunk-again", where="chunk", reset_after=True)
    emulator.fault(match="chunk-again", where="chunk", status_before=500)
    handle = await session.submit(
        "SELECT LINE_ID FROM RETAIL.ORDER_LINES /* chunk-again */ LIMIT 5000"
    )
    assert (await session.result(handle)).table.num_rows == 5000


async def test_an_expired_token_is_renewed_once_for_all_who_wait(emulator):
    heard: list[UpstreamSession] = []
    async with connect(emulator.target(), on_renew=heard.append) as session:
        emulator.fault(match="renew-me", expire_token=True)
        handles = await asyncio.gather(
            *(session.submit(f"SELECT {n} /* renew-me */", tag="renew-me") for n in range(5))
        )
        for handle in handles:
            await session.result(handle)
    logged_in, *renewed = heard
    assert len(renewed) == 1
    assert renewed[0].token != logged_in.token
    assert [entry["executions"] for entry in emulator.sent("renew-me")] == [1] * 5


async def test_a_statement_that_was_on_its_way_during_a_renewal_is_sent_again(emulator, session):
    wire = session._wire
    ask, renewed = wire._ask, asyncio.Event()

    async def late(request, token):
        if request.path.startswith("/queries") and not renewed.is_set():
            await wire._renew(token)  # another statement's, while this one is on its way
            renewed.set()
        return await ask(request, token)

    wire._ask = late
    handle = await session.submit("SELECT 1 /* under way */", tag="under way")
    assert (await session.result(handle)).table.num_rows == 1
    assert [entry["executions"] for entry in emulator.sent("under way")] == [1]


async def test_a_write_meets_an_expired_token_and_runs_once(emulator, session):
    before = await _space(session)
    emulator.fault(match="renew-write", expire_token=True)
    await session.result(await session.submit(_WRITE.format("renew-write")))
    assert await _space(session) == before + 1


async def test_polling_goes_on_over_many_expiries():
    with running("--session-seconds", "1", "--hold-seconds", "0.5") as emulator:
        target = emulator.target(database="", schema="")
        async with connect(target) as session:
            handle = await session.submit("SELECT SYSTEM$WAIT(4)")
            assert (await session.result(handle)).table.num_rows == 1


async def test_a_session_whose_master_token_is_over_is_lost_before_anything_runs():
    with running("--session-seconds", "0.5", "--master-seconds", "1") as emulator:
        async with connect(emulator.target(database="", schema="")) as session:
            await asyncio.sleep(1.2)
            with pytest.raises(SessionLost):
                await session.submit("SELECT 1 /* too-late */")
        assert emulator.sent("too-late") == []


async def test_nobody_there_is_told_apart_from_an_answer_lost(tmp_path, monkeypatch):
    monkeypatch.setattr("connections.upstream.client._SETTLE", 1.0)
    arguments = ("--data", str(tmp_path), "--warehouse", "none", "--database", "SHOP")
    with running(*arguments) as emulator:
        async with connect(emulator.target(schema="")) as session:
            await session.fetch("SELECT 1")
            running_one = await session.submit("SELECT SYSTEM$WAIT(30)", tag="killed", timeout=2)
            emulator.process.kill()
            emulator.process.wait()
            await asyncio.sleep(0.1)  # until the pool has seen its connection close
            with pytest.raises(UpstreamUnreachable):
                await session.submit("CREATE TABLE SHOP.T (N INT)")
            with pytest.raises(OutcomeUnknown):
                await session.result(running_one)
    with running(*arguments) as emulator:
        async with connect(emulator.target(schema="")) as session:
            assert (await session.find(tag="killed")).state == FoundState.FAILED
