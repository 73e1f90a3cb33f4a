"""What people, evidence, policies and time do to disconnect cases.

A case is begun by a clerk with a reason, or by a policy of two persons when a balance statement says that
what was agreed is used up (ARR-04). From then on evidence moves it: each time something is told of its meter,
and whenever a time of it has come, it is looked at anew (``case_steps.advise``) and taken as far as it goes.
A payment, a dispute or a protection ends it in every state. Its last step and the order that it leads to are
one transaction, and the order's id follows from the case's, so there is never a second one.

Everything is done by one at a time. What is looked at is the log alone, so a restart changes nothing.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import structlog

from meterlink.clock import Clock
from meterlink.errors import BadRequest, EvidenceRefused, NotAllowed, OrderClash, StepTaken, Unknown
from meterlink.model.act import Act
from meterlink.model.order import ORDER_ID, REASON_MAX, Order
from meterlink.orders.access import Accesses, no_role
from meterlink.orders.attention.alarms import Alarms
from meterlink.orders.attention.work import opening
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book
from meterlink.orders.cases.book import CaseBook
from meterlink.orders.cases.machine import Case, CaseSignal, CaseState
from meterlink.orders.cases.stale import StaleBalances
from meterlink.orders.cases.steps import (
    LOOKS,
    PROPOSED,
    Advice,
    advise,
    approval_facts,
    arrears,
    order_of,
    proposed_id_of,
    tentative,
    unreached,
    verdicts_of,
)
from meterlink.orders.evidence.records import BalanceStatement, Evidence, Policy, Protection
from meterlink.orders.judging.gathering import Gatherer
from meterlink.orders.judging.judge import Stopped, written
from meterlink.orders.people import DAEMON, THE_DAEMON, Actor, Deed, People
from meterlink.orders.rules import Facts, Stage, Steps, Verdict, hands, outcome
from meterlink.orders.rules.facts import holds
from meterlink.orders.rules.judge import judge
from meterlink.orders.service import OrderService
from meterlink.orders.waiting.seen import seen_closed
from meterlink.orders.waiting.wait import is_cut_off
from meterlink.roster.roster import RosterMeter

STEPS_MAX: Final = 16
"""Steps that a case takes at one look, at most; it has fewer."""

_log = structlog.get_logger(__name__)


class CaseService:
    """The disconnect cases of one gateway.

    Args:
        book: the cases.
        orders: creates what they end with.
        order_book: the same, to look at.
        rules: gathers the facts of a meter.
        people: who may be what.
        accesses: where a no is written down.
        alarms: where it is told that a balance is too old.
        clock: the time.

    """

    def __init__(
        self,
        book: CaseBook,
        orders: OrderService,
        order_book: Book,
        rules: Gatherer,
        *,
        people: People,
        accesses: Accesses,
        alarms: Alarms,
        clock: Clock,
    ) -> None:
        self.book = book
        self._orders = orders
        self._order_book = order_book
        self._rules = rules
        self._people = people
        self._accesses = accesses
        self._clock = clock
        self._desk = asyncio.Lock()
        self._stale = StaleBalances(alarms)

    async def create(self, actor: Actor, case_id: str, meter: str, reason: str) -> Case:
        """Begin a case; one of the same id, meter and reason is the same case.

        Raises:
            BadRequest: an id or a reason that is none.
            OrderClash: a case of that id is about something else.
            Unknown: no such meter.
            NotAllowed: that person begins none, or the meter has one.
            Stopped: a rule forbids it; there is no case.
            BusFull: too many are open.
            JournalError, EvidenceRefused: the facts cannot be read, or nothing was written.

        """
        if not ORDER_ID.fullmatch(case_id) or not 1 <= len(reason.strip()) <= len(reason) <= REASON_MAX:
            raise BadRequest(
                "a case has an id of 1 to 64 of A-Z a-z 0-9 . _ : - and a reason of 1 to "
                f"{REASON_MAX} characters"
            )
        await self._admit(actor, Deed.CREATE, case_id, meter)
        async with self._desk:
            if (known := await self._told_before(case_id, meter, reason)) is not None:
                return known
            entry = self._rules.roster.meter(meter)
            if entry is None:
                raise Unknown(f"there is no meter {meter!r}")
            seen = await self.book.acts.newest_number()
            facts = await self._facts(tentative(case_id, meter, reason, "", self._clock.utc_now()), entry)
            verdicts = verdicts_of(LOOKS[CaseSignal.OPEN], facts)
            if outcome(verdicts) is not None:
                await self._accesses.refused(actor, case_id, meter, "case.create", written(verdicts))
                raise Stopped(verdicts)
            await self._check_is_on(entry)
            body = {"reason": reason, **_begun(facts, verdicts, seen), **actor.noted}
            case = await self.book.begin(case_id, meter, actor=actor.name, body=body)
            return await self._review(case)

    async def approve(self, actor: Actor, case_id: str, comment: str = "") -> Case:
        """Agree to somebody else's case; every rule of approving is asked.

        Raises:
            Unknown, NotAllowed, Stopped, JournalError, EvidenceRefused: as of ``create``.

        """
        async with self._desk:
            case = await self._for(actor, Deed.APPROVE, case_id)
            self.book.next(case, CaseSignal.APPROVE, actor=actor.name)
            facts = await self._facts_of(case, actor)
            verdicts = judge(Stage.APPROVE, approval_facts(case, facts))
            if outcome(verdicts) is not None:
                await self._accesses.refused(actor, case_id, case.meter, "case.approve", written(verdicts))
                raise Stopped(verdicts)
            body = {"told": comment, "rules": written(verdicts), **actor.noted}
            case = await self.book.step(case, CaseSignal.APPROVE, actor=actor.name, body=body)
            return await self._review(case)

    async def reject(self, actor: Actor, case_id: str, reason: str) -> Case:
        """Say no to somebody else's case; it ends.

        Raises:
            Unknown, NotAllowed, JournalError, EvidenceRefused: as of ``create``.

        """
        return await self._ended(actor, Deed.APPROVE, case_id, CaseSignal.REJECT, reason)

    async def cancel(self, actor: Actor, case_id: str, reason: str) -> Case:
        """Withdraw a case.

        Raises:
            Unknown, NotAllowed, JournalError, EvidenceRefused: as of ``create``.

        """
        return await self._ended(actor, Deed.CANCEL, case_id, CaseSignal.CANCEL, reason)

    async def waits_for(self, case_id: str) -> Sequence[Verdict]:
        """What keeps a case from its next step, as far as rules do; empty: nothing, or it has ended.

        Raises:
            Unknown, JournalError, EvidenceRefused: as of ``create``.

        """
        case = await self.book.read(case_id)
        if not case.is_open or self._rules.roster.meter(case.meter) is None:
            return ()
        advice = advise(case, await self._facts_of(case, THE_DAEMON))
        return [one for one in advice.verdicts if not one.passed]

    async def withdrawn(self, case_id: str) -> str:
        """What was taken back of late of the evidence of an open case, for who approves; empty: nothing.

        Raises:
            Unknown, JournalError, EvidenceRefused: as of ``create``.

        """
        case = await self.book.read(case_id)
        if not case.is_open or self._rules.roster.meter(case.meter) is None:
            return ""
        return hands.named(hands.lately_withdrawn(await self._facts_of(case, THE_DAEMON)))

    async def told(self, record: Evidence) -> list[str]:
        """Do what a record leads to that was just kept; the ids of the cases that it touched or made.

        When this returns, nothing that was looked at before the record can still become an order.

        Args:
            record: with the meter that it was kept for.

        Raises:
            JournalError, BusFull: not all of it was done; telling it again goes on.

        """
        async with self._desk:
            touched = [name for meter in self._concerned(record) for name in await self._told_of(meter)]
            if self.book.open_of(record.meter) is None and not touched:
                touched += await self._proposed_by(record)
            return touched

    def _concerned(self, record: Evidence) -> list[str]:
        """The meters of which a record tells: a protection is about every one of its customer."""
        meter = self._rules.roster.meter(record.meter)
        if not isinstance(record, Protection) or meter is None or not meter.customer_number:
            return [record.meter]
        others = self._rules.roster.of_customer(meter.customer_number)
        return list(dict.fromkeys([record.meter, *(other.id for other in others)]))

    async def _told_of(self, meter: str) -> list[str]:
        """Look at the open case of a meter; its id, if that took a step."""
        case = self.book.open_of(meter)
        if case is None:
            return []
        try:
            after = await self._review(case)
        except EvidenceRefused as error:  # another record of the meter cannot be read
            _log.error("case_rests", meter=meter, reason=str(error))
            return []
        return [case.id] if after.step != case.step else []

    async def _proposed_by(self, record: Evidence) -> list[str]:
        """The case that a policy begins because of a balance, if it does."""
        if not isinstance(record, BalanceStatement) or record.balance_cents >= 0:
            return []
        try:
            proposed = await self._propose(record.meter)
        except EvidenceRefused as error:
            _log.error("case_rests", meter=record.meter, reason=str(error))
            return []
        return [] if proposed is None else [proposed.id]

    async def propose(self, meter: str) -> Case | None:
        """Begin a case by policy where the newest statement of a meter calls for one. Source: ARR-04.

        Raises:
            BusFull, JournalError, EvidenceRefused: as of ``create``.

        """
        async with self._desk:
            return await self._propose(meter) if self.book.open_of(meter) is None else None

    def roster_says(self, case: Case) -> tuple[str, ...]:
        """What of the roster can end a case: whose meter it is, and why nobody may cut him off."""
        meter = self._rules.roster.meter(case.meter)
        return () if meter is None else (meter.customer_number, *self._rules.protected(meter))

    async def review(self, case_id: str) -> Case:
        """Take an open case as far as it goes.

        Raises:
            Unknown, BusFull, JournalError, EvidenceRefused: as of ``create``.

        """
        async with self._desk:
            return await self._review(await self.book.read(case_id))

    async def _review(self, case: Case) -> Case:
        for _ in range(STEPS_MAX):
            if not case.is_open:
                break
            if self._rules.roster.meter(case.meter) is None:
                told = f"meter {case.meter} is not in service here any more"
                return await self.book.step(case, CaseSignal.CANCEL, actor=DAEMON, body={"told": told})
            facts = await self._facts_of(case, THE_DAEMON)
            advice = advise(case, facts)
            if advice.signal is None:
                await self._stale.tell(case.meter, advice.verdicts, facts)
                break
            before = case
            case = await self._take(case, advice, facts)
            if case.step == before.step:
                break
        return case

    async def _take(self, case: Case, advice: Advice, facts: Facts) -> Case:
        """Take the step that is advised; the same case where it was not taken after all."""
        assert advice.signal is not None, "there is a step to take"
        body = {**advice.body, "rules": written(advice.verdicts)}
        try:
            if advice.signal is CaseSignal.ORDER:
                return await self._order(case, body, order_of(case, facts))
            beside = _work(case, advice, facts)
            return await self.book.step(case, advice.signal, actor=DAEMON, body=body, beside=beside)
        except (NotAllowed, StepTaken, Stopped) as error:
            _log.info("case_waits", case=case.id, step=advice.signal.value, reason=str(error))
            return await self.book.read(case.id)

    async def _order(self, case: Case, body: dict[str, Any], order: Order) -> Case:
        """End the case with its order, both or neither."""
        ending = self.book.next(case, CaseSignal.ORDER, actor=DAEMON, body=body)
        creator = THE_DAEMON if case.policy else self._people.actor(case.opened_by)
        approver = THE_DAEMON if case.policy else self._people.actor(case.approved_by)
        await self._orders.create_of_case(creator, approver, order, ending)
        return await self.book.read(case.id)

    async def _propose(self, name: str) -> Case | None:
        """See ``propose``; the desk is held."""
        meter = self._rules.roster.meter(name)
        if meter is None or not meter.agreement:
            return None
        policy = await self._policy_for(meter)
        if policy is None:
            return None
        now = self._clock.utc_now()
        seen = await self.book.acts.newest_number()
        facts = await self._facts(tentative("proposed", name, f"policy {policy}", policy, now), meter)
        newest = facts.told.newest(BalanceStatement)
        if newest is None or newest.balance_cents >= 0:
            return None
        case_id = proposed_id_of(name, newest.full_id)
        verdicts = verdicts_of(PROPOSED, facts)
        if outcome(verdicts) is not None:
            await self._stale.tell(name, verdicts, facts)
            return None
        if await self._is_there(case_id) or await self._is_cut_off(meter):
            return None
        reason = f"ARR-04: {newest.balance_cents} cents, statement {newest.full_id}, policy {policy}"
        body = {"reason": reason, "policy": policy, **_begun(facts, verdicts, seen)}
        return await self._review(await self.book.begin(case_id, name, actor=DAEMON, body=body))

    async def _policy_for(self, meter: RosterMeter) -> str | None:
        """The newest policy of two persons that is for the meter's area now."""
        now = self._clock.utc_now()
        for kept in reversed(await self._rules.book.policies()):
            one = kept.record
            if not isinstance(one, Policy) or meter.area not in one.areas:
                continue
            if one.at <= now and holds(one.until, now):
                return one.full_id
        return None

    async def _facts_of(self, case: Case, actor: Actor) -> Facts:
        """The facts of the order that a case would end with."""
        meter = self._rules.roster.meter(case.meter)
        if meter is None:
            raise Unknown(f"meter {case.meter} is not in service here any more")
        now = self._clock.utc_now()
        facts = await self._facts(tentative(case.id, case.meter, case.reason, case.policy, now), meter, actor)
        begun = Steps(created_by="" if case.policy else case.opened_by)
        return dataclasses.replace(facts, order=order_of(case, facts), steps=begun)

    async def _facts(self, order: Order, meter: RosterMeter, actor: Actor = THE_DAEMON) -> Facts:
        return await self._rules.facts(Stage.CREATE, order, None, actor, meter)

    async def _ended(self, actor: Actor, deed: Deed, case_id: str, signal: CaseSignal, reason: str) -> Case:
        async with self._desk:
            case = await self.book.read(case_id)
            await self._admit(actor, deed, case_id, case.meter)
            body = {"told": reason, **actor.noted}
            return await self.book.step(case, signal, actor=actor.name, body=body)

    async def _for(self, actor: Actor, deed: Deed, case_id: str) -> Case:
        """A case for somebody who may do that, after all that was told of it."""
        case = await self.book.read(case_id)
        await self._admit(actor, deed, case_id, case.meter)
        return await self._review(case)

    async def _told_before(self, case_id: str, meter: str, reason: str) -> Case | None:
        try:
            case = await self.book.read(case_id)
        except Unknown:
            return None
        if (case.meter, case.reason, case.policy) != (meter, reason, ""):
            raise OrderClash(f"case {case_id!r} is there already and is about something else")
        return case

    async def _is_there(self, case_id: str) -> bool:
        try:
            await self.book.read(case_id)
        except Unknown:
            return False
        return True

    async def _check_is_on(self, meter: RosterMeter) -> None:
        if await self._is_cut_off(meter):
            raise NotAllowed(f"meter {meter.id} was cut off already and not reconnected", why="cut_off")

    async def _is_cut_off(self, meter: RosterMeter) -> bool:
        """Whether somebody was cut off at a meter, or at one before it, and not reconnected since."""
        book, names = self._order_book, (*meter.predecessors, meter.id)
        return is_cut_off(
            await book.histories(meter.id, meter.predecessors), await seen_closed(book.acts, names)
        )

    async def _admit(self, actor: Actor, deed: Deed, case_id: str, meter: str) -> None:
        if not actor.may(deed):
            await self._accesses.refused(actor, case_id, meter, f"case.{deed.value}", ())
            raise no_role(actor.name, f"{deed.value} a case")


def _begun(facts: Facts, verdicts: Sequence[Verdict], seen: int) -> dict[str, Any]:
    """What the first act of a case says beside its reason; ``seen``: the log's end before the facts."""
    customer = facts.meter.customer_number
    return {"customer": customer, "seen": seen, **arrears(facts), "rules": written(verdicts)}


def _work(case: Case, advice: Advice, facts: Facts) -> list[Act]:
    """A customer whom no warning reaches is a matter for people. Source: CTRL-02."""
    is_left = advice.signal is CaseSignal.LAPSE and case.state is CaseState.DRAFT
    if not is_left or not unreached(facts):
        return []
    why = f"case {case.id} has lapsed: no warning is known to have come there"
    return [opening(WorkKind.CONTACT, why, at=facts.now, actor=DAEMON, meter=case.meter)]
