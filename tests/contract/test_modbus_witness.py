"""pymodbus as the other end, over real sockets: its server with its simulator, and its client.

The server is read through a line by the driver, and the client reads a simulated meter.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.drivers.modbus.driver import ModbusDriver
from meterlink.errors import Refused
from meterlink.model.line_url import TcpUrl
from meterlink.transports.tcp_client import open_tcp
from meterprofiles import packaged
from metersim import AnswerRecord, Station
from metersim import Line as MeterLine
from metersim.plant.making import Named, speaker
from metersim.plant.rows import MeterRow
from metersim.serving.tcp import open_tcp as serve_tcp
from meterwire.modbus import Framing

_FRAMERS: dict[Framing, FramerType] = {"rtu": FramerType.RTU, "tcp": FramerType.SOCKET}
_SHOWN = {
    "voltage.a": 230.5,
    "current.a": 4.25,
    "active_power": 977.32,
    "frequency": 50.02,
    "forward_active_energy": 12345.67,
}


async def _served(
    framing: Framing, device: SimDevice | list[SimDevice], program: Callable[[Line], Awaitable[None]]
) -> None:
    """Run a program on a line to pymodbus's server."""
    server: Any = ModbusTcpServer(device, framer=_FRAMERS[framing], address=("127.0.0.1", 0))
    await server.listen()
    url = TcpUrl(host="127.0.0.1", port=server.transport.sockets[0].getsockname()[1])
    line = Line("witness", opener=lambda: open_tcp(url), timing=Timing(), rng=random.Random(1))
    async with asyncio.TaskGroup() as group:
        owner = group.create_task(line.run(), name="owner")
        try:
            await program(line)
        finally:
            owner.cancel()
    await server.shutdown()


@pytest.mark.parametrize("framing", ["rtu", "tcp"])
def test_a_meter_of_pymodbus_is_read(framing: Framing) -> None:
    """Meters that are built with the most used library of Modbus could not be read."""
    profile = packaged().find(f"modbus-{framing}", "SDM230-Modbus")
    assert profile.registers is not None
    simulated = [
        SimData(row.address, values=_SHOWN[row.item], datatype=DataType.FLOAT32)
        for row in profile.registers.rows
        if row.item in _SHOWN
    ]
    asked: list[tuple[str, Decimal | None]] = []

    async def program(line: Line) -> None:
        driver = ModbusDriver(SystemClock(), profile=profile)
        for item in _SHOWN:
            answer = await driver.read(line, "000000000009", item, priority=Priority.ON_DEMAND)
            asked.extend((value.item, value.value) for value in answer.values)
        with pytest.raises(Refused, match="illegal data address"):
            await driver.read(line, "000000000009", "apparent_power", priority=Priority.ON_DEMAND)

    asyncio.run(_served(framing, SimDevice(id=9, simdata=simulated), program))
    told = {item: str(shown) for item, shown in _SHOWN.items()} | {"active_power": "0.97732"}
    assert {item: Decimal(text) for item, text in told.items()} == dict(asked)


def test_a_sunspec_meter_of_pymodbus_is_read() -> None:
    """The chain of models would be found on our own simulated meter alone."""
    meter = [0] * 107
    meter[0:2] = [203, 105]
    meter[8:11], meter[15] = [2301, 2302, 0x8000], 0xFFFF
    registers = [0x5375, 0x6E53, 1, 66, *[0] * 66, *meter, 0xFFFF, 0]
    device = SimDevice(id=9, simdata=[SimData(40_000, values=registers, datatype=DataType.REGISTERS)])
    found: list[Decimal | None] = []

    async def program(line: Line) -> None:
        driver = ModbusDriver(SystemClock(), profile=packaged().find("modbus-tcp", "sunspec-203"))
        answer = await driver.read(line, "000000000009", "voltage.*", priority=Priority.ON_DEMAND)
        found.extend(value.value for value in answer.values)

    asyncio.run(_served("tcp", device, program))
    assert [Decimal("230.1"), Decimal("230.2"), None] == found


@pytest.mark.parametrize("framing", ["rtu", "tcp"])
def test_a_client_of_pymodbus_reads_our_meter(framing: Framing) -> None:
    """A simulated meter that only we can read would prove nothing to anybody."""
    profile = packaged().find(f"modbus-{framing}", "SDM230-Modbus")
    named = Named("000000000009", "line-1", MeterRow(address="9", profile=profile))
    meter = speaker(named, seed=5, start=datetime.now(UTC) - timedelta(days=400))
    given: list[AnswerRecord] = []
    there = MeterLine([Station(meter=meter, reply_delay_ms=0)], clock=SystemClock(), record=given.append)
    told: list[Any] = []

    async def program() -> None:
        async with serve_tcp(there, "127.0.0.1", 0) as url:
            client: Any = AsyncModbusTcpClient(
                "127.0.0.1", port=int(url.rpartition(":")[2]), framer=_FRAMERS[framing], retries=0
            )
            assert await client.connect()
            told.append(await client.read_input_registers(0, count=2, device_id=9))
            told.append(await client.read_holding_registers(0, count=2, device_id=9))
            told.append(await client.read_device_information(read_code=1, object_id=0, device_id=9))
            client.close()

    asyncio.run(program())
    voltage, refused, device = told
    shown = AsyncModbusTcpClient.convert_from_registers(
        voltage.registers, AsyncModbusTcpClient.DATATYPE.FLOAT32
    )
    assert f"{given[0].values['voltage.a']:.3f}" == f"{shown:.3f}"
    assert (True, 1) == (refused.isError(), refused.exception_code)
    assert b"metersim" == device.information[0]
