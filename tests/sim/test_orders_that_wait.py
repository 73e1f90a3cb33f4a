"""What the rules keep back because of the gateway waits as long as it takes, and then goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.order import OrderState
from meterlink.orders.rules.verdict import OnStop, Stage, Verdict
from metersim import Meter, Station
from tests.support.order_bench import START, Lenient, OrderBench


class _NotYet(Lenient):
    """Rules that keep everything back at one stage, for fifty minutes."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.bench: OrderBench

    @property
    def now(self) -> datetime:
        return self.bench.sim.clock.utc_now()

    async def judge(self, stage: Stage, *_: Any) -> Sequence[Verdict]:
        if stage is not self._stage or self.now >= START + timedelta(minutes=50):
            return ()
        no = Verdict(rule="TIME-01", passed=False, inputs={}, en="no", zh="不", on_stop=OnStop.WAIT)
        return (no,)


@pytest.mark.parametrize("stage", [Stage.OPERATE, Stage.PAPER, Stage.LIVE])
def test_an_order_that_waits_for_the_gateway_is_not_put_off(tmp_path: Path, stage: Stage) -> None:
    """A payer's closing would end because the gateway's clock was set an hour late (decision 23)."""
    judge = _NotYet(stage)
    bench = judge.bench = OrderBench(tmp_path, Station(meter=Meter("000000000161", seed=7)), judge=judge)
    life = bench.run(lambda: bench.carry_out(bench.order()))
    assert life is not None
    assert (OrderState.DONE, 0) == (life.state, life.postponed)
    assert ["trip"] == bench.obeyed()
