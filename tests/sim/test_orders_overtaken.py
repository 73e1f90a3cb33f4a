"""Somebody stops, protects or pays while the verdict on an order is on its way to the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.act import Act, Topic
from meterlink.model.order import Order, OrderKind, OrderState
from meterlink.orders.dispatch.sending import JUDGED_MAX
from meterlink.orders.judging.gathering import Gatherer
from meterlink.orders.judging.judge import basis_of
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.people import Actor
from meterlink.orders.rules.facts import Live
from meterlink.orders.rules.verdict import Stage, Verdict
from metersim import Meter, Station
from tests.sim.test_reconnections import M
from tests.support.order_bench import START, Lenient, OrderBench
from tests.support.order_gateway import OrderGateway, kinds_of, one_meter
from tests.support.orders import order

SLOW_S = 130.0


async def stop(gateway: OrderGateway) -> None:
    await gateway.ask("sam", "control.stop", reason="smoke in the street")


async def protect(gateway: OrderGateway) -> None:
    await gateway.told_of_life_support(meter=M)


@pytest.mark.parametrize("happens", [stop, protect])
def test_nothing_comes_between_the_verdict_and_the_intent(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[OrderGateway], Awaitable[None]],
) -> None:
    """Somebody would be cut off a moment after all trips were stopped, and by the rules of before."""
    gateway = one_meter(tmp_path)
    judged = Gatherer.judge
    lives: list[Sequence[Verdict]] = []

    async def judge(self: Gatherer, stage: Stage, *args: Any) -> Sequence[Verdict]:
        verdicts = await judged(self, stage, *args)
        if stage is Stage.LIVE:
            lives.append(verdicts)
            if len(lives) == 2:  # behind the proof: the next thing is the intent
                assert all(verdict.passed for verdict in verdicts)
                await happens(gateway)
        return verdicts

    monkeypatch.setattr(Gatherer, "judge", judge)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        shown = await gateway.until("t-1", "refused", "authorised", "cancelled", "unknown", "done")
        assert "intend" not in kinds_of(shown["steps"])
        if happens is stop:
            assert 3 == len(lives), "judged again by what is there now"
        else:
            assert "cancelled" == shown["state"], "a protection ends it"

    gateway.run(seconds=120, meanwhile=script)
    assert [] == gateway.obeyed()


class _NeverAtRest(Lenient):
    """Somebody tells something of the meter whenever the rules have been asked."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.judged = 0
        self.bench: OrderBench

    async def judge(
        self, stage: Stage, order: Order, life: Life | None, actor: Actor, live: Live | None = None
    ) -> Sequence[Verdict]:
        self.judged += stage is Stage.LIVE
        if stage is Stage.LIVE and self.judged > 1 and self.left:
            self.left -= 1
            told = Act(
                topic=Topic.EVIDENCE,
                subject=f"e-{self.left}",
                step=1,
                verb="record",
                at=self.bench.sim.clock.utc_now(),
                actor="billing",
                meter=order.meter,
            )
            await self.bench.book.acts.append(told)
        return ()


@pytest.mark.parametrize(("times", "postponed"), [(JUDGED_MAX - 1, 0), (JUDGED_MAX, 1)])
def test_what_does_not_come_to_rest_is_put_off(tmp_path: Path, times: int, postponed: int) -> None:
    """A line would judge one order for ever, or give it up because of one record."""
    judge = _NeverAtRest(times)
    bench = judge.bench = OrderBench(tmp_path, Station(meter=Meter("000000000161", seed=7)), judge=judge)
    life = bench.run(lambda: bench.carry_out(bench.order()))
    assert life is not None
    assert (OrderState.DONE, postponed) == (life.state, life.postponed)
    assert ["trip"] == bench.obeyed()


class _SlowLog:
    """Something that takes its time whenever an intent is written."""

    async def beside(self, before: Life, after: Life, act: Act) -> Sequence[Act]:
        if act.verb == Signal.INTEND:
            await asyncio.sleep(SLOW_S)
        return ()

    def kept(self, acts: Iterable[Act]) -> None:
        """Nothing to be done."""


@pytest.mark.parametrize(("minutes", "obeyed"), [(2, []), (5, ["trip"])])
def test_nothing_leaves_after_a_deadline_that_came_while_the_log_was_written(
    tmp_path: Path, minutes: int, obeyed: list[str]
) -> None:
    """A disk that hangs for two minutes would have somebody cut off after the hour he was told."""
    bench = OrderBench(tmp_path, Station(meter=Meter("000000000161", seed=7)))

    async def acts() -> list[dict[str, Any]]:
        bench.book.companions.append(_SlowLog())
        deadline_at = START + timedelta(minutes=minutes)
        await bench.carry_out(bench.order(deadline_at=deadline_at))
        return [dict(kept.act.body) for kept in await bench.book.acts_of("o-1")]

    bodies = bench.run(acts)
    assert bodies is not None
    told = [body["answer"]["told"] for body in bodies if "answer" in body]
    assert (not obeyed) == ("the deadline came while the log was written" in told)
    assert obeyed == bench.obeyed()


def test_what_the_rules_read_is_what_a_verdict_rests_on() -> None:
    """A topic that a rule reads would be written behind its back."""
    basis = basis_of(order(), 7)
    assert (7, "m1") == (basis.number, basis.meter)
    assert {Topic.EVIDENCE, Topic.ORDER} == basis.here
    assert {Topic.POLICY, Topic.QUALIFICATION, Topic.ROSTER} == basis.anywhere
    assert {Topic.ORDER} == basis.ends
    assert not basis_of(order(OrderKind.PERMIT_CLOSE), 7).ends
