"""Walking a person at a meter through the probes, one request at a time.

Every request brings the walk as far as it goes without the person, and says what comes next. What is sent is
an order of origin ``probe``, created here and carried out by the line like every other: judged, its intent
committed, sent once, read back. The person's yes to it stands in the log before the order does. So a daemon
that dies in between loses nothing: the order is found under its id, and is never created a second time.

A stop ends the walk, and takes away what was proven of the model before. Who begins where an ended walk has
left the contact open is offered its closing first. Source: decision 33.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from meterlink.bus.line import Exchanging
from meterlink.clock import Clock
from meterlink.drivers.control import Standing
from meterlink.errors import BadAnswer, BadRequest, NotAllowed, Refused, ReplyTimeout, Unknown
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act
from meterlink.model.order import OrderState
from meterlink.orders.access import no_role
from meterlink.orders.book import Book
from meterlink.orders.dispatch.reach import Reach
from meterlink.orders.judging.judge import Judge, Stopped
from meterlink.orders.people import Actor, Deed
from meterlink.orders.qualification.facts import Qualification
from meterlink.orders.qualification.judges import greeting, left_open
from meterlink.orders.qualification.looks import Found, Words
from meterlink.orders.qualification.probes import next_probe
from meterlink.orders.qualification.walk import (
    CLOSED,
    Walk,
    beginning,
    found_out,
    order_of,
    probe_named,
)
from meterlink.orders.qualifying.greeted import greeted
from meterlink.orders.qualifying.probe_orders import ProbeOrders
from meterlink.orders.qualifying.qualified import Qualifications
from meterlink.orders.qualifying.standpoint import Standpoint
from meterlink.orders.qualifying.walks import Walks, rests
from meterlink.roster.roster import Roster, RosterMeter

GREETING: Final = "greeting"
"""Name of the looks before anything is sent."""
PRESS: Final = Words(
    en="press the key of the meter for 3 seconds, and go on when the load is back",
    zh="请按住电表按键3秒,负荷恢复后继续",
)
UNDECIDED_FOR: Final = timedelta(minutes=20)
"""So long the order of a probe may stay undecided after its looks have shown what they could."""
UNDECIDED: Final = Words(
    en="what the meter shows does not tell what became of the order: this model cannot be read",
    zh="电表显示的内容无法判明命令结果:无法识别该型号",
)
STILL_OPEN: Final = Words(
    en="the contact is open still: close it by hand",
    zh="开关仍断开:请手动合闸",
)
LATE: Final = Words(
    en="the meter does not answer within the time of its line: a late answer would be taken for another's",
    zh="电表未在规定时间内应答:迟到的应答可能被误认",
)

AtMeter = Callable[[str], AbstractAsyncContextManager[tuple[Exchanging, Reach]]]
"""Has the line of a meter for oneself; its id."""


class Qualifier:
    """The walks of one gateway.

    Args:
        acts: the log.
        book: the orders.
        judge: the rules.
        models: what is proven.
        roster: the meters.
        at_meter: has a meter's line.
        clock: the time.

    """

    def __init__(
        self,
        acts: ActLog,
        book: Book,
        judge: Judge,
        models: Qualifications,
        *,
        roster: Roster,
        at_meter: AtMeter,
        clock: Clock,
    ) -> None:
        self._acts = acts
        self._orders = ProbeOrders(book, judge, clock)
        self._models = models
        self._roster = roster
        self._at_meter = at_meter
        self._timeline = book.timeline
        self._walks = Walks(acts, book.timeline)
        self._desk = asyncio.Lock()

    # --- what can be asked ---

    async def begin(self, actor: Actor, meter_id: str, work_order: str) -> Standpoint:
        """Begin at a meter, or take up what the same person has begun there, or one who has gone.

        Where a walk that has ended left the contact open, what begins is its closing.

        Raises:
            NotAllowed: that person may not, another one is at it, or the model cannot be qualified.
            Unknown: no such meter.
            JournalError: the log cannot be read or written.

        """
        async with self._desk:
            _admit(actor)
            meter = self._roster.meter(meter_id)
            if meter is None:
                raise Unknown(f"there is no meter {meter_id!r}")
            for walk in await self._walks.all_open():
                if walk.meter == meter_id:
                    self._check_same(walk, actor)
                    return Standpoint(walk=walk)
            ended, closes = await self._walks.left_open(meter_id)
            work_order = work_order or (ended.work_order if ended and closes else "")
            _check(meter, work_order)
            at = self._timeline.stamp()
            act = beginning(meter_id, by=actor.name, work_order=work_order, at=at, closes=closes)
            await self._acts.append(replace(act, body={**act.body, **actor.noted}))
            return Standpoint(walk=Walk.of([act]))

    async def step(self, actor: Actor, walk_id: str, confirmed: str, wait_s: float) -> Standpoint:
        """Go on as far as it goes.

        Args:
            actor: who stands at the meter.
            walk_id: of the walk.
            confirmed: the name of the probe that may go now; empty: none.
            wait_s: longest wait for an order.

        Raises:
            NotAllowed, Stopped: that person may not, or a rule stops the order.
            BadRequest: another probe is next.
            Unknown: no such walk.
            LineError, BusFull: the line is not to be had.
            JournalError: the log cannot be read or written.

        """
        async with self._desk:
            _admit(actor)
            walk = await self._walks.read(walk_id)
            if not walk.is_open:
                return Standpoint(walk=walk)
            self._check_same(walk, actor)
            walk = replace(walk, by=actor.name, noted=actor.noted)
            meter = self._meter(walk)
            self._models.try_out(meter.id, walk.facts)
            if GREETING not in walk.done:
                return await self._greet(walk, meter)
            if walk.asked is not None:
                return await self._finish(walk, meter, wait_s)
            return await self._go_on(walk, meter, confirmed, wait_s)

    async def leave(self, actor: Actor, meter_id: str) -> Standpoint:
        """End the walk at a meter before its end; nothing is proven by it.

        Raises:
            NotAllowed: that person may not.
            Unknown: nobody is at that meter.
            JournalError: the log cannot be read or written.

        """
        async with self._desk:
            _admit(actor)
            for walk in await self._walks.all_open():
                if walk.meter == meter_id:
                    left = replace(walk, by=actor.name, noted=actor.noted)
                    return Standpoint(walk=await self._end(left, "left"))
            raise Unknown(f"no qualification goes on at meter {meter_id!r}")

    def listed(self) -> list[dict[str, Any]]:
        """What is proven of every model."""
        return [one.document for one in self._models]

    # --- one phase after the other ---

    async def _greet(self, walk: Walk, meter: RosterMeter) -> Standpoint:
        basic_a = Decimal(meter.profile.meter.basic_current_a)
        try:
            seen = await greeted(self._at_meter, meter)
            judged = left_open if walk.closes else greeting
            found, firmware = judged(seen, basic_a), seen.firmware
        except ReplyTimeout:
            found, firmware = Found(facts={"answers_late": "yes"}, stop=LATE, is_contradiction=False), ""
        except (BadAnswer, Refused) as error:
            stop = Words(en=str(error), zh=f"电表应答有误:{error}")
            found, firmware = Found(stop=stop, is_contradiction=False), ""
        if found.again is not None:
            return Standpoint(walk=walk, todo=found.again)
        return await self._found(walk, "greet", GREETING, _checked(found, meter), firmware=firmware)

    async def _go_on(self, walk: Walk, meter: RosterMeter, confirmed: str, wait_s: float) -> Standpoint:
        """Between two probes: wait for the end of the last order, then look which is next."""
        if (life := await self._orders.held_up(meter, wait_s)) is not None:
            if life.state is OrderState.WAITING_FOR_KEY:
                return Standpoint(walk=walk, todo=PRESS, waits=True)
            if self._timeline.now() - self._timeline.lived(life.created_at) < UNDECIDED_FOR:
                return Standpoint(walk=walk, waits=True)
            return await self._found(walk, "find", walk.done[-1], Found(stop=UNDECIDED))
        async with self._at_meter(meter.id) as (held, reach):
            facts = await reach.facts(walk.firmware)
            standing = await reach.driver.standing(held, meter.address, facts.known)
        probe = next_probe(walk.probes, walk.done, walk.facts, standing, meter.protocol)
        if probe is None:
            return await self._over(walk, meter, standing)
        if not confirmed:
            return Standpoint(walk=walk, next=probe)
        if confirmed != probe.name:
            raise BadRequest(f"the next probe is {probe.name!r}, not {confirmed!r}: look again")
        asked = {"probe": probe.name, "order": order_of(walk, probe)}
        walk = await self._walks.told(walk, "ask", asked)
        return await self._finish(walk, meter, wait_s)

    async def _finish(self, walk: Walk, meter: RosterMeter, wait_s: float) -> Standpoint:
        """See the probe in hand to its end, as far as one request may wait."""
        assert walk.asked is not None, "a probe is in hand"
        probe = probe_named(walk.asked.probe)
        try:
            await self._orders.create(walk, probe, walk.asked.order)
        except Stopped as stopped:
            stop = Words(en=f"a rule stops it: {stopped}", zh=f"规则不允许:{stopped.zh}")
            found = Found(stop=stop, is_contradiction=False)
            return await self._found(walk, "find", probe.name, found)
        try:
            async with asyncio.timeout(wait_s):
                while True:
                    news = self._orders.news
                    if (shown := await self._orders.shown(walk, meter, probe)) is not None:
                        break
                    await news.wait()
        except TimeoutError:
            return Standpoint(walk=walk, waits=True)
        return await self._found(walk, "find", probe.name, _checked(probe.judge(shown), meter))

    async def _found(self, walk: Walk, verb: str, probe: str, found: Found, **more: Any) -> Standpoint:
        """Write down what a probe found; a stop ends the walk, and may take the model away."""
        now = self._timeline.stamp()
        act = walk.next(verb, at=now, body=found_out(found, probe, **more))
        after = walk.then(act)
        if found.stop is None:
            await self._acts.append(act)
            self._models.try_out(walk.meter, after.facts)
            return Standpoint(walk=after)
        end = after.next("end", at=now, body={"result": "stopped"}, is_open=False)
        fallen: Sequence[Act] = ()
        if found.is_contradiction:
            fallen = await self._models.falling(self._meter(walk), f"stopped:{probe}", walk.id, now)
        await self._acts.append(act, end, *fallen)
        self._models.kept(fallen)
        self._models.try_out(walk.meter, None)
        return Standpoint(walk=after.then(end))

    async def _over(self, walk: Walk, meter: RosterMeter, standing: Standing) -> Standpoint:
        """Nothing is left to be sent."""
        if not walk.closes:
            return Standpoint(walk=await self._qualified(walk, meter))
        if standing.contact_open is False:
            return Standpoint(walk=await self._end(walk, CLOSED))
        return await self._found(walk, "find", walk.done[-1], Found(stop=STILL_OPEN, is_contradiction=False))

    async def _qualified(self, walk: Walk, meter: RosterMeter) -> Walk:
        """Sign what was found."""
        qualification = Qualification(
            protocol=meter.protocol,
            model=meter.model,
            firmware=walk.firmware,
            facts=walk.facts,
            by=walk.by,
            at=self._timeline.stamp(),
            meter=meter.id,
            session=walk.id,
        )
        return await self._end(walk, "qualified", [await self._models.signed(qualification)])

    # --- the log ---

    async def _end(self, walk: Walk, result: str, beside: Sequence[Act] = ()) -> Walk:
        """Write the end down, with what it brings."""
        now = self._timeline.stamp()
        act = walk.next("end", at=now, body={"result": result}, is_open=False)
        await self._acts.append(act, *beside)
        self._models.kept(beside)
        self._models.try_out(walk.meter, None)
        return await self._walks.read(walk.id)

    def _check_same(self, walk: Walk, actor: Actor) -> None:
        """One person does all of it; when that one has gone, another closes what is open."""
        if walk.by != actor.name and not rests(walk, self._timeline):
            raise NotAllowed(f"{walk.by} is at this meter: one person does all of it", why="person")

    def _meter(self, walk: Walk) -> RosterMeter:
        meter = self._roster.meter(walk.meter)
        if meter is None:
            raise Unknown(f"there is no meter {walk.meter!r} any more")
        return meter


def _admit(actor: Actor) -> None:
    if not actor.may(Deed.QUALIFY):
        raise no_role(actor.name, Deed.QUALIFY.value)


def _check(meter: RosterMeter, work_order: str) -> None:
    """Refuse what could not be qualified anyway, before anybody goes there."""
    if not meter.model:
        raise NotAllowed(f"the configuration names no model of meter {meter.id}: name it", why="model")
    if meter.profile.meter.relay == "none":
        raise NotAllowed(f"the model {meter.model} has no relay: there is nothing to qualify", why="relay")
    if not meter.is_lab and not work_order:
        raise NotAllowed(
            f"meter {meter.id} is a customer's: name the record probe_order that allows it (--work-order)",
            why="work_order",
        )


def _checked(found: Found, meter: RosterMeter) -> Found:
    """A fact that the profile has otherwise is a contradiction."""
    told = dict(meter.profile.control.known)
    for key, value in found.facts.items():
        if found.stop is None and told.get(key, value) != value:
            words = Words(
                en=f"the profile says {key}: {told[key]}, and the meter shows {value}",
                zh=f"档案{key}为{told[key]},电表实际为{value}",
            )
            return Found(facts=found.facts, stop=words)
    return found
