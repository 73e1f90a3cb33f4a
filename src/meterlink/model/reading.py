"""One value of one meter, the record that one exchange brought, and the row that the log keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from meterlink.model.act import KeptAct
from meterlink.model.event import Event
from meterlink.model.marks import NO_MARKS, Marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value of one meter. Its key is (meter, item, slot).

    Args:
        meter: our id of the meter (not its communication address).
        item: name from the catalogue, e.g. ``forward_active_energy.t1``, ``voltage.a``.
        value: exact, with the digits that the meter sent; ``None`` when ``marks`` says why.
        unit: ``kWh``, ``V``, ...; empty for a number without unit.
        slot: the instant the reading stands for; aware, UTC, whole seconds.
        taken_at: when the answer arrived; aware, UTC.
        marks: what is doubtful about it.
        route: name of the line it came by; where that has several ways, which of them.

    """

    meter: str
    item: str
    value: Decimal | None
    unit: str
    slot: datetime
    taken_at: datetime
    marks: Marks = NO_MARKS
    route: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one exchange brought from one meter: one row of the log, one MQTT message.

    Args:
        meter: our id of the meter; the same in every reading.
        data_class: ``instant``, later ``daily_freeze``, ``curve``, ...: the measurement's name.
        readings: at least one.

    """

    meter: str
    data_class: str
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """A record, an event or an act as the log keeps it.

    Args:
        id: position in the log; grows, is never reused.
        boot: number of the daemon's start that wrote it.
        kept_at: when it was given to the journal; aware, UTC.
        record: what was kept.

    """

    id: int
    boot: int
    kept_at: datetime
    record: Record | Event | KeptAct

    @property
    def readings(self) -> tuple[Reading, ...]:
        """Its readings; nothing else has any."""
        return self.record.readings if isinstance(self.record, Record) else ()
