"""PyPI's ``dlt645`` at the other end of a socket: its meter before our driver, its client before our meter.

Disagreements that are tolerated here, beside those of ``tests/wire/dlt645/test_witness.py``: its meter sends
the coefficients and limits of 04 00 0D and 04 00 0E with an octet of its own, it answers neither blocks nor
freezes, and its event records of the kinds in ``RECORDS_APART`` have other lengths. Its client wants the
address in the order of the wire.
"""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from pathlib import Path

import pytest
from dlt645.model.data.define import DIMap
from dlt645.service.clientsvc.client_service import MeterClientService

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.drivers.base import MeterAnswer
from meterlink.drivers.dlt645 import Dlt645Driver
from meterlink.model.line_url import TcpUrl, parse_line_url
from meterlink.transports.open import open_line
from metersim.readings import ENERGIES, POWERS, items_of
from meterwire.dlt645 import dictionary
from tests.support.foreign_meter import VALUES, foreign_meter
from tests.support.metersim_process import running_metersim
from tests.wire.dlt645.test_witness import RECORDS_APART

_PRESENT = 0xFF  # DI0 of the present period is 0
_POINT_SENT = range(0x04000D01, 0x04000E05)
_SETTLEMENT_CLASSES = (0x00, 0x01)


def _offered(first: int) -> list[str]:
    """Items of a class that its meter offers and we may read; of the present period where there are many."""
    names = []
    for di in DIMap:
        past = first in _SETTLEMENT_CLASSES and di & _PRESENT
        kind, number = di >> 16 & 0xFF, di >> 8 & 0xFF
        apart = first == 0x03 and not {(kind, -1), (kind, number)}.isdisjoint(RECORDS_APART)
        if di >> 24 != first or past or apart or di in _POINT_SENT:
            continue
        entry = dictionary().by_di(di)
        assert entry is not None, f"{di:08X}"
        if entry.access != "w":  # it tells its passwords; nobody here can ask for them
            names.append(entry.item)
    return names


async def _read_all(url: str, address: str, items: list[str]) -> dict[str, MeterAnswer]:
    where = parse_line_url(url)
    line = Line(url, opener=lambda: open_line(where), timing=Timing(), rng=random.Random(1))
    driver = Dlt645Driver(SystemClock())
    async with asyncio.TaskGroup() as group:
        owner = group.create_task(line.run(), name="owner")
        try:
            return {
                item: await driver.read(line, address, item, priority=Priority.ON_DEMAND) for item in items
            }
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
        assert answer.values, item
        entry = dictionary().by_name(item)
        assert entry is not None
        known = {item for shape in entry.shapes for item in shape.items}
        assert {value.item for value in answer.values} <= known, item
        if item in VALUES:
            assert [Decimal(VALUES[item])] == [value.value for value in answer.values]


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
