"""Truth, journal and ledger of a gateway that reaches its meters by every way, compared slot by slot.

What was due is worked out from the calendar, what a meter measured is asked of the meter, and the journal's
file is read with SQL: no code of collection takes part. A slot was readable unless its meter was silent from
then on. The journal of a daily freeze is what the meter froze, by whichever way it came. A point of a curve
out of a concentrator's store is what it read itself, some time after the slot: it is what the concentrator
has under that very slot, and lies between what the meter showed at the slot and when the concentrator had
read it; by any other way it is the meter's own.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

from metersim.plant.built import BuiltPlant
from metersim.works.freezes import Between
from tests.sim.reach.draft import CURVE_S, DAY_S, HOUR_S, ITEMS, START, Draft, MeterDraft, at
from tests.sim.reach.world import World
from tests.support.collection_truth import Book, Row
from tests.support.completeness import Completeness

CHANCE_S: Final = 14 * HOUR_S
"""A meter that was to be had for so long behind a slot could be read: curves are gathered twice a day."""
SILENT: Final = frozenset({"silent", "line_down", "not_running", "waiting"})
_INSTANT: Final = timedelta(microseconds=1)

Key = tuple[str, str, datetime]


@dataclass
class Verdict(Completeness):
    """What came of it.

    Attributes:
        routes: values by the way of their meter, their class and the route by which they came.

    """

    routes: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def words(self) -> str:
        """All of it, for people."""
        ways = ", ".join(f"{'/'.join(key)} {count}" for key, count in sorted(self.routes.items()))
        return "\n".join([self.of_readable(), f"  values by way, class and route: {ways}", *self.troubles()])


def judge(draft: Draft, world: World) -> Verdict:
    """Hold all three against each other.

    Args:
        draft: what was to happen.
        world: after it has.

    """
    book = Book(world.journal)
    slots, readings = book.slots(), book.readings()
    book.close()
    routes, found, truth = routes_in(world.journal), Verdict(), Truth(draft, world.plant)
    drafts = {one.id: one for one in draft.meters}
    for one in draft.meters:
        for kind, slot in truth.slots():
            key = (one.id, kind, slot)
            _judge_slot(found, truth, one, key, slots.get(key), bool(readings.get(key)))
    for key, values in readings.items():
        one, (_, kind, slot) = drafts[key[0]], key
        for item, value in values.items():
            route = routes[*key, item]
            found.routes[one.way, kind, _told(route)] += 1
            if not truth.is_true(one, kind, item, slot, value, route):
                real = truth.value(one.address, kind, item, slot)
                found.complaints.append(f"{key} {item}: journal {value} by {route!r}, meter {real}")
    return found


def routes_in(path: Path) -> dict[tuple[str, str, datetime, str], str]:
    """By which way each value of the journal came."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    found = {
        (meter, kind, datetime.fromtimestamp(at_s, UTC), item): route
        for meter, kind, at_s, item, route in db.execute(
            "SELECT reading.meter, data_class, reading.slot / 1000000, item, route"
            " FROM reading JOIN log ON log.id = log_id ORDER BY log_id, n"
        )
    }
    db.close()
    return found


def _told(route: str) -> str:
    """A route without the name of what it goes through."""
    return route.rpartition(" ")[2] if route.startswith("terminal ") else "line"


def _judge_slot(
    found: Verdict, truth: Truth, one: MeterDraft, key: Key, row: Row | None, has_values: bool
) -> None:
    name = f"{one.id} ({one.way}, {one.protocol}, {one.line}) {key[1]} {key[2]:%m-%d %H:%M}"
    if row is None:
        found.complaints.append(f"{name}: was due and has no row")
        return
    is_kept = row.state == "kept"
    if is_kept != has_values:
        found.complaints.append(f"{name}: {row} in the ledger, and {'no' * (not has_values)} values")
    is_readable = truth.is_readable(one, key[1], key[2])
    found.readable += is_readable
    found.kept += is_readable and is_kept
    if is_kept:
        return
    if is_readable:
        found.missing.append(f"{name}: {row}")
    elif row.reason not in SILENT:
        found.complaints.append(f"{name}: {row}, but its meter was silent")


class Truth:
    """What the plant of a draft knows when all is over.

    Args:
        draft: of it.
        plant: as it has become.

    """

    def __init__(self, draft: Draft, plant: BuiltPlant) -> None:
        self._draft = draft
        self._plant = plant
        self.value = cache(self._value)

    def slots(self) -> Iterator[tuple[str, datetime]]:
        """What is due of each meter in the days of the draft."""
        steps: Mapping[str, float] = {"daily_freeze": DAY_S, "curve": CURVE_S}
        for kind, step_s in steps.items():
            for number in range(round(self._draft.days * DAY_S / step_s)):
                yield kind, (START + timedelta(seconds=number * step_s)).astimezone(UTC)

    def is_readable(self, one: MeterDraft, kind: str, slot: datetime) -> bool:
        """Whether its meter was to be had for long enough after it."""
        ready_s = (slot - START).total_seconds() + (CURVE_S if kind == "curve" else 0)
        return not any(
            ready_s + CHANCE_S > span.begin and span.end > self._draft.ends_at for span in one.away
        )

    def is_true(
        self, one: MeterDraft, kind: str, item: str, slot: datetime, value: Decimal, route: str
    ) -> bool:
        """Whether a meter showed a value."""
        if kind == "curve" and route.endswith("store"):
            return self._is_gathered(one, item, slot, value)
        return self.value(one.address, kind, item, slot) == value

    def _is_gathered(self, one: MeterDraft, item: str, slot: datetime, value: Decimal) -> bool:
        """Whether a concentrator has a value under a slot, and could have read it then."""
        caller = next(line.caller for line in self._draft.lines if line.name == one.line)
        local = slot.astimezone(START.tzinfo).replace(tzinfo=None)
        record = self._plant.terminals[caller].store.at(one.address, local)
        if record is None or record.content(item) != value:
            return False
        meter, read_at = self._plant.meter(one.address), record.read_at.replace(tzinfo=START.tzinfo)
        first, last = meter.value(item, slot), meter.value(item, read_at)
        return first is not None and last is not None and first <= value <= last

    def _value(self, address: str, kind: str, item: str, slot: datetime) -> Decimal | None:
        """What a meter keeps of a slot."""
        assert item in ITEMS[kind]
        meter = self._plant.meter(address)
        between = Between(slot, slot + _INSTANT)
        freeze = next(meter.works.freezes(kind, at(self._draft.ends_at), between), None)
        return None if freeze is None else meter.value(item, freeze.taken_at)
