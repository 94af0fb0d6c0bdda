"""Sealed columns brought under the ring's first key, a batch at a time, while everything runs.

Each value is swapped only if it still is the one that was read, so a row that somebody saves
meanwhile keeps what they saved. What is done stays done: a second run goes on where one stopped.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import connection, models

from hoopweb.lib import crypto
from hoopweb.lib.fields import EncryptedTextField

BATCH = 200
# ``hw1.<key id>.<rest>``: enough of it to see the id.
_KEY_OF = "split_part(left({column}, 80), '.', 2)"


@dataclass(slots=True)
class Result:
    """How many values were brought over, and those that no key of the ring opens."""

    resealed: int = 0
    closed: list[str] = field(default_factory=list)


def sealed_columns() -> list[tuple[type[models.Model], EncryptedTextField]]:
    """Every sealed column of every model."""
    return [
        (model, column)
        for model in apps.get_models()
        for column in model._meta.local_concrete_fields  # noqa: SLF001 - Django's documented name
        if isinstance(column, EncryptedTextField)
    ]


def count_by_key(model: type[models.Model], column: EncryptedTextField) -> Counter[str]:
    """How many values of a column each key has sealed."""
    table, name = _quoted(model, column)
    key = _KEY_OF.format(column=name)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key}, count(*) FROM {table} WHERE {name} <> '' GROUP BY 1"  # noqa: S608 - names of our models
        )
        return Counter(dict(cursor.fetchall()))


def reseal(model: type[models.Model], column: EncryptedTextField) -> Result:
    """Bring one column under the first key."""
    result = Result()
    table, name = _quoted(model, column)
    key = connection.ops.quote_name(str(model._meta.pk.column))  # noqa: SLF001
    for batch in _batches(table, name, key):
        for row_id, sealed in batch:
            context = column.context_of(model(pk=row_id))
            try:
                clear = crypto.unseal(sealed.encode(), context=context)
            except crypto.CryptoError as error:
                result.closed.append(f"{model._meta.label_lower}.{column.name} {row_id}: {error}")  # noqa: SLF001
                continue
            new = crypto.seal(clear, context=context).decode()
            with connection.cursor() as cursor:
                cursor.execute(
                    f"UPDATE {table} SET {name} = %s WHERE {key} = %s AND {name} = %s",  # noqa: S608
                    [new, row_id, sealed],
                )
                result.resealed += cursor.rowcount
    return result


def _batches(table: str, name: str, key: str) -> Iterator[list[tuple[Any, str]]]:
    """Rows that another key has sealed, in the order of their ids, each looked at once."""
    primary = crypto.ring().primary
    after: list[Any] = []
    while True:
        where = f"AND {key} > %s" if after else ""
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {key}, {name} FROM {table} WHERE {name} <> '' "  # noqa: S608
                f"AND {_KEY_OF.format(column=name)} <> %s {where} ORDER BY {key} LIMIT {BATCH}",
                [primary, *after],
            )
            batch = cursor.fetchall()
        if not batch:
            return
        yield batch
        after = [batch[-1][0]]


def _quoted(model: type[models.Model], column: EncryptedTextField) -> tuple[str, str]:
    quote = connection.ops.quote_name
    return quote(model._meta.db_table), quote(str(column.column))  # noqa: SLF001
