"""Every way of stealing, judged by the detection formula of its rule; events and status words of a meter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import correlation, median
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metersim import Line, Meter, Simulation, Station
from metersim.plant.happening_runner import Happenings
from metersim.plant.happenings import Happening
from metersim.works.conditions import Conditions
from metersim.works.cost_control import CostControl
from metersim.works.events import EVENT_DEPTH, KINDS
from metersim.works.load import Load
from metersim.works.moments import INSTALLED_AT
from metersim.works.plate import Plate
from metersim.works.switch import Command
from metersim.works.tampering import Method, tampered
from metersim.works.works import Works, usual_works
from meterwire.catalogue import quantities

ADDRESS = "000000000161"
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)  # a Tuesday, 12:00 in the plant
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOMINAL_V, BASIC_A = Decimal(220), Decimal(5)


def works_of(method: Method) -> Works:
    single = method is Method.SHUNTED
    plate = Plate(address=ADDRESS, phases=1 if single else 3, basic_current_a=BASIC_A)
    return Works(plate, seed=3, load=Load(mean_kw=Decimal(6)))


def of(works: Works, item: str, at: datetime) -> Decimal:
    value = works.value(item, at)
    assert value is not None, item
    return value


def three(works: Works, quantity: str, at: datetime) -> list[Decimal]:
    return [abs(of(works, f"{quantity}.{phase}", at)) for phase in "abc"]


def always(test: Callable[[Works, datetime], bool]) -> Callable[[Works], bool]:
    """Met at three samples in a row and for half an hour."""
    return lambda works: all(test(works, NOON + minutes * MINUTE) for minutes in (1, 16, 31))


def daily(works: Works, days: int, *, drawn: bool = False) -> list[Decimal]:
    def register(at: datetime) -> Decimal:
        return works.drawn_kwh(at) if drawn else of(works, "forward_active_energy", at)

    return [register(NOON + (n + 1) * DAY) - register(NOON + n * DAY) for n in range(days)]


def voltage_loss(works: Works, at: datetime) -> bool:
    lost = of(works, "voltage.a", at) < Decimal("0.78") * NOMINAL_V
    return lost and of(works, "current.a", at) > Decimal("0.005") * BASIC_A


def under_voltage(works: Works, at: datetime) -> bool:
    voltages = three(works, "voltage", at)
    return voltages[0] < Decimal("0.9") * median(voltages)


def ct_short(works: Works, at: datetime) -> bool:
    current, *others = three(works, "current", at)
    mean = sum(others, Decimal(0)) / 2
    normal = abs(of(works, "voltage.a", at) / NOMINAL_V - 1) < Decimal("0.1")
    return current < Decimal("0.02") * mean and mean > Decimal("0.1") * BASIC_A and normal


def ct_open(works: Works, at: datetime) -> bool:
    cut = of(works, "current.a", at) == 0 and works.events.lasts("current_cut.a", at)
    return ct_short(works, at) and cut


def shunt(works: Works, at: datetime) -> bool:
    line, neutral = of(works, "current.a", at), of(works, "neutral_current", at)
    return abs(line - neutral) / max(line, neutral) > Decimal("0.15") and abs(line - neutral) > Decimal("0.5")


def shunt_three(works: Works, at: datetime) -> bool:
    def shares(moment: datetime) -> list[Decimal]:
        currents = three(works, "current", moment)
        return [current / sum(currents) for current in currents]

    before = [shares(at - n * DAY) for n in range(1, 31)]
    mean = [sum((share[phase] for share in before), Decimal(0)) / 30 for phase in range(3)]
    return shares(at)[0] < Decimal("0.6") * mean[0]


def wrong_sequence(works: Works, at: datetime) -> bool:
    angles = [of(works, f"phase_angle.{phase}", at) for phase in "abc"]
    return any(90 < angle < 300 for angle in angles)


def polarity(works: Works, at: datetime) -> bool:
    reverse = of(works, "active_power.a", at) * 1000 < Decimal("-0.05") * BASIC_A * NOMINAL_V
    return reverse and works.events.lasts("flow_reversal.a", at)


def stuck(works: Works) -> bool:
    stands = of(works, "forward_active_energy", NOON + 2 * HOUR) == of(works, "forward_active_energy", NOON)
    power = min(of(works, "active_power", NOON + n * 15 * MINUTE) for n in range(8)) * 1000
    opened = works.events.lasts("cover_open", NOON + HOUR)
    return stands and power > Decimal("0.05") * BASIC_A * NOMINAL_V and opened


def bypassed(works: Works) -> bool:
    drawn, recorded = sum(daily(works, 7, drawn=True)), sum(daily(works, 7))
    return (drawn - recorded) / drawn > Decimal("0.15")


def loss_linked(works: Works) -> bool:
    recorded, drawn = daily(works, 15), daily(works, 15, drawn=True)
    losses = [float(one - other) for one, other in zip(drawn, recorded, strict=True)]
    if max(losses) < 1:
        return False  # no loss above LOSS-02
    steps = [after - before for before, after in pairwise(losses)]
    falls = [float(before - after) for before, after in pairwise(recorded)]
    return correlation(steps, falls) > 0.7


def dropped(works: Works) -> bool:
    history = [
        of(works, "forward_active_energy", NOON - n * DAY)
        - of(works, "forward_active_energy", NOON - (n + 1) * DAY)
        for n in range(30)
    ]
    return all(day < median(history) / 2 for day in daily(works, 7))


def used_while_off(works: Works) -> bool:
    opened = works.history.at(NOON + HOUR).contact_open
    return opened and daily(works, 1)[0] > Decimal("0.1")


def counted(kind: str, more_than: int) -> Callable[[Works], bool]:
    return lambda works: works.events.count(kind, NOON + DAY) > more_than


DETECTED: dict[Method, Callable[[Works], bool]] = {
    Method.VOLTAGE_LEAD_REMOVED: always(voltage_loss),
    Method.VOLTAGE_REDUCED: always(under_voltage),
    Method.CT_SHORTED: always(ct_short),
    Method.CT_OPEN: always(ct_open),
    Method.SHUNTED: always(shunt),
    Method.SHUNTED_THREE_PHASE: always(shunt_three),
    Method.WRONG_SEQUENCE: always(wrong_sequence),
    Method.CT_REVERSED: always(polarity),
    Method.REGISTER_BLOCKED: stuck,
    Method.BYPASSED: bypassed,
    Method.LOSS_LINKED: loss_linked,
    Method.MAGNET: lambda works: bool(works.events.events("magnetic_field", NOON + HOUR)),
    Method.SUDDEN_DROP: dropped,
    Method.POWER_CYCLED: counted("power_down", 3),
    Method.PROGRAMMED: counted("programming", 0),
    Method.USED_AFTER_TRIP: used_while_off,
}


def stolen_from(method: Method, strength: Decimal) -> Works:
    works = works_of(method)
    if method is Method.USED_AFTER_TRIP:
        works.history.change(NOON - HOUR, contact_open=True)
    clock = Simulation(seed=1).clock
    line = Line([Station(meter=Meter(ADDRESS, seed=1, works=works))], clock=clock, record=lambda _: None)
    theft = Happening(what="tampering", at=timedelta(), theft=method, strength=strength)
    happenings = Happenings([theft], [line], clock=clock, start=NOON)
    happenings.advance(NOON + 30 * DAY)
    assert [0] == [report.failed for report in happenings.reports()]
    return works


@pytest.mark.parametrize("method", Method)
def test_every_method_is_found_at_full_strength_and_not_without(method: Method) -> None:
    """A rule of the daemon could be tried on a theft that its formula does not describe."""
    assert DETECTED[method](stolen_from(method, Decimal(1)))
    assert not DETECTED[method](stolen_from(method, Decimal(0)))


@pytest.mark.parametrize("method", [m for m in Method if m not in {Method.POWER_CYCLED, Method.PROGRAMMED}])
def test_who_steals_pays_less_and_draws_as_much(method: Method) -> None:
    """What was stolen could not be said, or stealing would be a change of the customer's habits."""
    works, honest = stolen_from(method, Decimal(1)), works_of(method)
    end = NOON + 4 * DAY
    if method is not Method.USED_AFTER_TRIP:
        assert honest.drawn_kwh(end) == works.drawn_kwh(end)
        assert of(works, "forward_active_energy", end) < of(honest, "forward_active_energy", end)
    nothing = stolen_from(method, Decimal(0))
    if method is not Method.USED_AFTER_TRIP:
        assert [USUAL_ROW] == [row.conditions for row in nothing.history.rows]


USUAL_ROW = Conditions()


@given(strength=st.decimals(0, 1, places=2), method=st.sampled_from([Method.CT_SHORTED, Method.SHUNTED]))
def test_half_a_strength_is_half_a_theft(strength: Decimal, method: Method) -> None:
    """A strength would be a switch."""
    works, honest = stolen_from(method, strength), works_of(method)
    at = NOON + HOUR
    left = of(honest, "current.a", at) * (1 - strength)
    assert abs(of(works, "current.a", at) - left) <= of(honest, "current.a", at) / 20


@pytest.mark.parametrize("phases", [1, 3])
@pytest.mark.parametrize("strength", [Decimal(text) for text in ("0", "0.001", "0.3", "0.5", "0.7", "1")])
def test_a_reversed_part_of_a_ct_takes_twice_its_share(strength: Decimal, phases: Any) -> None:
    """THEFT-08 would be a switch: the least strength would take as much as a half."""
    plate, load = Plate(address=ADDRESS, phases=phases, sums="by_phase"), Load(mean_kw=Decimal(6))
    works, honest = Works(plate, seed=3, load=load), Works(plate, seed=3, load=load)
    works.history.become(NOON, tampered(Method.CT_REVERSED, strength))

    def counted(one: Works) -> Decimal:
        def net(at: datetime) -> Decimal:
            return of(one, "forward_active_energy.a", at) - of(one, "reverse_active_energy.a", at)

        return net(NOON + DAY) - net(NOON)

    assert abs(counted(works) - counted(honest) * (1 - 2 * strength)) <= Decimal("0.05")


LITTLE: list[tuple[Method, Literal[1, 3], str, str]] = [
    # with what is taken of the registers of all phases, as a part of phase a's share or of the whole
    (Method.VOLTAGE_LEAD_REMOVED, 1, "0.001", "0.001"),
    (Method.VOLTAGE_REDUCED, 1, "0.001", "0.001"),  # 0.00015, and the least that there is
    (Method.CT_SHORTED, 1, "0.001", "0.001"),
    (Method.CT_SHORTED, 1, "0.02", "0.02"),
    (Method.CT_SHORTED, 3, "0.01", "0.01"),
    (Method.CT_OPEN, 1, "0.001", "0.001"),
    (Method.CT_REVERSED, 1, "0.001", "0.002"),
    (Method.REGISTER_BLOCKED, 1, "0.001", "0.001"),
    (Method.BYPASSED, 1, "0.001", "0.001"),
    (Method.BYPASSED, 3, "0.01", "0.01"),
    (Method.MAGNET, 1, "0.001", "0.001"),  # 0.0007, and the least that there is
    (Method.MAGNET, 1, "0.01", "0.007"),
    (Method.SUDDEN_DROP, 3, "0.001", "0.001"),
]


@pytest.mark.parametrize(("method", "phases", "strength", "share"), LITTLE)
@pytest.mark.parametrize("mean_kw", ["0.1", "0.5"])
def test_the_least_strength_takes_its_share_over_time(
    method: Method, phases: Literal[1, 3], strength: str, share: str, mean_kw: str
) -> None:
    """A small theft would be recorded as one that goes on, and take nothing, or ten times as much."""
    plate, load = Plate(address=ADDRESS, phases=phases), Load(mean_kw=Decimal(mean_kw))
    works, honest = Works(plate, seed=3, load=load), Works(plate, seed=3, load=load)
    works.history.become(NOON, tampered(method, Decimal(strength)))
    one = method in {Method.CT_SHORTED, Method.CT_OPEN} and phases == 3
    item = "forward_active_energy.a" if one else "forward_active_energy"

    def counted(each: Works) -> Decimal:
        return of(each, item, NOON + 3650 * DAY) - of(each, item, NOON)

    taken = 1 - counted(works) / counted(honest)
    assert abs(taken / Decimal(share) - 1) < Decimal("0.1")


def test_a_crossed_current_is_turned_by_the_least_strength_too() -> None:
    """THEFT-07 would befall a meter and turn nothing."""
    assert (1, -1, 0) == tampered(Method.WRONG_SEQUENCE, Decimal("0.001")).angle_deg


def test_methods_that_are_none_are_refused() -> None:
    """A typing error would be a plant without theft."""
    with pytest.raises(ValueError, match="THEFT-99"):
        tampered("THEFT-99", 1)
    for strength in (Decimal("-0.01"), Decimal("1.01")):
        with pytest.raises(ValueError, match="0 to 1"):
            tampered(Method.BYPASSED, strength)
    with pytest.raises(ValueError, match="phase"):
        tampered(Method.CT_OPEN, 1, phase="d")
    with pytest.raises(ValueError, match="made up of several"):
        tampered(Method.POWER_CYCLED, 1)
    assert tampered("THEFT-10", 1).bypassed_per_mille == 1000


# --- events -----------------------------------------------------------------------------------------------


def test_an_event_lasts_as_long_as_its_cause_and_is_one() -> None:
    """The same loss would be told for each change of something else."""
    works = Works(Plate(address=ADDRESS), seed=3)
    works.history.change(NOON, without_supply=frozenset("b"))
    works.history.change(NOON + MINUTE, cover_open=True)
    works.clock.set(NOON + 3 * MINUTE, NOON + 2 * MINUTE)
    works.history.change(NOON + HOUR, without_supply=frozenset())
    [loss] = works.events.events("phase_loss.b", NOON + DAY)
    assert (1, NOON, NOON + HOUR) == (loss.number, loss.started_at, loss.ended_at)
    [lasting] = works.events.events("phase_loss.b", NOON + MINUTE)
    assert lasting.ended_at is None
    assert () == works.events.events("phase_loss.b", NOON - MINUTE)
    assert (loss,) == tuple(works.events.events("phase_loss.b", NOON + 2 * DAY))
    assert ["phase_loss.b"] == [event.kind for event in works.events.events("phase_loss", NOON + DAY)]
    assert timedelta(hours=1) == works.events.duration("phase_loss", NOON + DAY)
    assert works.events.lasts("phase_loss.b", NOON)
    assert not works.events.lasts("phase_loss.b", NOON + HOUR)


def test_the_last_ten_are_kept_and_all_are_counted() -> None:
    """Records would grow for ever, or the count stop with them."""
    works = Works(Plate(address=ADDRESS), seed=3)
    for number in range(25):
        works.history.change(NOON + number * HOUR, without_supply=frozenset("abc"))
        works.history.change(NOON + number * HOUR + MINUTE, without_supply=frozenset())
    kept = works.events.events("power_down", NOON + 2 * DAY)
    assert EVENT_DEPTH == len(kept)
    assert list(range(16, 26)) == [event.number for event in kept]
    assert 25 == works.events.count("power_down", NOON + 2 * DAY)
    assert 25 * MINUTE == works.events.duration("power_down", NOON + 2 * DAY)
    assert 3 == works.events.count("power_down", NOON + 2 * HOUR)


def test_what_somebody_does_to_a_meter_is_an_event() -> None:
    """Operations without a trace: an audit would find nothing."""
    works = Works(Plate(address=ADDRESS), seed=3, control=CostControl(has_relay=False))
    works.clock.set(NOON + HOUR, NOON)
    works.clock.set(NOON + MINUTE, NOON + MINUTE, broadcast=True)
    happenings = ("programmed", "demand_cleared", "registers_cleared")
    for number, happened in enumerate(happenings):
        works.history.happen(NOON + number * HOUR, happened, operator_code="00000007")  # type: ignore[arg-type]
    works.history.change(NOON + DAY, contact_open=True)
    works.history.change(NOON + DAY + MINUTE, contact_open=False)
    at = NOON + 2 * DAY
    for kind in (
        "clock_set",
        "broadcast_time_set",
        "programming",
        "demand_clear",
        "meter_clear",
        "relay_trip",
        "relay_close",
    ):
        assert 1 == works.events.count(kind, at), kind
    [programming] = works.events.events("programming", at)
    assert "00000007" == programming.details["operator_code"]
    [setting] = works.events.events("clock_set", at)
    assert ("2026-11-24 12:00:00", "2026-11-24 13:00:00") == tuple(setting.details.values())
    works.history.happen(at, "events_cleared")
    assert 0 == works.events.count("programming", at + MINUTE)
    assert 1 == works.events.count("event_clear", at + MINUTE)


def test_loads_beyond_the_limit_are_events_of_the_load() -> None:
    """A meter that is overloaded would not say so."""
    small = Plate(address=ADDRESS, max_current_a=Decimal(6))
    works = Works(small, seed=3, load=Load(mean_kw=Decimal(4)))
    at = INSTALLED_AT + 2 * DAY
    events = works.events.events("over_current.a", at)
    assert events
    for event in events:
        assert event.ended_at is not None
        middle = event.started_at + MINUTE
        assert abs(of(works, "current.a", middle)) > Decimal(6)
        assert works.events.lasts("over_current.a", middle)
    starts_and_ends = [time for event in events for time in (event.started_at, event.ended_at)]
    assert starts_and_ends == sorted(set(starts_and_ends), key=lambda time: time or at)
    assert 0 == works_of(Method.BYPASSED).events.count("over_current", at)


def test_an_exchanged_meter_has_no_past() -> None:
    """The new meter would tell the old one's events and freezes."""
    works = Works(Plate(address=ADDRESS), seed=3)
    works.history.change(NOON, cover_open=True)
    works.history.change(NOON + HOUR, cover_open=False)
    works.history.happen(NOON + DAY, "meter_exchanged", meter_number="000000000009")
    at = NOON + 3 * DAY
    assert 1 == works.events.count("cover_open", NOON + HOUR)
    assert 0 == works.events.count("cover_open", at)
    assert 2 == len(list(works.freezes("daily_freeze", at)))


def test_kinds_are_events_of_the_catalogue() -> None:
    """A protocol would look for a name that no event has."""
    names = quantities().keys()
    for kind in KINDS:
        assert names & {f"{kind}_record", f"{kind}_count", kind}, kind


# --- status words -----------------------------------------------------------------------------------------


def words(works: Works, at: datetime) -> list[object]:
    return [works.content(f"meter_status_word_{number}", at) for number in range(1, 8)]


def test_a_sound_meter_has_no_bit_set() -> None:
    """Every meter of a plant would be ill."""
    assert ["0000"] * 7 == words(works_of(Method.CT_OPEN), NOON)
    feeding_back = words(usual_works(ADDRESS, seed=1), NOON)
    assert ["0000", "0004", *["0000"] * 5] == feeding_back, "phase c"
    assert works_of(Method.CT_OPEN).content("meter_status_word_8", NOON) is None


@pytest.mark.parametrize(
    ("method", "word", "bit"),
    [
        (Method.VOLTAGE_LEAD_REMOVED, 4, 0),
        (Method.VOLTAGE_REDUCED, 4, 1),
        (Method.CT_SHORTED, 4, 3),
        (Method.CT_REVERSED, 4, 6),
        (Method.CT_REVERSED, 2, 0),
        (Method.CT_OPEN, 4, 8),
        (Method.WRONG_SEQUENCE, 7, 1),
        (Method.VOLTAGE_LEAD_REMOVED, 7, 2),
        (Method.CT_OPEN, 7, 8),
    ],
)
def test_status_words_follow_what_happens(method: Method, word: int, bit: int) -> None:
    """A reader of status words alone would see nothing."""
    found = words(stolen_from(method, Decimal(1)), NOON + HOUR)[word - 1]
    assert int(str(found), 16) >> bit & 1, found


def test_word_3_tells_the_contact() -> None:
    """A trip could not be read back."""
    works = works_of(Method.CT_OPEN)
    works.switch.obey(Command(kind="trip"), NOON)
    assert "0050" == words(works, NOON)[2]
    assert Decimal(0) == works.value("current.a", NOON)
    assert Decimal(0) == works.value("active_power", NOON)
    energy = works.value("forward_active_energy", NOON)
    assert energy == works.value("forward_active_energy", NOON + DAY)
    assert 2 == works.events.count("relay_trip", NOON), "one is the factory's"
    works.switch.obey(Command(kind="permit_close", came_by="645"), NOON + DAY)
    assert "0010" == words(works, NOON + DAY)[2], "waits for the key"
    assert works.switch.press_key(NOON + DAY)
    assert "0000" == words(works, NOON + DAY)[2]


def test_a_meter_without_power_measures_nothing() -> None:
    """A dead line would be a working one."""
    works = works_of(Method.CT_OPEN)
    works.history.change(NOON, without_supply=frozenset("abc"))
    assert not works.powered(NOON)
    for item in ("voltage.a", "current.b", "active_power", "frequency", "neutral_current"):
        assert Decimal(0) == works.value(item, NOON + MINUTE)
    works.history.change(NOON + 26 * HOUR, without_supply=frozenset())
    hours = [freeze.frozen_at.hour for freeze in works.freezes("hourly_freeze", NOON + 28 * HOUR)]
    assert [16, 15, 14, 11, 10] == hours[:5], "none from 12:00 to the next day's 14:00"
    assert 2 == len([f for f in works.freezes("daily_freeze", NOON + 27 * HOUR) if f.taken_at > NOON - DAY])
