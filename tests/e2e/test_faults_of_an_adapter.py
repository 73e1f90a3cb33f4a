"""A serial adapter that is pulled out and comes back under another number: a pseudo-terminal here."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.errors import LineError, ReplyTimeout
from meterlink.model.line_url import SerialUrl
from meterlink.transports.open import open_line
from metersim import Line as Wires
from metersim import Meter, Station
from metersim.serving.pty import open_pty
from metersim.serving.served import SystemClock as PlantClock

_ADDRESS = "000000000001"


@pytest.mark.asyncio
async def test_f12_an_adapter_that_returns_under_another_number(tmp_path: Path) -> None:
    """F12: a line would stay down until somebody starts the daemon anew, or hold on to a device that is gone.

    What comes back is found by its name (as those of /dev/serial/by-id), which leads to another device.
    """
    by_id = tmp_path / "usb-adapter"
    plant = Wires([Station(meter=Meter(_ADDRESS, seed=1))], clock=PlantClock())
    line = Line(
        "line1",
        opener=lambda: open_line(SerialUrl(device=str(by_id))),
        timing=Timing(reply_timeout_s=1.0),
        rng=random.Random(1),
    )
    driver = Dlt645Driver(SystemClock())

    async def read() -> bool:
        try:
            await driver.read(line, _ADDRESS, "forward_active_energy", priority=Priority.CURVE)
        except (LineError, ReplyTimeout):
            return False
        return True

    async def until_told() -> None:
        while line.down_since is None:
            await read()
            await asyncio.sleep(0.02)

    async def until(answered: bool) -> None:
        while answered != await read():  # noqa: ASYNC110 (a device that appears is no event)
            await asyncio.sleep(0.02)

    devices: list[Path] = []
    numbers: list[int] = []  # that are taken, so that what comes back gets another one
    async with asyncio.TaskGroup() as group:
        owner = group.create_task(line.run())
        for _ in range(3):
            async with open_pty(plant, link=by_id):
                devices.append(by_id.readlink())
                numbers.append(os.open(devices[-1], os.O_RDWR | os.O_NOCTTY))
                await until(answered=True)
            await until(answered=False)
            await until_told()
        owner.cancel()
    for number in numbers:
        os.close(number)
    assert 3 == len(set(devices))
    assert [] == _held(devices), "no device that is gone is held on to"


def _held(devices: list[Path]) -> list[str]:
    """Which of the devices, or what was one, this process has open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if any(target.startswith(str(device)) for device in devices):
            found.append(target)
    return found
