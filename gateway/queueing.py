"""Waking a worker. A lost word costs seconds, never a statement: the sweep finds what is queued."""

import structlog
from django.db import transaction
from kombu.exceptions import OperationalError

from connections.sql.stages import TRANSFERS
from gateway.models import Statement

log = structlog.get_logger(__name__)


def enqueue(statement: Statement) -> None:
    """After commit, send the statement's id to its connection's queue.

    What a driver has to carry waits for its driver, who asks for it: no worker could.
    """
    if statement.statement_class in TRANSFERS:
        return
    from gateway.tasks import execute_statement

    queue = statement.connection.queue
    statement_id = str(statement.pk)

    def send() -> None:
        try:
            execute_statement.apply_async((statement_id,), queue=queue, retry=False)
        except (OperationalError, OSError) as error:
            log.warning("not_enqueued", statement_id=statement_id, error=type(error).__name__)

    transaction.on_commit(send)
