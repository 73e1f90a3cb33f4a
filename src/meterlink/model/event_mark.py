"""How far the events of one kind of a meter have been read, and what is to be read next.

A meter counts the events of each kind and holds the records of the last ones. The mark says up to which count
all were read; what was counted since is new, as far as the memory reaches. An event that had not ended when
it was read is read again until it has.
"""

from __future__ import annotations

from dataclasses import dataclass

COUNT_MAX = 0xFFFF_FFFF
"""Counts of DL/T 698.45 have 32 bits, those of DL/T 645 six digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMark:
    """Up to where a meter's events of one kind were read.

    Args:
        device: communication address of the meter that counted.
        counted: its count, all of which was read, or is gone; 0 to ``COUNT_MAX``.
        lasting: number of the event that had not ended when it was read last; ``None``: all had.

    """

    device: str
    counted: int
    lasting: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be read of one kind.

    Args:
        lasts: records, counted back from the newest, which is 1; rising.
        gone: how many events were recorded since the mark and are no longer held.

    """

    lasts: tuple[int, ...]
    gone: int


def wanted(
    mark: EventMark | None, device: str, count: int, *, depth: int, was_cleared: bool = False
) -> Wanted:
    """What is to be read of a kind.

    A count that is smaller than the mark began anew: the meter was cleared, or is another one. A meter that
    nobody has read yet is read as far as it remembers; what it forgot before is not counted as gone.

    Args:
        mark: ``None``: nothing was read yet.
        device: communication address of the meter.
        count: how many events it has counted; 0 to ``COUNT_MAX``.
        depth: records that it holds of the kind, 1 or more.
        was_cleared: it was cleared since the mark, and its count may have begun anew.

    """
    if mark is None or mark.device != device:
        return Wanted(lasts=tuple(range(1, min(count, depth) + 1)), gone=0)
    began_anew = count < mark.counted
    new = count if began_anew else count - mark.counted
    held = min(count if was_cleared else new, depth)
    lasts = list(range(1, held + 1))
    if mark.lasting is not None and not began_anew:
        last = count - mark.lasting + 1
        if held < last <= depth:
            lasts.append(last)
    return Wanted(lasts=tuple(lasts), gone=max(0, new - depth))
