"""Money came in: the disconnection is withdrawn or undone, or the wallet in the meter is filled.

There are two worlds, and a meter is of one. Where the head-end keeps the account, a payment cancels a trip
that has not been sent; one that settles the account marks a trip that has (its end brings the reconnection,
see ``aftermath``), reconnects what was cut off, and ends the alarm that was switched on (see ``quieting``) as
it ends what was cut off: it cancels, marks or follows what was operated before it. Where the meter
keeps the wallet, a payment becomes a top-up, and what was cut off by us is reconnected when the money is
there. See ``one_payment`` for records of several senders.

A payment acts on what stands before it in the log: on trips that were ordered, on what was cut off and on
alarms that were switched on before it was told. Of what came later the rules have known it. So it may be told
again, or found again after a restart, at any time: whatever is missing is done, and nothing else.

Where too many orders of payments are open, the payment is kept in mind, an alarm is raised, and once a minute
it is tried again; a restart finds it by its alarm.

Source: CTRL-16, CTRL-21; TOP-01; business-rules, "two payment worlds".
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from meterlink.clock import Clock
from meterlink.errors import BusFull, EvidenceRefused, MeterlinkError, StepTaken, Unknown
from meterlink.model.act import KeptAct, Topic
from meterlink.model.order import CLOSES, Order, OrderKind, Origin
from meterlink.orders.attention.alarms import Alarm, Alarms, Seen
from meterlink.orders.book import Book
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.evidence.one_payment import first_told
from meterlink.orders.evidence.records import Payment
from meterlink.orders.evidence.told import Kept, record_of
from meterlink.orders.life.history import cut_of
from meterlink.orders.paid.aftermath import Aftermath
from meterlink.orders.paid.order_ids import order_id_of
from meterlink.orders.paid.quieting import alarm_of, is_operated_before, quieted_by, quieting
from meterlink.orders.paid.standing import is_sent_before, stands_for
from meterlink.orders.paid.withdrawing import Withdrawing
from meterlink.orders.people import DAEMON
from meterlink.orders.waiting.wait import Wait
from meterlink.roster.roster import Roster, RosterMeter

CAUGHT_UP: Final = timedelta(days=30)
CAUGHT_UP_RECORDS: Final = 1_000
"""The newest records of so long that are looked at again at the start: a crash may have come between a
payment and its order. Each caller at the socket has one record in hand, and there are far fewer callers."""
TOPPED_UP_WITHIN: Final = timedelta(hours=24)
"""A top-up that did not get through for so long is a person's affair."""
MISSED_MAX: Final = 10_000
"""Payments without room for their orders that are kept in mind; more are refused, to be told again."""
MISSED_ALARMS_MAX: Final = 1_000
"""Open alarms of such payments that are looked at when the program starts."""
RETRIED_EVERY_S: Final = 60.0
"""Between two tries to find room."""
NO_ROOM: Final = "PAYMENT_NO_ROOM"
_EVIDENCE: Final = "evidence:"
_NOT_DONE: Final = "not_done:"
_CREDITED: Final = "credited:"

_log = structlog.get_logger(__name__)


class Payments:
    """What payments lead to.

    Args:
        book: the orders.
        aftermath: how supply comes back.
        evidence: what else was told of a meter.
        roster: the meters.
        alarms: where it is told that there is no room.
        clock: the time.

    """

    def __init__(
        self,
        book: Book,
        aftermath: Aftermath,
        evidence: EvidenceBook,
        roster: Roster,
        *,
        alarms: Alarms,
        clock: Clock,
    ) -> None:
        self._book = book
        self._aftermath = aftermath
        self._evidence = evidence
        self._roster = roster
        self._alarms = alarms
        self._clock = clock
        self._withdrawing = Withdrawing(book)
        self._missed: dict[str, tuple[Payment, int]] = {}

    async def run(self) -> None:
        """Look again and again for room for what had none, until cancelled."""
        while True:
            await asyncio.sleep(RETRIED_EVERY_S)
            try:
                await self._retry()
            except MeterlinkError as error:  # the log cannot be written now; the next try may
                _log.error("payments_wait", count=len(self._missed), reason=str(error))

    async def catch_up(self) -> None:
        """Do what recent payments lead to, as far as it is not done.

        Raises:
            JournalError: the log cannot be read or written.

        """
        since = self._clock.utc_now() - CAUGHT_UP
        acts = self._book.acts
        missed = await self._told_missed()
        recent = await acts.of_verb(Topic.EVIDENCE, "record", since=since, limit=CAUGHT_UP_RECORDS)
        for kept in [*missed, *recent]:
            if (payment := _payment_of(kept)) is not None:
                await self.paid(payment, kept.number)

    async def paid(self, payment: Payment, number: int) -> list[str]:
        """Do what a payment leads to; the ids of the orders that it touched or made.

        What finds no room is caught up with as soon as there is some, and told by an alarm.

        Args:
            payment: with the meter that it was kept for.
            number: its place in the log.

        Raises:
            JournalError: not all of it was done; telling it again goes on.
            BusFull: the same, and too many payments wait for room already.

        """
        meter = self._roster.meter(payment.meter)
        if meter is None:
            _log.warning("payment_for_no_meter", payment=payment.full_id)
            return []
        touched = await self._withdrawing.trips(payment, number)
        try:
            await self._follow(meter, payment, number, touched)
        except BusFull as error:
            await self._miss(payment, number, error)
        else:
            self._missed.pop(payment.full_id, None)
        return touched

    async def resume(self, wait: Wait) -> None:
        """Open the reconnection of somebody who waits, unless it was opened or cannot be yet.

        Once for a wait, whichever record cleared the debt, and once more behind each hold that was released
        since, each closing that two persons found not done, and money that a look or two persons proved to be
        in the meter. Frames of all of them count together behind the money (CTRL-17): where no attempt is
        left, the order ends at once and sends somebody.

        Raises:
            JournalError: it cannot be read whether it is there, or it was not opened.
            BusFull: there is no room for it now.

        """
        undone = wait.undone and f"{_NOT_DONE}{wait.undone}"
        credited = wait.credited and f"{_CREDITED}{wait.credited}"
        causes = "\0".join(filter(None, (wait.cause, wait.released, undone, credited)))
        name = order_id_of("close", wait.meter, causes)
        is_wanted = wait.may_close and not wait.is_opened and not self._is_under_way(wait.meter)
        if is_wanted and not await self._is_there(name):
            at, how = self._clock.utc_now(), {"is_paid": wait.is_paid, "is_spared": wait.is_spared}
            await self._begun(await self._aftermath.reconnection(wait.meter, wait.cause, at, name, **how))

    def _is_under_way(self, meter: str) -> bool:
        """Whether a closing is open, or a trip that was sent is not decided yet."""
        return any(
            life.order.kind in CLOSES or (life.order.kind is OrderKind.TRIP and life.transmissions)
            for life in self._book.open_of(meter)
        )

    async def _follow(self, meter: RosterMeter, payment: Payment, number: int, touched: list[str]) -> None:
        """Make the orders that it leads to, and add them to those that it touched."""
        first = payment
        if is_of_wallet := meter.world == "local":
            first = await self._first_told(meter, payment)
            if any([await self._was_for_an_account(one) for one in (first, payment)]):
                _log.warning("payment_was_for_the_account", meter=meter.id, payment=payment.full_id)
                is_of_wallet = False
        if is_of_wallet:
            touched.append(await self._topped_up(meter, first))
        elif payment.settles:
            touched += await self._withdrawing.alarms(payment, number)
            histories = await self._book.histories(meter.id, meter.predecessors)
            if is_sent_before(cut_of(histories), number):
                standing = stands_for(histories, meter.id, number)
                touched.append(await self._reconnected(meter, payment, standing))
            alarm = alarm_of(histories)
            if alarm is not None and is_operated_before(alarm.acts, number):
                touched.append(await self._quieted(meter, payment))

    async def _was_for_an_account(self, payment: Payment) -> bool:
        """Whether the money went to the head-end, for an account or a bill, when it was told of."""
        kept = await self._book.acts.of_subject(Topic.EVIDENCE, payment.full_id)
        return bool(kept) and Kept.of(kept).is_for_account

    async def _first_told(self, meter: RosterMeter, payment: Payment) -> Payment:
        """The record by which it was told first: several senders may tell of one payment. Source: TOP-01."""
        try:
            return first_told(await self._evidence.of_meter(meter), payment)
        except EvidenceRefused as error:  # then no rule lets its order go before somebody has looked
            _log.error("payments_unreadable", meter=meter.id, reason=str(error))
            return payment

    async def _miss(self, payment: Payment, number: int, error: BusFull) -> None:
        name = payment.full_id
        if name in self._missed:
            return
        seen = Seen(rule=NO_ROOM, origin="CTRL-16", meter=payment.meter, evidence=(f"{_EVIDENCE}{name}",))
        await self._alarms.raise_(seen, actor=DAEMON)
        if len(self._missed) >= MISSED_MAX:
            raise error
        self._missed[name] = payment, number

    async def _retry(self) -> None:
        """Oldest first; when one finds no room, none behind it would."""
        for name, (payment, number) in list(self._missed.items()):
            await self.paid(payment, number)
            if name in self._missed:
                return

    async def _told_missed(self) -> list[KeptAct]:
        """The records of payments that an open alarm names: there was no room for them."""
        acts = self._book.acts
        prefix = f"{NO_ROOM}:"
        names = await acts.subjects(Topic.ALARM, only_open=True, after=prefix, limit=MISSED_ALARMS_MAX)
        found = []
        for name in (name for name in names if name.startswith(prefix)):
            last = await acts.last_of(Topic.ALARM, name)
            for told in () if last is None else Alarm.of(last).seen.evidence:
                found += (await acts.of_subject(Topic.EVIDENCE, told.removeprefix(_EVIDENCE)))[:1]
        return found

    async def _reconnected(self, meter: RosterMeter, payment: Payment, standing: str) -> str:
        """The closing that brings current back; one that is under way already is for this payment as well."""
        name = order_id_of("close", meter.id, payment.full_id)
        if not await self._is_there(name):
            if standing:
                return standing
            now = self._clock.utc_now()
            await self._begun(await self._aftermath.reconnection(meter.id, payment.full_id, now, name))
        return name

    async def _quieted(self, meter: RosterMeter, payment: Payment) -> str:
        order = quieting(meter.id, payment.full_id, self._clock.utc_now())
        if standing := quieted_by(self._book.open_of(meter.id)):
            return standing
        if not await self._is_there(order.id):
            await self._begun(order)
        return order.id

    async def _topped_up(self, meter: RosterMeter, payment: Payment) -> str:
        name = order_id_of("top-up", meter.id, payment.full_id)
        if not await self._is_there(name):
            await self._begun(
                Order(
                    id=name,
                    kind=OrderKind.TOP_UP,
                    meter=meter.id,
                    reason=f"paid: {payment.full_id}",
                    deadline_at=self._clock.utc_now().replace(microsecond=0) + TOPPED_UP_WITHIN,
                    origin=Origin.PAYMENT,
                    amount_cents=payment.amount_cents,
                    payment=payment.full_id,
                )
            )
        return name

    async def _is_there(self, name: str) -> bool:
        try:
            await self._book.read(name)
        except Unknown:
            return False
        return True

    async def _begun(self, order: Order) -> None:
        try:
            await self._book.begin(order, DAEMON)
        except StepTaken:
            return  # the same payment was told by two at once


def _payment_of(kept: KeptAct) -> Payment | None:
    """The payment of a record; ``None``: it is of something else, or cannot be read."""
    if kept.act.body.get("kind") != "payment":
        return None
    try:
        record = record_of(kept.act)
    except EvidenceRefused as error:
        _log.error("payment_unreadable", record=kept.act.subject, reason=str(error))
        return None
    return record if isinstance(record, Payment) else None
