"""What comes in while an order is being proved stops it: proofs take seconds, and no octet has left yet."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from meterlink.model.payload import time_out
from metersim import Station
from metersim.works.cost_control import REMOTE
from tests.support.adapters import Program
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OrderGateway

METER: Final = f"m{ADDRESS}"
SLOW_S: Final = 9.0
"""An adapter may take 10 s for each operation, and a trip has two."""


class _SlowProofs:
    """A gateway whose adapter is slow, and what happens while it proves the trip.

    Args:
        folder: for the gateway.
        what: comes in meanwhile.

    """

    def __init__(self, folder: Path, what: str) -> None:
        self._what = what
        self._came = False
        proved = {"security": "lab", "control_password": None, "allow_plaintext_control": False}
        self.gateway = OrderGateway(
            folder,
            [Station(meter=a_meter(REMOTE))],
            keys={ADDRESS: proved},
            tables={"security_providers": [{"name": "lab", "command": ["hsm"]}]},
            provider=lambda group: Program(group, self._answer, name="lab").open,
        )

    async def _answer(self, program: Program, request: dict[str, Any]) -> None:
        if request.get("op") in {"auth645", "control645"}:
            if not self._came:
                self._came = True
                await self._come_in()
            await asyncio.sleep(SLOW_S)
        await program.answer(request)

    async def _come_in(self) -> None:
        gateway = self.gateway
        at = time_out(gateway.now())
        record = {"id": "late-1", "sender": "billing", "at": at, "meter": METER}
        match self._what:
            case "stop":
                await gateway.ask("sam", "control.stop", reason="everything stops now")
            case "freeze":
                until = time_out(gateway.now() + timedelta(days=1))
                await gateway.ask("sam", "control.freeze", area="east", reason="heat", until=until)
            case "protection":
                protected = {"kind": "protection", "protection": "life_support", "state": "set"}
                await gateway.told({**record, **protected})
            case _:
                await gateway.told({**record, "kind": "dispute", "dispute": "d-1", "state": "opened"})


@pytest.mark.parametrize("what", ["stop", "freeze", "protection", "dispute"])
def test_what_comes_in_while_a_trip_is_proved_stops_it(tmp_path: Path, what: str) -> None:
    """Whoever threw the switch was told that no trip goes any more, and 18 s later one went."""
    slow = _SlowProofs(tmp_path, what)
    gateway = slow.gateway
    verbs: list[str] = []

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(METER)
        await gateway.trip("t-1", METER)
        await asyncio.sleep(120)
        told = await gateway.ask("clara", "order.show", id="t-1")
        verbs.extend(step["verb"] for step in told["steps"])

    gateway.run(seconds=600, meanwhile=script)
    assert [] == gateway.obeyed()
    assert "take" in verbs
    assert "intend" not in verbs
