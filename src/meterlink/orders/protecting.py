"""A dispute or a protection comes: the disconnection that is not sent ends, and a new one is approved anew.

Whoever brings the record brings this about at once. A crash in between, and what the roster says of a
customer, are found once a minute. What has been sent is finished; an upheld dispute, a protection and another
customer then reconnect (``paid.lateness``). A protection ends the trips at every meter of its customer.

Source: business-rules 2.1, "any before SENDING: payment, dispute, protection, cancel".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from meterlink.errors import MeterlinkError
from meterlink.model.order import REASON_MAX, OrderKind, OrderState, Origin
from meterlink.orders.attention.looking_after import looking_after
from meterlink.orders.book import Book
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.evidence.records import Dispute, Evidence, Protection, keeps_from_harm
from meterlink.orders.judging.gathering import Gatherer
from meterlink.orders.life.life import Life
from meterlink.orders.withdrawing import withdraw
from meterlink.roster.roster import Roster

EVERY_S: Final = 60.0
"""Between two looks."""

_log = structlog.get_logger(__name__)


class Protecting:
    """Ends trips that are not sent, or not yet again, where somebody contests the debt or is protected.

    Args:
        book: the orders.
        evidence: what is told of a meter.
        judge: knows whom the roster protects now.
        roster: the meters.
        hurry: has those looked at who are cut off already.

    """

    def __init__(
        self,
        book: Book,
        evidence: EvidenceBook,
        judge: Gatherer,
        roster: Roster,
        hurry: Callable[[], None],
    ) -> None:
        self._book = book
        self._evidence = evidence
        self._judge = judge
        self._roster = roster
        self._hurry = hurry

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        await looking_after(self.look, every_s=EVERY_S, trouble="protected_unknown")

    async def told(self, record: Evidence, number: int) -> list[str]:
        """End the trips that were ordered before a record; the ids of those that ended.

        Args:
            record: with the meter that it was kept for.
            number: its place in the log.

        Raises:
            JournalError: not all of it was done; the next look goes on.

        """
        if not isinstance(record, Dispute | Protection) or not keeps_from_harm(record):
            return []
        self._hurry()
        meters = {record.meter}
        if isinstance(record, Protection):
            meters |= {one.id for one in self._roster.of_customer(record.customer)}
        why = f"{record.kind} {record.full_id}"
        return [
            life.order.id
            for meter in sorted(meters)
            for life in self._to_be_sent(self._book.open_of(meter))
            if (await self._book.acts_of(life.order.id))[0].number < number and await self._end(life, why)
        ]

    async def look(self) -> None:
        """End the trips of everybody who is protected now, or contests the debt.

        Raises:
            JournalError: the log cannot be read or written.

        """
        for life in self._to_be_sent(self._book.open_orders()):
            try:
                why = await self._stands_against(life)
            except MeterlinkError as error:  # no rule lets its order go before somebody has looked
                _log.error("protected_unknown", order=life.order.id, reason=str(error))
                continue
            if why:
                await self._end(life, why)

    async def _stands_against(self, life: Life) -> str:
        """What stands against a trip now; empty: nothing."""
        meter = self._roster.meter(life.order.meter)
        if meter is None:
            return ""
        told = await self._evidence.of_meter(meter)
        if disputes := told.open_disputes():
            return f"dispute {', '.join(disputes)}"
        if kinds := {*self._judge.protected_now(meter), *told.protections()}:
            return f"protection ({', '.join(sorted(kinds))})"
        return ""

    @staticmethod
    def _to_be_sent(lives: list[Life]) -> list[Life]:
        return [
            life
            for life in lives
            if life.order.kind is OrderKind.TRIP
            and life.order.origin is not Origin.PROBE
            and life.withdrawal is not None
        ]

    async def _end(self, life: Life, why: str) -> bool:
        """Take an order back whose line may be taking a step of it at this moment; whether it was."""
        told = f"{why}: a new order takes a new approval"[:REASON_MAX]
        after = await withdraw(self._book, life, {"told": told})
        return after.state is OrderState.CANCELLED or after.is_left
