"""What was ordered before a payment and is not over: it is cancelled, or told that it was paid for.

What has not been sent is withdrawn, and what waits to be sent again is sent no more; a frame that is out is
read back first, and its end undoes it (``aftermath``).

Source: CTRL-21; ARR-06; business-rules 2.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog

from meterlink.errors import NotAllowed, StepTaken
from meterlink.model.order import OrderKind, Origin
from meterlink.orders.book import Book
from meterlink.orders.evidence.records import Payment
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.paid.quieting import is_operated_before
from meterlink.orders.people import DAEMON
from meterlink.orders.withdrawing import withdraw

TRIES_MAX: Final = 8
"""An order that takes a step of its own each time is left after so many."""

_log = structlog.get_logger(__name__)


class Withdrawing:
    """Tells open orders of payments.

    Args:
        book: the orders.

    """

    def __init__(self, book: Book) -> None:
        self._book = book

    async def trips(self, payment: Payment, number: int) -> list[str]:
        """Tell the trips that were ordered before it; whose frame is out, only of what settles the account.

        Args:
            payment: with the meter that it was kept for.
            number: its place in the log.

        Returns:
            their ids.

        Raises:
            JournalError: the log cannot be read or written.

        """
        return [
            await self._paid_for(life, payment)
            for life in self._book.open_of(payment.meter)
            if life.order.kind is OrderKind.TRIP
            and (payment.settles or life.withdrawal is not None)
            and (await self._book.acts_of(life.order.id))[0].number < number
        ]

    async def alarms(self, payment: Payment, number: int) -> list[str]:
        """The same of alarms, of a payment that settles the account: those that were operated before it.

        One that nobody has operated stands in nobody's way, and whoever operates it knows of the payment.
        That of a probe is no matter of money, and whoever stands at the meter ends it.
        """
        return [
            await self._told(life.order.id, payment)
            for life in self._book.open_of(payment.meter)
            if life.order.kind is OrderKind.ALARM_ON
            and life.order.origin is not Origin.PROBE
            and is_operated_before(await self._book.acts_of(life.order.id), number)
        ]

    async def unowed(self, order_id: str, cause: str) -> None:
        """Cancel an alarm that has not been sent, of somebody who owes nothing any more by another record.

        Args:
            order_id: of the alarm; one that was sent meanwhile stays as it is.
            cause: full id of that record.

        Raises:
            JournalError: the log cannot be read or written.

        """
        await self._stepped(order_id, Signal.CANCEL, {"told": f"nothing is owed: {cause}"})

    async def _paid_for(self, life: Life, payment: Payment) -> str:
        """Tell a trip; its id.

        One that the meter refused, and may obey all the same, is sent no more for any payment; only one that
        settles the account brings current back.
        """
        if not payment.settles and life.withdrawal is Signal.LEAVE:
            await withdraw(self._book, life, {"told": f"paid in part: {payment.full_id}"})
            return life.order.id
        return await self._told(life.order.id, payment)

    async def _told(self, order_id: str, payment: Payment) -> str:
        """Tell an order; its id."""
        await self._stepped(order_id, Signal.PAYMENT, {"payment": payment.full_id})
        return order_id

    async def _stepped(self, order_id: str, signal: Signal, body: Mapping[str, Any]) -> None:
        """Take a step of an order whose line may be taking one at this moment."""
        life = await self._book.read(order_id)
        for _ in range(TRIES_MAX):
            try:
                await self._book.step(life, signal, actor=DAEMON, body=body)
            except NotAllowed:
                return  # it was told before, or has ended without being sent
            except StepTaken:
                life = await self._book.read(order_id)
            else:
                return
        _log.error("payment_not_told", order=order_id, **body)
