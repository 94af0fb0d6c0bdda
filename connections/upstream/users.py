"""The two public keys of the user that we log in as. The only statements of ours that change it."""

import asyncio

from connections.upstream.client import SnowflakeSession, connect
from connections.upstream.errors import LoginRefused, UpstreamFailure
from connections.upstream.types import Target


async def run(target: Target, statement: str) -> None:
    """Run a statement about our own user. Raises UpstreamFailure when we may not."""
    async with connect(target) as session:
        await _run(session, statement)


async def set_key(target: Target, *, user: str, slot: str, fingerprint: str, statement: str) -> str:
    """Set a key slot that is free. Gives the fingerprint of another key that it holds, and then
    changes nothing; one that holds the key with ``fingerprint`` is fine as it is.

    Raises UpstreamFailure when we may not.
    """
    async with connect(target) as session:
        described = (await session.fetch(f"DESCRIBE USER {user}")).to_pylist()
        rows = {str(row["property"]): str(row["value"]) for row in described}
        held = rows.get(f"{slot}_FP", "null")
        if held == fingerprint:
            return ""
        if held not in {"null", "", "None"}:
            return held
        await _run(session, statement)
    return ""


async def try_login(target: Target, *, tries: int) -> None:
    """Log in and ask for one value. Raises UpstreamFailure when all tries were refused."""
    for left in reversed(range(tries)):
        try:
            async with connect(target) as session:
                await session.fetch("SELECT 1")
                return
        except LoginRefused:
            if not left:
                raise
            await asyncio.sleep(1)
    raise UpstreamFailure("No login was tried.")


async def _run(session: SnowflakeSession, statement: str) -> None:
    handle = await session.submit(statement, tag="hoopweb", timeout=60, asynchronous=False)
    await session.result(handle)
