"""A person at a simulated meter who is walked through the probes of a qualification.

::

    fred = AtTheMeter(gateway)
    gateway.run(seconds=3600, meanwhile=lambda: fred.qualify(M))
    assert "qualified" == fred.walk["result"]
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from meterlink.errors import LineError
from meterlink.orders.qualification.probes import PROBES
from tests.support.order_gateway import OrderGateway

STEPS_MAX = 300
"""Requests of one walk; more would go round in circles."""


class AtTheMeter:
    """Fred, who says yes to every probe and presses the key when he is told to.

    Args:
        gateway: takes his requests.
        who: his name.

    Attributes:
        walk: how it stands.
        confirmed: the probes that he has said yes to, in order.

    """

    def __init__(self, gateway: OrderGateway, who: str = "fred") -> None:
        self._gateway = gateway
        self._who = who
        self.walk: Mapping[str, Any] = {}
        self.confirmed: list[str] = []

    async def begin(self, meter: str, work_order: str = "") -> None:
        """Begin, or go on with what was begun."""
        self.walk = await self._gateway.ask(self._who, "qualify.begin", meter=meter, work_order=work_order)

    async def step(self) -> None:
        """One request."""
        name = self.walk["next"].get("probe", "")
        if name and name not in self.confirmed:
            self.confirmed.append(name)
        if "key" in self.walk["todo"].get("en", ""):
            meter = self._gateway.meters[self._gateway.addresses[self.walk["meter"]]]
            meter.works.switch.press_key(self._gateway.now())
        self.walk = await self._gateway.ask(
            self._who, "qualify.step", id=self.walk["id"], confirmed=name, wait_s=60
        )

    async def qualify(self, meter: str, work_order: str = "") -> None:
        """All of it, up to its end."""
        await self._gateway.up()
        await self.begin(meter, work_order)
        for _ in range(STEPS_MAX):
            if self.walk["result"]:
                return
            try:
                await self.step()
            except LineError:
                await asyncio.sleep(1)
        raise AssertionError(f"it goes round in circles: {self.walk}")

    @property
    def facts(self) -> Mapping[str, str]:
        """What was found."""
        found: Mapping[str, str] = self.walk["facts"]
        return found


def kinds_up_to(name: str) -> list[str]:
    """The kinds of every probe's order up to one, with it."""
    names = [probe.name for probe in PROBES]
    return [probe.kind.value for probe in PROBES[: names.index(name) + 1]]
