"""The published frames of one terminal, 0171-2082, in their order, through hall, session, station and driver.

What we send is compared octet by octet with what its master sent; what it answered comes back as it came.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import Wanted
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.drivers.gdw1376.archive import Archive, Entry
from meterlink.drivers.gdw1376.driver import Gdw1376Driver
from meterlink.drivers.gdw1376.session import StationSession
from meterlink.drivers.gdw1376.settings import TerminalSettings
from meterlink.drivers.gdw1376.station import Station, timing_of
from meterlink.drivers.gdw1376.tunnel import through
from meterlink.errors import LineLost, ReplyTimeout
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.hall import Hall
from meterlink.transports.memory_server import dial
from meterlink.transports.protocol_stream import ProtocolStream
from metersim import Simulation
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.messages.terminal import answer, decode, encode, unit
from tests.support.vectors import octets, vectors

METER = "000000000001"
"""The vectors do not say whose point 1 was."""
LOGIN, HEARTBEAT, LOGOUT = "g1-031", "g1-030", "g1-032"
STEPS: Mapping[str, str | None] = {
    "g1-034": "g1-042",
    "g1-035": "g1-043",
    "g1-036": "g1-044",
    "g1-039": "g1-047",
    "g1-041": "g1-048",
    "g1-040": None,
    "g1-037": "g1-045",
    "g1-038": None,
}
"""What the master asked, by its numbers, and what came; ``None``: no answer was published."""
_VECTORS = {vector["id"]: vector for vector in vectors("gdw1376.jsonl", "gdw1376.1")}


def _moment(vector: str) -> datetime:
    """When a request was sent, by its time tag; the terminal's day was in August 2018."""
    tag = decode(octets(_VECTORS[vector])).auxiliary.time_tag
    assert tag is not None
    assert tag.time is not None
    _, _, day, hour, minute, second, _ = tag.time
    assert day is not None
    assert hour is not None
    assert minute is not None
    return datetime(2018, 8, day, hour, minute, second or 0, tzinfo=CHINA_TIME)


class _Replay:
    def __init__(self, simulation: Simulation) -> None:
        self.clock = simulation.clock
        settings = TerminalSettings(name="0171-2082", time_tag_min=0)
        self.station = Station(settings, clock=self.clock, zone=CHINA_TIME)
        self.hall = Hall(lambda: StationSession({settings.name: self.station}))
        door, rng = self.hall.door(settings.name), random.Random(1)
        self.upper = Line("station", opener=door, timing=timing_of(settings), rng=rng)
        way, timing = through(self.station, self.upper), Timing(reply_timeout_s=70)
        self.line = Line("meters", opener=way, timing=timing, rng=rng)
        self.driver = Gdw1376Driver(Dlt645Driver(self.clock), self.station, self.upper)
        self.sent: list[bytes] = []
        self.seen: dict[str, Any] = {}

    async def terminal(self, far: ProtocolStream) -> None:
        """Answer as it was published; a frame that was not comes from the tunnel, and no meter answers it."""
        answers = {octets(_VECTORS[asked]): told for asked, told in STEPS.items()}
        while True:
            received = await far.receive()
            self.sent.append(received)
            told = answers.get(received)
            if told is not None:
                await far.send(octets(_VECTORS[told]))
            elif received not in answers and (asked := decode(received)).head.afn == table.FORWARD:
                silent = unit(table.FORWARD, 1, {"port": 31, "len": 0, "payload": b""}, way="up")
                await far.send(encode(answer(asked.head, [silent])))

    def at(self, vector: str) -> None:
        """Be where the master was when it sent a frame: its clock, and its numbers."""
        number = decode(octets(_VECTORS[vector])).head.sequence
        self.clock.step_wall(_moment(vector) - self.clock.utc_now())
        self.station._sequence = self.station._tags = number - 1

    async def step(self, vector: str, asking: Any) -> Any:
        """One request, which leaves as it was published."""
        self.at(vector)
        sent = len(self.sent)
        try:
            return await asking
        finally:
            assert octets(_VECTORS[vector]) == self.sent[sent], vector

    async def read(self, item: str) -> Any:
        return await self.driver.read(self.line, METER, item, priority=Priority.ON_DEMAND)

    async def stored(self, item: str) -> Any:
        day = datetime(2018, 8, 28, tzinfo=CHINA_TIME)
        return await self.driver.read_stored(
            self.line, METER, Wanted(DAILY_FREEZE, [item], [day]), priority=Priority.BILLING
        )

    async def raw(self, fn: int) -> Any:
        asked = unit(table.CLASS_1, fn, point=1)
        return await self.station.ask(self.upper, table.CLASS_1, [asked], priority=Priority.ON_DEMAND)


def _values(answer: Any) -> dict[str, str]:
    return {value.item: str(value.value) for value in answer.values}


_ASKED = ("g1-034", "g1-035", "g1-036", "g1-039", "g1-041", "g1-040", "g1-037", "g1-038")
"""The published requests, in the order in which they are played."""


async def _story(replay: _Replay) -> None:
    far = dial(replay.hall)
    await far.send(octets(_VECTORS[HEARTBEAT]))
    denied = decode(await far.receive())
    assert (9, True) == (denied.head.sequence, denied.is_denial), "it has not logged in yet"
    await far.send(octets(_VECTORS[LOGIN]))
    confirmed = decode(await far.receive())
    assert (8, True) == (confirmed.head.sequence, confirmed.is_confirmation)
    await asyncio.sleep(0.1)
    loop = asyncio.get_running_loop()
    owners = [loop.create_task(one.run()) for one in (replay.upper, replay.line)]
    await asyncio.sleep(0.1)
    await far.send(octets(_VECTORS[HEARTBEAT]))
    confirmed = decode(await far.receive())
    assert (9, True) == (confirmed.head.sequence, confirmed.is_confirmation)

    terminal = loop.create_task(replay.terminal(far))
    point = Entry(1, 1, METER, 31, 0, 30, "")
    replay.station.showed(timedelta())
    replay.station.believe(Archive([point]))
    replay.station.works |= {(0x0D, 1), (0x0D, 2)}
    told = await replay.step("g1-034", replay.read("forward_active_energy.*"))
    assert {"forward_active_energy": "0.0100"} == _values(told), "EE is no value"
    assert datetime(2018, 8, 28, 16, 18, tzinfo=CHINA_TIME) == told.taken_at
    for vector, fn in (("g1-035", 167), ("g1-036", 168)):
        kept = await replay.step(vector, replay.raw(fn))
        assert [None] == [one.fields for one in kept.units], "nobody knows their layout"
    night = await replay.step("g1-039", replay.stored("forward_active_energy"))
    [record] = night.records
    assert datetime(2018, 8, 28, tzinfo=CHINA_TIME).astimezone(UTC) == record.slot
    assert {"forward_active_energy": "0.0100"} == _values(record)
    with pytest.raises(ReplyTimeout):
        await replay.step("g1-041", replay.stored("reverse_active_energy"))
    with pytest.raises(ReplyTimeout):
        await replay.step("g1-040", _month(replay, point))
    told = await replay.step("g1-037", replay.read("voltage.*"))
    assert {"voltage.a": "242.7"} == _values(told)
    with pytest.raises(ReplyTimeout):
        await replay.step("g1-038", replay.raw(33))
    await far.send(octets(_VECTORS[LOGOUT]))
    await asyncio.sleep(1)
    with pytest.raises(LineLost):
        await replay.raw(129)
    for task in (*owners, terminal):
        task.cancel()
    await asyncio.wait([*owners, terminal])
    await replay.hall.close()


async def _month(replay: _Replay, point: Entry) -> Any:
    replay.station.works.add((0x0D, 17))
    august = datetime(2018, 8, 1, tzinfo=CHINA_TIME)
    return await replay.driver._store.stored(
        point,
        "monthly_freeze",
        ["forward_active_energy"],
        [august],
        every=timedelta(),
        priority=Priority.BILLING,
    )


def test_the_published_conversation_of_one_terminal() -> None:
    """We would speak with ourselves alone, and with no terminal in the field."""
    simulation = Simulation(start=_moment("g1-034"))

    async def story() -> list[bytes]:
        replay = _Replay(simulation)  # lines want a running loop
        await _story(replay)
        return replay.sent

    published = [octets(_VECTORS[vector]) for vector in _ASKED]
    assert published == [request for request in simulation.run(story()) if request in published]
