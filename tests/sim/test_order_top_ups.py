"""Money and the meter's purchase count (F53): answers and requests lost, crashes, another's purchase."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.life.life import Life
from metersim import Station
from metersim.security.provider import LabProvider
from meterwire.dlt645 import Deframer
from tests.support.control_bench import ADDRESS, CUSTOMER, NUMBER, a_shop
from tests.support.head_end645 import HeadEnd
from tests.support.order_bench import OrderBench


def a_bench(tmp_path: Path) -> OrderBench:
    return OrderBench(tmp_path, Station(meter=a_shop()))


def topped_up(bench: OrderBench) -> Life:
    """A top-up of 100 yuan, once it has ended."""
    life = bench.run(lambda: bench.carry_out(bench.order(OrderKind.TOP_UP)))
    assert life is not None
    return life


def ended(bench: OrderBench) -> Life:
    """The order that an earlier run has left, once it has ended."""
    life = bench.run(lambda: bench.ended("o-1"))
    assert life is not None
    return life


def test_an_answer_lost_after_the_money_came(tmp_path: Path) -> None:
    """The customer would get the money twice."""
    bench = a_bench(tmp_path)
    bench.strikes.add("silence")
    life = topped_up(bench)
    assert (OrderState.DONE, 1) == (life.state, life.transmissions)
    assert ["top_up"] == bench.obeyed()


def test_a_request_lost_is_repeated_with_the_same_count(tmp_path: Path) -> None:
    """The customer would not get the money, or a repeat would be another purchase."""
    bench = a_bench(tmp_path)
    bench.strikes.add("loss")
    life = topped_up(bench)
    assert (OrderState.DONE, 2) == (life.state, life.transmissions)
    assert ["top_up"] == bench.obeyed()
    assert 2 == len(bench.strikes.controls)


@pytest.mark.parametrize("milliseconds", range(5, 1400, 35))
def test_killed_at_each_moment(tmp_path: Path, milliseconds: int) -> None:
    """After a crash the money would come twice, or an order would say that it came and it did not."""
    bench = a_bench(tmp_path)
    bench.run(lambda: bench.carry_out(bench.order(OrderKind.TOP_UP)), kill_at_s=milliseconds / 1000)
    life = ended(bench)
    assert OrderState.DONE is life.state
    assert ["top_up"] == bench.obeyed()


def test_f53_a_purchase_counter_that_somebody_else_used(tmp_path: Path) -> None:
    """Somebody else's purchase under our count would be taken for ours, and the customer's money be lost."""
    bench = a_bench(tmp_path)
    bench.strikes.add("loss")

    def meanwhile() -> None:
        head_end = HeadEnd(bench.meters[ADDRESS], bench.sim.clock.utc_now())
        head_end.provider = LabProvider(random.Random(9).randbytes)
        head_end.authenticate(number=NUMBER)
        head_end.buy(300, 1, customer=CUSTOMER)

    bench.strikes.then(meanwhile)
    life = topped_up(bench)
    assert OrderState.UNKNOWN is life.state
    assert ["top_up"] == bench.obeyed()


def test_f53_a_repeat_meets_a_meter_that_had_obeyed(tmp_path: Path) -> None:
    """A frame that came late, after the proof that it had not come, would be credited beside its repeat."""
    bench = a_bench(tmp_path)
    bench.strikes.add("loss")
    refused: list[bool] = []

    def come_late() -> None:
        (frame,) = Deframer().feed(bench.strikes.controls[0])
        answer = bench.meters[ADDRESS].answer(frame, bench.sim.clock.utc_now())
        refused.append(answer.frame.abnormal)

    bench.strikes.then(lambda: None)
    bench.strikes.then(come_late)
    life = topped_up(bench)
    assert [True] == refused, "its authentication is over"
    assert (OrderState.DONE, 2) == (life.state, life.transmissions)
    assert ["top_up"] == bench.obeyed()
