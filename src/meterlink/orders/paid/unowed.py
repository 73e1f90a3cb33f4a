"""The alarm of somebody of whom a balance or a dispute says that nothing is owed any more.

A payment quiets it when it is told (``quieting``). Who pays in parts, is given money back, or whose dispute
is upheld has no payment that settles: his alarm ends as soon as a look finds it, within a minute. One record
brings one order, and none is brought while another is open; one that fails is left to people. A log that an
older program wrote may hold any number of such alarms: so many orders as ``OPEN_AT_ONCE`` are open for them
at a time, because payments share that room, and the others follow.

An alarm counts as one for arrears if the last balance that was told before was below 0, or none was. Of one
that warned of little money (ARR-02) only a payment says that it is over: by how much more it ends (W1) is the
cost of five average days, which this program does not reckon (decision 25). Where the meter keeps the wallet
it warns by itself, and balances do not tell of it.

Source: ARR-06.
"""

from __future__ import annotations

from typing import Final

from meterlink.clock import Clock
from meterlink.model.act import Topic
from meterlink.model.order import Order, OrderKind, Origin
from meterlink.orders.book import Book
from meterlink.orders.life.history import History
from meterlink.orders.life.machine import Signal
from meterlink.orders.paid.quieting import alarm_of, quieted_by, quieting
from meterlink.orders.paid.withdrawing import Withdrawing
from meterlink.orders.people import DAEMON
from meterlink.orders.waiting.clearing import arrears_over, told_there
from meterlink.roster.roster import RosterMeter

OPEN_AT_ONCE: Final = 100
"""Open orders of this kind at a time; payments have room for 10 000, and most of it stays theirs."""


class Unowed:
    """Ends alarms; see the module.

    Args:
        book: the orders.
        clock: the time.

    """

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock
        self._withdrawing = Withdrawing(book)

    async def quiet(self, meter: RosterMeter) -> bool:
        """Withdraw or end the alarm at a meter, if it is over what was owed.

        Returns:
            Whether that is done, or there was nothing to do; else it has to be looked at again.

        Raises:
            JournalError: the log cannot be read or written.
            BusFull: there is no room for the order now.
            StepTaken: the log has it already.

        """
        if meter.world == "local":
            return True
        histories = await self._book.histories(meter.id, meter.predecessors)
        unsent = [one for one in histories if _may_be_withdrawn(one, meter.id)]
        alarm = alarm_of(histories)
        if alarm is not None and alarm.life.order.origin is Origin.PROBE:
            alarm = None
        if not unsent and alarm is None:
            return True
        told = await told_there(self._book.acts, meter)
        for one in unsent:
            if (found := arrears_over(told, meter, _operated_at(one))) is not None:
                await self._withdrawing.unowed(one.life.order.id, found[1].full_id)
        if alarm is None or quieted_by(self._book.open_of(meter.id)):
            return True
        if (found := arrears_over(told, meter, _operated_at(alarm))) is None:
            return True
        off = quieting(meter.id, found[1].full_id, self._clock.utc_now(), is_paid=False)
        return await self._is_begun(off)

    async def _is_begun(self, off: Order) -> bool:
        if await self._book.acts.last_of(Topic.ORDER, off.id) is not None:
            return True
        if not self._has_room():
            return False
        await self._book.begin(off, DAEMON)
        return True

    def _has_room(self) -> bool:
        orders = (life.order for life in self._book.open_orders())
        kind, origin = OrderKind.ALARM_OFF, Origin.PAYMENT
        ours = [one for one in orders if one.kind is kind and one.origin is origin and not one.payment]
        return len(ours) < OPEN_AT_ONCE


def _may_be_withdrawn(one: History, meter: str) -> bool:
    """Whether it is an alarm that somebody had sent, and no frame of it is out."""
    life = one.life
    is_alarm = life.order.kind is OrderKind.ALARM_ON and life.order.origin is not Origin.PROBE
    is_waiting = life.withdrawal is not None and life.order.meter == meter
    return is_alarm and is_waiting and any(kept.act.verb == Signal.OPERATE for kept in one.acts)


def _operated_at(one: History) -> int:
    """Where in the log somebody first had it sent: he knew of what was told before."""
    return next((kept.number for kept in one.acts if kept.act.verb == Signal.OPERATE), one.ordered_at)
