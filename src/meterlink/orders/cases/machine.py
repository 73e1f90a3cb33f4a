"""The case for a disconnection: what goes before the order, step by step, and the table that each step obeys.

A trip for arrears is the last of many steps that have nothing to do with meters: somebody owes, is warned,
gets a notice, another person approves, a last notice is sent. That is a case. It ends by creating an order,
or before that; the order is another machine (``meterlink.orders.life.machine``), and what becomes of it is
not told here.

======================  =====================================================================================
DRAFT                   somebody owes; nobody has told him yet
WARNED                  warnings reached him (CTRL-02, CTRL-03)
NOTICED                 the notice is delivered; its period runs (CTRL-04)
PENDING_APPROVAL        the period is over; a person who did not begin the case decides
APPROVED                a person approved; a last notice may go out
FINAL_NOTICE            it went out (CTRL-06): for a while nothing may happen, and then not for long
ORDERED                 end: the order is created
REJECTED                end: the person said no
EXPIRED                 end: it was left lying
CANCELLED               end: paid, disputed, protected, or withdrawn; possible in every state that is no end
======================  =====================================================================================

Time: a case that is left lying lapses (``LAPSE``, after ``LAPSES_AFTER``). A draft, a warning and a request
for approval lapse for good. An approval and a last notice lapse *backwards*, to the step before: the house
may be another one tomorrow, so it is looked at and told again. Once a state has lapsed nothing but
``LAPSE`` and what cancels is taken, whether or not somebody has come to say so. A notice is good for
``NOTICE_LASTS``; then it is served again, from NOTICED, and no later step is taken on the old one.

What is *in* the steps (who may, was it delivered, how long a period is) is judged by rules before; a case
keeps what they found: ``earliest_at`` stands in the body of ``notice`` and ``announce``, and is obeyed
here. A case that a policy of two persons began, that policy approves as well (CTRL-10); every other one needs
a second person. Source: business-rules 2.1; decisions 21 and 24; CTRL-01 to CTRL-06, CTRL-10, CTRL-21.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from meterlink.errors import NotAllowed
from meterlink.model.act import Act, KeptAct, Topic
from meterlink.model.payload import time_in
from meterlink.orders.people import DAEMON


class CaseState(enum.StrEnum):
    """Where a case stands."""

    DRAFT = "draft"
    WARNED = "warned"
    NOTICED = "noticed"
    PENDING_APPROVAL = "pending_approval"
    APPROVED = "approved"
    FINAL_NOTICE = "final_notice"
    ORDERED = "ordered"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class CaseSignal(enum.StrEnum):
    """What can happen to a case; the verb of its act."""

    OPEN = "open"
    WARN = "warn"
    NOTICE = "notice"
    SUBMIT = "submit"
    APPROVE = "approve"
    REJECT = "reject"
    ANNOUNCE = "announce"
    ORDER = "order"
    LAPSE = "lapse"
    CANCEL = "cancel"
    PAYMENT = "payment"
    DISPUTE = "dispute"
    PROTECT = "protect"


_CANCELS: Final = dict.fromkeys(
    (CaseSignal.CANCEL, CaseSignal.PAYMENT, CaseSignal.DISPUTE, CaseSignal.PROTECT), CaseState.CANCELLED
)

TRANSITIONS: Final[Mapping[CaseState, Mapping[CaseSignal, CaseState]]] = {
    CaseState.DRAFT: {
        **_CANCELS,
        CaseSignal.WARN: CaseState.WARNED,
        CaseSignal.LAPSE: CaseState.EXPIRED,
    },
    CaseState.WARNED: {
        **_CANCELS,
        CaseSignal.NOTICE: CaseState.NOTICED,
        CaseSignal.LAPSE: CaseState.EXPIRED,
    },
    CaseState.NOTICED: {
        **_CANCELS,
        CaseSignal.NOTICE: CaseState.NOTICED,  # served again: the old one is too old
        CaseSignal.SUBMIT: CaseState.PENDING_APPROVAL,
    },
    CaseState.PENDING_APPROVAL: {
        **_CANCELS,
        CaseSignal.APPROVE: CaseState.APPROVED,
        CaseSignal.REJECT: CaseState.REJECTED,
        CaseSignal.LAPSE: CaseState.EXPIRED,
    },
    CaseState.APPROVED: {
        **_CANCELS,
        CaseSignal.ANNOUNCE: CaseState.FINAL_NOTICE,
        CaseSignal.LAPSE: CaseState.PENDING_APPROVAL,
    },
    CaseState.FINAL_NOTICE: {
        **_CANCELS,
        CaseSignal.ORDER: CaseState.ORDERED,
        CaseSignal.LAPSE: CaseState.APPROVED,
    },
    CaseState.ORDERED: {},
    CaseState.REJECTED: {},
    CaseState.EXPIRED: {},
    CaseState.CANCELLED: {},
}

CASE_ENDS: Final = frozenset(state for state, row in TRANSITIONS.items() if not row)
"""Which no case ever leaves."""
LAPSES_AFTER: Final[Mapping[CaseState, timedelta]] = MappingProxyType(
    {
        CaseState.DRAFT: timedelta(hours=24),
        CaseState.WARNED: timedelta(days=30),
        CaseState.PENDING_APPROVAL: timedelta(hours=72),
        CaseState.APPROVED: timedelta(hours=8),
        CaseState.FINAL_NOTICE: timedelta(hours=4),
    }
)
"""How long a case may lie in a state. Source: business-rules 2.1; CTRL-06."""
NOTICE_LASTS: Final = timedelta(days=30)
"""From its delivery; then it is served again. Source: CTRL-04."""
NOTICES_MAX: Final = 12
"""Notices of one case."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Where a case stands, and what a later step asks of the earlier ones.

    Args:
        id: of the case.
        meter: our id of the meter.
        state: where it stands.
        step: number of its newest act.
        opened_by: who began it.
        opened_at: when.
        seen: place in the log of the newest act that was there when the look began by which it was opened;
            what was kept behind it came later, whatever any clock says.
        since: when it came into this state.
        notices: how often the notice was served.
        noticed_at: when the newest was delivered.
        earliest_at: before that the next step is not taken: the end of the notice's period, or of the wait
            after the last notice.
        reason: why, for people.
        policy: full id of the policy that began it; empty: a person did.
        customer: number of who had the meter then.
        approved_by: who approved; empty: nobody, or it has lapsed.
        approved_at: when.
        announced_at: when the last notice was sent that its wait counts from.
        order: id of the order that it led to; empty: none.

    """

    id: str
    meter: str
    state: CaseState
    step: int
    opened_by: str
    opened_at: datetime
    seen: int
    since: datetime
    notices: int = 0
    noticed_at: datetime | None = None
    earliest_at: datetime | None = None
    reason: str = ""
    policy: str = ""
    customer: str = ""
    approved_by: str = ""
    approved_at: datetime | None = None
    announced_at: datetime | None = None
    order: str = ""

    @classmethod
    def begin(cls, case_id: str, meter: str, *, at: datetime, actor: str, body: Mapping[str, Any]) -> Act:
        """The first act; ``body`` tells ``reason``, ``policy``, ``customer``, ``seen`` and the arrears."""
        return Act(
            topic=Topic.CASE,
            subject=case_id,
            step=1,
            verb=CaseSignal.OPEN.value,
            at=at,
            actor=actor,
            meter=meter,
            body={**body, "to": CaseState.DRAFT.value},
            is_open=True,
        )

    @classmethod
    def of(cls, acts: Sequence[KeptAct | Act]) -> Case:
        """What the acts of one case, all of them and in order, make of it.

        Raises:
            ValueError: they are not the acts of one case: none, a gap, a step that the table has not, a body
                that cannot be read.

        """
        bare = [act.act if isinstance(act, KeptAct) else act for act in acts]
        if not bare or (bare[0].topic, bare[0].step, bare[0].verb) != (Topic.CASE, 1, CaseSignal.OPEN):
            raise ValueError("the acts of a case begin with its opening")
        first = bare[0]
        case = cls(
            id=first.subject,
            meter=first.meter,
            state=CaseState.DRAFT,
            step=1,
            opened_by=first.actor,
            opened_at=first.at,
            seen=_seen(acts[0]),
            since=first.at,
            reason=str(first.body.get("reason", "")),
            policy=str(first.body.get("policy", "")),
            customer=str(first.body.get("customer", "")),
        )
        try:
            for act in bare[1:]:
                case = case.then(act)
        except (KeyError, TypeError) as error:
            raise ValueError(f"an act of a case cannot be read: {type(error).__name__}: {error}") from None
        return case

    @property
    def is_open(self) -> bool:
        """Whether something may still happen to it."""
        return self.state not in CASE_ENDS

    @property
    def lapses_at(self) -> datetime | None:
        """When it will have lain too long; ``None``: it does not lapse."""
        return self.since + LAPSES_AFTER[self.state] if self.state in LAPSES_AFTER else None

    def next(
        self, signal: CaseSignal, *, at: datetime, actor: str, body: Mapping[str, Any] = _NOTHING
    ) -> Act:
        """The act of the next step, to be appended to the log.

        Args:
            signal: what happened.
            at: when, aware, UTC.
            actor: who.
            body: what belongs to it: ``delivered_at`` and ``earliest_at`` of ``notice``, ``sent_at`` and
                ``earliest_at`` of ``announce``, ``order`` of ``order``; and whatever else there is to say.

        Raises:
            NotAllowed: the table or a guard says no; ``why`` names it.
            KeyError, TypeError, ValueError: the body of such a step has more in it: a bug of the caller.

        """
        to = TRANSITIONS[self.state].get(signal)
        why = "state" if to is None else _forbidden(self, signal, at, actor)
        if to is None or why:
            raise NotAllowed(
                f"case {self.id} is {self.state.value} and takes no {signal.value}: {why}", why=why
            )
        act = Act(
            topic=Topic.CASE,
            subject=self.id,
            step=self.step + 1,
            verb=signal.value,
            at=at,
            actor=actor,
            meter=self.meter,
            body={**body, "from": self.state.value, "to": to.value},
        )
        return replace(act, is_open=self.then(act).is_open)

    def then(self, act: Act) -> Case:
        """The case after one act more.

        Raises:
            ValueError: it is not the next act of this case, or the table has no such step.
            KeyError, TypeError: its body cannot be read.

        """
        if (act.topic, act.subject, act.step) != (Topic.CASE, self.id, self.step + 1):
            raise ValueError(f"{act.topic} {act.subject} step {act.step} does not follow step {self.step}")
        signal = CaseSignal(act.verb)
        state = TRANSITIONS[self.state].get(signal)
        if state is None:
            raise ValueError(f"case {self.id} is {self.state.value} and takes no {signal.value}")
        changed = _EFFECTS[signal](self, act) if signal in _EFFECTS else {}
        since = self.since if state is self.state else act.at
        return replace(self, state=state, step=act.step, since=since, **changed)


def _seen(opening: KeptAct | Act) -> int:
    """See ``Case.seen``; where it was not written down, the place of the opening itself."""
    act, number = (opening.act, opening.number) if isinstance(opening, KeptAct) else (opening, 0)
    seen = act.body.get("seen", number)
    if not isinstance(seen, int):
        raise ValueError(f"the opening of case {act.subject} has seen {seen!r}: that is no place in the log")
    return seen


def _forbidden(case: Case, signal: CaseSignal, at: datetime, actor: str) -> str:
    """The name of what forbids a step; empty: nothing does."""
    if signal in _CANCELS:
        return ""
    has_lapsed = case.lapses_at is not None and at >= case.lapses_at
    if (signal is CaseSignal.LAPSE) != has_lapsed:
        return "lapsed" if has_lapsed else "too_early"
    return next((name for name, forbids in _GUARDS.get(signal, ()) if forbids(case, at, actor)), "")


def _is_early(case: Case, at: datetime, _actor: str) -> bool:
    return case.earliest_at is not None and at < case.earliest_at


def _is_stale(case: Case, at: datetime, _actor: str) -> bool:
    return case.noticed_at is not None and at >= case.noticed_at + NOTICE_LASTS


def _is_own(case: Case, _at: datetime, actor: str) -> bool:
    by_policy = bool(case.policy) and actor == DAEMON
    return actor == case.opened_by and not by_policy


def _noticed_often(case: Case, _at: datetime, _actor: str) -> bool:
    return case.notices >= NOTICES_MAX


_GUARDS: Final[Mapping[CaseSignal, tuple[tuple[str, Callable[[Case, datetime, str], bool]], ...]]] = {
    CaseSignal.NOTICE: (("noticed_often", _noticed_often),),
    CaseSignal.SUBMIT: (("too_early", _is_early), ("notice_too_old", _is_stale)),
    CaseSignal.APPROVE: (("own_case", _is_own), ("notice_too_old", _is_stale)),
    CaseSignal.REJECT: (("own_case", _is_own),),
    CaseSignal.ANNOUNCE: (("notice_too_old", _is_stale),),
    CaseSignal.ORDER: (("too_early", _is_early), ("notice_too_old", _is_stale)),
}
"""By signal, what forbids it; cancelling has no guard."""


def _notice(case: Case, act: Act) -> dict[str, Any]:
    delivered_at, earliest_at = time_in(act.body["delivered_at"]), time_in(act.body["earliest_at"])
    return {"notices": case.notices + 1, "noticed_at": delivered_at, "earliest_at": earliest_at}


def _approve(_case: Case, act: Act) -> dict[str, Any]:
    return {"approved_by": act.actor, "approved_at": act.at}


def _announce(_case: Case, act: Act) -> dict[str, Any]:
    return {
        "announced_at": time_in(act.body["sent_at"]),
        "earliest_at": time_in(act.body["earliest_at"]),
    }


def _order(_case: Case, act: Act) -> dict[str, Any]:
    return {"order": str(act.body["order"])}


def _lapse(case: Case, _act: Act) -> dict[str, Any]:
    return {"approved_by": "", "approved_at": None} if case.state is CaseState.APPROVED else {}


_EFFECTS: Final[Mapping[CaseSignal, Callable[[Case, Act], dict[str, Any]]]] = {
    CaseSignal.NOTICE: _notice,
    CaseSignal.APPROVE: _approve,
    CaseSignal.ANNOUNCE: _announce,
    CaseSignal.ORDER: _order,
    CaseSignal.LAPSE: _lapse,
}
"""What a step changes beside the state."""
