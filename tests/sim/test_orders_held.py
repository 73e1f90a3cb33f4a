"""A trip over a cap at its turn on the line: it goes back, waits for a person, and goes once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from meterlink.model.order import Order, OrderState
from meterlink.orders.life.life import Life
from meterlink.orders.people import Actor
from meterlink.orders.rules import Live, OnStop, Stage, Verdict
from metersim import Station
from tests.support.control_bench import a_meter
from tests.support.order_bench import Lenient, OrderBench


class _Capped(Lenient):
    """A cap that is full at the order's turn, until somebody releases it."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.is_released = False

    async def judge(
        self, stage: Stage, order: Order, life: Life | None, actor: Actor, live: Live | None = None
    ) -> Sequence[Verdict]:
        if self.is_released or stage is not Stage.PAPER:
            return ()
        return [Verdict(rule="CAP-01", passed=False, inputs={}, en="x", zh="y", on_stop=OnStop.HOLD)]

    async def hold(self, life: Life, actor: Actor, verdicts: Sequence[Verdict]) -> bool:
        self.held.append(life.order.id)
        return True


def test_what_is_over_a_cap_at_its_turn_is_held_and_not_dropped(tmp_path: Path) -> None:
    """The excess would be refused for good, or sent in a burst when the line comes back."""
    judge = _Capped()
    bench = OrderBench(tmp_path, Station(meter=a_meter()), judge=judge)

    async def script() -> Life:
        await bench.book.begin(bench.order(), "meterlink")
        while not judge.held:
            news = bench.book.news
            await news.wait()
        life = await bench.stands("o-1", OrderState.AUTHORISED)
        assert ([], 1) == (bench.obeyed(), life.postponed)
        judge.is_released = True
        return await bench.ended("o-1")

    life = bench.run(script)
    assert life is not None
    assert (OrderState.DONE, 1) == (life.state, life.transmissions)
    assert (["trip"], ["o-1"]) == (bench.obeyed(), judge.held)
