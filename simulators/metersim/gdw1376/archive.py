"""A terminal's archive (parameter F10): its measuring points, each with a meter behind a port.

An entry has an index, which is the archive's own number, and a point, by which data are asked for. An entry
whose point is 0 deletes what has its index; one of an index, point or address that is there takes its place.
Source: spec section B3, 04 / 0A F10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from metersim.terminals.archive import ARCHIVE_MAX
from metersim.terminals.meters import DLT645_1997, DLT645_2007, DLT698_45
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.objects.concentrator import CARRIER, FIRST_RS485, ArchiveEntry
from meterwire.gdw1376.link.unit_ids import POINT_MAX

POINTS_MAX: Final = ARCHIVE_MAX
"""Most meters of one terminal."""
PROTOCOL_698: Final = 3
"""Of a meter of DL/T 698.45; makers choose a number of their own, and this one is ours."""
PROTOCOL_1997, PROTOCOL_2007, PROTOCOL_CARRIER = 1, 30, 31
PORT_RS485, PORT_CARRIER = 2, 31
"""Ports as archive and forwarding number them."""
PORTS: Final[Mapping[int, Oad]] = {PORT_RS485: FIRST_RS485, PORT_CARRIER: CARRIER}
SINGLE_PHASE, THREE_PHASE = 0, 1
"""Large classes of ours: of the customers that a meter counts for."""
_READ_AS: Final[Mapping[int, int]] = {
    PROTOCOL_1997: DLT645_1997,
    PROTOCOL_2007: DLT645_2007,
    PROTOCOL_CARRIER: DLT645_2007,
    PROTOCOL_698: DLT698_45,
}
_WIRING: Final = {SINGLE_PHASE: 1, THREE_PHASE: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class PointEntry:
    """One entry of F10.

    Args:
        index: the archive's own number, 1 or more.
        point: measuring point, 1 to 2,040; 0 deletes.
        addr: of the meter, 12 digits.
        port: 2 the first RS-485, 31 the carrier.
        protocol: 1, 30, 31, or 3 for DL/T 698.45; others are kept, and not read.
        baud_code: 0 default, 1 to 7: 600 to 19,200 bit/s.
        password: six octets.
        tariffs: their number.
        integer_digits: 4 to 7.
        decimals: 1 to 4.
        collector: address of its collector, 12 digits, zeros for none.
        class_large: class of the customer.
        class_small: the same, finer.

    """

    index: int
    point: int
    addr: str
    port: int = PORT_CARRIER
    protocol: int = PROTOCOL_2007
    baud_code: int = 0
    password: bytes = field(default=bytes(6), repr=False)
    tariffs: int = 4
    integer_digits: int = 6
    decimals: int = 2
    collector: str = "000000000000"
    class_large: int = SINGLE_PHASE
    class_small: int = 0

    @property
    def has_three_phases(self) -> bool:
        """Whether reactive energy is worth reading."""
        return self.class_large == THREE_PHASE


class PointArchive:
    """The archive.

    Args:
        entries: what is in it at first.

    Raises:
        ValueError: more than 1,000 entries, or one out of its range.

    """

    def __init__(self, entries: Sequence[PointEntry] = ()) -> None:
        self._by_index: dict[int, PointEntry] = {}
        self._by_point: dict[int, PointEntry] = {}
        self._by_address: dict[str, PointEntry] = {}
        if not all(self.put(entry) for entry in entries):
            raise ValueError(f"an archive has {POINTS_MAX} points at most, from 1 to {POINT_MAX}")

    def __len__(self) -> int:
        """How many points."""
        return len(self._by_index)

    @property
    def entries(self) -> tuple[PointEntry, ...]:
        """The entries, by index."""
        return tuple(entry for _, entry in sorted(self._by_index.items()))

    def at(self, index: int) -> PointEntry | None:
        """The entry of an index."""
        return self._by_index.get(index)

    def point(self, number: int) -> PointEntry | None:
        """The entry of a measuring point."""
        return self._by_point.get(number)

    def put(self, entry: PointEntry) -> bool:
        """Take an entry; whether it could be taken.

        Args:
            entry: with point 0 it deletes.

        """
        if not entry.point:
            self._drop(self._by_index.get(entry.index))
            return True
        same = (
            self._by_index.get(entry.index),
            self._by_point.get(entry.point),
            self._by_address.get(entry.addr),
        )
        gone = {one.index: one for one in same if one is not None}
        room = len(self) - len(gone) < POINTS_MAX
        if not room or not entry.index or entry.point > POINT_MAX or not entry.addr.isdecimal():
            return False
        for one in gone.values():
            self._drop(one)
        self._by_index[entry.index] = self._by_point[entry.point] = self._by_address[entry.addr] = entry
        return True

    def put_all(self, values: Sequence[Mapping[str, Any]]) -> bool:
        """Take entries as a frame has them; whether all could be taken."""
        taken = [self.put(PointEntry(**one)) for one in values]
        return all(taken)

    def clear(self) -> None:
        """Forget all of them."""
        self._by_index.clear()
        self._by_point.clear()
        self._by_address.clear()

    def _drop(self, entry: PointEntry | None) -> None:
        if entry is not None:
            del self._by_index[entry.index], self._by_point[entry.point], self._by_address[entry.addr]


def read_as(entry: PointEntry) -> ArchiveEntry | None:
    """An entry as what reads meters wants it; ``None``: it is not to be read, or nobody here can."""
    protocol, port = _READ_AS.get(entry.protocol), PORTS.get(entry.port)
    if protocol is None or port is None:
        return None
    return ArchiveEntry(
        number=entry.point,
        address=entry.addr,
        protocol=protocol,
        port=port,
        tariffs=entry.tariffs,
        wiring=_WIRING.get(entry.class_large, 0),
    )
