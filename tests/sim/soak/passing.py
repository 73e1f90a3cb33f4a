"""What no plan of a meter's memory covers: its events, its words of state, and slots of the moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from tests.sim.soak.draft import (
    DAY_S,
    DENIED_PASSING,
    EVENTS_EVERY_S,
    START,
    TAIL_S,
    Draft,
    MeterDraft,
    Protocol,
    at,
)
from tests.sim.soak.recorded import WORDS, Records
from tests.sim.soak.spans import Span, without
from tests.sim.soak.truth import RELOAD_S, Truth
from tests.support.collection_truth import Book, Row

Readings = Mapping[tuple[str, str, datetime], Mapping[str, Decimal]]
Taken = Mapping[tuple[str, str, datetime], datetime]
ASKED_S: Final = 1_800.0
"""From the beginning of a slot of the moment until everybody on the line was asked, at most."""
CLASSES: Final[Mapping[Protocol, tuple[str, ...]]] = {
    "dlt645-2007": ("instant", "status"),
    "dlt645-1997": ("instant",),
    "dlt698.45": ("instant", "status"),
}
"""What can be asked of meters of a protocol: the edition of 1997 has no block of words of state."""


class Stood(NamedTuple):
    """Where a slot stands in the ledger, and whether it could have been read."""

    one: MeterDraft
    data_class: str
    slot: datetime
    state: str
    reason: str
    is_readable: bool
    every_s: int


class Passing:
    """Judges what stands in the journal beside freezes and curves.

    Args:
        draft: what was to happen.
        truth: when each meter could be asked.
        records: what each meter has recorded and shown.
        book: the journal's file.
        readings: all that was kept, whether it stands there still or has made room.
        taken: when each slot was read.

    """

    def __init__(
        self, draft: Draft, truth: Truth, records: Records, book: Book, readings: Readings, taken: Taken
    ) -> None:
        self._draft = draft
        self._truth = truth
        self._records = records
        self._slots, self._gaps, self._events = book.slots(), book.gaps(), book.events()
        self._readings, self._taken = readings, taken

    def wrong(self) -> Iterator[str]:
        """What is not as it must be."""
        for one in self._draft.entries:
            name = f"{one.id} ({one.nature}, {one.protocol}, {one.line})"
            for complaint in self._wrong_of(one):
                yield f"{name} {complaint}"

    def standings(self) -> Iterator[Stood]:
        """Each slot of the moment that was due."""
        for one in self._draft.entries:
            for data_class in CLASSES[one.protocol]:
                every_s = self._draft.every_s(data_class)
                for slot in _slots(one, self._draft.days, every_s):
                    state, reason = self._standing(one.id, data_class, slot)
                    begin_s = (slot - START).total_seconds()
                    is_readable = self._truth.is_passing_readable(one, begin_s, every_s)
                    yield Stood(one, data_class, slot, state, reason, is_readable, every_s)

    def _wrong_of(self, one: MeterDraft) -> Iterator[str]:
        yield from self._records.wrong(one, self._events.get(one.id, {}))
        yield from self._looks_left(one)
        for data_class in CLASSES[one.protocol]:
            for slot in _slots(one, self._draft.days, self._draft.every_s(data_class)):
                yield from self._of_slot(one, data_class, slot)

    def _of_slot(self, one: MeterDraft, data_class: str, slot: datetime) -> Iterator[str]:
        key = (one.id, data_class, slot)
        name, state, reason = f"{data_class} {slot:%m-%d %H:%M}", *self._standing(*key)
        begin_s = (slot - START).total_seconds()
        causes = set[str]()
        every_s = self._draft.every_s(data_class)
        for off_s in (0.0, *(by_s for _, by_s in self._draft.clock_off)):
            shown_s = begin_s - off_s
            causes |= self._truth.causes_between(one, Span(shown_s, shown_s + every_s))
        if state == "kept":
            if data_class == "status":
                yield from self._of_words(one, name, self._readings.get(key, {}), self._taken[key])
            else:
                yield from self._of_items(one, name, key)
        elif not state:
            yield f"{name} was due, and the ledger knows nothing of it"
        elif self._had_to_be_kept(one, begin_s, every_s):
            yield f"{name} is missing ({state}, {reason}); nothing was in its way"
        elif reason not in causes | ({"refused"} if one.nature == "garbage" else set()):
            yield f"{name}: {state}, {reason}, but in its way: {', '.join(sorted(causes)) or 'nothing'}"

    def _of_items(self, one: MeterDraft, name: str, key: tuple[str, str, datetime]) -> Iterator[str]:
        """Each value that was asked for is there, or the ledger says which is not, and the meter said so."""
        row = self._slots[key]
        taken_s = min(self._truth.true_times(self._taken[key]), default=0.0)
        wanted = self._draft.passing_items(taken_s - RELOAD_S)
        missing = set(wanted) - self._readings.get(key, {}).keys()
        if unsaid := missing - row.lacks:
            yield f"{name} is kept, lacks {sorted(unsaid)}, and the ledger does not say so ({row.note!r})"
        if there := row.lacks - missing:
            yield f"{name} is said to lack {sorted(there)}, which is there or was not asked for"
        if (missing - {DENIED_PASSING} or (missing and not one.denies)) and one.nature != "garbage":
            yield f"{name} is kept without {sorted(missing)}, which the meter never denied"

    def _had_to_be_kept(self, one: MeterDraft, begin_s: float, every_s: int) -> bool:
        start = Span(begin_s, begin_s + min(ASKED_S, every_s))
        is_sound = one.nature not in {"garbage", "noisy"} and not self._truth.is_noisy_line(one)
        return is_sound and not without([start], without(self._truth.usable[one.id], self._draft.tight))

    def _standing(self, meter: str, data_class: str, slot: datetime) -> tuple[str, str]:
        """State and reason of a slot; empty: it stands nowhere."""
        row: Row | None = self._slots.get((meter, data_class, slot))
        if row is not None:
            return row.state, row.reason
        gaps = self._gaps.get((meter, data_class), [])
        return next((("expired", why) for since, until, why in gaps if since <= slot < until), ("", ""))

    def _of_words(
        self, one: MeterDraft, name: str, values: Mapping[str, Decimal], taken_at: datetime
    ) -> Iterator[str]:
        told = {word: value for word, value in values.items() if word in WORDS}
        if len(told) != len(WORDS):
            yield f"{name} is kept, and holds {sorted(told) or 'no word'}"
        for word, value in told.items():
            if not self._records.showed(one, word, value, taken_at):
                yield f"{name}: {word} is {int(value):04X} in the journal, and was not so at the meter"

    def _looks_left(self, one: MeterDraft) -> Iterator[str]:
        """A meter that told its memory at last has made up for every look that was missed."""
        end_s = self._draft.ends_at
        if not self._records.had_to_be_told(one, end_s - TAIL_S, end_s):
            return
        before = at(end_s - 2 * EVENTS_EVERY_S)
        for (meter, data_class, slot), row in self._slots.items():
            if (meter, data_class) == (one.id, "event") and slot < before and row.state != "kept":
                yield f"event {slot:%m-%d %H:%M}: {row}, and its memory was read since"
        for since, until, reason in self._gaps.get((one.id, "event"), []):
            if until < before:
                yield f"event {since:%m-%d %H:%M} and later: {reason}, and its memory was read since"


def _slots(one: MeterDraft, days: int, every_s: int) -> Iterator[datetime]:
    """The slots of the moment in so many days in which it was known that a meter is there, from end to end.

    They begin at multiples of their length from midnight UTC.
    """
    first_s = -START.timestamp() % every_s
    for number in range(round(days * DAY_S / every_s)):
        begin_s = first_s + number * every_s
        if one.known_at <= begin_s and begin_s + every_s <= one.leaves_at:
            yield (START + timedelta(seconds=begin_s)).astimezone(UTC)
