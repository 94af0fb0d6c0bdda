"""Children end with their owner, leftovers are ended, strangers are left alone."""

import os
import signal
import subprocess
import sys
import time

import pytest

from hoopweb.local import ports, processes
from hoopweb.local.errors import LocalServerError
from hoopweb.local.processes import Program, Supervisor
from hoopweb.local.sockets import socket_dir

_SLEEP = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)")
_DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('up', flush=True)
time.sleep(60)
"""
_STUBBORN = (sys.executable, "-c", _DEAF)
_PARENT = """
import sys
from pathlib import Path
from hoopweb.local.processes import Program, Supervisor
child = Supervisor(Path(sys.argv[1])).start(Program("child", (sys.executable, "-c",
    "import time; time.sleep(60)")))
print(child.pid, flush=True)
import time; time.sleep(60)
"""


def _wait(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@pytest.fixture
def supervisor(tmp_path):
    made = Supervisor(tmp_path)
    yield made
    made.stop_all()


def _up(supervisor, name="it"):
    return lambda: "up" in processes.tail(supervisor.log_of(name))


def test_starts_waits_logs_and_stops(supervisor):
    child = supervisor.start(Program("it", _SLEEP, ready=_up(supervisor)))
    assert processes.is_alive(child.pid)
    assert supervisor.ended() == []
    supervisor.stop_all()
    assert not processes.is_alive(child.pid)
    assert not (supervisor.state / "run" / "it.pid").exists()


def test_the_stubborn_are_killed_with_their_descendants(supervisor):
    child = supervisor.start(Program("it", _STUBBORN, ready=_up(supervisor), patience=0.3))
    supervisor.stop("it")
    assert child.returncode == -signal.SIGKILL


def test_one_that_ends_while_starting_shows_its_log(supervisor):
    command = (sys.executable, "-c", "raise SystemExit('no such file here')")
    with pytest.raises(LocalServerError, match="no such file here"):
        supervisor.start(Program("it", command, ready=lambda: False))
    assert supervisor.programs == {}


def test_one_that_is_never_ready_is_stopped(supervisor):
    with pytest.raises(LocalServerError, match="not ready after"):
        supervisor.start(Program("it", _SLEEP, ready=lambda: False, seconds=0.3))
    assert supervisor.programs == {}


def test_one_that_ended_by_itself_is_noticed(supervisor):
    supervisor.start(Program("it", (sys.executable, "-c", "")))
    assert _wait(lambda: supervisor.ended() == ["it"])


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's leash is Linux's")
def test_children_end_with_a_killed_parent(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()
    assert _wait(lambda: not processes.is_alive(child))


def test_what_an_earlier_run_left_is_ended(tmp_path):
    first, second = Supervisor(tmp_path), Supervisor(tmp_path)
    left = first.start(Program("it", _SLEEP, ready=_up(first)))
    try:
        again = second.start(Program("it", _SLEEP))
        assert left.wait(10) == -signal.SIGTERM
        assert processes.is_alive(again.pid)
    finally:
        second.stop_all()
        first.stop_all()


def test_a_pid_that_now_belongs_to_someone_else_is_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "it.pid").write_text(f"{os.getpid()}\nanother program\n")
    supervisor = Supervisor(tmp_path)
    supervisor.start(Program("it", _SLEEP, ready=_up(supervisor)))
    supervisor.stop_all()


@pytest.mark.parametrize("pid", [-1, 0])
def test_a_number_that_means_many_processes_is_no_process(pid):
    assert not processes.is_alive(pid)
    with pytest.raises(ValueError, match="no single process"):
        processes.end_stranger(pid)


def test_a_taken_port_is_passed_over():
    first = ports.free_port(18431)
    assert ports.is_free(first)
    import socket

    with socket.create_server(("127.0.0.1", first)):
        assert not ports.is_free(first)
        assert ports.answers(first)
        assert ports.free_port(first) > first
    assert not ports.answers(first)


def test_a_socket_directory_of_someone_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    long = tmp_path / ("x" * 100)
    short = socket_dir(long, "it.sock")
    assert short != long
    assert socket_dir(long, "it.sock") == short
    short.rmdir()
    short.symlink_to(tmp_path)
    with pytest.raises(LocalServerError, match="belongs to someone else"):
        socket_dir(long, "it.sock")
    short.unlink()
