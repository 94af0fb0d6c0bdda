"""The chain alone: what is hashed, and that no single tampering goes unseen or unnamed."""

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recordings import chain
from recordings.findings import Fault
from recordings.inspection import Recorded, inspect

SESSION = uuid.UUID(int=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1.0, 1),
        (1.5, "1.5"),
        (Decimal("0.10"), "0.10"),
        (True, True),
        (None, None),
        (Colour.RED, "red"),
        ("a\x00b", "a␀b"),
        ("\ud800", "?"),
        ((1, 2), [1, 2]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({1: "x"}, {"1": "x"}),
        (uuid.UUID(int=1), str(uuid.UUID(int=1))),
        (datetime(2026, 1, 1, 1, tzinfo=UTC), "2026-01-01T01:00:00.000000Z"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_every_value_has_one_plain_form(value, kept):
    assert chain.plain(value) == kept


def test_bytes_are_refused_rather_than_guessed():
    with pytest.raises(TypeError, match="payload"):
        chain.plain({"x": b"1"})


def test_canonical_form_is_the_documented_one():
    assert chain.canonical({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'.encode()


def test_moments_are_said_in_utc_with_microseconds():
    moment = datetime.fromisoformat("2026-01-01T01:00:00+01:00")
    assert chain.instant(moment) == "2026-01-01T00:00:00.000000Z"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(values)
def test_plain_values_survive_json_and_stay_plain(value):
    kept = chain.plain(value)
    assert json.loads(chain.canonical(kept)) == kept
    assert chain.plain(kept) == kept


def chain_of(data: list[dict[str, object]]) -> list[Recorded]:
    events: list[Recorded] = []
    previous = ""
    for number, item in enumerate(data, 1):
        bare = Recorded(
            number=number,
            kind="message",
            at=START + timedelta(seconds=number),
            actor={"name": "a"},
            statement_id=None,
            data=chain.plain(item),
            payloads=[],
            previous=previous,
            hash="",
        )
        events.append(replace(bare, hash=bare.true_hash(SESSION)))
        previous = events[-1].hash
    return events


def look(events: list[Recorded], whole: list[Recorded]):
    return inspect(SESSION, events, count=len(whole), head=whole[-1].hash)


chains = st.lists(
    st.dictionaries(st.text(max_size=4), values, max_size=2), min_size=2, max_size=7
).map(chain_of)


@given(chains)
def test_a_whole_chain_has_no_findings(events):
    assert look(events, events) == []


FIELDS = {
    "kind": "vote",
    "at": START,
    "actor": {"name": "b"},
    "statement_id": uuid.UUID(int=5),
    "data": {"other": "value"},
    "payloads": [{"name": "result"}],
    "previous": "f" * 64,
    "hash": "e" * 64,
}


@given(chains, st.data(), st.sampled_from(sorted(FIELDS)))
def test_a_changed_field_is_found_and_its_event_named(events, data, field):
    at = data.draw(st.integers(0, len(events) - 1))
    changed = list(events)
    changed[at] = replace(events[at], **{field: FIELDS[field]})
    found = look(changed, events)
    assert at + 1 in {finding.event for finding in found}
    assert Fault.CHANGED in {finding.fault for finding in found}


@given(chains, st.data(), st.sampled_from(sorted(set(FIELDS) - {"hash"})))
def test_a_change_whose_hash_was_recomputed_breaks_the_link(events, data, field):
    at = data.draw(st.integers(0, len(events) - 1))
    changed = list(events)
    event = replace(events[at], **{field: FIELDS[field]})
    changed[at] = replace(event, hash=event.true_hash(SESSION))
    found = look(changed, events)
    assert {finding.fault for finding in found} == {Fault.REPLACED}
    # Its own link or its successor's; the end is held against the session's head.
    assert {finding.event for finding in found} <= {at + 1, at + 2}


@given(chains, st.data())
def test_a_lost_event_is_named(events, data):
    at = data.draw(st.integers(0, len(events) - 2))
    found = look(events[:at] + events[at + 1 :], events)
    assert (Fault.MISSING, at + 1) in {(f.fault, f.event) for f in found}


@given(chains, st.data())
def test_a_cut_names_where_the_end_began(events, data):
    kept = data.draw(st.integers(0, len(events) - 1))
    found = look(events[:kept], events)
    assert (Fault.CUT, kept + 1) in {(f.fault, f.event) for f in found}


@given(chains, st.data())
def test_a_cut_with_the_count_set_back_still_shows(events, data):
    kept = data.draw(st.integers(1, len(events) - 1))
    found = inspect(SESSION, events[:kept], count=kept, head=events[-1].hash)
    assert Fault.REPLACED in {f.fault for f in found}


@given(chains, st.data())
def test_swapped_events_are_named_with_the_place_they_came_from(events, data):
    a, b = data.draw(st.lists(st.integers(0, len(events) - 1), min_size=2, max_size=2, unique=True))
    swapped = list(events)
    swapped[a] = replace(events[a], number=events[b].number)
    swapped[b] = replace(events[b], number=events[a].number)
    found = {(f.fault, f.event): f.text for f in look(swapped, events)}
    assert f"was recorded as event {a + 1}" in found[Fault.MOVED, b + 1]
    assert f"was recorded as event {b + 1}" in found[Fault.MOVED, a + 1]


@given(chains, st.data())
def test_content_exchanged_under_the_hashes_is_named(events, data):
    a, b = data.draw(st.lists(st.integers(0, len(events) - 1), min_size=2, max_size=2, unique=True))
    assume(events[a].data != events[b].data)
    swapped = list(events)
    for here, there in ((a, b), (b, a)):
        swapped[here] = replace(events[here], data=events[there].data, at=events[there].at)
    found = {(f.fault, f.event) for f in look(swapped, events)}
    assert {(Fault.MOVED, a + 1), (Fault.MOVED, b + 1)} <= found


@given(chains, st.data())
def test_an_event_put_in_between_shows(events, data):
    at = data.draw(st.integers(0, len(events) - 1))
    extra = replace(events[at], data={"forged": "event"})
    extra = replace(extra, hash=extra.true_hash(SESSION))
    later = [replace(event, number=event.number + 1) for event in events[at:]]
    found = look([*events[:at], extra, *later], events)
    assert {Fault.ADDED, Fault.CHANGED, Fault.MOVED, Fault.REPLACED} & {f.fault for f in found}


@given(chains)
def test_an_event_after_the_end_shows(events):
    more = chain_of([event.data for event in events] + [{"forged": "end"}])
    found = look(more, events)
    assert (Fault.ADDED, len(more)) in {(f.fault, f.event) for f in found}


@given(chains)
def test_a_chain_of_another_session_does_not_pass(events):
    found = inspect(uuid.UUID(int=2), events, count=len(events), head=events[-1].hash)
    assert {f.event for f in found if f.fault == Fault.CHANGED} == {e.number for e in events}
