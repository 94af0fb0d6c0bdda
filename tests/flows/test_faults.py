"""Processes are killed while statements are in every state: nothing is lost, nothing runs twice."""

import time
from collections import Counter

import pytest

from tests.stack import Stack

pytestmark = [pytest.mark.faults]
FINAL = {"denied", "rejected", "expired", "withdrawn", "succeeded", "failed", "cancelled"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("faults")) as running:
        yield running


def write(mark: str) -> str:
    return f"INSERT INTO SHOP.RETAIL.ORDERS SELECT 900, '{mark}', 1.0"


def pending(stack):
    return stack.rows(
        "SELECT id, digest FROM approvals_approvalrequest WHERE state = 'pending' ORDER BY 1"
    )


def approve_all(stack):
    """Vote on everything that waits, however often the server has to be asked."""
    until = time.monotonic() + 60
    session = None
    while rows := pending(stack):
        assert time.monotonic() < until
        try:
            session = session or stack.sign_in("rita")
            for request_id, digest in rows:
                stack.approve(session, str(request_id), digest)
        except (AssertionError, OSError):
            session = None
            time.sleep(0.5)


def wait_until_final(stack, keys, seconds=90):
    until = time.monotonic() + seconds
    while True:
        try:
            states = dict(stack.rows("SELECT request_id, state FROM gateway_statement"))
        except Exception:  # noqa: BLE001 - the store may be on its way back
            states = {}
        mine = {k: states.get(k) for k in keys}
        if all(s in FINAL for s in mine.values()):
            return mine
        assert time.monotonic() < until, Counter(mine.values())
        time.sleep(0.3)


def everywhere(stack, mark: str) -> list[str]:
    """Statements in every state before the blow: finished, denied, waiting, queued, running."""
    keys = [f"{mark}-{name}" for name in ("done", "denied", "held1", "held2", "slow", "slowheld")]
    stack.submit("SELECT CITY FROM SHOP.RETAIL.ORDERS", key=keys[0], wait=20)
    stack.submit("COPY INTO @SHOP.CRM.OUT FROM SHOP.CRM.CONTACTS", key=keys[1])
    stack.submit(write(keys[2]), key=keys[2])
    stack.submit(write(keys[3]), key=keys[3])
    stack.warehouse.fault(match=f"{mark}-slow", times=2, delay_before=3.0)
    slow = f"SELECT '{keys[4]}' AS M FROM SHOP.RETAIL.ORDERS"
    stack.submit(slow, key=keys[4])
    stack.submit(write(keys[5]), key=keys[5])
    session = stack.sign_in("rita")
    (row,) = stack.rows(
        "SELECT a.id, a.digest FROM approvals_approvalrequest a JOIN gateway_statement s "
        "ON s.approval_id = a.id WHERE s.request_id = %s",
        keys[5],
    )
    stack.approve(session, str(row[0]), row[1])
    time.sleep(1.0)
    return keys


def check(stack, keys):
    """All final; each write in the warehouse exactly as often as its state says."""
    approve_all(stack)
    states = wait_until_final(stack, keys)
    assert states[keys[0]] == "succeeded"
    assert states[keys[1]] == "denied"
    for key in (keys[2], keys[3], keys[5]):
        (count,) = stack.warehouse.run(
            f"SELECT COUNT(*) AS N FROM SHOP.RETAIL.ORDERS WHERE CITY = '{key}'"
        )
        assert len([s for s in stack.warehouse.sent(key) if s["sql"].startswith("INSERT")]) <= 1
        assert count["N"] == (1 if states[key] == "succeeded" else 0), (key, states[key])
        assert states[key] == "succeeded", (key, states)
    assert states[keys[4]] == "succeeded", states
    stack.warehouse.heal()
    stack.verify()


def test_a_killed_worker(stack):
    keys = everywhere(stack, "kw")
    stack.kill("worker")
    more = stack.submit(write("kw-late"), key="kw-late")
    assert more["state"] == "awaiting_approval"
    stack.start_worker()
    check(stack, keys)
    assert wait_until_final(stack, ["kw-late"]) == {"kw-late": "succeeded"}


def test_a_killed_web_server(stack):
    keys = everywhere(stack, "kd")
    stack.kill("web")
    time.sleep(1)
    stack.start_web()
    again = stack.submit(write(keys[2]), key=keys[2])
    assert again["state"] in {"awaiting_approval", "queued", "running", "succeeded"}
    check(stack, keys)


def test_a_killed_valkey(stack):
    keys = everywhere(stack, "kv")
    stack.kill_valkey()
    started = time.monotonic()
    late = stack.submit(write("kv-late"), key="kv-late")
    assert late["state"] == "awaiting_approval", "Postgres is the truth: it is taken without Valkey"
    assert time.monotonic() - started < 10
    approve_all(stack)
    stack.valkey.start()
    check(stack, keys)
    assert wait_until_final(stack, ["kv-late"]) == {"kv-late": "succeeded"}


def test_postgres_restarted_in_the_middle(stack):
    keys = everywhere(stack, "kp")
    stack.postgres.stop()
    started = time.monotonic()
    assert stack._status("/readyz") == 503
    assert time.monotonic() - started < 4
    stack.restart_postgres()
    late = stack.submit(write("kp-late"), key="kp-late")
    assert late["state"] == "awaiting_approval"
    check(stack, keys)
    assert wait_until_final(stack, ["kp-late"]) == {"kp-late": "succeeded"}


def test_without_the_store_a_statement_is_refused_quickly(stack):
    import requests

    stack.postgres.stop()
    try:
        started = time.monotonic()
        answer = requests.post(
            f"{stack.url}/api/v1/statements",
            json={"connection": "shop", "sql": "SELECT 1"},
            headers=stack.bearer,
            timeout=10,
        )
        took = time.monotonic() - started
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] == "store-unavailable"
        assert took < 2
    finally:
        stack.restart_postgres()
    stack.submit("SELECT CITY FROM SHOP.RETAIL.ORDERS", wait=20)
