"""Where an order can stand and what may happen to it there: the table that every step of an order obeys.

One machine serves all kinds of order. It speaks of the order, never of the program: a signal is something
that a person, a rule, a meter or time did, and each signal that is taken becomes one row of the log (an act).
So the log *is* the order; a crash at any place loses nothing but what had not happened yet.

======================  =====================================================================================
CREATED                 it is known, and waits for those who must agree
AUTHORISED              everybody agreed; a person arms it and then operates it within a minute
QUEUED                  it is to be sent; it waits for its line
PRECHECK                its line is held for it; identity, clock, load and rules are looked at once more
SENDING                 **octets may leave.** Its row is on the disk before they do
ACCEPTED                the meter said "received". That is all it said: not "done"
UNCONFIRMED             octets may have left and no verdict came: silence, a cut line, a crash
READBACK                the meter is asked how it stands, until that decides
DONE                    end: proved by what the meter showed afterwards
WAITING_FOR_KEY         the meter permits closing; somebody must press its key
NOT_DONE                proved: the frame had no effect, and none can follow
UNKNOWN                 end: nobody can tell. It keeps its meter locked until two persons have found out
RELAY_FAULT             end: what the meter shows contradicts itself
REJECTED                the meter said no
REFUSED                 end: a rule said no; nothing was sent
CANCELLED               end: withdrawn by a person or by what came meanwhile; nothing had effect, nothing can
EXPIRED                 end: its deadline passed; nothing was sent
======================  =====================================================================================

Everything before SENDING is harmless and can be withdrawn: only there are REFUSED and EXPIRED.
From SENDING on there is no way back, and time alone decides nothing: the way leads through READBACK, because
the meter's answer is no proof, and neither is its silence. A crash in SENDING is ``LOSE``.

One way back there is behind it: where a frame is proved to have had no effect, and that none can follow, the
order waits to be sent again, and is as harmless as before the first. So NOT_DONE and REJECTED take a
``CANCEL`` as long as another transmission is allowed. A no without that proof takes none: its frame may still
be obeyed, so it stays what it is, and ``LEAVE`` keeps the next one back (``Life.withdrawal``).

What does not fit into states and signals:

- **Marks.** Signals that leave the state as it is, and are remembered: ``APPROVE`` (one person more agreed),
  ``ARM`` (for 60 s the one who armed may operate), ``LOOK`` (a read-back that decided nothing), ``PAYMENT``
  after SENDING (the trip or alarm is finished first and then reversed), ``LEAVE``, ``FIND``, ``CONFIRM``.
- **Half ends.** NOT_DONE and REJECTED are ends, unless another transmission is allowed: after a proof, after
  an authentication that timed out. WAITING_FOR_KEY is none, but nobody may ever come. ``LEAVE`` says that
  nothing more will be tried; the key may still be seen pressed afterwards.
- **Refusals.** A meter's no is not believed before what the meter shows agrees: the order goes through
  READBACK (``LOSE``, although an answer came) and is REJECTED from there. Only an alarm's no is taken at its
  word.
- **Findings.** UNKNOWN stays what it is for ever. What two persons find out on the spot is written behind it
  (``FIND``, then ``CONFIRM`` by another person) and unlocks the meter; it does not rewrite what was known.
- **Birth.** ``CREATE`` is the first act of an order and no state takes it.
- **Guards.** How often, how late, by whom and with which proof: ``meterlink.orders.life.guards``. The table
  says what is possible at all, a guard what is allowed now.

Source: decisions 21, 22 and 24; business-rules 2.1 to 2.3, whose names are read as decision 21 says.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from meterlink.model.order import OrderState


class Signal(enum.StrEnum):
    """What can happen to an order; the verb of its act."""

    CREATE = "create"
    APPROVE = "approve"
    AUTHORISE = "authorise"
    REFUSE = "refuse"
    CANCEL = "cancel"
    EXPIRE = "expire"
    PAYMENT = "payment"
    ARM = "arm"
    OPERATE = "operate"
    TAKE = "take"
    POSTPONE = "postpone"
    INTEND = "intend"
    ACCEPT = "accept"
    REJECT = "reject"
    LOSE = "lose"
    UNSENT = "unsent"
    READ_BACK = "read_back"
    LOOK = "look"
    PROVE = "prove"
    WAIT_FOR_KEY = "wait_for_key"
    PROVE_NOT = "prove_not"
    CONTRADICT = "contradict"
    GIVE_UP = "give_up"
    CLOSED_BY_KEY = "closed_by_key"
    LEAVE = "leave"
    FIND = "find"
    CONFIRM = "confirm"


_WITHDRAWN: Final = {
    Signal.REFUSE: OrderState.REFUSED,
    Signal.CANCEL: OrderState.CANCELLED,
    Signal.PAYMENT: OrderState.CANCELLED,  # CTRL-21: a payment cancels what is not sent
    Signal.EXPIRE: OrderState.EXPIRED,
}

TRANSITIONS: Final[Mapping[OrderState, Mapping[Signal, OrderState]]] = {
    OrderState.CREATED: {
        **_WITHDRAWN,
        Signal.APPROVE: OrderState.CREATED,
        Signal.AUTHORISE: OrderState.AUTHORISED,
    },
    OrderState.AUTHORISED: {
        **_WITHDRAWN,
        Signal.ARM: OrderState.AUTHORISED,
        Signal.OPERATE: OrderState.QUEUED,
    },
    OrderState.QUEUED: {
        **_WITHDRAWN,
        Signal.TAKE: OrderState.PRECHECK,
    },
    OrderState.PRECHECK: {
        **_WITHDRAWN,
        Signal.POSTPONE: OrderState.AUTHORISED,
        Signal.INTEND: OrderState.SENDING,
    },
    OrderState.SENDING: {
        Signal.ACCEPT: OrderState.ACCEPTED,
        Signal.LOSE: OrderState.UNCONFIRMED,
        Signal.REJECT: OrderState.REJECTED,  # of an alarm: it moves nothing that could be looked at
        Signal.UNSENT: OrderState.NOT_DONE,  # no octet left: there is no better proof
        Signal.PAYMENT: OrderState.SENDING,
    },
    OrderState.ACCEPTED: {
        Signal.READ_BACK: OrderState.READBACK,
        Signal.PAYMENT: OrderState.ACCEPTED,
    },
    OrderState.UNCONFIRMED: {
        Signal.READ_BACK: OrderState.READBACK,
        Signal.PAYMENT: OrderState.UNCONFIRMED,
    },
    OrderState.READBACK: {
        Signal.LOOK: OrderState.READBACK,
        Signal.PROVE: OrderState.DONE,
        Signal.WAIT_FOR_KEY: OrderState.WAITING_FOR_KEY,
        Signal.PROVE_NOT: OrderState.NOT_DONE,
        Signal.REJECT: OrderState.REJECTED,  # the meter said no, and shows itself as it was
        Signal.CONTRADICT: OrderState.RELAY_FAULT,
        Signal.GIVE_UP: OrderState.UNKNOWN,
        Signal.PAYMENT: OrderState.READBACK,
    },
    OrderState.DONE: {
        Signal.PAYMENT: OrderState.DONE,
    },
    OrderState.WAITING_FOR_KEY: {
        Signal.LOOK: OrderState.WAITING_FOR_KEY,
        Signal.CLOSED_BY_KEY: OrderState.DONE,
        Signal.CONTRADICT: OrderState.RELAY_FAULT,
        Signal.LEAVE: OrderState.WAITING_FOR_KEY,
    },
    OrderState.NOT_DONE: {
        Signal.INTEND: OrderState.SENDING,
        Signal.CANCEL: OrderState.CANCELLED,  # nothing is out: the proof stands
        Signal.LEAVE: OrderState.NOT_DONE,
        Signal.PAYMENT: OrderState.NOT_DONE,
    },
    OrderState.UNKNOWN: {
        Signal.FIND: OrderState.UNKNOWN,
        Signal.CONFIRM: OrderState.UNKNOWN,
        Signal.PAYMENT: OrderState.UNKNOWN,
    },
    OrderState.RELAY_FAULT: {
        Signal.PAYMENT: OrderState.RELAY_FAULT,
    },
    OrderState.REJECTED: {
        Signal.INTEND: OrderState.SENDING,
        Signal.CANCEL: OrderState.CANCELLED,
        Signal.LEAVE: OrderState.REJECTED,
        Signal.PAYMENT: OrderState.REJECTED,
    },
    OrderState.REFUSED: {},
    OrderState.CANCELLED: {},
    OrderState.EXPIRED: {},
}

BEFORE_SENDING: Final = frozenset(
    {OrderState.CREATED, OrderState.AUTHORISED, OrderState.QUEUED, OrderState.PRECHECK}
)
"""Where nothing can have left, and everything can still be withdrawn."""
ENDS: Final = frozenset(
    {
        OrderState.DONE,
        OrderState.UNKNOWN,
        OrderState.RELAY_FAULT,
        OrderState.REFUSED,
        OrderState.CANCELLED,
        OrderState.EXPIRED,
    }
)
"""Which no order ever leaves."""
MAYBE: Final = frozenset({OrderState.DONE, OrderState.UNKNOWN, OrderState.RELAY_FAULT})
"""Ends in which an order may have been obeyed."""
