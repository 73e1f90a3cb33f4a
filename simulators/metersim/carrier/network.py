"""The network of a carrier module: slaves that join it, leave it for a while, and come back.

One task sleeps until the next of them is due. Time is that of the program.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Final

from metersim.carrier.nodes import Node, NodeList
from metersim.carrier.ways import DAY_S, CarrierWays

STALE_FACTOR: Final = 4
"""Changes that wait, for each slave that there may be; more are looked through for what is void."""


class Network:
    """Who is in the network.

    Args:
        nodes: the list of slaves.
        ways: how often they leave, and how long they need to join.
        random: of chance.
        moved: is told of a slave that left or came back by itself.

    """

    def __init__(
        self, nodes: NodeList, ways: CarrierWays, random: Random, moved: Callable[[Node], None]
    ) -> None:
        self._nodes = nodes
        self._ways = ways
        self._random = random
        self._moved = moved
        self._due: list[tuple[float, int, bool, Node]] = []
        self._number = 0
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Let slaves come and go, until cancelled."""
        self._news = asyncio.Event()  # the next run may be in another loop
        self._due.clear()
        for node in self._nodes.all:
            self._plan(node)
        loop = asyncio.get_running_loop()
        while True:
            wait_s = self._due[0][0] - loop.time() if self._due else None
            if wait_s is None or wait_s > 0:
                self._news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._news.wait()
                continue
            _, _, joins, node = heapq.heappop(self._due)
            if self._nodes.get(node.address) is node and node.joined != joins:
                self._move(node, joins)

    def join_new(self) -> None:
        """Slaves that are in no network yet begin to join."""
        waiting = {id(node) for _, _, _, node in self._due}
        for node in self._nodes.all:
            if not node.joined and id(node) not in waiting:
                self._plan(node)

    def join_again(self) -> None:
        """Every slave has to join anew, as after a reset."""
        self._due.clear()
        for node in self._nodes.all:
            node.joined = False
            self._plan(node)

    def _move(self, node: Node, joins: bool) -> None:
        by_itself = not joins or not node.powered
        node.joined = node.powered = joins
        self._plan(node)
        if by_itself:
            self._moved(node)

    def _plan(self, node: Node) -> None:
        """What happens to a slave next."""
        if not node.joined:
            away_s = 0.0 if node.powered else self._random.expovariate(1 / self._ways.away_s)
            self._wait(node, away_s + self._random.uniform(0, self._ways.join_s), joins=True)
        elif self._ways.leaves_a_day:
            self._wait(node, self._random.expovariate(self._ways.leaves_a_day / DAY_S), joins=False)

    def _wait(self, node: Node, delay_s: float, *, joins: bool) -> None:
        if len(self._due) >= STALE_FACTOR * self._nodes.limit:
            self._due = [one for one in self._due if self._nodes.get(one[3].address) is one[3]]
            heapq.heapify(self._due)
        self._number += 1
        at_s = asyncio.get_running_loop().time() + delay_s
        heapq.heappush(self._due, (at_s, self._number, joins, node))
        self._news.set()
