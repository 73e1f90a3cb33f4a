"""What a night's comparison leaves to people: gaps of channels, and wallets that could not be compared.

A wallet that nobody can look into for three nights may have been emptied three nights ago; how many it were
is kept in the log, so that no restart begins anew. Source: TOP-06, TOP-08.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from meterlink.clock import Clock
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic
from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.orders.attention.words import WORDS_MAX, as_words
from meterlink.orders.attention.work import WorkItems
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.people import DAEMON
from meterlink.orders.reconciliation.compare import Channel, MeterMoney, Verdict

CHANNEL_GAP: Final = "CHANNEL_GAP"
WALLET_UNREAD: Final = "WALLET_UNREAD"
NIGHTS_MAX: Final = 3
"""So many nights in a row a wallet may stay without comparison."""
NAMED_MAX: Final = 16
"""Payments that an alarm of a gap names."""
MISSED: Final = "missed"
"""Verb of a night in which a wallet was not compared."""
COMPARED: Final = "compared"
"""Verb of the first night in which it was again."""


def subject(meter: str) -> str:
    """What the acts about a meter's nights are about."""
    return f"wallet:{meter}"


class Nights:
    """Tells people what a night has found.

    Args:
        acts: the log.
        alarms: where it is told.
        work: and who has to do something.
        clock: the time.

    """

    def __init__(self, acts: ActLog, alarms: Alarms, work: WorkItems, clock: Clock) -> None:
        self._acts = acts
        self._alarms = alarms
        self._work = work
        self._clock = clock

    async def tell(self, day: date, channels: Sequence[Channel], meters: Sequence[MeterMoney]) -> None:
        """Tell of the gaps of a day, and of wallets that were not compared for too long.

        Args:
            day: of the payments.
            channels: of that day.
            meters: as the night found them.

        Raises:
            JournalError: it was not kept.

        """
        if any(one.gap_cents for one in channels):
            await self._tell_gap(day, channels)
        for money in meters:
            await self._count(day, money)

    async def _tell_gap(self, day: date, channels: Sequence[Channel]) -> None:
        gaps = [one for one in channels if one.gap_cents]
        told = as_words("; ".join(f"{one.name or '-'} {one.gap_cents}" for one in gaps), WORDS_MAX // 2)
        waiting = [f"evidence:{name}" for one in gaps for name in one.waiting]
        seen = Seen(
            rule=CHANNEL_GAP,
            origin="TOP-06",
            value=told,
            estimate_cents=sum(abs(one.gap_cents) for one in gaps),
            evidence=tuple(waiting[:NAMED_MAX]),
        )
        await self._alarms.raise_(seen)
        why = f"payments of {day} are not in the meters, cents by channel: {told}"
        await self._work.open(WorkKind.DRIFT, why, actor=DAEMON, about=f"channels:{day}")

    async def _count(self, day: date, money: MeterMoney) -> None:
        """Count the nights of a wallet, and tell at the third; a night that is compared twice counts once."""
        last = await self._acts.last_of(Topic.POLICY, subject(money.meter))
        step, missed = (last.act.step, int(last.act.body["nights"])) if last else (0, 0)
        if not is_missed(money):
            if missed:
                await self._append(money.meter, COMPARED, day, 0, step)
            return
        if last is None or last.act.body["day"] != day.isoformat():
            missed += 1
            if missed <= NIGHTS_MAX:
                await self._append(money.meter, MISSED, day, missed, step)
        if missed >= NIGHTS_MAX:
            await self._tell_missed(money)

    async def _tell_missed(self, money: MeterMoney) -> None:
        seen = Seen(
            rule=WALLET_UNREAD,
            origin="TOP-08",
            meter=money.meter,
            value=money.verdict.value,
            threshold=str(NIGHTS_MAX),
        )
        await self._alarms.raise_(seen)
        why = as_words(f"for {NIGHTS_MAX} nights or more its wallet was compared with nothing: {money.told}")
        about = f"nights:{money.meter}"
        await self._work.open(WorkKind.DRIFT, why, actor=DAEMON, meter=money.meter, about=about)

    async def _append(self, meter: str, verb: str, day: date, nights: int, step: int) -> None:
        await self._acts.append(
            Act(
                topic=Topic.POLICY,
                subject=subject(meter),
                step=step + 1,
                verb=verb,
                at=self._clock.utc_now(),
                actor=DAEMON,
                meter=meter,
                body={"day": day.isoformat(), "nights": nights},
            )
        )


def is_missed(money: MeterMoney) -> bool:
    """Whether a night has told nothing of a wallet that could have been compared.

    Where no ledger is told at all there is nothing that anybody has missed.
    """
    has_ledger = money.verdict is Verdict.UNKNOWN and money.ledger_cents is not None
    return money.verdict is Verdict.UNREAD or has_ledger
