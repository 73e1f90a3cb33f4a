"""What was kept of meters, in memory, with the histories that a journal would give of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from meterlink.drivers.registers import capacities
from meterlink.model.data_classes import DAILY_FREEZE, INSTANT, MONTHLY_FREEZE
from meterlink.model.history import PAST_MAX, History, ItemHistory, Shown, Told
from meterlink.model.look import Look
from meterlink.model.marks import NO_MARKS, UNUSABLE, Marks
from meterlink.model.reading import Reading, Record
from meterlink.model.zone import CHINA_TIME
from meterlink.validation.case import shown
from meterlink.validation.facts import MeterFacts
from meterlink.validation.validator import Validator

METER = "m1"
ITEM = "forward_active_energy"
NIGHT = datetime(2026, 11, 22, tzinfo=CHINA_TIME)
DAY = timedelta(days=1)
NEVER_LATE = timedelta(hours=1)
FACTS = MeterFacts(
    capacities=lambda quantity: capacities("dlt645-2007", quantity),
    plate_kva=Decimal("13.2"),
    zone=CHINA_TIME,
    meter_number="000000000161",
)
"""A household of one phase, 220 V and 60 A: 348.48 kWh a day at most."""


def freeze(
    day: int,
    value: Decimal | str | None,
    *,
    item: str = ITEM,
    marks: Marks = NO_MARKS,
    after: timedelta = NEVER_LATE,
    unit: str = "kWh",
) -> Reading:
    """What a register showed on the so many-th midnight, read some time after."""
    slot = NIGHT + day * DAY
    number = Decimal(value) if isinstance(value, str) else value
    return Reading(
        meter=METER, item=item, value=number, unit=unit, slot=slot, taken_at=slot + after, marks=marks
    )


def record_of(*readings: Reading, data_class: str = DAILY_FREEZE) -> Record:
    """One record of them."""
    return Record(meter=METER, data_class=data_class, readings=readings)


@dataclass
class Kept:
    """Everything that was kept, in the order of keeping.

    Args:
        validator: marks what is given to ``take``.

    """

    validator: Validator = field(default_factory=lambda: Validator({METER: FACTS}))
    rows: list[Record] = field(default_factory=list)
    exchanges: tuple[Told, ...] = ()

    def take(self, record: Record, look: Look | None = None) -> Record:
        """Mark a record and keep it, as acquisition does; as it was marked."""
        history = self.history(record)
        marked = self.validator.marked(record, history, look or Look())
        for restate in (self.validator.restated, self.validator.resettled):
            if (restated := restate(marked, history)) is not None:
                self.rows.append(restated)
        self.rows.append(marked)
        return marked

    def newest(self, data_class: str, meter: str = METER) -> dict[tuple[str, datetime], Reading]:
        """What was kept last, by item and slot."""
        return {
            (reading.item, reading.slot): reading
            for row in self.rows
            if (row.data_class, row.meter) == (data_class, meter)
            for reading in row.readings
        }

    def history(self, record: Record) -> History:
        """Around the slot of a record."""
        slot = record.readings[0].slot
        newest = self.newest(record.data_class, record.meter)
        sound = self._sound(record.data_class, record.meter)
        is_month = record.data_class == DAILY_FREEZE
        is_freeze = record.data_class in (DAILY_FREEZE, MONTHLY_FREEZE)
        beside = {item for item, at in newest if at == slot} if is_freeze else set[str]()
        items = {reading.item for reading in record.readings} | beside
        found = {
            item: ItemHistory(
                past=_past(sound, item, slot)[: PAST_MAX if is_month and "." not in item else 1],
                same=newest.get((item, slot)),
                later=next(iter(_behind(sound, item, slot)), None),
            )
            for item in items
        }
        if record.data_class == MONTHLY_FREEZE:
            found = {item: self._with_seen(one, item, slot, record.meter) for item, one in found.items()}
        if is_month:
            settled = sorted(self.newest(MONTHLY_FREEZE, record.meter).items())
            found = {
                item: replace(
                    one, settled=next((r for (name, at), r in settled if name == item and at >= slot), None)
                )
                for item, one in found.items()
            }
        return History(items=found, exchanges=self.exchanges)

    def _sound(self, data_class: str, meter: str) -> dict[tuple[str, datetime], Reading]:
        """What others are measured against is the newest row of the slot that can be."""
        sound: dict[tuple[str, datetime], Reading] = {}
        for row in self.rows:
            if (row.data_class, row.meter) == (data_class, meter):
                sound.update({(one.item, one.slot): one for one in row.readings if _is_sound(one)})
        return sound

    def _with_seen(self, one: ItemHistory, item: str, slot: datetime, meter: str) -> ItemHistory:
        later = None if one.later is None else self._seen(item, one.later.slot, meter)
        return replace(one, seen=self._seen(item, slot, meter), later_seen=later)

    def _seen(self, item: str, slot: datetime, meter: str) -> Shown | None:
        nights = _past(self._sound(DAILY_FREEZE, meter), item, slot + timedelta.resolution)
        moments = {
            key: reading
            for key, reading in self._sound(INSTANT, meter).items()
            if reading.taken_at <= slot - DAY
        }
        return next(iter((*nights, *_past(moments, item, slot - DAY))), None)

    def marks(self, item: str = ITEM, data_class: str = DAILY_FREEZE) -> dict[int, Marks]:
        """Of each midnight of an item, the marks that hold."""
        found = self.newest(data_class)
        return {
            (slot - NIGHT) // DAY: reading.marks
            for (name, slot), reading in sorted(found.items())
            if name == item
        }


def _is_sound(reading: Reading) -> bool:
    return reading.value is not None and not reading.marks & UNUSABLE


def _past(sound: dict[tuple[str, datetime], Reading], item: str, slot: datetime) -> tuple[Shown, ...]:
    keys = [key for key in sorted(sound, reverse=True) if key[0] == item and key[1] < slot]
    return tuple(one for one in (shown(sound[key]) for key in keys) if one is not None)


def _behind(sound: dict[tuple[str, datetime], Reading], item: str, slot: datetime) -> Sequence[Reading]:
    return [sound[key] for key in sorted(sound) if key[0] == item and key[1] > slot]
