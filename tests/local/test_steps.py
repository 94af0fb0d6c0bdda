"""Progress: one line a step on a log, a line that moves on a terminal."""

import io
import time

import pytest

from hoopweb.local import steps


class Terminal(io.StringIO):
    encoding = "utf-8"

    def __init__(self, *, tty):
        super().__init__()
        self.tty = tty

    def isatty(self):
        return self.tty


def test_a_log_gets_one_line_for_a_quick_step():
    out = Terminal(tty=False)
    with steps.Steps(out).step("keys") as step:
        step.detail = "made"
    [line] = out.getvalue().splitlines()
    assert line.startswith("✓ keys")
    assert line.endswith("s  made")


def test_a_log_hears_that_a_long_step_is_under_way(monkeypatch):
    monkeypatch.setattr(steps, "_PATIENCE", 0.01)
    out = Terminal(tty=False)
    with steps.Steps(out).step("packages", "dev.lock"):
        time.sleep(0.1)
    assert [line[0] for line in out.getvalue().splitlines()] == ["…", "✓"]


def test_a_step_that_fails_is_marked_and_raises():
    out = Terminal(tty=False)
    with pytest.raises(RuntimeError), steps.Steps(out).step("worker"):
        raise RuntimeError
    assert out.getvalue().startswith("✗ worker")


def test_a_poor_terminal_gets_plain_letters():
    out = Terminal(tty=False)
    out.encoding = "ascii"
    with steps.Steps(out).step("keys"):
        pass
    assert out.getvalue().startswith("ok keys")


def test_a_terminal_without_a_size_is_no_hindrance(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal(tty=True)
    progress = steps.Steps(out)
    with progress.step("worker"):
        time.sleep(0.25)
    progress.say("done")
    assert "✓" in out.getvalue()
