"""When an order looks at its meter again, how long its frame lives, when it wants its line: pure figures."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from meterlink.drivers.control import ClockLook
from meterlink.model.order import OrderState, Origin
from meterlink.orders.dispatch.due import LOOKED_AT_EVERY, due_at, is_late, waits_for_people
from meterlink.orders.dispatch.schedule import GIVE_UP_AFTER, is_given_up, next_look, next_repeat
from meterlink.orders.life.expiry import FRAME_LIFE_MAX, FRAME_LIFE_MIN, expiry
from tests.support.orders import NOON, at_state, timeline_at

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def looks(trip_delay: timedelta, until: timedelta) -> list[timedelta]:
    """All looks at what was sent at noon, as times after it."""
    found, at = [], NOON - SECOND
    while (at := next_look(NOON, at, trip_delay=trip_delay)) - NOON <= until:
        found.append(at - NOON)
    return found


def test_looks_at_once_then_soon_then_every_five_minutes() -> None:
    """A trip that is done would stay undecided, or a line be busy with looking. Source: section 8."""
    first = [timedelta(seconds=seconds) for seconds in (0, 5, 15, 30, 60)]
    steady = [MINUTE + n * 5 * MINUTE for n in range(1, 4)]
    assert [*first, *steady] == looks(10 * MINUTE, 17 * MINUTE)


def test_looks_become_seldom_and_end_after_a_day() -> None:
    """An undecided order would be looked at for ever, or be given up a day late."""
    found = looks(timedelta(), GIVE_UP_AFTER + HOUR)
    pauses = [later - earlier for earlier, later in itertools.pairwise(found)]
    assert all(pause <= HOUR for pause in pauses)
    assert GIVE_UP_AFTER in found
    assert len(found) < 50
    assert not is_given_up(NOON, NOON + GIVE_UP_AFTER - SECOND)
    assert is_given_up(NOON, NOON + GIVE_UP_AFTER)


@given(st.integers(0, 200_000), st.integers(0, 3_600))
def test_a_look_is_never_now(seconds: int, delay_s: int) -> None:
    """A line would look at one meter again and again without a pause."""
    now = NOON + timedelta(seconds=seconds)
    at = next_look(NOON, now, trip_delay=timedelta(seconds=delay_s))
    assert now < at <= now + 2 * HOUR


def test_repeats_wait_one_five_fifteen_minutes() -> None:
    """A frame would be repeated at once, or a household wait too long. Source: business-rules 2.2."""
    waits = [next_repeat(NOON, sent) - NOON for sent in (1, 2, 3, 4)]
    assert [MINUTE, 5 * MINUTE, 15 * MINUTE, 15 * MINUTE] == waits


def clock(offset: timedelta = timedelta(), error: timedelta = SECOND) -> ClockLook:
    return ClockLook(offset=offset, error=error)


def test_a_frame_lives_five_minutes_at_most() -> None:
    """A frame that was stored would be obeyed hours later. Source: decision 22 (b), fact 10."""
    until = expiry(NOON + HOUR, NOON, None)
    assert until is not None
    assert (NOON + FRAME_LIFE_MAX, FRAME_LIFE_MAX) == until


def test_f54_the_deadline_is_told_in_the_meters_own_time() -> None:
    """A meter whose clock is behind would obey after the deadline; one that is ahead would obey nothing."""
    for offset in (-7 * MINUTE, 7 * MINUTE):
        until = expiry(NOON + 2 * MINUTE, NOON, clock(offset))
        assert until is not None
        assert NOON + 2 * MINUTE - SECOND + offset == until.at


def test_too_little_time_sends_nothing() -> None:
    """A frame would be on its way when its deadline passes."""
    assert expiry(NOON + FRAME_LIFE_MIN - SECOND, NOON, None) is None
    assert expiry(NOON + FRAME_LIFE_MIN, NOON, None) is not None
    assert expiry(NOON + FRAME_LIFE_MIN, NOON, clock()) is None, "the clock may be slower than it looked"


@given(
    st.integers(-3_600, 86_400),
    st.integers(-86_400, 86_400),
    st.integers(0, 5_000_000),
)
def test_no_frame_outlives_its_deadline(left_s: int, offset_s: int, error_us: int) -> None:
    """By no reading of a meter's clock would a frame be obeyed after the deadline."""
    deadline_at = NOON + timedelta(seconds=left_s)
    look = clock(timedelta(seconds=offset_s), timedelta(microseconds=error_us))
    until = expiry(deadline_at, NOON, look)
    if until is not None:
        slowest = look.offset - look.error
        assert until.at - slowest <= deadline_at
        assert until.at.microsecond == 0
        assert FRAME_LIFE_MIN <= until.valid_for <= FRAME_LIFE_MAX


def test_who_waits_for_people() -> None:
    """An order would be sent that nobody operated, or one of a payment wait for a person."""
    for state in OrderState:
        person = at_state(state).life
        payment = dataclasses.replace(person, order=dataclasses.replace(person.order, origin=Origin.PAYMENT))
        asked = state in (OrderState.CREATED, OrderState.AUTHORISED)
        assert asked == waits_for_people(person)
        assert not waits_for_people(payment)


def test_what_has_not_been_sent_expires_at_its_deadline() -> None:
    """An order would be sent late, or what was sent be called expired."""
    for state in (OrderState.CREATED, OrderState.AUTHORISED, OrderState.QUEUED, OrderState.PRECHECK):
        life = at_state(state).life
        before, after = (timeline_at(life.order.deadline_at - early) for early in (SECOND, timedelta()))
        assert not is_late(life, before)
        assert is_late(life, after)
        assert due_at(life, MINUTE, before) <= life.order.deadline_at
    for state in (OrderState.SENDING, OrderState.ACCEPTED, OrderState.UNCONFIRMED, OrderState.READBACK):
        assert not is_late(at_state(state).life, timeline_at(NOON + 9 * HOUR))


def test_a_deadline_at_an_end_of_the_calendar_is_looked_at_each_day() -> None:
    """There is no time behind it: the line's worker would fall over it, and send nobody's order."""
    life = at_state(OrderState.CREATED).life
    first, last = (datetime(year, 1, 1, tzinfo=UTC) for year in (1, 9999))
    for far, due in ((last, NOON + LOOKED_AT_EVERY), (first, NOON)):
        order = dataclasses.replace(life.order, deadline_at=far)
        one = dataclasses.replace(life, order=order)
        assert due == due_at(one, MINUTE, timeline_at(NOON))
