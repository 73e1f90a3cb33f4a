"""Layout of load records: each says how long it is.

Source: DL/T 645-2007, annex B; spec section 8.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from meterwire.dlt645.items.shapes import DELIMITER, Group
from meterwire.dlt645.items.values import Given, ItemValue
from meterwire.errors import LocalProtocolError
from meterwire.primitives.checksum import sum8

RECORDS_MAX: Final = 64
"""Most load records of one answer; following frames bring no more."""
_GOOD, _DAMAGED, _END = b"\xa0\xa0", b"\xe0\xe0", 0xE5
_AROUND_OCTETS: Final = 5
"""Octets of a load record that its length does not count: start, the length itself, checksum and end."""


@dataclass(frozen=True, slots=True)
class LoadRecords:
    """Load records (06 xx 00 nn), one behind the other; damaged ones are left out.

    A record is A0 A0 (of a damaged one E0 E0), n, time, six classes each closed by AA (an empty class has
    only its AA), a checksum and E5; n counts from the time to the last AA. One make writes five AA. No data
    at all says that there is no record. What stands behind the records is left out too.

    Args:
        time: the time of the record.
        classes: values of each class, in order.

    """

    time: Group
    classes: tuple[Group, ...]

    @property
    def octets(self) -> int:
        """Octets of one record of all classes."""
        return _AROUND_OCTETS + self.time.octets + sum(group.octets + 1 for group in self.classes)

    @property
    def items(self) -> tuple[str, ...]:
        """None that are sure to be there."""
        return ()

    def decode(self, data: bytes) -> tuple[ItemValue, ...] | None:
        """The values of all good records in ``data``; ``None`` when it holds something else."""
        if not data:
            return ()
        values: list[ItemValue] = []
        bodies = list(self._records(data))
        for body in bodies:
            values += (self._values(body) if body else None) or []
        return tuple(values) if bodies else None

    def lost(self, data: bytes) -> int:
        """How many records of ``data`` are damaged or do not fit, and left out by ``decode``."""
        return sum(not body or self._values(body) is None for body in self._records(data))

    def delimiters(self, data: bytes) -> int:
        """Those of the first good record."""
        for body in self._records(data):
            if body and (groups := self._groups(body)) is not None:
                return len(groups)
        return len(self.classes)

    def is_whole(self, data: bytes) -> bool:
        """Never: another record may follow."""
        del data
        return False

    def encode(self, values: Sequence[Given], delimiters: int | None = None) -> bytes:
        """Records of all classes, of some of them when the labels say of which, or of one by its number.

        Raises:
            LocalProtocolError: values of another record or in another order, contents alone that do not say
                of which class they are, one out of its range, or too few delimiters for the classes.

        """
        count = len(self.classes) if delimiters is None else delimiters
        if all(isinstance(value, ItemValue) for value in values):
            records = self._labelled(values)
        else:
            records = self._counted(values)
        return b"".join(self._record(parts, count) for parts in records)

    def _records(self, data: bytes) -> Iterator[bytes]:
        """From the time to the last delimiter of each record; nothing for a damaged one."""
        at = 0
        for _ in range(RECORDS_MAX):
            record = data[at : at + data[at + 2] + _AROUND_OCTETS] if len(data) > at + 2 else b""
            if record[:2] not in {_GOOD, _DAMAGED} or len(record) < record[2] + _AROUND_OCTETS:
                return
            good = record[:2] == _GOOD and record[-1] == _END and record[-2] == sum8(record[:-2])
            yield record[3:-2] if good else b""
            at += len(record)

    def _groups(self, body: bytes) -> list[Group | None] | None:
        """The classes of a record up to its last delimiter, ``None`` where one is empty, if they fit."""
        groups: list[Group | None] = []
        at = self.time.octets
        for group in self.classes:
            if at == len(body):
                break
            empty = body[at : at + 1] == DELIMITER
            groups.append(None if empty else group)
            at += 0 if empty else group.octets
            if body[at : at + 1] != DELIMITER:
                return None
            at += 1
        return groups if at == len(body) else None

    def _values(self, body: bytes) -> list[ItemValue] | None:
        groups = self._groups(body)
        if groups is None:
            return None
        values = self.time.values(body)
        at = self.time.octets
        for group in groups:
            if group is not None:
                group.extend(values, body, at)
                at += group.octets
            at += 1
        return values

    def _labelled(self, values: Sequence[Given]) -> Iterator[list[bytes]]:
        """The time and each class of each record; of a class that is not there, nothing."""
        at = 0
        while at < len(values):
            if not self.time.begins(values, at):
                raise LocalProtocolError(f"value {at + 1} of {len(values)} has no place in a load record")
            parts: list[bytes] = []
            for group in (self.time, *self.classes):
                size = len(group.layout) if group.begins(values, at) else 0
                parts.append(group.encode(values[at : at + size]))
                at += size
            yield parts

    def _counted(self, values: Sequence[Given]) -> Iterator[list[bytes]]:
        """The same of contents alone: each text is a time and begins a record."""
        starts = [at for at, value in enumerate(values) if isinstance(value, str)]
        if starts[:1] != [0]:
            raise LocalProtocolError("a load record begins with its time")
        for start, end in zip(starts, [*starts[1:], len(values)], strict=True):
            at = start + 1
            groups = self._classes_of(end - at)
            parts = [self.time.encode(values[start:at])]
            for group in self.classes:
                size = len(group.layout) if group in groups else 0
                parts.append(group.encode(values[at : at + size]))
                at += size
            yield parts

    def _classes_of(self, count: int) -> tuple[Group, ...]:
        """All classes, or the one that has so many values."""
        single = [group for group in self.classes if len(group.layout) == count]
        if count == sum(len(group.layout) for group in self.classes):
            return self.classes
        if count and len(single) != 1:
            raise LocalProtocolError(f"{count} values of a load record do not say of which classes they are")
        return tuple(single)

    def _record(self, parts: list[bytes], delimiters: int) -> bytes:
        time, *classes = parts
        if not 0 <= delimiters <= len(classes) or any(classes[delimiters:]):
            raise LocalProtocolError(f"a load record of these classes does not take {delimiters} delimiters")
        body = time + b"".join(part + DELIMITER for part in classes[:delimiters])
        record = _GOOD + bytes((len(body),)) + body
        return record + bytes((sum8(record), _END))
