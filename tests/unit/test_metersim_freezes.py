"""What a simulated meter freezes at midnight, and how it answers for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from metersim import Meter
from metersim.dlt645 import load_records
from metersim.dlt645.load_records import LoadRecords
from metersim.works.clock import CLOCK_AHEAD_MAX
from metersim.works.freezes import DEPTH, Between
from metersim.works.moments import PLANT_TIME
from metersim.works.plate import Plate
from metersim.works.works import Works
from meterwire.dlt645 import (
    AbnormalReply,
    ItemValue,
    ReadReply,
    ReadRequest,
    dictionary,
    from_frame,
    to_frame,
)
from meterwire.dlt645.items import formats

_ADDRESS = "000000000161"
_MIDNIGHT = datetime(2026, 11, 22, tzinfo=PLANT_TIME)
_DAY = timedelta(days=1)
_TARIFFS = ("", ".t1", ".t2", ".t3", ".t4")


def _meter(**traits: object) -> Meter:
    return Meter(_ADDRESS, seed=7, growth_kw=Decimal(7200), **traits)  # type: ignore[arg-type]


def _ask(meter: Meter, item: str, at: datetime) -> tuple[ItemValue, ...] | str:
    """The values of an item, or the words of the refusal."""
    entry = dictionary().by_name(item)
    assert entry is not None, item
    answer = meter.answer(to_frame(ReadRequest(address=_ADDRESS, di=entry.di)), at)
    assert answer is not None
    message = from_frame(answer.frame)
    if isinstance(message, AbnormalReply):
        return message.sentence("en")
    assert isinstance(message, ReadReply)
    values = entry.decode(message.data)
    assert {value.item: value.value for value in values if value.value is not None} == answer.values
    return values


def _numbers(meter: Meter, item: str, at: datetime) -> dict[str, Decimal | None]:
    values = _ask(meter, item, at)
    assert not isinstance(values, str), values
    return {value.item: value.value for value in values}


def _time(meter: Meter, number: int, at: datetime) -> str | None:
    values = _ask(meter, f"frozen_at@daily_freeze/last.{number}", at)
    assert not isinstance(values, str), values
    return values[0].text


@pytest.mark.parametrize("number", [1, 2, DEPTH])
@pytest.mark.parametrize("quantity", ["forward_active_energy", "reverse_active_energy"])
def test_a_freeze_is_what_the_registers_were(quantity: str, number: int) -> None:
    """Each test of the daemon's freezes compares with this table."""
    meter, at = _meter(), _MIDNIGHT + timedelta(hours=13)
    frozen_at = _MIDNIGHT - (number - 1) * _DAY
    expected = {f"{quantity}{tariff}": meter.value(f"{quantity}{tariff}", frozen_at) for tariff in _TARIFFS}
    assert expected == _numbers(meter, f"{quantity}@daily_freeze/last.{number}", at)
    assert f"{frozen_at:%Y-%m-%d %H:%M}" == _time(meter, number, at)


def test_the_whole_freeze_and_its_variables() -> None:
    """A collector that asks for everything at once gets the short set of real meters, in one frame."""
    meter, at = _meter(), _MIDNIGHT + timedelta(hours=13)
    block = _ask(meter, "freeze_block@daily_freeze/last.1", at)
    assert not isinstance(block, str)
    assert "2026-11-22 00:00" == block[0].text
    energies = [f"{name}_active_energy{tariff}" for name in ("forward", "reverse") for tariff in _TARIFFS]
    expected = {item: meter.value(item, _MIDNIGHT) for item in energies}
    assert expected == {value.item: value.value for value in block[1:]}
    powers = _numbers(meter, "freeze_variables@daily_freeze/last.1", at)
    assert 8 == len(powers)
    assert meter.value("active_power.b", _MIDNIGHT) == powers["active_power.b"]


@pytest.mark.parametrize("ahead", [timedelta(minutes=-7), timedelta(), timedelta(minutes=7), _DAY * 3])
def test_a_freeze_is_taken_at_midnight_of_the_meters_own_clock(ahead: timedelta) -> None:
    """A meter with a wrong clock freezes early or late, and says it was midnight."""
    meter = _meter(clock_ahead=ahead)
    just_after = _MIDNIGHT - ahead
    just_before = just_after - timedelta(microseconds=1)
    assert "2026-11-21 00:00" == _time(meter, 1, just_before)
    assert "2026-11-22 00:00" == _time(meter, 1, just_after)
    assert "2026-11-21 00:00" == _time(meter, 2, just_after)
    energy = _numbers(meter, "forward_active_energy@daily_freeze/last.1", just_after + _DAY / 2)
    assert meter.value("forward_active_energy", just_after) == energy["forward_active_energy"]


def test_before_its_first_midnight_a_meter_has_no_freeze() -> None:
    """A new meter would show a freeze of a day when it lay in its box."""
    meter = _meter(since=_MIDNIGHT)
    for item in ("frozen_at", "forward_active_energy", "freeze_block", "freeze_variables"):
        assert "no such data" in _ask(meter, f"{item}@daily_freeze/last.1", _MIDNIGHT + _DAY / 2)
    assert "2026-11-23 00:00" == _time(meter, 1, _MIDNIGHT + _DAY)
    assert "no such data" in _ask(meter, "frozen_at@daily_freeze/last.2", _MIDNIGHT + _DAY)
    assert 1 == len(list(meter.works.freezes("daily_freeze", _MIDNIGHT + _DAY)))
    assert DEPTH == len(list(_meter().works.freezes("daily_freeze", _MIDNIGHT)))


@pytest.mark.parametrize("item", ["combined_reactive_energy_1", "forward_active_max_demand"])
def test_what_a_meter_does_not_freeze_is_refused(item: str) -> None:
    """A meter of one phase, without reactive registers, must not answer with zeros."""
    single = Works(Plate(address=_ADDRESS, phases=1), seed=7)
    assert "no such data" in _ask(_meter(works=single), f"{item}@daily_freeze/last.1", _MIDNIGHT)


def test_the_range_of_a_wrong_clock() -> None:
    """A clock beyond the calendar would fail in the middle of a run."""
    _meter(clock_ahead=-CLOCK_AHEAD_MAX)
    with pytest.raises(ValueError, match="at most 400 days"):
        _meter(clock_ahead=CLOCK_AHEAD_MAX + timedelta(seconds=1))


@pytest.mark.parametrize(
    "item", ["forward_active_energy.*", "forward_active_energy.t2", "forward_active_energy"]
)
def test_a_settlement_is_of_its_own_time_in_whole_and_in_part(item: str) -> None:
    """A test of billing would take what the meter shows now for what it showed on the first."""
    meter = _meter()
    first = datetime(2026, 11, 1, tzinfo=PLANT_TIME)
    settled = _numbers(meter, f"{item}@settlement.1", _MIDNIGHT)
    assert {name: meter.value(name, first) for name in settled} == settled


@pytest.mark.parametrize("name", ["curve", "hourly_freeze", "daily_freeze", "monthly_freeze", "settlement"])
def test_a_stretch_of_a_table_is_the_rows_in_it(name: str) -> None:
    """A daemon that asks for one record would be told of another, or that there is none.

    The meter was off, its clock was set forth and back, and it drifts: numbers are missing, and times.
    """
    works = _troubled(_meter().works)
    at = _MIDNIGHT + timedelta(hours=13)
    rows = list(works.freezes(name, at))
    assert len(rows) > 1
    edges = [*(row.frozen_at for row in (rows[0], rows[len(rows) // 2], rows[-1])), at, at + 400 * _DAY]
    edges += [edge + timedelta(microseconds=1) for edge in edges[:3]]
    for begin in [datetime(1, 1, 2, tzinfo=PLANT_TIME), *edges]:
        for end in edges:
            expected = [row for row in rows if begin <= row.frozen_at < end]
            assert expected == list(works.freezes(name, at, Between(begin, end))), (begin, end)


@pytest.mark.parametrize("is_troubled", [False, True])
def test_load_records_from_a_time_are_the_first_that_the_meter_holds(is_troubled: bool) -> None:
    """Records that it still holds would be told gone, or those that it has overwritten be told of."""
    meter = _meter()
    if is_troubled:
        _troubled(meter.works)
    at = _MIDNIGHT + timedelta(hours=13)
    held = list(meter.works.freezes("curve", at))[: load_records.DEPTH][::-1]
    records = LoadRecords(meter.works, dictionary=dictionary())
    for back in (0, 1, 7, 900, 2500, load_records.DEPTH - 1, load_records.DEPTH, 2970, 4000):
        moment = held[-1].frozen_at - back * timedelta(minutes=15)
        selector = b"\x03" + formats.parse("YYMMDDhhmm").encode(f"{moment:%Y-%m-%d %H:%M}")
        expected = [one for one in held if one.frozen_at >= moment][:3]
        assert expected == records.chosen(1, selector, at), back
    assert held[:3] == records.chosen(0, b"\x03", at)


def _troubled(works: Works) -> Works:
    """Power cuts and a clock that was set, some days before midnight."""
    for days, phases in ((9, "abc"), (8, "")):
        works.history.change(_MIDNIGHT - days * _DAY, without_supply=frozenset(phases))
    works.clock.go_wrong(_MIDNIGHT - 5 * _DAY, by=timedelta(hours=30), drift_s_per_day=Decimal(60))
    works.clock.go_wrong(_MIDNIGHT - 2 * _DAY, by=-timedelta(hours=31))
    return works
