"""Whether tables and seed are as the last run left them, so that a start need not look."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hoopweb.local import keys, programs

_DEPENDS_ON = ("DATABASE_URL", "SNOWFLAKE_", "HOOPWEB_TOKEN_PEPPERS")
_SEED = programs.ROOT / "hoopweb" / "management" / "commands" / "seed_demo.py"


@dataclass(frozen=True, slots=True)
class Prepared:
    """The stamp in a demo's directory."""

    state: Path

    @property
    def _stamp(self) -> Path:
        return self.state / "prepared.stamp"

    def holds(self, env: Mapping[str, str]) -> bool:
        return keys.read(self._stamp).get("digest") == _digest(env)

    def remember(self, env: Mapping[str, str]) -> None:
        keys.write(self._stamp, {"digest": _digest(env)})

    def forget(self) -> None:
        self._stamp.unlink(missing_ok=True)


def _digest(env: Mapping[str, str]) -> str:
    """Changes when tables or seed do, or what they are made for; and once a month, so that the
    agent's token is replaced before it ends.
    """
    content = hashlib.sha256(time.strftime("%Y-%m").encode())
    for name in sorted(env):
        if name.startswith(_DEPENDS_ON):
            content.update(f"{name}={env[name]}\n".encode())
    content.update(_SEED.read_bytes())
    for package in programs.WATCHED:
        for path in sorted((programs.ROOT / package / "migrations").glob("*.py")):
            content.update(path.name.encode())
    return content.hexdigest()


def asked_so_far(url: str) -> int:
    """How often approval was asked for so far."""
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            row = connection.execute("SELECT count(*) FROM approvals_approvalrequest").fetchone()
    except psycopg.Error:
        return 0
    return int(row[0]) if row else 0
