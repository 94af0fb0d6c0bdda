"""One way to every place, and a short memory."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from types import ModuleType

from django.conf import settings

from connections.references.errors import ReferenceUnavailable

MAX_BYTES = 64 * 1024


class Source(StrEnum):
    """Where a secret may lie, as ``connections.models.Credential.Source`` names it."""

    ENVIRONMENT = "environment"
    FILE = "file"
    VAULT = "vault"
    AWS = "aws"


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable, a path, ``mount/path`` in Vault, or a secret's name in AWS. ``field`` is the
    entry within a secret that has several.
    """

    source: Source
    name: str
    field: str = ""

    def __str__(self) -> str:
        return f"{self.source} {self.name}" + (f" ({self.field})" if self.field else "")


_lock = threading.Lock()
_kept: dict[Reference, tuple[str, threading.Timer]] = {}


def allowed(reference: Reference) -> None:
    """Raises ReferenceRefused unless the operator has opened this place."""
    _reader(reference.source).allowed(reference)


def resolve(reference: Reference, *, fresh: bool = False) -> str:
    """The secret; kept in memory for REFERENCE_SECONDS at most, ``fresh`` reads it anew.

    Raises ReferenceRefused, ReferenceUnavailable.
    """
    # Asked each time: what the operator closes is closed at once, whatever is remembered.
    reader = _reader(reference.source)
    reader.allowed(reference)
    if not fresh:
        with _lock:
            if found := _kept.get(reference):
                return found[0]
    read: Callable[[Reference], str] = reader.read
    value = read(reference).strip("\r\n")
    if not value:
        raise ReferenceUnavailable(f"The secret {reference} is empty.")
    if len(value) > MAX_BYTES:
        raise ReferenceUnavailable(f"The secret {reference} is longer than {MAX_BYTES} bytes.")
    _keep(reference, value)
    return value


def forget() -> None:
    """Drop everything that is remembered."""
    with _lock:
        for _, timer in _kept.values():
            timer.cancel()
        _kept.clear()


def _keep(reference: Reference, value: str) -> None:
    if not settings.REFERENCE_SECONDS:
        return
    # Dropped on time also when nobody asks again.
    timer = threading.Timer(settings.REFERENCE_SECONDS, _drop, args=(reference,))
    timer.daemon = True
    with _lock:
        if found := _kept.pop(reference, None):
            found[1].cancel()
        _kept[reference] = value, timer
    timer.start()


def _drop(reference: Reference) -> None:
    with _lock:
        _kept.pop(reference, None)


_READERS = {
    Source.ENVIRONMENT: "environment",
    Source.FILE: "files",
    Source.VAULT: "vault",
    Source.AWS: "aws",
}


def _reader(source: Source) -> ModuleType:
    # Two of the clients take long to import, and few installations need more than one.
    return import_module(f"connections.references.{_READERS[source]}")
