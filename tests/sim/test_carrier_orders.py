"""Orders for meters of both protocols behind a carrier module: given once, and proved (decision 22, b)."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.orders.life.switch_proof import UNCHANGED_AND_EXPIRED
from metersim import Station
from metersim.carrier.ways import CarrierWays
from meterwire.dlt698.link import frame as frame698
from meterwire.dlt698.link.deframer import Deframer as Deframer698
from tests.support.carried import QUICK, CarriedOrders
from tests.support.control_bench import ADDRESS, a_meter, a_meter698
from tests.support.order_gateway import OPEN_TO_ALL
from tests.support.strikes import is_control

PROTOCOLS = ("dlt645-2007", "dlt698.45")
_HOUR_S = 3600
_ACTION = b"\x07"
M = f"m{ADDRESS}"


def _gateway(folder: Path, protocol: str, ways: CarrierWays = QUICK) -> CarriedOrders:
    meter = a_meter(OPEN_TO_ALL) if protocol == "dlt645-2007" else a_meter698(OPEN_TO_ALL)
    return CarriedOrders(folder, [Station(meter=meter)], ways=ways, protocols={ADDRESS: protocol})


async def _tripped(gateway: CarriedOrders, ways: CarrierWays = QUICK) -> None:
    """Give the order, once the module is ready; from then on it is as ``ways`` says."""
    await gateway.up()
    await asyncio.sleep(60)
    gateway.module.standing.ways = ways
    await gateway.told_for_trip(M)
    await gateway.trip("t-1", M)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_order_goes_through_a_module_once_and_is_proved(tmp_path: Path, protocol: str) -> None:
    """A disconnection through a carrier would be sent twice, or never proved."""
    gateway = _gateway(tmp_path, protocol)
    ended: dict[str, Any] = {}

    async def script() -> None:
        await _tripped(gateway)
        ended.update(await gateway.until("t-1"))

    gateway.run(seconds=2 * _HOUR_S, meanwhile=script)
    assert ("done", ["trip"]) == (ended["state"], gateway.obeyed())
    assert 1 == ended["transmissions"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_household_is_cut_off_and_has_power_again_through_a_module(tmp_path: Path, protocol: str) -> None:
    """Who has paid would stay in the dark behind every carrier."""
    gateway = _gateway(tmp_path, protocol)
    ended: dict[str, Any] = {}

    async def script() -> None:
        await _tripped(gateway)
        assert "done" == (await gateway.until("t-1"))["state"]
        (close,) = (await gateway.paid(M))["orders"]
        assert "waiting_for_key" == (await gateway.until(close, "waiting_for_key"))["state"]
        assert gateway.press_key()
        ended.update(await gateway.until(close))

    gateway.run(seconds=4 * _HOUR_S, meanwhile=script)
    assert ("done", ["trip", "permit_close"]) == (ended["state"], gateway.obeyed())


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("seed", range(2))
def test_an_order_whose_answer_is_lost_is_obeyed_at_most_once(
    tmp_path: Path, seed: int, protocol: str
) -> None:
    """A module that loses and repeats answers would make us trip a customer twice."""
    gateway = _gateway(tmp_path, protocol, replace(QUICK, seed=seed))
    storm = replace(QUICK, loss=0.4, doubled=0.3, late=0.2, seed=seed)
    ended: dict[str, Any] = {}

    async def script() -> None:
        await _tripped(gateway, storm)
        ended.update(await gateway.until("t-1"))

    gateway.run(seconds=30 * _HOUR_S, meanwhile=script)
    assert gateway.obeyed() in ([], ["trip"])
    assert (ended["state"] == "done") == (["trip"] == gateway.obeyed())


def _acts(octets: bytes) -> bool:
    """Whether a frame of DL/T 698.45 wants something done."""
    frames = Deframer698().feed_found(octets)
    return any(frame698.decode(one.octets).user_data[:1] == _ACTION for one in frames)


class _KeepingAir:
    """The way to the meters, where a node keeps orders and lets them out later.

    Args:
        gateway: of the module whose way it is.
        keeps_s: for how long it keeps each of the next orders; ``None``: for ever. Those after them pass.

    Attributes:
        controls: orders that it was given: when, and their octets.

    """

    def __init__(self, gateway: CarriedOrders, keeps_s: list[float | None]) -> None:
        self.controls: list[tuple[datetime, bytes]] = []
        self._keeps_s = keeps_s
        self._now = gateway.sim.clock.utc_now
        self._pass_on = gateway.module.air.ask
        self._kept: set[asyncio.Task[None]] = set()

    async def ask(self, address: str, frame: bytes) -> bytes:
        """See ``Air.ask``: of an order that is kept nobody hears."""
        if not (is_control(frame) or _acts(frame)):
            return await self._pass_on(address, frame)
        self.controls.append((self._now(), frame))
        if not self._keeps_s:
            return await self._pass_on(address, frame)
        if (keeps_s := self._keeps_s.pop(0)) is not None:
            self._kept.add(asyncio.get_running_loop().create_task(self._late(keeps_s, address, frame)))
        return b""

    async def _late(self, keeps_s: float, address: str, frame: bytes) -> None:
        await asyncio.sleep(keeps_s)
        await self._pass_on(address, frame)


def _kept(
    gateway: CarriedOrders, monkeypatch: pytest.MonkeyPatch, keeps_s: float | None
) -> tuple[list[tuple[datetime, bytes]], dict[str, Any]]:
    """Trip behind a node that keeps the first order; what it was given, and our order."""
    air = _KeepingAir(gateway, [keeps_s])
    monkeypatch.setattr(gateway.module.air, "ask", air.ask)
    ended: dict[str, Any] = {}

    async def script() -> None:
        await _tripped(gateway)
        ended.update(await gateway.until("t-1"))
        assert "done" == ended["state"], ended["steps"][-1]

    gateway.run(seconds=2 * _HOUR_S, meanwhile=script)
    return air.controls, ended


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("keeps_s", [45.0, 100.0, 200.0, 290.0])
def test_an_order_that_a_node_kept_is_obeyed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, keeps_s: float
) -> None:
    """Taken for a cable, a carrier would be given the order again, and the first come out behind it."""
    gateway = _gateway(tmp_path, protocol)
    controls, _ = _kept(gateway, monkeypatch, keeps_s)
    assert ["trip"] == gateway.obeyed()
    if protocol == "dlt645-2007":
        assert 1 == len(controls)
    for (earlier, _), (later, _) in itertools.pairwise(controls):  # this meter takes no late frame
        assert timedelta(minutes=5) <= later - earlier


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("keeps_s", [None, 1200.0], ids=["lost", "out of its time"])
def test_an_order_leaves_again_only_when_the_first_can_do_nothing_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, keeps_s: float | None
) -> None:
    """Two frames that are both good would be obeyed twice: the time in the first has to pass (22, b)."""
    gateway = _gateway(tmp_path, protocol)
    ((first_at, first), (second_at, second)), ended = _kept(gateway, monkeypatch, keeps_s)
    assert first != second, "the second has a time of its own"
    assert timedelta(minutes=5) <= second_at - first_at
    assert ["trip"] == gateway.obeyed()
    assert UNCHANGED_AND_EXPIRED in str(ended["steps"]), "the proof is that of a line that stores"
