"""What the control socket can be asked about qualifications: names and arguments in, JSON out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from meterlink.daemon.order_requests import FOLLOW_MAX_S, number, text
from meterlink.orders.people import Actor
from meterlink.orders.qualifying.desk import Qualifier

Args = Mapping[str, Any]
Answer = dict[str, Any]
WAIT_S: Final = 30
"""Usual longest wait of one request."""


class QualificationRequests:
    """The requests about qualifications.

    Args:
        qualifier: walks people through the probes.

    """

    def __init__(self, qualifier: Qualifier) -> None:
        self._qualifier = qualifier

    @property
    def table(self) -> Mapping[str, Callable[[Actor, Args], Awaitable[Answer]]]:
        """What can be asked."""
        return {
            "qualify.begin": self._begin,
            "qualify.step": self._step,
            "qualify.leave": self._leave,
            "qualify.list": self._list,
        }

    async def _begin(self, actor: Actor, args: Args) -> Answer:
        begun = await self._qualifier.begin(actor, text(args, "meter"), text(args, "work_order", ""))
        return begun.view

    async def _step(self, actor: Actor, args: Args) -> Answer:
        wait_s = number({"wait_s": WAIT_S, **args}, "wait_s", 0, FOLLOW_MAX_S)
        stands = await self._qualifier.step(actor, text(args, "id"), text(args, "confirmed", ""), wait_s)
        return stands.view

    async def _leave(self, actor: Actor, args: Args) -> Answer:
        return (await self._qualifier.leave(actor, text(args, "meter"))).view

    async def _list(self, _: Actor, args: Args) -> Answer:
        model = text(args, "model", "")
        return {"models": [one for one in self._qualifier.listed() if model in ("", one["model"])]}
