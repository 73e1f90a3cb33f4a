"""GET in blocks, both roles: an answer is cut into blocks of whole items, and the blocks are put together.

The client asks for the block behind the one that it names, until a block says that it is the last; the
first is numbered 0 or 1. A block whose number came before is a repetition; a gap, a change of kind and a
DAR end the transfer without data, and so do too many blocks or octets. A record that goes on over the
end of a block comes again in the next one, with the same table and columns: its rows are joined.
Source: spec section 3.5.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeVar

from meterwire.dlt698.apdus import get
from meterwire.dlt698.apdus.apdu import encode_apdu
from meterwire.dlt698.apdus.get import GetRequestNext, GetResponseNext
from meterwire.dlt698.apdus.parts import AttributeResults, Dar, RecordResult, RecordResults, TimeTag

BLOCKS_MAX: Final = 1024
"""Most blocks of one answer."""
OCTETS_MAX: Final = 4 * 1024 * 1024
"""Most octets of all blocks of one answer."""
NUMBERS: Final = 0x10000
"""Block numbers run from 0 to 65535."""
DAR_NO_TRANSFER: Final = Dar(11)
DAR_BLOCK_NUMBER: Final = Dar(14)
DAR_TOO_LONG: Final = Dar(254)
"""Vendor extension: the answer cannot be cut."""
_FIRST_NUMBERS = frozenset({0, 1})
_LONGER_COUNT_OCTETS = 2
"""A count of over 127 takes up to so many octets more than one of 0 or 1."""

Item = TypeVar("Item")
GetAnswer = (
    get.GetResponseNormal | get.GetResponseNormalList | get.GetResponseRecord | get.GetResponseRecordList
)


class BlockSignal(enum.Enum):
    """What a block was."""

    NEXT = "a block, and more follow"
    LAST = "the last block"
    AGAIN = "the block before, again, or no first block"
    REFUSED = "a DAR instead of data"
    BROKEN = "out of order, of another kind, or too much"


class BlockGatherer:
    """Client's side: puts the blocks of one answer together.

    Args:
        request: what was asked.
        blocks_max: most blocks.
        octets_max: most octets of all blocks.

    """

    def __init__(self, request: Any, *, blocks_max: int = BLOCKS_MAX, octets_max: int = OCTETS_MAX) -> None:
        self._request = request
        self._blocks_max = blocks_max
        self._octets_max = octets_max
        self._blocks: list[GetResponseNext] = []
        self._octets = 0

    @property
    def number(self) -> int:
        """Number of the block that came last."""
        return self._blocks[-1].block

    @property
    def begun(self) -> bool:
        """Whether a block was kept."""
        return bool(self._blocks)

    def feed(self, block: GetResponseNext, octets: int) -> BlockSignal:
        """Take a block.

        Args:
            block: decoded.
            octets: its length.

        """
        in_turn = self._in_turn(block)
        if in_turn is None:
            return BlockSignal.AGAIN
        if isinstance(block.result, Dar):
            return BlockSignal.REFUSED
        self._octets += octets
        full = len(self._blocks) == self._blocks_max or self._octets > self._octets_max
        kinds = {type(one.result) for one in (*self._blocks[:1], block)}
        if not in_turn or full or len(kinds) > 1:
            return BlockSignal.BROKEN
        self._blocks.append(block)
        return BlockSignal.LAST if block.last else BlockSignal.NEXT

    def _in_turn(self, block: GetResponseNext) -> bool | None:
        """Whether the number is the one that is due; ``None`` for one that changes nothing."""
        if not self._blocks:
            return True if block.block in _FIRST_NUMBERS or isinstance(block.result, Dar) else None
        if block.block == self.number:
            return None
        return bool(block.block == (self.number + 1) % NUMBERS)

    def answer(self) -> GetAnswer:
        """The answer as if it had come in one; call it after ``LAST``."""
        last = self._blocks[-1]
        tail: dict[str, Any] = {"piid": last.piid, "time_tag": last.time_tag}
        parts = [block.result for block in self._blocks]
        if isinstance(last.result, RecordResults):
            records = self._joined(parts)
            if isinstance(self._request, get.GetRequestRecord) and len(records) == 1:
                return get.GetResponseRecord(record=records[0], **tail)
            return get.GetResponseRecordList(records=records, **tail)
        results = tuple(item for part in parts if isinstance(part, AttributeResults) for item in part.items)
        if isinstance(self._request, get.GetRequestNormal) and len(results) == 1:
            return get.GetResponseNormal(result=results[0], **tail)
        return get.GetResponseNormalList(results=results, **tail)

    def _joined(self, parts: Iterable[object]) -> tuple[RecordResult, ...]:
        joined: list[RecordResult] = []
        for part in parts:
            items = part.items if isinstance(part, RecordResults) else ()
            for at, record in enumerate(items):
                if at == 0 and joined and self._goes_on(joined[-1], record):
                    before = joined.pop()
                    record = before._replace(result=_rows(before) + _rows(record))  # noqa: PLW2901
                joined.append(record)
        return tuple(joined)

    def _goes_on(self, before: RecordResult, record: RecordResult) -> bool:
        """Whether a record goes on: the same table and columns, and asked for once only."""
        asked = getattr(self._request, "records", ())
        twice = sum(one.oad == record.oad for one in asked) > 1
        rows = not isinstance(before.result, Dar) and not isinstance(record.result, Dar)
        return rows and not twice and before[:2] == record[:2]


def _rows(record: RecordResult) -> tuple[Any, ...]:
    return () if isinstance(record.result, Dar) else record.result


# --- the server's side -------------------------------------------------------------------------


class BlockGiver:
    """Server's side: keeps the blocks of one answer, and gives them one a request.

    Args:
        first: number of the first block of an answer, 0 or 1.

    """

    def __init__(self, *, first: int) -> None:
        self._first = first
        self._blocks: list[GetResponseNext] = []
        self._at = 0

    def forget(self) -> None:
        """Another request came: the blocks of the answer before it are no longer asked for."""
        self._blocks = []

    def begin(self, answer: GetAnswer, octets_max: int) -> GetResponseNext:
        """The first block of an answer; a refusal (DAR 254) when it cannot be cut.

        Args:
            answer: that is longer than the client takes.
            octets_max: longest APDU of a block.

        """
        blocks = cut_into_blocks(answer, octets_max, first=self._first)
        if blocks is None:
            return _refused(answer, self._first, DAR_TOO_LONG)
        self._blocks, self._at = blocks, 0
        return blocks[0]

    def next(self, request: GetRequestNext) -> GetResponseNext:
        """The block behind the one that the client has; the current one again when it has not got that."""
        if not self._blocks:
            return _refused(request, request.last_block, DAR_NO_TRANSFER)
        if request.last_block == self._blocks[self._at].block and self._at + 1 < len(self._blocks):
            self._at += 1
        elif self._at == 0 or request.last_block != self._blocks[self._at - 1].block:
            return _refused(request, request.last_block, DAR_BLOCK_NUMBER)
        return _under(request, self._blocks[self._at])


def _refused(to: Any, number: int, dar: Dar) -> GetResponseNext:
    tag: TimeTag | None = to.time_tag
    return GetResponseNext(piid=to.piid, last=True, block=number, result=dar, time_tag=tag)


def _under(request: GetRequestNext, block: GetResponseNext) -> GetResponseNext:
    """A block under the service number of the request for it."""
    return GetResponseNext(
        piid=request.piid,
        last=block.last,
        block=block.block,
        result=block.result,
        follow_report=block.follow_report,
        time_tag=request.time_tag,
    )


def cut_into_blocks(answer: Any, octets_max: int, *, first: int = 1) -> list[GetResponseNext] | None:
    """Cut an answer into blocks; ``None`` when it is no GET answer, or one item is too long for a block.

    Args:
        answer: to a GET request of the kinds Normal, NormalList, Record or RecordList.
        octets_max: longest APDU of a block.
        first: number of the first block, 0 or 1.

    """
    match answer:
        case get.GetResponseNormal(result=result):
            groups = _grouped(answer, (result,), AttributeResults, octets_max)
        case get.GetResponseNormalList(results=results):
            groups = _grouped(answer, results, AttributeResults, octets_max)
        case get.GetResponseRecord(record=record):
            groups = _grouped(answer, _single_rows((record,)), _records, octets_max)
        case get.GetResponseRecordList(records=records):
            groups = _grouped(answer, _single_rows(records), _records, octets_max)
        case _:
            return None
    if groups is None or len(groups) > BLOCKS_MAX:
        return None
    last = len(groups) - 1
    return [_block(answer, group, first + at, last=at == last) for at, group in enumerate(groups)]


def _grouped(
    answer: Any, items: Iterable[Item], make: Callable[[tuple[Item, ...]], Any], octets_max: int
) -> list[Any] | None:
    """Items in groups, each as large as a block may be; ``None`` when one item alone is too large."""
    groups: list[Any] = []
    waiting: list[Item] = []
    empty = len(encode_apdu(_block(answer, make(()), 0, last=True))) + _LONGER_COUNT_OCTETS
    left = room = octets_max - empty
    for item in items:
        size = len(encode_apdu(_block(answer, make((item,)), 0, last=True))) + _LONGER_COUNT_OCTETS - empty
        if size > room:
            return None
        if size > left and waiting:
            groups.append(make(tuple(waiting)))
            waiting, left = [], room
        waiting.append(item)
        left -= size
    groups.append(make(tuple(waiting)))
    return groups


def _block(answer: Any, result: Any, number: int, *, last: bool) -> GetResponseNext:
    """One block; reports go with the last."""
    return GetResponseNext(
        piid=answer.piid,
        last=last,
        block=number % NUMBERS,
        result=result,
        follow_report=answer.follow_report if last else None,
        time_tag=answer.time_tag,
    )


_Single = tuple[int, RecordResult]
"""A row as a record of its own, and the position of the record from which it comes."""


def _single_rows(records: Iterable[RecordResult]) -> Iterator[_Single]:
    """Each row for itself; a record that has none stays as it is."""
    for at, record in enumerate(records):
        if not _rows(record):
            yield at, record
        for row in _rows(record):
            yield at, record._replace(result=(row,))


def _records(singles: tuple[_Single, ...]) -> RecordResults:
    """The rows that come from one record in one record again."""
    joined = []
    for _, group in groupby(singles, itemgetter(0)):
        parts = [record for _, record in group]
        rows = tuple(row for record in parts for row in _rows(record))
        joined.append(parts[0]._replace(result=rows) if rows else parts[0])
    return RecordResults(tuple(joined))
