"""Every kind of order in both protocols, proved by a provider, from the log to the meter and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.life.life import Life
from metersim import Station
from metersim.dlt698 import Meter698
from metersim.works.controlled import Wallet
from metersim.works.cost_control import LOCAL, REMOTE, CostControl
from metersim.works.load import Load
from metersim.works.plate import Plate
from metersim.works.works import Works
from tests.support.control_bench import CUSTOMER, a_meter, a_shop
from tests.support.order_bench import START, OrderBench
from tests.support.secured698 import ADDRESS as ADDRESS_698

PROTOCOLS = ["dlt645-2007", "dlt698.45"]


def a_bench(tmp_path: Path, protocol: str, control: CostControl = REMOTE, **more: Any) -> OrderBench:
    """One meter of a protocol that the laboratory's provider can order about."""
    meter: Any
    if protocol == "dlt698.45":
        wallet = Wallet(preset_cents=5_000, opened=True) if control.payment == "local" else None
        works = Works(
            Plate(address=ADDRESS_698, customer_number=CUSTOMER),
            seed=1,
            load=Load(mean_kw=Decimal("0.5")),
            since=START - timedelta(days=1),
            control=control,
            wallet=wallet,
        )
        meter = Meter698(ADDRESS_698, seed=1, works=works)
    else:
        meter = a_shop() if control.payment == "local" else a_meter(control)
    return OrderBench(tmp_path, Station(meter=meter), protocol=protocol, **more)


def carried_out(bench: OrderBench, *kinds: OrderKind) -> Sequence[Life]:
    """The ends of orders, one after the other; a permit to close is taken with the key."""

    async def script() -> list[Life]:
        ends = []
        for number, kind in enumerate(kinds):
            order = bench.order(kind, id=f"o-{number}")
            if kind is OrderKind.PERMIT_CLOSE:
                await bench.book.begin(order, "meterlink")
                await bench.stands(order.id, OrderState.WAITING_FOR_KEY)
                assert bench.press_key()
                ends.append(await bench.ended(order.id))
            else:
                ends.append(await bench.carry_out(order))
        return ends

    ends = bench.run(script)
    assert ends is not None
    return ends


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "kinds",
    [
        [OrderKind.TRIP],
        [OrderKind.TRIP, OrderKind.DIRECT_CLOSE],
        [OrderKind.TRIP, OrderKind.PERMIT_CLOSE],
        [OrderKind.ALARM_ON, OrderKind.ALARM_OFF],
        [OrderKind.GUARANTEE_ON, OrderKind.GUARANTEE_OFF],
        [OrderKind.TRIP, OrderKind.PERMIT_CLOSE, OrderKind.TRIP, OrderKind.DIRECT_CLOSE],
    ],
    ids=lambda kinds: "-".join(kind.value for kind in kinds),
)
def test_switching(tmp_path: Path, protocol: str, kinds: list[OrderKind]) -> None:
    """A kind of order would not reach a meter, would not be proved, or would be obeyed twice."""
    bench = a_bench(tmp_path, protocol)
    ends = carried_out(bench, *kinds)
    assert [OrderState.DONE] * len(kinds) == [life.state for life in ends]
    assert [kind.value for kind in kinds] == bench.obeyed()
    assert [1] * len(kinds) == [life.transmissions for life in ends]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_top_ups(tmp_path: Path, protocol: str) -> None:
    """Money would not come into the meter, or twice."""
    bench = a_bench(tmp_path, protocol, LOCAL)
    ends = carried_out(bench, OrderKind.TOP_UP, OrderKind.TOP_UP)
    assert [OrderState.DONE] * 2 == [life.state for life in ends]
    assert ["top_up"] * 2 == [kind for kind in bench.obeyed() if kind == "top_up"]
    counts = [life.sent.purchase_count for life in ends if life.sent]
    assert counts[0] is not None
    assert [counts[0], counts[0] + 1] == counts
