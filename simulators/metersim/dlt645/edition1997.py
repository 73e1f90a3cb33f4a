"""What a meter of DL/T 645-1997 shows under the names of its edition, out of the same works as one of 2007.

Its reactive energies and demands by direction are the combined ones, its times have no year, and instead of
records it has the last event alone.
Source: DL/T 645-1997, annex A; spec section 9.2.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from meterprofiles import Profile
from metersim.dlt645.event_records import EventRecords
from metersim.dlt645.frozen import found_data, frozen_data, is_time_of_demand
from metersim.dlt645.nameplate import contents_of, encoded
from metersim.works.works import Works
from meterwire.dlt645 import Entry
from meterwire.item_value import Content

_OTHERWISE: Final = {
    "active_energy": "combined_active_energy",
    "forward_reactive_energy": "combined_reactive_energy_1",
    "reverse_reactive_energy": "combined_reactive_energy_2",
    "forward_reactive_max_demand": "combined_reactive_max_demand_1",
    "reverse_reactive_max_demand": "combined_reactive_max_demand_2",
    "forward_reactive_max_demand_at": "combined_reactive_max_demand_1_at",
    "reverse_reactive_max_demand_at": "combined_reactive_max_demand_2_at",
}
"""Its names -> those of the works: I and IV are forward, II and III reverse, as words 41 and 14 have them."""
_LAST: Final = {"programmed_at": "programming", "demand_cleared_at": "demand_clear"}
_NEVER: Final = "2000-00-00 00:00"
"""Without its year: all zero, "never happened"."""


def _of_works(item: str) -> str:
    """What the works call an item."""
    name, dot, suffix = item.partition(".")
    return _OTHERWISE.get(name, name) + dot + suffix


def _without_year(item: str, content: Content) -> Content:
    """A time as this edition shows it: month, day, hour, minute; any other content as it is."""
    if not isinstance(content, str) or not item.partition(".")[0].endswith("_at"):
        return content
    return content[-len("01-02 03:04") :]


class Edition1997:
    """What one meter of 1997 answers to reads.

    Args:
        works: the meter's.
        profile: its model.
        digits: how many digits of a number an item has.
        written: items that are told as somebody wrote them.

    """

    def __init__(
        self,
        works: Works,
        profile: Profile,
        digits: Callable[[str, Decimal], Decimal | None],
        written: Mapping[str, Content],
    ) -> None:
        self._written = written
        self._works = works
        self._profile = profile
        self._digits = digits

    def data(self, entry: Entry, at: datetime) -> tuple[bytes, dict[str, Decimal]] | None:
        """The data of an identifier; ``None`` when the meter has no such data.

        Args:
            entry: any identifier of this edition.
            at: when it is asked for, aware.

        Returns:
            the octets behind the identifier, and the numbers in them by item.

        """
        if "@settlement" in entry.item:
            said = functools.partial(self._said, at=at)
            return frozen_data(self._works, self._profile.dictionary, entry, at, said)
        if "@" in entry.item:
            shown = contents_of(self._works, self._profile, entry.item, at)
            return None if shown is None else encoded(entry, shown)
        return found_data(entry, self._now, at)

    def _now(self, item: str, at: datetime) -> Content:
        if item in self._written:
            return self._written[item]
        return self._said(item, lambda own: self._works.content(own, at), at=at)

    def _said(self, item: str, content: Callable[[str], Content], *, at: datetime) -> Content:
        """What it shows for an item of this edition, of which the works have a content, or which is extra."""
        found = content(_of_works(item))
        if found is None:
            found = self._extra(item, at)
        return self._digits(item, found) if isinstance(found, Decimal) else _without_year(item, found)

    def _extra(self, item: str, at: datetime) -> Content:
        """What is neither measured nor frozen: parameters, counts, the times of the last events."""
        works = self._works
        name, _, phase = item.partition(".")
        if is_time_of_demand(item):
            demand = _of_works(item).replace("_at", "", 1)
            return None if works.value(demand, at) is None else _NEVER
        if name in _LAST:
            return _started(works, _LAST[name], at)
        if name in {"phase_loss_started_at", "phase_loss_ended_at"}:
            kind = f"phase_loss.{phase}" if phase else "phase_loss"
            return _started(works, kind, at) if name.endswith("started_at") else _ended(works, kind, at)
        if (counted := EventRecords(works).counted(item, at)) is not None:
            return counted
        shown = contents_of(works, self._profile, item, at)
        return shown[0] if shown else None


def _started(works: Works, kind: str, at: datetime) -> Content:
    events = works.events.events(kind, at)
    return _shown(works, events[-1].started_at) if events else _NEVER


def _ended(works: Works, kind: str, at: datetime) -> Content:
    ended = [event.ended_at for event in works.events.events(kind, at) if event.ended_at is not None]
    return _shown(works, ended[-1]) if ended else _NEVER


def _shown(works: Works, at: datetime) -> str:
    return f"{works.clock.shows(at):%Y-%m-%d %H:%M}"
