"""Directories for Unix sockets: private, and short enough for the kernel."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from hoopweb.local.errors import LocalServerError

# sockaddr_un holds 108 bytes on Linux and 104 elsewhere, the closing zero included.
_LIMIT = 103


def socket_dir(wanted: Path, socket_name: str, *, uid: int | None = None) -> Path:
    """A private directory in which ``socket_name`` fits: ``wanted``, else a short one.

    The short one is named after ``wanted``, so every process finds the same.
    """
    wanted = wanted.absolute()
    owner = os.getuid() if uid is None else uid
    if len(os.fsencode(wanted / socket_name)) <= _LIMIT:
        wanted.mkdir(parents=True, exist_ok=True)
        _make_private(wanted, owner)
        return wanted
    name = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"hoopweb-{name}"
    if len(os.fsencode(short / socket_name)) > _LIMIT:
        short = Path("/tmp") / f"hoopweb-{name}"  # noqa: S108 - owner and mode are checked below
    try:
        short.mkdir(mode=0o700)
    except FileExistsError:
        found = short.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {owner, os.getuid()}:
            raise LocalServerError(
                f"{short} belongs to someone else; remove it, or set TMPDIR to your own directory."
            ) from None
    _make_private(short, owner)
    return short


def _make_private(directory: Path, owner: int) -> None:
    directory.chmod(0o700)
    if directory.stat().st_uid != owner:
        os.chown(directory, owner, -1)
