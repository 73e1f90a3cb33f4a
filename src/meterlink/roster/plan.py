"""The difference of two rosters: what comes, what becomes other, what goes; no I/O.

A meter that goes stays in the roster, out of service: its readings are kept under its id, and whose they are
must be known as long as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from meterlink.config.meters import MeterSettings
from meterlink.model.roster_change import EntryChange, difference
from meterlink.roster.entries import Meters, entry_of, is_gone
from meterlink.roster.saying import Saying, followed


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would have to become other.

    Args:
        added: meters that the roster has not.
        changed: meters of which it says something else.
        retired: meters that are in service and not wanted.
        unchanged: how many stay as they are.

    """

    added: tuple[MeterSettings, ...]
    changed: tuple[MeterSettings, ...]
    retired: tuple[MeterSettings, ...]
    unchanged: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing becomes other."""
        return not (self.added or self.changed or self.retired)

    @property
    def touched(self) -> tuple[MeterSettings, ...]:
        """The meters whose entries become other, as they will be."""
        return (*self.added, *self.changed, *self.retired)


def plan(before: Meters, wanted: Iterable[MeterSettings], at: datetime, *, partial: bool = False) -> Plan:
    """How to come from one roster to another.

    Args:
        before: the roster as it is, with those out of service.
        wanted: as it shall be; each id once.
        at: when meters that are not wanted go out of service.
        partial: whether meters that ``wanted`` does not name stay as they are.

    """
    named: set[str] = set()
    added: list[MeterSettings] = []
    changed: list[MeterSettings] = []
    unchanged = 0
    for told in wanted:
        meter = told
        named.add(meter.id)
        old = before.get(meter.id)
        if old is not None and old.customer_number == meter.customer_number:
            meter = followed(old, meter, Saying.NOTHING)  # no file knows what people said
        if old is None:
            added.append(meter)
        elif old != meter:
            changed.append(meter)
        else:
            unchanged += 1
    others = [meter for meter in before.values() if meter.id not in named]
    retired = [] if partial else [meter for meter in others if not is_gone(meter, at)]
    return Plan(
        added=tuple(added),
        changed=tuple(changed),
        retired=tuple(meter.model_copy(update={"in_service_until": at}) for meter in retired),
        unchanged=unchanged + len(others) - len(retired),
    )


def result(before: Meters, touched: Iterable[MeterSettings]) -> dict[str, MeterSettings]:
    """The roster after some of its entries became other."""
    return {**before, **{meter.id: meter for meter in touched}}


def changes(before: Meters, touched: Iterable[MeterSettings]) -> list[EntryChange]:
    """What becomes other, field by field, as the journal keeps it."""
    found = (
        difference(meter.id, entry_of(old) if (old := before.get(meter.id)) else None, entry_of(meter))
        for meter in touched
    )
    return [change for change in found if change is not None]


def fields(change: EntryChange) -> dict[str, tuple[Any, Any]]:
    """By field, what it was and what it is; ``None``: not told."""
    old = change.old or {}
    return {
        key: (old.get(key), change.new.get(key)) for key in [*old, *(k for k in change.new if k not in old)]
    }
