"""What could have been read, told by the plant alone: by its draft, its meters, and what they were asked.

A slot was readable when there was an opportunity: a stretch of time in which the daemon ran with a right
clock, the line was there, the meter heard, the slot was due, and the meter still held it; long enough for one
more try of whoever was put aside (``OPPORTUNITY_S``), and for slots that had waited for a day, for the share
of the line that such work may take (``LATE_OPPORTUNITY_S``). In that stretch the meter was not asked at all,
or gave at least one sound answer. A meter of which nothing can be relied on has no readable slots: what is
kept of it must be true, and that is all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Final, Literal

from metersim.works.freezes import Between, Freeze
from tests.sim.soak.draft import (
    CURVE_ITEM,
    DAY_S,
    GATHER_S,
    HOUR_S,
    START,
    Draft,
    LineDraft,
    MeterDraft,
    at,
)
from tests.sim.soak.plant import REDIAL_S, Plant
from tests.sim.soak.spans import Span, after, without

Kind = Literal["daily_freeze", "monthly_freeze", "curve"]

OPPORTUNITY_S: Final = 2.5 * HOUR_S
"""A silent meter rests for an hour, and others of its line may go before it."""
PASSING_OPPORTUNITY_S: Final = 1.5 * HOUR_S
"""Of a slot of the moment: whoever was silent rests for an hour at most, and its line for a minute."""
LATE_OPPORTUNITY_S: Final = 7 * HOUR_S
STARTING_S: Final = REDIAL_S + 60.0
"""Until a terminal has dialled in again, and lines are opened."""
FAR_OFF: Final = timedelta(days=1)
"""A meter whose clock is further off tells of other nights than it seems."""
HELD: Final[Mapping[str, tuple[Kind, ...]]] = {
    "dlt645-2007": ("daily_freeze", "monthly_freeze", "curve"),
    "dlt645-1997": ("monthly_freeze",),
    "dlt698.45": ("daily_freeze", "monthly_freeze", "curve"),
}
"""What meters of a protocol remember."""
ITEMS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "daily_freeze": tuple(
        quantity + tariff
        for quantity in ("forward_active_energy", "reverse_active_energy")
        for tariff in ("", ".t1", ".t2", ".t3", ".t4")
    ),
    "monthly_freeze": ("forward_active_energy",),
    "curve": (CURVE_ITEM,),
}
NOBODY_ASKED: Final = frozenset({"not_running", "line_down"})
"""Reasons that are over when a question has come as far as the line."""
TRY_S: Final = 900.0
"""From a cause until the gateway has said so, at most."""
_DUE_S: Final = 300.0
RELOAD_S: Final = 300.0
"""Until the lines go by another configuration, at most."""
_INSTANT: Final = timedelta(microseconds=1)


def is_of(item: str, block: str) -> bool:
    """Whether an item is one, or one of a block as plans have it."""
    quantity = block.removesuffix(".*")
    return item == block or (block != quantity and item.partition(".")[0] == quantity)


class Truth:
    """What the plant of a draft knows when all is over.

    Args:
        draft: of it.
        plant: as it has become.

    Attributes:
        usable: by meter, when nothing kept the daemon from it.

    """

    def __init__(self, draft: Draft, plant: Plant) -> None:
        self._draft = draft
        self._plant = plant
        self._lines = {line.name: line for line in draft.lines}
        self.usable = {one.id: self._usable_of(one) for one in draft.entries}
        self.freeze = cache(self._freeze)

    def slots(self, one: MeterDraft) -> Iterator[tuple[Kind, datetime]]:
        """What is due of a meter in the days of the draft."""
        for kind in HELD[one.protocol]:
            step_s = self._draft.curve_s if kind == "curve" else DAY_S
            for number in range(round(self._draft.days * DAY_S / step_s)):
                slot = START + timedelta(seconds=number * step_s)
                is_in_service = one.comes_at <= number * step_s < one.leaves_at
                if is_in_service and (kind != "monthly_freeze" or slot.day == 1):
                    yield kind, slot.astimezone(UTC)

    def is_readable(self, one: MeterDraft, kind: Kind, slot: datetime) -> bool:
        """Whether a slot could have been read."""
        return one.nature != "garbage" and any(
            self._was_opportunity(one, kind, slot, span) for span in self._waits(one, kind, slot)
        )

    def is_passing_readable(self, one: MeterDraft, begin_s: float, length_s: float) -> bool:
        """Whether values of the moment of a slot could have been read.

        There was a stretch of time in the slot in which nothing kept the daemon from the meter, and in which
        it was not asked, or gave a sound answer to whatever it was asked.

        Args:
            one: the meter.
            begin_s: when the slot began.
            length_s: of it.

        """
        needed_s = min(PASSING_OPPORTUNITY_S, length_s)
        usable = without(self.usable[one.id], self._draft.tight)
        spans = without(after(usable, begin_s), [Span(begin_s + length_s, float("inf"))])
        return one.nature != "garbage" and any(
            span.seconds >= needed_s and self.would_tell(one, span) for span in spans
        )

    def could_be_whole(self, one: MeterDraft, kind: Kind, slot: datetime) -> bool:
        """Whether items of a slot that a meter denied for a while could have been had before or after.

        What was denied is asked for again on the next day: so behind a denial a midnight is needed, and time.
        """
        if not one.denies:
            return True
        first_s = min(span.begin for span in one.denies)
        for span in without(self._waits(one, kind, slot), one.denies):
            midnight_s = -(-span.begin // DAY_S) * DAY_S
            is_before = span.end <= first_s and self._was_opportunity(one, kind, slot, span)
            if is_before or midnight_s + LATE_OPPORTUNITY_S <= span.end:
                return True
        return False

    def _was_opportunity(self, one: MeterDraft, kind: Kind, slot: datetime, span: Span) -> bool:
        late = span.begin > self.due_s(kind, slot) + DAY_S
        if span.seconds < (LATE_OPPORTUNITY_S if late else OPPORTUNITY_S):
            return False
        found = [self.freeze(one.id, kind, slot, moment) for moment in (span.begin, span.end - 1)]
        if any(freeze is None or abs(freeze.taken_at - slot) > FAR_OFF for freeze in found):
            return False
        return self.would_tell(one, span)

    def would_tell(self, one: MeterDraft, span: Span) -> bool:
        """Whether a meter was not asked in a stretch of time, or gave a sound answer in it."""
        return not self._plant.was_asked(one, span) or self._plant.said_anything(one, span)

    def _waits(self, one: MeterDraft, kind: Kind, slot: datetime) -> list[Span]:
        """The stretches in which it could be asked for; an exchange of the meter divides one."""
        holes = self._draft.tight if kind == "curve" else ()
        spans = after(without(self.usable[one.id], holes), self.due_s(kind, slot))
        edges = [edge for edge in (one.exchanged_at, one.jump and one.jump[0]) if edge is not None]
        for edge in edges:
            spans = [*without(spans, [Span(edge, float("inf"))]), *after(spans, edge)]
        return spans

    def due_s(self, kind: Kind, slot: datetime) -> float:
        """When a slot was to be read first."""
        ready_s = slot.timestamp()
        if kind == "curve":
            ready_s += self._draft.curve_s
            ready_s += -ready_s % GATHER_S
        return ready_s + _DUE_S - START.timestamp()

    def values(
        self, one: MeterDraft, kind: Kind, slot: datetime, taken_at: datetime
    ) -> list[dict[str, Decimal]]:
        """What the meter may have said of a slot when it was read, by the gateway's clock."""
        found = []
        for off_s in {0.0, *(by_s for _, by_s in self._draft.clock_off)}:
            moment_s = (taken_at - START).total_seconds() - off_s
            if (freeze := self.freeze(one.id, kind, slot, moment_s)) is not None:
                found.append(self._shown(one, kind, freeze))
        return found

    def was_set_over(self, one: MeterDraft, kind: Kind, slot: datetime) -> bool:
        """Whether a meter's clock was set over a settlement of which nobody can see that it was not taken.

        DL/T 645 numbers settlements, and tells no time of them: the one before is taken for it.
        """
        if one.jump is None or kind != "monthly_freeze" or one.protocol == "dlt698.45":
            return False
        moment_s, by_s = one.jump
        return at(moment_s) < slot <= at(moment_s + by_s)

    def lost_looks(self, one: MeterDraft, taken_at: datetime) -> set[str]:
        """What was in the way of a meter from when a freeze was read until the end of that day."""
        found = set[str]()
        for moment_s in self.true_times(taken_at):
            midnight_s = -(-moment_s // DAY_S) * DAY_S
            found |= self.causes_between(one, Span(moment_s - TRY_S, midnight_s))
        return found

    def planned(self, kind: Kind, told: Iterable[str], taken_at: datetime) -> set[str]:
        """Of what a meter may have shown when it was read, what the plans of that time asked for."""
        begin_s = min(self.true_times(taken_at), default=0.0)
        blocks = self._draft.freeze_items(begin_s - RELOAD_S) if kind == "daily_freeze" else ITEMS[kind]
        return {item for item in told if any(is_of(item, block) for block in blocks)}

    def is_noisy_line(self, one: MeterDraft) -> bool:
        """Whether there is rubbish on the line of a meter."""
        return any(self._lines[line].turn_noise > 0 for line in one.hangs)

    def causes(self, one: MeterDraft, kind: Kind, slot: datetime) -> set[str]:
        """Everything that was in the way of a slot while it was due."""
        return self._causes(one, kind, slot, Span(self.due_s(kind, slot), self._draft.ends_at))

    def causes_at(self, one: MeterDraft, kind: Kind, slot: datetime, told_at: datetime) -> set[str]:
        """What was in the way of a slot when the gateway last said what was, by its own clock."""
        found = set[str]()
        for moment_s in self.true_times(told_at):
            found |= self._causes(one, kind, slot, Span(moment_s - TRY_S, moment_s + TRY_S))
        return found

    def is_stale(self, one: MeterDraft, kind: Kind, slot: datetime, reason: str, told_at: datetime) -> bool:
        """Whether there was another chance since a reason was told, in which it was not in the way."""
        told_s = max(self.true_times(told_at), default=self._draft.ends_at)
        asked_s = max(self._plant.asked_s(one), default=0.0)
        if reason in NOBODY_ASKED and asked_s > max(told_s, self.due_s(kind, slot)) + OPPORTUNITY_S:
            return True
        return any(
            span.seconds >= LATE_OPPORTUNITY_S
            and self.would_tell(one, span)
            and reason not in self._causes(one, kind, slot, Span(span.begin + 1, span.end - 1))
            for span in after(self._waits(one, kind, slot), told_s + TRY_S)
        )

    def true_times(self, told_at: datetime) -> list[float]:
        """When it may have been that the gateway's clock showed a time."""
        shown_s = (told_at - START).total_seconds()
        off = [(shown_s - by_s, span) for span, by_s in self._draft.clock_off]
        found = [moment_s for moment_s, span in off if span.begin <= moment_s < span.end]
        if not any(span.begin <= shown_s < span.end for _, span in off):
            found.append(shown_s)
        return found

    def _causes(self, one: MeterDraft, kind: Kind, slot: datetime, span: Span) -> set[str]:
        """Everything that was in the way of a slot in a stretch of time."""
        begin, end = span
        found = self.causes_between(one, span)
        if one.nature == "garbage":
            found |= {"refused", "gone", "not_taken", "clock_wrong"}
        if any(off.overlaps(begin, end) for off, _ in self._draft.clock_off):
            found.add("not_taken")
        if one.leaves_at < float("inf"):
            found |= {"exchanged", "not_in_service"}
        return found | self._memory_causes(one, kind, slot, span)

    def causes_between(self, one: MeterDraft, span: Span) -> set[str]:
        """What was in the way of a meter in a stretch of time, whatever was asked for."""
        begin, end = span
        lines = [self._lines[name] for name in one.hangs]
        mute = [each for line in lines for each in line.mute]
        away = [each for line in lines for each in self._away(line)]
        is_denied = one.denies and min(denied.begin for denied in one.denies) < end
        found = {"refused"} if one.faults.abnormal or is_denied else set[str]()
        if any(deaf.overlaps(begin, end) for deaf in (*one.deaf, *mute)) or one.faults.loss:
            found.add("silent")
        if any(each.overlaps(begin, end) for each in away):
            found.add("line_down")
        if one.nature in {"noisy", "garbage"} or self.is_noisy_line(one):
            found |= {"bad_data", "silent"}
        if any(off.overlaps(begin, end) for off, _ in self._draft.clock_off):
            found |= {"clock_wrong", "not_running"}
        if any(tight.overlaps(begin, end) for tight in self._draft.tight):
            found.add("no_room")
        if any(absent.begin <= end and begin <= absent.end for absent in self._absences()):
            found.add("not_running")
        return found

    def _memory_causes(self, one: MeterDraft, kind: Kind, slot: datetime, span: Span) -> set[str]:
        """What the meter's own memory and clock have against it."""
        freezes = [self.freeze(one.id, kind, slot, moment) for moment in span]
        taken = [freeze.taken_at for freeze in freezes if freeze is not None]
        found = {"gone"} if freezes[-1] is None else set[str]()
        if freezes[0] is None or freezes[-1] is None:
            found |= {"not_taken"}
        if any(abs(moment - slot) > FAR_OFF for moment in taken) or abs(one.clock_ahead_s) >= DAY_S:
            found |= {"clock_wrong", "not_taken", "gone"}
        return found

    def _usable_of(self, one: MeterDraft) -> list[Span]:
        """On each line that it hangs on, as long as it does."""
        return [
            piece
            for name, span in one.hangs.items()
            for piece in without(
                self._usable_on(one, self._lines[name]), without([Span(0.0, float("inf"))], [span])
            )
        ]

    def _usable_on(self, one: MeterDraft, line: LineDraft) -> list[Span]:
        running = [Span(life.span.begin + STARTING_S, life.span.end) for life in self._draft.lives]
        holes = [*one.deaf, *line.mute, *self._away(line), *(span for span, _ in self._draft.clock_off)]
        holes += self._draft.full
        acts = [act.at_s for act in self._draft.acts if line.name in act.meter.hangs]
        holes += [Span(at_s, at_s + STARTING_S) for at_s in acts]  # its line begins anew
        holes += [Span(0.0, one.known_at), Span(one.leaves_at, float("inf"))]
        if (moment_s := self._draft.replanned_at) is not None:
            holes.append(Span(moment_s, moment_s + STARTING_S))
        return without([span for span in running if span.seconds > 0], holes)

    def _away(self, line: LineDraft) -> list[Span]:
        """When a line could not be used; a terminal that was cut off dials again only after a while."""
        again_s = STARTING_S if line.way == "dial" else 0.0
        gone = [Span(span.begin, span.end + again_s) for span in line.gone]
        if line.way == "dial":
            gone += [Span(life.span.begin, life.span.begin + again_s) for life in self._draft.lives]
        return [*gone, *(Span(cut, cut + again_s + 1) for cut in line.cuts)]

    def _absences(self) -> list[Span]:
        lives = [life.span for life in self._draft.lives]
        return [Span(one.end, other.begin) for one, other in pairwise(lives)]

    def _freeze(self, meter: str, kind: Kind, slot: datetime, moment_s: float) -> Freeze | None:
        """The row that a meter holds of a slot at a time."""
        speaker = self._plant.meters[meter]
        table = "settlement" if kind == "monthly_freeze" and hasattr(speaker, "commands") else kind
        between = Between(slot, slot + _INSTANT)
        return next(speaker.works.freezes(table, at(moment_s), between), None)

    def _shown(self, one: MeterDraft, kind: Kind, freeze: Freeze) -> dict[str, Decimal]:
        speaker = self._plant.meters[one.id]
        found = {item: speaker.value(item, freeze.taken_at) for item in ITEMS[kind]}
        return {item: value for item, value in found.items() if value is not None}
