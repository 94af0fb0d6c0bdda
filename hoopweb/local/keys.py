"""Keys and passwords of a laptop: made once, kept under ``var/`` for their owner's eyes only."""

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from hoopweb.lib.crypto import new_key
from hoopweb.local.errors import LocalServerError

# No letters that look alike: these passwords are read from a terminal and typed.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def fresh() -> dict[str, str]:
    """A new value for every key that the settings need."""
    return {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "HOOPWEB_KEYS": f"k1:{new_key()}",
        "HOOPWEB_TOKEN_PEPPERS": f"p1:{new_key()}",
        "HOOPWEB_CHECKPOINT_KEY": new_key(),
    }


def password() -> str:
    """Four groups of four: 79 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def kept(path: Path, make: Callable[[], dict[str, str]]) -> dict[str, str]:
    """What ``path`` holds, completed by ``make`` for names that it does not hold yet."""
    found = read(path)
    missing = {name: value for name, value in make().items() if name not in found}
    if missing:
        found |= missing
        write(path, found)
    elif stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(0o600)
    return found


def read(path: Path) -> dict[str, str]:
    """``NAME=value`` lines; nothing when there is no such file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise LocalServerError(
            f"{path} cannot be read ({error.strerror}). It was made by another account: run as "
            "that one, or `make demo-reset` as that one first."
        ) from error
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def write(path: Path, values: dict[str, str]) -> None:
    """Replace the file in one step: a run cut short leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        half.unlink()
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("# For this machine's demo only. Real keys come from your secret store.\n")
        file.writelines(f"{name}={value}\n" for name, value in values.items())
    half.replace(path)
