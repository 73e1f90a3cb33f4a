"""Layouts whose parts find their own ends: freeze blocks and load records.

Source: DL/T 645-2007, annexes A.6 and B; spec sections 8.1 and 8.2.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from meterwire.dlt645 import formats
from meterwire.dlt645.shapes import DELIMITER, Group
from meterwire.dlt645.values import ItemValue
from meterwire.errors import LocalProtocolError
from meterwire.primitives.checksum import sum8

RECORDS_MAX: Final = 64
"""Most load records of one answer; following frames bring no more."""


@dataclass(frozen=True, slots=True)
class FreezeBlock:
    """All parts of one freeze (05 xx FF nn): time, registers with their tariffs, variables.

    A meter leaves out what its mode word switches off. With a delimiter behind each part the parts
    show themselves; without, the length must be that of the whole set for some number of tariffs, or
    of the short sets of single-phase meters (time and one or two registers of total and 4 tariffs).

    Args:
        parts: for each part its groups: the total and each tariff, or the one group it is.
        tariffs: tariffs beside the total in what ``encode`` makes and in the short sets.

    """

    parts: tuple[tuple[Group, ...], ...]
    tariffs: int = 4

    @property
    def octets(self) -> int:
        """Octets of the whole set with ``tariffs`` tariffs."""
        return sum(self._sizes(self.tariffs))

    @property
    def items(self) -> tuple[str, ...]:
        """None that are sure to be there."""
        return ()

    def decode(self, data: bytes) -> tuple[ItemValue, ...] | None:
        """The values in ``data``; ``None`` when the parts do not fit."""
        for sizes in self._plain_sizes(len(data)):
            return self._cut(data, sizes, gap=0)
        delimited = self._delimited_sizes(data)
        return None if delimited is None else self._cut(data, delimited, gap=1)

    def encode(self, values: Sequence[formats.Content]) -> bytes:
        """Undo ``decode`` of a whole set, without delimiters.

        Raises:
            LocalProtocolError: not the values of a whole set, or one out of its range.

        """
        per_tariff = sum(len(part[0].layout) for part in self.parts if len(part) > 1)
        fixed = sum(len(part[0].layout) for part in self.parts if len(part) == 1)
        count, rest = divmod(len(values) - fixed, per_tariff) if per_tariff else (1, len(values) - fixed)
        if rest or count < 1:
            raise LocalProtocolError(f"a freeze block does not take {len(values)} values")
        layout = itertools.chain.from_iterable(
            part[0].layout * (count if len(part) > 1 else 1) for part in self.parts
        )
        return b"".join(format_.encode(value) for format_, value in zip(layout, values, strict=True))

    def _sizes(self, tariffs: int) -> list[int]:
        return [part[0].octets * (1 + tariffs if len(part) > 1 else 1) for part in self.parts]

    def _plain_sizes(self, octets: int) -> list[list[int]]:
        """The ways in which that many octets are whole parts from the beginning."""
        counts = [self.tariffs, *range(len(self.parts[-2]))]
        whole = [self._sizes(count) for count in counts if sum(self._sizes(count)) == octets]
        usual = self._sizes(self.tariffs)
        short = [usual[:count] for count in (2, 3) if sum(usual[:count]) == octets]
        return whole or short

    def _delimited_sizes(self, data: bytes) -> list[int] | None:
        sizes: list[int] = []
        at = 0
        for part in self.parts:
            if at >= len(data):
                break
            size, unit = 0, part[0].octets
            while data[at + size : at + size + 1] not in {DELIMITER, b""}:
                size += unit
            if data[at + size : at + size + 1] != DELIMITER or size > unit * len(part):
                return None
            sizes.append(size)
            at += size + 1
        return sizes if at == len(data) and sizes else None

    def _cut(self, data: bytes, sizes: list[int], gap: int) -> tuple[ItemValue, ...]:
        values: list[ItemValue] = []
        at = 0
        for part, size in zip(self.parts, sizes, strict=False):
            for group in part[: size // part[0].octets]:
                values += group.values(data, at)
                at += group.octets
            at += gap
        return tuple(values)


@dataclass(frozen=True, slots=True)
class LoadRecords:
    """Load records (06 xx 00 nn), one behind the other; damaged ones are left out.

    A record is A0 A0, n, time, six classes each closed by AA (an empty class has only its AA), a
    checksum and E5; n counts from the time to the last AA. One make writes five AA.

    Args:
        time: the time of the record.
        classes: values of each class, in order.

    """

    time: Group
    classes: tuple[Group, ...]

    @property
    def octets(self) -> int:
        """Octets of one record of all classes."""
        return 5 + self.time.octets + sum(group.octets + 1 for group in self.classes)

    @property
    def items(self) -> tuple[str, ...]:
        """None that are sure to be there."""
        return ()

    def decode(self, data: bytes) -> tuple[ItemValue, ...] | None:
        """The values of all good records in ``data``; ``None`` when there is none."""
        values: list[ItemValue] = []
        at = 0
        for _ in range(RECORDS_MAX):
            record = data[at : at + data[at + 2] + 5] if len(data) > at + 2 else b""
            if len(record) < 5 or record[:2] not in {b"\xa0\xa0", b"\xe0\xe0"}:
                break
            values += self._record(record) or []
            at += len(record)
        return tuple(values) if values and at == len(data) else None

    def encode(self, values: Sequence[formats.Content]) -> bytes:
        """One record of all classes.

        Raises:
            LocalProtocolError: not the values of one whole record, or one out of its range.

        """
        groups = (self.time, *self.classes)
        if len(values) != sum(len(group.layout) for group in groups):
            raise LocalProtocolError(f"a load record does not take {len(values)} values")
        left = iter(values)
        parts = [b"".join(format_.encode(next(left)) for format_ in group.layout) for group in groups]
        body = parts[0] + b"".join(part + DELIMITER for part in parts[1:])
        record = b"\xa0\xa0" + bytes((len(body),)) + body
        return record + bytes((sum8(record), 0xE5))

    def _record(self, record: bytes) -> list[ItemValue] | None:
        good = record[-1] == 0xE5 and record[-2] == sum8(record[:-2])
        body = record[3:-2]
        if record[:2] != b"\xa0\xa0" or not good or len(body) < self.time.octets:
            return None
        values = self.time.values(body)
        at = self.time.octets
        for group in self.classes:
            if at == len(body):
                break
            if body[at : at + 1] != DELIMITER:
                values += group.values(body, at)
                at += group.octets
            if body[at : at + 1] != DELIMITER:
                return None
            at += 1
        return values if at == len(body) else None
