"""Checkpoints as files, outside the database's reach. Written once, never over an older one."""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from recordings import chain, signing

_NAME = re.compile(r"^checkpoint-(\d{10})\.json$")


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint's content and its signature, from wherever it was read."""

    body: dict[str, Any]
    signature: str

    @property
    def number(self) -> int:
        return int(self.body["number"])

    @property
    def hash(self) -> str:
        return chain.digest(self.body)

    def is_genuine(self) -> bool:
        """Whether one of our keys signed exactly this."""
        return signing.is_signed(
            chain.canonical(self.body), signature=self.signature, key=str(self.body.get("key"))
        )


def directory() -> Path:
    return Path(settings.CHECKPOINT_DIR)


def name_of(number: int) -> str:
    return f"checkpoint-{number:010d}.json"


def numbers() -> list[int]:
    """The numbers of the files that are there, ascending."""
    try:
        names = [path.name for path in directory().iterdir()]
    except FileNotFoundError:
        return []
    return sorted(int(found[1]) for name in names if (found := _NAME.match(name)))


def read(number: int) -> Signed | None:
    """One file's content, not checked yet; None when it is missing or is no checkpoint."""
    try:
        content = json.loads((directory() / name_of(number)).read_bytes())
        found = Signed(dict(content["body"]), str(content["signature"]))
        named = found.number
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if named == number else None


def read_all() -> Iterator[tuple[int, Signed | None]]:
    """Every file, ascending; None for one that cannot be read as a checkpoint."""
    for number in numbers():
        yield number, read(number)


def write(checkpoint: Signed) -> None:
    """Put a checkpoint beside the others, whole or not at all, on the disk for good.

    A file that is there already stays as it is: a second writer loses, and never overwrites.
    """
    place = directory()
    place.mkdir(parents=True, exist_ok=True)
    half = place / f".{name_of(checkpoint.number)}.{os.getpid()}"
    content = {"body": checkpoint.body, "signature": checkpoint.signature}
    with half.open("wb") as handle:
        handle.write(chain.canonical(content) + b"\n")
        handle.flush()
        os.fsync(handle.fileno())
    half.chmod(0o444)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(half, place / name_of(checkpoint.number))
    finally:
        half.unlink(missing_ok=True)
    handle_id = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle_id)
    finally:
        os.close(handle_id)
