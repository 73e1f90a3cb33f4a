"""Carrier modules that have gone mad, or whoever stands at their address, cost nobody else anything.

Two plants are alike but for fifty such lines. What the head-end and the good modules say to each other, and
when, is the same in both, and so is what is kept of their reports; the log has one line for each mad one.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from meterlink.bus.endurance import RUBBISH_OCTETS_MAX, UNASKED_OCTETS_MAX
from meterlink.config import Settings
from meterlink.config.carriers import CarrierSettings
from meterlink.daemon.dial_in import Gatehouse
from meterlink.drivers.carrier.owner import CarrierOwner
from meterlink.drivers.carrier.tunnel import lane_opener
from meterlink.errors import LineError
from meterlink.journal.journal import Journal
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim import Simulation
from meterwire.gdw1376.sessions.module_server import ModuleServer
from tests.support.scripted_module import METERS, RUN_MODE, ScriptedModule, asked_for_energy, energy

START = datetime(2026, 10, 1, 3, tzinfo=UTC)
GOOD, MAD = 3, 50
FOR_S, MAD_AT_S = 240.0, 220.0
ASK_EACH_S, REPORT_EACH_S = 7.0, 31.0001
"""Never at one instant: which of two comes first then is nobody's business."""
PIECE = 16_384
FRAMES = 600
"""Others that a mad module says before it begins again."""


@dataclass(slots=True)
class _Heard:
    digest: Any = field(default_factory=hashlib.sha256)
    pieces: int = 0

    def note(self, way: str, octets: bytes) -> None:
        self.pieces += 1
        self.digest.update(f"{asyncio.get_running_loop().time():.9f} {way} {octets.hex()}\n".encode())


class _Noted:
    """Our end of a good line, written down."""

    def __init__(self, stream: ByteStream, heard: _Heard) -> None:
        self._stream = stream
        self._heard = heard
        self.receive_nowait = stream.receive_nowait
        self.aclose = stream.aclose

    async def send(self, octets: bytes) -> None:
        self._heard.note("down", octets)
        await self._stream.send(octets)

    async def receive(self, limit: int = 4096) -> bytes:
        octets = await self._stream.receive(limit)
        self._heard.note("up", octets)
        return octets


def _of(afn: int, fn: int, values: Callable[[int], dict[str, Any]]) -> bytes:
    server = ModuleServer()
    for number in range(FRAMES):
        server.give_up()
        server.report(afn, fn, values(number))
    return server.octets_to_send()


def _power(number: int) -> dict[str, Any]:
    payload = b"\x01" + bytes.fromhex(f"{number:012d}")
    return {"device_type": 1, "protocol": 4, "len": 7, "payload": payload}


KINDS: dict[str, bytes] = {
    str(RUBBISH_OCTETS_MAX): b"\x68" * PIECE,
    str(UNASKED_OCTETS_MAX): _of(0x03, 10, lambda _: dict(RUN_MODE)),
    "octets unasked": _of(0x06, 5, _power),
    "octets unasked, and": _of(0x14, 1, lambda number: {"phase": 1, "addr": f"{number:012d}", "index": 1}),
}
"""What they say, by words of the reason for which they are cut off."""


class _Plant:
    """Lines with modules, the good ones read and reporting.

    Args:
        folder: of the journal.
        mad: lines that have gone mad.

    """

    def __init__(self, folder: Path, mad: int) -> None:
        self.sim = Simulation(seed=1, start=START)
        self.heard: dict[str, _Heard] = {}
        self.answered = self.kept = 0
        self.calls: dict[str, int] = {}
        self._folder = folder
        self._mad = mad

    def run(self) -> None:
        """Let it live."""
        self.sim.run(self._live())

    async def _live(self) -> None:
        async with Journal(self._folder / "journal", clock=self.sim.clock) as journal:
            gatehouse = Gatehouse(Settings(), journal, self.sim.clock)
            async with gatehouse.open(_no_port), asyncio.TaskGroup() as group:
                tasks = []
                for number in range(GOOD):
                    tasks += [group.create_task(one) for one in self._good(f"plc{number}", gatehouse)]
                for number, story in zip(range(self._mad), list(KINDS.values()) * MAD, strict=False):
                    tasks += [group.create_task(one) for one in self._gone_mad(number, story, gatehouse)]
                await asyncio.sleep(FOR_S)
                for task in tasks:
                    task.cancel()
            self.kept = gatehouse.reports.kept

    def _owner(self, name: str, opener: Any, gatehouse: Gatehouse) -> CarrierOwner:
        return CarrierOwner(
            name,
            CarrierSettings(),
            opener=opener,
            meters=dict.fromkeys(METERS, "dlt645-2007"),
            clock=self.sim.clock,
            rng=random.Random(name),
            zone=CHINA_TIME,
            character_s=0.0,
            report=gatehouse.report,
        )

    def _good(self, name: str, gatehouse: Gatehouse) -> Iterator[Any]:
        module = ScriptedModule(list(METERS), mode={"main_node": f"0000000009{name[-1]}0"[-12:].zfill(12)})
        heard = self.heard[name] = _Heard()

        async def opened() -> ByteStream:
            return _Noted(await module.open(), heard)

        owner = self._owner(name, opened, gatehouse)

        async def read() -> None:
            lane = lane_opener(owner, 0)
            for address in METERS * 10:
                stream = await lane()
                await stream.send(asked_for_energy(address))
                assert energy(address) == await stream.receive()
                self.answered += 1
                await stream.aclose()
                await asyncio.sleep(ASK_EACH_S)

        async def report() -> None:
            for number in count():
                await asyncio.sleep(REPORT_EACH_S)
                await module.report(0x06, 5, _power(number % 40))

        yield owner.run()
        yield read()
        yield report()

    def _gone_mad(self, number: int, story: bytes, gatehouse: Gatehouse) -> Any:
        name = f"mad{number}"

        async def rave(far: ByteStream) -> None:
            try:
                await asyncio.sleep(max(0.0, MAD_AT_S - asyncio.get_running_loop().time()))
                while True:
                    await far.send(story)
            except LineError:
                await far.aclose()

        async def opened() -> ByteStream:
            self.calls[name] = self.calls.get(name, 0) + 1
            near, far = memory_line()
            loop = asyncio.get_running_loop()
            raving.add(loop.create_task(rave(far)))
            return near

        raving: set[asyncio.Task[None]] = set()
        yield self._owner(name, opened, gatehouse).run()


def _no_port(*_: Any) -> Any:
    raise AssertionError("no line of these is dialled")


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> _Plant:
    """The plant without a mad module."""
    plant = _Plant(tmp_path_factory.mktemp("quiet"), 0)
    plant.run()
    assert GOOD * (FOR_S / ASK_EACH_S - 5) < plant.answered
    assert GOOD * (FOR_S // REPORT_EACH_S - 2) < plant.kept
    return plant


def test_modules_that_have_gone_mad_cost_nobody_anything(tmp_path: Path, quiet: _Plant) -> None:
    """One mad module on a network would hold up the meters of all other lines."""
    plant = _Plant(tmp_path, MAD)
    with capture_logs() as logs:
        plant.run()
    for name, heard in quiet.heard.items():
        other = plant.heard[name]
        assert (heard.pieces, heard.digest.hexdigest()) == (other.pieces, other.digest.hexdigest()), name
    assert quiet.answered == plant.answered
    _are_told_once(logs, plant.calls)
    assert max(plant.calls.values()) < 12, "pauses grow"


def _are_told_once(logs: list[MutableMapping[str, Any]], calls: dict[str, int]) -> None:
    lost = [line for line in logs if line["event"] == "carrier_lost"]
    for number, why in zip(range(MAD), list(KINDS) * MAD, strict=False):
        reasons = [line["reason"] for line in lost if line["line"] == f"mad{number}"]
        assert 2 <= sum(why in one for one in reasons), (number, why)
        assert len(reasons) <= calls[f"mad{number}"], "one line a connection"
