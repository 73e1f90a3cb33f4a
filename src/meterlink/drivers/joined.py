"""What several ways brought of one meter's memory, as one answer.

What came first stays. An item that lacks in a record because the next way was cut off is unfit, so that
somebody asks again; where the meter itself no longer has it, it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from meterlink.drivers.base import StoredAnswer, StoredRecord, Wanted
from meterlink.drivers.stored import NEAR
from meterlink.errors import MeterlinkError
from meterlink.model.data_classes import CURVE
from meterlink.model.items import is_part

Lacking = tuple[tuple[str, ...], tuple[datetime, ...]]
"""Items, and the slots in which they are not there."""


class Joined:
    """The records of one meter, way after way.

    Args:
        wanted: of it.
        now: our time, aware.

    """

    def __init__(self, wanted: Wanted, now: datetime) -> None:
        self.wanted = wanted
        self._taken_at = now
        self._records: dict[datetime, StoredRecord] = {}
        self._gone: dict[datetime, str] = {}
        self._not_yet: dict[datetime, str] = {}
        self._unfit_slots: dict[datetime, str] = {}
        self._refused: dict[str, str] = {}
        self._cut_short: MeterlinkError | None = None
        self._now = now
        self._heard = False

    def brought(self, records: Iterable[StoredRecord], now: datetime) -> None:
        """The first way brought these; what is not there may come by the next."""
        self._taken_at = now
        self._records.update({record.slot: record for record in records})

    def wait_for(self, slots: Iterable[datetime], why: str) -> None:
        """What of these is not there is about to come: nobody is asked for it.

        Args:
            slots: of those wanted.
            why: for people.

        """
        self._not_yet = {slot: why for slot in slots if self._record_of(slot) is None}

    def lacking(self) -> list[Lacking]:
        """What is still to be asked: slots without a record, and items that lack in one.

        Whoever asks for a slot that is yet to come wants to know what the meter's clock shows: where the
        meter is asked at all, it is asked that too.
        """
        absent, partly = [], []
        items: dict[str, None] = {}
        for slot in self.wanted.slots:
            record = self._record_of(slot)
            if record is None:
                absent += [slot] if slot not in self._not_yet else []
            elif missing := self._missing(record):
                partly.append(slot)
                items.update(dict.fromkeys(missing))
        if absent or partly:
            to_come = [slot for slot in self._not_yet if slot > self._now]
            absent = [*to_come, *absent]
            for slot in to_come:
                del self._not_yet[slot]
        asked: list[Lacking] = [(tuple(self.wanted.items), tuple(absent)), (tuple(items), tuple(partly))]
        return [one for one in asked if all(one)]

    def asked(self, items: Sequence[str], slots: Sequence[datetime], answer: StoredAnswer) -> None:
        """The next way answered.

        Args:
            items: that it was asked for.
            slots: likewise.
            answer: what it said.

        """
        self._heard |= answer.heard
        self._taken_at = max(self._taken_at, answer.taken_at)
        for record in answer.records:
            self._records[record.slot] = self._with(self._records.get(record.slot), record)
        for told, of_record in (
            (answer.gone, self._gone),
            (answer.not_yet, self._not_yet),
            (answer.unfit_slots, self._unfit_slots),
        ):
            of_record.update(told)
        self._refused |= answer.refused
        self._cut_short = self._cut_short or answer.cut_short
        self._note_missing(items, slots, answer)

    def ended(self, error: MeterlinkError) -> None:
        """The next way failed.

        Raises:
            MeterlinkError: that, where nothing had come before.

        """
        if not self._records:
            raise error
        self._cut_short = self._cut_short or error
        for slot, record in self._records.items():
            unfit = dict.fromkeys(self._untold(record), f"not asked any more: {error}")
            self._records[slot] = replace(record, unfit={**record.unfit, **unfit})

    def of(self) -> StoredAnswer:
        """The answer."""
        has = [slot for slot in self.wanted.slots if self._record_of(slot) is not None]
        came = {value.item for record in self._records.values() for value in record.values}
        return StoredAnswer(
            records=tuple(self._records[slot] for slot in sorted(self._records, reverse=True)),
            gone={slot: why for slot, why in self._gone.items() if slot not in has},
            not_yet={slot: why for slot, why in self._not_yet.items() if slot not in has},
            unfit_slots={slot: why for slot, why in self._unfit_slots.items() if slot not in has},
            refused={
                item: why
                for item, why in self._refused.items()
                if not any(is_part(one, item) for one in came)
            },
            unfit={item: why for record in self._records.values() for item, why in record.unfit.items()},
            taken_at=self._taken_at,
            cut_short=self._cut_short,
            heard=self._heard,
        )

    # --- inside ---

    def _record_of(self, slot: datetime) -> StoredRecord | None:
        return next(
            (one for one in self._records.values() if is_meant(one.slot, slot, self.wanted)),
            None,
        )

    def _missing(self, record: StoredRecord) -> list[str]:
        return [
            item
            for item in self.wanted.items
            if not any(is_part(value.item, item) for value in record.values)
        ]

    def _untold(self, record: StoredRecord) -> list[str]:
        """Items that lack in a record, and nobody has said why."""
        return [item for item in self._missing(record) if item not in {*record.refused, *record.unfit}]

    def _with(self, before: StoredRecord | None, record: StoredRecord) -> StoredRecord:
        if before is None:
            return record
        missing = self._missing(before)
        more = tuple(value for value in record.values if any(is_part(value.item, item) for item in missing))
        joined = replace(before, values=(*before.values, *more))
        still = self._missing(joined)
        return replace(
            joined,
            refused={item: why for item, why in record.refused.items() if item in still},
            unfit={item: why for item, why in record.unfit.items() if item in still},
        )

    def _note_missing(self, items: Sequence[str], slots: Sequence[datetime], answer: StoredAnswer) -> None:
        """Say why an item lacks in a record that has others."""
        for slot, record in self._records.items():
            untold = [item for item in self._untold(record) if item in items]
            meant = [one for one in slots if is_meant(slot, one, self.wanted)]
            if untold and meant:
                self._records[slot] = _explained(record, untold, meant, answer)


def is_meant(slot: datetime, wished: datetime, wanted: Wanted) -> bool:
    """Whether a record of an instant is the one of a slot: meters freeze at another minute than midnight.

    Args:
        slot: of the record; a settlement of another day of that month is not meant.
        wished: that was asked for.
        wanted: of the meter.

    """
    return slot == wished if wanted.data_class == CURVE else abs(slot - wished) <= NEAR


def _explained(
    record: StoredRecord, untold: Sequence[str], meant: Sequence[datetime], answer: StoredAnswer
) -> StoredRecord:
    """The record with what the meter said of items that lack in it."""
    refused, unfit = dict(record.refused), dict(record.unfit)
    for item in untold:
        if why := answer.refused.get(item) or _told(answer.gone, meant):
            refused[item] = why
        else:
            unfit[item] = (
                _told(answer.not_yet, meant) or _told(answer.unfit_slots, meant) or "it did not come"
            )
    return replace(record, refused=refused, unfit=unfit)


def _told(reasons: Mapping[datetime, str], slots: Sequence[datetime]) -> str:
    return next((reasons[slot] for slot in slots if slot in reasons), "")
