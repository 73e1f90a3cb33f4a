"""A line that one order holds: nobody's exchange comes between two of its own, and it always comes free."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.hold import HELD_TICKETS_MAX, HOLD_MAX_S
from meterlink.bus.line import Exchanging, Line
from meterlink.bus.queue import Priority
from meterlink.errors import BusFull, HoldEnded, LineClosed, LineLost, MeterlinkError, ReplyTimeout
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim.loop import Simulation
from meterwire.dlt645 import ReadRequest, ReadSession
from tests.support.dial_in import settle
from tests.support.exchanges import Act, Peer

_TIMING = Timing(reply_timeout_s=1.0, octet_gap_s=0.5, answer_max_s=2.0)
_ANSWER_S = 0.2
_SEEDS = range(200)
_HOLDER = "9"
"""First digit of what holders ask for; readers' addresses begin with 0."""


class _Bench:
    """A line with a peer that takes ``_ANSWER_S`` to answer."""

    def __init__(
        self, *, timing: Timing = _TIMING, tickets_max: int = 1_000, act: Callable[[int], Act] | None = None
    ) -> None:
        near, self.far = memory_line()

        async def opener() -> ByteStream:
            return near

        self.peer = Peer(self.far, act=act or (lambda _: Act(delay_s=_ANSWER_S)))
        self.line = Line("line1", opener=opener, timing=timing, rng=random.Random(1), tickets_max=tickets_max)
        self.loop = asyncio.get_running_loop()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.TaskGroup]:
        """Peer and owner at work, and a group for callers."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.peer.run())
            self.owner = group.create_task(self.line.run())
            try:
                yield group
            finally:
                self.owner.cancel()
                await asyncio.wait([self.owner])
                await self.far.aclose()

    def order(self) -> list[str]:
        """Whom the requests asked, in the order in which they left."""
        return [asked.address for asked in self.peer.asked]


async def _ask(line: Exchanging, address: str, priority: Priority = Priority.CURVE) -> str:
    """Read something; who answered."""
    session = ReadSession(ReadRequest(address=address.rjust(12, "0"), di=0x00010000))
    await line.exchange(session, priority=priority)
    assert session.reply is not None
    return session.reply.address


def _run(body: Callable[[], Awaitable[None]]) -> None:
    async def program() -> None:
        await body()

    Simulation().run(program())


def test_reads_wait_for_the_end_of_a_hold() -> None:
    """A read between an order and its read-back could be answered with the order's late answer."""

    async def body() -> None:
        bench = _Bench()
        async with bench.running() as group:
            async with bench.line.hold(priority=Priority.CONTROL) as held:
                reading = group.create_task(_ask(bench.line, "1", Priority.ON_DEMAND))
                await _ask(held, "91")
                await asyncio.sleep(30)
                await _ask(held, "92")
                assert not reading.done()
            await reading
        assert ["000000000091", "000000000092", "000000000001"] == bench.order()

    _run(body)


def test_a_held_exchange_goes_at_once() -> None:
    """The holder would queue behind those whom it keeps waiting, and nobody would ever go."""

    async def body() -> None:
        bench = _Bench()
        async with bench.running() as group:
            async with bench.line.hold(priority=Priority.CONTROL) as held:
                reading = [group.create_task(_ask(bench.line, f"{number}")) for number in range(5)]
                await asyncio.sleep(10)
                begun = bench.loop.time()
                await _ask(held, "91", Priority.DISCOVERY)
                assert _ANSWER_S == pytest.approx(bench.loop.time() - begun)
            await asyncio.wait(reading)
        assert 6 == len(bench.order())

    _run(body)


def test_holders_go_one_after_the_other_by_priority() -> None:
    """Two orders at once on one line, or a reconnection that waits behind a discovery."""

    async def body() -> None:
        bench = _Bench()

        async def hold(name: str, priority: Priority) -> None:
            async with bench.line.hold(priority=priority) as held:
                await _ask(held, name)
                await asyncio.sleep(1)
                await _ask(held, name)

        async with bench.running() as group:
            first = group.create_task(hold("91", Priority.BILLING))
            await asyncio.sleep(0.1)
            later = group.create_task(hold("92", Priority.BILLING))
            urgent = group.create_task(hold("93", Priority.CONTROL))
            await asyncio.wait([first, later, urgent])
        assert ["91", "91", "93", "93", "92", "92"] == [address[-2:] for address in bench.order()]

    _run(body)


def test_a_hold_has_an_end() -> None:
    """A holder that hangs would keep all meters of its line from being read."""

    async def body() -> None:
        bench = _Bench()
        async with bench.running() as group, bench.line.hold(priority=Priority.CONTROL) as held:
            begun = bench.loop.time()
            reading = group.create_task(_ask(bench.line, "1"))
            await asyncio.sleep(HOLD_MAX_S - 1)
            await _ask(held, "91")
            assert not reading.done()
            await reading
            assert HOLD_MAX_S + _ANSWER_S == pytest.approx(bench.loop.time() - begun)
            with pytest.raises(HoldEnded, match="300 s"):
                await _ask(held, "92")
        assert ["000000000091", "000000000001"] == bench.order()

    _run(body)


def test_a_hold_that_lapses_amid_an_exchange_lets_it_end() -> None:
    """The next question would collide with the answer to the last one of the hold."""

    async def body() -> None:
        bench = _Bench()
        async with bench.running() as group, bench.line.hold(priority=Priority.CONTROL, longest_s=5) as held:
            reading = group.create_task(_ask(bench.line, "1"))
            await asyncio.sleep(5 - _ANSWER_S / 2)
            waiting = [group.create_task(_settled(_ask(held, f"9{n}"))) for n in range(3)]
            await reading
            assert ["000000000090", "HoldEnded", "HoldEnded"] == [await one for one in waiting]
        first, second = bench.peer.asked
        assert first.answered_at is not None
        assert first.answered_at <= second.at

    _run(body)


async def _settled(asking: Awaitable[str]) -> str:
    """What came of it: who answered, or the name of the error."""
    try:
        return await asking
    except MeterlinkError as error:
        return type(error).__name__


def test_a_holder_cancelled_amid_an_exchange_does_not_stop_it() -> None:
    """The answer to a control would come while the next one's question is open, and be taken for its."""

    async def body() -> None:
        bench = _Bench()
        sessions = []

        async def hold() -> None:
            async with bench.line.hold(priority=Priority.CONTROL) as held:
                sessions.append(ReadSession(ReadRequest(address="91".zfill(12), di=0x00010000)))
                await held.exchange(sessions[0], priority=Priority.CONTROL)

        async with bench.running() as group:
            holding = group.create_task(hold())
            await asyncio.sleep(_ANSWER_S / 2)
            reading = group.create_task(_ask(bench.line, "1"))
            holding.cancel()
            await reading
        assert sessions[0].reply is not None, "the exchange came to its end"
        first, second = bench.peer.asked
        assert first.answered_at is not None
        assert first.answered_at <= second.at

    _run(body)


def test_who_gives_up_before_anything_has_left_sends_nothing() -> None:
    """A control whose order was stopped in time would go out all the same, with nobody who waits for it."""

    async def body() -> None:
        bench = _Bench(timing=Timing(reply_timeout_s=1.0, turnaround_s=0.5))
        async with bench.running() as group:
            asking = group.create_task(_ask(bench.line, "91"))
            await asyncio.sleep(0.4)
            asking.cancel()
            assert "000000000001" == await _ask(bench.line, "1")
        assert ["000000000001"] == bench.order()

    _run(body)


def test_a_hold_that_gives_up_waiting_leaves_nothing() -> None:
    """Places of those who went would stay taken, until the line refuses everybody."""

    async def body() -> None:
        bench = _Bench(tickets_max=2)

        async def hold() -> None:
            async with bench.line.hold(priority=Priority.CONTROL):
                raise AssertionError("it was never granted")

        async with bench.running() as group, bench.line.hold(priority=Priority.CONTROL) as held:
            for _ in range(10):
                waiting = [group.create_task(hold()), group.create_task(_ask(bench.line, "1"))]
                await settle()
                with pytest.raises(BusFull):
                    await _ask(bench.line, "2")
                with pytest.raises(BusFull):
                    await hold()
                for one in waiting:
                    one.cancel()
                await asyncio.wait(waiting)
            await _ask(held, "91")
        assert ["000000000091"] == bench.order()

    _run(body)


def test_a_holder_has_few_places_of_its_own() -> None:
    """A holder that asks without waiting would fill the memory."""

    async def body() -> None:
        bench = _Bench()
        async with bench.running() as group, bench.line.hold(priority=Priority.CONTROL) as held:
            asking = [group.create_task(_settled(_ask(held, f"9{n}"))) for n in range(HELD_TICKETS_MAX + 2)]
            done = [await one for one in asking]
        assert ["BusFull"] * 2 == done[HELD_TICKETS_MAX:]
        assert HELD_TICKETS_MAX == len(bench.order())

    _run(body)


def test_an_exchange_that_is_given_up_within_a_hold_leaves_nothing() -> None:
    """A holder that gives up a few times would have no place left for its read-back."""

    async def body() -> None:
        bench = _Bench()
        async with bench.running() as group, bench.line.hold(priority=Priority.CONTROL) as held:
            first = group.create_task(_ask(held, "91"))
            await settle()
            for _ in range(2):
                waiting = [group.create_task(_ask(held, "92")) for _ in range(HELD_TICKETS_MAX)]
                await settle()
                for one in waiting:
                    one.cancel()
                await asyncio.wait(waiting)
            assert "000000000093" == await _ask(held, "93")
            await first
        assert ["91", "93"] == [address[-2:] for address in bench.order()]

    _run(body)


def test_a_hold_ends_with_its_block() -> None:
    """An exchange of an order that is over would come between those of the next one."""

    async def body() -> None:
        bench = _Bench()
        async with bench.running():
            async with bench.line.hold(priority=Priority.CONTROL) as held:
                pass
            with pytest.raises(HoldEnded):
                await _ask(held, "91")
            with pytest.raises(ZeroDivisionError):
                async with bench.line.hold(priority=Priority.CONTROL):
                    raise ZeroDivisionError
            await _ask(bench.line, "1")
        assert ["000000000001"] == bench.order()

    _run(body)


def test_a_line_without_owner_says_so() -> None:
    """Orders would wait for ever on a line that was stopped."""

    async def body() -> None:
        bench = _Bench()
        said: list[str] = []

        async def hold(asks: bool) -> None:
            try:
                async with bench.line.hold(priority=Priority.CONTROL) as held:
                    await asyncio.sleep(60)
                    if asks:
                        await _ask(held, "91")
            except LineClosed:
                said.append("closed")

        async with bench.running() as group:
            group.create_task(hold(asks=True))
            await asyncio.sleep(1)
            group.create_task(hold(asks=True))
            await asyncio.sleep(1)
        with pytest.raises(LineClosed):
            async with bench.line.hold(priority=Priority.CONTROL):
                raise AssertionError("nobody grants it")
        assert ["closed", "closed"] == said

    _run(body)


def test_the_line_comes_back_for_its_holder() -> None:
    """One lost connection would end an order's hold, and its read-back would queue behind all reads."""

    async def body() -> None:
        ends: list[ByteStream] = []

        async def opener() -> ByteStream:
            near, far = memory_line()
            ends.append(far)
            group.create_task(Peer(far).run())
            return near

        line = Line("line1", opener=opener, timing=_TIMING, rng=random.Random(1))
        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run())
            async with line.hold(priority=Priority.CONTROL) as held:
                await _ask(held, "91")
                await ends[0].aclose()
                with pytest.raises(LineLost):
                    await _ask(held, "91")
                assert "000000000091" == await _ask(held, "91")
            owner.cancel()
            await asyncio.wait([owner])
            await ends[-1].aclose()

    _run(body)


# --- random storms -------------------------------------------------------------------------------


async def _storm(seed: int) -> tuple[str, list[str]]:
    """Holders and readers who come, ask and are cancelled at random.

    Returns:
        what a reader is answered who comes last, and what happened on the line that must not.

    """
    rng = random.Random(seed)
    bench = _Bench(act=lambda _: Act(delay_s=rng.choice([0.0, 0.05, 0.3, 1.5]), answers=rng.random() < 0.9))

    async def hold(number: int) -> None:
        await asyncio.sleep(rng.uniform(0, 5))
        async with bench.line.hold(
            priority=rng.choice(list(Priority)), longest_s=rng.uniform(0.1, 4)
        ) as held:
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(rng.choice([0, 0.1, 1]))
                await _ask(held, f"{_HOLDER}{number:011d}")

    async def read(number: int) -> None:
        await asyncio.sleep(rng.uniform(0, 5))
        await _ask(bench.line, f"{number}", rng.choice(list(Priority)))

    async with bench.running() as group:
        callers = [group.create_task(_quietly(hold(n))) for n in range(6)]
        callers += [group.create_task(_quietly(read(n))) for n in range(6)]
        for _ in range(rng.randrange(12)):
            await asyncio.sleep(rng.uniform(0, 1))
            rng.choice(callers).cancel()
        await asyncio.wait(callers)
        await asyncio.sleep(5)
        bench.peer.act = lambda _: Act()
        last = await _ask(bench.line, "77")
    return last, _intrusions(bench)


def _intrusions(bench: _Bench) -> list[str]:
    """Where the line did not serve one at a time."""
    order = bench.order()
    runs = [address for address, _ in itertools.groupby(order)]
    holders = [address for address in runs if address.startswith(_HOLDER)]
    found = [] if len(set(holders)) == len(holders) else [f"somebody came between: {order}"]
    for earlier, later in itertools.pairwise(bench.peer.asked):
        timed_out_at = earlier.at + _TIMING.reply_timeout_s
        closed_at = min(timed_out_at, earlier.answered_at or timed_out_at)
        if later.at < closed_at:
            found.append(f"{later} began while {earlier} was open")
    return found


async def _quietly(body: Awaitable[None]) -> None:
    try:
        await body
    except (HoldEnded, LineLost, ReplyTimeout):
        return


def test_nobody_comes_between_whoever_is_cancelled_when() -> None:
    """A cancelled order would leave its line held, or let others in while its frame is answered."""
    for seed in _SEEDS:
        try:
            last, intrusions = Simulation(seed=seed).run(_storm(seed))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        assert ("000000000077", []) == (last, intrusions), f"seed {seed}"
