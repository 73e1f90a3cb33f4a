"""What two persons find of an order that ended unknown: the second one agrees to what he has seen."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

M = f"m{ADDRESS}"


def _unknown(folder: Path) -> OrderGateway:
    gateway = one_meter(folder)
    gateway.employ("dora", "dispatcher")
    gateway.employ("dirk", "dispatcher")
    return gateway


async def _lost(gateway: OrderGateway) -> None:
    """A trip whose frame left a moment before the meter was gone for more than a day."""
    await gateway.up()
    await gateway.told_for_trip(M)
    gateway.strikes.then(gateway.unplug)
    await gateway.trip("t-1", M)
    assert "unknown" == (await gateway.until("t-1"))["state"]


def test_nobody_confirms_a_finding_that_was_told_after_he_looked(tmp_path: Path) -> None:
    """A trip would count as never obeyed by the word of one, and the customer stay dark."""
    gateway = _unknown(tmp_path)

    async def script() -> None:
        await _lost(gateway)
        open_ = {"id": "t-1", "finding": "done", "evidence": "contact seen open, house dark"}
        await gateway.ask("david", "order.find", **open_)
        seen = (await gateway.ask("dora", "order.show", id="t-1"))["found"]
        assert ("done", "david") == (seen["finding"], seen["by"])
        other = {"id": "t-1", "finding": "not_done", "evidence": "other house"}
        assert "found by david" in str(await gateway.refused("dirk", "order.find", **other))
        await gateway.ask("dirk", "order.find", **other, instead="done")

        no = await gateway.refused("dora", "order.confirm", id="t-1", finding="done", step=seen["step"])
        assert "what stands is not_done, found by dirk" in str(no)
        assert "当前的核实结论是 not_done" in no.zh
        assert "finding" in str(await gateway.refused("dora", "order.confirm", id="t-1"))
        stands = await gateway.ask("dora", "order.show", id="t-1")
        assert ("", "find") == (stands["finding"], stands["steps"][-1]["verb"])
        confirmed = await gateway.ask("dora", "order.confirm", id="t-1", finding="not_done")
        assert ("not_done", "dora") == (confirmed["finding"], confirmed["steps"][-1]["actor"])

    gateway.run(seconds=27 * 3600, meanwhile=script)


def test_the_same_finding_on_other_evidence_is_another_one(tmp_path: Path) -> None:
    """Who was shown a photograph of one house would vouch for the word about another."""
    gateway = _unknown(tmp_path)

    async def script() -> None:
        await _lost(gateway)
        told = {"id": "t-1", "finding": "done"}
        first = await gateway.ask("david", "order.find", **told, evidence="photograph 1")
        await asyncio.sleep(1)
        await gateway.ask("dirk", "order.find", **told, evidence="heard so", instead="done")
        seen = first["found"]["step"]
        assert "found by dirk" in str(await gateway.refused("dora", "order.confirm", **told, step=seen))
        stands = (await gateway.ask("dora", "order.show", id="t-1"))["found"]["step"]
        assert "done" == (await gateway.ask("dora", "order.confirm", **told, step=stands))["finding"]

    gateway.run(seconds=27 * 3600, meanwhile=script)
