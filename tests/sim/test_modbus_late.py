"""Answers of Modbus RTU that come late, in any order: none is kept as another item."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import MeterAnswer
from meterlink.drivers.modbus.driver import ModbusDriver
from meterlink.drivers.modbus.late import LATENESS_S, UNANSWERED_MAX, Unit
from meterlink.drivers.modbus.plan import Block, wider
from meterlink.errors import BadAnswer, Refused, ReplyTimeout
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from meterprofiles import packaged
from metersim import Simulation
from meterwire.modbus import (
    ExceptionReply,
    Framed,
    ReadReply,
    ReadRequest,
    Reply,
    decode,
    decode_request,
    encode,
    encode_pdu,
)

_SDM230 = {
    "voltage.a": 0,
    "current.a": 6,
    "active_power": 12,
    "frequency": 70,
    "forward_active_energy": 72,
    "reverse_active_energy": 74,
}
_WAIT_S = 1.5
Delays = Callable[[ReadRequest], float]


def _plain(request: ReadRequest) -> Reply:
    """Each register holds its own address, so each value says where it was read."""
    octets = b"".join(at.to_bytes(2, "big") for at in range(request.start, request.start + request.count))
    return ReadReply(request.function, octets)


class _World:
    """A line with one unit, a driver, and what was asked."""

    def __init__(self, clock: object, delay: Delays, reply: Callable[[ReadRequest], Reply]) -> None:
        self.asked: list[Block] = []
        self.driver = ModbusDriver(clock, profile=packaged().named("modbus/eastron-sdm230"))  # type: ignore[arg-type]
        self.loop = asyncio.get_running_loop()
        self.line = Line("l", opener=self._open, timing=Timing(reply_timeout_s=_WAIT_S), rng=random.Random(1))
        self.tasks = [self.loop.create_task(self.line.run())]
        self._delay = delay
        self._reply = reply

    async def read(self, item: str) -> MeterAnswer:
        return await self.driver.read(self.line, "000000000017", item, priority=Priority.BILLING)

    async def _open(self) -> ByteStream:
        ours, theirs = memory_line()
        self.tasks.append(self.loop.create_task(self._serve(theirs)))
        return ours

    async def _serve(self, far: ByteStream) -> None:
        while True:
            framed = decode(await far.receive(), "rtu")
            request = decode_request(framed.pdu)
            assert isinstance(request, ReadRequest)
            self.asked.append(Block(request.start, request.count))
            answer = encode(Framed(framed.unit, encode_pdu(self._reply(request))), "rtu")
            self.tasks.append(self.loop.create_task(self._answer(far, answer, self._delay(request))))

    async def _answer(self, far: ByteStream, octets: bytes, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await far.send(octets)


def _run(
    story: Callable[[_World], Awaitable[None]],
    delay: Delays,
    reply: Callable[[ReadRequest], Reply] = _plain,
) -> None:
    simulation = Simulation(seed=1)

    @asynccontextmanager
    async def world() -> AsyncIterator[_World]:
        made = _World(simulation.clock, delay, reply)
        try:
            yield made
        finally:
            for task in made.tasks:
                task.cancel()
            await asyncio.wait(made.tasks)

    async def program() -> None:
        async with world() as made:
            await story(made)

    simulation.run(program())


def _value(item: str) -> Decimal | None:
    """What the unit of ``_plain`` tells of an item."""
    profile = packaged().named("modbus/eastron-sdm230")
    told: list[Decimal | None] = []

    async def story(world: _World) -> None:
        told.extend(value.value for value in (await world.read(item)).values)

    assert profile.registers is not None
    _run(story, lambda _: 0.1)
    return told[0]


@pytest.mark.parametrize("seed", range(12))
def test_a_late_answer_is_never_told_as_another_item(seed: int) -> None:
    """An answer names no register: a voltage would be kept, and billed, as an energy, without a mark."""
    rng = random.Random(seed)
    right = {item: _value(item) for item in _SDM230}
    assert len(right) == len(set(right.values()))
    told = 0

    async def one(world: _World, item: str) -> None:
        nonlocal told
        try:
            answer = await world.read(item)
        except (ReplyTimeout, BadAnswer):
            return
        told += 1
        assert [(item, right[item])] == [(value.item, value.value) for value in answer.values]

    async def story(world: _World) -> None:
        for _ in range(120):
            await asyncio.gather(*(one(world, rng.choice(list(_SDM230))) for _ in range(rng.randint(1, 3))))
            await asyncio.sleep(rng.choice([0, 0, 1, LATENESS_S]))

    _run(story, lambda _: 0.1 if rng.random() < 0.6 else rng.uniform(_WAIT_S, 12.0))
    assert told > 60, "the meter is read all the same"


def test_what_may_not_be_asked_yet_is_asked_once_late_answers_can_come_no_more() -> None:
    """A meter that was silent once would never be read again, or be read wrongly."""
    silent = [99.0]

    async def story(world: _World) -> None:
        with pytest.raises(ReplyTimeout):
            await world.read("voltage.a")
        await world.read("voltage.a")  # the same question: either answer is one to it
        begun = len(world.asked)
        with pytest.raises(ReplyTimeout, match="is asked later"):
            await world.read("current.a")
        with pytest.raises(ReplyTimeout, match="is asked later"):
            await world.read("voltage.a")  # asked again and again, it would keep the other one waiting
        assert begun == len(world.asked), "nothing was sent whose answer nobody could tell"
        energy = await world.read("forward_active_energy")
        assert Block(70, 4) == world.asked[-1], "another number of registers, which a late answer has not"
        assert ["forward_active_energy"] == [value.item for value in energy.values]
        await asyncio.sleep(LATENESS_S)
        await world.read("current.a")
        assert Block(6, 2) == world.asked[-1]

    _run(story, lambda _: silent.pop() if silent else 0.1)


def test_no_item_waits_for_ever_behind_one_that_is_often_late() -> None:
    """A meter whose voltage is asked each few seconds would never tell its current."""
    rng = random.Random(7)
    told = dict.fromkeys(("voltage.a", "current.a", "active_power"), 0)

    async def story(world: _World) -> None:
        for _ in range(90):
            for item in told:
                with contextlib.suppress(ReplyTimeout):
                    await world.read(item)
                    told[item] += 1
            await asyncio.sleep(10)

    _run(story, lambda _: 0.1 if rng.random() < 0.6 else 2.2)
    assert min(told.values()) >= 5, told


def test_a_late_no_refuses_nothing_else() -> None:
    """A meter's energy would be given up because it has no voltage."""
    delays = [2.0]

    def reply(request: ReadRequest) -> Reply:
        return ExceptionReply(request.function, 2) if request.start == 0 else _plain(request)

    async def story(world: _World) -> None:
        with pytest.raises(ReplyTimeout):
            await world.read("voltage.a")
        with pytest.raises(BadAnswer, match="earlier question"):
            await world.read("forward_active_energy")
        await asyncio.sleep(LATENESS_S)
        await world.read("forward_active_energy")
        with pytest.raises(Refused):
            await world.read("voltage.a")

    _run(story, lambda request: delays.pop() if delays else (1.0 if request.start else 0.1), reply)


def test_what_a_unit_left_unanswered_has_a_limit_and_is_forgotten() -> None:
    """A silent meter would fill the memory, or a new question be asked that nobody remembers."""
    now = 0.0
    unit = Unit(lambda: now)
    for number in range(UNANSWERED_MAX):
        block = Block(0, number + 1)
        assert block == unit.may_ask(4, [block])
        unit.sent(4, block)
    assert unit.may_ask(4, [Block(0, UNANSWERED_MAX + 1)]) is None
    assert Block(0, 1) == unit.may_ask(4, [Block(0, 1)]), "it is in mind already"
    now = LATENESS_S
    assert Block(0, 99) == unit.may_ask(4, [Block(0, 99)])


def test_wider_blocks_hold_the_block_and_nothing_that_the_map_has_not() -> None:
    """A meter would be asked for a register it does not have, and refuse all of them."""
    spans = [(0, 2), (6, 2), (8, 4), (72, 2), (74, 2)]
    assert [Block(72, 4)] == list(wider(Block(74, 2), spans, registers_max=60, gap_max=0))
    assert [] == list(wider(Block(0, 2), spans, registers_max=60, gap_max=3))
    assert [Block(0, 8), Block(0, 12)] == list(wider(Block(0, 2), spans, registers_max=60, gap_max=4))
    assert [Block(0, 8)] == list(wider(Block(0, 2), spans, registers_max=8, gap_max=4))
