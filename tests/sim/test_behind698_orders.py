"""Orders for meters behind a concentrator of DL/T 698.45: forwarded frames, and decision 22 b."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from metersim import Station
from metersim.terminals.ways import Ways
from tests.support.behind698 import BehindGateway, lines_to
from tests.support.concentrator import SELDOM
from tests.support.control_bench import a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway

WAYS = Ways(call=SELDOM)


class _Town:
    """A daemon that takes orders, and a household behind a concentrator.

    Args:
        folder: for the journal.
        plan: what of the concentrator is different.

    """

    def __init__(self, folder: Path, **plan: Any) -> None:
        station = Station(meter=a_meter(OPEN_TO_ALL))
        self.gateway = OrderGateway(folder, [station], tables=lines_to())
        self.plant = BehindGateway(self.gateway, [station], **{"ways": WAYS, **plan})
        self.address = station.meter.address
        self.meter = f"m{self.address}"

    def run(self, story: Callable[[], Awaitable[None]], seconds: float = 3600) -> None:
        self.plant.run(seconds=seconds, story=story)

    def obeyed(self) -> list[str]:
        """What the meter obeyed, as it says."""
        [meter] = self.gateway.meters.values()
        return [control.kind for control in meter.works.memory.controls]

    async def trip(self) -> Mapping[str, Any]:
        """A trip from paper to end."""
        await self.gateway.up()
        await self.gateway.told_for_trip(self.meter)
        await self.gateway.trip("t-1", self.meter)
        return await self.gateway.until("t-1")


def test_a_trip_is_obeyed_once(tmp_path: Path) -> None:
    """Nobody behind a concentrator could be cut off, or somebody twice."""
    town = _Town(tmp_path)

    async def story() -> None:
        order = await town.trip()
        assert "done" == order["state"], order["steps"][-1]

    town.run(story)
    assert ["trip"] == town.obeyed()
