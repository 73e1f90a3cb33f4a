"""A module that sends without end, or nothing that can be read, costs itself its connection."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

from meterlink.bus.endurance import FRAME_OCTETS_LEAST, RUBBISH_OCTETS_MAX, UNASKED_OCTETS_MAX
from meterlink.bus.hearing import DEAF_AFTER_MAX_S, DEAF_AFTER_S
from meterlink.drivers.carrier import hearing, owner
from meterlink.drivers.carrier.outstanding import Strays
from meterlink.drivers.carrier.pace import ANSWERS_BURST, ANSWERS_PER_S
from meterlink.drivers.carrier.port import Flooded, ModulePort
from meterlink.errors import LineError, LineLost
from meterlink.transports.stream import ByteStream
from metersim import Simulation
from tests.support.scripted_module import METERS, ONE, RUN_MODE, Bench, ScriptedModule, bench_of, energy

FRAMES_MAX = UNASKED_OCTETS_MAX // FRAME_OCTETS_LEAST
WAITED_S = 0.02
"""Between the report of a quick module and our confirmation."""


def _power(number: int) -> dict[str, Any]:
    payload = b"\x01" + bytes.fromhex(f"{number:012d}")
    return {"device_type": 1, "protocol": 4, "len": 7, "payload": payload}


def _flooded(logs: list[Any]) -> list[str]:
    return [line["reason"] for line in logs if line["event"] == "carrier_lost"]


async def _rubbish(bench: Bench) -> None:
    for _ in range(RUBBISH_OCTETS_MAX // 4_096 + 1):
        await bench.module.say(b"\x68" * 4_096)


async def _resets(bench: Bench) -> None:
    for _ in range(FRAMES_MAX + 1):
        await bench.module.begin_anew()


async def _reports(bench: Bench) -> None:
    for number in range(FRAMES_MAX + ANSWERS_BURST):
        bench.module.server.give_up()
        await bench.module.report(0x06, 5, _power(number))


@pytest.mark.parametrize(
    ("flood", "why"),
    [(_rubbish, "octets of no frame"), (_resets, "octets unasked"), (_reports, "octets unasked")],
)
def test_a_flood_ends_the_connection_and_the_module_is_called_again(flood: Any, why: str) -> None:
    """A module gone mad would take the time of all other lines, and be a line of the log each time."""
    bench = bench_of()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        await flood(bench)
        await asyncio.sleep(0.1)
        with pytest.raises(LineLost, match=why):
            await bench.owner.until_ready()
        assert hearing.CALLS_KEPT >= len(bench.reports)
        await asyncio.sleep(2 * owner.FLOODED_PAUSE_S)
        assert energy(ONE) == await bench.octets(ONE)

    with capture_logs() as logs:
        bench.run(story)
    [reason] = _flooded(logs)
    assert why in reason


class _Flooder(ScriptedModule):
    """Sends rubbish as soon as it is called, as long as it is mad."""

    def __init__(self) -> None:
        super().__init__(list(METERS))
        self.is_mad = True
        self.calls: list[float] = []

    async def open(self) -> ByteStream:
        loop = asyncio.get_running_loop()
        self.calls.append(loop.time())
        stream = await super().open()
        if self.is_mad:
            self._spawn(_quietly(self._rave()))
        return stream

    async def _rave(self) -> None:
        while True:
            await self.say(b"\x68" * 4_096)


def test_who_floods_again_is_called_more_and_more_seldom() -> None:
    """Each call of a module gone mad costs the others what it may send at once."""
    module = _Flooder()
    bench = Bench(module, METERS)

    async def story(bench: Bench) -> None:
        await asyncio.sleep(4 * 3_600)
        module.is_mad = False
        called = len(module.calls)
        await asyncio.sleep(owner.FLOODED_PAUSE_MAX_S)
        assert energy(ONE) == await bench.octets(ONE)
        assert called + 1 == len(module.calls)

    with capture_logs() as logs:
        bench.run(story)
    pauses = [later - earlier for earlier, later in zip(module.calls, module.calls[1:], strict=False)]
    assert pauses[0] < 2 * owner.FLOODED_PAUSE_S
    assert owner.FLOODED_PAUSE_MAX_S / 2 <= min(pauses[-10:])
    assert max(pauses) <= owner.FLOODED_PAUSE_MAX_S + 1
    assert len(module.calls) - 1 == len(_flooded(logs)), "one line of the log for each"


async def _quietly(work: Any) -> None:
    with suppress(LineError):
        await work


@pytest.mark.parametrize("asks", [False, True])
def test_a_module_that_waits_for_us_may_say_much(asks: bool) -> None:
    """An area without power would be told by a thousand reports, and its module be cut off for them."""
    bench = bench_of()
    times = 4 * FRAMES_MAX

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        loop, server = asyncio.get_running_loop(), bench.module.server
        begun_s = loop.time()
        for number in range(times):
            if asks:
                await bench.module.report(0x14, 1, {"phase": 1, "addr": f"{number:012d}", "index": 1})
            else:
                await bench.module.report(0x06, 5, _power(number))
                await asyncio.sleep(WAITED_S)
                bench.reports[-1].acknowledge()
            while server.open_reports:  # noqa: ASYNC110 (a module has no event)
                await asyncio.sleep(0.001)
        took_s = loop.time() - begun_s
        assert (times - ANSWERS_BURST) / ANSWERS_PER_S == pytest.approx(took_s, rel=0.05)
        assert 1 == bench.module.opened

    bench.run(story)


def test_answers_are_as_many_as_were_asked_for() -> None:
    """An answer given again and again would be heard for ever, for somebody had asked."""
    bench = bench_of()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        for _ in range(FRAMES_MAX + 10):
            assert energy(ONE) == await bench.octets(ONE)
        assert 1 == bench.module.opened
        octets = bench.module.said_last
        for _ in range(FRAMES_MAX + 2):
            await bench.module.say(octets)
        await asyncio.sleep(0.1)
        assert "unasked" in bench.owner.trouble

    bench.run(story)


class _Endless:
    """A stream that always has more; counts the pieces."""

    def __init__(self, piece: bytes) -> None:
        self.piece = piece
        self.pieces = 0

    async def receive(self, limit: int = 4_096) -> bytes:
        self.pieces += 1
        return self.piece[:limit]

    async def send(self, octets: bytes) -> None:
        """Taken."""


def test_others_have_their_turn_after_each_piece() -> None:
    """All other lines would wait until a flood is ended, for a stream that has octets never waits."""
    stream, turns = _Endless(b"\x68" * 4_096), list[int]()

    async def program() -> None:
        flooded = ModulePort(
            stream,  # type: ignore[arg-type]
            Strays(),
            character_s=0,
            called=lambda _: None,
            heard=lambda: None,
            late=lambda _, __: None,
        )
        with pytest.raises(ExceptionGroup) as raised:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(flooded.run())
                while not reading.done():
                    turns.append(stream.pieces)
                    await asyncio.sleep(0)
        assert raised.value.split(Flooded)[0]

    Simulation().run(program())
    steps = [later - earlier for earlier, later in zip(turns, turns[1:], strict=False)]  # noqa: RUF007
    assert {0, 1} == set(steps)


@pytest.mark.parametrize("rubbish", [False, True])
def test_rubbish_is_not_heard(rubbish: bool) -> None:
    """A port that brings nothing but noise would pass for one that works, for ever."""
    bench = bench_of()
    opened: list[float] = []

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        bench.module.silent = True
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(_reads(bench))
            while bench.module.opened == 1:
                await asyncio.sleep(10)
                if rubbish and bench.module.opened == 1:
                    await _quietly(bench.module.say(b"\x00"))
            opened.append(asyncio.get_running_loop().time())
            reading.cancel()

    bench.run(story)
    patience_s = DEAF_AFTER_MAX_S if rubbish else DEAF_AFTER_S
    assert patience_s <= opened[0] < patience_s + 150


async def _reads(bench: Bench) -> None:
    while True:
        try:
            await bench.octets(ONE)
        except LineError:
            await asyncio.sleep(1)
        except Exception:  # noqa: BLE001 (the meter is silent)
            await asyncio.sleep(1)


def test_a_module_that_begins_anew_all_the_time_is_told_once_a_minute() -> None:
    """Resets fast enough to be no flood would be a line each: thousands an hour, and the disk full."""
    bench = bench_of()
    minutes = 10

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        for _ in range(60 * minutes):
            await asyncio.sleep(1)
            await bench.module.report(0x03, 10, RUN_MODE)
        await asyncio.sleep(0.1)
        assert (1, 60 * minutes) == (bench.module.opened, bench.owner.counts.resets)

    with capture_logs() as logs:
        bench.run(story)
    for event in ("carrier_reset", "carrier_ready"):
        told = [line["times"] for line in logs if line["event"] == event]
        assert minutes <= len(told) <= minutes + 1, event
        assert 59 * (minutes - 2) <= sum(told), event
