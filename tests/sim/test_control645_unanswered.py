"""Orders of DL/T 645-2007 whose answer is lost, late, foreign or not waited for: obeyed at most once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

import pytest

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.control import ControlAnswer, Verdict
from meterlink.errors import LineLost, MeterlinkError
from meterlink.model.order import OrderKind
from metersim.line.fault_rules import FaultRule
from tests.support.control_bench import (
    ADDRESS,
    ASKS_WORDS,
    NUMBER,
    REPLY_TIMEOUT_S,
    ControlBench,
    a_shop,
)

TRIP, CLOSE, TOP_UP = OrderKind.TRIP, OrderKind.DIRECT_CLOSE, OrderKind.TOP_UP


# --- no verdict ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "obeyed"),
    [
        ("loss", 0),
        ("silence", 1),
        ("random_octets", 1),
        ("half_frame", 1),
        ("other_address", 1),
        ("bit_flip", 1),
        ("truncation", 1),
    ],
)
@pytest.mark.parametrize("kind", [TRIP, TOP_UP])
def test_without_an_answer_nothing_is_known(kind: OrderKind, fault: str, obeyed: int) -> None:
    """Silence taken for "not done" means a second trip; for "done", power or money that never came."""
    bench = ControlBench(a_shop())
    more: dict[str, Any] = {"octets": 5} if fault == "truncation" else {}
    answer = bench.order(kind, fault=fault, **more)
    assert Verdict.NONE is answer.verdict
    assert [kind.value] * obeyed == bench.obeyed()


@pytest.mark.parametrize("fault", ["echo", "noise", "duplicate", "split"])
@pytest.mark.parametrize("kind", [TRIP, TOP_UP])
def test_a_line_that_adds_something_takes_nothing(kind: OrderKind, fault: str) -> None:
    """Serial servers repeat and echo; orders on their lines would all end unconfirmed."""
    bench = ControlBench(a_shop())
    assert Verdict.ACCEPTED is bench.order(kind, fault=fault).verdict
    assert [kind.value] == bench.obeyed()


def test_a_refusal_of_a_meter_that_obeyed() -> None:
    """What a meter says is told as it was said; that it is no proof is for the read-back."""
    bench = ControlBench()
    assert Verdict.REJECTED is bench.order(TRIP, fault="abnormal", word=4).verdict
    assert ["trip"] == bench.obeyed()


def test_a_late_answer_is_not_that_of_the_next_order() -> None:
    """A close would be taken for accepted by the late 9C of the trip before it."""
    bench = ControlBench()

    async def two(line: Line) -> list[Verdict]:
        async with line.hold(priority=Priority.CONTROL) as held:
            first = await bench.prepared(held, TRIP)
            bench.fault("late", ms=int(REPLY_TIMEOUT_S * 1_500))
            verdicts = [(await bench.driver.send(held, first)).verdict]
            await asyncio.sleep(REPLY_TIMEOUT_S)
            second = await bench.prepared(held, CLOSE)
            bench.fault("loss")
            verdicts.append((await bench.driver.send(held, second)).verdict)
        return verdicts

    assert [Verdict.NONE, Verdict.NONE] == bench.run(two)
    assert ["trip"] == bench.obeyed()


def test_an_execution_word_of_something_else_is_no_answer() -> None:
    """The late answer to a close would confirm a trip."""
    bench = ControlBench(profile=ASKS_WORDS)

    async def two(line: Line) -> ControlAnswer:
        async with line.hold(priority=Priority.CONTROL) as held:
            first = await bench.prepared(held, CLOSE)
            bench.fault("late", ms=int(REPLY_TIMEOUT_S * 1_000) + 300)
            assert Verdict.NONE is (await bench.driver.send(held, first)).verdict
            second = await bench.driver.prepare(held, ADDRESS, bench.command(TRIP), bench.security)
            bench.fault("loss")
            return await bench.driver.send(held, second)

    # The authentication of the second takes no time to speak of: the close's answer comes amid the trip's.
    answer = bench.run(two)
    assert Verdict.NONE is answer.verdict
    assert "0001" == answer.word, "it was the other one's"
    assert [] == bench.obeyed("trip")


# --- nothing sent --------------------------------------------------------------------------------


def test_a_line_that_is_down_has_sent_nothing() -> None:
    """An order whose octets never left would stay locked as unconfirmed for a day."""
    bench = ControlBench()

    async def cut(line: Line) -> ControlAnswer:
        prepared = await bench.prepared(line, TRIP)
        await bench.unplug()
        with pytest.raises(LineLost):
            await bench.driver.identity(line, ADDRESS)
        return await bench.driver.send(line, prepared)

    answer = bench.run(cut)
    assert Verdict.UNSENT is answer.verdict
    assert "nothing was sent" in answer.told
    assert [] == bench.obeyed()


def test_a_line_that_breaks_amid_the_sending() -> None:
    """Octets that may have left would pass for octets that have not, and go out again."""
    bench = ControlBench()

    async def cut(line: Line) -> ControlAnswer:
        prepared = await bench.prepared(line, TRIP)
        await bench.unplug()
        return await bench.driver.send(line, prepared)

    assert Verdict.NONE is bench.run(cut).verdict


def test_a_hold_that_is_over_sends_nothing() -> None:
    """An order that waited too long would go out between other people's questions."""
    bench = ControlBench()

    async def outlive(line: Line) -> ControlAnswer:
        async with line.hold(priority=Priority.CONTROL, longest_s=10) as held:
            prepared = await bench.prepared(held, TRIP)
            await asyncio.sleep(10)
            return await bench.driver.send(held, prepared)

    assert Verdict.UNSENT is bench.run(outlive).verdict
    assert [] == bench.obeyed()


def test_a_control_is_sent_once() -> None:
    """The same frame twice is two trips in the meter's eyes."""
    bench = ControlBench()

    async def twice(line: Line) -> None:
        prepared = await bench.prepared(line, TRIP)
        await bench.driver.send(line, prepared)
        with pytest.raises(ValueError, match="sent once"):
            await bench.driver.send(line, prepared)

    bench.run(twice)
    assert ["trip"] == bench.obeyed()


@pytest.mark.parametrize("after_ms", range(0, 60, 4))
def test_cancelled_between_sending_and_answer(after_ms: int) -> None:
    """Its octets would leave a second time, or the next question meet the answer to this one."""
    bench = ControlBench()

    async def cancel(line: Line) -> str:
        async with line.hold(priority=Priority.CONTROL) as held:
            prepared = await bench.prepared(held, TRIP)
            sending = asyncio.ensure_future(bench.driver.send(held, prepared))
            await asyncio.sleep(after_ms / 1_000)
            sending.cancel()
            await asyncio.wait([sending])
            with pytest.raises(ValueError, match="sent once"):
                await bench.driver.send(held, prepared)
            return (await bench.driver.identity(held, ADDRESS)).meter_number

    assert NUMBER == bench.run(cancel)
    assert bench.obeyed() in ([], ["trip"])


def test_cancelled_before_anything_left_it_never_leaves() -> None:
    """Somebody stops an order in the last moment, and it goes out with nobody watching."""
    bench = ControlBench()

    async def cancel(line: Line) -> None:
        prepared = await bench.prepared(line, TRIP)
        async with line.hold(priority=Priority.CONTROL) as other:
            sending = asyncio.ensure_future(bench.driver.send(line, prepared))
            await asyncio.sleep(1)
            sending.cancel()
            await asyncio.wait([sending])
            await bench.driver.identity(other, ADDRESS)
        await bench.driver.identity(line, ADDRESS)

    bench.run(cancel)
    assert [] == bench.obeyed()


async def _storm(bench: ControlBench, line: Line, rng: random.Random) -> dict[str, ControlAnswer | None]:
    """Orders and reads, of which somebody stops a few; what became of the order of each operator."""
    answers: dict[str, ControlAnswer | None] = {}

    async def order(operator: str) -> None:
        await asyncio.sleep(rng.uniform(0, 0.5))
        command = bench.command(rng.choice([TRIP, CLOSE, TOP_UP]), operator_code=operator)
        async with line.hold(priority=Priority.CONTROL) as held:
            prepared = await bench.driver.prepare(held, ADDRESS, command, bench.security)
            answers[operator] = None
            if rng.random() < 0.3:
                task = asyncio.current_task()
                assert task is not None
                asyncio.get_running_loop().call_later(rng.choice([0, 0.01, 0.03, 0.5]), task.cancel)
            answers[operator] = await bench.driver.send(held, prepared)
            await bench.driver.standing(held, ADDRESS)
            await bench.driver.finish(held, prepared)

    async def quietly(body: Awaitable[object]) -> None:
        with suppress(MeterlinkError):
            await body

    tasks = [asyncio.ensure_future(quietly(order(f"0000000{n}"))) for n in range(1, 7)]
    tasks += [asyncio.ensure_future(quietly(bench.driver.identity(line, ADDRESS))) for _ in range(4)]
    for _ in range(rng.randrange(12)):
        await asyncio.sleep(rng.choice([0, 0.005, 0.03, 0.3]))
        rng.choice([task for task in tasks if not task.done()] or tasks).cancel()
    await asyncio.wait(tasks)
    bench.rules.clear()
    await asyncio.sleep(2 * REPLY_TIMEOUT_S)
    assert NUMBER == (await bench.driver.identity(line, ADDRESS)).meter_number, "the line came free"
    return answers


@pytest.mark.parametrize("seed", range(60))
def test_whoever_is_cancelled_when_nothing_is_obeyed_twice(seed: int) -> None:
    """Two trips, or two credits, for one order: the worst that this program can do."""
    rng = random.Random(seed)
    bench = ControlBench(a_shop())
    for fault in ("silence", "loss", "bit_flip", "echo", "delay"):
        bench.rules.add(FaultRule(what=fault, probability=0.08))
    answers = bench.run(lambda line: _storm(bench, line, rng))
    obeyed = Counter(one.operator for one in bench.controls())
    assert obeyed.keys() <= answers.keys(), "nothing is obeyed that was not sent"
    for operator, answer in answers.items():
        fewest, most = _EFFECTS[None if answer is None else answer.verdict]
        assert fewest <= obeyed[operator] <= most, f"{answer} of order {operator}"


_EFFECTS = {
    None: (0, 1),  # stopped while it was sent
    Verdict.NONE: (0, 1),
    Verdict.ACCEPTED: (1, 1),
    Verdict.REJECTED: (0, 0),
    Verdict.UNSENT: (0, 0),
}
