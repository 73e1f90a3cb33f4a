"""What a read-back proves about one frame of control: that it was obeyed, that it was not, or nothing yet.

Everything that can be done twice hangs on this file, so it says once what counts. It speaks of the last frame
of an order, of how the meter stood just before it (``Transmission.before``), and of looks taken afterwards.

**The answer is no proof.** 9C and DAR 0 mean "received" (fact 4), a refusal may have been obeyed or belong to
another frame (fact 7), and silence means nothing. A no has to be borne out by what the meter shows, and a
frame that was accepted is never sent again, whatever the look shows.

**Obeyed** (``PROVE``; CTRL-19 and fact 4). A trip or close: of the three witnesses (status word; what flows;
records) two speak for it, none against it, and something of it is new: the word changed, or a record came, or
the meter accepted. The word speaks when command *and* contact are told; a record when it is new and bears our
operator code, or none. Guarantee and alarm: their bit stands as ordered, and changed or the meter accepted.
A top-up: the purchase count is the one that was sent, and the money fits (TOP-07).

A closing is proved as well where somebody else has closed, with a hand-held unit: command and contact are
closed, there is voltage, a new record bears another's code, and the frame has come or can never come. Its
purpose is reached; the act says ``closed_by``, and since when (``closed_since``).

**Waiting for the key** (``WAIT_FOR_KEY``). Of a permit only: the command is closed, the contact still open.
Behind it the key was pressed (``CLOSED_BY_KEY``) if both are closed and the meter does not tell that there is
no voltage (CTRL-19): nobody has current by a word alone.

**Not obeyed** (``PROVE_NOT``; decision 22). All of these, or there is no such proof:

- Obeying would have changed what is unchanged: the command bit stood the other way before and stands so
  still, and the records are counted and have not grown. One bit alone for guarantee and alarm. A top-up: the
  purchase count is what it was, and the money has not grown.
- The look began at least one reply timeout after the octets had left.
- A trip: the longest time that an obeyed one may take is known and is over, and ``OPENS_LATE`` with it; of
  one that was accepted, or that goes to a meter whose command bit follows the contact, ``FAULT_AFTER``. A
  close to such a meter: never.
- On a line that stores: the frame carried an expiry, the meter is known to obey it, and its own clock, read
  before the look, was past it by more than the error of that reading. A top-up has no expiry; there the frame
  is dead once its authentication is: ``STORED_MONEY_LIVES`` after it left.

**Refused** (``REJECT``). The meter said no, and one look, a reply timeout after the octets had left, shows
command, contact, guarantee and counts as they were. Where that is no proof of "not obeyed", because the meter
may show it later, the act carries none, and a trip counts as one that may have cut (``Life.may_have_cut``).

**Contradicting itself** (``CONTRADICT``; CTRL-20). Two looks in a row, ``LOOKS_APART`` apart, show the same
of: load with the contact open; and, once ``FAULT_AFTER`` is over (for a trip beyond its delay, if that is
known), command and contact that differ, a contact that moved without a record, a closed contact without
voltage. Of guarantee and alarm at any time: the contact or the trip records moved (facts 5 and 8), which no
qualified model does, and a probe may find out. Two looks, because a meter is not read in one instant and a
contact may move between two answers.

**Nothing** (``None``): look again. After ``UNDECIDED_FOR`` it stays undecided for ever (``GIVE_UP``), and so
does a purse at once whose count is neither the old nor the new one, or which has the count and other money.

What this cannot see: somebody else who undoes an order at the same meter before the first look and leaves no
record. So the line is held from the sending to the look, and one order at a time is open for a meter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from meterlink.drivers.control import ControlAnswer, Standing, Verdict
from meterlink.model.order import BELIEVED_NO, Order, OrderKind, Origin
from meterlink.orders.life import witnesses
from meterlink.orders.life.expiry import FRAME_LIFE_MAX
from meterlink.orders.life.look import Case, Conclusion, Look
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.money_proof import STORED_MONEY_LIVES, of_money, purse_of
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.orders.life.switch_proof import (
    CROSSED,
    DEAD,
    is_load_on_open,
    of_switch,
    shown_twice,
    standing_of,
)
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.life.transmission import Transmission
from meterlink.orders.life.witnesses import Word
from meterlink.orders.life.written import Seen

__all__ = [
    "Conclusion",
    "Look",
    "SwitchFacts",
    "arrives_until",
    "conclude",
    "conclude_key",
    "contradiction",
    "may_send_again",
    "signal_of",
]

UNDECIDED_FOR: Final = timedelta(hours=24)
"""So long a read-back may stay undecided. Source: decision 21."""
UNSENT: Final = "unsent"
"""The proof of a frame of which no octet left."""
REFUSED: Final = "refused"
"""The proof of an authentication that had timed out: the meter itself says that it did nothing."""
WHY_NOT_AGAIN: Final = ("unproved", "accepted", "other_purchase", "changed")
"""What can forbid another frame, in the order in which it is told."""

_SIGNALS: Final[Mapping[Verdict, Signal]] = {
    Verdict.ACCEPTED: Signal.ACCEPT,
    Verdict.REJECTED: Signal.REJECT,
    Verdict.NONE: Signal.LOSE,
    Verdict.UNSENT: Signal.UNSENT,
}
_NOTHING: Final = Conclusion(signal=None)


def signal_of(kind: OrderKind, answer: ControlAnswer) -> Signal:
    """What happened to an order in ``SENDING`` by what came back; a no is not believed yet."""
    if answer.verdict is Verdict.REJECTED and kind not in BELIEVED_NO:
        return Signal.LOSE
    return _SIGNALS[answer.verdict]


def conclude(
    order: Order,
    sent: Transmission,
    looks: Sequence[Look],
    facts: SwitchFacts,
    *,
    now: datetime,
    reply_timeout: timedelta,
) -> Conclusion:
    """What is proved about the last frame of an order in ``READBACK``.

    Args:
        order: what was ordered.
        sent: its last frame.
        looks: those since it left, oldest first; the last two count.
        facts: of the meter's model.
        now: for how long nothing was decided; aware, UTC.
        reply_timeout: longest that the meter may take to answer on this line.

    Raises:
        ValueError: the frame is still on its way, or purse and switch were mixed up.

    """
    if sent.left_by is None:
        raise ValueError(f"the frame of order {order.id} has not left")
    found = _NOTHING
    if looks:
        case = Case(
            kind=order.kind,
            amount_cents=order.amount_cents or 0,
            sent=sent,
            left_by=sent.left_by,
            looks=looks,
            facts=facts,
            reply_timeout=reply_timeout,
            is_probe=order.origin is Origin.PROBE,
        )
        found = of_money(case) if order.kind is OrderKind.TOP_UP else of_switch(case)
    if found.signal is None and now - sent.left_by >= UNDECIDED_FOR:
        return Conclusion(signal=Signal.GIVE_UP, inputs={**found.inputs, "undecided": "24 h"})
    return found


def conclude_key(looks: Sequence[Look], facts: SwitchFacts) -> Conclusion:
    """What is proved about a permit in ``WAITING_FOR_KEY``: pressed, contradicted, or nothing.

    Raises:
        ValueError: purse and switch were mixed up.

    """
    standings = [standing_of(look.seen) for look in looks[-2:]]
    after = standings[-1]
    is_closed = witnesses.of_status(OrderKind.DIRECT_CLOSE, after) is Word.FOR
    if is_closed and contradiction(after, facts) != DEAD:
        return Conclusion(signal=Signal.CLOSED_BY_KEY, inputs={"status": Word.FOR})
    shown = [[CROSSED] if is_load_on_open(each, facts) else [] for each in standings]
    if found := shown_twice(looks, shown):
        return Conclusion(signal=Signal.CONTRADICT, inputs={"contradiction": " ".join(found)})
    return _NOTHING


def contradiction(standing: Standing, facts: SwitchFacts) -> str:
    """What one look shows that cannot be, ``CROSSED`` or ``DEAD``; empty: nothing.

    Such a look is taken once more before an order is judged by it, and if it shows the same, no order leaves
    by such words. Source: fact 3; CTRL-20.
    """
    if is_load_on_open(standing, facts):
        return CROSSED
    return DEAD if standing.contact_open is False and witnesses.is_dead(standing) else ""


def arrives_until(sent: Transmission, timeline: Timeline) -> datetime | None:
    """Until when a frame may still come to its meter, in lived time; ``None``: nobody can say.

    A frame that was answered has come. Any other is dead when the time in it is over, which is counted from
    its sending; a top-up has no such time, and is dead on a line that stores once its authentication is.
    """
    if sent.left_by is None:
        return None
    left_by = timeline.lived(sent.left_by)
    if sent.answer is not None and sent.answer.verdict in (Verdict.ACCEPTED, Verdict.REJECTED):
        return left_by
    is_kept = sent.line_stores and sent.expires_at is None
    return left_by + (STORED_MONEY_LIVES if is_kept else FRAME_LIFE_MAX)


def may_send_again(order: Order, earlier: Transmission, proof: str, again: Transmission) -> str:
    """Which of ``WHY_NOT_AGAIN`` forbids to send another frame after one; empty: none does.

    Args:
        order: what is ordered.
        earlier: the last frame.
        proof: why it had no effect.
        again: the next frame, with how the meter stands now.

    Raises:
        ValueError: purse and switch were mixed up.

    """
    if not proof:
        return "unproved"
    if earlier.answer is not None and earlier.answer.verdict is Verdict.ACCEPTED:
        return "accepted"
    if again.purchase_count != earlier.purchase_count:
        return "other_purchase"
    if proof != UNSENT and not _is_as_it_was(order.kind, proof, earlier.before, again.before):
        return "changed"
    return ""


def _is_as_it_was(kind: OrderKind, proof: str, before: Seen, now: Seen) -> bool:
    """Whether the proof still holds now; of a refusal it is enough that nothing speaks against it."""
    if kind is OrderKind.TOP_UP:
        return purse_of(before).purchase_count == purse_of(now).purchase_count
    was, stands = standing_of(before), standing_of(now)
    if proof == REFUSED:
        return witnesses.stands_as_before(was, stands)
    return witnesses.is_unchanged(kind, was, stands)
