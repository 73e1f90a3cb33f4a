"""What a simulated meter shows: exact, repeatable, and consistent with itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metersim.works.curve import GROWTH_KW_MAX, TARIFFS, LoadCurve, draw
from metersim.works.readings import ENERGIES, INSTALLED_AT, PHASES, POWERS, Readings, items_of

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)  # 12:00 in the plant
LAST_KWH = Decimal("0.01")
_QUARTER = timedelta(minutes=15)

_times = st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_spans = st.timedeltas(min_value=timedelta(), max_value=timedelta(days=10))
_growths = st.decimals(min_value=0, max_value=2, places=2)  # no roll-over before 2040


def _shown(readings: Readings, item: str, at: datetime) -> Decimal:
    value = readings.value(item, at)
    assert value is not None
    return value


def _counted(curve: LoadCurve, at: datetime) -> int:
    return sum(curve.ticks(at).values())


@given(seed=st.integers(0, 9), at=_times, growth=_growths)
def test_the_tariffs_add_up_to_the_total_at_every_instant(seed: int, at: datetime, growth: Decimal) -> None:
    """A bill by tariffs and a bill by the total would differ."""
    readings = Readings("000000000161", seed=seed, growth_kw=growth)
    for energy in ENERGIES:
        tariffs = [_shown(readings, f"{energy}.t{tariff}", at) for tariff in TARIFFS]
        assert _shown(readings, energy, at) == sum(tariffs)


@given(at=_times, span=_spans, growth=_growths)
def test_a_register_never_falls(at: datetime, span: timedelta, growth: Decimal) -> None:
    """A falling register is a fault of a meter; a sound one must not show it."""
    readings = Readings("000000000161", seed=1, growth_kw=growth)
    for energy in ENERGIES:
        for item in items_of(energy):
            before, after = readings.value(item, at), readings.value(item, at + span)
            assert before is not None
            assert after is not None
            assert before <= after


@given(at=_times, span=_spans, growth=st.decimals(min_value=0, max_value=80, places=2))
def test_the_integral_of_the_power_is_the_register(at: datetime, span: timedelta, growth: Decimal) -> None:
    """Power and energy of one meter that tell two stories would hide a wrong conversion in the daemon."""
    curve = LoadCurve("k", mean_kw=growth, since=INSTALLED_AT)
    end = at + span
    deciwatt_microseconds = 0
    moment = at
    while moment < end:
        quarter_end = min(end, INSTALLED_AT + ((moment - INSTALLED_AT) // _QUARTER + 1) * _QUARTER)
        deciwatt_microseconds += curve.deciwatts(moment) * (
            (quarter_end - moment) // timedelta(microseconds=1)
        )
        moment = quarter_end
    counted = _counted(curve, end) - _counted(curve, at)
    assert abs(Decimal(deciwatt_microseconds) / (10 * 10**6 * 36_000) - counted) <= 1


@given(at=_times, growth=_growths)
def test_voltage_current_and_power_factor_give_the_power(at: datetime, growth: Decimal) -> None:
    """Checks that compare U, I and P would call a sound meter faulty."""
    readings = Readings("000000000007", seed=3, growth_kw=growth)
    for phase in PHASES:
        volts = _shown(readings, f"voltage.{phase}", at)
        amperes = _shown(readings, f"current.{phase}", at)
        factor = _shown(readings, f"power_factor.{phase}", at)
        watts = _shown(readings, f"active_power.{phase}", at) * 1000
        half_digits = volts * Decimal("0.0005") + abs(volts * amperes) * Decimal("0.0005") + Decimal("0.2")
        assert abs(abs(volts * amperes * factor) - abs(watts)) <= half_digits
        assert (amperes <= 0) == (watts <= 0) or amperes == 0


@given(at=_times)
def test_the_phases_add_up_to_the_total_power(at: datetime) -> None:
    """The block of three phases and the total would disagree."""
    readings = Readings("000000000007", seed=3, growth_kw=Decimal(20))
    for power in ("active_power", "reactive_power", "apparent_power"):
        phases = [_shown(readings, f"{power}.{phase}", at) for phase in PHASES]
        assert _shown(readings, power, at) == sum(phases)
    assert _shown(readings, "active_power.c", at) < 0


@given(at=_times, growth=_growths)
def test_the_shown_power_is_what_the_registers_count(at: datetime, growth: Decimal) -> None:
    """The phases' powers could lose a part of what the registers take, unseen by either alone."""
    readings = Readings("000000000007", seed=3, growth_kw=growth)
    start = INSTALLED_AT + (at - INSTALLED_AT) // _QUARTER * _QUARTER
    forward, reverse = (
        _shown(readings, energy, start + _QUARTER) - _shown(readings, energy, start)
        for energy in ("forward_active_energy", "reverse_active_energy")
    )
    assert abs(_shown(readings, "active_power", start) / 4 - (forward - reverse)) <= 2 * LAST_KWH
    assert abs(-_shown(readings, "active_power.c", start) / 4 - reverse) <= LAST_KWH


def test_a_day_grows_by_the_mean_load() -> None:
    """`growth_kw` would mean nothing that a reader of the registers can check."""
    readings = Readings("000000000161", seed=1, growth_kw=Decimal("2.5"))
    day = timedelta(days=1)
    for at in (NOON, NOON + timedelta(seconds=1), NOON + timedelta(hours=7)):
        grown = _shown(readings, "forward_active_energy", at + day) - _shown(
            readings, "forward_active_energy", at
        )
        assert abs(grown - 60) <= Decimal("0.3")  # the swing inside a half-hour differs from day to day


def test_a_fast_meter_shows_another_value_in_every_answer() -> None:
    """Tests that pair answers and readings by value need values that are all different."""
    readings = Readings("000000000161", seed=1, growth_kw=Decimal(7200))
    shown = [
        readings.value("forward_active_energy", NOON + timedelta(milliseconds=20 * k)) for k in range(200)
    ]
    assert 200 == len(set(shown))


def test_registers_depend_on_seed_and_address_alone() -> None:
    """A restarted simulator must show the registers that it showed before."""

    def shown(address: str, seed: int) -> list[Decimal | None]:
        readings = Readings(address, seed=seed)
        names = (*ENERGIES, *POWERS, "voltage", "current")
        return [readings.value(item, NOON) for name in names for item in items_of(name)]

    assert shown("000000000161", 1) == shown("000000000161", 1)
    assert shown("000000000161", 1) != shown("000000000161", 2)
    assert shown("000000000161", 1) != shown("000000000162", 1)
    assert 37 == len(shown("000000000161", 1))


def test_the_draw_is_the_same_on_every_machine() -> None:
    """Seeds in bug reports would mean something else on another machine or Python."""
    assert [draw("a", k, 1000) for k in range(4)] == [draw("a", k, 1000) for k in range(4)]
    assert [894845] == [draw("1/000000000161/voltage.a", 0, 10**6)]


def test_a_meter_has_no_other_item() -> None:
    """An item it does not have must be refused, not invented."""
    readings = Readings("000000000161", seed=1)
    for item in (
        "voltage",
        "voltage.d",
        "voltage.*",
        "forward_active_energy.t5",
        "frequency.a",
        "voltage_harmonic.a.h2",
        "",
        ".",
    ):
        assert readings.value(item, NOON) is None


def test_before_the_installation_the_registers_stand() -> None:
    """A clock set to the past must not make energies negative."""
    readings = Readings("000000000161", seed=1)
    long_ago = INSTALLED_AT - timedelta(days=365)
    for tariff in TARIFFS:
        item = f"forward_active_energy.t{tariff}"
        assert readings.value(item, INSTALLED_AT) == readings.value(item, long_ago)


def test_a_full_register_rolls_over() -> None:
    """A meter shows six whole digits; the seventh falls off, as on the real one."""
    readings = Readings("000000000161", seed=1, growth_kw=GROWTH_KW_MAX)
    hours = [
        _shown(readings, "forward_active_energy", INSTALLED_AT + timedelta(hours=hour)) for hour in range(240)
    ]
    assert max(hours) <= Decimal("999999.99")
    falls = [before - after for before, after in pairwise(hours) if after < before]
    assert 2 == len(falls)  # 240 h at 10 MW are 2.4 million kWh
    assert all(fall > 900_000 for fall in falls)


def test_growth_at_its_limits() -> None:
    """An absurd growth is a typing error and must be said, not simulated."""
    for growth in (Decimal(0), GROWTH_KW_MAX):
        readings = Readings("000000000161", seed=1, growth_kw=growth)
        power = _shown(readings, "active_power", NOON)
        assert (power == 0) == (growth == 0)
        assert power <= Decimal("79.9999")
        assert _shown(readings, "current.a", NOON) <= Decimal("799.999")
        assert _shown(readings, "forward_active_energy", NOON) <= Decimal("999999.99")
    for growth in (Decimal("-0.01"), GROWTH_KW_MAX + LAST_KWH):
        with pytest.raises(ValueError, match="kW"):
            Readings("000000000161", seed=1, growth_kw=growth)
