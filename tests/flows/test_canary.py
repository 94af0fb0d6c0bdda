"""A secret that is planted is found nowhere: not where it is kept, not where it passes, in no form.

The whole product runs as processes at debug level. Every secret is one that occurs nowhere else;
then everything that the product writes, sends, answers or starts is searched for it.
"""

import base64
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Self

import psycopg
import pytest
import redis
import requests
from cryptography.hazmat.primitives import serialization

from connections.services.credentials import new_key_pair
from hoopweb.lib.crypto import new_key
from tests import factories
from tests.flows import deeds
from tests.flows.deeds import READ
from tests.stack import Stack
from tests.warehouse import ROOT, SETUP, Warehouse

PASSWORD = "canary-password-5f3a+9/c1"
TOKEN = "canary-access-token-77b2e0"
CLIENT_SECRET = "canary-client-secret-4d81f6"
WRONG = "canary-wrong-secret-c09a33"
IN_FILE = TOKEN  # the same secret, by way of a mounted file
FAILS = "SELECT CAST(CITY AS NUMBER) AS N FROM SHOP.CRM.CONTACTS"


def _pieces(secret: bytes) -> dict[str, bytes]:
    """Every form in which a secret could lie somewhere."""
    found = {
        "clear": secret,
        "reversed": secret[::-1],
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        "url": urllib.parse.quote(secret, safe="").encode(),
        "json": json.dumps(secret.decode(errors="ignore"))[1:-1].encode(),
    }
    for shift in range(3):
        # The ends depend on what stands beside; the middle does not.
        encoded = base64.b64encode(b"\0" * shift + secret)
        found[f"base64+{shift}"] = encoded[4:-4]
        found[f"base64url+{shift}"] = base64.urlsafe_b64encode(b"\0" * shift + secret)[4:-4]
    return {name: piece for name, piece in found.items() if len(piece) >= 12}


class Canaries:
    def __init__(self) -> None:
        self._needles: list[tuple[str, str, bytes]] = []

    def add(self, name: str, secret: bytes) -> None:
        self._needles += [(name, form, piece) for form, piece in _pieces(secret).items()]

    def found_in(self, content: bytes) -> list[str]:
        return sorted(
            {f"{name} ({form})" for name, form, piece in self._needles if piece in content}
        )


class Watch:
    """What only exists for a moment: commands to Valkey, and processes with their environments."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.commands: list[bytes] = []
        self.processes: dict[int, bytes] = {}
        self._over = threading.Event()
        self._threads = [threading.Thread(target=t) for t in (self._valkey, self._children)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        time.sleep(0.3)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        # The listener wakes up by one more command.
        with redis.Redis.from_url(self.stack.env["REDIS_URL"]) as client:
            client.ping()
        for thread in self._threads:
            thread.join(20)

    def _valkey(self) -> None:
        with (
            redis.Redis.from_url(self.stack.env["REDIS_URL"], socket_timeout=None) as client,
            client.monitor() as monitor,
        ):
            while not self._over.is_set():
                # As it came: the client's own reading of such a line fails on some of them.
                self.commands.append(bytes(monitor.connection.read_response()))

    def _children(self) -> None:
        while not self._over.is_set():
            for pid in _descendants([p.pid for _, p in self.stack.supervisor.programs.values()]):
                with contextlib.suppress(OSError):
                    self.processes[pid] = b"".join(
                        Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")
                    )
            time.sleep(0.1)


def _descendants(roots: list[int]) -> set[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(stat[1])
    found = set(roots)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


@pytest.fixture(scope="module")
def pair():
    return new_key_pair()


@pytest.fixture(scope="module")
def snowflake(tmp_path_factory, pair):
    """A Snowflake that takes every method."""
    pem = tmp_path_factory.mktemp("public") / "key.pem"
    der = serialization.load_der_public_key(base64.b64decode(pair.public))
    pem.write_bytes(
        der.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "connections.upstream.emulator", "--database", "SHOP"),
            *("--public-key", str(pem), "--client-id", "canary-client"),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            # The warehouse's own helper logs in by this one to fill it.
            "SNOWFLAKE_EMULATOR_PASSWORD": PASSWORD,
            "SNOWFLAKE_EMULATOR_TOKEN": TOKEN,
            "SNOWFLAKE_EMULATOR_CLIENT_SECRET": CLIENT_SECRET,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    try:
        yield Warehouse(process.stdout.readline().strip(), process)
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@pytest.fixture(scope="module")
def keys():
    """The installation's own keys, each a canary."""
    return {
        "SECRET_KEY": "canary-secret-key-" + new_key() + new_key(),
        "HOOPWEB_KEYS": f"k1:{new_key()}",
        "HOOPWEB_TOKEN_PEPPERS": f"1:{new_key()}",
        "HOOPWEB_CHECKPOINT_KEY": new_key(),
    }


@pytest.fixture(scope="module")
def stack(tmp_path_factory, snowflake, keys, pair):
    # Outside the directory that is searched: this is where operators keep them.
    held = tmp_path_factory.mktemp("held")
    env = {}
    for name, value in keys.items():
        (held / name).write_text(value)
        env |= {f"{name}_FILE": str(held / name), name: ""}
    (held / "mounted").mkdir()
    (held / "mounted" / "pat").write_text(IN_FILE)
    env |= {"HOOPWEB_REFERENCE_DIRECTORIES": str(held / "mounted")}
    env |= {
        "LOG_LEVEL": "DEBUG",
        "DEBUG": "0",
        "METRICS_TOKEN": "",
        "API_STATEMENTS_PER_MINUTE": "999",
    }
    token_url = f"{snowflake.url}/oauth/token-request"
    oauth = {"client_id": "canary-client", "token_url": token_url}
    pat, client = "programmatic_access_token", "oauth_client_credentials"
    credentials = {
        "by-password": {"method": "password", "secret": PASSWORD},
        "by-token": {"method": pat, "secret": TOKEN},
        "by-client": {"method": client, "secret": CLIENT_SECRET, **oauth},
        "by-key": {"method": "key_pair", "secret": pair.private},
        "by-file": {
            "method": pat,
            "source": "file",
            "reference": {"name": str(held / "mounted" / "pat")},
        },
        "bad-password": {"method": "password", "secret": WRONG},
        "bad-token": {"method": pat, "secret": WRONG},
        "bad-client": {"method": client, "secret": WRONG, **oauth},
        "bad-key": {"method": "key_pair"},
    }
    with Stack(tmp_path_factory.mktemp("stack"), **env) as running:
        _fill(snowflake)
        plan = held / "plan.json"
        plan.write_text(json.dumps({"port": snowflake.port, "credentials": credentials}))
        running._run("-m", "tests.flows.plant", str(plan))
        running.planted = list(credentials)
        running.snowflake_port = snowflake.port
        yield running


def _fill(snowflake):
    from tests import warehouse

    before = warehouse.PASSWORD
    warehouse.PASSWORD = PASSWORD
    try:
        snowflake.run(*SETUP, "CREATE STAGE SHOP.CRM.FILES")
    finally:
        warehouse.PASSWORD = before


@pytest.fixture(scope="module")
def canaries(stack, keys, pair):
    found = Canaries()
    for secret in (
        PASSWORD,
        TOKEN,
        CLIENT_SECRET,
        WRONG,
        stack.seeded["token"],
        factories.PASSWORD,
    ):
        found.add(secret[:14], secret.encode())
    # Without the key id, which rightly stands in lists.
    found.add("agent token's secret", stack.seeded["token"].rsplit("_", 1)[1].encode())
    # Its first half is the modulus, which the public key shows as well.
    for line in pair.private.splitlines()[-9:-3]:
        found.add("private key", line.encode())
        found.add("private key's bytes", base64.b64decode(line))
    for name, value in keys.items():
        text = value.partition(":")[2] or value
        found.add(name, text.encode())
        if name != "SECRET_KEY":
            found.add(f"{name}'s bytes", base64.urlsafe_b64decode(text))
    return found


def test_the_search_finds_what_is_there(canaries):
    for content in (
        f"x{PASSWORD}x",
        base64.b64encode(f"ab{TOKEN}cd".encode()).decode(),
        f"{TOKEN[::-1]}",
        WRONG.encode().hex(),
        urllib.parse.quote(PASSWORD, safe=""),
    ):
        assert canaries.found_in(content.encode()), content


def _everything(stack, canaries, directory) -> dict[str, bytes]:
    """What agents, people and machines are answered, failures included."""
    answers: dict[str, bytes] = {}

    def keep(name, answer):
        answers[name] = answer.content + repr(dict(answer.headers)).encode()
        return answer

    for name in stack.planted:
        for sql in (READ, FAILS):
            done = stack.submit(sql, wait=20, connection=name)
            answers[f"{name}: {sql}"] = json.dumps(done).encode()
            keep(
                f"{name}: result",
                requests.get(
                    f"{stack.url}/api/v1/statements/{done['id']}/result",
                    headers=stack.bearer,
                    timeout=20,
                ),
            )
    broken = stack.seeded["token"][:-1] + "x"
    for header in (f"Bearer {broken}", f"Basic {broken}", stack.seeded["token"]):
        keep(
            "refused token",
            requests.get(
                f"{stack.url}/api/v1/sessions", headers={"Authorization": header}, timeout=20
            ),
        )
    ada, otto = stack.sign_in("ada"), stack.sign_in("otto")
    for name in stack.planted:
        csrf = {"csrfmiddlewaretoken": ada.cookies["csrftoken"]}
        for path in ("", "credential/", "edit/"):
            keep(f"{name}/{path}", ada.get(f"{stack.url}/connections/{name}/{path}", timeout=20))
        # A form that is refused comes back without what was typed.
        keep(
            f"{name}/credential refused",
            ada.post(
                f"{stack.url}/connections/{name}/credential/",
                data={**csrf, "method": "password", "login_name": "", "secret": WRONG},
                timeout=20,
            ),
        )
    _run_everything(stack, ada, keep)
    token = deeds.issue_by_rest(stack, canaries, keep)
    deeds.work_by_driver(stack, canaries, token, directory)
    deeds.register(stack, canaries, keep, PASSWORD, stack.snowflake_port)
    for path in ("/audit/", "/sessions/", "/metrics", "/agents/", "/search/?q=canary"):
        keep(path, otto.get(stack.url + path, timeout=20))
    for (session_id,) in stack.rows("SELECT id FROM recordings_session"):
        keep("replay", otto.get(f"{stack.url}/sessions/{session_id}/", timeout=20))
        keep("export", otto.get(f"{stack.url}/sessions/{session_id}/export", timeout=20))
    return answers


def _run_everything(stack, ada, keep) -> None:
    """Have workers test and sample each connection, and look at the pages when they have."""
    for name in stack.planted:
        for run in ("test", "sampling"):
            csrf = {"csrfmiddlewaretoken": ada.cookies["csrftoken"]}
            url = f"{stack.url}/connections/{name}/{run}/"
            keep(f"{name}/{run}", ada.post(url, data=csrf, timeout=40))
    deeds.settled(stack)
    for name in stack.planted:
        for path in (f"/connections/{name}/", f"/policy/{name}/protections/"):
            keep(path, ada.get(stack.url + path, timeout=20))


def _break(stack) -> dict[str, bytes]:
    """Error pages of a real failure: a connection whose catalogue has gone from under it."""
    with psycopg.connect(stack.database, autocommit=True) as connection:
        connection.execute("DELETE FROM connections_catalogue")
        connection.execute("UPDATE connections_connection SET catalogue_version = 99")
    stack.kill("web")
    stack.start_web()
    ada = stack.sign_in("ada")
    page = ada.get(f"{stack.url}/connections/by-password/", timeout=20)
    api = requests.post(
        f"{stack.url}/api/v1/statements",
        json={"sql": READ, "connection": "by-password"},
        headers=stack.bearer,
        timeout=20,
    )
    assert 500 in {page.status_code, api.status_code}, (page.status_code, api.status_code)
    return {"error page": page.content, "error answer": api.content}


def _database(stack) -> dict[str, bytes]:
    found = {}
    with psycopg.connect(stack.database) as connection:
        tables = connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for (table,) in tables:
            with connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
                found[table] = b"".join(map(bytes, copy))
    return found


def _valkey(stack) -> bytes:
    client = redis.Redis.from_url(stack.env["REDIS_URL"])
    try:
        return b"\n".join(key + (client.dump(key) or b"") for key in client.scan_iter())
    finally:
        client.close()


def _files(stack) -> dict[str, bytes]:
    """Logs, recorded bodies, checkpoints, and the very files of Postgres with its log of writes."""
    found = {}
    for top in (Path(stack.directory), stack.postgres.place.base):
        for path in top.rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file():
                    found[str(path.relative_to(top))] = path.read_bytes()
    return found


def test_no_secret_is_anywhere(stack, canaries, tmp_path):
    with Watch(stack) as watch:
        places = {f"answer {k}": v for k, v in _everything(stack, canaries, tmp_path).items()}
        places |= {f"answer {k}": v for k, v in _break(stack).items()}
    places |= {f"table {k}": v for k, v in _database(stack).items()}
    places |= {f"file {k}": v for k, v in _files(stack).items()}
    places["valkey"] = _valkey(stack)
    places["valkey's commands"] = b"\n".join(watch.commands)
    places |= {f"process {pid}": told for pid, told in watch.processes.items()}
    # It was not quiet because nothing happened.
    assert any(b"gateway.tasks" in command for command in watch.commands)
    assert len(watch.processes) >= 3
    logs = b"".join(v for k, v in places.items() if k.startswith("file log/"))
    assert b'"level": "debug"' in logs
    states = stack.rows(
        "SELECT c.name, s.state FROM gateway_statement s "
        "JOIN connections_connection c ON c.id = s.connection_id"
    )
    ran = {name for name, state in states if state == "succeeded"}
    assert {n for n in stack.planted if n.startswith("by-")} <= ran
    assert {name for name, state in states if state == "failed"} >= {"bad-password", "bad-key"}
    found = {place: hits for place, text in places.items() if (hits := canaries.found_in(text))}
    assert not found
