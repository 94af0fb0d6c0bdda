"""The connector logs in by each method; its tokens go on in our client."""

import asyncio
import logging
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization

from connections.upstream.client import connect
from connections.upstream.errors import LoginRefused, UpstreamUnreachable
from connections.upstream.login import log_in
from connections.upstream.types import Method, Target, UpstreamSession
from tests.connections.upstream.emulators import CLIENT_SECRET, PASSWORD, TOKEN, running


async def _works(target):
    async with connect(target) as session:
        assert (await session.fetch("SELECT 1 AS ONE")).to_pylist() == [{"ONE": 1}]


async def test_password(emulator):
    await _works(emulator.target())


async def test_access_token(emulator):
    await _works(emulator.target(method=Method.ACCESS_TOKEN, secret=TOKEN))


async def test_key_pair_with_and_without_passphrase(emulator, private_key):
    for passphrase in ("", "opensesame"):
        pem = private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode())
            if passphrase
            else serialization.NoEncryption(),
        ).decode()
        await _works(emulator.target(method=Method.KEY_PAIR, secret=pem, key_passphrase=passphrase))


async def test_oauth_client_credentials(emulator):
    await _works(
        emulator.target(
            method=Method.OAUTH_CLIENT,
            secret=CLIENT_SECRET,
            oauth_client_id="hoopweb-client",
            oauth_token_url=f"{emulator.url}/oauth/token-request",
            oauth_scope="session:role:GATEWAY",
        )
    )


@pytest.mark.parametrize("method", list(Method))
async def test_a_wrong_secret_is_refused_and_not_repeated(emulator, method, caplog):
    caplog.set_level(logging.DEBUG)
    target = emulator.target(
        method=method,
        secret="wrong-secret-9731",
        oauth_client_id="hoopweb-client",
        oauth_token_url=f"{emulator.url}/oauth/token-request",
    )
    with pytest.raises(LoginRefused) as refused:
        await log_in(target)
    assert "wrong-secret-9731" not in str(refused.value)
    assert "wrong-secret-9731" not in caplog.text
    assert refused.value.__cause__ is refused.value.__context__ is None


async def test_a_role_that_is_not_granted_is_refused(emulator):
    with pytest.raises(LoginRefused, match="'NOBODY'"):
        await log_in(emulator.target(role="NOBODY"))


async def test_nobody_there_means_nothing_was_sent(emulator):
    with pytest.raises(UpstreamUnreachable):
        await log_in(emulator.target(port=1, login_seconds=1))


def test_the_host_follows_from_the_account():
    assert Target("MYORG-PROD_EU").address == "myorg-prod-eu.snowflakecomputing.com"
    assert Target("X", host="private.example.com", port=8443).base_url == (
        "https://private.example.com:8443"
    )


async def test_no_repr_shows_a_secret(emulator):
    target = emulator.target(key_passphrase="passphrase-9731")
    tokens = await log_in(target)
    shown = f"{target!r} {target} {tokens!r} {tokens}"
    for secret in (PASSWORD, "passphrase-9731", tokens.token, tokens.master_token):
        assert secret not in shown


async def test_tokens_are_good_in_another_process_and_after_it(emulator):
    tokens = UpstreamSession.from_json((await log_in(emulator.target())).to_json())
    async with connect(emulator.target(), resume=tokens, keep=True) as first:
        await first.fetch("CREATE OR REPLACE TEMPORARY TABLE MINE AS SELECT 7 AS N")
        kept = first.tokens
    async with connect(emulator.target(), resume=kept) as second:
        assert (await second.fetch("SELECT N FROM MINE")).to_pylist() == [{"N": 7}]


async def test_tokens_that_are_over_are_replaced_by_a_new_login():
    with running("--session-seconds", "0.2", "--master-seconds", "0.4") as emulator:
        target = emulator.target(database="", schema="")
        tokens = await log_in(target)
        await asyncio.sleep(0.6)
        async with connect(target, resume=tokens) as session:
            assert session.tokens.session_id != tokens.session_id


async def test_a_session_that_is_over_is_replaced_by_a_new_login(emulator):
    tokens = await log_in(emulator.target())
    over = replace(tokens, token="unknown", master_token="unknown")
    heard: list[UpstreamSession] = []
    async with connect(emulator.target(), resume=over, on_renew=heard.append) as session:
        assert (await session.fetch("SELECT 1 AS ONE")).num_rows == 1
    assert [found.token for found in heard] == [session.tokens.token]
