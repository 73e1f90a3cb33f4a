"""One try to send an order: the rules, the line, the meter's own word, the intent on disk, the octets.

The order of things is the safety of them. Rules of paper come before the line is asked for. Everything that
can change while an order waits is looked at again when the line is ours. The intent is committed before an
octet leaves, and the last thing before that is the clock. What comes back is written down as what it is:
*received*, *no*, or *nobody knows*; what the meter did is for ``reading_back`` to find out.

Whoever ends the order meanwhile (a person, a payment) is first: his step is in the log, ours is refused, and
nothing is sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.control import Command, ControlAnswer, Prepared, Verdict
from meterlink.drivers.proving import Plain, Security
from meterlink.errors import JournalError, NotAllowed, Overtaken, SecurityFailed
from meterlink.journal.sent_mark import SentMark
from meterlink.model.act import Basis, Topic
from meterlink.model.order import OrderKind, OrderState
from meterlink.model.payload import time_out
from meterlink.orders.book import Book
from meterlink.orders.dispatch.due import time_left
from meterlink.orders.dispatch.looking import UNSEEN, before_of, look_before
from meterlink.orders.dispatch.mac_guard import MacGuard
from meterlink.orders.dispatch.reach import Holding, Reach
from meterlink.orders.dispatch.reading_back import Reader
from meterlink.orders.judging.judge import Holder, Judge, basis_of, written
from meterlink.orders.life.expiry import FRAME_LIFE_MIN, Expiry, expiry
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.proof import signal_of
from meterlink.orders.life.transmission import Transmission
from meterlink.orders.life.written import answer_out
from meterlink.orders.people import DAEMON, THE_DAEMON
from meterlink.orders.qualification.walk import is_stale_probe
from meterlink.orders.rules import Live, OnStop, Stage, outcome
from meterlink.orders.rules import Verdict as Judged
from meterlink.security.later import may_come_later

STALE_BY: Final = timedelta(minutes=10)
"""How long the expiry of a probe is over that finds out whether the meter looks at it. Source: fact 10."""
JUDGED_MAX: Final = 5
"""How often the rules are asked behind the proof, while others write what they look at."""
_log = structlog.get_logger(__name__)


class Sender:
    """Takes orders to their meters.

    Args:
        book: the orders.
        judge: the rules.
        holder: keeps orders back.
        reader: reads back what was sent.
        macs: knows which meters met a wrong MAC.
        mark: names an act that the log must have, beside it.
        clock: the time.

    """

    def __init__(
        self,
        book: Book,
        judge: Judge,
        holder: Holder,
        *,
        reader: Reader,
        macs: MacGuard,
        mark: SentMark,
        clock: Clock,
    ) -> None:
        self._book = book
        self._judge = judge
        self._holder = holder
        self._reader = reader
        self._macs = macs
        self._mark = mark
        self._clock = clock
        self._timeline = book.timeline

    async def attempt(self, line: Holding, reach: Reach, life: Life) -> Life:
        """Try once to send an order, and look at once what became of it.

        Args:
            line: of the meter.
            reach: how the meter is reached.
            life: QUEUED, PRECHECK, or allowed to be repeated.

        Returns:
            how it stands now.

        Raises:
            StepTaken: somebody else took a step of it; look again.
            JournalError: the log cannot be written or read; nothing was sent.

        """
        try:
            if life.state is OrderState.QUEUED:
                life = await self._book.step(life, Signal.TAKE, actor=DAEMON)
            paper = await self._judge.judge(Stage.PAPER, life.order, life, THE_DAEMON)
            if (stop := outcome(paper)) is not None:
                return await self._stopped(life, stop, paper)
            async with line.hold(priority=Priority.CONTROL) as held:
                return await self._with_line(held, reach, life)
        except NotAllowed as error:
            return await self._not_allowed(life, error)
        except UNSEEN as error:
            return await self._put_off(life, f"{reach.meter.line}: {error}", ())

    async def _with_line(self, held: Exchanging, reach: Reach, life: Life) -> Life:
        try:
            await self._macs.check(life.order.meter)
            security = reach.security()
            ahead = self._timeline.ahead
            proving = partial(self._macs.proving, life.order.meter, security, by=life.order.id)
            async with proving():
                live = await look_before(held, reach, life.order.kind, security)
            live = replace(live, provider=await _name_of(security))
            verdicts = await self._judge.judge(Stage.LIVE, life.order, life, THE_DAEMON, live)
            if (stop := outcome(verdicts)) is not None:
                return await self._stopped(life, stop, verdicts)
            if self._timeline.is_set_since(ahead):  # what the meter's clock was compared with is gone
                return await self._put_off(life, "our clock was set", ())
            now = self._clock.utc_now()
            deadline_at = now + time_left(life, self._timeline)
            allowed_until = min((one.until for one in verdicts if one.until), default=deadline_at)
            until = expiry(min(deadline_at, allowed_until), now, live.clock)
            if until is None:
                return await self._no_time(life, allowed_until, deadline_at)
            if is_stale_probe(life.order):
                until = until._replace(at=until.at - until.valid_for - STALE_BY)
            command = command_of(life, reach, live, until)
            async with proving():
                prepared = await reach.driver.prepare(held, reach.meter.address, command, security)
        except SecurityFailed as error:
            return await self._unproved(life, error)
        async with _finishing(held, reach, prepared):
            # Proofs take seconds, in which somebody may have stopped, disputed or protected.
            after = await self._judged_again(reach, life, live, command, prepared)
            if after.state is not OrderState.SENDING:
                return after
            after = await self._let_go(held, reach, after, command, prepared)
            return await self._reader.look(held, reach, after, is_identified=True)

    async def _judged_again(
        self, reach: Reach, life: Life, live: Live, command: Command, prepared: Prepared
    ) -> Life:
        """Judge and commit the intent; only a verdict on all that the log holds then lets octets leave.

        The latch of the meter is an act as well, so who shuts it behind the check overtakes the intent.
        """
        for _ in range(JUDGED_MAX):
            basis = basis_of(life.order, await self._book.acts.newest_number())
            verdicts = await self._judge.judge(Stage.LIVE, life.order, life, THE_DAEMON, live)
            if (stop := outcome(verdicts)) is not None:
                return await self._stopped(life, stop, verdicts)
            try:
                await self._macs.check(life.order.meter)
            except SecurityFailed as error:
                return await self._unproved(life, error)
            with suppress(Overtaken):
                return await self._intend(reach, life, live, command, prepared, verdicts, basis)
        return await self._put_off(life, "what the rules look at did not come to rest", ())

    async def _intend(
        self,
        reach: Reach,
        life: Life,
        live: Live,
        command: Command,
        prepared: Prepared,
        verdicts: Sequence[Judged],
        basis: Basis,
    ) -> Life:
        """Commit that octets may leave from now on."""
        sent = Transmission(
            before=before_of(live, life.order.kind),
            frame_hash=prepared.frame_hash,
            operator_code=command.operator_code,
            expires_at=command.expires_at,
            line_stores=not reach.meter.line_is_ours,
            purchase_count=command.purchase_count,
            meter_number=live.identity.meter_number,
            opens_within=live.opening.within,
            contact_open=live.standing.contact_open if life.order.kind is OrderKind.TOP_UP else None,
            facts=live.facts,
        )
        body = {"sent": sent.body, "rules": written(verdicts)}
        return await self._book.step(life, Signal.INTEND, actor=DAEMON, body=body, basis=basis)

    async def _let_go(
        self, held: Exchanging, reach: Reach, life: Life, command: Command, prepared: Prepared
    ) -> Life:
        """Let the octets leave, if there still is time, and write down what came back."""
        if untold := await self._untold(life):
            answer = ControlAnswer(verdict=Verdict.UNSENT, told=untold)
        elif time_left(life, self._timeline) < FRAME_LIFE_MIN:
            answer = ControlAnswer(verdict=Verdict.UNSENT, told="the deadline came while the log was written")
        else:
            answer = await reach.driver.send(held, prepared)
        signal = signal_of(life.order.kind, answer)
        return await self._book.insist(life, signal, actor=DAEMON, body={"answer": answer_out(answer)})

    async def _untold(self, life: Life) -> str:
        """Set the mark to the intent; why nothing may leave, if that cannot be done."""
        kept = await self._book.acts.last_of(Topic.ORDER, life.order.id)
        assert kept is not None, "its intent has just been committed"
        try:
            await self._mark.set(kept)
        except JournalError as error:
            _log.error("mark_not_set", order=life.order.id, reason=str(error))
            return "it could not be kept that a frame leaves"
        return ""

    async def _stopped(self, life: Life, stop: OnStop, verdicts: Sequence[Judged]) -> Life:
        """What a rule's no makes of an order that has not been sent."""
        if stop is OnStop.HOLD:
            await self._holder.hold(life, THE_DAEMON, verdicts)
        if stop is OnStop.WAIT:
            return life  # it rests, and is judged again
        if stop in (OnStop.POSTPONE, OnStop.HOLD):
            return await self._put_off(life, "", verdicts)
        body = {"rules": written(verdicts), "stop": stop.name.lower()}
        signal = Signal.REFUSE if life.is_before_sending else Signal.LEAVE
        return await self._book.step(life, signal, actor=DAEMON, body=body)

    async def _put_off(self, life: Life, why: str, verdicts: Sequence[Judged]) -> Life:
        """Try again later; what was put off too often is refused. A repeat simply waits."""
        life = await self._book.read(life.order.id)
        if not life.is_before_sending:
            return life
        body = {"rules": written(verdicts), "told": why}
        try:
            return await self._book.step(life, Signal.POSTPONE, actor=DAEMON, body=body)
        except NotAllowed:
            return await self._book.step(life, Signal.REFUSE, actor=DAEMON, body={**body, "stop": "field"})

    async def _unproved(self, life: Life, error: SecurityFailed) -> Life:
        """There is no proof, and no octet of a control has left: what says "later" is tried again, no else.

        Each try begins anew, with an authentication of its own.
        """
        if may_come_later(error):
            return await self._put_off(life, str(error), ())
        signal = Signal.REFUSE if life.is_before_sending else Signal.LEAVE
        body = {"told": str(error), "code": error.code, "stop": "refuse"}
        return await self._book.step(life, signal, actor=DAEMON, body=body)

    async def _no_time(self, life: Life, allowed_until: datetime, deadline_at: datetime) -> Life:
        """Too little is left to send: until the deadline, or of the time in which the rules let it go."""
        if allowed_until < deadline_at:
            return await self._put_off(life, f"the rules let it go until {time_out(allowed_until)}", ())
        return await self._expire(life)

    async def _expire(self, life: Life) -> Life:
        signal = Signal.EXPIRE if life.is_before_sending else Signal.LEAVE
        return await self._book.step(life, signal, actor=DAEMON, body={"told": "no time is left"})

    async def _not_allowed(self, life: Life, error: NotAllowed) -> Life:
        """The machine has the last word: the deadline has passed, or nothing may be sent a second time."""
        life = await self._book.read(life.order.id)
        if not life.is_open or error.why == "state":
            return life  # somebody else has ended it, or brought it on
        if error.why == "deadline":
            return await self._expire(life)
        signal = Signal.REFUSE if life.is_before_sending else Signal.LEAVE
        body = {"told": str(error), "why": error.why, "stop": "refuse"}
        return await self._book.step(life, signal, actor=DAEMON, body=body)


def command_of(life: Life, reach: Reach, live: Live, until: Expiry) -> Command:
    """The control as it will stand in the frame; a repeated top-up bears the count of the first."""
    kind = life.order.kind
    count = None
    if kind is OrderKind.TOP_UP:
        assert live.purse is not None, "a top-up looks at the purse"
        first = life.sent.purchase_count if life.sent else None
        count = live.purse.purchase_count + 1 if first is None else first
    return Command(
        kind=kind,
        expires_at=until.at,
        valid_for=until.valid_for,
        operator_code=reach.operator_code,
        meter_number=live.identity.meter_number,
        amount_cents=life.order.amount_cents,
        purchase_count=count,
        customer_number=reach.meter.customer_number if kind is OrderKind.TOP_UP else "",
    )


async def _name_of(security: Security) -> str:
    return "password" if isinstance(security, Plain) else await security.name()


@asynccontextmanager
async def _finishing(held: Exchanging, reach: Reach, prepared: Prepared) -> AsyncIterator[None]:
    """End the authentication, unless we are being stopped: then it ends by itself."""
    try:
        yield
    except Exception:
        await reach.driver.finish(held, prepared)
        raise
    await reach.driver.finish(held, prepared)
