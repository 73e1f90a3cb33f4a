"""What became of an order that was sent: the meter is looked at until what it shows decides.

Looking is harmless, so it is done at once, soon again, and then ever more seldom (``schedule``). Each look is
a row of the log with what was seen and what it proves; what nothing proves within a day, and not by a look
behind that day either, is unknown, and stays that. The day is one of lived time (``Timeline``). Who answers
is asked first: another meter in the place of the old one proves nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from meterlink.bus.line import Exchanging
from meterlink.errors import JournalError, SecurityFailed
from meterlink.model.act import KeptAct
from meterlink.model.order import OrderKind, OrderState, Origin
from meterlink.orders.book import Book
from meterlink.orders.dispatch.looking import UNSEEN, look_after, look_in, look_out
from meterlink.orders.dispatch.mac_guard import MacGuard
from meterlink.orders.dispatch.reach import Reach
from meterlink.orders.dispatch.schedule import is_given_up
from meterlink.orders.life.closed_since import told_since
from meterlink.orders.life.life import Life
from meterlink.orders.life.look import Conclusion, Look
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.proof import conclude, conclude_key
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.orders.life.switch_proof import CLOSED_BY, standing_of
from meterlink.orders.people import DAEMON

SENT: Final = frozenset({OrderState.SENDING, OrderState.ACCEPTED, OrderState.UNCONFIRMED})
"""Where octets may have left, and nobody has looked yet."""
LOOKED_AT: Final = frozenset({*SENT, OrderState.READBACK, OrderState.WAITING_FOR_KEY})
"""Where an order is looked after."""
_CRASHED: Final = "the program ended between the intent and the answer"


class Reader:
    """Reads back what was sent.

    Args:
        book: the orders.
        macs: knows which meters met a wrong proof; no money is looked at there.

    """

    def __init__(self, book: Book, macs: MacGuard) -> None:
        self._book = book
        self._macs = macs
        self._timeline = book.timeline

    async def look(self, held: Exchanging, reach: Reach, life: Life, *, is_identified: bool = False) -> Life:
        """Look once, and write down what that proves.

        Args:
            held: the line, held for this order.
            reach: how the meter is reached.
            life: in a state of ``LOOKED_AT``; any other stays as it is.
            is_identified: whether the meter has told its number in this holding of the line.

        Raises:
            JournalError: the log cannot be written or read.

        """
        began_at = self._timeline.now()
        life = await self._begin(life)
        if life.state not in LOOKED_AT:
            return life
        facts = await _facts_of(life, reach)
        try:
            if not is_identified:
                found = (await reach.driver.identity(held, reach.meter.address)).meter_number
                if found != (meant := _number_of(life, reach)):
                    return await self._exchanged(life, meant, found)
            look = await self._looked(held, reach, life, facts)
        except (*UNSEEN, SecurityFailed) as error:
            return await self._conclude(life, reach, facts, began_at, None, {"told": str(error)})
        return await self._conclude(life, reach, facts, began_at, look, {"look": look_out(look)})

    async def _looked(self, held: Exchanging, reach: Reach, life: Life, facts: SwitchFacts) -> Look:
        """What the meter shows; only its money has to be proved for.

        Raises:
            SecurityFailed: there is no proof, or a wrong one has shut the meter.

        """
        order = life.order
        if order.kind is not OrderKind.TOP_UP:
            return await look_after(held, reach, order.kind, facts, self._timeline)
        async with self._macs.proving(order.meter, reach.security(), by=order.id):
            return await look_after(held, reach, order.kind, facts, self._timeline)

    async def unseen(self, reach: Reach, life: Life, why: str) -> Life:
        """Write down that the meter could not be looked at: no line was to be had."""
        life = await self._begin(life)
        if life.state not in LOOKED_AT:
            return life
        facts = await _facts_of(life, reach)
        return await self._conclude(life, reach, facts, self._timeline.now(), None, {"told": why})

    async def _exchanged(self, life: Life, meant: str, found: str) -> Life:
        """The meter that had the frame is away, and what it did with it nobody can read any more."""
        told = f"the meter {found} answers: the frame went to {meant}"
        signal = Signal.LEAVE if life.state is OrderState.WAITING_FOR_KEY else Signal.GIVE_UP
        body = {"told": told, "inputs": {"number": found, "sent_to": meant}}
        return await self._book.insist(life, signal, actor=DAEMON, body=body)

    async def _begin(self, life: Life) -> Life:
        if life.state is OrderState.SENDING:
            life = await self._book.insist(life, Signal.LOSE, actor=DAEMON, body={"told": _CRASHED})
        if life.state in SENT:
            life = await self._book.insist(life, Signal.READ_BACK, actor=DAEMON)
        return life

    async def _conclude(
        self,
        life: Life,
        reach: Reach,
        facts: SwitchFacts,
        began_at: datetime,
        look: Look | None,
        body: dict[str, Any],
    ) -> Life:
        looks = [*await self._earlier(life), *([] if look is None else [look])]
        found = self._judged(life, reach, looks, facts, began_at)
        body |= {"inputs": dict(found.inputs)} | ({"proof": found.proof} if found.proof else {})
        if look is not None and CLOSED_BY in found.inputs:
            body |= told_since(standing_of(look.seen), look.started_at)
        return await self._book.insist(life, found.signal or Signal.LOOK, actor=DAEMON, body=body)

    def _judged(
        self, life: Life, reach: Reach, looks: Sequence[Look], facts: SwitchFacts, began_at: datetime
    ) -> Conclusion:
        """What the looks prove; what they leave open is given up if the newest began behind the day."""
        looks = [self._lived(look) for look in looks]
        if life.state is OrderState.WAITING_FOR_KEY:
            found = conclude_key(looks, facts) if looks else Conclusion(signal=None)
            if found.signal is None and is_given_up(self._timeline.lived(life.since), began_at):
                return Conclusion(signal=Signal.LEAVE, inputs={"waited_since": str(life.since)})
            return found
        sent = life.sent
        assert sent is not None, "what is read back was sent"
        if sent.left_by is not None:
            sent = replace(sent, left_by=self._timeline.lived(sent.left_by))
        return conclude(life.order, sent, looks, facts, now=began_at, reply_timeout=reach.reply_timeout)

    def _lived(self, look: Look) -> Look:
        """A look in lived time; the meter's own clock shows the same instant as before."""
        started_at = self._timeline.lived(look.started_at)
        clock = look.clock
        if clock is not None:
            clock = replace(clock, offset=clock.offset + (look.started_at - started_at))
        return replace(look, started_at=started_at, clock=clock)

    async def _earlier(self, life: Life) -> list[Look]:
        """The newest look of this state; two of them in a row can prove more than one."""
        for kept in reversed(await self._book.acts_of(life.order.id)):
            if kept.act.verb not in (Signal.LOOK, Signal.WAIT_FOR_KEY):
                return []
            if "look" in kept.act.body:
                return [_look_of(kept)]
        return []


def watched_since(life: Life) -> datetime:
    """From when on the looks at an order are counted: when it left, or when it began to wait for the key."""
    if life.state is OrderState.WAITING_FOR_KEY:
        return life.since
    assert life.sent is not None, "what is looked after was sent"
    return life.sent.left_by or life.since


async def _facts_of(life: Life, reach: Reach) -> SwitchFacts:
    """By which the meter was read when the frame left; a probe's, as the walk knows them by now."""
    assert life.sent is not None, "what is looked after was sent"
    then = life.sent.facts
    if then is not None and life.order.origin is not Origin.PROBE:
        return then
    return await reach.facts(None if then is None else then.firmware)  # an old row does not tell them


def _number_of(life: Life, reach: Reach) -> str:
    """Of the meter that the frame went to."""
    assert life.sent is not None, "what is looked after was sent"
    return life.sent.meter_number or reach.meter.meter_number


def _look_of(kept: KeptAct) -> Look:
    try:
        return look_in(kept.act.body["look"])
    except (ValueError, TypeError, KeyError, ArithmeticError) as error:
        subject = kept.act.subject
        raise JournalError(f"order {subject!r} step {kept.act.step} cannot be read: {error}") from None
