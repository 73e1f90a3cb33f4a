"""Which registers to read for some rows of a map, in as few requests as the meter and its map allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Block(NamedTuple):
    """Registers that one request reads.

    Args:
        start: address of the first one.
        registers: how many.

    """

    start: int
    registers: int

    @property
    def end(self) -> int:
        """Address after the last one."""
        return self.start + self.registers


def blocks(spans: Iterable[tuple[int, int]], *, registers_max: int, gap_max: int) -> tuple[Block, ...]:
    """The requests that bring all of some spans; none is cut in two.

    Args:
        spans: address and count, 1 to ``registers_max`` each; may repeat and overlap.
        registers_max: most registers of one request.
        gap_max: registers between two spans that are read along rather than left out.

    """
    found: list[Block] = []
    for start, count in sorted(set(spans)):
        last = found[-1] if found else None
        if last is not None:
            together = max(start + count, last.end) - last.start
            if start - last.end <= gap_max and together <= registers_max:
                found[-1] = Block(last.start, together)
                continue
        found.append(Block(start, count))
    return tuple(found)


def wider(
    block: Block, spans: Iterable[tuple[int, int]], *, registers_max: int, gap_max: int
) -> Iterator[Block]:
    """Longer requests that hold a block, the shortest first; all they bring beside it is in the map.

    Args:
        block: wanted.
        spans: address and count of all that the map has.
        registers_max: most registers of one request.
        gap_max: registers between two spans that may be read along.

    """
    ordered = sorted(set(spans))
    wide = block
    while True:
        longer = [
            Block(min(wide.start, start), max(wide.end, start + count) - min(wide.start, start))
            for start, count in ordered
            if start - wide.end <= gap_max and wide.start - (start + count) <= gap_max
        ]
        longer = [one for one in longer if wide.registers < one.registers <= registers_max]
        if not longer:
            return
        wide = min(longer, key=lambda one: one.registers)
        yield wide
