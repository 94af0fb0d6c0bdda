"""Files that a platform mounts, in directories that the operator opens."""

import os
import stat
from pathlib import Path

from django.conf import settings

from connections.references.errors import ReferenceRefused, ReferenceUnavailable
from connections.references.resolving import MAX_BYTES, Reference


def allowed(reference: Reference) -> None:
    _path(reference)


def read(reference: Reference) -> str:
    path = _path(reference)
    try:
        # The end of a link was judged, so nothing that became a link since is followed.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ReferenceUnavailable(f"{reference.name} is no file.")
            return file.read(MAX_BYTES + 1).decode()
    except OSError as error:
        raise ReferenceUnavailable(
            f"{reference.name} cannot be read: {error.strerror}. Servers and workers both need it."
        ) from None
    except UnicodeDecodeError:
        raise ReferenceUnavailable(f"{reference.name} is not text.") from None


def _path(reference: Reference) -> Path:
    given = Path(reference.name)
    opened = [Path(name).resolve() for name in settings.REFERENCE_DIRECTORIES]
    # Links are followed first: what counts is where they end.
    real = given.resolve() if given.is_absolute() else None
    if real is None or real in _ours() or not any(real.is_relative_to(d) for d in opened):
        names = ", ".join(settings.REFERENCE_DIRECTORIES)
        raise ReferenceRefused(
            f"The file may not be read. The operator has opened {names or 'none'}: "
            "HOOPWEB_REFERENCE_DIRECTORIES lists the directories."
        )
    return real


def _ours() -> set[Path]:
    """Files that hold the gateway's own secrets, wherever they are mounted."""
    return {
        Path(path).resolve() for name, path in os.environ.items() if name.endswith("_FILE") and path
    }
