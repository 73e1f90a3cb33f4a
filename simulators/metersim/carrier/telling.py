"""What a carrier module tells of its slaves: those that register, and those that lose power (06)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from metersim.carrier.nodes import Node
from metersim.carrier.standing import Standing
from meterwire.gdw1376.functions.module import REPORT
from meterwire.gdw1376.layouts.nodes import Values

NEW_AT_ONCE_MAX: Final = 8
"""Slaves that one report of new ones tells."""
POWER_EVENT: Final = 4
"""Protocol of 06-F5 for power failures. Source: spec section A5."""
CARRIER_UNIT: Final = 2
FAILED, BACK = 1, 2
SEARCH_FINISHED: Final = 2

Call = Callable[[int, int, Values], Awaitable[int | None]]


class Teller:
    """Reports about slaves.

    Args:
        standing: how the module stands.
        random: of chance.
        call: begins an exchange with the concentrator.

    """

    def __init__(self, standing: Standing, random: Random, call: Call) -> None:
        self._standing = standing
        self._random = random
        self._call = call

    async def power(self, node: Node) -> None:
        """A slave lost its mains, or has them again."""
        content = bytes((BACK if node.powered else FAILED,)) + bytes.fromhex(node.address)[::-1]
        values = {
            "device_type": CARRIER_UNIT,
            "protocol": POWER_EVENT,
            "len": len(content),
            "payload": content,
        }
        await self._call(REPORT, 5, values)

    async def search(self, minutes: int) -> None:
        """Meters that are not in the list register, each in its time; then the search is finished.

        Args:
            minutes: how long it lasts, 1 or more.

        """
        standing, search = self._standing, self._standing.searches
        strangers = [one for one in standing.protocols if one not in standing.nodes]
        self._random.shuffle(strangers)
        parts = [strangers[at : at + NEW_AT_ONCE_MAX] for at in range(0, len(strangers), NEW_AT_ONCE_MAX)]
        pause_s = minutes * 60 / (len(parts) + 1)
        for part in parts:
            await asyncio.sleep(pause_s)
            if search != standing.searches:
                return
            await self._new(part)
        await asyncio.sleep(pause_s)
        if search == standing.searches:
            standing.registration = False
            await self._call(REPORT, 3, {"state": SEARCH_FINISHED})

    async def _new(self, addresses: list[str]) -> None:
        standing = self._standing
        first = len(standing.found) + 1
        for address in addresses:
            standing.found[address] = standing.nodes.place(address, standing.protocols[address])
        nodes = [
            {"addr": address, "protocol": standing.protocols[address], "index": number}
            for number, address in enumerate(addresses, start=first)
        ]
        await self._call(REPORT, 1, {"count": len(nodes), "nodes": nodes})
