"""One thing that happened at a meter or terminal, as it told it."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, NamedTuple

from meterlink.model.event_kinds import base_of

EVENT: Final = "event"
"""The measurement of events, and the class of their rows. Source: decision 16."""
VALUES_MAX: Final = 1_000
"""Values that one event may have; what a device tells beyond is kept as its octets."""
TEXT_MAX: Final = 140_000
"""Characters of one text: the longest message of any protocol, 65,535 octets, as hex digits, and room."""

NUMBER: Final = "event_number"
"""Item: how manieth of its kind an event is, as its meter counts."""
WHOSE: Final = "communication_address"
"""Item: address of the meter at which it happened, where that is none of ours."""

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
    ``occurred_at`` is the same. What a meter has recorded is one event by its kind, its beginning and its
    number, by whichever way and in whichever words it is told (``fate``); anything else is the same event
    only if it is told again with the same words.

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
    def number(self) -> int | None:
        """How manieth of its kind it is, as the meter counts; ``None``: nobody said."""
        told = next((value.content for value in self.values if value.item == NUMBER), None)
        return int(told) if isinstance(told, Decimal) and told == told.to_integral_value() else None

    @property
    def is_record(self) -> bool:
        """Whether it is of a kind that meters record, with a beginning: it has an identity of its own."""
        return self.occurred_at is not None and bool(base_of(self.kind))

    @property
    def telling(self) -> Telling:
        """What tells it from others of its meter, kind and beginning."""
        whose = next((str(value.content) for value in self.values if value.item == WHOSE), "")
        return Telling(self.number, whose, self.ended_at is not None)

    @property
    def key(self) -> str:
        """The same for the same words about an event of a meter, however often they are told.

        Without a time of its own, an event told at another time is another event.
        """
        told: list[EventContent | None]
        if self.is_record:
            number, whose, is_over = self.telling
            told = [self.kind, self.at, str(number), whose, str(is_over)]
        else:
            told = [self.source, self.kind, self.at, self.ended_at]
            told += [part for value in self.values for part in (value.item, value.content, value.unit)]
        text = json.dumps([_written(part) for part in told], ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class Telling(NamedTuple):
    """What tells an event from others of its meter, kind and beginning.

    Args:
        number: as the meter counts; ``None``: nobody said.
        whose: address of a meter that is none of ours; empty: it is of the meter under which it stands.
        is_over: its end is known.

    """

    number: int | None
    whose: str
    is_over: bool

    def is_of(self, other: Telling) -> bool:
        """Whether both may tell one event: they do not differ in what both say."""
        same_number = self.number is None or other.number is None or self.number == other.number
        return same_number and self.whose == other.whose


class Fate(enum.Enum):
    """What becomes of an event that is told."""

    NEW = enum.auto()
    COMPLETES = enum.auto()
    KNOWN = enum.auto()


def fate(kept: Iterable[Telling], told: Telling) -> Fate:
    """Whether an event is kept, completes one that is kept, or is known.

    Args:
        kept: of the same meter, kind and beginning.
        told: what is told.

    """
    same = [one for one in kept if one.is_of(told)]
    if not same:
        return Fate.NEW
    is_completing = told.is_over and not any(one.is_over for one in same)
    return Fate.COMPLETES if is_completing else Fate.KNOWN


def _written(part: EventContent | None) -> str | list[str] | None:
    """Without doubt which of the kinds it is."""
    match part:
        case datetime():
            return [part.astimezone(UTC).isoformat()]
        case Decimal():
            return [str(part), ""]
        case _:
            return part
