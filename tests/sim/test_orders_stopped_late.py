"""What comes in while an order is being proved stops it: proofs take seconds, and no octet has left yet."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from meterlink.model.payload import time_out
from meterlink.security.adapter import Opener
from metersim import Station
from metersim.works.cost_control import REMOTE
from tests.support.adapters import Program
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OrderGateway, one_meter

METER: Final = f"m{ADDRESS}"
_PROVED: Final = {"security": "lab", "control_password": None, "allow_plaintext_control": False}
SLOW_S: Final = 9.0
"""An adapter may take 10 s for each operation, and a trip has two."""


def test_no_proof_is_made_for_an_order_that_the_meter_itself_forbids(tmp_path: Path) -> None:
    """A module of keys would sign a trip of the wrong meter, and the frame exist that nobody may send."""
    programs: list[Program] = []

    def provider(group: asyncio.TaskGroup) -> Opener:
        programs.append(Program(group, name="lab"))
        return programs[0].open

    gateway = OrderGateway(
        tmp_path,
        [Station(meter=a_meter(REMOTE))],
        keys={ADDRESS: _PROVED},
        tables={"security_providers": [{"name": "lab", "command": ["hsm"]}]},
        provider=provider,
    )

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(METER)
        gateway.meters[ADDRESS].works.exchange(gateway.now(), meter_number="202611229999")
        await gateway.trip("t-1", METER)
        order = await gateway.until("t-1")
        assert ["CTRL-12"] == [one["rule"] for one in order["steps"][-1]["rules"] if not one["passed"]]

    gateway.run(seconds=300, meanwhile=script)
    assert [] == [op for program in programs for op in program.asked]


def test_the_log_tells_of_each_step_who_took_it_and_by_which_rules(tmp_path: Path) -> None:
    """AUD-04: nobody could say afterwards why somebody was cut off, and by what figures."""
    gateway = one_meter(tmp_path)
    steps: list[dict[str, Any]] = []

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(METER)
        await gateway.trip("t-1", METER)
        steps.extend((await gateway.until("t-1"))["steps"])

    gateway.run(seconds=300, meanwhile=script)
    by = {step["verb"]: step for step in steps}
    judged = {verb: step["rules"] for verb, step in by.items() if step.get("rules")}
    assert {"create": "clara", "approve": "anna", "operate": "david", "intend": "meterlink"} == {
        verb: by[verb]["actor"] for verb in judged
    }
    for verb, rules in judged.items():
        owed = [one["inputs"] for one in rules if one["rule"] == "CTRL-11" and one["passed"]]
        assert {"cents": "12000"} in owed, verb
    assert {"CTRL-12", "CTRL-14", "CTRL-25"} <= {one["rule"] for one in judged["intend"]}


class _SlowProofs:
    """A gateway whose adapter is slow, and what happens while it proves the trip.

    Args:
        folder: for the gateway.
        what: comes in meanwhile.

    """

    def __init__(self, folder: Path, what: str) -> None:
        self._what = what
        self._came = False
        self.gateway = OrderGateway(
            folder,
            [Station(meter=a_meter(REMOTE))],
            keys={ADDRESS: _PROVED},
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
