"""Reading a terminal's archive (0A F10), some indexes at a time.

Nothing says how many entries there are, or which indexes are in use. Who looks for meters stops at the first
question that brings none, or a few further while meters of the roster are missing; who is about to enter some
asks for all indexes that there can be, many at a time behind the first gap.
Source: spec gdw1376, B3, 0A F10.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final

from meterlink.drivers.gdw1376.archive import ENTRIES_MAX, Entry, entries_of
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.messages.terminal import Group, Unit, unit

ARCHIVE_FN: Final = 10
INDEXES_MAX: Final = 32
"""Entries of the archive that one request asks for: 27 octets each, in a frame of about 1 KB."""
GAP_INDEXES_MAX: Final = 128
"""The same behind a gap, where hardly any are: all 2,040 are twenty questions."""
GAPS_MAX: Final = 3
"""Requests in turn that bring no entry and are looked behind, while meters of the roster are missing."""

Ask = Callable[[Group], Awaitable[Sequence[Unit]]]
"""Has one question of AFN 0A answered; no units where it is denied."""


async def entries_read(ask: Ask, roster: Collection[str], *, whole: bool) -> list[Entry]:
    """The entries, by index.

    Args:
        ask: has a question answered.
        roster: addresses that should be among them.
        whole: to the last index, whatever gaps there are.

    Raises:
        BadAnswer, ConfigError, ReplyTimeout, LineError, BusFull: as ``ask``.

    """
    found: dict[int, Entry] = {}
    first, empty = 1, 0
    while first <= ENTRIES_MAX:
        many = GAP_INDEXES_MAX if whole and empty else INDEXES_MAX
        indexes = list(range(first, min(first + many, ENTRIES_MAX + 1)))
        units = await ask(question(indexes))
        told = [entry for one in units if one.fn == ARCHIVE_FN for entry in entries_of(one.values)]
        new = {entry.number: entry for entry in told if entry.number in indexes and entry.point}
        empty = 0 if new else empty + 1
        missing = set(roster).difference(entry.address for entry in found.values())
        if not whole and empty > (GAPS_MAX if missing and found else 0):
            break
        found.update(new)
        first += many
    return list(found.values())


async def standing(ask: Ask, indexes: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    """What stands at some indexes, as the wire has it, with the meters' passwords: they go nowhere but back.

    Args:
        ask: has a question answered.
        indexes: at most ``INDEXES_MAX``.

    Raises:
        BadAnswer, ConfigError, ReplyTimeout, LineError, BusFull: as ``ask``.

    """
    units = await ask(question(indexes))
    told = [one for each in units if each.fn == ARCHIVE_FN for one in each.values.get("meters", ())]
    return {one["index"]: one for one in told if one["index"] in indexes and one["point"]}


def question(indexes: Sequence[int]) -> Group:
    """For the entries of some indexes."""
    return unit(table.QUERY, ARCHIVE_FN, {"count": len(indexes), "indexes": list(indexes)})
