"""The driver of Modbus against a table of registers: what it asks for, and what it makes of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.bus.exchange import Session
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.drivers.base import MeterAnswer, Wanted, Window
from meterlink.drivers.choose import control_driver_for, driver_for
from meterlink.drivers.modbus.driver import ModbusDriver
from meterlink.drivers.modbus.plan import blocks
from meterlink.drivers.modbus.sunspec import MODELS_MAX
from meterlink.errors import (
    BadAnswer,
    ConfigError,
    MeterlinkError,
    NoControl,
    NoFreeze,
    Refused,
    ReplyTimeout,
    UnknownItem,
)
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.marks import NO_MARKS, Marks
from meterprofiles import Profile, packaged
from meterwire.modbus import (
    ExceptionReply,
    Framed,
    Framing,
    ReadReply,
    ReadRequest,
    Reply,
    decode,
    decode_request,
    encode,
    encode_pdu,
)
from tests.support.stored import MIDNIGHT

ADDRESS = "000000000009"
_ON_DEMAND = Priority.ON_DEMAND


class _Line:
    """A line with one unit that has some registers, all read with one function."""

    name = "scripted"

    def __init__(self, table: Mapping[int, int], *, framing: Framing = "rtu", code: int = 0) -> None:
        self.table = dict(table)
        self.framing: Framing = framing
        self.code = code
        self.asked: list[ReadRequest] = []
        self.transactions: list[int] = []

    async def exchange(self, session: Session, *, priority: Priority) -> None:
        """See ``Line.exchange``."""
        del priority
        framed = decode(session.octets_to_send(), self.framing)
        request = decode_request(framed.pdu)
        assert isinstance(request, ReadRequest)
        self.asked.append(request)
        self.transactions.append(framed.transaction)
        pdu = encode_pdu(self._reply(request))
        session.feed(encode(Framed(framed.unit, pdu, framed.transaction), self.framing))
        if not session.finished:
            raise ReplyTimeout("no answer in time")

    def _reply(self, request: ReadRequest) -> Reply:
        wanted = range(request.start, request.start + request.count)
        if self.code or any(address not in self.table for address in wanted):
            return ExceptionReply(request.function, self.code or 2)
        octets = b"".join(self.table[address].to_bytes(2, "big") for address in wanted)
        return ReadReply(request.function, octets)


def _profile(name: str) -> Profile:
    return packaged().named(f"modbus/{name}")


def _read(line: _Line, profile: Profile, item: str, **options: Any) -> MeterAnswer:
    driver: Any = ModbusDriver(SystemClock(), profile=profile)
    answer: MeterAnswer = asyncio.run(driver.read(line, ADDRESS, item, priority=_ON_DEMAND, **options))
    return answer


_SDM230 = {0: 0x4366, 1: 0x8000, 72: 0x449A, 73: 0x5000, 12: 0x44BB, 13: 0x8000}


def test_a_value_is_told_in_the_unit_of_the_catalogue() -> None:
    """Watts would be kept as kilowatts, a thousand times too much."""
    line = _Line(_SDM230)
    (power,) = _read(line, _profile("eastron-sdm230"), "active_power").values
    assert ("active_power", Decimal("1.5"), "kW", NO_MARKS) == (
        power.item,
        power.value,
        power.unit,
        power.marks,
    )
    assert [ReadRequest(4, 12, 2)] == line.asked
    (energy,) = _read(line, _profile("eastron-sdm230"), "forward_active_energy").values
    assert (Decimal("1234.5"), "1234.5", "kWh") == (energy.value, energy.text, energy.unit)


def test_a_block_takes_as_few_requests_as_its_registers_allow() -> None:
    """A meter on a slow line would be asked for each register by itself."""
    table = {at: at for at in range(10, 22)}
    line = _Line(table)
    values = _read(line, _profile("acrel-adl3000-e"), "forward_active_energy.*").values
    assert [ReadRequest(3, 10, 10)] == line.asked
    assert ["", ".t1", ".t2", ".t3", ".t4"] == [
        value.item.removeprefix("forward_active_energy") for value in values
    ]
    assert Decimal(10 * 65_536 + 11) / 100 == values[0].value


@given(
    spans=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 8)), min_size=1, max_size=30),
    registers_max=st.integers(8, 125),
    gap_max=st.integers(0, 40),
)
def test_every_span_is_in_one_request_and_none_is_too_long(
    spans: list[tuple[int, int]], registers_max: int, gap_max: int
) -> None:
    """A number would be read in two halves of two moments, or a meter asked for more than it gives."""
    found = blocks(spans, registers_max=registers_max, gap_max=gap_max)
    for start, count in spans:
        assert any(one.start <= start and start + count <= one.end for one in found)
    assert all(one.registers <= registers_max for one in found)
    wanted = {at for start, count in spans for at in range(start, start + count)}
    for one in found:
        gaps = "".join("x" if at in wanted else "." for at in range(one.start, one.end))
        assert all(len(gap) <= gap_max for gap in gaps.split("x"))


def test_registers_that_nobody_named_are_not_read_unless_the_map_allows_it() -> None:
    """Most meters refuse a request that touches a register they do not have."""
    assert ((0, 2), (6, 2)) == blocks([(6, 2), (0, 2)], registers_max=60, gap_max=3)
    assert ((0, 8),) == blocks([(6, 2), (0, 2)], registers_max=60, gap_max=4)
    assert ((0, 2), (6, 2)) == blocks([(6, 2), (0, 2)], registers_max=7, gap_max=4)


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (0x01, Refused, "illegal function"),
        (0x02, Refused, "illegal data address"),
        (0x04, Refused, "server device failure"),
        (0x06, BadAnswer, "busy"),
        (0x0B, ReplyTimeout, "gateway"),
        (0x77, Refused, "unknown exception (exception 77H)"),
    ],
)
def test_an_exception_is_one_of_our_errors(code: int, error: type[MeterlinkError], words: str) -> None:
    """A meter that is busy would be given up for the day, or one that has no such item be asked all night."""
    with pytest.raises(error) as caught:
        _read(_Line({}, code=code), _profile("eastron-sdm230"), "voltage.a")
    assert words in str(caught.value)
    if isinstance(caught.value, Refused):
        assert bytes((code,)) == caught.value.error_word


def test_requests_of_tcp_have_other_transactions_each() -> None:
    """A late answer would be taken for that to the next request."""
    profile = packaged().find("modbus-tcp", "SDM230-Modbus")
    line = _Line(_SDM230, framing="tcp")
    driver: Any = driver_for(profile, SystemClock(), random_octets=bytes)
    for _ in range(3):
        asyncio.run(driver.read(line, ADDRESS, "voltage.a", priority=_ON_DEMAND))
    assert [1, 2, 3] == line.transactions


@pytest.mark.parametrize(("protocol", "unit"), [("modbus-rtu", 0), ("modbus-rtu", 248), ("modbus-tcp", 256)])
def test_an_address_that_is_no_unit_is_refused(protocol: str, unit: int) -> None:
    """Another meter would be asked, or none, and nobody told why."""
    profile = packaged().find(protocol, "SDM230")
    driver: Any = ModbusDriver(SystemClock(), profile=profile)
    with pytest.raises(ConfigError, match="is a unit of"):
        asyncio.run(driver.read(_Line({}), f"{unit:012d}", "voltage.a", priority=_ON_DEMAND))


# --- SunSpec ---


def _sunspec(*models: tuple[int, Mapping[int, int], int], marker: int = 0x5375) -> dict[int, int]:
    """A chain of models: ID, registers by offset from the ID, length."""
    table = {40_000: marker, 40_001: 0x6E53}
    at = 40_002
    for number, contents, length in models:
        table |= {at + offset: 0 for offset in range(2 + length)} | {at: number, at + 1: length}
        table |= {at + offset: value for offset, value in contents.items()}
        at += 2 + length
    return table | {at: 0xFFFF, at + 1: 0}


_COMMON = {18: 0x4142, 19: 0x4300}
_METER = {8: 2305, 9: 0x8000, 10: 2311, 15: 0xFFFF, 46: 0x0001, 47: 0x86A0, 54: 1, 36: 0xFF9D, 37: 0}


def test_a_sunspec_model_is_found_in_its_chain_and_scaled_by_its_registers() -> None:
    """Meters of two makers have the same model at different addresses, with different scales."""
    line = _Line(_sunspec((1, _COMMON, 66), (160, {}, 28), (203, _METER, 105)), framing="tcp")
    driver: Any = ModbusDriver(SystemClock(), profile=_profile("sunspec-203"))

    def read(item: str) -> MeterAnswer:
        answer: MeterAnswer = asyncio.run(driver.read(line, ADDRESS, item, priority=_ON_DEMAND))
        return answer

    told = [(value.item, value.value, value.marks) for value in read("voltage.*").values]
    assert [
        ("voltage.a", Decimal("230.5"), NO_MARKS),
        ("voltage.b", None, Marks.ABSENT),
        ("voltage.c", Decimal("231.1"), NO_MARKS),
    ] == told
    begun = len(line.asked)
    assert Decimal(1_000) == read("forward_active_energy").values[0].value
    assert begun + 1 == len(line.asked), "the chain is walked once"
    assert Marks.ABSENT == read("forward_active_energy.a").values[0].marks
    assert Decimal("-0.99") == read("power_factor.c").values[0].value
    assert "ABC" == read("meter_model").values[0].text
    line.table = _sunspec((1, _COMMON, 66), (203, _METER, 105))
    with pytest.raises((BadAnswer, Refused)):
        read("voltage.a")
    assert Decimal("230.5") == read("voltage.a").values[0].value, "a model that has moved is looked for anew"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (_sunspec((1, {}, 66), marker=0), "no SunSpec marker"),
        (_sunspec((1, {}, 66), (103, {}, 50)), "no SunSpec model 203; it has 1, 103"),
        (_sunspec(*[(64_001, {}, 0)] * (MODELS_MAX + 1)), "no SunSpec model"),
        (_sunspec((1, {}, 66), (203, _METER | {15: 11}, 105)), "ten to the power of 11"),
        (_sunspec((1, {}, 66), (203, _METER | {1: 0xFFFE}, 105)), "no address is so high"),
        (_sunspec((1, {}, 66), (64_001, {1: 25_465}, 0)), "no address is so high"),
        (_sunspec((1, {}, 66), (203, {}, 6), (160, {}, 28)), "of 8 registers; its map wants"),
    ],
)
def test_a_chain_that_makes_no_sense_is_told(table: dict[int, int], words: str) -> None:
    """A device of another kind would be read as a meter, or be walked through for ever."""
    with pytest.raises(BadAnswer, match=words):
        _read(_Line(table, framing="tcp"), _profile("sunspec-203"), "voltage.a")


_FLOATS = {12: 0x4366, 13: 0x8000, 16: 0x7FC0, 54: 0xBF00, 68: 0x49F4, 69: 0x2400}
"""Of 213: 230.5 V of phase A, none of C, power factor -0.5 of A, 2,000,000 Wh."""


@pytest.mark.parametrize("number", [213, 214])
def test_a_sunspec_model_in_floating_point_is_read_without_scales(number: int) -> None:
    """A meter of the float family would be read as nonsense, or its power factor as a percentage."""
    line = _Line(_sunspec((1, _COMMON, 66), (number, _FLOATS, 124)), framing="tcp")
    profile = _profile(f"sunspec-{number}")

    def read(item: str) -> list[tuple[str, Decimal | None]]:
        return [(value.item, value.value) for value in _read(line, profile, item).values]

    voltages = [("voltage.a", Decimal("230.5")), ("voltage.b", Decimal(0)), ("voltage.c", None)]
    assert voltages == read("voltage.*")
    assert [("power_factor.a", Decimal("-0.5"))] == read("power_factor.a")
    assert [("forward_active_energy", Decimal("2000"))] == read("forward_active_energy")


def test_a_delta_meter_has_no_voltage_to_neutral_and_is_read_all_the_same() -> None:
    """Its 8000H would be kept as -32,768 V; and a model of its number would not be found."""
    table = _sunspec((1, _COMMON, 66), (204, _METER | {8: 0x8000, 10: 0x8000}, 105))
    line = _Line(table, framing="tcp")
    voltages = _read(line, _profile("sunspec-204"), "voltage.*").values
    assert [None, None, None] == [value.value for value in voltages]
    (energy,) = _read(line, _profile("sunspec-204"), "forward_active_energy").values
    assert Decimal(1_000) == energy.value


def test_sunspec_models_of_one_family_have_the_same_points_at_the_same_place() -> None:
    """A slip in one of the maps would be a phase's energy told as the total."""
    for family in ((201, 202, 203, 204), (211, 212, 213, 214)):
        places: dict[str, tuple[object, ...]] = {}
        for number in family:
            found = _profile(f"sunspec-{number}").registers
            assert found is not None
            for row in found.rows:
                place = (row.address, row.type, row.scale, row.scale_at, row.absent)
                assert place == places.setdefault(row.item, place), f"{row.item} of {number}"
                assert row.model in (1, number)
                assert row.source.startswith(f"model {row.model}: ")


# --- what a meter of Modbus has not ---


def test_what_a_map_does_not_have_is_refused_before_anything_is_sent() -> None:
    """A plan would ask a meter every night for what it can never tell."""
    line = _Line({})
    profile = _profile("eastron-sdm230")
    driver: Any = ModbusDriver(SystemClock(), profile=profile)
    driver.check_item("voltage.a")
    driver.check_instant("voltage.*")
    assert ("voltage.a",) == driver.check_status("voltage.a")
    for refused in (
        lambda: driver.check_item("voltage.b"),
        lambda: driver.check_window("voltage.a", Window()),
        lambda: driver.check_stored(DAILY_FREEZE, "forward_active_energy"),
        lambda: driver.event_kinds("*"),
        lambda: ModbusDriver(SystemClock(), profile=_profile("sunspec-203")).check_instant("meter_model"),
        lambda: ModbusDriver(SystemClock(), profile=_profile("sunspec-203")).check_status("meter_model"),
        lambda: _read(line, profile, "voltage.a", window=Window()),
    ):
        with pytest.raises(UnknownItem):
            refused()
    assert ({}, False) == (dict(driver.stored), driver.has_events)
    reading = driver.read_stored(line, ADDRESS, Wanted(DAILY_FREEZE, ["x"], [MIDNIGHT]), priority=_ON_DEMAND)
    with pytest.raises(NoFreeze):
        asyncio.run(reading)
    with pytest.raises(NoControl):
        control_driver_for(profile, SystemClock(), random_octets=bytes)
    assert [] == line.asked


def test_low_words_come_first_where_the_map_says_so() -> None:
    """A number of another maker would be read as nonsense, or worse, as another number."""
    usual = _profile("eastron-sdm230")
    assert usual.registers is not None
    turned = replace(usual, registers=replace(usual.registers, words="low_first"))
    (voltage,) = _read(_Line({0: 0x8000, 1: 0x4366}), turned, "voltage.a").values
    assert Decimal("230.5") == voltage.value
    (nan,) = _read(_Line({0: 0, 1: 0x7FC0}), turned, "voltage.a").values
    assert Marks.ABSENT == nan.marks


def test_rows_that_lie_together_come_in_one_request() -> None:
    """Twenty items of a plan would be twenty exchanges, of a meter that gives a hundred registers at once."""
    profile = _profile("acrel-adl3000-e")
    assert profile.registers is not None
    rows = {row.item: row for row in profile.registers.rows}
    items = tuple(rows)
    table = {
        at: 0x4000
        for row in rows.values()
        for start, count in row.spans
        for at in range(start, start + count)
    }
    line = _Line(table)
    driver = ModbusDriver(SystemClock(), profile=profile)
    group = driver.group(ADDRESS, items)
    assert 1 < len(group) <= profile.reads.together
    brought = asyncio.run(driver.read_group(line, ADDRESS, group, as_status=False, priority=_ON_DEMAND))
    assert list(group) == list(brought)
    assert 1 == len(line.asked)
    alone = {item: asyncio.run(driver.read(line, ADDRESS, item, priority=_ON_DEMAND)) for item in group}
    for item, one in brought.items():
        assert isinstance(one, MeterAnswer)
        assert alone[item].values == one.values


def test_who_refuses_rows_together_is_asked_one_by_one() -> None:
    """A meter that does not give a gap between two rows would give neither."""
    profile = _profile("acrel-adl3000-e")
    line = _Line({}, code=2)
    driver = ModbusDriver(SystemClock(), profile=profile)
    assert profile.registers is not None
    items = tuple(row.item for row in profile.registers.rows)
    group = driver.group(ADDRESS, items)
    with pytest.raises(Refused):
        asyncio.run(driver.read_group(line, ADDRESS, group, as_status=False, priority=_ON_DEMAND))
    assert items[:1] == driver.group(ADDRESS, items)
