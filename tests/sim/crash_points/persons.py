"""People and programs who want something, and come again until it is done or too late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.errors import JournalError, MeterlinkError, NotAllowed, Unknown
from meterlink.model.payload import time_out
from tests.sim.crash_points.plan import START, Wish
from tests.support.order_gateway import document
from tests.support.rules import chain

COMES_AGAIN_S: Final = 7.0
"""After that somebody looks again; after his own deed or in vain, and in vain ever more seldom."""
SELDOM_S: Final = 900.0
"""Nobody looks more seldom."""
GIVES_UP_AFTER: Final = timedelta(hours=3)
"""Beyond this nobody comes again."""
REFUSED_MAX: Final = 3
"""Whom the rules have refused so often does not come again."""

Ask = Callable[..., Awaitable[Mapping[str, Any]]]
"""``ask(user, op, **args)``."""


class Persons:
    """All of them.

    Args:
        ask: asks the daemon.
        clock: true time.
        customer_of: the customer number of a meter.

    """

    def __init__(self, ask: Ask, clock: Clock, customer_of: Mapping[str, str]) -> None:
        self._ask = ask
        self._clock = clock
        self._customer_of = customer_of

    async def want(self, wish: Wish) -> None:
        """See to it that a wish is told; what is told already stays as it is."""
        await self._until(START + wish.at)
        told = self._pay if wish.what in ("payment", "top_up") else self._order
        refused, pause_s = 0, COMES_AGAIN_S
        while self._clock.utc_now() < START + wish.at + GIVES_UP_AFTER and refused < REFUSED_MAX:
            try:
                if await told(wish):
                    return
                pause_s = COMES_AGAIN_S
            except (JournalError, NotAllowed):
                pause_s = min(2 * pause_s, SELDOM_S)  # the disk is full, or it is too early: later
            except MeterlinkError:
                refused += 1
            await asyncio.sleep(pause_s)

    async def prove(self, meter: str, *, has_consent: bool) -> None:
        """Tell all that must have happened before somebody is cut off."""
        customer = self._customer_of[meter]
        records = [document(kept.record.body, meter, customer) for kept in chain(START)]
        if has_consent:
            consent = {"kind": "consent", "id": "consent", "sender": "billing", "form": "written"}
            records.append({**consent, "at": time_out(START), "meter": meter, "customer": customer})
        while True:
            with suppress(MeterlinkError):
                await self._ask("billing", "evidence.add", records=records)
                return
            await asyncio.sleep(COMES_AGAIN_S)

    async def _pay(self, wish: Wish) -> bool:
        record = {
            "kind": "payment",
            "id": wish.id,
            "sender": "billing",
            "at": time_out(START + wish.at),
            "meter": f"m{wish.address}",
            "customer": self._customer_of[f"m{wish.address}"],
            "amount_cents": wish.cents,
            "settles": True,
        }
        await self._ask("billing", "evidence.add", records=[record])
        return True

    async def _order(self, wish: Wish) -> bool:
        """Bring an order on by one step, each by its person; whether it has ended.

        Raises:
            NotAllowed: it is nobody's turn, or too early.

        """
        try:
            order = await self._ask("clara", "order.show", id=wish.id)
        except Unknown:
            await self._ask("clara", "order.create", order=self._told(wish))
            return False
        if order["state"] == "created":
            await self._ask("anna", "order.approve", id=wish.id)
        elif order["state"] == "authorised":
            await self._ask("david", "order.arm", id=wish.id)
            await self._ask("david", "order.operate", id=wish.id)
        elif order["is_open"]:
            raise NotAllowed("it is the daemon's turn", why="state")
        return not order["is_open"]

    def _told(self, wish: Wish) -> dict[str, Any]:
        return {
            "id": wish.id,
            "kind": str(wish.what),
            "meter": f"m{wish.address}",
            "reason": "a test",
            "deadline_at": time_out(START + wish.at + wish.within),
            "payment": "",
            "case": "",
            "reference": "",
        }

    async def _until(self, at: Any) -> None:
        await asyncio.sleep(max((at - self._clock.utc_now()).total_seconds(), 0))
