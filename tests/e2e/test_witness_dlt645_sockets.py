"""PyPI's ``dlt645`` at the other end of a socket: its meter before our driver, its client before our meter.

Disagreements that are tolerated here are those of ``tests/wire/dlt645/test_witness*.py``: the point is an
octet in its records and parameters (6), it refuses what needs following frames (7), and it wants and gives
addresses in the order of the wire (1); and one more: it answers neither blocks nor freezes.
"""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dlt645.model.data.define import DIMap
from dlt645.service.clientsvc.client_service import MeterClientService

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.drivers.base import MeterAnswer
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.errors import BadAnswer
from meterlink.model.line_text import parse_line_url
from meterlink.model.line_url import SerialUrl, TcpUrl
from meterlink.transports.open import open_line
from metersim.works.items import ENERGIES, POWERS, items_of
from metersim.works.timetable import TARIFFS
from meterwire.dlt645 import dictionary
from tests.support.foreign_meter import VALUES, foreign_meter
from tests.support.metersim_process import running_metersim
from tests.wire.dlt645.foreign_layout import fields, sent, standard
from tests.wire.dlt645.test_witness_meter import REFUSED

_PLANT = """\
plant: witness
lines:
  - name: north
    at: "{at}"
    meters: [{{address: 161, profile: dlt645-2007/three-phase, reply_delay_ms: 0}}]
"""
_STEPS = {0x00: 11, 0x01: 11, 0x02: 2, 0x03: 7, 0x04: 5}
"""Every so-manieth identifier of a class that it knows: it knows 20,000."""
_DEMANDS = 0x0A
_PRESENT = 0xFF  # DI0 of the present period is 0
_LAID_OUT_CLASSES = (0x03, 0x04)
_SETTLEMENT_CLASSES = (0x00, 0x01)


def _pointed(di: int) -> bool:
    """Whether an octet of its own stands for a point in its answer."""
    return di >> 24 in _LAID_OUT_CLASSES and sent(fields(di)) != standard(fields(di))


def _offered(first: int, *, pointed: bool = False) -> list[str]:
    """Items of a class that its meter offers and we may read; of the present period where there are many."""
    names = []
    for di in DIMap:
        past = first in _SETTLEMENT_CLASSES and di & _PRESENT
        if di >> 24 != first or past or di in REFUSED or _pointed(di) is not pointed:
            continue
        entry = dictionary().by_di(di)
        assert entry is not None, f"{di:08X}"
        if entry.access != "w":  # it tells its passwords; nobody here can ask for them
            names.append(entry.item)
    return names


async def _read_one(driver: Dlt645Driver, line: Line, address: str, item: str) -> MeterAnswer | BadAnswer:
    try:
        return await driver.read(line, address, item, priority=Priority.ON_DEMAND)
    except BadAnswer as error:
        return error


async def _read_all(url: str, address: str, items: list[str]) -> dict[str, MeterAnswer | BadAnswer]:
    where = parse_line_url(url)
    line = Line(url, opener=lambda: open_line(where), timing=Timing(), rng=random.Random(1))
    driver = Dlt645Driver(SystemClock())
    async with asyncio.TaskGroup() as group:
        owner = group.create_task(line.run(), name="owner")
        try:
            return {item: await _read_one(driver, line, address, item) for item in items}
        finally:
            owner.cancel()


@pytest.mark.parametrize(("first", "least"), [(0x00, 50), (0x01, 50), (0x02, 50), (0x03, 100), (0x04, 50)])
def test_our_driver_reads_every_class_of_its_meter(tmp_path: Path, first: int, least: int) -> None:
    """A class of identifiers would be refused, cut or misread on the way through line, bus and driver."""
    items = _offered(first)
    with foreign_meter(tmp_path, over="tcp") as meter:
        answers = asyncio.run(_read_all(meter.url, meter.address, items))
    assert len(items) >= least
    for item, answer in answers.items():
        assert isinstance(answer, MeterAnswer), item
        assert answer.values, item
        entry = dictionary().by_name(item)
        assert entry is not None
        known = {item for shape in entry.shapes for item in shape.items}
        assert {value.item for value in answer.values} <= known, item
        if item in VALUES:
            assert [Decimal(VALUES[item])] == [value.value for value in answer.values]


def test_what_has_a_point_in_its_records_is_refused(tmp_path: Path) -> None:
    """Digits that stand one octet off would be kept as a reading (disagreement 6)."""
    items = [
        item
        for first in _LAID_OUT_CLASSES
        for item in _offered(first, pointed=True)
        if not item.startswith("demand_clear_record")  # more of its repeated fields fit the length
    ]
    with foreign_meter(tmp_path, over="tcp") as meter:
        answers = asyncio.run(_read_all(meter.url, meter.address, items))
    assert {BadAnswer} == {type(answer) for answer in answers.values()}
    assert len(items) > 400


def test_its_client_learns_the_address_of_our_meter(tmp_path: Path) -> None:
    """A foreign head-end could not find our simulated meter on a line of its own."""
    with running_metersim(tmp_path, "--first-address=161", "--td-ms=0") as plant:
        url = parse_line_url(plant.urls[0])
        assert isinstance(url, TcpUrl)
        client = MeterClientService.new_tcp_client(url.host, url.port, 2.0)
        try:
            learnt = client.read_address()
        finally:
            client.disconnect()
    assert learnt is not None
    assert "610100000000" == learnt.value  # disagreement 1


def test_its_client_reads_our_meter(tmp_path: Path) -> None:
    """Other people's head-ends would not understand our simulated meter."""
    names = [*ENERGIES, "voltage", "current", *POWERS]
    with running_metersim(tmp_path, "--first-address=161", "--td-ms=0") as plant:
        url = parse_line_url(plant.urls[0])
        assert isinstance(url, TcpUrl)
        client = MeterClientService.new_tcp_client(url.host, url.port, 2.0)
        client.address = bytearray.fromhex("610100000000")
        read = []
        try:
            for item in (item for name in names for item in items_of(name)):
                entry = dictionary().by_name(item)
                assert entry is not None
                ask = client.read_00 if entry.di >> 24 == 0 else client.read_02
                read.append((item, ask(entry.di).value))
        finally:
            client.disconnect()
        answered = [
            (item, float(value)) for answer in plant.answers() for item, value in answer["values"].items()
        ]
    assert len(names) * 3 < len(read)
    assert answered == read


def _read_by_it(client: MeterClientService, di: int) -> Any:
    asked = (client.read_00, client.read_01, client.read_02, client.read_03, client.read_04)
    return asked[di >> 24](di)


@pytest.mark.parametrize("over", ["tcp", "pty"])
@pytest.mark.parametrize(("first", "least"), [(0x00, 60), (0x01, 3), (0x02, 10), (0x03, 18), (0x04, 12)])
def test_its_client_reads_every_class_of_our_meter(tmp_path: Path, over: str, first: int, least: int) -> None:
    """Other people's head-ends would find a class of data missing in our simulated meter, or misread it.

    Asked twice for a record it stops (11), so each identifier is asked once. Times of demands it reads
    backwards (10), and gives nothing where that is no time: at most hours 1 to 12. What our meter refuses it
    gives as nothing, too.
    """
    dis = [di for di in sorted(DIMap) if di >> 24 == first and _may_be_read(di)][:: _STEPS[first]]
    plant = tmp_path / "plant.yaml"
    at = f"pty:{tmp_path / 'tty'}" if over == "pty" else "tcp://127.0.0.1:0"
    plant.write_text(_PLANT.format(at=at))
    with running_metersim(tmp_path, str(plant)) as running:
        client = _client_of(running.urls[0])
        client.address = bytearray.fromhex("610100000000")
        try:
            read = {di: _read_by_it(client, di) for di in dis}
        finally:
            client.disconnect()
        answers = running.answers()
    understood = {di: found for di, found in read.items() if found is not None}
    assert len(understood) >= least
    if first == 0x01:
        assert sum(bool(answer["values"]) for answer in answers) > 10 * least
        ours = {answer["di"]: [*answer["values"].values()] for answer in answers}
        for di, found in understood.items():
            assert float(ours[f"{di:08X}"][0]) == found.value.value, f"{di:08X}"
    if first in {0x00, 0x02}:
        ours = {answer["di"]: [*answer["values"].values()] for answer in answers if answer["values"]}
        for di, found in understood.items():
            (value,) = ours[f"{di:08X}"]
            assert float(value) == found.value, f"{di:08X}"


def _may_be_read(di: int) -> bool:
    entry = dictionary().by_di(di)
    if di >> 24 in _SETTLEMENT_CLASSES and di >> 8 & 0xFF > max(TARIFFS):
        return False  # no meter of ours has so many
    if di >> 24 == 0x01 and di >> 16 & 0xFF > _DEMANDS:
        return False  # nor a largest demand of one phase
    return entry is not None and entry.access != "w" and not _pointed(di) and di not in REFUSED


def _client_of(url: str) -> MeterClientService:
    where = parse_line_url(url)
    if isinstance(where, TcpUrl):
        return MeterClientService.new_tcp_client(where.host, where.port, 2.0)
    assert isinstance(where, SerialUrl), url
    return MeterClientService.new_rtu_client(
        where.device, where.baud, 8, 1, "N", 2.0
    )  # its way to ask for parity fails
