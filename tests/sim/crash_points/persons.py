"""People and programs who want something, and come again until it is done or too late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.errors import JournalError, MeterlinkError, NotAllowed, Unknown
from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from tests.sim.crash_points.plan import START, Wish
from tests.support.order_gateway import document
from tests.support.rules import chain, without

COMES_AGAIN_S: Final = 7.0
"""After that somebody looks again; after his own deed or in vain, and in vain ever more seldom."""
SELDOM_S: Final = 900.0
"""Nobody looks more seldom."""
LONGEST_WAIT_S: Final = 2_700.0
"""Who waits for the state of an order waits no longer."""
GIVES_UP_AFTER: Final = timedelta(hours=3)
"""Beyond this nobody comes again."""
LOOKED_AFTER_S: Final = 65.0
"""So long after a record the program has looked at what it leads to."""
REFUSED_MAX: Final = 3
"""Whom the rules have refused so often does not come again."""

REPAIR: Final = "repair"
"""The work order that lets persons reconnect."""
DAY: Final = timedelta(days=1)

Ask = Callable[..., Awaitable[Mapping[str, Any]]]
"""``ask(user, op, **args)``."""


class Persons:
    """All of them.

    Args:
        ask: asks the daemon.
        clock: true time.
        customer_of: the customer number of a meter.
        come_to: waits until an order has come to a state.
        waited: the wishes whose time has come; whoever comes after another life goes on with them.

    """

    def __init__(
        self,
        ask: Ask,
        clock: Clock,
        customer_of: Mapping[str, str],
        come_to: Callable[[str], Awaitable[None]],
        waited: set[str],
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._customer_of = customer_of
        self._come_to = come_to
        self._waited = waited
        self._announced: set[str] = set()

    async def want(self, wish: Wish) -> None:
        """See to it that a wish is told; what is told already stays as it is."""
        await self._until(START + wish.at)
        if wish.once and wish.id not in self._waited:
            state, later = wish.once
            with suppress(TimeoutError):
                async with asyncio.timeout(self._left_of(LONGEST_WAIT_S, since=START + wish.at)):
                    await self._come_to(state)
            self._waited.add(wish.id)
            await asyncio.sleep(later.total_seconds())
        deeds = {"payment": self._pay, "top_up": self._pay, "case": self._case, "protection": self._protect}
        told = deeds.get(wish.what, self._order)
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

    async def prove(self, meter: str, *, has_consent: bool, has_case: bool, has_repair: bool) -> None:
        """Tell all that must have happened before somebody is cut off, but for the last notice of a case."""
        customer = self._customer_of[meter]
        told = without(chain(START), "f1") if has_case else chain(START)
        records = [document(kept.record.body, meter, customer) for kept in told]
        repair = self._record(
            "work_order", REPAIR, meter, sender="desk", until=time_out(START + DAY), why="a repair"
        )
        if has_consent:
            records.append(self._record("consent", "consent", meter, form="written"))
        while True:
            with suppress(MeterlinkError):
                await self._tell("billing", records)
                if has_repair:
                    await self._tell("david", [repair])
                return
            await asyncio.sleep(COMES_AGAIN_S)

    async def _tell(self, who: str, records: Sequence[Mapping[str, Any]]) -> None:
        """Tell what nobody has a reason to refuse."""
        answer = await self._ask(who, "evidence.add", records=list(records))
        assert [] == [one for one in answer["records"] if "refused" in one]

    async def _pay(self, wish: Wish) -> bool:
        record = self._record(
            "payment",
            wish.id,
            f"m{wish.address}",
            at=time_out(START + wish.at),
            amount_cents=wish.cents,
            settles=True,
        )
        await self._ask("billing", "evidence.add", records=[record])
        return True

    async def _protect(self, wish: Wish) -> bool:
        fields = {"protection": "life_support", "state": "set"}
        record = self._record(
            "protection", wish.id, f"m{wish.address}", at=time_out(START + wish.at), **fields
        )
        await self._ask("billing", "evidence.add", records=[record])
        await asyncio.sleep(LOOKED_AFTER_S)  # who tells is answered before anything follows from it
        return True

    async def _order(self, wish: Wish) -> bool:
        """Bring an order on by one step, each by its person; whether it has ended.

        Raises:
            NotAllowed: it is nobody's turn, or too early.

        """
        try:
            return await self._brought_on(wish.id, by_field=wish.what == "field_close")
        except Unknown:
            await self._ask("clara", "order.create", order=self._told(wish))
            return False

    async def _brought_on(self, order_id: str, *, by_field: bool = False) -> bool:
        order = await self._ask("clara", "order.show", id=order_id)
        if order["state"] == "created":
            await self._ask("anna", "order.approve", id=order_id)
        elif order["state"] == "authorised":
            who = "fred" if by_field else "david"
            if by_field:
                await self._ask("david", "control.grant", id=order_id, person=who)
            await self._ask(who, "order.arm", id=order_id)
            await self._ask(who, "order.operate", id=order_id)
        elif order["is_open"]:
            raise NotAllowed("it is the daemon's turn", why="state")
        return not order["is_open"]

    async def _case(self, wish: Wish) -> bool:
        """Bring a case on by one step, and then its order; whether all is over.

        Raises:
            NotAllowed: it is nobody's turn, or too early.

        """
        meter = f"m{wish.address}"
        try:
            case = await self._ask("clara", "case.show", id=wish.id)
        except Unknown:
            await self._ask("clara", "case.create", id=wish.id, meter=meter, reason="arrears of May")
            return False
        if case["order"]:
            return await self._brought_on(case["order"])
        if case["state"] == "pending_approval":
            await self._ask("anna", "case.approve", id=wish.id)
        elif case["state"] == "approved" and wish.id not in self._announced:
            now = self._clock.utc_now()
            last = self._record("final_notice", f"f{now:%H%M%S}", meter, at=time_out(now), channel="phone")
            await self._ask("billing", "evidence.add", records=[last])
            self._announced.add(wish.id)
        elif case["is_open"]:
            raise NotAllowed("it is the daemon's turn", why="state")
        return not case["is_open"]

    def _record(self, kind: str, name: str, meter: str, **fields: Any) -> dict[str, Any]:
        return {
            "kind": kind,
            "id": name,
            "sender": "billing",
            "at": time_out(START),
            "meter": meter,
            "customer": self._customer_of[meter],
            **fields,
        }

    def _told(self, wish: Wish) -> dict[str, Any]:
        return {
            "id": wish.id,
            "kind": "permit_close" if wish.what == "field_close" else str(wish.what),
            "meter": f"m{wish.address}",
            "reason": "a test",
            "deadline_at": time_out(START + wish.at + wish.within),
            "payment": "",
            "case": "",
            "reference": "" if wish.what is OrderKind.TRIP else f"desk:{REPAIR}",
        }

    def _left_of(self, seconds: float, *, since: datetime) -> float:
        return seconds - (self._clock.utc_now() - since).total_seconds()

    async def _until(self, at: Any) -> None:
        await asyncio.sleep(max((at - self._clock.utc_now()).total_seconds(), 0))
