"""The life of one order: what its acts make of it, and the act of its next step. No clock, no I/O.

``Life.of`` folds the acts of the log; nothing about an order is kept anywhere else. ``Life.next`` gives the
act of a signal, or says why there is none. Who appends the act and is told ``StepTaken`` was not the only
one: he folds the log anew and looks again. Bodies hold, beside ``from``, ``to`` and what the service adds:

=====================  ======================================================================================
create                 ``order`` (all of it but its id) and ``digest`` over that
payment                ``payment``, the id of its record
intend                 ``sent``, see ``Transmission.body``
accept, reject, lose   ``answer``, see ``answer_out``; after a crash there is none
prove_not              ``proof``, why the frame had no effect, see ``meterlink.orders.life.proof``
reject                 ``proof`` as well, where a look proves that the refused frame had none
find                   ``finding``: ``done`` or ``not_done``; ``evidence``: what shows it, for people;
                       ``instead``: the finding that stood before it, where there was one
confirm                ``finding``: which one; ``found_step``: the number of the act that told it
=====================  ======================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from meterlink.drivers.control import Cause, Verdict
from meterlink.model.act import Act, KeptAct, Topic
from meterlink.model.order import BELIEVED_NO, TRANSMISSIONS_MAX, Order, OrderKind, OrderState
from meterlink.orders.life.effects import EFFECTS
from meterlink.orders.life.guards import GUARDS, Step
from meterlink.orders.life.machine import BEFORE_SENDING, ENDS, MAYBE, TRANSITIONS, Signal
from meterlink.orders.life.objections import objected
from meterlink.orders.life.proof import UNSENT
from meterlink.orders.life.transmission import Transmission

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Where an order stands, and all that a later step asks of the earlier ones.

    Args:
        order: what is wanted.
        state: where it stands.
        step: number of its newest act.
        created_by: who created it.
        created_at: when.
        since: when it came into this state.
        last_at: time of its newest act.
        approvals: who agreed, in that order.
        authorised_at: when everybody had agreed.
        armed_by: who armed it last; empty: nobody.
        armed_until: until when that holds.
        postponed: how often it was.
        not_before: before that it is not operated again.
        transmissions: how many frames of it were let go, also one of which no octet left.
        sent: the newest of them.
        proof: why the newest of them had no effect; empty: that is not known.
        reauthenticated: whether it was sent again because an authentication had timed out.
        is_behind_unclear: whether the frame before it may still be obeyed, for all that is proved.
        has_opened: whether a look showed that it opened the contact, although it was to open none.
        looks: how many read-backs decided nothing.
        payment: id of the payment that came; empty: none did.
        is_left: whether nothing more will be tried.
        finding: of an unknown one: ``done`` or ``not_done`` as somebody found; empty: nobody did.
        found_by: who found it.
        found_step: number of the act that told it; 0: nobody found anything.
        confirmed_by: who confirmed that; empty: nobody did.

    """

    order: Order
    state: OrderState
    step: int
    created_by: str
    created_at: datetime
    since: datetime
    last_at: datetime
    approvals: tuple[str, ...] = ()
    authorised_at: datetime | None = None
    armed_by: str = ""
    armed_until: datetime | None = None
    postponed: int = 0
    not_before: datetime | None = None
    transmissions: int = 0
    sent: Transmission | None = None
    proof: str = ""
    reauthenticated: bool = False
    is_behind_unclear: bool = False
    has_opened: bool = False
    looks: int = 0
    payment: str = ""
    is_left: bool = False
    finding: str = ""
    found_by: str = ""
    found_step: int = 0
    confirmed_by: str = ""

    @classmethod
    def begin(cls, order: Order, *, at: datetime, actor: str, body: Mapping[str, Any] = _NOTHING) -> Act:
        """The first act of an order.

        Args:
            order: what is wanted.
            at: when, aware, UTC.
            actor: who wants it.
            body: what else there is to say.

        """
        return Act(
            topic=Topic.ORDER,
            subject=order.id,
            step=1,
            verb=Signal.CREATE.value,
            at=at,
            actor=actor,
            meter=order.meter,
            body={
                **body,
                "order": order.body,
                "digest": order.digest,
                "kind": order.kind.value,
                "to": OrderState.CREATED.value,
            },
            is_open=True,
        )

    @classmethod
    def of(cls, acts: Sequence[KeptAct | Act]) -> Life:
        """What the acts of one order, all of them and in order, make of it.

        Raises:
            ValueError: they are not the acts of one order: none, a gap, a step that the table has not, a
                body that cannot be read.

        """
        try:
            return cls._of([act.act if isinstance(act, KeptAct) else act for act in acts])
        except (KeyError, TypeError, ArithmeticError) as error:
            raise ValueError(f"an act of an order cannot be read: {type(error).__name__}: {error}") from None

    @classmethod
    def _of(cls, acts: Sequence[Act]) -> Life:
        if not acts or acts[0].verb != Signal.CREATE or acts[0].topic is not Topic.ORDER or acts[0].step != 1:
            raise ValueError("the acts of an order begin with its creation")
        first = acts[0]
        life = cls(
            order=Order.of(first.subject, first.body["order"]),
            state=OrderState.CREATED,
            step=1,
            created_by=first.actor,
            created_at=first.at,
            since=first.at,
            last_at=first.at,
        )
        for act in acts[1:]:
            life = life.then(act)
        return life

    @property
    def is_open(self) -> bool:
        """Whether the service still has something to do for it."""
        if self.state in ENDS or self.is_left:
            return False
        if self.state in (OrderState.NOT_DONE, OrderState.REJECTED):
            return self.may_repeat
        return True

    @property
    def is_before_sending(self) -> bool:
        """Whether nothing can have left."""
        return self.state in BEFORE_SENDING

    @property
    def withdrawal(self) -> Signal | None:
        """The step by which it is taken back now; ``None``: it has ended, or a frame is out.

        ``CANCEL`` where nothing has had effect and nothing can; ``LEAVE`` where the meter said no without a
        proof, so that no other frame follows the one that it may still obey.
        """
        if self.is_before_sending:
            return Signal.CANCEL
        if not self.may_repeat:
            return None
        return Signal.LEAVE if self.is_unclear else Signal.CANCEL

    @property
    def may_repeat(self) -> bool:
        """Whether another transmission would be allowed, as far as its own past tells."""
        if self.is_left or self.payment or self.transmissions >= TRANSMISSIONS_MAX:
            return False
        if self.state is OrderState.NOT_DONE:
            return bool(self.proof) and not self.is_accepted
        return self.state is OrderState.REJECTED and self.is_unauthenticated and not self.reauthenticated

    @property
    def is_accepted(self) -> bool:
        """Whether the meter said "received" to the last frame; then none follows, whatever is proved."""
        answer = self.sent.answer if self.sent else None
        return answer is not None and answer.verdict is Verdict.ACCEPTED

    @property
    def is_unauthenticated(self) -> bool:
        """Whether the meter's last word was that an authentication had timed out."""
        answer = self.sent.answer if self.sent else None
        return (
            answer is not None
            and answer.verdict is Verdict.REJECTED
            and answer.cause is Cause.AUTHENTICATION_TIMEOUT
        )

    @property
    def locks_meter(self) -> bool:
        """Whether no other control may go to its meter: it is open, or nobody knows what it did."""
        return self.is_open or (self.state is OrderState.UNKNOWN and not self.confirmed_by)

    @property
    def is_to_be_reversed(self) -> bool:
        """Whether it is a trip that was paid for after it was sent, and may have been obeyed."""
        return bool(self.payment) and self.may_have_cut

    @property
    def may_have_cut(self) -> bool:
        """Whether it opened the contact, or is a trip that has ended and may have been obeyed.

        A no without a proof may have been.
        """
        if self.order.kind is not OrderKind.TRIP:
            return self.has_opened
        if self.finding_of_two == "not_done":
            return False
        return self.state in MAYBE or self.is_unclear

    @property
    def is_unclear(self) -> bool:
        """Whether the meter said no, and no look proves that it did nothing: a contact may move later.

        A second frame of which no octet left proves nothing of the one before it.
        """
        if self.state is OrderState.NOT_DONE:
            return self.is_behind_unclear and self.proof == UNSENT
        is_proved = bool(self.proof) or self.order.kind in BELIEVED_NO or self.order.kind is OrderKind.TOP_UP
        return self.state is OrderState.REJECTED and not is_proved

    @property
    def finding_of_two(self) -> str:
        """``done`` or ``not_done`` as two persons found; empty: they did not."""
        return self.finding if self.confirmed_by else ""

    def wants_the_same(self, order: Order) -> bool:
        """Whether another order of this id is this order told again."""
        return self.order.digest == order.digest

    def objection(
        self, signal: Signal, *, at: datetime, actor: str, body: Mapping[str, Any] = _NOTHING
    ) -> str:
        """The name of what forbids a step; empty: nothing does. ``state``: the table does.

        Raises:
            KeyError, TypeError, ValueError: the body of such a step has more in it: a bug of the caller.

        """
        if signal not in TRANSITIONS[self.state]:
            return "state"
        step = Step(signal=signal, at=at, actor=actor, body=body)
        return next((name for name, forbids in GUARDS.get(signal, ()) if forbids(self, step)), "")

    def next(self, signal: Signal, *, at: datetime, actor: str, body: Mapping[str, Any] = _NOTHING) -> Act:
        """The act of the next step, to be appended to the log.

        Args:
            signal: what happened, or shall.
            at: when, aware, UTC.
            actor: who.
            body: what belongs to the signal, and whatever else there is to say.

        Raises:
            NotAllowed: the table or a guard says no; ``why`` names it.
            KeyError, TypeError, ValueError: the body of such a step has more in it: a bug of the caller.

        """
        if why := self.objection(signal, at=at, actor=actor, body=body):
            raise objected(self.order.id, self.state, signal, why)
        to = TRANSITIONS[self.state][signal]
        act = Act(
            topic=Topic.ORDER,
            subject=self.order.id,
            step=self.step + 1,
            verb=signal.value,
            at=at,
            actor=actor,
            meter=self.order.meter,
            body={**body, "kind": self.order.kind.value, "from": self.state.value, "to": to.value},
        )
        return replace(act, is_open=self.then(act).is_open)

    def then(self, act: Act) -> Life:
        """The life after one act more.

        Raises:
            ValueError: it is not the next act of this order, or the table has no such step.
            KeyError, TypeError, ArithmeticError: its body cannot be read.

        """
        key = (act.topic, act.subject, act.step)
        if key != (Topic.ORDER, self.order.id, self.step + 1):
            raise ValueError(f"{act.topic} {act.subject} step {act.step} does not follow step {self.step}")
        signal = Signal(act.verb)
        state = TRANSITIONS[self.state].get(signal)
        if state is None:
            raise ValueError(f"order {self.order.id} is {self.state.value} and takes no {signal.value}")
        changed = EFFECTS[signal](self, act) if signal in EFFECTS else {}
        since = self.since if state is self.state else act.at
        return replace(self, state=state, step=act.step, since=since, last_at=act.at, **changed)
