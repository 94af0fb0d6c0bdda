"""`make demo` as a person has it: up from nothing, one at a time, nothing left behind."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from hoopweb.local import keys

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.faults
PATIENCE = 240
_SET = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "HOOPWEB_", "DJANGO_", "LOG_LEVEL", "SITE_URL")


def environment(var, home):
    """As in a fresh shell, with a home that nobody may write to."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SET)}
    return kept | {"HOOPWEB_VAR": str(var), "HOME": str(home)}


class Demo:
    def __init__(self, var, *options):
        var.mkdir(exist_ok=True)
        home = var.parent / "no-home"
        self.out = var.parent / "out.txt"
        with self.out.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hoopweb.local", *options],
                cwd=ROOT,
                env=environment(var, home),
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.var = var

    def said(self):
        return self.out.read_text()

    def ready(self):
        until = time.monotonic() + PATIENCE
        while "  Stop  " not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.2)
        return self

    def left(self):
        """Processes that name this run's directory or were started for it."""
        found = []
        for pid in Path("/proc").glob("[0-9]*"):
            try:
                words = (pid / "environ").read_bytes() + (pid / "cmdline").read_bytes()
                state = (pid / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if str(self.var).encode() in words and state != "Z":
                found.append(int(pid.name))
        return found

    def gone(self, seconds=20):
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.left():
            time.sleep(0.2)
        return not self.left()


@pytest.fixture
def var(tmp_path):
    return tmp_path / "var"


def test_from_nothing_to_an_agent_that_waits_and_nothing_is_left(var):
    demo = Demo(var).ready()
    said = demo.said()
    [url] = re.findall(r"Open +(http://127\.0\.0\.1:\d+)/approvals/", said)
    assert "asks for approval and waits" in said
    people = keys.read(var / "demo.env")
    assert all(f"{name}" in said and people[name.upper()] in said for name in ("rita", "otto"))
    with urllib.request.urlopen(f"{url}/readyz") as answer:
        assert answer.status == 200

    second = subprocess.run(
        [sys.executable, "-m", "hoopweb.local", "--once"],
        cwd=ROOT,
        env=environment(var, "/nonexistent"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert f"running already at {url}" in second.stdout

    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(60) == 0
    assert demo.gone()

    # A second start keeps people and data; killed without a word, it leaves nothing running.
    again = Demo(var, "--no-agent").ready()
    assert people["RITA"] in again.said()
    worker = int((var / "run" / "worker.pid").read_text().split()[0])
    os.kill(worker, signal.SIGKILL)
    until = time.monotonic() + 60
    while "worker was started again" not in again.said():
        assert time.monotonic() < until, again.said()
        time.sleep(0.2)
    again.process.kill()
    again.process.wait()
    assert again.gone(40)

    done = subprocess.run(
        [sys.executable, "-m", "hoopweb.local", "--reset"],
        cwd=ROOT,
        env=environment(var, "/nonexistent"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert [path.name for path in var.iterdir()] == ["demo.lock"]
