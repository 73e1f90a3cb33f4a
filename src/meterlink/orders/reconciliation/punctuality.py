"""How many of those who had paid had current within half an hour: a count over the log.

Whoever was cut off by us and owes nothing any more waits, from the act of the record that cleared the debt to
the first proof behind it that his contact is closed, by whichever order: by the same signs as for the alarms
RECONNECT_LATE (``waiting``), whether or not a reconnection could be opened, and once where his meter was
exchanged meanwhile. The key at the meter is in that time too: in the end it is current that counts. Where
somebody else closed, it is the time in the meter's own record, if the meter was found so only later.

Looked at are the meters with an order of those days that was to bring somebody current who had paid, and
those at which somebody waits now.

Source: CTRL-16 (95 % within 30 minutes), COL-06.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.errors import BadRequest
from meterlink.journal.acts import READ_MAX
from meterlink.model.act import KeptAct, Topic
from meterlink.model.order import CLOSES, Order, OrderKind, Origin
from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.orders.attention.looking_after import looking_after
from meterlink.orders.book import Book
from meterlink.orders.life.closed_since import closed_since
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.people import DAEMON
from meterlink.orders.waiting.episodes import waits_of
from meterlink.orders.waiting.seen import seen_closed
from meterlink.orders.waiting.wait import BRINGS_CURRENT, is_proved_closed
from meterlink.roster.roster import Roster, RosterMeter

IN_TIME: Final = timedelta(minutes=30)
"""From what cleared the debt to current. Source: CTRL-16."""
SHARE_PERCENT: Final = 95
"""Of all who waited. Source: CTRL-16."""
DAYS_MAX: Final = 366
"""Days that one count covers."""
ALARM_DAYS: Final = 30
"""Days over which the share is watched: of three who paid on a day one is a third."""
CASES_MIN: Final = 20
"""Fewer raise no alarm: one of them is more than 5 %, and each has an alarm of its own (RECONNECT_LATE)."""
RECONNECT_SHARE: Final = "RECONNECT_SHARE"
"""The alarm that too many waited for longer."""
NAMED_MAX: Final = 16
"""Waits that the alarm names, the newest."""
EVERY_S: Final = 600.0
"""Between two looks whether a day is over."""
SETTLED_AFTER: Final = timedelta(hours=1)
"""Behind midnight: who paid just before it has had his half hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """Somebody who was cut off, and what became of the wait.

    Args:
        meter: our id.
        cause: full id of the record that cleared the debt.
        since: when that was kept.
        energised_at: when current was proved; ``None``: not yet.
        is_late: whether that was, or already is, more than half an hour.

    """

    meter: str
    cause: str
    since: datetime
    energised_at: datetime | None
    is_late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Those who waited in some days.

    Args:
        first: day of the plant.
        last: the same.
        waits: by when they began.
        is_whole: whether all orders of those days could be looked at.

    """

    first: date
    last: date
    waits: tuple[Waited, ...]
    is_whole: bool

    @property
    def in_time(self) -> int:
        """How many had current in time."""
        return sum(one.energised_at is not None and not one.is_late for one in self.waits)

    @property
    def late(self) -> list[Waited]:
        """Those who had it later, or still have not."""
        return [one for one in self.waits if one.is_late]

    @property
    def is_kept(self) -> bool:
        """Whether so many had it in time as the rule wants; who may still have it in time does not count."""
        return 100 * self.in_time >= SHARE_PERCENT * (self.in_time + len(self.late))

    @property
    def is_alarming(self) -> bool:
        """Whether it is not kept, by so many that this says something."""
        return not self.is_kept and self.in_time + len(self.late) >= CASES_MIN

    @property
    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "in_time": self.in_time,
            "late": [{"meter": one.meter, "cause": one.cause} for one in self.late],
            "waiting": len(self.waits) - self.in_time - len(self.late),
            "wanted_percent": SHARE_PERCENT,
            "is_kept": self.is_kept,
            "is_whole": self.is_whole,
        }


class Punctuality:
    """Counts, and raises the alarm for a day that is over.

    Args:
        book: the orders.
        alarms: where it is told.
        roster: the meters, and those before them.
        clock: wall time.
        zone: of the plant.

    Attributes:
        waiting: tells the meters at which somebody waits now.

    """

    def __init__(self, book: Book, alarms: Alarms, roster: Roster, clock: Clock, zone: timezone) -> None:
        self.waiting: Callable[[], Collection[str]] = frozenset
        self._book = book
        self._alarms = alarms
        self._roster = roster
        self._clock = clock
        self._zone = zone
        self._told: date | None = None

    async def run(self) -> None:
        """Look again and again whether a day is over, until cancelled."""
        await looking_after(self.look, every_s=EVERY_S, trouble="punctuality_unknown")

    async def look(self) -> None:
        """Tell once of the day before, if somebody waited too long and the share is not kept.

        Raises:
            JournalError: the log cannot be read or written.

        """
        day = (self._clock.utc_now() - SETTLED_AFTER).astimezone(self._zone).date() - timedelta(days=1)
        if day == self._told:
            return
        found = await self.count(day, ALARM_DAYS)
        if found.is_alarming and any(self._day_of(one.since) == day for one in found.late):
            share = 100 * found.in_time // (found.in_time + len(found.late))
            seen = Seen(
                rule=RECONNECT_SHARE,
                origin="CTRL-16",
                value=f"{share} %",
                threshold=f"{SHARE_PERCENT} %",
                evidence=tuple(f"evidence:{one.cause}" for one in found.late[-NAMED_MAX:]),
            )
            await self._alarms.raise_(seen, actor=DAEMON)
        self._told = day

    async def count(self, last: date, days: int = 1) -> Share:
        """Those whose wait began in some days.

        Args:
            last: of them, in the plant.
            days: how many, 1 to ``DAYS_MAX``.

        Raises:
            BadRequest: the day is yet to come or before all days, or too many days.
            JournalError: the log cannot be read.

        """
        if not 1 <= days <= DAYS_MAX or last.year <= 1970 or last > self._day_of(self._clock.utc_now()):
            raise BadRequest(f"day must have come, and days be 1 to {DAYS_MAX}")
        first = last - timedelta(days=days - 1)
        since = datetime.combine(first, time(), self._zone)
        created = await self._book.acts.of_verb(Topic.ORDER, Signal.CREATE, since=since)
        waits = await self._waits(await self._brought(created, since))
        waits = [one for one in waits if first <= self._day_of(one.since) <= last]
        is_whole = len(created) < READ_MAX
        ordered = tuple(sorted(waits, key=lambda one: (one.since, one.meter)))
        return Share(first=first, last=last, waits=ordered, is_whole=is_whole)

    def _day_of(self, instant: datetime) -> date:
        return instant.astimezone(self._zone).date()

    async def _brought(self, created: Iterable[KeptAct], since: datetime) -> list[Order]:
        """Of some orders those that nobody ordered by hand and that were to bring current, or money for it.

        Money that is proved in the wallet of a meter that was cut off has a reconnection behind it.
        """
        proved = await self._book.acts.of_verb(Topic.ORDER, Signal.PROVE, since=since)
        arrived = {kept.act.subject for kept in proved}
        orders = [Life.of([kept.act]).order for kept in created]
        return [
            order
            for order in orders
            if order.kind in BRINGS_CURRENT
            and order.origin is Origin.PAYMENT
            and not (order.kind is OrderKind.TOP_UP and order.id in arrived)
        ]

    async def _waits(self, brought: Iterable[Order]) -> list[Waited]:
        """Those who waited where these orders went, and where somebody waits now; each once."""
        orders = list(brought)
        names = dict.fromkeys([*(order.meter for order in orders), *sorted(self.waiting())])
        places = {name: self._roster.meter(name) or self._roster.heir_of(name) for name in names}
        there = {meter.id: meter for meter in places.values() if meter is not None}
        waits = [one for meter in there.values() for one in await self._at(meter)]
        gone = _causes(order for order in orders if places[order.meter] is None)
        return waits + [one for order in gone.values() if (one := await self._wait(order)) is not None]

    async def _at(self, meter: RosterMeter) -> list[Waited]:
        """Every wait at a meter that is in the roster."""
        found = await waits_of(self._book, meter)
        return [self._waited(meter.id, one.cause, one.closed) for one in found]

    async def _wait(self, order: Order) -> Waited | None:
        """The wait of a meter that is gone, by its reconnection; ``None``: its cause is not in the log."""
        cause = order.payment or order.reference
        told = await self._book.acts.of_subject(Topic.EVIDENCE, cause)
        if not told:
            return None
        closed = [
            one.acts[-1]
            for one in await self._book.histories(order.meter)
            if is_proved_closed(one) and one.acts[-1].number > told[0].number
        ]
        seen = await seen_closed(self._book.acts, [order.meter])
        closed += [kept for kept in seen if kept.number > told[0].number]
        proof = min(closed, key=lambda one: one.number, default=None)
        return self._waited(order.meter, told[0], proof)

    def _waited(self, meter: str, cause: KeptAct, closed: KeptAct | None) -> Waited:
        timeline = self._book.timeline
        closed_at = None if closed is None else closed_since(closed.act, cause.act.at)
        until = timeline.now()
        if closed is not None and closed_at is not None:
            until = timeline.lived(closed.act.at) - (closed.act.at - closed_at)
        return Waited(
            meter=meter,
            cause=cause.act.subject,
            since=cause.act.at,
            energised_at=closed_at,
            is_late=until - timeline.lived(cause.act.at) > IN_TIME,
        )


def _causes(orders: Iterable[Order]) -> dict[tuple[str, str], Order]:
    """The first reconnection of each cause."""
    found: dict[tuple[str, str], Order] = {}
    for order in orders:
        if order.kind in CLOSES:
            found.setdefault((order.meter, order.payment or order.reference), order)
    return found
