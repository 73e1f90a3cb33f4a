"""One thing that happened at a meter or terminal, as it told it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

EVENT: Final = "event"
"""The measurement of events, and the class of their rows. Source: decision 16."""
VALUES_MAX: Final = 1_000
"""Values that one event may have; what a device tells beyond is kept as its octets."""
TEXT_MAX: Final = 140_000
"""Characters of one text: the longest message of any protocol, 65,535 octets, as hex digits, and room."""

EventContent = Decimal | datetime | str
"""A number with the digits that the device sent, a time (aware, UTC), or text for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventValue:
    """One value that came with an event.

    Args:
        item: name from the catalogue, ``@`` and when around the event behind: ``voltage.a@start``.
        content: see ``EventContent``.
        unit: as in ``Reading``; empty for a time, a text, and a number without unit.

    """

    item: str
    content: EventContent
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: one row of the log, one MQTT message.

    An event that lasts is told when it begins and again when it has ended: that is two rows, whose
    ``occurred_at`` is the same. Told again with the same words it is the same event, whatever the report.

    Args:
        meter: our id of the meter or terminal at which it happened.
        kind: what happened, as the dictionaries name it: ``power_down``, ``voltage_loss.a``.
        occurred_at: when it began, as the device says; aware, UTC; ``None`` when it does not say.
        ended_at: when it was over; aware, UTC; ``None`` when it is not, or the device does not say.
        values: what came with it, at most ``VALUES_MAX``.
        taken_at: when we were told; aware, UTC.
        route: name of the line it came by.
        source: protocol and object that told it: ``dlt698.45 30110200``.

    """

    meter: str
    kind: str
    occurred_at: datetime | None
    ended_at: datetime | None
    values: tuple[EventValue, ...]
    taken_at: datetime
    route: str = ""
    source: str = ""

    @property
    def data_class(self) -> str:
        """As of a record: the measurement's name."""
        return EVENT

    @property
    def at(self) -> datetime:
        """The time under which it stands: when it occurred, else when we were told."""
        return self.occurred_at or self.taken_at

    @property
    def key(self) -> str:
        """The same for the same event of a meter, however often and by which way it is told.

        Without a time of its own, an event told at another time is another event.
        """
        told: list[EventContent | None] = [self.source, self.kind, self.at, self.ended_at]
        told += [part for value in self.values for part in (value.item, value.content, value.unit)]
        text = json.dumps([_written(part) for part in told], ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def _written(part: EventContent | None) -> str | list[str] | None:
    """Without doubt which of the kinds it is."""
    match part:
        case datetime():
            return [part.astimezone(UTC).isoformat()]
        case Decimal():
            return [str(part), ""]
        case _:
            return part
