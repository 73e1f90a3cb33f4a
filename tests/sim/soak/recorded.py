"""What meters have recorded of events, and what words of state they showed: told by the plant, and judged.

An event had to be told when there was an opportunity behind it: a stretch of time with a whole round of the
plan in it, in which the meter could be asked as in ``truth``, and its memory still held the event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from metersim.works.works import Works
from tests.sim.soak.draft import EVENT_KINDS, EVENTS_EVERY_S, START, Draft, MeterDraft, at
from tests.sim.soak.plant import Plant
from tests.sim.soak.spans import Span, after
from tests.sim.soak.truth import Truth

NOISY_ROUNDS: Final = 4
"""Rounds after which even a noisy line has let a look into a memory through."""
ROUND_S: Final = 3_600.0
"""Of a line, at most."""
TELLS_EVENTS: Final = frozenset({"dlt645-2007", "dlt698.45"})
"""Protocols whose meters tell what they have recorded."""
WORDS: Final = tuple(f"meter_status_word_{number}" for number in range(1, 8))
_INSTANT: Final = timedelta(microseconds=1)
_ON_THE_WAY: Final = timedelta(seconds=30)
"""From an answer until it is kept, at most; meanwhile a word may have become another."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event as a meter has recorded it.

    Args:
        kind: as the catalogue has it.
        number: as the meter counts.
        began: by the meter's clock, to the second.
        ended: by the meter's clock; ``None``: it lasts.
        began_s: true seconds since the start.
        ended_s: the same of its end.
        held_until_s: when the meter was taken away, with its memory.

    """

    kind: str
    number: int
    began: datetime
    ended: datetime | None
    began_s: float
    ended_s: float | None
    held_until_s: float

    @property
    def name(self) -> tuple[str, datetime, int]:
        """What tells it from others of its meter."""
        return self.kind, self.began, self.number


Told = Mapping[tuple[str, datetime, int], Sequence[datetime | None]]
"""Events of one meter in the journal: by what they are, the ends that were told, in order."""


class Records:
    """What the plant of a draft knows of its meters' events and states, when all is over.

    Args:
        draft: of it.
        plant: as it has become.
        truth: when each meter could be asked.

    """

    def __init__(self, draft: Draft, plant: Plant, truth: Truth) -> None:
        self._draft = draft
        self._plant = plant
        self._truth = truth

    def recorded(self, one: MeterDraft) -> list[Recorded]:
        """All that meters of this place have recorded, the one before an exchange too."""
        works, end = self._plant.meters[one.id].works, at(self._draft.ends_at)
        if one.protocol not in TELLS_EVENTS:
            return []
        if one.exchanged_at is None:
            return list(_recorded(works, end, float("inf")))
        exchanged = at(one.exchanged_at)
        return [
            *_recorded(works, exchanged - _INSTANT, one.exchanged_at),
            *_recorded(works, end, float("inf")),
        ]

    def had_to_be_told(self, one: MeterDraft, since_s: float, until_s: float) -> bool:
        """Whether what a memory held from one time to another had to be read."""
        needed_s = EVENTS_EVERY_S * (NOISY_ROUNDS if self._is_noisy(one) else 1) + ROUND_S
        held = (
            Span(span.begin, min(span.end, until_s)) for span in after(self._truth.usable[one.id], since_s)
        )
        return one.nature != "garbage" and any(
            span.seconds >= needed_s and self._truth.would_tell(one, span) for span in held
        )

    def wrong(self, one: MeterDraft, told: Told) -> Iterator[str]:
        """What of the events in the journal is not as it must be."""
        recorded = {event.name: event for event in self.recorded(one)}
        for name, ends in told.items():
            if name not in recorded:
                yield f"{name} was told, and the meter has no such event"
            elif list(ends) not in ([None], [recorded[name].ended], [None, recorded[name].ended]):
                yield f"{name} ended as {ends}, and by the meter {recorded[name].ended}"
        for name, event in recorded.items():
            if name not in told:
                if self.had_to_be_told(one, event.began_s, event.held_until_s):
                    yield f"{name} was not told"
            elif event.ended_s is None or told[name][-1] is not None:
                continue
            elif self.had_to_be_told(one, event.ended_s, event.held_until_s):
                yield f"{name}: its end was not told"

    def showed(self, one: MeterDraft, word: str, value: Decimal, taken_at: datetime) -> bool:
        """Whether a meter showed a word of state when it was read, by the gateway's clock."""
        works = self._plant.meters[one.id].works
        moments = [at(moment_s) for moment_s in self._truth.true_times(taken_at)]
        moments += [moment - _ON_THE_WAY for moment in moments]
        return any(int(str(works.content(word, moment)), 16) == int(value) for moment in moments)

    def _is_noisy(self, one: MeterDraft) -> bool:
        return one.nature == "noisy" or self._truth.is_noisy_line(one)


def _recorded(works: Works, until: datetime, held_until_s: float) -> Iterator[Recorded]:
    for kind in EVENT_KINDS:
        for event in works.events.events(kind, until):
            ended = event.ended_at
            yield Recorded(
                kind=kind,
                number=event.number,
                began=_shown(works, event.started_at),
                ended=None if ended is None else _shown(works, ended),
                began_s=(event.started_at - START).total_seconds(),
                ended_s=None if ended is None else (ended - START).total_seconds(),
                held_until_s=held_until_s,
            )


def _shown(works: Works, moment: datetime) -> datetime:
    """What the meter's own clock showed, as a record has it."""
    return works.clock.shows(moment).astimezone(UTC).replace(microsecond=0)
