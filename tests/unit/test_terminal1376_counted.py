"""Which counted events of a terminal are still to be asked for."""

from __future__ import annotations

import random

import pytest

from meterlink.drivers.gdw1376.counted import COUNTS, OLD_TRIES, TOGETHER_MAX, TRIES, Counted, Window
from metersim.gdw1376.events import EVENTS_KEPT, IMPORTANT, POWER, EventLog
from tests.support.terminal_world import MIDNIGHT


def _fetched(counted: Counted, log: EventLog, most: int = COUNTS) -> list[int]:
    """The numbers of the events that are told when all that is wanted is asked for."""
    found: list[int] = []
    for _ in range(4 * COUNTS):
        if (window := counted.wanted) is None:
            return found
        assert 0 < window.size <= TOGETHER_MAX
        events = log.between(IMPORTANT, *window)[:most]
        found += [event["number"] for event in events]
        if not (events and counted.asked_and_told(window, window.first, len(events))):
            counted.denied()
    raise AssertionError("it asks for ever")


def _tell(log: EventLog, numbers: range) -> None:
    for number in numbers:
        log.tell(POWER, MIDNIGHT, number=number)


@pytest.mark.parametrize("before", [0, 1, 31, 32, 33, 255, 256, 257, 300, 511, 512])
@pytest.mark.parametrize("most", [COUNTS, 7])
def test_all_that_a_terminal_holds_is_asked_for_after_a_start(before: int, most: int) -> None:
    """What happened while nobody listened would be lost, also where the counter came round meanwhile."""
    log, counted = EventLog(), Counted()
    _tell(log, range(before))
    counted.count(log.counts[0])
    expected = set(range(max(before - EVENTS_KEPT, 0), before))
    found = _fetched(counted, log, most)
    assert len(expected) == len(found)
    assert expected == set(found)
    assert 0 == counted.passed_over


@pytest.mark.parametrize("before", [0, 5, 250, 300])
def test_what_is_counted_later_is_asked_for_once_and_in_order(before: int) -> None:
    """Events would be told twice, or those between two looks be lost."""
    log, counted = EventLog(), Counted()
    _tell(log, range(before))
    counted.count(log.counts[0])
    _fetched(counted, log)
    rng, told, total = random.Random(before), list[int](), before
    for _ in range(20):
        some = rng.randrange(60)
        _tell(log, range(total, total + some))
        total += some
        counted.count(log.counts[0])
        told += _fetched(counted, log, rng.randint(1, 40))
    assert list(range(before, total)) == told


def _at(count: int) -> Counted:
    """With nothing of before."""
    counted = Counted()
    counted.count(count)
    while counted.wanted is not None:
        counted.denied()
    return counted


def test_events_that_came_by_themselves_are_not_asked_for() -> None:
    """Each would go over the air twice; and with a gap before them, what lies in it would be lost."""
    counted = _at(254)
    assert counted.told(254, 3)
    counted.count(1)
    assert counted.wanted is None
    assert not counted.told(4, 1), "2 and 3 are missing"
    counted.count(5)
    assert Window(1, 5) == counted.wanted
    assert not counted.told(200, 5)
    assert counted.told(254, 10), "it tells what is known along"
    counted.count(8)
    assert counted.wanted is None


def test_what_lies_before_the_first_event_of_an_answer_is_gone() -> None:
    """A terminal that holds ten events of twenty would be asked for the others for ever."""
    counted = _at(0)
    counted.count(20)
    assert (window := counted.wanted) == Window(0, 20)
    assert not counted.asked_and_told(window, 30, 5), "that was not asked for"
    assert counted.asked_and_told(window, 10, 4)
    assert Window(14, 20) == (window := counted.wanted)
    assert window is not None
    assert counted.asked_and_told(window, 10, 10)
    assert counted.wanted is None


def test_new_events_that_are_denied_are_passed_over_in_the_end() -> None:
    """One event that a terminal cannot tell would keep all later ones back."""
    counted = _at(0)
    counted.count(TOGETHER_MAX + 3)
    for number in range(TRIES):
        assert Window(0, TOGETHER_MAX) == counted.wanted
        assert (number == TRIES - 1) == counted.denied()
    assert TOGETHER_MAX == counted.passed_over
    assert Window(TOGETHER_MAX, TOGETHER_MAX + 3) == counted.wanted


def test_a_terminal_that_remembers_little_is_not_asked_for_all_that_was() -> None:
    """Each start would cost each terminal sixteen questions in vain."""
    counted = Counted()
    counted.count(100)
    window = counted.wanted
    assert window == Window(68, 100)
    assert counted.asked_and_told(window, 90, 10)
    for number in range(OLD_TRIES):
        assert Window(36, 68) == counted.wanted
        assert (number == OLD_TRIES - 1) == counted.denied()
    assert counted.wanted is None
    assert 0 == counted.passed_over
