"""Caps, brake, kill switch, freeze and quarantine at their limits; ten thousand trips asked for at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from meterlink.model.act import Act, Topic
from meterlink.model.order import OrderKind, OrderState, Origin
from meterlink.model.payload import time_out
from meterlink.orders.life.machine import Signal
from meterlink.orders.limits import caps as limits_module
from meterlink.orders.limits.caps import Limits, share
from meterlink.orders.limits.trips import Quarantine, Trip, batch_of
from meterlink.orders.rules import RULES, OnStop, Stage, judge, outcome
from meterlink.roster.roster import Roster
from tests.support.orders import NOON, order
from tests.support.rules import CALENDAR, DAYS, HOUR, METER, MINUTE, SECOND, SETTINGS, facts


def _roster(size: int = 10_000) -> Roster:
    """So many meters in one area."""
    return Roster(tuple(dataclasses.replace(METER, id=f"m{number}") for number in range(size)))


def _trip(number: int, **fields: Any) -> Trip:
    told = {"line": f"line{number}", "area": "east", "by_policy": False, "batch": "b", **fields}
    return Trip(order=f"o{number}", meter=f"m{number}", **told)


def _act(signal: Signal, at: datetime, to: OrderState, *, is_open: bool = True) -> Act:
    return Act(
        topic=Topic.ORDER,
        subject="o",
        step=2,
        verb=signal.value,
        at=at,
        actor="anna",
        body={"to": to.value},
        is_open=is_open,
    )


def _operate(at: datetime) -> Act:
    return _act(Signal.OPERATE, at, OrderState.QUEUED)


def _intend(at: datetime) -> Act:
    return _act(Signal.INTEND, at, OrderState.SENDING)


def _end(at: datetime, to: OrderState) -> Act:
    return _act(Signal.PROVE, at, to, is_open=False)


def _policy(subject: str, verb: str, at: datetime = NOON, actor: str = "anna", **body: Any) -> Act:
    return Act(topic=Topic.POLICY, subject=subject, step=1, verb=verb, at=at, actor=actor, body=body)


def _sent(limits: Limits, trips: Iterable[Trip], at: datetime) -> None:
    for trip in trips:
        limits.saw_step(trip, _operate(at))
        limits.saw_step(trip, _intend(at))


def _caps(limits: Limits, trip: Trip, now: datetime, *, is_turn: bool = True) -> list[str]:
    return [over.cap for over in limits.view(trip, now, is_turn=is_turn).over]


@pytest.mark.parametrize(
    ("percent", "size", "meters"),
    [
        ("0.5", 10_000, 50),
        ("0.5", 201, 2),
        ("0.5", 200, 1),
        ("0.5", 1, 1),
        ("2", 51, 2),
        ("2", 50, 1),
        ("0", 9_999, 0),
    ],
)
def test_a_share_of_an_area_is_rounded_up_and_at_least_one(percent: str, size: int, meters: int) -> None:
    """A village of 60 meters could never be billed, or a large area would lose a hundred at once."""
    assert meters == share(Decimal(percent), size)


def test_a_meter_is_tripped_once_in_24_hours() -> None:
    """A faulty program would cut one customer off again and again."""
    limits = Limits(SETTINGS, _roster())
    _sent(limits, [_trip(1)], NOON)
    again = dataclasses.replace(_trip(1), order="o-again", line="other")
    assert ["trips_per_meter_day"] == _caps(limits, again, NOON + DAYS[1] - SECOND)
    assert [] == _caps(limits, again, NOON + DAYS[1])


@pytest.mark.parametrize(
    ("cap", "most", "span", "field"),
    [
        ("trips_per_line_10_min", 20, timedelta(minutes=10), "line"),
        ("trips_per_area_hour_percent", 50, HOUR, "area"),
        ("trips_per_area_day_percent", 200, DAYS[1], "area"),
    ],
)
def test_a_cap_holds_at_its_limit(cap: str, most: int, span: timedelta, field: str) -> None:
    """One trip more than allowed would go each time."""
    limits = Limits(SETTINGS, _roster())
    same = {"line": "hall"} if field == "line" else {}
    trips = [_trip(number, **same) for number in range(most + 1)]
    _sent(limits, trips[: most - 1], NOON)
    assert cap not in _caps(limits, trips[-1], NOON)
    _sent(limits, trips[most - 1 : most], NOON)
    assert cap in _caps(limits, trips[-1], NOON + span - SECOND)
    assert cap not in _caps(limits, trips[-1], NOON + span)


@pytest.mark.parametrize("is_turn", [False, True])
def test_trips_that_no_person_approved_are_counted_by_area_and_day(is_turn: bool) -> None:
    """A policy could cut off an area without end: its cap of 200 a day would see none (CTRL-10)."""
    limits = Limits(SETTINGS, _roster())
    by_policy = [_trip(number, by_policy=True) for number in range(3)]
    others = [_trip(3), _trip(4, by_policy=True, area="west")]
    _sent(limits, [*by_policy, *others], NOON)
    late = NOON + DAYS[1]
    seen = [limits.view(_trip(9), now, is_turn=is_turn).policy_trips for now in (late - SECOND, late)]
    assert [3, 0] == seen


def test_a_small_area_may_lose_one_meter_an_hour_and_one_a_day() -> None:
    """Shares below one meter would be no limit, or would forbid every trip."""
    limits = Limits(SETTINGS, _roster(10))
    assert [] == _caps(limits, _trip(2), NOON)
    _sent(limits, [_trip(1)], NOON)
    both = ["trips_per_area_hour_percent", "trips_per_area_day_percent"]
    assert both == _caps(limits, _trip(2), NOON)
    assert both[1:] == _caps(limits, _trip(2), NOON + HOUR)


def test_areas_and_lines_are_counted_apart() -> None:
    """One area's trips would stand in the way of another's."""
    limits = Limits(SETTINGS, _roster(10))
    _sent(limits, [_trip(1)], NOON)
    assert [] == _caps(limits, _trip(2, area=""), NOON)


def test_what_waits_counts_when_it_is_queued_and_what_was_sent_when_its_turn_comes() -> None:
    """A line that comes back after hours would let everything go in one burst."""
    limits = Limits(SETTINGS, _roster())
    waiting = [_trip(number, line="hall") for number in range(60)]
    for number, trip in enumerate(waiting):
        limits.saw_step(trip, _operate(NOON + (number // 20) * timedelta(minutes=10)))
    late = NOON + 2 * HOUR
    one_more = _trip(99, line="hall")
    assert [] == _caps(limits, one_more, late, is_turn=False)
    for trip in waiting[:20]:
        assert [] == _caps(limits, trip, late)
        limits.reserve(trip, late)
    assert ["trips_per_line_10_min"] == _caps(limits, waiting[20], late)
    assert [] == _caps(limits, waiting[20], late + timedelta(minutes=10))
    queued = Limits(SETTINGS, _roster())
    for trip in waiting[:20]:
        queued.saw_step(trip, _operate(NOON))
    assert ["trips_per_line_10_min"] == _caps(queued, one_more, NOON, is_turn=False)
    assert [] == _caps(queued, one_more, NOON, is_turn=True)


def test_what_was_never_sent_counts_in_no_cap() -> None:
    """A payment that stops a trip would use up the trips of the whole area."""
    limits = Limits(SETTINGS, _roster(10))
    for number, end in enumerate((OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REFUSED)):
        trip = _trip(number)
        limits.saw_step(trip, _operate(NOON))
        limits.saw_step(trip, _end(NOON, end))
    assert [] == _caps(limits, _trip(9), NOON, is_turn=False)
    limits.saw_step(_trip(3), _operate(NOON))
    limits.saw_step(_trip(3), _intend(NOON))
    limits.saw_step(_trip(3), _end(NOON, OrderState.UNKNOWN))
    assert [] != _caps(limits, _trip(9), NOON)


def test_a_reservation_ends_with_the_postponement_of_its_order() -> None:
    """A load that was too high for a moment would keep a place for 24 hours."""
    limits = Limits(SETTINGS, _roster(10))
    limits.saw_step(_trip(1), _operate(NOON))
    limits.reserve(_trip(1), NOON)
    assert [] != _caps(limits, _trip(2), NOON)
    limits.saw_step(_trip(1), _act(Signal.POSTPONE, NOON, OrderState.AUTHORISED))
    assert [] == _caps(limits, _trip(2), NOON)


def _batch(limits: Limits, size: int, failed: int, end: OrderState = OrderState.RELAY_FAULT) -> None:
    for number in range(size):
        trip = _trip(number)
        _sent(limits, [trip], NOON)
        limits.saw_step(trip, _end(NOON + MINUTE, end if number < failed else OrderState.DONE))


@pytest.mark.parametrize(
    ("size", "failed", "braked"),
    [(100, 5, False), (100, 6, True), (10, 4, False), (10, 5, True), (200, 10, False), (200, 11, True)],
)
def test_a_batch_stops_beyond_5_percent_and_5_failures(size: int, failed: int, braked: bool) -> None:
    """Relays that stick would be tripped one after the other until none is left."""
    limits = Limits(SETTINGS, _roster())
    _batch(limits, size, failed)
    view = limits.view(_trip(999), NOON + MINUTE, is_turn=True)
    assert (size, failed, braked) == (view.batch_size, view.batch_failures, view.is_braked)
    assert not limits.view(_trip(999, batch="other"), NOON + MINUTE, is_turn=True).is_braked


@pytest.mark.parametrize(
    "end",
    [
        OrderState.UNKNOWN,
        OrderState.RELAY_FAULT,
        OrderState.REJECTED,
        OrderState.NOT_DONE,
        OrderState.REFUSED,
    ],
)
def test_every_bad_end_counts_for_the_batch(end: OrderState) -> None:
    """Meters that are not those of the file are refused at their door: a batch of them must stop."""
    limits = Limits(SETTINGS, _roster())
    _batch(limits, 20, 5, end)
    assert limits.view(_trip(999), NOON, is_turn=True).is_braked


def test_a_batch_goes_on_when_somebody_has_looked() -> None:
    """A brake that never lets go would be taken out; one that forgets new failures would be none."""
    limits = Limits(SETTINGS, _roster())
    _batch(limits, 20, 5)
    limits.saw_policy(_policy("batch:b", "release", NOON + 2 * MINUTE))
    assert not limits.view(_trip(999), NOON + 2 * MINUTE, is_turn=True).is_braked
    for number in range(30, 35):
        trip = _trip(number)
        _sent(limits, [trip], NOON + 3 * MINUTE)
        limits.saw_step(trip, _end(NOON + 3 * MINUTE, OrderState.RELAY_FAULT))
    assert limits.view(_trip(999), NOON + 3 * MINUTE, is_turn=True).is_braked
    limits.saw_step(_trip(34), _end(NOON + 4 * MINUTE, OrderState.RELAY_FAULT))
    assert 5 == limits.view(_trip(999), NOON + 4 * MINUTE, is_turn=True).batch_failures


def test_the_kill_switch_takes_one_to_throw_and_two_to_release() -> None:
    """Somebody alone could let trips go that everybody else wants stopped."""
    limits = Limits(SETTINGS, _roster())
    limits.saw_policy(_policy("kill_switch", "stop", actor="fred"))
    assert "fred" == limits.view(_trip(1), NOON, is_turn=True).stopped_by
    limits.saw_policy(_policy("kill_switch", "ask", actor="sam"))
    assert ("fred", "sam") == (limits.stopped_by, limits.asked_by)
    limits.saw_policy(_policy("kill_switch", "resume", actor="adam"))
    assert ("", "") == (limits.stopped_by, limits.asked_by)


def test_a_freeze_is_for_its_area_and_its_time() -> None:
    """A storm in one county would stop trips everywhere, or nowhere."""
    limits = Limits(SETTINGS, _roster())
    limits.saw_policy(_policy("freeze:east", "freeze", why="台风", until=time_out(NOON + HOUR)))
    frozen = [limits.view(_trip(1, area=area), NOON, is_turn=True).frozen for area in ("east", "west")]
    assert ["台风", ""] == frozen
    assert "台风" == limits.view(_trip(1), NOON + HOUR - SECOND, is_turn=True).frozen
    assert "" == limits.view(_trip(1), NOON + HOUR, is_turn=True).frozen
    limits.saw_policy(_policy("freeze:*", "freeze", why="高温", until=None))
    assert "高温" == limits.view(_trip(1, area="west"), NOON + DAYS[30], is_turn=True).frozen
    limits.saw_policy(_policy("freeze:*", "lift"))
    assert "" == limits.view(_trip(1, area="west"), NOON, is_turn=True).frozen


@pytest.mark.parametrize("longer", [None, NOON + 2 * HOUR])
def test_a_freeze_never_shortens_another_one(longer: datetime | None) -> None:
    """Whoever may freeze could end what only another post may lift, with a freeze of a second."""
    for step in (1, -1):
        limits = Limits(SETTINGS, _roster())
        for until, why in ((longer, "台风"), (NOON + HOUR, "x"))[::step]:
            told = time_out(until) if until else None
            limits.saw_policy(_policy("freeze:east", "freeze", why=why, until=told))
        assert "台风" == limits.view(_trip(1), NOON + HOUR, is_turn=True).frozen
        (freeze,) = limits.freezes(NOON + HOUR, NOON + HOUR)
        assert ("east", "台风", longer, longer) == freeze
        limits.saw_policy(_policy("freeze:east", "lift"))
        assert () == limits.freezes(NOON, NOON), "lifted is lifted, all of it"


def test_what_is_held_waits_for_a_person_however_long() -> None:
    """An order that was held would go by itself a day later."""
    limits = Limits(SETTINGS, _roster())
    held = _trip(1)
    limits.saw_policy(_policy("quarantine:o1", "quarantine", **held.body))
    later = NOON + DAYS[7]
    assert Quarantine.HELD is limits.view(held, later, is_turn=True).quarantine
    assert [held.order] == [one.order for one in limits.quarantined()]
    limits.saw_policy(_policy("quarantine:o1", "release", later, "sam", **held.body))
    view = limits.view(held, later, is_turn=True)
    assert (Quarantine.RELEASED, "sam", ()) == (view.quarantine, view.released_by, limits.quarantined())
    limits.saw_policy(_policy("quarantine:o2", "quarantine", **_trip(2).body))
    limits.saw_policy(_policy("quarantine:o2", "delete", **_trip(2).body))
    assert Quarantine.NONE is limits.view(_trip(2), later, is_turn=True).quarantine


def test_a_full_quarantine_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program gone mad would fill the memory with orders that are held."""
    monkeypatch.setattr(limits_module, "QUARANTINE_MAX", 3)
    limits = Limits(SETTINGS, _roster())
    full = []
    for number in range(3):
        full.append(limits.view(_trip(9), NOON, is_turn=True).is_quarantine_full)
        limits.saw_policy(_policy(f"quarantine:o{number}", "quarantine", **_trip(number).body))
    assert [False, False, False] == full
    assert limits.view(_trip(9), NOON, is_turn=True).is_quarantine_full


def test_what_no_window_reaches_is_forgotten() -> None:
    """Trips of years would be counted through before each one."""
    limits = Limits(SETTINGS, _roster())
    _sent(limits, [_trip(number) for number in range(50)], NOON)
    limits.view(_trip(99), NOON + DAYS[1] - SECOND, is_turn=True)
    assert limits.trip("o1") is not None
    limits.view(_trip(99), NOON + DAYS[1] + MINUTE, is_turn=True)
    assert None is limits.trip("o1")


def test_a_log_that_holds_too_much_to_count_lets_no_trip_go() -> None:
    """Counts that begin in the middle of a day would allow a second share of it."""
    limits = Limits(SETTINGS, _roster())
    limits.go_blind(NOON)
    assert limits.view(_trip(1), NOON - SECOND, is_turn=True).is_blind
    assert not limits.view(_trip(1), NOON, is_turn=True).is_blind


def test_batches_are_a_persons_or_a_policys_of_one_day() -> None:
    """One batch for ever would drown its failures; one an order would never be a batch."""
    mine = order(OrderKind.TRIP)
    ours = order(OrderKind.TRIP, origin=Origin.POLICY, reference="billing:v7")
    assert "2026-11-24:person:clara" == batch_of(mine, METER, "clara", CALENDAR, NOON)
    assert "2026-11-24:policy:billing:v7:east" == batch_of(ours, METER, "meterlink", CALENDAR, NOON)
    assert "2026-11-25:person:clara" == batch_of(mine, METER, "clara", CALENDAR, NOON + 12 * HOUR)


def test_f50_ten_thousand_trips_requested() -> None:
    """F50: a stolen account or a wrong list would switch a city off.

    Ten thousand trips are asked for within an hour, one every 0.36 s, on a hundred lines of one area of
    10,000 meters. What goes is 0.5 % of the area, the rest is held, and the counts stay right throughout.
    """
    limits = Limits(SETTINGS, _roster())
    asked = {name: RULES[name] for name in ("CTRL-10", "CTRL-24", "CAP-01")}
    base = facts(OrderKind.TRIP, Stage.OPERATE, now=NOON - HOUR)
    went = 0
    for number in range(10_000):
        now = NOON - HOUR + number * timedelta(milliseconds=360)
        trip = _trip(number, line=f"line{number % 100}")
        judged = dataclasses.replace(base, now=now, limited=limits.view(trip, now, is_turn=False))
        stop = outcome(judge(Stage.OPERATE, judged, asked))
        if stop is None:
            _sent(limits, [trip], now)
            went += 1
        else:
            assert OnStop.HOLD is stop
            limits.saw_policy(_policy(f"quarantine:{trip.order}", "quarantine", now, **trip.body))
    assert (50, 9_950) == (went, len(limits.quarantined()))
