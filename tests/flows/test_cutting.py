"""Access that ends is cut while people look: measured over real processes, in seconds."""

import os
import threading
import time
import uuid

import pytest
import requests
import snowflake.connector
from snowflake.connector.errors import Error
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.stack import Stack

pytestmark = [pytest.mark.faults]
LIMIT = 2.0
WRITE = "INSERT INTO SHOP.RETAIL.ORDERS SELECT 900, 'cut', 1.0"


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("cutting")) as running:
        yield running


def limit():
    """What is promised, stretched by how many others each processor works for meanwhile."""
    return LIMIT * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


class Watch:
    """Things that somebody has open, and after how many seconds each of them ended."""

    def __init__(self, stack):
        self.stack = stack
        self.ended: dict[str, tuple[float, object]] = {}
        self._threads: list[threading.Thread] = []
        self.started = 0.0

    def until(self, name, wait):
        """Run ``wait`` in a thread: it returns when the thing has ended, with how."""

        def watch():
            how = wait()
            self.ended[name] = (time.monotonic(), how)

        thread = threading.Thread(target=watch, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def cut(self, act) -> dict[str, float]:
        time.sleep(0.5)
        assert not self.ended, self.ended
        self.started = time.monotonic()
        act()
        for thread in self._threads:
            thread.join(20)
        figures = {name: at - self.started for name, (at, _) in self.ended.items()}
        for name, seconds in sorted(figures.items()):
            print(f"{name:45} {seconds:6.3f} s")  # noqa: T201
        assert len(figures) == len(self._threads), "something never ended"
        assert max(figures.values()) < limit(), figures
        return figures

    def how(self, name):
        return self.ended[name][1]


def poll(ask, wanted):
    while (found := ask()) not in wanted:
        time.sleep(0.02)
    return found


def socket_of(stack, session):
    cookies = "; ".join(f"{c.name}={c.value}" for c in session.cookies)
    url = stack.url.replace("http", "ws") + "/ws/inbox/"
    headers = {"Cookie": cookies}
    socket = connect(url, additional_headers=headers, origin=stack.url, legacy=True)
    assert "approvals.count" in socket.recv(timeout=5)
    return socket


def close_code(socket):
    try:
        while True:
            socket.recv()
    except ConnectionClosed as error:
        return error.rcvd.code if error.rcvd else None


def page_of(stack, session):
    return lambda: session.get(f"{stack.url}/", allow_redirects=False, timeout=10).status_code


def agent_call(stack, bearer):
    url = f"{stack.url}/api/v1/connections"
    return lambda: requests.get(url, headers=bearer, timeout=10).status_code


def waiting_call(stack, bearer, statement_id):
    url = f"{stack.url}/api/v1/statements/{statement_id}?wait=30"
    return lambda: requests.get(url, headers=bearer, timeout=40).status_code


def state_of(stack, statement_id):
    query = "SELECT state FROM gateway_statement WHERE id = %s"
    return lambda: stack.rows(query, statement_id)[0][0]


def session_state(stack, statement_id):
    query = (
        "SELECT s.seal <> '' FROM recordings_session s JOIN gateway_statement t "
        "ON t.session_id = s.id WHERE t.id = %s"
    )
    return lambda: stack.rows(query, statement_id)[0][0]


def upstream_state(stack, mark):
    return lambda: [e["status"] for e in stack.warehouse.sent(mark)][-1]


def switch(stack, admin, path, to="off"):
    answer = admin.post(
        f"{stack.url}{path}",
        data={"to": to, "csrfmiddlewaretoken": admin.cookies["csrftoken"]},
        allow_redirects=False,
        timeout=20,
    )
    assert answer.status_code == 302, answer.text[:500]


def id_of(stack, table, column, value):
    return stack.rows(f"SELECT id FROM {table} WHERE {column} = %s", value)[0][0]


def running_and_held(stack, name):
    """One statement at work in the warehouse, one that waits for a reviewer."""
    # It waits at the warehouse for longer than anybody waits here: only an abort ends it.
    stack.warehouse.fault(match=name, delay_before=120.0)
    running = stack.submit(f"SELECT CITY FROM SHOP.RETAIL.ORDERS WHERE CITY <> '{name}'")["id"]
    poll(state_of(stack, running), {"running"})
    until = time.monotonic() + 20
    while not stack.warehouse.sent(name) and time.monotonic() < until:
        time.sleep(0.05)
    held = stack.submit(WRITE)
    assert held["state"] == "awaiting_approval"
    return running, held["id"]


def watch_agent(watch, stack, name):
    running, held = running_and_held(stack, name)
    bearer = stack.bearer
    watch.until("token answers 401", lambda: poll(agent_call(stack, bearer), {401}))
    watch.until("waiting call on a held statement", waiting_call(stack, bearer, held))
    watch.until("waiting call on a running statement", waiting_call(stack, bearer, running))
    watch.until("held statement", lambda: poll(state_of(stack, held), {"withdrawn"}))
    watch.until("running statement", lambda: poll(state_of(stack, running), {"cancelled"}))
    watch.until("at the warehouse", lambda: poll(upstream_state(stack, name), {"ABORTED"}))
    watch.until("session sealed", lambda: poll(session_state(stack, running), {True}))


def test_a_disabled_person_is_cut_with_all_that_their_agents_do(stack):
    admin = stack.sign_in("ada")
    owner = stack.sign_in("olga")
    watch = Watch(stack)
    socket = socket_of(stack, owner)
    watch.until("socket closed", lambda: close_code(socket))
    watch.until("page answers 302", lambda: poll(page_of(stack, owner), {302}))
    watch_agent(watch, stack, "person-off")
    person = id_of(stack, "accounts_user", "username", "olga")
    watch.cut(lambda: switch(stack, admin, f"/settings/people/{person}/switch/"))
    assert watch.how("socket closed") == 4401
    assert watch.how("waiting call on a held statement") == 401
    assert watch.how("waiting call on a running statement") == 401
    switch(stack, admin, f"/settings/people/{person}/switch/", to="on")
    stack.verify()


def test_a_leaver_by_scim_is_cut_as_fast(stack):
    scim = {"Authorization": f"Bearer {stack.seeded['scim']}"}
    url = f"{stack.url}/scim/v2/Users"
    found = requests.get(url, headers=scim, params={"filter": 'userName eq "lea"'}, timeout=20)
    (leaver,) = found.json()["Resources"]
    leaving = stack.sign_in("lea")
    watch = Watch(stack)
    socket = socket_of(stack, leaving)
    watch.until("socket closed", lambda: close_code(socket))
    watch.until("page answers 302", lambda: poll(page_of(stack, leaving), {302}))
    bearer = {"Authorization": f"Bearer {stack.seeded['leavers_token']}"}
    watch.until("token answers 401", lambda: poll(agent_call(stack, bearer), {401}))
    held = requests.post(
        f"{stack.url}/api/v1/statements",
        json={"sql": WRITE, "connection": "shop"},
        headers=bearer,
        timeout=20,
    ).json()["id"]
    watch.until("waiting call on a held statement", waiting_call(stack, bearer, held))
    watch.until("held statement", lambda: poll(state_of(stack, held), {"withdrawn"}))

    def leave():
        body = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "value": {"active": False}}],
        }
        answer = requests.patch(f"{url}/{leaver['id']}", json=body, headers=scim, timeout=20)
        assert answer.status_code == 200, answer.text

    watch.cut(leave)
    assert watch.how("socket closed") == 4401
    assert watch.how("waiting call on a held statement") == 401


def test_a_disabled_agent_is_cut(stack):
    admin = stack.sign_in("ada")
    watch = Watch(stack)
    watch_agent(watch, stack, "agent-off")
    path = f"/agents/{stack.seeded['agent']}/switch/"
    watch.cut(lambda: switch(stack, admin, path))
    assert watch.how("waiting call on a running statement") == 401
    switch(stack, admin, path, to="on")
    stack.verify()


def test_access_that_is_taken_away_ends_what_runs_through_it(stack):
    admin = stack.sign_in("ada")
    watch = Watch(stack)
    running, held = running_and_held(stack, "access-off")
    watch.until("waiting call", waiting_call(stack, stack.bearer, running))
    watch.until("held statement", lambda: poll(state_of(stack, held), {"withdrawn"}))
    watch.until("running statement", lambda: poll(state_of(stack, running), {"cancelled"}))
    watch.until("session sealed", lambda: poll(session_state(stack, running), {True}))
    watch.cut(lambda: switch(stack, admin, remove_access(stack, "shop", "agent")))
    assert watch.how("waiting call") == 200, "its token still opens the rest"
    stack.verify()


def remove_access(stack, connection, holder, holder_id=None):
    """Where an admin takes the access of an agent or a team to a connection away."""
    row = stack.rows(
        "SELECT a.id FROM connections_access a JOIN connections_connection c "
        f"ON c.id = a.connection_id WHERE c.name = %s AND a.{holder}_id = %s",
        connection,
        holder_id or stack.seeded["agent"],
    )
    return f"/connections/{connection}/access/{row[0][0]}/remove/"


# Drivers


def driver(stack, account):
    """Snowflake's own connector, logged in as an agent that no other test here takes apart."""
    return snowflake.connector.connect(
        account=account,
        user="other",
        host="127.0.0.1",
        port=stack.port,
        protocol="http",
        authenticator="programmatic_access_token",
        token=stack.seeded["other_token"],
        login_timeout=20,
    )


def until_refused(connection):
    """How an open session's statements end."""
    cursor = connection.cursor()
    while True:
        try:
            cursor.execute("SELECT 1")
        except Error as error:
            return error.errno
        time.sleep(0.02)


def refusal_of(connection, sql):
    """How a statement that waits for a reviewer ends."""
    try:
        connection.cursor().execute(sql)
    except Error as error:
        return error.errno, error.msg
    return None


def wire_session_of(stack, connection):
    query = (
        "SELECT w.ended_at IS NOT NULL AND s.seal <> '' FROM gateway_wiresession w "
        "JOIN recordings_session s ON s.id = w.recording_id WHERE w.number = %s"
    )
    return lambda: stack.rows(query, connection.session_id)[0][0]


def held_in(stack, connection):
    query = (
        "SELECT t.id FROM gateway_statement t JOIN gateway_wiresession w "
        "ON w.id = t.wire_session_id WHERE w.number = %s AND t.state = 'awaiting_approval'"
    )
    until = time.monotonic() + 30
    while not (found := stack.rows(query, connection.session_id)):
        assert time.monotonic() < until, "nothing is held"
        time.sleep(0.05)
    return found[0][0]


def other_agent(stack):
    return id_of(stack, "accounts_agent", "name", "other")


def by_disabling(stack, admin):
    return "shop", lambda: switch(stack, admin, f"/agents/{other_agent(stack)}/switch/")


def by_its_own_access(stack, admin):
    path = remove_access(stack, "shop", "agent", other_agent(stack))
    return "shop", lambda: switch(stack, admin, path)


def by_its_team(stack, admin):
    """The agent leaves the team through which alone it may use the connection."""
    agent = other_agent(stack)
    form = {"name": "other", "description": "", "owner": owner_of(stack, agent)}

    def leave():
        answer = admin.post(
            f"{stack.url}/agents/{agent}/edit/",
            data={**form, "csrfmiddlewaretoken": admin.cookies["csrftoken"]},
            allow_redirects=False,
            timeout=20,
        )
        assert answer.status_code == 302, answer.text[:500]

    join_team(stack, agent, "finance")
    return "vault", leave


def by_the_teams_access(stack, admin):
    join_team(stack, other_agent(stack), "legal")
    team = id_of(stack, "accounts_team", "slug", "legal")
    path = remove_access(stack, "vault", "team", team)
    return "vault", lambda: switch(stack, admin, path)


def owner_of(stack, agent):
    return stack.rows("SELECT owner_id FROM accounts_agent WHERE id = %s", agent)[0][0]


def join_team(stack, agent, slug):
    """A team that may use the vault, with the agent in it."""
    team = uuid.uuid4()
    stack.write(
        "INSERT INTO accounts_team (id, name, slug, created_at) VALUES (%s, %s, %s, now())",
        *(team, slug.title(), slug),
    )
    stack.write("INSERT INTO accounts_agent_teams (agent_id, team_id) VALUES (%s, %s)", agent, team)
    stack.write(
        "INSERT INTO connections_access (id, connection_id, team_id, valid_from) "
        "SELECT %s, id, %s, now() FROM connections_connection WHERE name = 'vault'",
        *(uuid.uuid4(), team),
    )


@pytest.mark.parametrize("way", [by_its_team, by_the_teams_access, by_disabling, by_its_own_access])
def test_a_driver_is_cut_while_it_works_and_while_it_waits(stack, way):
    """The last way leaves the agent without access to the shop: it stands last."""
    admin = stack.sign_in("ada")
    account, act = way(stack, admin)
    with driver(stack, account) as working, driver(stack, account) as waiting:
        watch = Watch(stack)
        watch.until("statements of an open session", lambda: until_refused(working))
        watch.until("statement that waits", lambda: refusal_of(waiting, WRITE))
        held = held_in(stack, waiting)
        for name, connection in (("open", working), ("waiting", waiting)):
            ended = wire_session_of(stack, connection)
            watch.until(f"{name} session sealed", lambda ended=ended: poll(ended, {True}))
        watch.until("held statement", lambda: poll(state_of(stack, held), {"withdrawn"}))
        watch.cut(act)
        assert watch.how("statements of an open session") in {390111, 390201}
        number, text = watch.how("statement that waits")
        assert number in {3001, 390111}
        assert "withdrawn" in text or "has ended" in text
    if way is by_disabling:
        switch(stack, admin, f"/agents/{other_agent(stack)}/switch/", to="on")
    stack.verify()


def test_a_person_who_signs_out_elsewhere_loses_that_browser_only(stack):
    one, two = stack.sign_in("rita"), stack.sign_in("rita")
    watch = Watch(stack)
    first, second = socket_of(stack, one), socket_of(stack, two)
    watch.until("socket closed", lambda: close_code(first))
    watch.until("page answers 302", lambda: poll(page_of(stack, one), {302}))
    other = stack.rows(
        "SELECT id FROM accounts_signin WHERE session_key = %s", one.cookies["sessionid"]
    )[0][0]
    watch.cut(lambda: switch(stack, two, f"/profile/browsers/{other}/end/"))
    assert page_of(stack, two)() == 200
    second.close()
