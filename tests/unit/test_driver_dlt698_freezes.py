"""One night of a DL/T 698.45 meter: whole, in part, or none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.drivers.base import StoredAnswer, StoredRecord, Wanted
from meterlink.drivers.dlt698.driver import Dlt698Driver
from meterlink.errors import NoFreeze, UnknownItem
from meterlink.model.data_classes import DAILY_FREEZE, INSTANT
from meterprofiles import AssociationTraits
from meterwire.dlt698.apdus.get import GetRequestRecord
from meterwire.dlt698.apdus.parts import Dar, RecordRequest, RecordResult
from meterwire.dlt698.axdr.selection import Oad, ScalerUnit, SelectNthLast, SelectRange
from meterwire.dlt698.axdr.values import Data, DateTimeS
from meterwire.dlt698.objects.item_values import Contents
from meterwire.dlt698.objects.records import FROZEN_AT
from tests.support.dlt698_meter import ADDRESS, ScriptedMeter, converse
from tests.support.stored import accounted

_NIGHT = datetime(2026, 1, 1)  # noqa: DTZ001 - a meter's clock has no zone
_FROZEN_AT = datetime(2025, 12, 31, 16, tzinfo=UTC)
_FORWARD, _REVERSE = "forward_active_energy.*", "reverse_active_energy.*"
_REVERSE_COLUMN = Oad.of("00200200")
_ENERGY_COLUMNS = (Oad.of("00100200"), _REVERSE_COLUMN)
_TIME, _ENERGY = "00 20210200", "00 00100200"
"""Columns as they stand in an answer."""
_AT, _VALUE = "1C 07EA0101000000", "01 01 06 00003039"
"""The night, and an array of one register."""


def _night(at: datetime = _NIGHT, *, tariffs: int = 4) -> tuple[datetime, Contents]:
    names = ["", *(f".t{tariff}" for tariff in range(1, tariffs + 1))]
    forward = {f"forward_active_energy{name}": Decimal(10 + number) for number, name in enumerate(names)}
    reverse = {f"reverse_active_energy{name}": Decimal(number) for number, name in enumerate(names)}
    return at, {**forward, **reverse}


def _saying(columns_and_rows: str) -> ScriptedMeter:
    """A meter that answers each read of a freeze with these columns and rows, whatever it was asked for."""

    def instead(octets: bytes) -> bytes:
        return octets[:3] + bytes.fromhex(f"50040200 {columns_and_rows} 0000")

    return ScriptedMeter(records=[_night()], damage=instead)


def _read(
    meter: ScriptedMeter,
    items: Sequence[str] = (_FORWARD, _REVERSE),
    slot: datetime = _FROZEN_AT,
    traits: AssociationTraits | None = None,
) -> StoredAnswer:
    async def program(driver: Dlt698Driver, line: Line) -> StoredAnswer:
        wanted = Wanted(DAILY_FREEZE, items, [slot])
        return await driver.read_stored(line, ADDRESS, wanted, priority=Priority.BILLING)

    answer = converse(meter, program, traits=traits)
    assert isinstance(answer, StoredAnswer)
    accounted(answer, [slot])
    return answer


def _read_night(
    meter: ScriptedMeter,
    items: Sequence[str] = (_FORWARD, _REVERSE),
    traits: AssociationTraits | None = None,
) -> StoredRecord:
    """The night, which must come, and nothing with it."""
    [record] = _read(meter, items, traits=traits).records
    assert _FROZEN_AT == record.slot
    return record


def test_all_columns_come_in_one_exchange_under_one_instant() -> None:
    """Bills rest on the night's registers: all of one instant, and each under its own name."""
    meter = ScriptedMeter(records=[_night(_NIGHT - timedelta(days=1)), _night()])
    night = _read_night(meter)
    names = [value.item for value in night.values]
    assert ["forward_active_energy", "forward_active_energy.t1"] == names[:2]
    assert "reverse_active_energy.t4" == names[-1]
    assert [10, 11, 12, 13, 14, 0, 1, 2, 3, 4] == [value.value for value in night.values]
    assert 1 == len(meter.asked)


def test_a_night_that_is_not_there_yet_brings_no_values() -> None:
    """Last night's registers would be kept as tonight's."""
    tonight = _FROZEN_AT + timedelta(days=1)
    answer = _read(ScriptedMeter(records=[_night()]), slot=tonight)
    assert ([tonight], ()) == (list(answer.not_yet), answer.records)


def test_a_new_meter_has_none() -> None:
    """No rows is the usual answer of a meter before its first midnight; it is asked again later."""
    with pytest.raises(NoFreeze, match="has no daily_freeze yet"):
        _read(ScriptedMeter())


def test_a_row_of_nothing_is_no_freeze() -> None:
    """Firmware that answers so would bring a freeze of no time with no values, and stop later tries."""
    meter = ScriptedMeter(null_row=True)
    with pytest.raises(NoFreeze, match="has no daily_freeze yet"):
        _read(meter)


def test_a_time_that_cannot_be_true_is_no_freeze() -> None:
    """Its time is the key of the readings for ever."""
    with pytest.raises(NoFreeze, match="or none with a time"):
        _read(ScriptedMeter(records=[_night(_NIGHT + timedelta(days=2))]))


def _without_record(meter: ScriptedMeter) -> dict[datetime, str]:
    """What is told of the nights of which no record came, and that nobody calls gone."""
    answer = _read(meter)
    assert ((), [_FROZEN_AT]) == (answer.records, list(answer.unfit_slots))
    return dict(answer.unfit_slots)


def test_a_time_between_two_minutes_is_that_of_its_minute() -> None:
    """Through 645 the same night has no seconds: it would be two rows, or through 698.45 none at all."""
    night = _read_night(ScriptedMeter(records=[_night(_NIGHT + timedelta(seconds=45))]))
    assert [10, 11, 12, 13, 14] == [value.value for value in night.values][:5]


def test_a_time_of_year_one_is_none() -> None:
    """A meter whose clock was never set sends it; its line must not end over it."""
    year_one = Data("date_time_s", DateTimeS(1, 1, 1, 0, 0, 0))
    told = _without_record(ScriptedMeter(records=[_night()], cells={FROZEN_AT: year_one}))
    assert "without a time of its own" in told[_FROZEN_AT]


def test_a_column_that_the_meter_does_not_keep_is_refused_alone() -> None:
    """NULL in the place of a column must neither become a reading nor cost the others."""
    at, contents = _night()
    kept = {item: value for item, value in contents.items() if not item.startswith("reverse")}
    night = _read_night(ScriptedMeter(records=[(at, kept)]))
    assert 5 == len(night.values)
    assert {_REVERSE} == set(night.refused)


def test_a_whole_that_is_refused_for_a_column_is_read_apart() -> None:
    """Firmware that refuses a record for one unknown column would never be read at all."""
    meter = ScriptedMeter(records=[_night()], refused_columns=frozenset({_REVERSE_COLUMN}))
    night = _read_night(meter)
    assert 5 == len(night.values)
    assert {_REVERSE} == set(night.refused)
    assert "对象未定义" in night.refused[_REVERSE]
    selectors = [type(apdu.record.rsd) for apdu in meter.asked if isinstance(apdu, GetRequestRecord)]
    assert [SelectRange] * 4 == selectors, "the whole, the times, and each column of the same span"


def test_a_column_of_another_table_is_not_of_this_freeze() -> None:
    """A month's register would be kept as the night's, under one key with it."""
    monthly = "01 50060200 01 00100201"
    night = _read_night(
        _saying(f"03 {_TIME} {_ENERGY} {monthly} 01 01 {_AT} {_VALUE} 02 01 06 0000AAAA"), [_FORWARD]
    )
    assert [("forward_active_energy", Decimal("123.45"))] == [(v.item, v.value) for v in night.values]
    alone = _read_night(_saying(f"02 {_TIME} {monthly} 01 01 {_AT} 02 01 06 0000AAAA"), [_FORWARD])
    assert ({_FORWARD}, ()) == (set(alone.refused), alone.values)


@pytest.mark.parametrize(
    "said",
    [
        f"03 {_TIME} {_ENERGY} {_ENERGY} 01 01 {_AT} {_VALUE} 01 01 06 0000AAAA",
        f"03 {_TIME} {_ENERGY} 00 00100201 01 01 {_AT} {_VALUE} 06 0000AAAA",
    ],
    ids=["column twice", "and its element"],
)
def test_an_item_that_is_said_twice_and_not_the_same_is_tried_again(said: str) -> None:
    """Two registers would be kept under one key, and the bill rest on whichever came last."""
    night = _read_night(_saying(said), [_FORWARD])
    assert ({_FORWARD}, ()) == (set(night.unfit), night.values)
    assert "says forward_active_energy@daily_freeze twice" in night.unfit[_FORWARD]


def test_an_item_that_is_only_repeated_is_kept_once() -> None:
    """A night would be lost to a column that firmware sends twice, or its key be kept twice."""
    night = _read_night(_saying(f"03 {_TIME} {_ENERGY} {_ENERGY} 01 01 {_AT} {_VALUE} {_VALUE}"), [_FORWARD])
    assert [Decimal("123.45")] == [value.value for value in night.values]


def test_only_columns_that_were_asked_for_count() -> None:
    """The same energy with other decimals, or around another moment, would pass for the one asked for."""
    precise, before = "00 00100400", "00 00108200"
    said = f"04 {_TIME} {precise} {_ENERGY} {before} 01 01 {_AT} 01 01 15 000000000000AAAA"
    night = _read_night(_saying(f"{said} {_VALUE} 01 01 06 0000AAAA"), [_FORWARD])
    assert [Decimal("123.45")] == [value.value for value in night.values]


@pytest.mark.parametrize(
    "said",
    [
        f"02 {_TIME} {_ENERGY} 01 02 {_AT} {_VALUE} {_AT} 01 01 06 0000AAAA",
        f"03 {_TIME} {_ENERGY} 00 202A0200 01 02 {_AT} {_VALUE} 55 07 05 000000000001"
        f" {_AT} {_VALUE} 55 07 05 000000000002",
        f"03 {_TIME} {_TIME} {_ENERGY} 01 01 {_AT} 1C 07E90C1F000000 {_VALUE}",
    ],
    ids=["two rows", "two addresses", "two times"],
)
def test_two_records_of_one_instant_are_no_answer(said: str) -> None:
    """Nobody knows which is the meter's."""
    answer = _read(_saying(said), [_FORWARD])
    assert ([_FROZEN_AT], ()) == (list(answer.unfit_slots), answer.records)
    assert f"meter {ADDRESS} sends" in answer.unfit_slots[_FROZEN_AT]


def test_rows_of_other_nights_are_passed_over_whoever_they_name() -> None:
    """Rows come by address first; the last one may be of an older night."""
    older = "1C 07E90C1F000000"
    said = f"03 {_TIME} {_ENERGY} 00 202A0200 01 02 {_AT} {_VALUE} 55 07 05 000000000001"
    night = _read_night(_saying(f"{said} {older} 01 01 06 0000AAAA 55 07 05 000000000002"), [_FORWARD])
    assert [Decimal("123.45")] == [value.value for value in night.values]


def test_a_column_of_another_night_is_not_of_this_one() -> None:
    """Firmware that takes any time for the newest would have last night's register kept as tonight's."""

    class Heedless(ScriptedMeter):
        def _record(self, asked: RecordRequest, *, sealed: bool) -> RecordResult:
            if asked.rcsd[-1] in _ENERGY_COLUMNS:
                asked = asked._replace(rsd=SelectNthLast(2))
            return ScriptedMeter._record(self, asked, sealed=sealed)

    meter = Heedless(
        records=[_night(_NIGHT - timedelta(days=1)), _night()], refused_columns=frozenset({_REVERSE_COLUMN})
    )
    night = _read_night(meter)
    assert () == night.values
    assert ({_FORWARD}, {_REVERSE}) == (set(night.unfit), set(night.refused))
    assert f"sends no {_FORWARD} of {_FROZEN_AT}" in night.unfit[_FORWARD]


def test_the_only_item_refused() -> None:
    """The night is there: whoever asks for what it does not hold must not be told that it is gone."""
    meter = ScriptedMeter(records=[_night()], refused_columns=frozenset({_REVERSE_COLUMN}))
    night = _read_night(meter, items=[_REVERSE])
    assert ({_REVERSE}, ()) == (set(night.refused), night.values)


def test_a_meter_that_refuses_all_records_has_no_freeze_and_says_why() -> None:
    """DAR 20 tells people that this model wants its reads wrapped."""
    with pytest.raises(NoFreeze, match="security authentication mismatch 安全认证不匹配"):
        _read(ScriptedMeter(records=[_night()], record_dar=Dar(20)))


def test_a_denied_association_is_no_freeze_yet() -> None:
    """It must be told once and tried again, not end the plan."""
    meter = ScriptedMeter(records=[_night()], needs_connect=True, password="1")
    with pytest.raises(NoFreeze, match="password wrong"):
        _read(meter, traits=AssociationTraits(connect="null"))


def test_data_that_do_not_fit_are_tried_again() -> None:
    """One broken column must not cost the night, and may be right at the next try."""
    meter = ScriptedMeter(
        records=[_night()], cells={_REVERSE_COLUMN: Data("array", (Data("visible-string", "x"),))}
    )
    night = _read_night(meter)
    assert 5 == len(night.values)
    assert {_REVERSE} == set(night.unfit)


def test_columns_are_scaled_as_the_device_says_on_request() -> None:
    """A meter with other decimals than the standard's would be billed by a factor of ten."""
    meter = ScriptedMeter(
        records=[_night()], raw={Oad.of("00100300"): Data("Scaler_Unit", ScalerUnit(-3, 33))}
    )
    night = _read_night(meter, items=["forward_active_energy"], traits=AssociationTraits(ask_scalers=True))
    assert [Decimal("1.000")] == [value.value for value in night.values]


def test_what_no_freeze_holds_is_refused_before_a_port_opens() -> None:
    """A plan with a typing error would ask for it every night."""
    driver = Dlt698Driver(SystemClock(), random_octets=bytes)
    for item in ("forward_active_energy.*", "forward_active_max_demand", "voltage.a"):
        driver.check_stored(DAILY_FREEZE, item)
    for item in ("meter_clock", "forward_active_energy@daily_freeze/last.1", "voltage.x"):
        with pytest.raises(UnknownItem):
            driver.check_stored(DAILY_FREEZE, item)
    for item in ("supply_time", "voltage_pass_rate.a", "traffic", "reset_count", "power_up_display_time"):
        with pytest.raises(UnknownItem, match="holds several:"):
            driver.check_stored(DAILY_FREEZE, item)
    with pytest.raises(UnknownItem):
        driver.check_stored(INSTANT, "forward_active_energy")
