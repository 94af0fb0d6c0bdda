"""One emulator for all tests of this directory, with small chunks and a short hold."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connections.upstream.client import SnowflakeSession, connect
from tests.connections.upstream.emulators import Emulator, running


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def _emulator(
    tmp_path_factory: pytest.TempPathFactory, private_key: rsa.RSAPrivateKey
) -> Iterator[Emulator]:
    directory: Path = tmp_path_factory.mktemp("emulator")
    public = directory / "key.pem"
    public.write_bytes(
        private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    with running(
        *("--data", str(directory / "data"), "--warehouse", "small"),
        *("--hold-seconds", "1", "--chunk-rows", "2000"),
        *("--role", "GATEWAY", "--role", "ANALYST"),
        *("--public-key", str(public), "--client-id", "hoopweb-client"),
    ) as found:
        yield found


@pytest.fixture
def emulator(_emulator: Emulator) -> Emulator:
    _emulator.call("DELETE", "faults")
    return _emulator


@pytest.fixture
async def session(emulator: Emulator) -> AsyncIterator[SnowflakeSession]:
    async with connect(emulator.target()) as opened:
        yield opened
