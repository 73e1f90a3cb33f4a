"""What a simulated meter counts: exact, repeatable, and consistent with itself, whatever happens to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metersim.works.conditions import HISTORY_MAX, USUAL, Conditions, History, HistoryFull, OutOfOrder
from metersim.works.draw import draw
from metersim.works.items import (
    ENERGIES,
    POWERS,
    PRESENT,
    REGISTERS,
    items_of,
    phase_items_of,
)
from metersim.works.load import CYCLE_DAYS, KINDS, MEAN_KW_MAX, Load
from metersim.works.moments import INSTALLED_AT
from metersim.works.plate import PHASES, Plate
from metersim.works.timetable import TARIFFS, Timetable
from metersim.works.works import Works, usual_works

ADDRESS = "000000000161"
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)  # 12:00 in the plant
LAST_KWH = Decimal("0.01")
LAST_W_KWH = Decimal("0.000025")  # 0.1 W in a quarter of an hour
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
START = INSTALLED_AT
END = INSTALLED_AT + 100 * DAY

_times = st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2032, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_later = st.timedeltas(timedelta(), 100 * timedelta(days=1))
_spans = st.timedeltas(min_value=timedelta(), max_value=timedelta(days=10))
_loads = st.builds(
    Load,
    kind=st.sampled_from(KINDS),
    mean_kw=st.decimals(min_value=0, max_value=12, places=2),
    feed_in_share=st.sampled_from([Decimal(0), Decimal("0.1"), Decimal(1)]),
)
_per_mille = st.integers(0, 1000)
_three = st.tuples(_per_mille, _per_mille, _per_mille)
_conditions = st.builds(
    Conditions,
    contact_open=st.booleans(),
    bridged_per_mille=_per_mille,
    without_supply=st.frozensets(st.sampled_from(PHASES)),
    load_per_mille=st.integers(0, 2000),
    bypassed_per_mille=_per_mille,
    voltage_per_mille=_three,
    current_per_mille=_three,
    angle_deg=st.tuples(*[st.sampled_from([0, 60, 120, 180, -120])] * 3),
)
_plates = st.builds(
    Plate,
    address=st.just(ADDRESS),
    phases=st.sampled_from([1, 3]),
    ct_ratio=st.sampled_from([Decimal(1), Decimal(40)]),
    sums=st.sampled_from(["algebraic", "by_phase"]),
)
_changes = st.lists(
    st.tuples(st.timedeltas(min_value=timedelta(), max_value=100 * DAY), _conditions), max_size=4
)


def changed(plate: Plate, load: Load, changes: list[tuple[timedelta, Conditions]], **traits: object) -> Works:
    works = Works(plate, seed=5, load=load, **traits)  # type: ignore[arg-type]
    for after, conditions in sorted(changes, key=lambda change: change[0]):
        works.history.become(START + after, conditions)
    return works


def shown(works: Works, item: str, at: datetime) -> Decimal:
    value = works.value(item, at)
    assert value is not None, item
    return value


def registers(works: Works) -> list[str]:
    return [name for name in REGISTERS if works.value(name, START) is not None]


@given(
    plate=_plates, load=_loads, changes=_changes, after=st.timedeltas(timedelta(), 200 * DAY), ahead=_spans
)
def test_the_tariffs_add_up_to_the_total_at_every_instant(
    plate: Plate, load: Load, changes: list[tuple[timedelta, Conditions]], after: timedelta, ahead: timedelta
) -> None:
    """A bill by tariffs and a bill by the total would differ."""
    works = changed(plate, load, changes, clock_ahead=ahead)
    for energy in registers(works):
        tariffs = [shown(works, f"{energy}.t{tariff}", START + after) for tariff in TARIFFS]
        assert shown(works, energy, START + after) == sum(tariffs)


@given(plate=_plates, load=_loads, changes=_changes, after=_later, span=_spans)
def test_a_register_never_falls(
    plate: Plate,
    load: Load,
    changes: list[tuple[timedelta, Conditions]],
    after: timedelta,
    span: timedelta,
) -> None:
    """A falling register is a fault of a meter; one that nobody turns back must not show it."""
    works = changed(plate, load, changes)
    for energy in registers(works):
        for item in (*items_of(energy), *phase_items_of(energy, plate.phase_names)):
            assert shown(works, item, START + after) <= shown(works, item, START + after + span)


def integral_kwh(works: Works, item: str, start: datetime, end: datetime) -> Decimal:
    """The power that is shown, times the time it is shown."""
    rows = [row.at for row in works.history.rows]
    kwh = Decimal(0)
    moment = start
    while moment < end:
        quarter_end = START + ((moment - START) // QUARTER + 1) * QUARTER
        until = min([end, quarter_end, *(at for at in rows if at > moment)])
        hours = Decimal((until - moment) // timedelta(microseconds=1)) / 3_600_000_000
        kwh += shown(works, item, moment) * hours
        moment = until
    return kwh


@given(plate=_plates, load=_loads, changes=_changes, after=_later, span=_spans)
def test_the_integral_of_the_power_is_the_register(
    plate: Plate,
    load: Load,
    changes: list[tuple[timedelta, Conditions]],
    after: timedelta,
    span: timedelta,
) -> None:
    """Power and energy of one meter that tell two stories would hide a wrong conversion in the daemon."""
    works = changed(plate, load, changes)
    start, end = START + after, START + after + span
    for phase in ("", *(f".{name}" for name in plate.phase_names)):
        if phase and plate.phases == 1:
            continue
        grown = [
            shown(works, f"{energy}{phase}", end) - shown(works, f"{energy}{phase}", start)
            for energy in ("forward_active_energy", "reverse_active_energy")
        ]
        off = abs(integral_kwh(works, f"active_power{phase}", start, end) - (grown[0] - grown[1]))
        cut = 2 * LAST_W_KWH * plate.phases * (len(changes) + 1)  # at both ends of what stays the same
        assert off <= (2 * LAST_KWH if all(grown) else LAST_KWH) + cut


@given(plate=_plates, load=_loads, changes=_changes, after=_later)
def test_voltage_current_and_power_factor_give_the_power(
    plate: Plate, load: Load, changes: list[tuple[timedelta, Conditions]], after: timedelta
) -> None:
    """Checks that compare U, I and P would call a sound meter faulty."""
    works, at = changed(plate, load, changes), START + after
    for phase in plate.phase_names:
        volts = shown(works, f"voltage.{phase}", at)
        amperes = shown(works, f"current.{phase}", at)
        factor = shown(works, f"power_factor.{phase}", at)
        watts = shown(works, f"active_power.{phase}", at) * 1000
        if not volts or not watts:
            continue
        half_digits = volts * Decimal("0.0005") + abs(volts * amperes) * Decimal("0.0005") + Decimal("0.2")
        assert abs(abs(volts * amperes * factor) - abs(watts)) <= half_digits
        assert (amperes <= 0) == (watts <= 0) or amperes == 0


@given(at=_times)
def test_the_phases_add_up_to_the_total_power(at: datetime) -> None:
    """The block of three phases and the total would disagree."""
    works = usual_works("000000000007", seed=3, mean_kw=Decimal(20))
    for power in ("active_power", "reactive_power", "apparent_power"):
        assert shown(works, power, at) == sum(shown(works, f"{power}.{phase}", at) for phase in PHASES)
    assert shown(works, "active_power.c", at) < 0


@given(load=_loads, plate=_plates, at=st.timedeltas(timedelta(), 200 * DAY))
def test_a_cycle_is_worth_the_mean_load(load: Load, plate: Plate, at: timedelta) -> None:
    """`mean_kw` would mean nothing that a reader of the registers can check."""
    works = Works(replace(plate, sums="by_phase"), seed=1, load=load)
    ratio = plate.ct_ratio * plate.pt_ratio
    cycle = CYCLE_DAYS * DAY
    register = "reverse_active_energy" if load.kind == "photovoltaic" else "forward_active_energy"
    grown = shown(works, register, START + at + cycle) - shown(works, register, START + at)
    fed_back = load.feed_in_share if load.kind == "photovoltaic" and plate.phases == 3 else 0
    if not fed_back:
        expected = load.mean_kw / ratio * CYCLE_DAYS * 24
        assert abs(grown - expected) <= Decimal("1.7") + LAST_KWH  # the last deciwatt a weight
        assert grown <= expected


@given(seed=st.integers(0, 5), kind=st.sampled_from(KINDS))
def test_days_differ_and_working_days_are_no_weekends(seed: int, kind: str) -> None:
    """Every day would look like the last one: nothing that compares days could be tried."""
    works = Works(Plate(address=ADDRESS), seed=seed, load=Load(kind=kind, mean_kw=Decimal(5)))  # type: ignore[arg-type]
    register = "reverse_active_energy" if kind == "photovoltaic" else "forward_active_energy"
    midnights = [shown(works, register, START + n * DAY) for n in range(CYCLE_DAYS + 1)]
    days = [after - before for before, after in pairwise(midnights)]
    assert len(set(days)) > CYCLE_DAYS // 2
    if kind == "factory":
        rest = [day for n, day in enumerate(days) if n % 7 >= 5]
        assert max(rest) < min(day for n, day in enumerate(days) if n % 7 < 5)


def test_photovoltaic_exports_by_day_and_rests_at_night() -> None:
    """An export would be drawn, or the sun shine at midnight."""
    works = Works(Plate(address=ADDRESS), seed=1, load=Load(kind="photovoltaic", mean_kw=Decimal(3)))
    assert shown(works, "active_power", NOON) < 0
    assert Decimal(0) == shown(works, "active_power", NOON + timedelta(hours=12))
    assert shown(works, "forward_active_energy", NOON) == shown(works, "forward_active_energy", START)
    assert 90 < shown(works, "phase_angle.a", NOON) < 270


def test_registers_and_currents_of_a_meter_on_transformers_are_secondary() -> None:
    """A multiplier would be applied twice, or never."""
    direct = Works(Plate(address=ADDRESS), seed=1, load=Load(mean_kw=Decimal(1)))
    behind = Works(Plate(address=ADDRESS, ct_ratio=Decimal(50)), seed=1, load=Load(mean_kw=Decimal(50)))
    for item in ("forward_active_energy", "current.a", "active_power", "voltage.b"):
        assert shown(direct, item, NOON) == shown(behind, item, NOON)
    assert 50 * direct.drawn_kwh(NOON) == behind.drawn_kwh(NOON)


def test_a_meter_of_one_phase_has_one_phase() -> None:
    """It would show phases that no wire leads to."""
    works = Works(Plate(address=ADDRESS, phases=1), seed=1)
    for item in ("voltage.b", "current.c", "active_power.b", "forward_active_energy.b", "reactive_energy_q1"):
        assert works.value(item, NOON) is None
    assert shown(works, "current.a", NOON) == shown(works, "neutral_current", NOON)
    assert shown(works, "active_power", NOON) == shown(works, "active_power.a", NOON)


@given(plate=_plates, changes=_changes, after=_later)
def test_what_is_drawn_is_what_is_counted_while_nobody_steals(
    plate: Plate, changes: list[tuple[timedelta, Conditions]], after: timedelta
) -> None:
    """What was stolen could not be said."""
    honest = [
        (
            when,
            Conditions(
                contact_open=conditions.contact_open,
                without_supply=conditions.without_supply,
                load_per_mille=conditions.load_per_mille,
            ),
        )
        for when, conditions in changes
    ]
    works = changed(plate, Load(mean_kw=Decimal(4)), honest)
    item = "forward_active_energy"
    grown = shown(works, item, START + after) - shown(works, item, START)
    assert abs(works.drawn_kwh(START + after) / plate.ct_ratio - grown) <= LAST_KWH
    thief = changed(plate, Load(mean_kw=Decimal(4)), [])
    thief.history.change(START, bypassed_per_mille=500)
    assert thief.drawn_kwh(START + after) >= works.drawn_kwh(START + after) or honest
    seen = shown(thief, item, END) - shown(thief, item, START)
    assert abs(thief.drawn_kwh(END) / plate.ct_ratio - 2 * seen) < thief.drawn_kwh(END) / 10


# --- clock and tariffs ------------------------------------------------------------------------------------


def brute_tariffs(works: Works, start: datetime, end: datetime) -> list[int]:
    """Each minute's ticks go to the tariff of the meter's clock then; its switches are at whole minutes."""
    ticks = [0] * len(TARIFFS)
    counter = works.registers.counter("forward_active_energy")
    moment = start
    while moment < end:
        until = min(end, moment + timedelta(minutes=1))
        half_hour = works.clock.shows(moment)
        tariff = works.registers.timetable.half_hours[half_hour.hour * 2 + half_hour.minute // 30]
        micros = [(at - START) // timedelta(microseconds=1) for at in (moment, until)]
        ticks[tariff - 1] += counter.ticks(micros[1]) - counter.ticks(micros[0])
        moment = until
    return ticks


@given(
    ahead=st.integers(-3000, 3000),
    set_to=st.integers(-3000, 3000),
    days=st.integers(0, 60),
    minutes=st.integers(0, 1440),
)
def test_each_tick_goes_to_the_tariff_of_the_meters_own_clock(
    ahead: int, set_to: int, days: int, minutes: int
) -> None:
    """A meter with a wrong clock bills the wrong tariff: that could not be tried."""
    works = Works(
        Plate(address=ADDRESS),
        seed=2,
        load=Load(mean_kw=Decimal(9)),
        clock_ahead=timedelta(minutes=ahead),
    )
    set_at = START + timedelta(days=days, minutes=minutes)
    works.clock.set(set_at + timedelta(minutes=set_to), set_at)
    start = set_at - timedelta(hours=9)
    if start < START:
        return
    end = set_at + timedelta(hours=9)
    expected = brute_tariffs(works, start, end)
    for tariff in TARIFFS:
        item = f"forward_active_energy.t{tariff}"
        assert expected[tariff - 1] == (shown(works, item, end) - shown(works, item, start)) * 100


def test_a_drifting_clock_moves_the_tariffs() -> None:
    """Drift would be a number without consequences."""
    works = Works(Plate(address=ADDRESS), seed=2, load=Load(mean_kw=Decimal(9)), drift_s_per_day=Decimal(60))
    right = Works(Plate(address=ADDRESS), seed=2, load=Load(mean_kw=Decimal(9)))
    at = START + 60 * DAY
    assert at + timedelta(hours=1) == works.clock.shows(at)
    for item in ("forward_active_energy", "current.a"):
        assert shown(right, item, at) == shown(works, item, at)
    expected = brute_tariffs(works, at - timedelta(hours=5), at)
    for tariff in TARIFFS:
        item = f"forward_active_energy.t{tariff}"
        grown = shown(works, item, at) - shown(works, item, at - timedelta(hours=5))
        assert abs(expected[tariff - 1] - grown * 100) <= 30, "a switch stands inside a minute"
        assert shown(right, item, at) != shown(works, item, at)


def test_rest_days_have_their_own_tariffs() -> None:
    """A weekend would be billed like a working day."""
    works = Works(Plate(address=ADDRESS), seed=2, timetable=Timetable(rest_half_hours=(4,) * 48))
    saturday, monday = START + 5 * DAY, START + 7 * DAY
    for tariff in (1, 2, 3):
        item = f"forward_active_energy.t{tariff}"
        assert shown(works, item, saturday) == shown(works, item, monday)
        assert shown(works, item, START) < shown(works, item, saturday)


@pytest.mark.parametrize("half_hours", [(1,) * 47, (5,) * 48, (0,) * 48])
def test_a_timetable_that_is_none_is_refused(half_hours: tuple[int, ...]) -> None:
    """A tariff that no register counts would lose energy."""
    with pytest.raises(ValueError, match="48 tariffs"):
        Timetable(half_hours)
    with pytest.raises(ValueError, match="rest days"):
        Timetable(rest_days=frozenset({7}))


# --- registers that somebody touches ----------------------------------------------------------------------


def test_a_register_rolls_over_at_its_capacity() -> None:
    """A meter shows six whole digits; the seventh falls off, as on the real one."""
    works = Works(Plate(address=ADDRESS), seed=1, load=Load(mean_kw=Decimal(6)))
    works.history.happen(NOON, "register_set", forward_active_energy=Decimal("999999.90"))
    assert Decimal("999999.90") == shown(works, "forward_active_energy", NOON)
    assert Decimal("999999.90") == sum(
        shown(works, f"forward_active_energy.t{tariff}", NOON) for tariff in TARIFFS
    )
    assert shown(works, "forward_active_energy", NOON + timedelta(hours=1)) < 10
    with pytest.raises(ValueError, match=r"999999\.99"):
        works.history.happen(NOON, "register_set", forward_active_energy=Decimal(1_000_000))


@given(
    kwh=st.one_of(
        st.sampled_from([Decimal(0), Decimal("0.01"), Decimal("1234.56")]),
        st.decimals(min_value=0, max_value=900_000, places=2),
    ),
    minutes=st.integers(0, 1440),
    after=_later,
)
def test_the_tariffs_add_up_to_a_total_that_was_set(kwh: Decimal, minutes: int, after: timedelta) -> None:
    """A tariff below 0 shows as nearly a million, and a client that adds tariffs finds a broken meter."""
    works = Works(Plate(address=ADDRESS), seed=1, load=Load(mean_kw=Decimal(6)))
    at = NOON + timedelta(minutes=minutes)
    works.history.happen(at, "register_set", forward_active_energy=kwh)
    assert kwh == shown(works, "forward_active_energy", at)
    for moment in (at, at + after):
        tariffs = [shown(works, f"forward_active_energy.t{tariff}", moment) for tariff in TARIFFS]
        assert shown(works, "forward_active_energy", moment) == sum(tariffs)


def test_a_total_that_was_set_keeps_the_shares_of_its_tariffs() -> None:
    """A meter that draws at night alone would have drawn everything at noon."""
    works = Works(Plate(address=ADDRESS), seed=1)
    shares = {1: Decimal(10), 2: Decimal(30), 3: Decimal(0), 4: Decimal(60)}
    for tariff, kwh in shares.items():
        works.history.happen(NOON, "register_set", **{f"forward_active_energy.t{tariff}": kwh})
    works.history.happen(NOON, "register_set", forward_active_energy=Decimal(500))
    assert [5 * kwh for kwh in shares.values()] == [
        shown(works, f"forward_active_energy.t{tariff}", NOON) for tariff in TARIFFS
    ]


def test_a_fast_meter_rolls_over_by_itself() -> None:
    """Energies beyond the last digit would break the answer."""
    works = usual_works(ADDRESS, seed=1, mean_kw=MEAN_KW_MAX)
    hours = [shown(works, "forward_active_energy", START + timedelta(hours=hour)) for hour in range(240)]
    assert max(hours) <= Decimal("999999.99")
    falls = [before - after for before, after in pairwise(hours) if after < before]
    assert 2 <= len(falls) <= 3  # 240 h at 10 MW are 2.4 million kWh
    assert all(fall > 900_000 for fall in falls)
    assert Decimal("79.9999") == shown(works, "active_power", NOON)
    assert shown(works, "current.a", NOON) <= Decimal("799.999")


def test_a_cleared_meter_begins_at_nothing() -> None:
    """Readings of a cleared meter would not fall."""
    works = Works(Plate(address=ADDRESS), seed=1, load=Load(mean_kw=Decimal(6)))
    before = {item: shown(works, item, NOON - DAY) for item in REGISTERS}
    works.history.happen(NOON, "registers_cleared")
    for energy in REGISTERS:
        for item in (*items_of(energy), *phase_items_of(energy)):
            assert Decimal(0) == shown(works, item, NOON)
    assert before == {item: shown(works, item, NOON - DAY) for item in REGISTERS}
    day = shown(works, "forward_active_energy", NOON + DAY)
    assert 0 < day < 6 * 24 * 2


def test_registers_stick_run_away_and_run_back() -> None:
    """What a daemon must find could not be shown to it; the power stays what it is."""
    works = Works(Plate(address=ADDRESS), seed=1, load=Load(mean_kw=Decimal(6)))
    hour = timedelta(hours=1)
    for number, rate in enumerate([0, 3000, -1000]):
        works.history.change(NOON + number * hour, register_rate_per_mille=rate)
    at = [shown(works, "forward_active_energy", NOON + n * hour) for n in range(4)]
    assert at[0] == at[1]
    assert at[1] + 6 < at[2]
    assert at[3] < at[2]
    honest = Works(Plate(address=ADDRESS), seed=1, load=Load(mean_kw=Decimal(6)))
    for n in range(4):
        assert shown(honest, "active_power", NOON + n * hour) == shown(works, "active_power", NOON + n * hour)
    assert sum(shown(works, f"forward_active_energy.t{t}", NOON + 3 * hour) for t in TARIFFS) == at[3]


def test_an_exchanged_meter_has_its_own_number_and_registers() -> None:
    """The readings of two meters at one place would be one series."""
    works = Works(Plate(address=ADDRESS), seed=1)
    works.history.happen(
        NOON, "meter_exchanged", meter_number="000000009999", forward_active_energy=Decimal("3.20")
    )
    assert ADDRESS == works.content("meter_number", NOON - timedelta(seconds=1))
    assert "000000009999" == works.content("meter_number", NOON)
    assert Decimal("3.20") == shown(works, "forward_active_energy", NOON)
    assert Decimal(0) == shown(works, "reverse_active_energy", NOON)
    assert ADDRESS == works.content("communication_address", NOON)


# --- the same for the same --------------------------------------------------------------------------------


def test_values_depend_on_seed_and_address_alone() -> None:
    """A restarted simulator must show the registers that it showed before."""

    def values(address: str, seed: int) -> list[Decimal | None]:
        works = usual_works(address, seed=seed)
        names = (*ENERGIES, *POWERS, "voltage", "current", *PRESENT)
        return [works.value(item, NOON) for name in names for item in items_of(name)]

    assert values(ADDRESS, 1) == values(ADDRESS, 1)
    assert values(ADDRESS, 1) != values(ADDRESS, 2)
    assert values(ADDRESS, 1) != values("000000000162", 1)
    assert 42 == len(values(ADDRESS, 1))


def test_asking_does_not_change_the_answer() -> None:
    """Lazy sums would show: a table read from its end must be the one read from its beginning."""
    moments = [START + n * timedelta(hours=37) for n in range(40)]
    items = [*items_of("forward_active_energy"), "forward_active_max_demand"]
    one, other = (Works(Plate(address=ADDRESS), seed=4) for _ in range(2))
    forward = [[one.value(item, at) for item in items] for at in moments]
    backward = [[other.value(item, at) for item in items] for at in moments[::-1]]
    assert forward == backward[::-1]


def test_the_draw_is_the_same_on_every_machine() -> None:
    """Seeds in bug reports would mean something else on another machine or Python."""
    assert [894845] == [draw("1/000000000161/voltage.a", 0, 10**6)]


def test_a_meter_has_no_other_item() -> None:
    """An item it does not have must be refused, not invented."""
    works = usual_works(ADDRESS, seed=1)
    for item in (
        "voltage",
        "voltage.d",
        "voltage.*",
        "forward_active_energy.t5",
        "forward_active_energy.d",
        "combined_active_energy.a",
        "frequency.a",
        "voltage_harmonic.a.h2",
        "",
        ".",
    ):
        assert works.value(item, NOON) is None


def test_before_it_was_switched_on_the_registers_stand() -> None:
    """A clock set to the past must not make energies negative."""
    works = usual_works(ADDRESS, seed=1)
    for item in items_of("forward_active_energy"):
        assert works.value(item, START) == works.value(item, START - 365 * DAY)


# --- limits -----------------------------------------------------------------------------------------------


def test_figures_out_of_range_are_refused() -> None:
    """An absurd figure is a typing error and must be said, not simulated."""
    for load in (Decimal("-0.01"), MEAN_KW_MAX + LAST_KWH):
        with pytest.raises(ValueError, match="kW"):
            Load(mean_kw=load)
    with pytest.raises(ValueError, match="household"):
        Load(kind="boat")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="share"):
        Load(feed_in_share=Decimal(2))
    for trait in (
        {"address": "12"},
        {"meter_number": "x"},
        {"phases": 2},
        {"ct_ratio": Decimal(0)},
        {"settlement_day": 29},
        {"basic_current_a": Decimal(61)},
        {"voltage_v": Decimal(500)},
    ):
        with pytest.raises(ValueError, match=r"write|outside"):
            Plate(**{"address": ADDRESS, **trait})  # type: ignore[arg-type]
    figures: list[dict[str, Any]] = [
        {"bypassed_per_mille": 1001},
        {"voltage_per_mille": (0, -1, 0)},
        {"without_supply": frozenset("d")},
    ]
    for figure in figures:
        with pytest.raises(ValueError, match=r"outside|write"):
            Conditions(**figure)


def test_a_history_is_in_order_and_has_an_end() -> None:
    """Rows out of order would change what was already answered; endless ones slow every answer down."""
    history = History(START)
    history.change(START + DAY, contact_open=True)
    with pytest.raises(OutOfOrder):
        history.change(START, contact_open=False)
    assert history.at(START) == USUAL
    assert history.at(START + DAY).contact_open
    history.change(START + DAY, contact_open=True)
    assert 2 == len(history.rows), "nothing changed, nothing is written"
    for number in range(HISTORY_MAX - 2):
        history.change(START + DAY, cover_open=number % 2 == 0)
    assert HISTORY_MAX == len(history.rows)
    with pytest.raises(HistoryFull, match="full"):
        history.change(START + DAY, magnetic_field=True)
