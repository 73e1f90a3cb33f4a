"""Whose meter it was behind each revision of the roster, and what the roster said of his other meters then.

A protection is of a customer, at every meter of his, so it comes to a meter in many ways: an entry says so, a
number is written onto the meter or onto another one, another customer moves in. What counts is whether the
household behind a meter was protected when a frame left and is now, and by which revision that turned. An
exchange, or an entry that is written anew, turns nothing.

Source: CTRL-08; decision 20.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from meterlink.model.payload import time_in
from meterlink.model.roster_change import KeptChange
from meterlink.orders.evidence.records import Protection
from meterlink.roster.roster import RosterMeter

_UNTIL: Final = "in_service_until"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The names under which a meter of now has been known.

    Args:
        meter: our id of it.
        chain: its predecessors and itself, the newest last.

    """

    meter: str
    chain: tuple[str, ...]

    @classmethod
    def of(cls, meter: RosterMeter) -> Place:
        """The place of a meter."""
        return cls(meter=meter.id, chain=(*meter.predecessors, meter.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """A meter's customer as one revision left him.

    Args:
        revision: its number.
        number: its place in the log.
        at: when that was kept, as it is written there.
        customer: his number; empty: the roster told none.
        was: numbers under which he was known before.
        kinds: why nobody may cut him off, at whichever meter of his the roster said so, in any season.
        others: numbers of before that the roster told of his other meters, by each name of those.

    """

    revision: int
    number: int
    at: datetime
    customer: str
    was: frozenset[str]
    kinds: frozenset[str]
    others: Mapping[str, frozenset[str]]

    def is_told_of(self, record: Protection, here: Place) -> bool:
        """Whether a protection was his, as ``EvidenceBook.of_meter`` counts it.

        Args:
            record: of any meter.
            here: the meter.

        """
        if self.customer and record.customer == self.customer:
            return True
        if record.meter in here.chain:
            return record.customer == "" or record.customer in self.was
        return record.customer in self.others.get(record.meter, ())


def households(here: Place, others: Sequence[Place], told: Iterable[KeptChange]) -> list[Household]:
    """The household of a meter behind each revision, oldest first.

    Args:
        here: the meter.
        others: meters that are, or were, of the same customer.
        told: what the roster was told of all of these, in any order; of an entry with too long a history the
            newest changes.

    """
    entries: dict[str, dict[str, Any]] = {}
    found = []
    changes = {(one.number, one.change.meter): one for one in told}
    for _, group in groupby(sorted(changes.values(), key=_by_number), key=_by_number):
        kept = list(group)
        for one in kept:
            old, entry = one.change.old or {}, entries.get(one.change.meter, {})
            entries[one.change.meter] = {
                **{key: value for key, value in entry.items() if key not in old},
                **one.change.new,
            }
        found.append(_household(here, others, entries, kept[-1]))
    return found


def turned(states: Sequence[Household], cut_at: int, holds: Callable[[Household], bool]) -> Household | None:
    """By which revision behind a place in the log something came to hold that holds to the end.

    Args:
        states: oldest first.
        cut_at: the place.
        holds: what is asked of each.

    Returns:
        ``None``: it held at that place and ever since, or does not hold at the end.

    """
    held = any(holds(one) for one in [one for one in states if one.number <= cut_at][-1:])
    came: Household | None = None
    for one in (one for one in states if one.number > cut_at):
        is_held = holds(one)
        came = (came if held else one) if is_held else None
        held = is_held
    return came


def _household(
    here: Place, others: Sequence[Place], entries: Mapping[str, Mapping[str, Any]], by: KeptChange
) -> Household:
    names = [name for name in here.chain if name in entries]
    own = entries[names[-1]] if names else {}
    customer = str(own.get("customer_number", ""))
    his = {
        name: entry
        for name, entry in entries.items()
        if customer and entry.get("customer_number", "") == customer and not _is_gone(entry, by.at)
    }
    elsewhere = [(one, his[name]) for one in others for name in one.chain if name in his]
    return Household(
        revision=by.revision,
        number=by.number,
        at=by.at,
        customer=customer,
        was=frozenset(own.get("customer_was", ())),
        kinds=frozenset(kind for entry in (own, *his.values()) for kind in entry.get("protected", ())),
        others={
            name: frozenset(entry.get("customer_was", ())) for one, entry in elsewhere for name in one.chain
        },
    )


def _is_gone(entry: Mapping[str, Any], at: datetime) -> bool:
    return _UNTIL in entry and time_in(entry[_UNTIL]) <= at


def _by_number(one: KeptChange) -> int:
    return one.number
