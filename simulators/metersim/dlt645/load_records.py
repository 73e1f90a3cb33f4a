"""The load records of a meter (06 xx 00 nn): what it showed at each quarter of an hour of its own clock.

A record has the classes that are asked for: voltages, currents and frequency; powers; power factors; energies
by direction, by quadrant; demands. What of a class a meter does not measure is filled with FFH; a class of
which it measures nothing has its delimiter alone. Nothing is stored, as with freezes.
Source: DL/T 645-2007, annex B; spec section 8.2.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Final

from metersim.works.freezes import CURVE, Between, Freeze
from metersim.works.moments import PLANT_TIME
from metersim.works.works import Works
from meterwire.dlt645 import Entry
from meterwire.dlt645.items import formats
from meterwire.dlt645.items.dictionary import Dictionary
from meterwire.dlt645.items.record_selector import RECORDS_MAX
from meterwire.dlt645.items.shapes import DELIMITER
from meterwire.primitives.checksum import sum8

DEPTH: Final = 2880
"""Records that a meter keeps: 30 days."""

_STEP: Final = timedelta(minutes=15)
_OLDEST, _FROM_TIME, _NEWEST = 0, 1, 2
_TIME: Final = formats.parse("YYMMDDhhmm")
_PHASES = (".a", ".b", ".c")
_TOTAL_AND_PHASES = ("", *_PHASES)
_CLASSES: Final = (
    (*(f"{name}{phase}" for name in ("voltage", "current") for phase in _PHASES), "frequency"),
    tuple(f"{name}{phase}" for name in ("active_power", "reactive_power") for phase in _TOTAL_AND_PHASES),
    tuple(f"power_factor{phase}" for phase in _TOTAL_AND_PHASES),
    (
        "forward_active_energy",
        "reverse_active_energy",
        "combined_reactive_energy_1",
        "combined_reactive_energy_2",
    ),
    tuple(f"reactive_energy_q{quadrant}" for quadrant in (1, 2, 3, 4)),
    ("active_demand", "reactive_demand"),
)


class LoadRecords:
    """A meter's table of load records.

    Args:
        works: of the meter.
        dictionary: how it writes them.

    """

    def __init__(self, works: Works, *, dictionary: Dictionary) -> None:
        self._works = works
        self._dictionary = dictionary

    def data(self, entry: Entry, selector: bytes, at: datetime) -> tuple[bytes, dict[str, Decimal]] | None:
        """The records that a request asks for; ``None`` when it is none of the kinds, or finds no record.

        Args:
            entry: of 06 xx 00 nn.
            selector: N, or N and a time; empty is one record.
            at: when it is asked for, aware.

        Returns:
            the octets behind the identifier, and the numbers of the last record by item.

        """
        wanted = entry.di >> 16 & 0xFF
        recorded = [
            items if wanted in {0, number} and self._works.value(items[0], at) is not None else ()
            for number, items in enumerate(_CLASSES, start=1)
        ]
        octets = b""
        numbers: dict[str, Decimal] = {}
        for freeze in self.chosen(entry.di & 0xFF, selector, at) if any(recorded) else ():
            record, numbers = self._record(freeze, recorded)
            octets += record
        return (octets, numbers) if octets else None

    def chosen(self, which: int, selector: bytes, at: datetime) -> list[Freeze]:
        """The instants of the records that are asked for, oldest first.

        Args:
            which: the oldest ones, those from a time on, or the newest: nn of the identifier, 0 to 2.
            selector: N, or N and a time; empty is one record.
            at: when it is asked for, aware.

        """
        count = selector[0] if selector else 1
        timed = which == _FROM_TIME
        if not 1 <= count <= RECORDS_MAX or (len(selector) != 6 if timed else len(selector) > 1):
            return []
        depth = self._works.plate.depth(CURVE.name, DEPTH)
        if which == _NEWEST:
            return list(islice(self._works.freezes(CURVE.name, at), min(count, depth)))[::-1]
        begin = None
        if timed:
            moment = formats.moment(_TIME.decode(selector[1:])[0])
            if moment is None:
                return []
            begin = moment.replace(tzinfo=PLANT_TIME)
        if (found := self._near(begin, count, depth, at)) is not None:
            return found
        oldest_first = list(islice(self._works.freezes(CURVE.name, at), depth))[::-1]
        return [freeze for freeze in oldest_first if begin is None or freeze.frozen_at >= begin][:count]

    def _near(self, begin: datetime | None, count: int, depth: int, at: datetime) -> list[Freeze] | None:
        """The first records from a time on, without a walk through all; ``None``: only that would tell.

        As many numbers as lie between a record and the newest one, so many records there are at most: what is
        so near is kept, also where the meter was off and left numbers out. A meter that was never off, and
        the clock of which nobody has set, leaves none out.
        """
        newest = next(self._works.freezes(CURVE.name, at), None)
        if newest is None or (begin is not None and begin > newest.frozen_at):
            return []
        oldest = newest.frozen_at - (depth - 1) * _STEP
        if self._works.undisturbed:
            begin = oldest if begin is None else max(begin, oldest)
        elif begin is None or begin < oldest:
            return None
        found: list[Freeze] = []
        while len(found) < count and begin <= newest.frozen_at:
            end = begin + count * _STEP
            found += list(self._works.freezes(CURVE.name, at, Between(begin, end)))[::-1]
            begin = end
        return found[:count] if found and newest.number - found[0].number < depth else None

    def _record(self, freeze: Freeze, recorded: list[tuple[str, ...]]) -> tuple[bytes, dict[str, Decimal]]:
        body = _TIME.encode(f"{freeze.frozen_at:%Y-%m-%d %H:%M}")
        numbers: dict[str, Decimal] = {}
        for items in recorded:
            for item in items:
                value = self._works.value(item, freeze.taken_at)
                entry = self._dictionary.by_name(item)
                assert entry is not None and entry.format is not None, "registers have one format"
                body += entry.format.encode(value)
                numbers |= {} if value is None else {item: value}
            body += DELIMITER
        framed = b"\xa0\xa0" + bytes((len(body),)) + body
        return framed + bytes((sum8(framed), 0xE5)), numbers
