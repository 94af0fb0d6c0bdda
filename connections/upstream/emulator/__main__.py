"""Run the emulator: ``python -m connections.upstream.emulator --port 8084 --data DIR``."""

import argparse
import logging
import os
import signal
import socket
import sys
import warnings
from pathlib import Path

import uvicorn

from connections.upstream.emulator.credentials import Credentials
from connections.upstream.emulator.engine import Engine
from connections.upstream.emulator.front import Front
from connections.upstream.emulator.journal import Journal
from connections.upstream.emulator.sessions import Lifetimes, Sessions
from connections.upstream.emulator.statements import Statements
from connections.upstream.emulator.users import Keys
from connections.upstream.emulator.warehouse.build import build, is_built

logger = logging.getLogger(__name__)

_PREFIX = "SNOWFLAKE_EMULATOR_"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="A local warehouse that speaks Snowflake's protocol. Secrets come from "
        f"{_PREFIX}PASSWORD, {_PREFIX}TOKEN and {_PREFIX}CLIENT_SECRET."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one, which is printed")
    parser.add_argument("--data", type=Path, help="where databases are kept; memory without it")
    parser.add_argument("--user", default="HOOPWEB")
    parser.add_argument("--account", default="LOCAL")
    parser.add_argument("--role", action="append", default=[], help="a granted role; any without")
    parser.add_argument("--public-key", type=Path, help="PEM, for key-pair logins")
    parser.add_argument("--client-id", default="", help="for OAuth client credentials")
    parser.add_argument("--key-admin", action="append", default=[], help="a role that sets keys")
    parser.add_argument("--issuer", default="", help="a provider whose tokens are taken")
    parser.add_argument("--audience", default="", help="whom such a token has to be for")
    parser.add_argument("--subject", default="", help="whom it has to speak of")
    parser.add_argument(
        "--warehouse",
        choices=("full", "small", "none"),
        help="fill database SHOP when it is not there; full where --data is given",
    )
    parser.add_argument("--database", action="append", default=[], help="made at start")
    parser.add_argument("--hold-seconds", type=float, default=40.0)
    parser.add_argument("--session-seconds", type=float, default=3600.0)
    parser.add_argument("--master-seconds", type=float, default=14400.0)
    parser.add_argument("--chunk-rows", type=int, default=50_000)
    return parser.parse_args()


def main() -> None:
    given = _arguments()
    # The server raises the signal again once it has closed; by default that would be the end of
    # the process before the databases are closed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    # fakesnow's own business, once per statement.
    warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    engine = Engine(given.data)
    for name in given.database:
        engine.create_database(name)
    size = given.warehouse or ("full" if given.data else "none")
    if size != "none" and not is_built(engine):
        logger.info("filling the warehouse")
        build(engine, small=size == "small", progress=logger.info)
    journal = Journal(given.data / "statements.jsonl" if given.data else None)
    statements = Statements(journal)
    keys = Keys(
        given.user,
        given.public_key.read_bytes() if given.public_key else b"",
        frozenset(role.upper() for role in given.key_admin),
    )
    engine.keys = keys
    front = Front(
        engine=engine,
        sessions=Sessions(Lifetimes(given.session_seconds, given.master_seconds)),
        statements=statements,
        credentials=Credentials(
            user=given.user,
            password=os.environ.get(f"{_PREFIX}PASSWORD", ""),
            access_token=os.environ.get(f"{_PREFIX}TOKEN", ""),
            keys=keys,
            client_id=given.client_id,
            client_secret=os.environ.get(f"{_PREFIX}CLIENT_SECRET", ""),
            roles=frozenset(role.upper() for role in given.role),
            issuer=given.issuer,
            audience=given.audience,
            subject=given.subject,
        ),
        account=given.account.upper(),
        hold_seconds=given.hold_seconds,
        chunk_rows=given.chunk_rows,
    )
    with socket.create_server((given.host, given.port), backlog=256) as listener:
        print(f"http://{given.host}:{listener.getsockname()[1]}", flush=True)  # noqa: T201
        server = uvicorn.Server(
            uvicorn.Config(
                front.app(),
                log_level="warning",
                timeout_graceful_shutdown=2,
                # Longer than clients keep idle connections, so that none is cut as it is reused.
                timeout_keep_alive=75,
                lifespan="off",
            )
        )
        try:
            server.run(sockets=[listener])
        finally:
            statements.close()
            engine.close()


if __name__ == "__main__":
    main()
