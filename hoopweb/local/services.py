"""Only the servers, for work on the gateway itself: Postgres, Valkey and the warehouse.

``python -m hoopweb.local.services --state var/dev`` prints the variables to set and stays until
Ctrl-C; data is kept.
"""

import argparse
import logging
import os
import secrets
import signal
import sys
import threading
from pathlib import Path

from hoopweb.local import ports, programs
from hoopweb.local.errors import LocalServerError
from hoopweb.local.postgres import EmbeddedPostgres
from hoopweb.local.processes import Supervisor
from hoopweb.local.valkey import EmbeddedValkey

_PORT = 8084


def _password(state: Path) -> str:
    """Made once and kept, readable by its owner only."""
    file = state / "emulator.password"
    if not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
            sink.write(secrets.token_urlsafe(18))
    return file.read_text()


def run(state: Path) -> None:
    """Start everything, print what to set, wait for the end, stop everything."""
    done = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: done.set())
    state.mkdir(parents=True, exist_ok=True)
    postgres = EmbeddedPostgres(state / "postgres")
    valkey = EmbeddedValkey(state / "valkey")
    supervisor = Supervisor(state)
    try:
        password, port = _password(state), ports.free_port(_PORT)
        lines = {"DATABASE_URL": postgres.start(), "REDIS_URL": valkey.start()}
        env = os.environ | {"SNOWFLAKE_EMULATOR_PASSWORD": password}
        supervisor.start(programs.emulator(env, port=port, data=state / "emulator"))
        lines |= {
            "SNOWFLAKE_EMULATOR_URL": f"http://127.0.0.1:{port}",
            "SNOWFLAKE_EMULATOR_PORT": str(port),
            "SNOWFLAKE_EMULATOR_USER": "HOOPWEB",
            "SNOWFLAKE_EMULATOR_PASSWORD": password,
        }
        for name, value in lines.items():
            print(f"export {name}='{value}'", flush=True)  # noqa: T201 - it is for the shell
        done.wait()
    finally:
        supervisor.stop_all()
        valkey.stop()
        postgres.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hoopweb.local.services", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path("var/dev"))
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        run(parser.parse_args().state.absolute())
    except LocalServerError as error:
        print(error, file=sys.stderr)  # noqa: T201 - it is for whoever typed the command
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
