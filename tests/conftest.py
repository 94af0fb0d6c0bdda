"""What every test may rely on: no way out of this machine, and a cast of people."""

import logging
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_socket import socket_allow_hosts

from accounts.models import Agent, User
from accounts.principal import Principal, Role
from connections.models import Connection
from tests import factories
from tests import warehouse as warehouse_module
from tests.warehouse import Warehouse

# Playwright's synchronous API runs a loop in the test's thread, which Django would mistrust.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

_LOGGER = logging.getLogger(__name__)

# Where several processes share the tests, these start first: none should work minutes longer than
# the others. Files go whole to whoever is free, in this order, then as they were collected.
LONGEST = (
    "tests/connections/sql/test_properties.py",
    "tests/clients/",
    "tests/flows/",
    "tests/gateway/snowflake/",
    "tests/local/test_demo.py",
    "tests/access/",
)


def _turn(item: pytest.Item) -> int:
    found = (i for i, start in enumerate(LONGEST) if item.nodeid.startswith(start))
    return next(found, len(LONGEST))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Browser tests come last: once that loop runs, no test after it can start one of its own."""
    if hasattr(config, "workerinput"):
        items.sort(key=_turn)
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(autouse=True)
def _stay_home() -> None:
    """Unix sockets and loopback only."""
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _checkpoints_of_its_own(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tables are emptied between tests; what was signed outside would then lack its rows."""
    settings.CHECKPOINT_DIR = tmp_path_factory.getbasetemp() / "checkpoints" / uuid.uuid4().hex


@pytest.fixture(autouse=True)
def _loggers_stay_on() -> Iterator[None]:
    """Configuring logging turns off the loggers that exist, unless told otherwise: tests that
    come after would look for secrets in lines that nobody writes.
    """
    yield
    assert not _LOGGER.disabled


@pytest.fixture(scope="session")
def _warehouse() -> Iterator[Warehouse]:
    with warehouse_module.running() as found:
        found.run(*warehouse_module.SETUP)
        yield found


@pytest.fixture
def warehouse(_warehouse: Warehouse) -> Warehouse:
    """The shared emulator, without faults left over from another test."""
    _warehouse.heal()
    return _warehouse


@dataclass
class Cast:
    """Who asks, who answers for it, who decides, who looks on, and who may do nothing."""

    owner: User
    reviewer: User
    second_reviewer: User
    auditor: User
    admin: User
    stranger: User
    agent: Agent
    connection: Connection

    @property
    def principal(self) -> Principal:
        return self.agent.as_principal()


@pytest.fixture
def cast(db: None) -> Cast:
    connection = factories.connection("shop")
    owner = factories.person("olga", Role.DEVELOPER)
    agent = factories.agent("cleaner", owner=owner)
    factories.allow(connection, agent)
    return Cast(
        owner=owner,
        reviewer=factories.person("rita", Role.REVIEWER),
        second_reviewer=factories.person("rolf", Role.REVIEWER),
        auditor=factories.person("otto", Role.AUDITOR),
        admin=factories.person("ada", Role.ADMIN),
        stranger=factories.person("stan"),
        agent=agent,
        connection=connection,
    )
