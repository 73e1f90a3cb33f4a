"""The judge of a gateway: what comes together is parted by meter and class, and judged by its past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from meterlink.model.history import Judged, Past, Wanted
from meterlink.model.look import NOT_LOOKED, Look
from meterlink.model.reading import Record
from meterlink.validation.answers import judged
from meterlink.validation.validator import Validator


class Judge:
    """Judges what one gateway reads.

    Args:
        validator: marks.
        shown: by our id, what meters were seen to show beside their values.

    """

    def __init__(self, validator: Validator, shown: Mapping[str, Look]) -> None:
        self._validator = validator
        self._shown = shown

    def __call__(self, records: Sequence[Record], past: Past) -> Judged:
        """Records with their marks, in the order given, and what is to be kept before them.

        Args:
            records: each of one slot.
            past: what was kept.

        """
        if len(records) == 1:
            return self._judged(records, past)
        parts: dict[tuple[str, str], list[int]] = {}
        for number, record in enumerate(records):
            parts.setdefault((record.meter, record.data_class), []).append(number)
        marked: dict[int, Record] = {}
        restated: list[Record] = []
        for numbers in parts.values():
            found = self._judged([records[number] for number in numbers], past)
            marked.update(zip(numbers, found.records, strict=True))
            restated += found.restated
        return Judged(tuple(marked[number] for number in range(len(records))), tuple(restated))

    def _judged(self, records: Sequence[Record], past: Past) -> Judged:
        """Of one meter and one class of data."""
        meter, data_class = records[0].meter, records[0].data_class
        if not self._validator.knows(meter):
            return Judged(tuple(records), ())
        wanted: dict[datetime, Wanted] = {}
        for record in records:
            items = [reading.item for reading in record.readings]
            of_slot = wanted.setdefault(record.readings[0].slot, Wanted([], []))
            of_slot.items.extend(items)
            of_slot.steps.extend(self._validator.registers(meter, items))
        histories = past(data_class, meter, wanted)
        return judged(self._validator, records, histories, self._shown.get(meter, NOT_LOOKED))
