"""A record in, the same record with its marks out; and what becomes of a later one when this one came late.

Nothing is dropped and no value is touched: marks are added to those that the driver gave. The same record
with the same history gets the same marks, however often.

**Late readings.** A register's step is judged where it ends: the mark of a step back stands on the reading
behind it. A reading that comes late (backfill) cuts such a step in two. Its own half is judged like any
other; the other half ends at the next reading, which is kept already and was judged by a step that is no
longer one. So that one is judged anew, and when its marks become others it is kept once more: the same key
and value, the new marks, and ``restated``. A correction is a new row (readings are append-only), the newest
row of a key is what holds, and through the bit of its own the sinks overwrite the old marks even where none
is left. The alternative, to mark the late reading alone, would leave a false alarm on the later one for ever,
and would show billing two roll-overs where there was one. So in whatever order readings arrive, the newest
rows have the marks of the right order; except ``sudden_change``, whose usual days are those that were known
when it was judged: only the next reading is judged anew, not the thirty behind it. Of values of the moment
none comes late; one that seems to has its slot from a clock that was set back, and changes nothing.

Whoever keeps a record keeps what is restated *before* it, in the same transaction.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from meterlink.model.data_classes import DAILY_FREEZE, MONTHLY_FREEZE
from meterlink.model.history import History
from meterlink.model.look import NOT_LOOKED, Look
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import Reading, Record
from meterlink.validation.case import Case, capacities_of, shown
from meterlink.validation.facts import MeterFacts
from meterlink.validation.registers import is_overtaken
from meterlink.validation.rules import RULES, STORED, Rule

_NOTHING: Final[Mapping[str, Reading]] = {}


class FactsOfMeters(Protocol):
    """The facts of meters, by our id; a dictionary is one."""

    def get(self, meter: str, /) -> MeterFacts | None:
        """Of one meter; ``None``: there is no such meter."""


class Validator:
    """Marks readings.

    Args:
        meters: the facts of each; what is not among them is not judged.
        rules: those that judge.

    """

    def __init__(self, meters: FactsOfMeters, rules: Sequence[Rule] = RULES) -> None:
        self._meters = meters
        self._rules = tuple(rules)
        self._of_record = tuple(rule for rule in rules if rule.is_of_record)
        self._of_reading = tuple(rule for rule in rules if not rule.is_of_record)

    def knows(self, meter: str) -> bool:
        """Whether readings of a meter are judged."""
        return self._meters.get(meter) is not None

    def registers(self, meter: str, items: Iterable[str]) -> list[str]:
        """Those of some items whose readings are judged by the one before."""
        facts = self._meters.get(meter)
        return [] if facts is None else [item for item in items if capacities_of(item, facts)]

    def marked(self, record: Record, history: History, look: Look = NOT_LOOKED) -> Record:
        """A record with its marks.

        Args:
            record: what came, of one slot.
            history: what was kept of the meter around that slot, in the record's class.
            look: what the meter showed beside.

        """
        facts = self._meters.get(record.meter)
        if facts is None:
            return record
        kept = {item: one.same for item, one in history.items.items() if one.same is not None}
        together = {**kept, **{reading.item: reading for reading in record.readings}}
        sums: dict[str, Marks] = {}
        of_times: dict[tuple[datetime, datetime], Marks] = {}

        def marked(reading: Reading) -> Reading:
            case = _case(reading, record.data_class, history, facts, look, together, sums)
            times = reading.slot, reading.taken_at
            if times not in of_times:
                of_times[times] = self._judged(case, self._of_record)
            found = of_times[times] | self._judged(case, self._of_reading)
            return replace(reading, marks=reading.marks | found) if found else reading

        readings = tuple(map(marked, record.readings))
        is_as_before = all(map(operator.is_, readings, record.readings))
        return record if is_as_before else replace(record, readings=readings)

    def restated(self, record: Record, history: History) -> Record | None:
        """The next readings behind those of a marked record, as far as they are to be kept with other marks.

        Args:
            record: as ``marked`` gave it.
            history: as it was marked by.

        """
        facts = self._meters.get(record.meter)
        if facts is None or record.data_class not in STORED:
            return None
        anew = (self._anew(reading, record.data_class, history, facts) for reading in record.readings)
        found = [reading for reading in anew if reading is not None]
        return replace(record, readings=tuple(found)) if found else None

    def resettled(self, record: Record, history: History) -> Record | None:
        """Settlements that a daily freeze which came after them shows to be of an earlier time.

        Args:
            record: as ``marked`` gave it.
            history: as it was marked by.

        """
        facts = self._meters.get(record.meter)
        if facts is None or record.data_class != DAILY_FREEZE:
            return None
        found = [
            replace(settled, marks=settled.marks | Marks.REG_BACK | Marks.RESTATED)
            for reading in record.readings
            if (settled := history.of(reading.item).settled) is not None
            and Marks.REG_BACK not in settled.marks
            and (seen := shown(reading)) is not None
            and is_overtaken(settled, seen, facts)
        ]
        return replace(record, data_class=MONTHLY_FREEZE, readings=tuple(found)) if found else None

    def _anew(self, late: Reading, data_class: str, history: History, facts: MeterFacts) -> Reading | None:
        """The reading behind a late one with its marks; ``None``: they stay."""
        known = history.of(late.item)
        later, shown_late = known.later, shown(late)
        if later is None or shown_late is None:
            return None
        rules = [rule for rule in self._rules if rule.is_of_step]
        case = Case(
            reading=later,
            data_class=data_class,
            facts=facts,
            look=NOT_LOOKED,
            past=(shown_late, *known.past),
            seen=known.later_seen,
            same=None,
            exchanges=history.exchanges,
            together=_NOTHING,
            sums={},
        )
        of_steps = _marks(rules)
        marks = (later.marks & ~of_steps) | self._judged(case, rules) | Marks.RESTATED
        return None if marks == later.marks | Marks.RESTATED else replace(later, marks=marks)

    def _judged(self, case: Case, rules: Sequence[Rule]) -> Marks:
        marks = NO_MARKS
        for rule in rules:
            if case.data_class in rule.classes and (found := rule.judge(case)):
                marks |= found
        return marks


def _marks(rules: Sequence[Rule]) -> Marks:
    found = NO_MARKS
    for rule in rules:
        found |= rule.marks
    return found


def _case(
    reading: Reading,
    data_class: str,
    history: History,
    facts: MeterFacts,
    look: Look,
    together: Mapping[str, Reading],
    sums: dict[str, Marks],
) -> Case:
    known = history.of(reading.item)
    return Case(
        reading=reading,
        data_class=data_class,
        facts=facts,
        look=look,
        past=known.past,
        seen=known.seen,
        same=known.same,
        exchanges=history.exchanges,
        together=together,
        sums=sums,
    )
