"""Orders to simulated meters of DL/T 645, from the log to the contact; the meter says what it obeyed."""

from __future__ import annotations

from pathlib import Path

from meterlink.model.order import OrderKind, OrderState
from metersim import Meter, Station
from tests.support.order_bench import OrderBench

ADDRESS = "000000000161"


def test_a_trip_is_obeyed_once_and_proved(tmp_path: Path) -> None:
    """The plain case: the contact opens, and the order ends when the meter has shown it."""
    bench = OrderBench(tmp_path, Station(meter=Meter(ADDRESS, seed=7)))
    life = bench.run(lambda: bench.carry_out(bench.order(OrderKind.TRIP)))
    assert life is not None
    assert OrderState.DONE is life.state
    assert ["trip"] == bench.obeyed()
    assert 1 == life.transmissions
