"""Embedded Postgres: starts, keeps its data, survives its owner's death, fits anywhere."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from hoopweb.local import processes
from hoopweb.local.errors import LocalServerError
from hoopweb.local.postgres import EmbeddedPostgres

_OWNER = """
import sys, time
from pathlib import Path
from hoopweb.local.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
print(server.start(), server.pid, flush=True)
time.sleep(60)
"""


def _owner(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(directory)], stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def directory():
    # Not tmp_path: nobody but root may pass through that, which is a case of its own below.
    made = Path(tempfile.mkdtemp(prefix="hoopweb-test-"))
    yield made
    EmbeddedPostgres(made).remove()


def test_starts_and_keeps_its_data_over_a_restart(directory):
    first = EmbeddedPostgres(directory, durable=False)
    with psycopg.connect(first.start()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    first.stop()
    second = EmbeddedPostgres(directory, durable=False)
    try:
        with psycopg.connect(second.start()) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        pid = second.pid
    finally:
        second.stop()
    assert pid
    assert not processes.is_alive(pid)


def test_listens_on_no_port_and_lets_no_other_account_in(directory):
    server = EmbeddedPostgres(directory, durable=False)
    try:
        with psycopg.connect(server.start()) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert server.sockets.stat().st_mode & 0o077 == 0
        assert server.place.data.stat().st_mode & 0o077 == 0
    finally:
        server.stop()


def test_shares_a_server_whose_owner_lives(directory):
    with _owner(directory) as owner:
        assert owner.stdout
        url, pid = owner.stdout.readline().rsplit(" ", 1)
        guest = EmbeddedPostgres(directory, durable=False)
        assert guest.start() == url
        guest.stop()
        assert processes.is_alive(int(pid))
        owner.terminate()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's leash is Linux's")
def test_ends_with_a_killed_owner(directory):
    with _owner(directory) as owner:
        assert owner.stdout
        pid = int(owner.stdout.readline().rsplit(" ", 1)[1])
        owner.kill()
    deadline = time.monotonic() + 10
    while processes.is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not processes.is_alive(pid)


def test_replaces_a_server_that_a_killed_owner_left(directory):
    left = EmbeddedPostgres(directory, durable=False)
    left.start()
    (directory / "owner.pid").write_text("999999999\nsomeone gone")
    server = EmbeddedPostgres(directory, durable=False)
    try:
        with psycopg.connect(server.start()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert server.pid
        assert server.pid != left.pid
    finally:
        server.stop()
        left.stop()


def test_a_stale_pid_file_that_names_another_program_is_no_obstacle(directory):
    server = EmbeddedPostgres(directory, durable=False)
    server.start()
    server.stop()
    (server.place.data / "postmaster.pid").write_text(f"{os.getpid()}\n")
    try:
        server.start()
    finally:
        server.stop()


def test_a_path_too_long_for_a_socket_gets_a_short_one(directory):
    server = EmbeddedPostgres(directory / ("long" * 25), durable=False)
    try:
        with psycopg.connect(server.start()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.remove()


@pytest.mark.skipif(os.getuid() != 0, reason="only root has to step down")
def test_as_root_in_a_closed_directory_it_finds_another_and_remembers_it(tmp_path, caplog):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "postgres", durable=False)
    try:
        url = server.start()
        assert str(server.place.base) in caplog.text
        assert not str(server.place.base).startswith(str(closed))
        again = EmbeddedPostgres(closed / "postgres", durable=False)
        assert again.start() == url
    finally:
        server.remove()
    assert not server.place.base.exists()


def test_remove_ends_what_a_killed_owner_left_and_spares_what_is_in_use(directory):
    left = EmbeddedPostgres(directory, durable=False)
    left.start()
    with pytest.raises(LocalServerError, match="in use"):
        EmbeddedPostgres(directory).remove()
    (directory / "owner.pid").write_text("999999999\nsomeone gone")
    EmbeddedPostgres(directory).remove()
    assert not directory.exists()
    left.stop()


def test_leftovers_of_a_day_ago_are_swept(monkeypatch):
    old = EmbeddedPostgres(Path(tempfile.mkdtemp(prefix="hoopweb-test-")), durable=False)
    old.start()
    (old.directory / "owner.pid").write_text("999999999\nsomeone gone")
    os.utime(old.directory, (0, 0))
    EmbeddedPostgres._sweep()
    assert not old.directory.exists()
    old.stop()


def test_a_temporary_server_leaves_nothing():
    with EmbeddedPostgres.temporary() as server:
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        pid = server.pid
    assert not server.directory.exists()
    assert pid
    assert not processes.is_alive(pid)
