"""The load records of a meter (06 xx 00 nn): what it showed at each quarter of an hour of its own clock.

A record has the classes that are asked for, 1 to 4 of them at most: voltages, currents and frequency; powers;
power factors; energies. What of a class a meter here does not measure is filled with FFH; a class that is not
recorded has its delimiter alone. Nothing is stored, as with freezes.
Source: DL/T 645-2007, annex B; spec section 8.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from metersim.works.moments import PLANT_TIME
from meterwire.dlt645 import Entry
from meterwire.dlt645.items import formats
from meterwire.dlt645.items.dictionary import Dictionary
from meterwire.dlt645.items.record_selector import RECORDS_MAX
from meterwire.dlt645.items.shapes import DELIMITER
from meterwire.primitives.checksum import sum8

INTERVAL: Final = timedelta(minutes=15)
DEPTH: Final = 2880
"""Records that a meter keeps: 30 days."""

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
    (),  # the four quadrants and the demands are not recorded
    (),
)


class LoadRecords:
    """A meter's table of load records.

    Args:
        value: what the meter shows for an item at a time.
        dictionary: how it writes them.
        since: when it was first switched on, aware; it has no record of that instant or before.
        clock_ahead: how far its clock is ahead of the true time; negative: behind.

    """

    def __init__(
        self,
        value: Callable[[str, datetime], Decimal | None],
        *,
        dictionary: Dictionary,
        since: datetime,
        clock_ahead: timedelta,
    ) -> None:
        self._value = value
        self._dictionary = dictionary
        self._since = since
        self._clock_ahead = clock_ahead

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
        recorded = [items if wanted in {0, number} else () for number, items in enumerate(_CLASSES, start=1)]
        octets = b""
        numbers: dict[str, Decimal] = {}
        for shown in self._chosen(entry.di & 0xFF, selector, at) if any(recorded) else ():
            record, numbers = self._record(shown, recorded)
            octets += record
        return (octets, numbers) if octets else None

    def _chosen(self, which: int, selector: bytes, at: datetime) -> list[datetime]:
        """The times, by the meter's clock, of the records that are asked for, oldest first."""
        count = selector[0] if selector else 1
        timed = which == _FROM_TIME
        if not 1 <= count <= RECORDS_MAX or (len(selector) != 6 if timed else len(selector) > 1):
            return []
        newest_first = list(self._times(at))
        if which == _NEWEST:
            return newest_first[:count][::-1]
        oldest_first = newest_first[::-1]
        if timed:
            moment = formats.moment(_TIME.decode(selector[1:])[0])
            if moment is None:
                return []
            oldest_first = [time for time in oldest_first if time >= moment.replace(tzinfo=PLANT_TIME)]
        return oldest_first[:count]

    def _times(self, at: datetime) -> Iterator[datetime]:
        shown = (at + self._clock_ahead).astimezone(PLANT_TIME)
        newest = shown - (shown - shown.replace(hour=0, minute=0, second=0, microsecond=0)) % INTERVAL
        for number in range(DEPTH):
            if (time := newest - number * INTERVAL) - self._clock_ahead <= self._since:
                return
            yield time

    def _record(self, shown: datetime, recorded: list[tuple[str, ...]]) -> tuple[bytes, dict[str, Decimal]]:
        body = _TIME.encode(f"{shown:%Y-%m-%d %H:%M}")
        numbers: dict[str, Decimal] = {}
        for items in recorded:
            for item in items:
                value = self._value(item, shown - self._clock_ahead)
                entry = self._dictionary.by_name(item)
                assert entry is not None and entry.format is not None, "registers have one format"
                body += entry.format.encode(value)
                numbers |= {} if value is None else {item: value}
            body += DELIMITER
        framed = b"\xa0\xa0" + bytes((len(body),)) + body
        return framed + bytes((sum8(framed), 0xE5)), numbers
