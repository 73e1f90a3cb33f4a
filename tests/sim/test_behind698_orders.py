"""Orders for meters behind a concentrator of DL/T 698.45: forwarded frames, and decision 22 b."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.errors import MeterlinkError
from meterlink.model.order import OrderKind
from meterlink.orders.judging.proven import Proven
from meterlink.orders.qualification.facts import needs_of, unproven
from meterlink.roster.roster import RosterMeter
from metersim import Station
from metersim.terminals.port import Route
from metersim.terminals.ways import Ways
from tests.support.behind698 import BehindGateway, lines_to
from tests.support.concentrator import SELDOM
from tests.support.control_bench import a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, Proved

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


def test_a_lost_order_leaves_again_only_when_the_first_can_do_nothing_any_more(tmp_path: Path) -> None:
    """A concentrator lets out late what it kept: two frames that are both good would be obeyed twice."""
    town = _Town(tmp_path)
    town.plant.carrier.keeps_s = [None]

    async def story() -> None:
        order = await town.trip()
        assert "done" == order["state"], order["steps"][-1]

    town.run(story)
    (first_at, first), (second_at, second) = town.plant.carrier.controls
    assert first != second, "the second has a time of its own"
    assert timedelta(minutes=5) <= second_at - first_at
    assert ["trip"] == town.obeyed()


@pytest.mark.parametrize("kept_s", [45.0, 100.0, 200.0, 290.0])
def test_an_order_that_the_carrier_kept_is_obeyed_once(tmp_path: Path, kept_s: float) -> None:
    """The answer was "nobody answered", and the meter switched off minutes later: once is enough."""
    town = _Town(tmp_path)
    town.plant.carrier.keeps_s = [kept_s]

    async def story() -> None:
        order = await town.trip()
        assert "done" == order["state"], order["steps"][-1]

    town.run(story)
    assert 1 == len(town.plant.carrier.controls)
    assert ["trip"] == town.obeyed()


def test_an_order_that_comes_out_after_its_time_does_nothing(tmp_path: Path) -> None:
    """Somebody would be cut off in the middle of a Sunday by a frame that a carrier had kept for hours."""
    town = _Town(tmp_path)
    town.plant.carrier.keeps_s = [1200.0]

    async def story() -> None:
        order = await town.trip()
        assert "done" == order["state"], order["steps"][-1]

    town.run(story)
    assert 2 == len(town.plant.carrier.controls)
    assert ["trip"] == town.obeyed()


@pytest.mark.parametrize("seed", [1, 3])
def test_slow_and_lossy_carriers_switch_nobody_twice(tmp_path: Path, seed: int) -> None:
    """Twenty seconds for an answer, and one frame of twelve lost, is what carriers are like on a bad day."""
    town = _Town(tmp_path, carrier=Route(shortest_s=0.5, longest_s=20.0, loss=0.04), seed=seed)

    async def story() -> None:
        await town.gateway.up()
        await asyncio.sleep(3600)  # CTRL-12 wants that the meter was read
        await town.gateway.told_for_trip(town.meter)
        order = await town.gateway.trip("t-1", town.meter)
        while order["is_open"]:
            await asyncio.sleep(30)
            order = await town.gateway.ask("clara", "order.show", id="t-1")
            if order["state"] == "authorised":  # a look before it got lost: the dispatcher tries again
                with suppress(MeterlinkError):
                    order = await town.gateway.operated("t-1")
        assert "done" == order["state"], order["steps"][-1]
        assert ["trip"] == town.obeyed()

    town.run(story, seconds=9000)


def test_the_daemon_knows_that_a_concentrator_keeps_frames(tmp_path: Path) -> None:
    """Taken for a cable, an order would be repeated while the first one is still on its way."""
    town = _Town(tmp_path)
    settings = town.gateway._settings()
    [(line, _)] = settings.meters_by_line()
    assert not line.is_ours


@dataclass
class _Unheeding(Proved):
    """A model that obeys a frame however old it is."""

    async def __call__(self, meter: RosterMeter, kind: OrderKind, firmware: str | None = None) -> Proven:
        known = {**dict.fromkeys(needs_of(meter.protocol, kind), "yes"), "expiry": "ignored"}
        found = unproven(meter.protocol, kind, known, line_is_ours=meter.line_is_ours)
        return Proven(unproven=tuple(one for one in found if one.startswith("expiry")), facts=known)


def test_a_model_that_ignores_expiry_gets_no_order_here(tmp_path: Path) -> None:
    """What a concentrator keeps for an hour would switch after an hour, with nobody who wants it any more."""
    station = Station(meter=a_meter(OPEN_TO_ALL))
    told: list[str] = []
    for place, lines in (("behind", lines_to()), ("cable", {})):
        folder = tmp_path / place
        folder.mkdir()
        gateway = OrderGateway(folder, [station], tables=lines, proved=_Unheeding())
        plant = BehindGateway(gateway, [station], ways=WAYS) if lines else None

        async def story(gateway: OrderGateway = gateway) -> None:
            meter = f"m{station.meter.address}"
            await gateway.up()
            await gateway.told_for_trip(meter)
            order = gateway.order("t-1", OrderKind.TRIP, meter)
            verdicts = await gateway.ask("clara", "order.dry_run", order=order)
            told.append(str(verdicts))

        if plant is None:
            gateway.run(seconds=60, meanwhile=story)
        else:
            plant.run(seconds=60, story=story)
    assert "expiry=ignored" in told[0]
    assert "expiry=ignored" not in told[1]
