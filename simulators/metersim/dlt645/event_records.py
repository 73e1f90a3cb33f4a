"""The events of a meter in DL/T 645: counts, durations and records of class 03 and of its sub-items 10 to 21.

Everything is worked out of the log of the works: a record holds what the registers and the measuring elements
showed when its event began, what they counted while it lasted, and what they showed at its end. A record that
there is not yet is all zero. Of what this meter does not measure (ampere-hours, the current while all
voltages are lost, registers of phases that it has not) the fields are filled with FFH.
Source: DL/T 645-2007, annex A.4; spec section 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from metersim.works.causes import CAUSES, PHASE_CAUSES
from metersim.works.events import KINDS, LOAD_KINDS, MONEY_KINDS, RELAY_KINDS, Event
from metersim.works.memory import LOCAL_CAUSE
from metersim.works.plate import PHASES
from metersim.works.registers import CAPACITY_TICKS
from metersim.works.works import Works
from meterwire.dlt645 import Dictionary, Entry
from meterwire.dlt645.items.open_shapes import OpenRecord
from meterwire.item_value import Content

Data = tuple[bytes, dict[str, Decimal]]

PHASED: Final = frozenset({*PHASE_CAUSES, *LOAD_KINDS})
"""Kinds of which each phase has its own events."""
LASTING: Final = frozenset({*CAUSES, *PHASED})
"""Kinds that have a duration."""
NEVER: Final = frozenset(
    {
        "day_tables_set",
        "zone_tables_set",
        "rest_days_set",
        "holidays_set",
        "active_combination_set",
        "reactive_combination_1_set",
        "reactive_combination_2_set",
        "settlement_days_set",
    }
)
"""Kinds that this meter has counters of, and that cannot happen to it: it takes no such parameter."""
RECORDED: Final = frozenset(KINDS) - {*RELAY_KINDS, *MONEY_KINDS} | NEVER
"""Kinds of which there are records here; moves of the relay have their own (`metersim.dlt645.relay`)."""

_COUNTED = re.compile(r"(\w+)_(count|duration)(?:\.([abc]))?").fullmatch
_COUNT_OF_PHASE = re.compile(r"\w+@item/phase\.([123])").fullmatch
_RECORD = re.compile(
    r"(?:[\w.]+@(?:(?P<when>start|end|before|after)/)?)?(?P<kind>\w+?)(?:_record|(?=/any_phase))[@/]"
    r"(?:items/|any_phase/)?(?:phase\.(?P<phase>[123])/)?last\.(?P<last>\d+)"
).fullmatch
_FULL: Final = Decimal(CAPACITY_TICKS).scaleb(-2)
_BEFORE: Final = frozenset({"meter_clear", "demand_clear"})
"""Kinds whose records hold what the registers showed before."""
_GAIN: Final = "_gain"
_MINUTE: Final = timedelta(minutes=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_TOLD: Final = {"operator_code": LOCAL_CAUSE, "written_di": None, "cleared_di": None}
"""What somebody writes into a record; of what nobody sent there is no more."""
_UNBALANCE_MAX: Final = Decimal("99.99")
_COUNT_MAX: Final = 999_999


class _Asked(NamedTuple):
    """What a record is asked for: the so-manieth last event of a kind, and whether it is of its end."""

    kind: str
    last: int
    at_end: bool


class EventRecords:
    """The events of one meter.

    Args:
        works: the meter's.

    """

    def __init__(self, works: Works) -> None:
        self._works = works
        self._log = works.events

    def data(self, entry: Entry, at: datetime) -> Data | None:
        """The data of an identifier of DL/T 645; ``None`` when it tells of no event of this meter.

        Args:
            entry: any identifier.
            at: when it is asked for, aware; past or now.

        Returns:
            the octets behind the identifier, and the numbers in them by item.

        """
        if asked := self._asked(entry.item):
            return self._record(entry, asked, at)
        contents = list(self._counts(entry, at))
        if not entry.items or len(contents) < len(entry.items) or not any(c is not None for c in contents):
            return None
        return entry.encode(contents), _numbers(entry, contents)

    def counted(self, item: str, at: datetime, phase: str = "") -> Decimal | None:
        """A count, or a duration in minutes; ``None`` when the item is none of this meter's.

        Args:
            item: e.g. ``"phase_loss_count.a"`` or ``"power_down_duration"``.
            at: aware; past or now.
            phase: whose, where the item does not say it.

        """
        found = _COUNTED(item)
        if found is None or found[1] not in RECORDED:
            return None
        kind, phase = found[1], found[3] or phase
        if phase and phase not in self._works.plate.phase_names:
            return None
        if kind in PHASED and phase:
            kind = f"{kind}.{phase}"
        if found[2] == "count":
            return Decimal(min(self._log.count(kind, at), _COUNT_MAX))
        if found[1] not in LASTING:
            return None
        return Decimal(min(self._log.duration(kind, at) // _MINUTE, _COUNT_MAX))

    def _counts(self, entry: Entry, at: datetime) -> Iterator[Content]:
        """Of each item its count or duration; nothing more behind the first item that is neither."""
        of_phase = _COUNT_OF_PHASE(entry.item)
        phase = PHASES[int(of_phase[1]) - 1] if of_phase else ""
        for item in entry.items:
            if (found := _COUNTED(item)) is None or found[1] not in RECORDED:
                return
            yield self.counted(item, at, phase)

    def _asked(self, item: str) -> _Asked | None:
        found = _RECORD(item)
        if found is None or found["kind"] not in RECORDED:
            return None
        kind, at_end = found["kind"], found["when"] in {"end", "after"}
        if found["phase"] is not None:
            kind = f"{kind}.{PHASES[int(found['phase']) - 1]}"
        return _Asked(kind, int(found["last"]), at_end)

    def _record(self, entry: Entry, asked: _Asked, at: datetime) -> Data | None:
        phase = asked.kind.partition(".")[2]
        if phase and phase not in self._works.plate.phase_names:
            return None
        events = self._log.events(asked.kind, at)
        if asked.last > len(events):
            return bytes(entry.octets), {}
        if isinstance(shape := entry.shapes[0], OpenRecord):  # no more than what is known of it
            known = tuple(label.item for label in shape.head.labels)
            return entry.encode(list(self._contents(known, asked, events[-asked.last], at))), {}
        contents = list(self._contents(entry.items, asked, events[-asked.last], at))
        return entry.encode(contents), _numbers(entry, contents)

    def _contents(self, items: Iterable[str], asked: _Asked, event: Event, at: datetime) -> Iterator[Content]:
        """Field by field; an item that comes twice is that of the event's end the second time."""
        seen: set[str] = set()
        for item in items:
            yield self._field(item, event, at, again=asked.at_end or item in seen)
            seen.add(item)

    def _field(self, item: str, event: Event, at: datetime, *, again: bool) -> Content:
        if item == "written_di" and again:
            return None  # a record ends with each write, so the others are filled
        if item in event.details:
            return event.details[item]
        if item in _TOLD:
            return _TOLD[item]
        if item in {"event_started_at", "event_at", "event_ended_at"}:
            return self._shown(event.ended_at if item == "event_ended_at" else event.started_at)
        return self._measured(item, event, at, again=again)

    def _measured(self, item: str, event: Event, at: datetime, *, again: bool) -> Content:
        if item == "unbalance":
            return self._unbalance(event)
        name, _, phase = item.partition(".")
        if name.endswith(_GAIN):
            gained = f"{name.removesuffix(_GAIN)}.{phase}" if phase else name.removesuffix(_GAIN)
            return self._gain(gained, event, at)
        if again:
            return None if event.ended_at is None else self._works.content(item, event.ended_at)
        before = _MICROSECOND if event.kind in _BEFORE else timedelta()
        return self._works.content(item, event.started_at - before)

    def _gain(self, item: str, event: Event, at: datetime) -> Decimal | None:
        """What a register counted during the event; of one that was cleared meanwhile, since then."""
        before = self._works.value(item, event.started_at)
        after = self._works.value(item, event.ended_at or at)
        if before is None or after is None:
            return None
        gained = after - before
        if gained >= 0 or item.startswith("combined_"):
            return gained
        return gained + _FULL if before > _FULL / 2 else after

    def _unbalance(self, event: Event) -> Decimal:
        """How much smaller the smallest voltage or current is than the largest, in percent."""
        quantity = "voltage" if event.kind.startswith("voltage") else "current"
        found = [
            abs(self._works.value(f"{quantity}.{phase}", event.started_at) or Decimal(0))
            for phase in self._works.plate.phase_names
        ]
        largest = max(found)
        percent = (largest - min(found)) * 100 / largest if largest else Decimal(0)
        return min(percent, _UNBALANCE_MAX).quantize(Decimal("0.01"))

    def _shown(self, at: datetime | None) -> str | None:
        return None if at is None else f"{self._works.clock.shows(at):%Y-%m-%d %H:%M:%S}"


def kind_of(dictionary: Dictionary, di: int) -> str | None:
    """Which events an identifier with FFH at its end is all of; ``None``: none that are recorded.

    Args:
        dictionary: of the meter.
        di: e.g. 0x030100FF (voltage losses of every phase) or 0x030101FF (of phase a).

    """
    for last in (1, 0):
        entry = dictionary.by_di(di & ~0xFF | last)
        if entry is None:
            continue
        if record := _RECORD(entry.item):
            phase = f".{PHASES[int(record['phase']) - 1]}" if record["phase"] else ""
            return f"{record['kind']}{phase}" if record["kind"] in RECORDED else None
        if (counted := _COUNTED(entry.items[0] if entry.items else "")) and counted[1] in RECORDED:
            return counted[1]
    return None


def _numbers(entry: Entry, contents: list[Content]) -> dict[str, Decimal]:
    found = zip(entry.items, contents, strict=True)
    return {item: content for item, content in found if isinstance(content, Decimal)}
