"""A person at the meter who walks through the probes of a qualification, and goes on after every crash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.errors import MeterlinkError
from tests.sim.crash_points.persons import COMES_AGAIN_S, GIVES_UP_AFTER, Ask
from tests.sim.crash_points.plan import START

WHO: Final = "fred"
BETWEEN_S: Final = 1.0
"""Between two requests."""
REQUEST_S: Final = 60
"""So long a request may wait for an order."""


@dataclass
class Memory:
    """What the person remembers, whatever happens to the program.

    Args:
        begun: the walk that was begun; empty: none was.
        is_over: it has ended, or the person has gone.

    """

    begun: str = ""
    is_over: bool = False
    said_yes_to: list[str] = field(default_factory=list)


class Walker:
    """Says yes to each probe, and presses the key when he is told to.

    Args:
        ask: asks the daemon.
        clock: true time.
        meter: our id of it.
        press: presses its key.
        leaves_at: the probe before which he goes away; empty: he stays.
        memory: is kept for the next life.

    """

    def __init__(
        self,
        ask: Ask,
        clock: Clock,
        meter: str,
        press: Callable[[], None],
        *,
        leaves_at: str,
        memory: Memory,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._meter = meter
        self._press = press
        self._leaves_at = leaves_at
        self._memory = memory

    async def walk(self) -> None:
        """All of it, or as far as it goes in this life."""
        while not self._memory.is_over and self._clock.utc_now() < START + GIVES_UP_AFTER:
            try:
                self._memory.is_over = await self._walked()
            except MeterlinkError:
                await asyncio.sleep(COMES_AGAIN_S)

    async def _walked(self) -> bool:
        view = await self._ask(WHO, "qualify.begin", meter=self._meter, work_order="")
        if self._memory.begun not in ("", view["id"]):
            return await self._left()  # the one that was begun had ended, and nobody had heard of it
        self._memory.begun = view["id"]
        while not view["result"]:
            probe, todo = view["next"].get("probe", ""), view["todo"].get("en", "")
            if (probe and probe == self._leaves_at) or "prepare" in todo:
                return await self._left()
            if "key" in todo:
                self._press()
            if probe and probe not in self._memory.said_yes_to:
                self._memory.said_yes_to.append(probe)
            view = await self._step(view, probe)
            await asyncio.sleep(BETWEEN_S)
        return True

    async def _step(self, view: Mapping[str, Any], probe: str) -> Mapping[str, Any]:
        return await self._ask(WHO, "qualify.step", id=view["id"], confirmed=probe, wait_s=REQUEST_S)

    async def _left(self) -> bool:
        await self._ask(WHO, "qualify.leave", meter=self._meter)
        return True
