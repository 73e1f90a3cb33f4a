"""The record by which somebody owes nothing any more, among all that is told of his meter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from meterlink.errors import EvidenceRefused
from meterlink.journal.acts import ActLog
from meterlink.model.act import KeptAct, Topic
from meterlink.orders.evidence.book import concerns
from meterlink.orders.evidence.records import BalanceStatement, Dispute, Evidence, Payment, SafetyHold
from meterlink.orders.evidence.told import Kept, record_of
from meterlink.roster.roster import RosterMeter

ToldOf = tuple[KeptAct, Evidence]
"""A record, and the act that keeps it."""

_log = structlog.get_logger(__name__)


async def told_there(acts: ActLog, meter: RosterMeter) -> list[ToldOf]:
    """What was told of a meter and of those before it, in the order of the log.

    Raises:
        JournalError: the log cannot be read.

    """
    told = [one for name in (*meter.predecessors, meter.id) for one in await _told_of(acts, name)]
    return sorted(told, key=lambda one: one[0].number)


async def _told_of(acts: ActLog, meter: str) -> list[ToldOf]:
    """What was told of one meter, in the order of the log; what cannot be read is left out, and logged."""
    found: list[ToldOf] = []
    async for kept in acts.all_of_meter(meter, Topic.EVIDENCE):
        if kept.act.verb != "record":
            continue
        try:
            found.append((kept, record_of(kept.act)))
        except EvidenceRefused as error:
            _log.error("record_unreadable", record=kept.act.subject, reason=str(error))
    return found


def clearing(told: Sequence[ToldOf], meter: RosterMeter, cut_at: int) -> ToldOf | None:
    """The first record behind a number of the log by which the customer of now owes nothing any more.

    It counts as long as nothing takes it back: a newer balance below 0, or what follows on a dispute. Of
    balances that people bring by hand the newest is the one that came here last. Where the meter keeps the
    wallet, it alone knows when the money is enough, and each payment counts.

    Args:
        told: in the order of the log.
        meter: of whom.
        cut_at: number in the log of the frame that cut him off.

    """
    newest_from, is_owing = datetime.min.replace(tzinfo=UTC), False
    clear: dict[str, ToldOf] = {}
    for one in told:
        kept, record = one
        if not concerns(record, meter):
            continue
        if isinstance(record, BalanceStatement):
            counts_from = Kept.of([kept]).counts_from
            if counts_from >= newest_from:
                newest_from, is_owing = counts_from, record.balance_cents < 0
            is_clear, key = not is_owing, "balance"
        elif isinstance(record, Dispute):
            is_clear, key = record.state == "upheld", f"dispute:{record.dispute}"
        elif isinstance(record, Payment) and (record.settles or is_of_wallet(kept, meter)):
            is_clear, key = True, "payment"
        else:
            continue
        if not is_clear:
            clear.pop(key, None)
        elif kept.number > cut_at:
            clear.setdefault(key, one)
    return min(clear.values(), key=lambda one: one[0].number, default=None)


def arrears_over(told: Sequence[ToldOf], meter: RosterMeter, since: int) -> ToldOf | None:
    """The same, of somebody who was in arrears, without payments: those are followed when they are told.

    A balance counts only if the one before it was below 0, or none was. Who is warned while he owes nothing
    is warned that little is left; by how much more that ends is the billing system's to say.

    Args:
        told: in the order of the log.
        meter: of whom.
        since: number in the log from which on it counts.

    """
    newest_from, is_clear = datetime.min.replace(tzinfo=UTC), False
    turning: list[ToldOf] = []
    for one in told:
        kept, record = one
        if isinstance(record, Payment):
            continue
        if isinstance(record, BalanceStatement) and concerns(record, meter):
            counts_from, was_clear = Kept.of([kept]).counts_from, is_clear
            if counts_from < newest_from:
                continue
            newest_from, is_clear = counts_from, record.balance_cents >= 0
            if is_clear and was_clear:
                continue
        turning.append(one)
    return clearing(turning, meter, since)


def is_of_wallet(kept: KeptAct, meter: RosterMeter) -> bool:
    """Whether the money of a payment goes into the meter, which alone knows when it is enough."""
    return meter.world == "local" and not Kept.of([kept]).is_for_account


def releases(record: Evidence) -> bool:
    """Whether an inspector lets a place go."""
    return isinstance(record, SafetyHold) and record.state == "released"
