"""Truth, journal and ledger of a world held against each other, slot by slot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from tests.sim.soak.draft import START, Draft, MeterDraft
from tests.sim.soak.passing import Passing, Stood
from tests.sim.soak.recorded import Records
from tests.sim.soak.spans import Span
from tests.sim.soak.truth import ITEMS, Kind, Truth, is_of
from tests.sim.soak.world import World
from tests.support.collection_truth import CLOCK_DEV, REG_BACK, Book, Row
from tests.support.completeness import Completeness

Doubtful = Mapping[tuple[str, str, datetime], int]
"""Marks of kept slots that bear some."""
COUNTED: Final = Decimal("0.02")
"""What a meter has surely counted, whatever digits two classes of data have."""


@dataclass
class Verdict(Completeness):
    """What came of a world.

    Attributes:
        beyond: slots that were kept although nobody could count on it.
        holes: reasons of all that are missing, by the meter's nature.

    """

    beyond: int = 0
    holes: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def words(self) -> str:
        """All of it, for people."""
        holes = ", ".join(f"{'/'.join(key)} {count}" for key, count in sorted(self.holes.items()))
        first = f"{self.of_readable()}, {self.beyond} more; holes: {holes or 'none'}"
        return "\n".join([first, *self.troubles()])


def judge(draft: Draft, world: World) -> Verdict:
    """Hold all three against each other.

    Args:
        draft: what was to happen.
        world: after it has.

    """
    book = Book(world.journal)
    slots, readings, taken = book.slots(), book.readings(), book.taken_at()
    for meter, data_class, slot, item, value, at in world.told():  # it may have made room since
        key = (meter, data_class, slot)
        if item not in readings.get(key, {}):
            readings.setdefault(key, {})[item] = value
            taken.setdefault(key, at)
    truth, found = Truth(draft, world.plant), Verdict()
    passing = Passing(draft, truth, Records(draft, world.plant, truth), book, readings, taken)
    found.complaints += passing.wrong()
    for stood in passing.standings():
        _judge_moment(found, truth, stood)
    doubtful = book.doubtful()
    book.close()
    for one in draft.entries:
        for kind, slot in truth.slots(one):
            key = (one.id, kind, slot)
            values = readings.get(key, {})
            lacked = frozenset[str]()
            if values:
                lacked = missing(values, truth.values(one, kind, slot, taken[key]))
                lacked = frozenset(truth.planned(kind, lacked, taken[key]))
            _judge_slot(found, truth, one, kind, slot, slots.get(key), lacked)
            if key in slots and slots[key].is_unlooked and not truth.lost_looks(one, taken[key]):
                found.complaints.append(f"{key}: {slots[key]}, and nothing kept it from looking on that day")
    _judge_values(found, truth, draft, readings, taken, doubtful)
    _judge_passing(found, draft, world, readings)
    for key, row in slots.items():
        if row.state == "kept" and key[1] != "event" and not readings.get(key):
            found.complaints.append(f"{key}: kept by the ledger, and not in the journal")
    return found


def _judge_slot(
    found: Verdict,
    truth: Truth,
    one: MeterDraft,
    kind: Kind,
    slot: datetime,
    row: Row | None,
    lacked: frozenset[str],
) -> None:
    name = f"{one.id} ({one.nature}, {one.protocol}, {one.line}) {kind} {slot:%m-%d %H:%M}"
    if row is None:
        found.complaints.append(f"{name}: was due and has no row")
        return
    is_readable, is_kept = truth.is_readable(one, kind, slot), row.state == "kept"
    if is_kept:
        found.complaints += (f"{name}: {said}" for said in _wrong_of_items(one, row, lacked))
    if is_kept and lacked and is_readable and truth.could_be_whole(one, kind, slot):
        found.readable += 1
        found.missing.append(f"{name}: kept without {sorted(lacked)}, which it has had since; {row}")
        return
    found.readable += is_readable
    found.kept += is_readable and is_kept
    found.beyond += is_kept and not is_readable
    if is_kept:
        return
    found.holes[one.nature, kind, row.reason] += 1
    causes = truth.causes(one, kind, slot)
    if is_readable:
        found.missing.append(f"{name}: {row}; in its way: {', '.join(sorted(causes)) or 'nothing'}")
    elif row.reason not in causes:
        found.complaints.append(f"{name}: {row}, but in its way: {', '.join(sorted(causes)) or 'nothing'}")
    elif one.nature != "garbage":
        _judge_time(found, truth, one, kind, slot, row, name)


def missing(values: Mapping[str, Decimal], told: Sequence[Mapping[str, Decimal]]) -> frozenset[str]:
    """Items that a meter had of a slot when it was read, and that are not in the journal.

    Args:
        values: in the journal.
        told: what the meter may have shown, by the times at which that may have been.

    """
    lacked = [frozenset(shown) - values.keys() for shown in told if values.items() <= shown.items()]
    return min(lacked, key=len, default=frozenset())


def _wrong_of_items(one: MeterDraft, row: Row, lacked: frozenset[str]) -> Iterator[str]:
    """A kept slot holds all that the meter had of it, or the ledger says what it lacks, and truly."""
    unsaid = {item for item in lacked if not any(is_of(item, block) for block in row.lacks)}
    if unsaid:
        yield f"kept without {sorted(unsaid)}, and the ledger does not say so ({row.note!r})"
    if lacked and not one.denies and one.nature != "garbage":
        yield f"kept without {sorted(lacked)}, which the meter never denied"
    if row.lacks and not lacked and one.nature != "garbage":
        yield f"said to lack {sorted(row.lacks)}, and nothing is missing"


def _judge_moment(found: Verdict, truth: Truth, stood: Stood) -> None:
    """A slot of the moment counts like any other; why it is missing, ``Passing`` judges."""
    one, is_kept = stood.one, stood.state == "kept"
    found.readable += stood.is_readable
    found.kept += stood.is_readable and is_kept
    found.beyond += is_kept and not stood.is_readable
    if not is_kept:
        found.holes[one.nature, stood.data_class, stood.reason] += 1
    if stood.is_readable and not is_kept:
        begin_s = (stood.slot - START).total_seconds()
        causes = truth.causes_between(one, Span(begin_s, begin_s + stood.every_s))
        name = f"{one.id} ({one.nature}, {one.protocol}, {one.line})"
        of = f"{stood.data_class} {stood.slot:%m-%d %H:%M}"
        told = ", ".join(sorted(causes)) or "nothing"
        found.missing.append(f"{name} {of}: {stood.state}, {stood.reason}; in its way: {told}")


def _judge_time(
    found: Verdict, truth: Truth, one: MeterDraft, kind: Kind, slot: datetime, row: Row, name: str
) -> None:
    """A reason must have been true when it was told, and be told anew when there was another chance."""
    if row.changed_at is None:
        found.complaints.append(f"{name}: {row}, and nobody says since when")
        return
    causes = truth.causes_at(one, kind, slot, row.changed_at)
    if row.reason not in causes:
        found.complaints.append(
            f"{name}: {row}, but in its way then: {', '.join(sorted(causes)) or 'nothing'}"
        )
    elif row.state == "due" and truth.is_stale(one, kind, slot, row.reason, row.changed_at):
        found.complaints.append(f"{name}: {row}, and that has been over for hours")


def _judge_values(
    found: Verdict,
    truth: Truth,
    draft: Draft,
    readings: Mapping[tuple[str, str, datetime], dict[str, Decimal]],
    taken: Mapping[tuple[str, str, datetime], datetime],
    doubtful: Doubtful,
) -> None:
    """Whatever stands in the journal of a meter's memory stood there, under that time."""
    drafts = {one.id: one for one in draft.entries}
    for key, values in readings.items():
        meter, data_class, slot = key
        one = drafts[meter]
        if (kind := _kind(data_class)) is None:
            continue
        if truth.was_set_over(one, kind, slot) and _is_seen_through(values, key, readings, doubtful):
            continue  # whoever bills sees the mark
        told = truth.values(one, kind, slot, taken[key])
        if not any(values.items() <= shown.items() for shown in told):
            found.complaints.append(f"{meter} ({one.nature}) {kind} {slot}: journal {values}, meter {told}")


def _is_seen_through(
    values: Mapping[str, Decimal],
    key: tuple[str, str, datetime],
    readings: Mapping[tuple[str, str, datetime], Mapping[str, Decimal]],
    doubtful: Doubtful,
) -> bool:
    """Whether the settlement before, which stands in the place of one, is marked for what shows it.

    That is the newest night before it, where the meter had counted since; with no such night its clock.
    """
    meter, _, slot = key
    nights = {at: kept for (of, kind, at), kept in readings.items() if (of, kind) == (meter, "daily_freeze")}
    newest = max((at for at in nights if at <= slot), default=None)
    is_shown = newest is not None and any(
        nights[newest].get(item, value) - value > COUNTED for item, value in values.items()
    )
    return bool(doubtful.get(key, 0) & (REG_BACK if is_shown else CLOCK_DEV))


def _kind(data_class: str) -> Kind | None:
    """What of a meter's memory a class is."""
    return next((kind for kind in ITEMS if kind == data_class), None)


def _judge_passing(
    found: Verdict,
    draft: Draft,
    world: World,
    readings: Mapping[tuple[str, str, datetime], dict[str, Decimal]],
) -> None:
    """Whatever stands in the journal of the moment was said by the meter at some moment."""
    drafts = {one.id: one for one in draft.entries}
    said: dict[str, set[tuple[str, Decimal]]] = {}
    for (meter, data_class, slot), values in readings.items():
        if data_class != "instant":
            continue
        one = drafts[meter]
        if meter not in said:
            answers = (*world.plant.said(one), *world.plant.said_late(one))
            said[meter] = {value for answer in answers for value in answer.values.items()}
        if not said[meter].issuperset(values.items()):
            found.complaints.append(f"{meter} ({one.nature}) instant {slot}: nobody said {values}")
