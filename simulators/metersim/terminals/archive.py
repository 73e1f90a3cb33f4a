"""A concentrator's archive: which meters are behind it, and which of them a meter set means.

Entries are told by their number; another entry of the same number, or of the same address, takes the place of
the one before it. Source: DL/T 698.45-2017, object 6000; spec sections 2.3 and 6.8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from meterwire.dlt698.apdus.parts import SUCCESS, Dar
from meterwire.dlt698.axdr.selection import (
    AllMeters,
    MeterAddresses,
    MeterAddressRegions,
    MeterNumberRegions,
    MeterNumbers,
    MeterSet,
    MeterTypeRegions,
    MeterTypes,
    NoMeters,
    Oad,
    Region,
    Tsa,
)
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.objects.concentrator import METERS_MAX, ArchiveEntry, archive_data, archive_of

ARCHIVE_MAX: Final = METERS_MAX
"""Most meters of one concentrator."""
TYPE_UNFIT: Final = Dar(7)
OUT_OF_RANGE: Final = Dar(8)
NO_SUCH_METHOD: Final = Dar(4)

ADD, ADD_SEVERAL, UPDATE_BASIC, UPDATE_EXTENSION = 127, 128, 129, 130
DELETE, DELETE_BASIC, DELETE_ADDRESS, CLEAR = 131, 132, 133, 134

_BASIC: Final = (
    "address", "baud", "protocol", "port", "password", "tariffs", "user_type", "wiring",
    "rated_voltage", "rated_current",
)  # fmt: skip
_EXTENSION: Final = ("collector", "asset_number", "pt_ratio", "ct_ratio")


class ArchiveFull(ValueError):
    """More meters than a concentrator knows."""


class MeterArchive:
    """The archive.

    Args:
        entries: what is in it at first.

    Raises:
        ArchiveFull: more than 1,000 entries.

    """

    def __init__(self, entries: Sequence[ArchiveEntry] = ()) -> None:
        self._by_number: dict[int, ArchiveEntry] = {}
        if len(entries) > ARCHIVE_MAX:
            raise ArchiveFull(f"{len(entries)} meters in one archive, at most {ARCHIVE_MAX}")
        for entry in entries:
            self._add(entry)
        self._methods: dict[int, Callable[[Data], Dar]] = {
            ADD: lambda data: self._add_all(Data("array", (data,))),
            ADD_SEVERAL: self._add_all,
            UPDATE_BASIC: lambda data: self._update(data, _BASIC),
            UPDATE_EXTENSION: lambda data: self._update(data, _EXTENSION),
            DELETE: self._delete,
            DELETE_BASIC: lambda data: self._delete_where(_member(data, 0), _member(data, 3)),
            DELETE_ADDRESS: lambda data: self._delete_where(_member(data, 0), _member(data, 1)),
            CLEAR: lambda _: self._clear(),
        }

    def __len__(self) -> int:
        """How many meters."""
        return len(self._by_number)

    @property
    def entries(self) -> tuple[ArchiveEntry, ...]:
        """The meters, by number."""
        return tuple(entry for _, entry in sorted(self._by_number.items()))

    def entry(self, address: str) -> ArchiveEntry | None:
        """The entry of a meter, or ``None``.

        Args:
            address: of the meter, 12 digits.

        """
        return next((entry for entry in self._by_number.values() if entry.address == address), None)

    def chosen(self, meters: MeterSet) -> tuple[ArchiveEntry, ...]:
        """The meters of a set, by number; one of the set that is not in the archive is none.

        Args:
            meters: as requests name them.

        """
        return tuple(filter(_test(meters), self.entries))

    def data(self) -> Data:
        """All of it, as the answer to 60000200."""
        return archive_data(self.entries)

    def rows(self) -> Iterator[tuple[ArchiveEntry, Data]]:
        """Each entry as 60010200 writes it."""
        yield from zip(self.entries, self.data().value, strict=True)

    def act(self, method: int, data: Data) -> Dar:
        """Carry out a method of the archive; how it ended.

        Args:
            method: 127 to 134.
            data: its parameter.

        """
        does = self._methods.get(method)
        return NO_SUCH_METHOD if does is None else does(data)

    # --- methods ---

    def _add(self, entry: ArchiveEntry) -> None:
        before = self.entry(entry.address)
        if before is not None:
            self._by_number.pop(before.number, None)
        self._by_number[entry.number] = entry

    def _add_all(self, data: Data) -> Dar:
        if data.type != "array":
            return TYPE_UNFIT
        read = archive_of(data)
        if read.unreadable or len(read.entries) != len(data.value):
            return TYPE_UNFIT
        numbers = {*self._by_number, *(entry.number for entry in read.entries)}
        if len(numbers) > ARCHIVE_MAX:
            return OUT_OF_RANGE
        for entry in read.entries:
            self._add(entry)
        return SUCCESS

    def _update(self, data: Data, names: tuple[str, ...]) -> Dar:
        """Put members of an entry in the place of those that it has."""
        number, members = _member(data, 0), _member(data, 1)
        entry = self._by_number.get(number) if isinstance(number, int) else None
        if entry is None:
            return OUT_OF_RANGE
        [whole] = archive_data([entry]).value
        basic, extension = whole.value[1:3]
        changed = Data("structure", members if isinstance(members, tuple) else ())
        basic, extension = (changed, extension) if names is _BASIC else (basic, changed)
        return self._add_all(
            Data("array", (Data("structure", (whole.value[0], basic, extension, whole.value[3])),))
        )

    def _delete(self, data: Data) -> Dar:
        if data.type != "long-unsigned":
            return TYPE_UNFIT
        return SUCCESS if self._by_number.pop(data.value, None) else OUT_OF_RANGE

    def _delete_where(self, address: object, port: object) -> Dar:
        if not isinstance(address, Tsa) or not isinstance(port, Oad):
            return TYPE_UNFIT
        entry = self.entry(address.digits)
        if entry is None or entry.port != port:
            return OUT_OF_RANGE
        del self._by_number[entry.number]
        return SUCCESS

    def _clear(self) -> Dar:
        self._by_number.clear()
        return SUCCESS


def _member(data: Data, index: int) -> Any:
    """The value of a structure's member; ``None`` where there is none."""
    if data.type != "structure" or index >= len(data.value):
        return None
    return data.value[index].value


def _test(meters: MeterSet) -> Callable[[ArchiveEntry], bool]:
    """Whether an entry is of a set."""
    if isinstance(meters, NoMeters | AllMeters):
        return lambda _: isinstance(meters, AllMeters)
    member = _MEMBERS[type(meters)]
    if isinstance(meters, MeterTypeRegions | MeterAddressRegions | MeterNumberRegions):
        regions = meters.values
        return lambda entry: any(_within(region, member(entry)) for region in regions)
    wanted = {one.digits if isinstance(one, Tsa) else one for one in meters.values}
    return lambda entry: member(entry) in wanted


_MEMBERS: Final[Mapping[type, Callable[[ArchiveEntry], int | str]]] = {
    MeterTypes: lambda entry: entry.user_type,
    MeterTypeRegions: lambda entry: entry.user_type,
    MeterAddresses: lambda entry: entry.address,
    MeterAddressRegions: lambda entry: entry.address,
    MeterNumbers: lambda entry: entry.number,
    MeterNumberRegions: lambda entry: entry.number,
}
"""What of an entry a set goes by."""


def _within(region: Region, key: Any) -> bool:
    """Kinds: 0 [start,end), 1 (start,end], 2 [start,end], 3 (start,end). Source: spec section 2."""
    start, end = (_bound(one) for one in (region.start, region.end))
    if type(start) is not type(key) or type(end) is not type(key):
        return False
    after = start < key or (region.kind in {0, 2} and start == key)
    before = key < end or (region.kind in {1, 2} and key == end)
    return bool(after and before)


def _bound(data: Data) -> Any:
    return data.value.digits if isinstance(data.value, Tsa) else data.value
