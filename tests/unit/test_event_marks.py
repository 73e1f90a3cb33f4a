"""Which records of a meter's memory are to be read: every event once, whatever the count did."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.model.event_kinds import EVENT_KINDS, EVENTS_GONE, base_of, words_of
from meterlink.model.event_mark import EventMark, wanted
from meterwire.dlt645 import dictionary
from meterwire.dlt698.objects.requests import event_tables

_LOADS = 0x06
_METER_EVENTS = 0x30

_MARK = EventMark(device="a", counted=7)


@pytest.mark.parametrize(
    ("mark", "count", "lasts", "gone"),
    [
        (None, 0, (), 0),
        (None, 3, (1, 2, 3), 0),
        (None, 15, tuple(range(1, 11)), 0),  # what it forgot before we came is no loss of ours
        (EventMark(device="b", counted=7), 2, (1, 2), 0),  # another meter in its place
        (_MARK, 7, (), 0),
        (_MARK, 9, (1, 2), 0),
        (_MARK, 17, tuple(range(1, 11)), 0),
        (_MARK, 18, tuple(range(1, 11)), 1),
        (_MARK, 2, (1, 2), 0),  # cleared
        (_MARK, 0, (), 0),
        (EventMark(device="a", counted=7, lasting=7), 7, (1,), 0),
        (EventMark(device="a", counted=7, lasting=7), 9, (1, 2, 3), 0),
        (EventMark(device="a", counted=7, lasting=7), 17, tuple(range(1, 11)), 0),  # its end is gone
        (EventMark(device="a", counted=7, lasting=7), 3, (1, 2, 3), 0),
    ],
)
def test_what_is_read_of_a_kind(
    mark: EventMark | None, count: int, lasts: tuple[int, ...], gone: int
) -> None:
    """Events would be missed, or read over and over."""
    found = wanted(mark, "a", count, depth=10)
    assert (lasts, gone) == (found.lasts, found.gone)


def test_a_meter_that_was_cleared_is_read_as_far_as_it_remembers() -> None:
    """Its count may have passed the mark again: the events in between would be taken for known."""
    assert (1, 2, 3, 4, 5, 6, 7, 8) == wanted(_MARK, "a", 8, depth=10, was_cleared=True).lasts


@given(st.lists(st.integers(0, 25), max_size=8), st.integers(1, 12))
def test_every_event_is_read_or_counted_as_gone(steps: list[int], depth: int) -> None:
    """An event that is neither in the log nor among those that are gone was lost without a word."""
    read: list[int] = []
    gone = count = 0
    mark: EventMark | None = EventMark(device="a", counted=0)
    for step in steps:
        count += step
        found = wanted(mark, "a", count, depth=depth)
        read += [count - last + 1 for last in found.lasts]
        gone += found.gone
        mark = EventMark(device="a", counted=count)
    assert len(read) == len(set(read))
    assert count == len(read) + gone


def test_every_kind_that_the_dictionaries_know_has_words() -> None:
    """A kind without words would be no record: it would be kept twice, and shown as a name only."""
    listed = {
        entry.item.partition("@")[0].partition(".")[0].removesuffix("_record")
        for row in dictionary("dlt645-2007").rows
        if "_record@" in (entry := row.entry(row.first)).item and entry.di >> 24 != _LOADS
    }
    listed |= {
        name.partition("_record")[0] for name, oad in event_tables().items() if oad.oi >> 8 == _METER_EVENTS
    }
    assert listed - {"demand_over_limit"} <= set(EVENT_KINDS)
    assert ("", "power_down") == (base_of("terminal_power_down"), base_of("power_down"))
    assert "A相失压" == words_of("voltage_loss.a", "zh")
    assert "voltage loss phase A" == words_of("voltage_loss.a", "en")
    quadrant = "reactive_demand_over_limit@quadrant.2"
    assert ("第2象限无功需量超限", "reactive demand over limit quadrant 2") == (
        words_of(quadrant, "zh"),
        words_of(quadrant, "en"),
    )
    assert "记录已被覆盖" in words_of(EVENTS_GONE, "zh")
    assert "有事件待读" == words_of("events_wait", "zh")
    assert "no_such_kind" == words_of("no_such_kind", "zh")
