"""What people, agents and drivers do with secrets in hand, so that these have every way to stay.

Each deed adds to the canaries what it was given on the way: tokens that a program shows once, what
a driver's session is opened with, what opens a storage.
"""

import time
from pathlib import Path
from typing import Any

import requests
import snowflake.connector

from connections.upstream.emulator.stages import SECRET_MARK
from connections.views.registration import STEPS

READ = "SELECT CITY FROM SHOP.CRM.CONTACTS"
_RUNS = ("connections_connectiontest", "connections_sampling", "connections_cataloguesync")


def settled(stack: Any) -> None:
    """Workers have ended what they were asked for from pages."""
    query = "SELECT count(*) FROM {} WHERE state IN ('queued', 'running')"
    until = time.monotonic() + 90
    while any(stack.rows(query.format(table))[0][0] for table in _RUNS):
        assert time.monotonic() < until, "tests, samplings and readings do not end"
        time.sleep(0.5)


def issue_by_rest(stack: Any, canaries: Any, keep: Any) -> str:
    """An owner's program issues a token, rotates it, revokes it; the newest is returned."""
    olga = stack.sign_in("olga")
    url = f"{stack.url}/api/v1/agents/{stack.seeded['agent']}/tokens"

    def send(path: str, **body: Any) -> requests.Response:
        csrf = {"X-CSRFToken": olga.cookies["csrftoken"], "Referer": stack.url}
        return olga.post(f"{url}{path}", json=body, headers=csrf, timeout=20)

    texts, place = [], ""
    for path, body in (("", {"label": "program"}), ("/{}/rotate", {"overlap_hours": 1})):
        answer = send(path.format(place), **body)
        assert answer.status_code == 201, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        place = answer.json()["token"]["id"]
        texts.append(answer.json()["text"])
        canaries.add("issued token", texts[-1].encode())
        canaries.add("issued token's secret", texts[-1].rsplit("_", 1)[1].encode())
        keep("tokens", olga.get(url, timeout=20))
        keep("refused issue", send("", label="program", days=99_999, scopes=[texts[-1]]))
    for path in ("/agents/", f"/agents/{stack.seeded['agent']}/", "/profile/"):
        keep(path, olga.get(stack.url + path, timeout=20))
    # Somebody writes it where it does not belong.
    for place_of in (f"?token={texts[-1]}", f"/{texts[-1]}"):
        keep("misplaced token", requests.get(f"{stack.url}/api/v1/sessions{place_of}", timeout=20))
    return texts[-1]


def work_by_driver(stack: Any, canaries: Any, token: str, directory: Path) -> None:
    """A driver logs in with ``token``, reads, renews its session, carries a file up and down."""
    canaries.add("storage's secret", SECRET_MARK.encode())
    up, down = directory / "up.csv", directory / "down"
    up.write_text("1,driver\n")
    down.mkdir()
    connecting: Any = snowflake.connector.connect(
        account="by-password",
        user="cleaner",
        host="127.0.0.1",
        port=stack.port,
        protocol="http",
        authenticator="programmatic_access_token",
        token=token,
        login_timeout=20,
    )
    with connecting as connection:
        cursor = connection.cursor()
        for step in ("before", "after"):
            canaries.add(f"session token {step}", connection.rest.token.encode())
            canaries.add(f"master token {step}", connection.rest.master_token.encode())
            assert len(cursor.execute(READ).fetchall()) >= 1
            if step == "before":
                first = connection.rest.token
                connection.rest._renew_session()
                assert connection.rest.token != first
        assert "UPLOADED" in cursor.execute(f"PUT file://{up} @SHOP.CRM.FILES/in/").fetchone()
        got = cursor.execute(f"GET @SHOP.CRM.FILES/in/ file://{down}/").fetchone()
        assert "DOWNLOADED" in got


def register(stack: Any, canaries: Any, keep: Any, password: str, port: int) -> None:
    """An admin goes through a registration and lets values be sampled; nothing is confirmed."""
    canaries.add("a sampled value", b"canary-alice@pii.example")
    canaries.add("another sampled value", b"canary-bob@pii.example")
    ada = stack.sign_in("ada")

    def send(path: str, **form: Any) -> None:
        csrf = {"csrfmiddlewaretoken": ada.cookies["csrftoken"]}
        answer = ada.post(f"{stack.url}/connections/{path}", data=form | csrf, timeout=40)
        assert answer.status_code == 200, (path, answer.status_code)
        keep(f"registering {path}", answer)
        settled(stack)

    place = {"host": "127.0.0.1", "port": port, "protocol": "http", "account": "LOCAL"}
    limits = {"max_rows": 100, "timeout_seconds": 30}
    send("new/", name="draft", role="GATEWAY", database="SHOP", **place, **limits)
    login = {"method": "password", "login_name": "HOOPWEB", "source": "sealed"}
    send("draft/setup/method/", secret=password, **login)
    for run in ("test", "sync", "sampling"):
        send(f"draft/{run}/")
    for step in STEPS:
        keep(f"step {step}", ada.get(f"{stack.url}/connections/draft/setup/{step}/", timeout=20))
    ((state, findings),) = stack.rows(
        "SELECT s.state, s.findings::text FROM connections_sampling s "
        "JOIN connections_connection c ON c.id = s.connection_id WHERE c.name = 'draft'"
    )
    assert state == "done", state
    assert "EMAIL" in findings
