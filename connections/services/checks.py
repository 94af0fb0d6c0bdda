"""Trying a connection out: each step said, with its cure where it fails."""

import asyncio
from typing import Any

from accounts.models import User
from connections.models import Connection
from connections.services.acting import need_admin_of
from connections.services.targets import record_test
from connections.services.values import target_for
from connections.upstream.check import report
from hoopweb.lib.errors import HoopwebError


def test_connection(
    *,
    connection: Connection,
    by: User | None,
    address: str | None = None,  # noqa: PT028  this tests a connection and is no test
) -> Connection:
    """Log in as a statement would, look round, and keep the report.

    Never raises for what is wrong on Snowflake's side: that is what the report says.
    """
    need_admin_of(by, connection, "test it")
    found: list[dict[str, Any]]
    try:
        # What is stored is tested, whatever the caller still holds in its hands.
        target = target_for(Connection.objects.get(pk=connection.pk))
    except HoopwebError as error:
        found = [
            {
                "name": "Credential",
                "ok": False,
                "detail": error.detail,
                "cure": "Set the credential, then test again.",
                "milliseconds": 0,
            }
        ]
    else:
        found = [
            {
                "name": step.name,
                "ok": step.ok,
                "detail": step.detail,
                "cure": step.cure,
                "milliseconds": round(step.seconds * 1000),
            }
            for step in asyncio.run(report(target))
        ]
    return record_test(connection=connection, report=found, by=by, address=address)
