"""What every test may rely on: no way out of this machine, and a cast of people."""

import os

import pytest
from pytest_socket import socket_allow_hosts

# Playwright's synchronous API runs a loop in the test's thread, which Django would mistrust.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(autouse=True)
def _stay_home() -> None:
    """Unix sockets and loopback only."""
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)
