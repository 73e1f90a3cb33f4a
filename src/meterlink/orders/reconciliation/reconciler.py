"""The daily comparison of payments, log and meters: gathers, reads the meters, raises what does not agree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, Final

import structlog

from meterlink.clock import Clock
from meterlink.drivers.control import Purse
from meterlink.errors import BadRequest, EvidenceRefused, MeterlinkError, NotEntitled
from meterlink.journal.acts import READ_MAX
from meterlink.model.act import Topic
from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.orders.attention.work import WorkItems
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book
from meterlink.orders.evidence.admission import AHEAD_MAX, TIMES_FROM
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.evidence.records import BalanceStatement, Payment
from meterlink.orders.evidence.told import Kept, is_for_wallet
from meterlink.orders.life.life import Life
from meterlink.orders.people import THE_DAEMON, Actor, Deed
from meterlink.orders.reconciliation.compare import (
    TOLERANCE_CENTS,
    Channel,
    MeterMoney,
    PaidSince,
    Verdict,
    channels,
    money_of,
    paid_since,
)
from meterlink.orders.reconciliation.nights import Nights
from meterlink.roster.roster import Roster, RosterMeter

WALLET_DRIFT: Final = "WALLET_DRIFT"
LEDGER_AGE_MAX: Final = timedelta(days=2)
"""An older balance statement counts as absent. Source: decision 25."""

READ_TRIES_MAX: Final = 2
"""How often a wallet is read that is topped up meanwhile."""
NIGHT: Final = time(0, 30)
"""When the day that ended is compared, in the plant."""
_DAY: Final = timedelta(days=1)
LOOKED_EVERY_S: Final = 60.0
"""Between two looks at the clock, which may have been set."""

_log = structlog.get_logger(__name__)

PurseOf = Callable[[str], Awaitable[Purse]]
"""Reads the money in a meter, by our id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What a comparison found.

    Args:
        day: of the payments, in the plant.
        channels: what came in, by channel.
        meters: how each wallet stands.
        is_whole: whether all payments of the day could be looked at.

    """

    day: date
    channels: tuple[Channel, ...]
    meters: tuple[MeterMoney, ...]
    is_whole: bool

    @property
    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "day": self.day.isoformat(),
            "channels": [one.body for one in self.channels],
            "meters": [one.body for one in self.meters],
            "is_whole": self.is_whole,
            "agrees": self.agrees,
        }

    @property
    def agrees(self) -> bool:
        """Whether nothing is left to be cleared, and every wallet was read and agrees."""
        fine = (Verdict.AGREES, Verdict.NO_LEDGER)
        gaps = any(one.gap_cents for one in self.channels)
        return self.is_whole and not gaps and all(one.verdict in fine for one in self.meters)


class Reconciler:
    """Compares.

    Args:
        book: the orders.
        evidence: payments and balance statements.
        roster: the meters.
        purse_of: reads a meter.
        alarms: where a drift is told.
        work: and who has to find out.
        clock: the time.
        zone: of the plant.

    """

    def __init__(
        self,
        book: Book,
        evidence: EvidenceBook,
        roster: Roster,
        *,
        purse_of: PurseOf,
        alarms: Alarms,
        work: WorkItems,
        clock: Clock,
        zone: timezone,
    ) -> None:
        self._book = book
        self._evidence = evidence
        self._roster = roster
        self._purse_of = purse_of
        self._alarms = alarms
        self._work = work
        self._clock = clock
        self._zone = zone
        self._nights = Nights(book.acts, alarms, work, clock)

    async def run(self) -> None:
        """Compare every day's payments in the night after it, until cancelled. Source: TOP-08.

        Whoever starts after that hour does it then: nobody may have been there in the night.
        """
        due = self._night_of(self._clock.utc_now())
        while True:
            await asyncio.sleep(LOOKED_EVERY_S)
            if (now := self._clock.utc_now()) < due:
                continue
            day = due.astimezone(self._zone).date() - _DAY
            tonight = self._night_of(now)
            due = tonight if tonight > now else tonight + _DAY
            await self._compare_of_night(day)

    async def _compare_of_night(self, day: date) -> None:
        """Compare a day if the log reaches back to it, and tell how it went; nothing of one without money."""
        try:
            if not await self._had_begun(day):
                return
            found = await self.compare(day)
            if not (found.channels or found.meters):
                return
            await self._nights.tell(day, found.channels, found.meters)
        except MeterlinkError as error:
            _log.error("not_reconciled", day=day.isoformat(), reason=str(error))
        else:
            _log.info("reconciled", day=day.isoformat(), agrees=found.agrees)

    def _night_of(self, instant: datetime) -> datetime:
        """When on the plant's day of an instant the day before it is compared."""
        return datetime.combine(instant.astimezone(self._zone).date(), NIGHT, self._zone)

    async def compare(self, day: date, actor: Actor = THE_DAEMON) -> Reconciliation:
        """Compare payments of a day, what became of them, and all meters with a wallet as they are now.

        The payments are those for the wallets that there were on that day.

        Args:
            day: of the payments, in the plant.
            actor: who wants it: each wallet is asked for a proof, and what does not agree is written down.

        Raises:
            NotEntitled: that person may not.
            BadRequest: the day is yet to come.
            JournalError: the log cannot be read or written.

        """
        if not (actor.is_daemon or actor.may(Deed.RECONCILE)):
            raise NotEntitled(f"{actor.name} may not {Deed.RECONCILE.value}: no role of theirs allows it")
        if day > self._clock.utc_now().astimezone(self._zone).date():
            raise BadRequest(f"{day} is yet to come")
        meters = [meter for meter in self._roster if meter.world == "local"]
        ids = {name for meter in meters for name in (meter.id, *meter.predecessors)}
        payments, is_whole = await self._payments(day, ids)
        lives = await self._lives_of({one.meter for one in payments} - ids)
        found: list[MeterMoney] = []
        for meter in meters:
            found.append(await self._money(meter))
            lives += await self._book.of_meter(meter.id, meter.predecessors)
        for one in found:
            if one.verdict is Verdict.DRIFT:
                await self._raise(one, actor)
        return Reconciliation(
            day=day,
            channels=tuple(channels(payments, lives, day, self._zone)),
            meters=tuple(found),
            is_whole=is_whole,
        )

    async def _payments(self, day: date, meters: set[str]) -> tuple[list[Payment], bool]:
        """What was paid on a day: all that was kept since, and what a sender's clock told before it began.

        Money that went into an account at the head-end is on its way to no meter. What was paid for a wallet
        stays to be cleared, also where its meter has left the roster since, or keeps no wallet any more.

        Args:
            day: in the plant.
            meters: that keep a wallet now, and those before them.

        """
        since = max(datetime.combine(day, time(), self._zone), TIMES_FROM) - AHEAD_MAX
        acts = await self._book.acts.of_verb(Topic.EVIDENCE, "record", since=since)
        found = []
        for kept in acts:
            is_of_wallet = kept.act.meter in meters or is_for_wallet(kept.act)
            if is_of_wallet and kept.act.body.get("kind") == "payment":
                one = Kept.of([kept])
                if isinstance(one.record, Payment) and not one.is_for_account:
                    found.append(one.record)
        return found, len(acts) < READ_MAX and await self._had_begun(day)

    async def _lives_of(self, meters: Iterable[str]) -> list[Life]:
        """The orders of meters that keep no wallet here any more."""
        return [life for name in sorted(meters) for life in await self._book.of_meter(name)]

    async def _had_begun(self, day: date) -> bool:
        """Whether the log reaches back to a day: of one before it nobody here can say what was paid."""
        first = await self._book.acts.after(0, limit=1)
        return bool(first) and first[0].act.at.astimezone(self._zone).date() <= day

    async def _money(self, meter: RosterMeter) -> MeterMoney:
        """Read a wallet and compare it; what happened to it meanwhile is compared with nothing."""
        for _ in range(READ_TRIES_MAX):
            before = _top_ups(await self._book.of_meter(meter.id))
            purse, told = None, ""
            try:
                purse = await self._purse_of(meter.id)
            except MeterlinkError as error:
                told = str(error)
            lives = await self._book.of_meter(meter.id)
            if before == _top_ups(lives):
                break
            told = told or "its wallet was topped up while it was compared"
        ledger, since = await self._ledger(meter)
        return money_of(meter.id, lives, purse, ledger, told, since=since)

    async def _ledger(self, meter: RosterMeter) -> tuple[BalanceStatement | None, PaidSince]:
        try:
            told = await self._evidence.of_meter(meter)
        except EvidenceRefused:
            return None, PaidSince()
        newest = told.newest(BalanceStatement)
        if newest is None or self._clock.utc_now() - newest.at > LEDGER_AGE_MAX:
            return None, PaidSince()
        return newest, paid_since(told, newest)

    async def _raise(self, money: MeterMoney, actor: Actor) -> None:
        why = (
            f"ledger {money.ledger_cents}, paid since {money.paid_since_cents}, wallet {money.wallet_cents}, "
            f"on its way {money.in_flight_cents} cents; purchases expected {money.count_expected}, "
            f"found {money.count_found}"
        )
        drift = money.drift_cents
        seen = Seen(
            rule=WALLET_DRIFT,
            origin="TOP-08",
            meter=money.meter,
            value="" if drift is None else str(drift),
            threshold=str(TOLERANCE_CENTS),
            estimate_cents=None if drift is None else abs(drift),
        )
        await self._alarms.raise_(seen, actor=actor.name, beside=actor.noted)
        await self._work.open(
            WorkKind.DRIFT, why, actor=actor.name, meter=money.meter, about=money.meter, beside=actor.noted
        )


def _top_ups(lives: Sequence[Life]) -> list[tuple[str, OrderState]]:
    """What could change a wallet, and how it stands."""
    return [(life.order.id, life.state) for life in lives if life.order.kind is OrderKind.TOP_UP]
