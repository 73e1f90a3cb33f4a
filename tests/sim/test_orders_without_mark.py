"""No frame leaves whose intent the mark beside the log does not name: by an old copy it would leave again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from meterlink.errors import JournalError
from meterlink.journal.sent_mark import SentMark
from meterlink.model.act import KeptAct
from meterlink.model.order import OrderKind, OrderState
from metersim import Meter, Station
from metersim.works.cost_control import REMOTE
from tests.support.order_bench import OrderBench


def test_a_frame_does_not_leave_while_the_mark_cannot_be_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put back from a copy, the log would not know that it was sent: somebody would be cut off twice."""
    bench = OrderBench(tmp_path, Station(meter=Meter("000000000161", seed=7, control=REMOTE)))
    set_ = SentMark.set
    is_full = True

    async def on_a_full_disk(mark: SentMark, kept: KeptAct) -> None:
        if is_full:
            raise JournalError("the disk is full")
        await set_(mark, kept)

    monkeypatch.setattr(SentMark, "set", on_a_full_disk)

    async def work() -> None:
        nonlocal is_full
        order = bench.order(OrderKind.TRIP)
        await bench.book.begin(order, "meterlink")
        await asyncio.sleep(20)
        assert [] == bench.obeyed()
        acts = await bench.book.acts_of(order.id)
        assert {"unsent"} == {one.act.verb for one in acts if "answer" in one.act.body}
        is_full = False
        assert OrderState.DONE is (await bench.ended(order.id)).state

    with capture_logs() as logs:
        bench.run(work)
    assert ["trip"] == bench.obeyed()
    assert "mark_not_set" in {line["event"] for line in logs}
