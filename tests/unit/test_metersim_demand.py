"""Largest demands and settlements of a simulated meter, against a search minute by minute."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from metersim.works.conditions import Conditions
from metersim.works.load import KINDS, Load
from metersim.works.moments import INSTALLED_AT, to_us
from metersim.works.plate import Plate
from metersim.works.works import Works

ADDRESS = "000000000161"
START = INSTALLED_AT
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WINDOW = 15 * MINUTE
MICROSECOND = timedelta(microseconds=1)
ROUNDED_KW = 3 * Decimal("0.0001")
"""Each phase shows its power, which is no whole number, within one of the last digit."""

_conditions = st.builds(
    Conditions,
    without_supply=st.sampled_from([frozenset[str](), frozenset("a"), frozenset("abc")]),
    load_per_mille=st.integers(0, 3000),
    angle_deg=st.sampled_from([(0, 0, 0), (180, 180, 180)]),
)
_changes = st.lists(st.tuples(st.timedeltas(timedelta(), 2 * DAY), _conditions), max_size=4)


def meter(**traits: object) -> Works:
    load = Load(mean_kw=Decimal(8))
    return Works(Plate(address=ADDRESS), **{"seed": 3, "load": load, **traits})  # type: ignore[arg-type]


def mean_kw(works: Works, end: datetime) -> Fraction:
    """Of the 15 minutes before, by the power that was shown."""
    marks = [row.at for row in works.history.rows]
    marks += [START + n * WINDOW for n in range((end - START) // WINDOW - 1, (end - START) // WINDOW + 1)]
    inside = sorted(at for at in {*marks, end - WINDOW} if end - WINDOW <= at < end)
    total = Fraction(0)
    for at, until in zip(inside, [*inside[1:], end], strict=True):
        power = works.value("active_power", at)
        assert power is not None
        total += Fraction(max(power, Decimal(0))) * ((until - at) // MICROSECOND)
    return total / (WINDOW // MICROSECOND)


def brute(works: Works, start: datetime, end: datetime, tariff: int = 0) -> tuple[Fraction, datetime] | None:
    """The largest mean of any 15 whole minutes in which the meter worked, and when they ended."""
    best = None
    marks = [row.at for row in works.history.rows]
    moment = START + -((START - start - WINDOW) // MINUTE) * MINUTE
    while moment <= end:
        window = [moment - WINDOW, *(at for at in marks if moment - WINDOW < at < moment)]
        before = works.clock.shows(moment - MICROSECOND)
        half_hour = before.hour * 2 + before.minute // 30
        fits = not tariff or works.registers.timetable.half_hours[half_hour] == tariff
        if moment - WINDOW >= start and fits and all(map(works.powered, window)):
            mean = mean_kw(works, moment)
            if mean and (best is None or mean > best[0]):
                best = mean, moment
        moment += MINUTE
    return best


def shown(works: Works, at: datetime, suffix: str = "") -> tuple[Decimal | None, object]:
    item = "forward_active_max_demand"
    return works.value(f"{item}{suffix}", at), works.content(f"{item}_at{suffix}", at)


@given(
    changes=_changes,
    after=st.timedeltas(timedelta(), 2 * DAY),
    kind=st.sampled_from(KINDS),
    tariff=st.integers(0, 4),
    ahead=st.integers(-2000, 2000),
)
@settings(max_examples=60)
def test_the_largest_demand_is_the_largest_of_all_windows(
    changes: list[tuple[timedelta, Conditions]], after: timedelta, kind: str, tariff: int, ahead: int
) -> None:
    """Bills by demand would rest on a figure that no 15 minutes had."""
    works = meter(
        load=Load(kind=kind, mean_kw=Decimal(8)),  # type: ignore[arg-type]
        clock_ahead=timedelta(minutes=ahead),
    )
    for when, conditions in sorted(changes, key=lambda change: change[0]):
        works.history.become(START + when, conditions)
    settled = next(works.freezes("settlement", START + after), None)
    since = settled.taken_at if settled else START
    found = brute(works, since, START + after, tariff)
    suffix = f".t{tariff}" if tariff else ""
    if found is None:
        assert (Decimal(0), None) == shown(works, START + after, suffix)
    else:
        value, at = shown(works, START + after, suffix)
        assert value is not None
        assert abs(found[0] - Fraction(value)) <= ROUNDED_KW
        noted = datetime.strptime(str(at), "%Y-%m-%d %H:%M").replace(tzinfo=found[1].tzinfo)
        window = noted + (found[1] - works.clock.shows(found[1]).replace(tzinfo=found[1].tzinfo))
        assert abs(found[0] - mean_kw(works, window)) <= ROUNDED_KW, "another window was as large"


@given(moments=st.lists(st.timedeltas(timedelta(), 40 * DAY), max_size=6))
def test_asking_earlier_or_later_does_not_change_a_demand(moments: list[timedelta]) -> None:
    """What is remembered of the last question would show in the next answer."""
    asked = meter()
    for after in moments:
        for suffix in ("", ".t2"):
            assert shown(meter(), START + after, suffix) == shown(asked, START + after, suffix)


def test_a_settlement_keeps_registers_and_demands_and_begins_anew() -> None:
    """A month's bill would hold the demand of another month."""
    works = Works(Plate(address=ADDRESS, settlement_day=15), seed=3, load=Load(mean_kw=Decimal(8)))
    settled_at = START.replace(month=3, day=15)
    before, at = START.replace(month=2, day=15), settled_at + 10 * DAY
    assert works.value("forward_active_energy", settled_at) == works.settled("forward_active_energy", 1, at)
    assert works.value("forward_active_energy", before) == works.settled("forward_active_energy", 2, at)
    largest = brute(works, settled_at - DAY, settled_at)
    assert largest is not None
    kept = works.settled("forward_active_max_demand", 1, at)
    assert isinstance(kept, Decimal)
    assert kept >= Decimal(int(largest[0] * 10_000)).scaleb(-4)
    assert str(works.settled("forward_active_max_demand_at", 1, at)) > f"{before:%Y-%m-%d}"
    assert Decimal(0) == works.value("forward_active_max_demand", settled_at)
    assert str(works.content("forward_active_max_demand_at", at)) > f"{settled_at:%Y-%m-%d}"
    assert works.settled("forward_active_energy", 4, at) is None
    assert works.settled("forward_active_energy", 0, at) is None


@given(changes=_changes, after=st.timedeltas(timedelta(), 2 * DAY))
def test_the_present_demand_is_the_mean_of_the_last_15_minutes(
    changes: list[tuple[timedelta, Conditions]], after: timedelta
) -> None:
    """A demand that is shown and the largest one would be two quantities."""
    works = meter()
    for when, conditions in sorted(changes, key=lambda change: change[0]):
        works.history.become(START + when, conditions)
    end = START + max(after, WINDOW) // MINUTE * MINUTE
    marks = [row.at for row in works.history.rows] + [START + n * WINDOW for n in range(194)]
    inside = sorted({end - WINDOW, *(at for at in marks if end - WINDOW < at < end)})
    for power in ("active", "reactive", "apparent"):
        total = Fraction(0)
        for at, until in zip(inside, [*inside[1:], end], strict=True):
            shown_kw = works.value(f"{power}_power", at)
            assert shown_kw is not None
            total += Fraction(shown_kw) * ((until - at) // MICROSECOND)
        mean = int(total * 10_000 / (WINDOW // MICROSECOND))
        demand = works.value(f"{power}_demand", end)
        assert demand is not None
        assert abs(Decimal(mean).scaleb(-4) - demand) <= ROUNDED_KW


def test_a_cleared_demand_begins_anew() -> None:
    """Clearing would leave the old demand standing."""
    works = meter()
    cleared_at = START + 5 * DAY + timedelta(hours=20)
    old, _ = shown(works, cleared_at)
    works.history.happen(cleared_at, "demand_cleared", operator_code="00000001")
    assert (Decimal(0), None) == shown(works, cleared_at)
    assert (Decimal(0), None) == shown(works, cleared_at + 14 * MINUTE)
    new, at = shown(works, cleared_at + 16 * MINUTE)
    assert old is not None
    assert new is not None
    assert 0 < new < old
    assert at in {"2024-01-06 20:15", "2024-01-06 20:16"}


def test_reactive_and_reverse_demands_follow_their_powers() -> None:
    """A demand would be that of another energy."""
    works = meter(load=Load(kind="photovoltaic", mean_kw=Decimal(8)))
    at = START + 3 * DAY
    assert Decimal(0) == works.value("forward_active_max_demand", at)
    reverse = works.value("reverse_active_max_demand", at)
    reactive = works.value("reactive_max_demand_q2", at)
    assert reverse is not None
    assert reactive is not None
    assert 0 < reactive < reverse
    assert reactive == works.value("combined_reactive_max_demand_2", at)
    assert Decimal(0) == works.value("combined_reactive_max_demand_1", at)
    apparent = works.value("reverse_apparent_max_demand", at)
    assert apparent is not None
    assert apparent >= reverse


def test_a_meter_of_one_phase_has_no_demands() -> None:
    """Registers that such meters have not would be read from it."""
    works = Works(Plate(address=ADDRESS, phases=1), seed=3)
    assert works.value("forward_active_max_demand", START + DAY) is None
    assert works.content("forward_active_max_demand_at", START + DAY) is None
    assert to_us(START) == 0
