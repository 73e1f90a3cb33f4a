"""Slots that are kept without items of their plan: the ledger says which, and opens them when those come.

A meter that says of an item that it has no such data is believed, and its slot is kept without it: most such
meters never have it, and their slots would stay open for ever. Some say so for a while only, behind a restart
or while they are busy. So when the item comes after all, the slots of the last days that were kept without it
are read once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from functools import partial
from typing import Protocol

import structlog

from meterlink.acquisition.harvest import slot_of
from meterlink.acquisition.keeping import Patience
from meterlink.acquisition.streams import FRESH, Stream
from meterlink.clock import Clock
from meterlink.drivers.base import StoredAnswer, StoredRecord
from meterlink.journal.series import Series
from meterlink.model.items import is_part
from meterlink.model.slot import SlotKey, lacking_note

_log = structlog.get_logger(__name__)


class LackLedger(Protocol):
    """What is needed of the ledger; each raises ``JournalError``."""

    async def lack(self, keys: Sequence[SlotKey], *, note: str) -> None:
        """See ``Ledger.lack``."""

    async def reopen_lacking(self, series: Series, items: Set[str], *, since: datetime) -> int:
        """See ``Ledger.reopen_lacking``."""


class Lacking:
    """What the slots of one line lack.

    Args:
        line: name of the line.
        ledger: the ledger.
        clock: wall time.

    """

    def __init__(self, line: str, ledger: LackLedger, clock: Clock) -> None:
        self._line = line
        self._ledger = ledger
        self._clock = clock
        self._patience = Patience(line)

    async def look(self, stream: Stream, asked: Sequence[datetime], answer: StoredAnswer) -> None:
        """Note what the slots of an answer lack that has been put away, and open those whose items came now.

        Args:
            stream: whose.
            asked: slots.
            answer: what came of them.

        """
        by_note: dict[str, list[SlotKey]] = {}
        brought: set[str] = set()
        for record in answer.records:
            came = {item for item in stream.plan.items if _has(record, item)}
            brought |= came
            words = {**_told_before(stream), **answer.refused, **record.refused}
            without = [item for item in stream.plan.items if item not in came and item in words]
            slot = slot_of(stream, record, asked)
            if came and without and slot in asked:
                note = lacking_note(without, words[without[0]])
                by_note.setdefault(note, []).append(stream.series.key(slot))
        for note, keys in by_note.items():
            await self._patience.until_done(partial(self._ledger.lack, keys, note=note))
        if passed := stream.lacked & brought:
            await self._reopen(stream, passed)
        stream.lacked.update(answer.refused)

    async def _reopen(self, stream: Stream, items: Set[str]) -> None:
        """An item comes that slots were kept without: once for each refusal that was believed."""
        now = self._clock.utc_now()
        since = max(now - FRESH, stream.overwritten_before(now))
        work = partial(self._ledger.reopen_lacking, stream.series, items, since=since)
        if slots := await self._patience.until_done(work):
            meter = stream.meter.point.meter
            _log.info(
                "lacking_slots_reopened", line=self._line, meter=meter, items=sorted(items), slots=slots
            )
        stream.lacked -= items


def _has(record: StoredRecord, item: str) -> bool:
    return any(is_part(value.item, item) for value in record.values)


def _told_before(stream: Stream) -> Mapping[str, str]:
    """The words with which items were refused that are not asked for any more today."""
    return {item: words for item, (_, words) in stream.refused.items()}
