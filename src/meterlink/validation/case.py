"""One reading and all that it is judged by, and the step of its register from the reading before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from meterlink.model.history import Shown, Told
from meterlink.model.look import Look
from meterlink.model.marks import UNUSABLE, Marks
from meterlink.model.reading import Reading
from meterlink.validation.facts import MeterFacts

NEARLY_FULL: Final = Decimal("0.9")
"""Part of its capacity that a register must have passed before it may have rolled over. Source: VEE-03."""
_DAY_S: Final = 86_400


class Step(NamedTuple):
    """From one time that a register was seen to the next.

    Args:
        counted: what it counted between; negative: it went back.
        span: how long that took.
        rolled_over: whether it passed its capacity.

    """

    counted: Decimal
    span: timedelta
    rolled_over: bool = False

    @property
    def days(self) -> Decimal:
        """The span in days."""
        return Decimal(self.span // timedelta(seconds=1)) / _DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one reading is judged by.

    Args:
        reading: the one.
        data_class: of its record.
        facts: of its meter.
        look: what the meter showed beside.
        past: what the item showed before it, newest first.
        seen: of a settlement, what other data show of the item by then.
        same: what was kept of its item and slot.
        exchanges: of its meter.
        together: all that is known of its slot, by item; itself among it.
        sums: by quantity, what was found of the sum of its tariffs in this slot.

    """

    reading: Reading
    data_class: str
    facts: MeterFacts
    look: Look
    past: tuple[Shown, ...]
    seen: Shown | None
    same: Reading | None
    exchanges: tuple[Told, ...]
    together: Mapping[str, Reading]
    sums: dict[str, Marks]

    @property
    def step(self) -> Step | None:
        """From what the register showed before; ``None``: it is no register, or nothing was known."""
        value, before = self.reading.value, self._before()
        if value is None or before is None or not capacities_of(self.reading.item, self.facts):
            return None
        return step(before, Shown(self.reading.slot, value), self.reading.item, self.facts)

    def _before(self) -> Shown | None:
        """The newest of what was read and what was told."""
        item = self.reading.item
        newest = next(iter(self.past), None)
        if not self.exchanges:
            return newest
        told = (Shown(one.at, one.registers[item]) for one in self.exchanges if item in one.registers)
        before = [one for one in (newest, *told) if one is not None and one.at <= self.reading.slot]
        return max(before, key=lambda one: one.at, default=None)


def capacities_of(item: str, facts: MeterFacts) -> tuple[Decimal, ...]:
    """Where the register of an item may begin again at 0; none: it is no register that only counts up."""
    return facts.capacities(item.partition(".")[0])


def shown(reading: Reading) -> Shown | None:
    """What a reading says of its register; ``None``: nothing that another is measured against."""
    if reading.value is None or reading.marks & UNUSABLE:
        return None
    return Shown(reading.slot, reading.value)


def step(before: Shown, after: Shown, item: str, facts: MeterFacts) -> Step:
    """What a register did between two times.

    It has rolled over when it stood above nine tenths of a capacity and what it then must have counted is no
    more than the meter can count in that time; in less than a day so much as in a day. A step back that is no
    such thing has no amount that means anything. Source: VEE-03, VEE-06.

    Args:
        before: the earlier time.
        after: the later one.
        item: whose register.
        facts: of the meter.

    """
    forward = Step(after.value - before.value, after.at - before.at)
    if forward.counted >= 0:
        return forward
    counted = forward.counted
    most = facts.day_max * max(forward.days, Decimal(1))
    for capacity in capacities_of(item, facts):
        if NEARLY_FULL * capacity < before.value < capacity and counted + capacity <= most:
            return Step(counted + capacity, forward.span, rolled_over=True)
    return forward
