"""Who owes nothing any more and is still in the dark: alarms when a command, or the current, comes too late.

The clocks run from the record that cleared the debt: five minutes to the first command, thirty until somebody
goes there, a day to current. They run until current is seen (``waiting``), whatever orders and work items
have ended meanwhile, and as well while a trip that was sent before is still read back: nothing can be sent
then, and just that must be known. They count lived time (``Timeline``), are looked at once a minute, and
raise an alarm once for a wait. Whoever waits without a reconnection gets one. Who must not be cut off at all
is told of at once (``told_of_spared``).

Every meter is looked at after the start, and then those of which the log tells something new: once a minute,
and at once where an order ends at the meter of somebody who waits, or a protection is told. An alarm that
was for want of money ends by the same look, once for each record that ends the want (``unowed``).

Source: CTRL-16, CTRL-17, business-rules 2.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Final

import structlog

from meterlink.errors import MeterlinkError
from meterlink.model.act import Act, Topic
from meterlink.model.order import OrderKind, OrderState, Origin
from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.orders.attention.looking_after import looking_after
from meterlink.orders.attention.words import as_words
from meterlink.orders.attention.work import WorkItems, item_id
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book
from meterlink.orders.life.life import Life
from meterlink.orders.paid.aftermath import RECONNECTED_WITHIN
from meterlink.orders.paid.sent_there import sent_there
from meterlink.orders.paid.standing import waits_for_key
from meterlink.orders.paid.told_of_money import going_there
from meterlink.orders.people import DAEMON
from meterlink.orders.rules.closing import late
from meterlink.orders.waiting.spared import SPARED_MAX, Sparing
from meterlink.orders.waiting.wait import BRINGS_CURRENT, Wait, who_waits
from meterlink.roster.roster import Roster, RosterMeter

EVERY_S: Final = 60.0
"""Between two looks."""
_TELLING: Final = frozenset({Topic.ORDER, Topic.EVIDENCE, Topic.SUPPLY})
"""What may change who waits; the roster itself is looked at for meters that have become others."""

_log = structlog.get_logger(__name__)


class Lateness:
    """Looks after those who wait for current.

    Args:
        book: the orders.
        alarms: where it is told.
        work: sends somebody there.
        roster: the meters.
        reconnect: opens the reconnection of somebody who waits, if none was opened and one may be.
        quiet: ends the alarm at a meter of which something was told, if nothing is owed there any more; says
            whether that needs no further look.
        sparing: finds who was cut off and must not be.
        tell: tells people of them.
        zone: of the plant, for the times in what is told.

    """

    def __init__(
        self,
        book: Book,
        alarms: Alarms,
        work: WorkItems,
        roster: Roster,
        reconnect: Callable[[Wait], Awaitable[None]],
        quiet: Callable[[RosterMeter], Awaitable[bool]],
        *,
        sparing: Sparing,
        tell: Callable[[Wait], Awaitable[None]],
        zone: timezone,
    ) -> None:
        self._book = book
        self._alarms = alarms
        self._work = work
        self._roster = roster
        self._reconnect = reconnect
        self._quiet = quiet
        self._sparing = sparing
        self._tell = tell
        self._zone = zone
        self._sooner = asyncio.Event()
        self._timeline = book.timeline
        self._read_to: int | None = None
        self._followed = -1
        self._unread: set[str] = set()
        self._meters: dict[str, RosterMeter] = {}
        self._waits: dict[str, Wait] = {}
        self._told: dict[tuple[str, str], set[str]] = {}

    def waiting(self) -> Collection[str]:
        """Our ids of the meters at which somebody waits, as of the last look."""
        return frozenset(self._waits)

    def waits(self) -> Collection[Wait]:
        """Those who wait, as of the last look."""
        return tuple(self._waits.values())

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        await looking_after(self.look, every_s=EVERY_S, trouble="lateness_unknown", sooner=self._sooner)

    def hurry(self) -> None:
        """Have the next look now: somebody may be in the dark who must not be."""
        self._sooner.set()

    async def beside(self, before: Life, after: Life, act: Act) -> Sequence[Act]:
        """See ``Companion.beside``: nothing."""
        return ()

    def kept(self, acts: Iterable[Act]) -> None:
        """See ``Companion.kept``: what somebody waits for may be possible once an order there has ended."""
        if any(act.topic is Topic.ORDER and not act.is_open and act.meter in self._waits for act in acts):
            self.hurry()

    async def look(self) -> None:
        """Raise the alarms that are due, and open what is missing.

        Raises:
            JournalError: the log cannot be read.

        """
        await self._follow()
        for meter in sorted(self._unread):
            await self._each(meter, self._read)
        for meter in list(self._waits):
            await self._each(meter, self._judge)
        waiting = {(wait.meter, wait.cause) for wait in self._waits.values()}
        self._told = {key: told for key, told in self._told.items() if key in waiting}

    async def _each(self, meter: str, look: Callable[[str], Awaitable[None]]) -> None:
        """One meter of which the log cannot be read, or that has no room, is not its neighbours' matter."""
        try:
            await look(meter)
        except MeterlinkError as error:
            _log.error("lateness_unknown", meter=meter, reason=str(error))

    async def _follow(self) -> None:
        """Find the meters of which something was told since the last look, or that are new or others."""
        meters = {meter.id: meter for meter in self._roster}
        names = meters.keys() | self._meters.keys()
        changed = [name for name in names if meters.get(name) != self._meters.get(name)]
        both = [known.get(name) for name in changed for known in (self._meters, meters)]
        others = [meter for meter in both if meter is not None]
        self._unread.update(
            name for meter in others for name in self._with_others(meter.customer_number, meter.id)
        )
        self._meters = meters
        if self._read_to is None:
            self._read_to = await self._book.acts.newest_number()
        begun = self._book.acts.growth.begun
        if begun == self._followed:
            return
        while page := await self._book.acts.after(self._read_to):
            for act in (kept.act for kept in page if kept.act.topic in _TELLING):
                customer = act.body.get("customer", "") if act.topic is Topic.EVIDENCE else ""
                gone = act.meter and act.meter not in meters
                heir = self._roster.heir_of(act.meter) if gone else None
                self._unread |= self._with_others(str(customer), heir.id if heir else act.meter)
            self._read_to = page[-1].number
        self._followed = begun

    def _with_others(self, customer: str, meter: str) -> set[str]:
        """A meter and the others of its customer: what protects him is told of one of them."""
        return {meter, *(one.id for one in (self._roster.of_customer(customer) if customer else ()))}

    async def _read(self, name: str) -> None:
        meter = self._roster.meter(name)
        wait = None if meter is None else await who_waits(self._book, meter, self._sparing)
        self._waits.pop(name, None)
        if wait is not None:
            self._waits[name] = wait
        if meter is None or await self._quiet(meter):
            self._unread.discard(name)

    async def _judge(self, name: str) -> None:
        wait = self._waits[name]
        await self._tell(wait)
        told = self._told.setdefault((name, wait.cause), set())
        since, now = self._timeline.lived(wait.since), self._timeline.now()
        if wait.is_spared and all(self._is_old(one.at) for one in wait.spared):
            return  # who lives there by now, and how, a person finds out
        first_sent_at = None if wait.first_sent_at is None else self._timeline.lived(wait.first_sent_at)
        rule = late(since, first_sent_at, None, now)
        if rule and rule not in told:
            await self._alarm(wait, rule)
            told.add(rule)
        if now - since > RECONNECTED_WITHIN:
            await self._send_somebody(wait, told)
        await self._reconnect(wait)

    def _is_old(self, told_at: datetime) -> bool:
        return self._timeline.now() - self._timeline.lived(told_at) > SPARED_MAX

    async def _alarm(self, wait: Wait, rule: str) -> None:
        seen = Seen(
            rule=rule,
            origin="CTRL-16",
            meter=wait.meter,
            evidence=(f"order:{wait.order}", f"evidence:{wait.cause}"),
        )
        await self._alarms.raise_(seen, actor=DAEMON)

    async def _send_somebody(self, wait: Wait, told: set[str]) -> None:
        """Open a field order for what is still undecided; once, also when it was closed meanwhile."""
        name = self._sent_for(wait)
        if not name or (item := item_id(WorkKind.FIELD_ORDER, name)) in told:
            return
        life = await self._book.read(name)
        last = await self._book.acts.last_of(Topic.WORK, item)
        if last is None and await sent_there(self._book, life.order) is None:
            why = as_words(self._why_there(wait, life))
            await self._work.open(
                WorkKind.FIELD_ORDER, why, actor=DAEMON, meter=wait.meter, order=life.order.id
            )
        told.add(item)

    def _sent_for(self, wait: Wait) -> str:
        """The id of the order for which somebody goes there; empty: none, or only a key is to be pressed.

        What has ended has left its work, but for money: its work is a decision, and sends nobody.
        """
        lives = self._book.open_of(wait.meter)
        if (life := _undecided(lives)) is not None:
            return life.order.id
        if wait.has_money or any(waits_for_key(one) for one in lives):
            return ""
        return wait.top_up or wait.order

    def _why_there(self, wait: Wait, life: Life) -> str:
        minutes = RECONNECTED_WITHIN // timedelta(minutes=1)
        paid = f"{wait.told} more than {minutes} minutes ago, and "
        if life.order.kind is OrderKind.TOP_UP:
            return paid + going_there(life, wait.cut, self._zone)
        how = "is still" if life.is_open else "ended as"
        return f"{paid}order {life.order.id} ({life.order.kind.value}) {how} {life.state.value}"


def _undecided(lives: Iterable[Life]) -> Life | None:
    """The open order that somebody in the dark waits for; none of them while a key is to be pressed."""
    found = [
        life
        for life in lives
        if (life.order.kind in BRINGS_CURRENT and life.order.origin is Origin.PAYMENT)
        or (life.order.kind is OrderKind.TRIP and life.transmissions)
        or life.has_opened
    ]
    if any(life.state is OrderState.WAITING_FOR_KEY for life in found):
        return None  # current comes back as soon as somebody presses the key
    return found[0] if found else None
