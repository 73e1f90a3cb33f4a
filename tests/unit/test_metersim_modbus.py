"""Simulated meters of Modbus: what their registers hold is what they measure, and what they refuse."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import Measured
from meterlink.drivers.modbus.driver import ModbusDriver
from meterlink.errors import Refused, ReplyTimeout
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from meterprofiles import Profile, packaged
from metersim import NO_FAULTS, AnswerRecord, Faults, Meter, Simulation, Station
from metersim import Line as MeterLine
from metersim.line.language import Speaker
from metersim.modbus.meter import MeterModbus
from metersim.plant.concentrator_row import ConcentratorRow
from metersim.plant.making import Named, speaker
from metersim.plant.rows import MeterRow
from meterwire.modbus import (
    ExceptionReply,
    Framed,
    IdentificationReply,
    IdentificationRequest,
    Message,
    ReadRequest,
    Reply,
    WriteRegister,
    encode_pdu,
)
from tests.support.simulated import Duplex

UNIT = "000000000009"
NOON = datetime(2026, 11, 22, 12, tzinfo=CHINA_TIME)
_PROFILES = [
    packaged().find(protocol, profile.model.rstrip("*"))
    for profile in packaged().all
    if profile.registers is not None
    for protocol in ("modbus-rtu", "modbus-tcp")
]


def _meter(profile: Profile, address: str = UNIT) -> MeterModbus:
    row = MeterRow(address=str(int(address)), profile=profile, feed_in_share=Decimal("0.1"))
    made = speaker(Named(address, "line-1", row), seed=5, start=NOON - timedelta(days=400))
    assert isinstance(made, MeterModbus)
    return made


def _with(
    profile: Profile,
    meters: list[Speaker],
    program: Callable[[ModbusDriver, Line], Awaitable[None]],
    *,
    faults: Faults = NO_FAULTS,
    paced: bool = False,
) -> list[AnswerRecord]:
    """Run a program on a line of simulated meters in simulated time; what they answered."""
    simulation = Simulation(start=NOON)
    given: list[AnswerRecord] = []

    async def main() -> None:
        near, far = memory_line()

        async def opener() -> ByteStream:
            return near

        stations = [Station(meter=meter, faults=faults) for meter in meters]
        there = MeterLine(stations, clock=simulation.clock, record=given.append, paced=paced)
        line = Line("line1", opener=opener, timing=Timing(), rng=random.Random(1))
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(line.run(), name="owner"),
                group.create_task(there.serve(Duplex(far)), name="meters"),
            ]
            await program(ModbusDriver(simulation.clock, profile=profile), line)
            for task in tasks:
                task.cancel()

    simulation.run(main())
    return given


@pytest.mark.parametrize("profile", _PROFILES, ids=lambda profile: f"{profile.name}-{profile.protocol[-3:]}")
def test_every_map_reads_back_what_the_meter_shows(profile: Profile) -> None:
    """A row would be written and read by one mistake: each is held against what the works show."""
    meter = _meter(profile)
    assert profile.registers is not None
    read: list[Measured] = []

    async def program(driver: ModbusDriver, line: Line) -> None:
        for item in dict.fromkeys(row.item.partition(".")[0] for row in profile.registers.rows):  # type: ignore[union-attr]
            answer = await driver.read(line, UNIT, f"{item}.*", priority=Priority.BILLING)
            read.extend(answer.values)

    given = _with(profile, [meter], program)
    told = {item: value for record in given for item, value in record.values.items()}
    assert [row.item for row in profile.registers.rows] == sorted(
        (value.item for value in read), key=[row.item for row in profile.registers.rows].index
    )
    assert told == {value.item: value.value for value in read if value.value is not None}
    assert told["forward_active_energy"] > 0
    at = given[-1].at
    for item, value in told.items():
        shown = meter.works.value(item, at)
        assert shown is not None
        assert abs(shown - value) <= max(abs(shown) / 1000, Decimal("0.2")), item


def test_the_truth_is_that_of_the_other_meters() -> None:
    """A plant of several protocols would be several plants."""
    modbus = _meter(packaged().named("modbus/acrel-adl3000-e"))
    row = MeterRow(address="9", feed_in_share=Decimal("0.1"))
    other = speaker(Named(UNIT, "line-1", row), seed=5, start=NOON - timedelta(days=400))
    assert isinstance(other, Meter)
    item = "forward_active_energy.t2"
    assert (modbus.value(item, NOON), modbus.value("voltage.a", NOON)) == (other.value(item, NOON), None)


def _asked(meter: MeterModbus, message: Message | bytes) -> Reply:
    pdu = message if isinstance(message, bytes) else encode_pdu(message)
    answer = meter.answer(Framed(9, pdu), NOON)
    assert answer is not None
    return answer.wording.reply


def test_what_it_does_not_have_is_refused_by_the_right_exception() -> None:
    """A client would be tested against a meter that answers what no real one does."""
    meter = _meter(packaged().named("modbus/eastron-sdm230"))
    assert ExceptionReply(3, 1) == _asked(meter, ReadRequest(3, 0, 2))
    assert ExceptionReply(4, 2) == _asked(meter, ReadRequest(4, 0, 3))
    assert ExceptionReply(4, 3) == _asked(meter, b"\x04\x00\x00\x00\x00")
    assert ExceptionReply(6, 1) == _asked(meter, WriteRegister(0, 1))
    assert ExceptionReply(0x2B, 3) == _asked(meter, IdentificationRequest(4, 0))
    told = _asked(meter, IdentificationRequest(1, 0))
    assert isinstance(told, IdentificationReply)
    assert (0, b"metersim") == told.objects[0]
    assert meter.answer(Framed(8, encode_pdu(ReadRequest(4, 0, 2))), NOON) is None
    assert meter.answer(Framed(0, encode_pdu(WriteRegister(0, 1))), NOON) is None


@pytest.mark.parametrize("paced", [False, True])
def test_two_units_on_one_line_answer_for_themselves(paced: bool) -> None:
    """The energy of one customer would be billed to his neighbour."""
    profile = packaged().named("modbus/eastron-sdm230")
    meters = [_meter(profile, f"{unit:012d}") for unit in (1, 22)]
    found: list[Decimal | None] = []
    item = "forward_active_energy"

    async def program(driver: ModbusDriver, line: Line) -> None:
        for meter in meters:
            answer = await driver.read(
                line, meter.address, "forward_active_energy", priority=Priority.BILLING
            )
            found.append(answer.values[0].value)
        with pytest.raises(ReplyTimeout):
            await driver.read(line, "000000000003", "forward_active_energy", priority=Priority.BILLING)

    given = _with(profile, list(meters), program, paced=paced)
    assert ["000000000001", "000000000022"] == [record.address for record in given]
    assert [record.values[item] for record in given] == found


@pytest.mark.parametrize(
    ("faults", "outcome"),
    [
        (Faults(bit_flip=1), "ReplyTimeout"),
        (Faults(half_frame=1), "ReplyTimeout"),
        (Faults(other_address=1), "ReplyTimeout"),
        (Faults(other_identifier=1), "ReplyTimeout"),
        (Faults(abnormal=1), "Refused"),
        (Faults(noise=1), ""),
        (Faults(echo=1), ""),
        (Faults(duplicate=1), ""),
    ],
)
def test_faults_of_a_line_befall_modbus_too(faults: Faults, outcome: str) -> None:
    """What a spoilt answer costs could be tried with two protocols only; none may become a value."""
    profile = packaged().named("modbus/eastron-sdm230")
    happened: list[str] = []

    async def program(driver: ModbusDriver, line: Line) -> None:
        try:
            answer = await driver.read(line, UNIT, "voltage.a", priority=Priority.BILLING)
        except (Refused, ReplyTimeout) as error:
            happened.append(type(error).__name__)
        else:
            happened.append("" if answer.values[0].value is not None else "nothing")

    given = _with(profile, [_meter(profile)], program, faults=faults)
    assert [outcome] == happened
    assert 1 == len(given[0].faults)


def test_a_unit_out_of_range_is_refused_where_it_is_written() -> None:
    """A plant would be built in which nobody can ever ask a meter."""
    profile = packaged().named("modbus/eastron-sdm230")
    with pytest.raises(ValueError, match="a unit of 1 to 247"):
        MeterRow(address="248", profile=profile)
    with pytest.raises(ValueError, match="a unit of 1 to 247"):
        MeterRow(address="240", count=9, profile=profile)
    with pytest.raises(ValueError, match="no meters of Modbus"):
        ConcentratorRow(address="000000000001", meters=(MeterRow(profile=profile),))
    meter = _meter(profile)
    with pytest.raises(ValueError, match="a unit of 1 to 247"):
        MeterModbus("000000000000", profile=profile, works=meter.works)
