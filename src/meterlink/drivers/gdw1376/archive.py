"""A terminal's archive (0A F10): which measuring point is which meter, and whether the roster agrees.

A value of a point is some meter's only by what the archive says of it. So a point or an address that stands
there twice names nobody, and what an entry says is believed until the terminal logs in or is dialled anew,
and for a few hours at the most: whoever changes an archive is found out then.
Source: spec gdw1376, B3, 04 / 0A F10.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

ENTRIES_MAX: Final = 2_040
"""Points that a terminal can have."""
_ONES: Final = 0xFFFF
UNREAD_PROTOCOL: Final = 0
"""The terminal does not read the point."""


class Entry(NamedTuple):
    """One meter of an archive.

    Args:
        number: its index in the archive, which is not its point.
        point: measuring point, 1 to 2040.
        address: of the meter, 12 digits; empty: it cannot be read.
        port: of the terminal, 0 to 31.
        baud_code: 0 the port's own, 1 to 7.
        protocol: the terminal's number for it: 30 DL/T 645-2007, 31 a carrier module, others its maker's.
        collector: 12 digits; zeros: none.

    """

    number: int
    point: int
    address: str
    port: int
    baud_code: int
    protocol: int
    collector: str


class Differences(NamedTuple):
    """How an archive and the roster of its line differ.

    Args:
        missing: addresses of the roster that the terminal does not know: it reads nothing of them.
        strange: addresses of the archive that the roster of the line has not.
        doubled: points and addresses that stand in the archive twice.

    """

    missing: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.missing or self.strange or self.doubled)


class Archive:
    """What a terminal has said of its meters.

    Args:
        entries: in the order of the archive.

    Attributes:
        entries: those that name a point and a meter.
        doubled: points and addresses that stand there twice.
        unreadable: entries that name no meter, or a point that there is not.

    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        told = [entry for entry in entries if _is_told(entry)]
        self.entries = tuple(one for one in told if one.address and one.point <= ENTRIES_MAX)
        self.unreadable = len(told) - len(self.entries)
        points = Counter(entry.point for entry in self.entries)
        addresses = Counter(entry.address for entry in self.entries)
        self.doubled = (
            *(f"point {point}" for point, count in points.items() if count > 1),
            *(address for address, count in addresses.items() if count > 1),
        )
        certain = [
            entry for entry in self.entries if points[entry.point] == 1 and addresses[entry.address] == 1
        ]
        self._by_address = {entry.address: entry for entry in certain}
        self._by_point = {entry.point: entry for entry in certain}

    def of_address(self, address: str) -> Entry | None:
        """The one entry of a meter."""
        return self._by_address.get(address)

    def of_point(self, point: int) -> Entry | None:
        """The one entry of a measuring point."""
        return self._by_point.get(point)

    def points_of(self, addresses: Collection[str]) -> frozenset[int]:
        """The points of some meters, of those that have one alone."""
        return frozenset(entry.point for address, entry in self._by_address.items() if address in addresses)

    def differences(self, roster: Collection[str]) -> Differences:
        """How it differs from the meters that should be behind the terminal.

        Args:
            roster: their addresses, 12 digits.

        """
        here = {entry.address for entry in self.entries}
        return Differences(
            missing=tuple(sorted(set(roster) - here)),
            strange=tuple(sorted(here.difference(roster))),
            doubled=self.doubled,
        )


def _is_told(entry: Entry) -> bool:
    """Whether an entry is one at all: some terminals fill what they do not use with zeros, or with ones."""
    if not entry.address:
        return entry.point not in {0, _ONES}
    return bool(entry.point and entry.address.strip("0"))


def entries_of(values: Mapping[str, Any]) -> list[Entry]:
    """The entries in one unit of 0A F10; the address of one that is no number is empty.

    Args:
        values: of the unit, by field name.

    """
    return [
        Entry(
            number=told["index"],
            point=told["point"],
            address=told["addr"] or "",
            port=told["port"],
            baud_code=told["baud_code"],
            protocol=told["protocol"],
            collector=told["collector"] or "",
        )
        for told in values.get("meters", ())
    ]
