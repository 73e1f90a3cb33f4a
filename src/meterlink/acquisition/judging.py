"""Giving records their marks on the way to the journal; whoever keeps readings has them judged here first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from meterlink.model.history import History
from meterlink.model.look import NOT_LOOKED, Look
from meterlink.model.reading import Record
from meterlink.model.slot import SlotKey
from meterlink.validation.answers import Judged, judged
from meterlink.validation.validator import Validator


class PastJournal(Protocol):
    """What is needed of the log."""

    async def histories(
        self, data_class: str, meter: str, wanted: Mapping[datetime, Sequence[str]]
    ) -> dict[datetime, History]:
        """See ``Journal.histories``. Raises ``JournalError``."""


class Judge:
    """Judges what one gateway reads.

    Args:
        validator: marks.
        journal: what was kept.
        shown: by our id, what meters were seen to show beside their values; ``Looks`` writes it.

    """

    def __init__(self, validator: Validator, journal: PastJournal, shown: Mapping[str, Look]) -> None:
        self._validator = validator
        self._journal = journal
        self._shown = shown

    async def judge(self, records: Sequence[Record]) -> Judged:
        """Records with their marks, and what is to be kept before them.

        Args:
            records: of one meter and one class of data, each of one slot; at least one.

        Raises:
            JournalError: the past cannot be read.

        """
        meter, data_class = records[0].meter, records[0].data_class
        if not self._validator.knows(meter):
            return Judged(tuple(records), ())
        wanted: dict[datetime, list[str]] = {}
        for record in records:
            items = wanted.setdefault(record.readings[0].slot, [])
            items += [reading.item for reading in record.readings]
        histories = await self._journal.histories(data_class, meter, wanted)
        return judged(self._validator, records, histories, self._shown.get(meter, NOT_LOOKED))


def in_order(found: Judged, settles: Sequence[SlotKey | None]) -> list[tuple[Record, SlotKey | None]]:
    """What a verdict brought, as ``Journal.keep_all`` takes it.

    Args:
        found: the verdict.
        settles: of each of its records, the slot that is kept with it.

    """
    return [*((one, None) for one in found.restated), *zip(found.records, settles, strict=True)]
