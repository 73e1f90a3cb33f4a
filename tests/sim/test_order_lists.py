"""Lists of orders: the newest are shown, and it is said how many are not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from meterlink.cli.asking import tell_left_out
from meterlink.daemon import order_requests
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import one_meter

M = f"m{ADDRESS}"


def test_the_newest_of_all_orders_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks for what was just done would see the orders whose ids come first, as if they were all."""
    monkeypatch.setattr(order_requests, "LISTED_MAX", 3)
    gateway = one_meter(tmp_path)
    names = ["e", "d", "c", "b", "a", "z"]

    async def listed(**args: Any) -> tuple[list[str], int]:
        told = await gateway.ask("clara", "order.list", **args)
        return [one["id"] for one in told["orders"]], told["left_out"]

    async def script() -> None:
        await gateway.up()
        for name in names:
            await gateway.ask("clara", "order.create", order=gateway.order(name, "alarm_on", M))
            await gateway.ask("clara", "order.cancel", id=name, reason="a test")
            await asyncio.sleep(1)
        assert (["b", "a", "z"], 3) == await listed(all=True)
        assert (["b", "a", "z"], 3) == await listed(all=True, meter=M)
        assert ([], 0) == await listed()

    gateway.run(seconds=60, meanwhile=script)


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "7 older ones are not listed"), ("zh", "另有7条较早的未列出")]
)
def test_people_are_told_what_is_not_listed(
    capsys: pytest.CaptureFixture[str], lang: Any, words: str
) -> None:
    """They would take a part for all."""
    tell_left_out({"left_out": 7}, lang)
    assert ("", f"{words}\n") == tuple(capsys.readouterr())
    tell_left_out({"left_out": 0}, lang)
    assert ("", "") == tuple(capsys.readouterr())
