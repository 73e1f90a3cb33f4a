"""A line with more to do than it can, octet by octet: who waits for whom, and what backfill may take."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from meterlink.model.order import OrderState
from meterlink.model.zone import CHINA_TIME
from metersim import Meter, Station
from metersim.dlt698 import Meter698
from metersim.line.port import Port
from tests.support.agreement import readings_of
from tests.support.control_bench import NUMBER, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway
from tests.support.simulated import SimulatedGateway

_ADDRESSES = [f"{number:012d}" for number in range(1, 5)]
_POLLED = ("voltage.a", "current.a", "active_power", "forward_active_energy", "power_factor")
_TD_S = 0.02
_WINDOW_S = 600.0
_SHARE = 0.2
_NIGHTS = 40


class _Exchange(NamedTuple):
    """What one question and its answer took of a line.

    Args:
        begun_s: when the question left.
        ended_s: when the last octet of the answer was there.
        di: what was asked for.

    """

    begun_s: float
    ended_s: float
    di: int

    @property
    def is_freeze(self) -> bool:
        return self.di >> 16 == 0x0506


def _exchanges(gateway: SimulatedGateway, port: Port) -> list[_Exchange]:
    """All of them by the octets that passed: each was answered by the meter's simulator."""
    assert len(gateway.requests) == len(gateway.answers), "none is silent"
    found = []
    for (at, question), answer in zip(gateway.requests, gateway.answers, strict=True):
        took_s = (len(question) + len(answer.octets)) * port.octet_bits / port.baud + _TD_S
        unmasked = bytes(octet - 0x33 & 0xFF for octet in question.lstrip(b"\xfe")[10:14])
        found.append(_Exchange(at, at + took_s, int.from_bytes(unmasked, "little")))
    return found


def _used_s(exchanges: Sequence[_Exchange], until_s: float) -> float:
    """What exchanges took of a line before a moment."""
    return sum(min(one.ended_s, until_s) - one.begun_s for one in exchanges if one.begun_s < until_s)


def test_backfill_takes_its_fifth_and_nobody_is_late_for_it(tmp_path: Path) -> None:
    """After an outage of weeks current values would wait for old ones, or the old ones be overwritten."""
    port = Port(600)
    stations = [Station(meter=Meter(address, seed=7), port=port) for address in _ADDRESSES]
    plans: list[Mapping[str, object]] = [
        {"name": "now", "every_s": 60, "items": _POLLED},
        {"class": "daily_freeze", "items": ["forward_active_energy.*"]},
    ]
    start = datetime(2026, 11, 22, 9, tzinfo=CHINA_TIME)
    gateway = SimulatedGateway(tmp_path, stations, plans=plans, port=port, start=start)
    gateway.run(seconds=90)
    gateway.sim.clock.advance(_NIGHTS * 86_400)
    back_at, back_s = gateway.sim.clock.utc_now(), gateway.sim.clock.monotonic_s()
    gateway.run(seconds=_WINDOW_S + 120)
    exchanges = [one for one in _exchanges(gateway, port) if one.begun_s >= back_s]
    first = next(at for at, one in enumerate(exchanges) if one.is_freeze and one.di & 0xFF > 1)
    behind = [one for one in exchanges[first:] if one.is_freeze]
    until_s = behind[0].begun_s + _WINDOW_S
    assert 0.8 * _SHARE * _WINDOW_S <= _used_s(behind, until_s) <= _SHARE * _WINDOW_S
    assert _used_s(exchanges[first:], until_s) < 0.7 * _WINDOW_S, "there was room for more of it"
    first_minute = back_at.replace(second=0, microsecond=0)
    minutes = {first_minute + timedelta(minutes=n) for n in range(1, 11)}
    for address in _ADDRESSES:
        for item in _POLLED:
            assert minutes <= set(gateway.slots_of(address, item)), f"{address} {item} was late"


def test_who_asks_now_waits_for_one_exchange_at_most(tmp_path: Path) -> None:
    """A payer would stay in the dark, and a person wait, until the line has done what it is behind with."""
    port = Port(1200)
    stations = [
        Station(meter=a_meter(OPEN_TO_ALL, address=address, number=f"{int(NUMBER) + number:012d}"), port=port)
        for number, address in enumerate(_ADDRESSES)
    ]
    plans = [{"name": "now", "every_s": 5, "items": _POLLED}]
    gateway = OrderGateway(tmp_path, stations, plans=plans, port=port)
    asked_s: list[float] = []

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(f"m{_ADDRESSES[0]}")
        for meter in _ADDRESSES[1:4]:
            await asyncio.sleep(1.3)
            asked_s.append(gateway.sim.clock.monotonic_s())
            args = {"items": ["frequency"], "count": 0, "tries": 2, "timeout_s": 60}
            await gateway.ask("david", "read.begin", meter=f"m{meter}", **args)
        await asyncio.sleep(1.3)
        asked_s.append(gateway.sim.clock.monotonic_s())
        await gateway.trip("t-1", f"m{_ADDRESSES[0]}")
        order = await gateway.until("t-1")
        assert OrderState.DONE == order["state"]

    gateway.run(seconds=40, meanwhile=script)
    exchanges = _exchanges(gateway, port)
    polled = {one.di for one in exchanges if one.begun_s < asked_s[0]}
    assert len(_POLLED) == len(polled)
    for at_s in asked_s:
        [*before, current] = [one for one in exchanges if one.begun_s <= at_s]
        assert at_s < current.ended_s, "the line is busy"
        following = exchanges[len(before) + 1]
        assert following.di not in polled, f"{following.di:08X} went before"
        assert following.begun_s <= current.ended_s + 0.001


def test_a_night_costs_no_more_octets_than_it_must(tmp_path: Path) -> None:
    """Lines of 32 meters would be busy for hours with what blocks and lists bring in minutes."""
    meters = Meter("000000000001", seed=7), Meter698("000000000002", seed=7)
    stations = [Station(meter=meter, port=Port(9600)) for meter in meters]
    items = ["forward_active_energy.*", "reverse_active_energy.*"]
    gateway = SimulatedGateway(
        tmp_path,
        stations,
        plans=[{"class": "daily_freeze", "items": items}],
        protocols={meters[1].address: "dlt698.45"},
        port=Port(9600),
    )
    gateway.run(seconds=10)
    octets: dict[str, list[tuple[int, int]]] = {meter.address: [] for meter in meters}
    for (_, question), answer in zip(gateway.requests, gateway.answers, strict=True):
        octets[answer.address].append((len(question.lstrip(b"\xfe")), len(answer.octets)))
    first, second = (octets[meter.address] for meter in meters)
    assert [(16, 21), (16, 36), (16, 36), (16, 21)] == first[:4], "time, two blocks, time"
    assert [(16, 20), (16, 19), (16, 18), (16, 18)] == first[4:], (
        "once a day: its date, its time, its state; once a week: when it settles"
    )
    assert (49 + 9 + 5, 74 + 32) == second[0], "both blocks of a night in one record"
    assert 2 == len(second[1:3]), "whether the clock of a stranger is right"
    assert 3 == len(second[3:]), "once a day: its time, its state; once a week: when it settles"
    assert 20 == len(readings_of(gateway.rows()))
