"""How long ago something of the log was, while somebody sets the wall clock: pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from meterlink.orders.life import timeline as timelines
from meterlink.orders.life.timeline import SET_BY, Timeline
from metersim.loop import SimClock
from tests.support.orders import NOON

SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))


@pytest.fixture
def clock() -> SimClock:
    return SimClock(NOON)


@pytest.mark.parametrize("step", [timedelta(), 25 * HOUR, -30 * HOUR, -5 * MINUTE])
def test_time_passes_as_it_is_lived(clock: SimClock, step: timedelta) -> None:
    """A step of the wall clock would end what has just begun, or keep it for a day more."""
    timeline = Timeline(clock)
    clock.advance(60)
    early = timeline.stamp()
    assert NOON + MINUTE == early, "what is written down is wall time"
    clock.step_wall(step)
    clock.advance(600)
    late = timeline.stamp()
    assert clock.utc_now() == late
    clock.advance(1)
    assert 601 * SECOND == timeline.now() - timeline.lived(early)
    assert SECOND == timeline.now() - timeline.lived(late)
    assert clock.utc_now() - 601 * SECOND == timeline.shown(timeline.lived(early), clock.utc_now())


def test_no_wall_time_is_stamped_twice(clock: SimClock) -> None:
    """Two acts of one wall time would be taken for one, and the later be half an hour old at its birth."""
    timeline = Timeline(clock)
    first, same = timeline.stamp(), timeline.stamp()
    clock.advance(1800)
    clock.step_wall(-30 * MINUTE)
    again = timeline.stamp()
    assert (NOON, NOON, NOON + timedelta(microseconds=1)) == (first, same, again)
    assert (30 * MINUTE, timedelta()) == (
        timeline.now() - timeline.lived(first),
        timeline.now() - timeline.lived(again),
    )


def test_an_earlier_life_has_nothing_but_wall_time(clock: SimClock) -> None:
    """What was sent before a restart would be looked at for a day again, or never."""
    timeline = Timeline(clock)
    clock.advance(60)
    assert 61 * MINUTE == timeline.now() - timeline.lived(NOON - HOUR)
    assert MINUTE == timeline.now() - timeline.lived(NOON + 30 * HOUR), "it was before this life began"


def test_the_oldest_stamps_are_forgotten(clock: SimClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon's memory would grow for ever, or an order whose stamp is gone never be looked at."""
    monkeypatch.setattr(timelines, "STAMPS_MAX", 3)
    timeline = Timeline(clock)
    stamps = []
    for _ in range(3):
        stamps.append(timeline.stamp())
        clock.advance(60)
    clock.step_wall(-DAY)
    assert [NOON + n * MINUTE for n in range(3)] == [timeline.lived(at) for at in stamps], "at the limit"
    stamps += [timeline.stamp(), timeline.lived(NOON)]
    assert NOON == timeline.lived(stamps[0]), "forgotten, and no later than that"
    assert NOON + MINUTE == timeline.lived(stamps[1])
    clock.advance(60)
    timeline.stamp()
    assert NOON + MINUTE == timeline.lived(NOON + DAY), "before what is remembered"


@pytest.mark.parametrize(
    ("step", "left"), [(timedelta(), 50 * MINUTE), (20 * MINUTE, 30 * MINUTE), (-30 * HOUR, 50 * MINUTE)]
)
def test_a_deadline_is_over_by_either_clock(clock: SimClock, step: timedelta, left: timedelta) -> None:
    """A control would leave after its deadline because somebody has set a clock back."""
    timeline = Timeline(clock)
    since = timeline.stamp()
    clock.step_wall(step)
    clock.advance(600)
    assert left == timeline.left(NOON + HOUR, since)


def test_that_the_clock_was_set_is_seen(clock: SimClock) -> None:
    """What a meter's clock was compared with would be gone, and a frame live for hours."""
    timeline = Timeline(clock)
    ahead = timeline.ahead
    clock.advance(600)
    assert not timeline.is_set_since(ahead)
    for step in (SET_BY, -SET_BY):
        clock.step_wall(step)
        assert timeline.is_set_since(ahead)
        clock.step_wall(-step)


@pytest.mark.parametrize("step", [timedelta(), SECOND, -MINUTE, DAY])
def test_a_deadline_at_an_end_of_the_calendar_is_far_away_or_over(clock: SimClock, step: timedelta) -> None:
    """Whoever reckoned with it would fall over, and the orders of its line with him."""
    timeline = Timeline(clock)
    clock.step_wall(step)
    since = timeline.stamp()
    clock.advance(5)
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert timeline.left(last, since) > 365_000 * DAY
    assert timeline.left(first, since) < -365_000 * DAY
