"""PyPI's ``dlt698`` client, unchanged, reads every class of data of our simulated meter, by TCP and serial.

Tolerated disagreements are those of `tests.e2e.test_witness_dlt698_client`, by their numbers there (1, the
order of addresses; 4, blocks from 0), and one more:

7. its time tags show the time of UTC, where meters show that of the plant: a tag that is good for five
   minutes has run out eight hours ago. A day is allowed instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dlt698 import _native as native
from dlt698.app.async_client import AsyncClient
from dlt698.app.client import Client

from metersim.works.items import items_of
from tests.e2e.test_witness_dlt698_client import (
    CLOCK,
    FROZEN_AT,
    METER,
    Reader,
    _Password,
    digits,
    expected,
    moment,
    oad,
    options,
    plant_port,
)
from tests.support.metersim_process import running_metersim

EVENT_NUMBER, STARTED_AT, ENDED_AT = (0x2022, 2, 0), (0x201E, 2, 0), (0x2020, 2, 0)
FREEZES = (0x5002, 0x5003, 0x5004, 0x5005, 0x5006, 0x5007, 0x500A, 0x500B)
VARIABLES = {
    (0x2002, 2, 0): ("voltage_angle", -1),
    (0x2003, 2, 0): ("phase_angle", -1),
    (0x2007, 2, 0): ("mean_active_power", -4),
    (0x200F, 2, 0): ("frequency", -2),
    (0x2017, 2, 0): ("active_demand", -4),
    (0x2018, 2, 0): ("reactive_demand", -4),
    (0x2019, 2, 0): ("apparent_demand", -4),
    (0x2001, 4, 0): ("neutral_current", -3),
}
REGISTERS = {
    (0x0030, 2, 0): "combined_reactive_energy_1",
    (0x0040, 2, 0): "combined_reactive_energy_2",
    (0x0050, 2, 0): "reactive_energy_q1",
    (0x0060, 2, 0): "reactive_energy_q2",
    (0x0070, 2, 0): "reactive_energy_q3",
    (0x0080, 2, 0): "reactive_energy_q4",
    (0x0090, 2, 0): "forward_apparent_energy",
    (0x00A0, 2, 0): "reverse_apparent_energy",
}
DAY = native.Ti(unit=3, interval=1)
"""Disagreement 7."""
WAYS = ("tcp", "serial")
_ARGUMENTS = ("--protocol=dlt698.45", "--first-address=161", "--td-ms=0", "--first-block=0")


@contextmanager
def read_by(folder: Path, way: str) -> Iterator[Reader]:
    """Its client before our meter, associated."""
    where = ("--tcp=127.0.0.1:0",) if way == "tcp" else ("--pty", f"--link={folder / 'meter'}")
    with running_metersim(folder, *_ARGUMENTS, *where) as plant:
        client = Client(options())
        if way == "tcp":
            client.connect_tcp("127.0.0.1", plant_port(plant), native.ConnectionProfile.local_public)
        else:
            client.open_serial(str(folder / "meter"), 9600, native.ConnectionProfile.local_public)
        try:
            yield Reader(client, plant)
        finally:
            client.close()


@pytest.mark.parametrize("way", WAYS)
def test_its_client_reads_registers_and_variables(tmp_path: Path, way: str) -> None:
    """Somebody else's head-end would misread what the meter measures, or by serial alone not at all."""
    with read_by(tmp_path, way) as reader:
        for key, item in REGISTERS.items():
            read = reader.client.get(oad(key)).require_data()
            assert expected(item, reader.answered_at()) == digits(read, -2), item
        for phase, letter in enumerate("abc", start=1):
            read = reader.client.get(oad((0x0010 + phase, 2, 0))).require_data()
            assert [METER.value(f"forward_active_energy.{letter}", reader.answered_at())] == digits(read, -2)
        for key, (item, exponent) in VARIABLES.items():
            read = reader.client.get(oad(key)).require_data()
            assert expected(item, reader.answered_at()) == digits(read, exponent), item
        words = reader.client.get(oad((0x2014, 2, 0))).require_data().value
        assert 7 == len(words)


@pytest.mark.parametrize("way", WAYS)
def test_its_client_reads_demands_with_their_times(tmp_path: Path, way: str) -> None:
    """A demand would be read without its time, or with that of another tariff."""
    with read_by(tmp_path, way) as reader:
        read = reader.client.get(oad((0x1010, 2, 0))).require_data()
        at = reader.answered_at()
    pairs = [one.value for one in read.value]
    demands = [Decimal(value.value).scaleb(-4) for value, _ in pairs]
    assert [METER.value(item, at) for item in items_of("forward_active_max_demand")] == demands
    assert any(demands)
    for (value, when), item in zip(pairs, items_of("forward_active_max_demand_at"), strict=True):
        if value.value:
            assert METER.works.content(item, at) == f"{moment(when):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize("way", WAYS)
def test_its_client_reads_parameters(tmp_path: Path, way: str) -> None:
    """Tables of tariffs, ratios and the nameplate would come in a shape that others do not know."""
    with read_by(tmp_path, way) as reader:

        def get(oi: int, attribute: int = 2) -> Any:
            return reader.client.get(oad((oi, attribute, 0))).require_data().value

        assert ["220V", "5A", "60A"] == [get(oi) for oi in (0x4104, 0x4105, 0x4106)]
        assert [100, 100] == [get(oi) for oi in (0x401C, 0x401D)]
        assert [15, 1] == [get(oi) for oi in (0x4100, 0x4101)]
        [settlement] = get(0x4116)
        assert [1, 0] == [one.value for one in settlement.value]
        tables = [[[part.value for part in period.value] for period in day.value] for day in get(0x4016)]
        assert [0, 0, 4] == tables[0][0]
        assert tables[0] == tables[1]
        assert [1, 2, len(tables[0]), 4, 7] == [one.value for one in get(0x400C)]
        assert False is get(0x4300, 8)
        assert [] == get(0x4005)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("table", FREEZES)
def test_its_client_reads_every_freeze(tmp_path: Path, way: str, table: int) -> None:
    """A table would be there for our own client alone."""
    column = (0x0010, 2, 0)
    last = native.GetRecord(
        attribute=oad((table, 2, 0)),
        rows=native.Selector10(latest=2, meters=native.NoMeters()),
        columns=[oad(FROZEN_AT), oad(column)],
    )
    with read_by(tmp_path, way) as reader:
        answer = reader.client.get_record(last)
    assert 2 == len(answer.result)
    for frozen_at, energies in answer.result:
        assert expected("forward_active_energy", moment(frozen_at)) == digits(energies, -2)


def _time(shown: datetime) -> Any:
    parts = [shown.month, shown.day, shown.hour, shown.minute, shown.second]
    return native.Data.date_time_s([*shown.year.to_bytes(2, "big"), *parts])


def _with_password(folder: Path, change: Callable[[Any], Awaitable[None]], *, allowed: Any = DAY) -> None:
    """Its client by password; what it asks has a time tag, as orders have to have."""
    wanted = options()
    protocol = wanted.protocol
    protocol.security_backend, protocol.protect_application = _Password(), False
    protocol.request_time_tag = allowed
    wanted.protocol = protocol

    async def run(port: int) -> None:
        client = AsyncClient(wanted)
        try:
            await client.connect_tcp("127.0.0.1", port, native.ConnectionProfile.local_public)
            await change(client)
        finally:
            await client.aclose()

    with running_metersim(folder, *_ARGUMENTS) as plant:
        asyncio.run(run(plant_port(plant)))


def _method(oi: int, method: int) -> Any:
    return native.Omd(oi=oi, method=method, mode=0)


def _array_of(members: list[Any]) -> Any:
    return native.Data.array([native.Data.structure(members)])


async def _contact_is_open(client: Any) -> bool:
    [relay] = (await client.get(oad((0xF205, 2, 0)))).require_data().value
    return bool(relay.value[1].value)


def test_its_client_sets_the_clock_and_reads_the_event(tmp_path: Path) -> None:
    """An event would be counted and not told, or told with times that others cannot read."""
    before: list[datetime] = []

    async def change(client: Any) -> None:
        shown = moment((await client.get(oad(CLOCK))).require_data()) - timedelta(hours=1)
        before.append(shown)
        assert 0 == await client.set(oad(CLOCK), _time(shown))
        assert 1 == (await client.get(oad((0x3016, 4, 0)))).require_data().value
        columns = [oad(key) for key in (EVENT_NUMBER, STARTED_AT, ENDED_AT, (0x0010, 0x22, 1))]
        record = native.GetRecord(
            attribute=oad((0x3016, 2, 0)), rows=native.Selector9(previous=1), columns=columns
        )
        [[number, began, ended, energy]] = (await client.get_record(record)).result
        assert (1, shown) == (number.value, moment(ended))
        assert timedelta() <= moment(began) - shown - timedelta(hours=1) < timedelta(seconds=20)
        counted, shown_then = digits(energy, -2)[0], METER.value("forward_active_energy", moment(began))
        assert shown_then is not None
        assert abs(counted - shown_then) < Decimal("0.05"), "the second is cut off"

    _with_password(tmp_path, change)
    assert before


def test_disagreement_7_its_time_tags_are_utc(tmp_path: Path) -> None:
    """If they show the time of the plant one day, five minutes are enough."""

    async def change(client: Any) -> None:
        assert 32 == (await client.action(_method(0x8000, 127), native.Data.null())).dar

    _with_password(tmp_path, change, allowed=native.Ti(unit=1, interval=5))


def test_its_client_trips_and_closes(tmp_path: Path) -> None:
    """The contact of a simulated meter would obey our own head-end alone."""
    relay = native.Data.oad(oad((0xF205, 2, 1)))
    trip = [relay, native.Data.uint8(0), native.Data.uint16(0), native.Data.boolean(False)]
    close = [relay, native.Data.enumeration(1)]

    async def change(client: Any) -> None:
        assert 0 == (await client.action(_method(0x8000, 129), _array_of(trip))).dar
        assert await _contact_is_open(client)
        assert 0 == (await client.action(_method(0x8000, 130), _array_of(close))).dar
        assert not await _contact_is_open(client)
        assert 2 == (await client.get(oad((0x301F, 4, 0)))).require_data().value, "one is the factory's"

    _with_password(tmp_path, change)
