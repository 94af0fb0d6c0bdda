"""What dies is named, started again after a pause, and given up when that is no use."""

import pytest

from hoopweb.local import keeper
from hoopweb.local.errors import LocalServerError


class Worker:
    """Something that runs until it is told to die."""

    def __init__(self):
        self.alive, self.starts = True, 0

    def start(self):
        self.alive, self.starts = True, self.starts + 1


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(keeper.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def watched(clock):
    said, worker = [], Worker()
    found = keeper.Keeper(said.append)
    found.keep(
        "worker",
        has_ended=lambda: not worker.alive,
        start=worker.start,
        last_words=lambda: "one\ntwo\nout of memory",
    )
    return found, worker, said


def test_it_is_named_with_its_last_words_and_started_again(watched, clock):
    found, worker, said = watched
    worker.alive = False
    found.look()
    assert worker.starts == 0
    assert "worker ended" in said[0]
    assert "out of memory" in said[1]
    clock[0] += 0.6
    found.look()
    assert worker.starts == 1
    found.look()
    assert worker.starts == 1


def test_the_pause_grows(watched, clock):
    found, worker, _ = watched
    pauses = []
    for _ in range(4):
        worker.alive = False
        found.look()
        pauses.append(found.kept[0].due - clock[0])
        clock[0] = found.kept[0].due
        found.look()
    assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_after_a_steady_minute_it_begins_anew(watched, clock):
    found, worker, _ = watched
    for _ in range(20):
        worker.alive = False
        found.look()
        clock[0] += 1
        found.look()
        clock[0] += 61
    assert worker.starts == 20


def test_what_will_not_stay_ends_the_demo_with_what_to_do(watched, clock):
    found, worker, _ = watched
    for _ in range(keeper._MOST_ENDS - 1):
        worker.alive = False
        found.look()
        clock[0] = found.kept[0].due
        found.look()
    worker.alive = False
    with pytest.raises(LocalServerError, match="demo-reset"):
        found.look()


def test_what_cannot_be_started_is_tried_again(watched, clock):
    found, worker, said = watched

    def fail():
        raise OSError("no room")

    found.kept[0].start = fail
    worker.alive = False
    found.look()
    clock[0] += 1
    found.look()
    assert any("no room" in line for line in said)
    found.kept[0].start = worker.start
    clock[0] += 5
    found.look()
    assert worker.starts == 1
