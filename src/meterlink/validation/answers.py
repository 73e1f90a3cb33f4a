"""Records that came together: judged one after another, oldest first, as if each were kept before the next.

What an earlier one of them shows is the past of the next. What stands behind them in the journal is judged
anew by the last of them alone, however many fill the gap before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from meterlink.model.history import PAST_MAX, History, Judged, Shown
from meterlink.model.look import Look
from meterlink.model.reading import Reading, Record
from meterlink.validation.case import shown
from meterlink.validation.validator import Validator


def judged(
    validator: Validator, records: Sequence[Record], histories: Mapping[datetime, History], look: Look
) -> Judged:
    """Records with their marks.

    Args:
        validator: marks one record.
        records: of one meter and class, each of one slot.
        histories: what was kept around each of the slots.
        look: what the meter showed beside.

    """
    if len(records) == 1:
        history = histories[_slot(records[0])]
        record = validator.marked(records[0], history, look)
        shown_anew = validator.restated(record, history), validator.resettled(record, history)
        return Judged((record,), tuple(one for one in shown_anew if one is not None))
    marked: dict[int, tuple[Record, History]] = {}
    came: dict[str, list[Reading]] = {}
    for number in sorted(range(len(records)), key=lambda one: _slot(records[one])):
        record = records[number]
        history = _after(histories[_slot(record)], _slot(record), came)
        record = validator.marked(record, history, look)
        marked[number] = record, history
        for reading in record.readings:
            came.setdefault(reading.item, []).append(reading)
    anew = [
        validator.restated(record, _unless_between(history, _slot(record), came))
        for record, history in marked.values()
    ]
    anew += _once(validator.resettled(record, history) for record, history in marked.values())
    return Judged(
        tuple(marked[number][0] for number in range(len(records))),
        tuple(one for one in anew if one is not None),
    )


def _slot(record: Record) -> datetime:
    return record.readings[0].slot


def _after(history: History, slot: datetime, came: Mapping[str, Sequence[Reading]]) -> History:
    """A history with what came of it meanwhile."""
    if not came:
        return history
    items = dict(history.items)
    for item, readings in came.items():
        known = history.of(item)
        items[item] = replace(
            known,
            past=_newest_first(known.past, readings, slot),
            same=next((one for one in reversed(readings) if one.slot == slot), known.same),
        )
    return replace(history, items=items)


def _once(settled: Iterable[Record | None]) -> Iterator[Record]:
    """Settlements that several nights show in another light, each register of them once."""
    known: set[tuple[str, datetime]] = set()
    for record in settled:
        new = () if record is None else tuple(r for r in record.readings if (r.item, r.slot) not in known)
        known.update((reading.item, reading.slot) for reading in new)
        if record is not None and new:
            yield replace(record, readings=new)


def _newest_first(past: Iterable[Shown], came: Iterable[Reading], slot: datetime) -> tuple[Shown, ...]:
    """By time; of a slot that was kept and came again, what came."""
    by_slot = {one.at: one for one in past}
    by_slot.update({one.at: one for one in map(shown, came) if one is not None and one.at < slot})
    return tuple(by_slot[at] for at in sorted(by_slot, reverse=True))[:PAST_MAX]


def _unless_between(history: History, slot: datetime, came: Mapping[str, Sequence[Reading]]) -> History:
    """A history without the later readings that another one which came stands before."""

    def stays(item: str, later: Reading | None) -> bool:
        return later is not None and not any(
            slot < one.slot <= later.slot and shown(one) is not None for one in came.get(item, ())
        )

    items = {
        item: known if stays(item, known.later) else replace(known, later=None)
        for item, known in history.items.items()
    }
    return replace(history, items=items)
