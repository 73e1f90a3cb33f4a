"""What each octet of an identifier's data is: the values, and what stands between them.

Most data is values one behind the other. A freeze block may have a delimiter behind each part, a block one at
its end; a load record has its mark, its count, a delimiter behind each class, its checksum and its end. The
places follow from the layout and not from the octets' looks: a value may look like anything.
Source: DL/T 645-2007, annexes A.6 and B; spec sections 4 and 8.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

from meterwire.dlt645.items.freeze_block import FreezeBlock
from meterwire.dlt645.items.load_records import LoadRecords
from meterwire.dlt645.items.shapes import DELIMITER
from meterwire.dlt645.items.values import Entry, ItemValue

Kind = Literal[
    "value",
    "delimiter",
    "record-mark",
    "record-octets",
    "record-damaged",
    "record-checksum",
    "record-end",
    "rest",
]
"""What a piece is; ``rest`` belongs to no record."""

_MARKS: Final = frozenset({b"\xa0\xa0", b"\xe0\xe0"})
_MARK_OCTETS: Final = 2
_HEAD_OCTETS: Final = 3  # the mark, and how many octets follow up to the last delimiter
_TAIL_OCTETS: Final = 2  # checksum and end


class Piece(NamedTuple):
    """Some octets of the data.

    Args:
        start: index of the first one.
        octets: as sent, unmasked.
        kind: what they are.
        value: what they say, when they are a value.

    """

    start: int
    octets: bytes
    kind: Kind
    value: ItemValue | None = None


def pieces(entry: Entry, data: bytes) -> tuple[Piece, ...]:
    """Every octet of ``data`` in order; nothing when no layout of the entry fits.

    Args:
        entry: what the data is of.
        data: the octets behind the identifier.

    """
    for shape in entry.shapes:
        if isinstance(shape, LoadRecords):
            return tuple(_records(shape, data))
        if (values := shape.decode(data)) is not None:
            return tuple(
                _freeze(shape, values, data) if isinstance(shape, FreezeBlock) else _row(values, data)
            )
    return ()


def _row(values: Sequence[ItemValue], data: bytes, at: int = 0) -> Iterator[Piece]:
    for value in values:
        yield Piece(at, value.raw, "value", value)
        at += len(value.raw)
    if at < len(data):
        yield Piece(at, data[at:], "delimiter")


def _freeze(block: FreezeBlock, values: Sequence[ItemValue], data: bytes) -> Iterator[Piece]:
    """A block has a delimiter behind each part, or at most one at its end."""
    if block.delimiters(data) <= 1:
        yield from _row(values, data)
        return
    at, left = 0, list(values)
    for part in block.parts:
        labels = {label for group in part for label in group.labels}
        while left and left[0].label in labels:
            value = left.pop(0)
            yield Piece(at, value.raw, "value", value)
            at += len(value.raw)
        if at < len(data):
            yield Piece(at, data[at : at + 1], "delimiter")
            at += 1


def _records(shape: LoadRecords, data: bytes) -> Iterator[Piece]:
    """The records, good and damaged, and what belongs to none."""
    at = 0
    while data[at : at + _MARK_OCTETS] in _MARKS and at + _MARK_OCTETS < len(data):
        size = data[at + _MARK_OCTETS] + _HEAD_OCTETS + _TAIL_OCTETS
        record = data[at : at + size]
        if len(record) < size:
            break
        yield from _record(shape, record, at)
        at += size
    if at < len(data):
        yield Piece(at, data[at:], "rest")


def _record(shape: LoadRecords, record: bytes, at: int) -> Iterator[Piece]:
    end = len(record) - _TAIL_OCTETS
    yield Piece(at, record[:_MARK_OCTETS], "record-mark")
    yield Piece(at + _MARK_OCTETS, record[_MARK_OCTETS:_HEAD_OCTETS], "record-octets")
    if values := shape.decode(record):
        yield from _classes(shape, values, record, at)
    elif end > _HEAD_OCTETS:
        yield Piece(at + _HEAD_OCTETS, record[_HEAD_OCTETS:end], "record-damaged")
    yield Piece(at + end, record[end : end + 1], "record-checksum")
    yield Piece(at + end + 1, record[end + 1 :], "record-end")


def _classes(shape: LoadRecords, values: Sequence[ItemValue], record: bytes, at: int) -> Iterator[Piece]:
    """The time and the classes of a good record, each with its delimiter; an empty class has only that."""
    place, left = _HEAD_OCTETS, list(values)
    for group in (shape.time, *shape.classes):
        if place == len(record) - _TAIL_OCTETS:
            return
        if group is shape.time or record[place : place + 1] != DELIMITER:
            for value in left[: len(group.layout)]:
                yield Piece(at + place, value.raw, "value", value)
                place += len(value.raw)
            del left[: len(group.layout)]
        if group is not shape.time:
            yield Piece(at + place, record[place : place + 1], "delimiter")
            place += 1
