"""The works of a simulated meter as a whole: switch, wallet, clock, freezes and history together."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metersim.works.controlled import Wallet
from metersim.works.cost_control import LOCAL, REMOTE
from metersim.works.freezes import ORDERED, TABLES
from metersim.works.items import items_of
from metersim.works.load import Load
from metersim.works.moments import INSTALLED_AT, PLANT_TIME
from metersim.works.plate import Plate
from metersim.works.switch import Command, Obeyed
from metersim.works.works import Works

ADDRESS = "000000000161"
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
METER_OCTETS_MAX = 15_000
FORWARD = "forward_active_energy"


def meter(**traits: object) -> Works:
    return Works(Plate(address=ADDRESS), seed=3, load=Load(mean_kw=Decimal(6)), **traits)  # type: ignore[arg-type]


def of(works: Works, item: str, at: datetime) -> Decimal:
    value = works.value(item, at)
    assert value is not None, item
    return value


# --- switch and wallet ------------------------------------------------------------------------------------


def test_a_delayed_trip_comes_at_its_own_instant_whoever_asks_next() -> None:
    """Laziness would show: energy would flow until somebody asked."""
    works = meter()
    verdict = works.switch.obey(
        Command(kind="trip", delay=5 * MINUTE, operator="0000000A", came_by="645"), NOON
    )
    assert isinstance(verdict, Obeyed)
    works.history.change(NOON + HOUR, cover_open=True)
    times = [row.at for row in works.history.rows[1:]]
    assert [NOON + 5 * MINUTE, NOON + HOUR] == times
    tripped_at = of(works, FORWARD, NOON + 5 * MINUTE)
    assert tripped_at == of(works, FORWARD, NOON + DAY)
    assert of(works, FORWARD, NOON) < tripped_at
    _, trip = works.events.events("relay_trip", NOON + DAY)  # the first is the factory's
    assert (NOON + 5 * MINUTE, "0000000A") == (trip.started_at, trip.details["operator_code"])
    assert 1 == works.memory.count("trip")


def test_a_power_cut_is_told_to_the_switch() -> None:
    """A trip would come while the meter has no power to move its contact."""
    works = meter()
    works.switch.obey(Command(kind="trip", delay=5 * MINUTE, came_by="645"), NOON)
    works.history.change(NOON + MINUTE, without_supply=frozenset("abc"))
    works.advance(NOON + HOUR)
    assert not works.history.at(NOON + HOUR).contact_open
    works.history.change(NOON + 2 * HOUR, without_supply=frozenset())
    assert works.history.at(NOON + 2 * HOUR).contact_open, "a trip that waited opens when power is back"


def test_a_wallet_runs_dry_at_its_own_instant() -> None:
    """The last kWh would be free, by as much as nobody looked."""
    works = meter(since=NOON, control=LOCAL, wallet=Wallet(preset_cents=500, opened=True))
    assert works.account is not None
    works.advance(NOON + DAY)
    _, trip = works.events.events("relay_trip", NOON + DAY)  # the first is the factory's
    counted = of(works, FORWARD, trip.started_at) - of(works, FORWARD, NOON)
    assert Decimal(10) == counted, "5 yuan at 0.50"
    assert counted == of(works, FORWARD, NOON + DAY) - of(works, FORWARD, NOON)
    assert Decimal(0) == works.value("remaining_balance", NOON + DAY)
    works.account.top_up(10_000, 1, ADDRESS, NOON + DAY)
    assert Decimal(100) == works.value("remaining_balance", NOON + DAY)
    assert Decimal(1) == works.value("purchase_count", NOON + DAY)
    assert 1 == works.events.count("purchase_event", NOON + DAY)
    assert works.switch.press_key(NOON + DAY + MINUTE)
    assert of(works, "current.a", NOON + DAY + HOUR) > 0


def test_clearing_registers_is_no_purchase() -> None:
    """Whoever clears the meter would have paid for all that follows."""
    works = meter(since=NOON, control=LOCAL, wallet=Wallet(preset_cents=5000, opened=True))
    before = works.value("remaining_balance", NOON + HOUR)
    works.history.happen(NOON + HOUR, "registers_cleared")
    assert before == works.value("remaining_balance", NOON + HOUR)
    after = works.value("remaining_balance", NOON + 3 * HOUR)
    assert before is not None
    assert after is not None
    assert after < before
    assert works.drawn_kwh(NOON + 3 * HOUR) > 2 * works.drawn_kwh(NOON + HOUR)


def test_a_meter_without_a_wallet_shows_no_money() -> None:
    """A zero would look like a debt."""
    assert meter().value("remaining_balance", NOON) is None
    with pytest.raises(ValueError, match="it has none"):
        meter(control=REMOTE, wallet=Wallet())
    local = meter(control=LOCAL)
    local.advance(NOON)
    assert local.value("remaining_balance", NOON - DAY) is None, "it remembers no earlier balance"


def test_advancing_to_the_past_changes_nothing() -> None:
    """A question about yesterday would stop a meter."""
    works = meter()
    works.advance(NOON)
    works.advance(NOON - DAY)
    assert of(works, FORWARD, NOON - DAY) < of(works, FORWARD, NOON)


def test_ten_thousand_meters_have_room() -> None:
    """A plant of 10,000 meters would not fit into 500 MB."""
    count = 100
    asked = [item for name in ("forward_active_energy", "reverse_active_energy") for item in items_of(name)]
    meter().value(asked[1], NOON)  # shapes are shared by all
    tracemalloc.start()
    try:
        works = [Works(Plate(address=f"{number:012d}"), seed=3) for number in range(count)]
        for one in works:
            assert None not in [one.value(item, NOON) for item in (*asked, "forward_active_max_demand")]
        octets, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    shapes = 32 * 40_000
    assert octets < count * METER_OCTETS_MAX + shapes


# --- freezes ----------------------------------------------------------------------------------------------


@given(
    drift=st.integers(-600, 600),
    ahead=st.timedeltas(-DAY, DAY),
    set_to=st.timedeltas(-2 * DAY, 2 * DAY),
    name=st.sampled_from([*TABLES, "settlement"]),
)
def test_a_freeze_is_taken_when_the_meters_own_clock_shows_its_time(
    drift: int, ahead: timedelta, set_to: timedelta, name: str
) -> None:
    """A freeze would hold the registers of another instant than the one that it names."""
    works = meter(clock_ahead=ahead, drift_s_per_day=Decimal(drift))
    works.clock.set(NOON + set_to, NOON)
    at = NOON + 3 * DAY
    rows = [freeze for freeze, _ in zip(works.freezes(name, at), range(100), strict=False)]
    assert rows
    for freeze in rows:
        shown = works.clock.shows(freeze.taken_at)
        assert timedelta() <= shown - freeze.frozen_at < timedelta(microseconds=3)
        assert freeze.taken_at <= at
        assert freeze.frozen_at.second == freeze.frozen_at.microsecond == 0
    numbers = [freeze.number for freeze in rows]
    assert sorted(set(numbers), reverse=True) == numbers


def test_tables_have_their_depth_and_their_times() -> None:
    """A table would be too short for backfill, or grow for ever."""
    works = meter(since=NOON - 3000 * DAY)
    depths = {name: len(list(works.freezes(name, NOON))) for name in (*TABLES, "settlement")}
    assert {name: table.depth for name, table in TABLES.items()} | {"settlement": 12} == depths
    last = {name: works.freeze(name, 1, NOON + 7 * MINUTE) for name in (*TABLES, "settlement")}
    times = {name: f"{freeze.frozen_at:%m-%d %H:%M}" for name, freeze in last.items() if freeze}
    assert {
        "curve": "11-24 12:00",
        "hourly_freeze": "11-24 12:00",
        "daily_freeze": "11-24 00:00",
        "monthly_freeze": "11-01 00:00",
        "yearly_freeze": "01-01 00:00",
        "price_switch_freeze": "01-01 00:00",
        "step_switch_freeze": "01-01 00:00",
        "settlement": "11-01 00:00",
    } == times
    assert works.freeze("daily_freeze", 0, NOON) is None
    assert works.freeze("daily_freeze", 63, NOON) is None
    assert works.freeze("lunar_freeze", 1, NOON) is None


def test_freezes_that_somebody_orders() -> None:
    """A freeze on demand would be another one, or never forgotten."""
    works = meter()
    for number in range(5):
        works.history.happen(NOON + number * HOUR, "frozen", table="instant_freeze")
    works.history.happen(NOON + 6 * HOUR, "frozen", table="timed_freeze", pattern="99992000")
    rows = list(works.freezes("instant_freeze", NOON + DAY))
    assert ORDERED["instant_freeze"] == len(rows)
    assert [5, 4, 3] == [row.number for row in rows]
    assert NOON + 4 * HOUR == rows[0].taken_at
    assert 1 == len(list(works.freezes("timed_freeze", NOON + DAY)))
    assert [] == list(works.freezes("instant_freeze", NOON - HOUR))


def test_settlements_follow_the_settlement_day() -> None:
    """Bills would be of another month than the account's."""
    works = Works(Plate(address=ADDRESS, settlement_day=28), seed=3)
    freeze = works.freeze("settlement", 1, NOON)
    assert freeze is not None
    assert datetime(2026, 10, 28, tzinfo=PLANT_TIME) == freeze.frozen_at
    assert works.value(FORWARD, freeze.taken_at) == works.settled(FORWARD, 1, NOON)


# --- clock ------------------------------------------------------------------------------------------------


@given(drift=st.integers(-600, 600), after=st.timedeltas(timedelta(), 400 * DAY))
def test_a_clock_drifts_evenly_and_never_back(drift: int, after: timedelta) -> None:
    """A drift would be a jump, or time run backward."""
    clock = meter(drift_s_per_day=Decimal(drift)).clock
    at = INSTALLED_AT + after
    ahead = timedelta(
        microseconds=drift * 1_000_000 * (after // timedelta(microseconds=1)) // (86_400 * 10**6)
    )
    assert ahead == clock.ahead(at)
    assert clock.shows(at) <= clock.shows(at + timedelta(microseconds=1))
    shown = clock.shows(at)
    when = clock.showed(shown, at + DAY)
    if after:
        assert when is not None
        assert clock.shows(when) >= shown
        assert abs(when - at) <= timedelta(microseconds=2)


def test_a_drift_has_its_limit() -> None:
    """A drift of hours a day is a typing error."""
    with pytest.raises(ValueError, match="600"):
        meter(drift_s_per_day=Decimal(601))
