"""The plant of a draft: metersim's lines and meters, what befalls them, and what they were asked and said.

Nothing of the daemon is known here but the octets that come over its lines.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import product
from operator import attrgetter
from typing import Any, Final, NamedTuple, Protocol

from meterlink.errors import LineLost
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from meterprofiles import packaged
from metersim import AnswerRecord, FaultRule, FaultRules, Line, Meter, SimClock, Station
from metersim.dlt698 import Meter698
from metersim.dlt698.terminal import Habits, Terminal
from metersim.line.fault_kinds import IN_PLACE
from metersim.line.medium import Medium
from metersim.line.port import Port
from metersim.plant.making import Named, speaker
from metersim.plant.rows import METERS_MAX, MeterRow
from metersim.works.works import Works
from tests.sim.soak.draft import (
    DENIED_FREEZE,
    DENIED_PASSING,
    START,
    Draft,
    LineDraft,
    MeterDraft,
    at,
)
from tests.sim.soak.spans import Span
from tests.support.simulated import Duplex

MEAN_KW: Final = Decimal(7)
FEED_IN_SHARE: Final = Decimal("0.1")
REDIAL_S: Final = 120.0
END_S: Final = 400 * 86_400.0
"""Later than any simulation."""
HABITS: Final = Habits(heartbeat_s=1_200, news_s=600.0)
"""Of terminals; more often costs more than all else in a week."""
REGISTER: Final = "forward_active_energy"
"""What people write down of a meter that they take out or put in."""
NO_SUCH: Final = {"dlt645-2007": 2, "dlt645-1997": 2, "dlt698.45": 6}
"""With which word a meter says that it has no such data: ERR of DL/T 645, DAR of 698.45."""
DENIED: Final = {
    "dlt645-2007": ("0506020*", DENIED_PASSING),
    "dlt645-1997": (DENIED_PASSING,),
    "dlt698.45": (f"{DENIED_FREEZE}*", DENIED_PASSING),
}
"""Of what a denying meter says so, as rules of faults name it."""
_PROFILES: Final = packaged()
_SPOILS: Final = frozenset((*IN_PLACE, "collision"))


class Said(NamedTuple):
    """An answer of a meter that nothing spoiled."""

    at_s: float
    values: dict[str, Decimal]


@dataclass(slots=True)
class Talk:
    """What one meter was asked and said, seen from its side of the line; each list in the order of time.

    Attributes:
        asked_s: times of all questions that came as far as the line.
        said: sound answers.
        said_late: answers to the same question of before, which nobody can tell from sound ones.

    """

    asked_s: list[float] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    said_late: list[Said] = field(default_factory=list)


class _Watch(FaultRules):
    """The rules of the plant, which also note who was asked."""

    def __init__(self, talks: dict[tuple[str, str], Talk], clock: SimClock) -> None:
        super().__init__(start=START)
        self._talks = talks
        self._clock = clock

    @property
    def empty(self) -> bool:
        """It wants to see every question."""
        return False

    def meet(self, question: Any, line: str, address: str) -> Any:
        """See ``FaultRules.meet``."""
        self._talks[line, address].asked_s.append(self._clock.monotonic_s())
        return super().meet(question, line, address)


class Dialled(Protocol):
    """Where terminals dial in; ``None``: nobody listens now."""

    def __call__(self) -> ByteStream | None:
        """Make a connection; its far end."""


class Plant:
    """All lines of a draft, for as long as the simulation lasts.

    Args:
        draft: of it.
        clock: the true time.

    Attributes:
        meters: by our id.
        talks: by line and address.
        registers: of meters that were exchanged, by our id: the last of the old one, the first of the new.

    """

    def __init__(self, draft: Draft, clock: SimClock) -> None:
        self.talks: defaultdict[tuple[str, str], Talk] = defaultdict(Talk)
        self._clock = clock
        self._drafts = {line.name: line for line in draft.lines}
        self._rules = _Watch(self.talks, clock)
        self.meters = {one.id: _meter(one, draft.seed) for one in draft.meters}
        self.meters |= {one.id: self.meters[one.place] for one in draft.entries}
        self.registers: dict[str, tuple[Decimal, Decimal]] = {}
        self._stations = {
            line.name: [
                Station(
                    meter=self.meters[one.id],
                    faults=one.faults,
                    reply_delay_ms=one.reply_delay_ms,
                )
                for one in draft.meters
                if line.name in one.hangs
            ]
            for line in draft.lines
        }
        for one in draft.meters:
            if one.moves is not None:
                moved_s, to = one.moves
                self._strike("loss", (moved_s, END_S), meter=one.address, line=one.line)
                self._strike("loss", (0.0, moved_s), meter=one.address, line=to)
            for span in one.away:
                for line in one.hangs:
                    self._strike("loss", span, meter=one.address, line=line)
            for span in one.denies:
                word = NO_SUCH[one.protocol]
                for line, item in product(one.hangs, DENIED[one.protocol]):
                    self._strike("abnormal", span, meter=one.address, line=line, item=item, word=word)
        for each in draft.lines:
            for span in each.mute:
                self._strike("loss", span, line=each.name)
        self._gone: set[str] = set()
        self._ends: dict[str, list[ByteStream]] = defaultdict(list)
        self._happenings = sorted(self._drawn(draft), key=lambda happening: happening[0])

    def _strike(self, what: str, span: tuple[float, float], **where: Any) -> None:
        between = (timedelta(seconds=span[0]), timedelta(seconds=span[1]))
        self._rules.add(FaultRule(what=what, between=between, **where))

    def asked_s(self, one: MeterDraft) -> Iterator[float]:
        """Times of all questions to a meter that came as far as its line, while it hung there."""
        for line, span in one.hangs.items():
            asked_s = self.talks[line, one.address].asked_s
            yield from (moment_s for moment_s in asked_s if span.begin <= moment_s < span.end)

    def was_asked(self, one: MeterDraft, span: Span) -> bool:
        """Whether a question to a meter came as far as its line in a stretch of time, while it hung there."""
        for line, hangs in one.hangs.items():
            asked_s = self.talks[line, one.address].asked_s
            first = bisect_left(asked_s, max(span.begin, hangs.begin))
            if first < len(asked_s) and asked_s[first] < min(span.end, hangs.end):
                return True
        return False

    def said_anything(self, one: MeterDraft, span: Span) -> bool:
        """Whether a meter gave a sound answer in a stretch of time, on whatever line."""
        for line in one.hangs:
            said = self.talks[line, one.address].said
            first = bisect_left(said, span.begin, key=attrgetter("at_s"))
            if first < len(said) and said[first].at_s < span.end:
                return True
        return False

    def said(self, one: MeterDraft) -> Iterator[Said]:
        """Sound answers of a meter, on whatever line."""
        for line in one.hangs:
            yield from self.talks[line, one.address].said

    def said_late(self, one: MeterDraft) -> Iterator[Said]:
        """Answers to the same question of before."""
        for line in one.hangs:
            yield from self.talks[line, one.address].said_late

    # --- as long as a daemon runs ---------------------------------------------------------------

    def wire(self, group: asyncio.TaskGroup, seed: int) -> None:
        """The lines of this run; those of the one before went with its loop."""
        self._ends.clear()
        self._group = group
        self._lines = {
            name: Line(
                self._stations[name],
                clock=self._clock,
                record=partial(self._note, name),
                client=Port(baud=draft.baud) if draft.baud else None,
                medium=Medium(seed=seed, echo=float(draft.echo), turn_noise=draft.turn_noise),
                paced=draft.way == "paced",
                rules=self._rules,
                name=name,
            )
            for name, draft in self._drafts.items()
        }

    async def open(self, name: str) -> ByteStream:
        """Open a line that we dial."""
        if name in self._gone:
            raise LineLost("[Errno 5] Input/output error")
        ours, theirs = memory_line()
        self._ends[name].append(theirs)
        self._group.create_task(self._lines[name].serve(Duplex(theirs)), name=f"plant[{name}]")
        return ours

    async def keep_dialling(self, name: str, dial: Dialled) -> None:
        """A terminal that calls, and again when its connection ends."""
        terminal = Terminal(self._lines[name], clock=self._clock, habits=HABITS)
        while True:
            far = None if name in self._gone else dial()
            if far is not None:
                self._ends[name].append(far)
                await terminal.serve(Duplex(far))
                await far.aclose()
            await asyncio.sleep(REDIAL_S)

    async def close(self) -> None:
        """The daemon has gone; so do all connections."""
        for line in self._drafts.values():
            await self._cut(line)

    async def catch_up(self) -> None:
        """Let happen what was due while no daemon ran."""
        while self._happenings and self._happenings[0][0] <= self._clock.monotonic_s():
            await self._happenings.pop(0)[1]()

    async def happen(self) -> None:
        """Let everything happen at its time."""
        while self._happenings:
            when, act = self._happenings[0]
            await asyncio.sleep(max(0.0, when - self._clock.monotonic_s()))
            self._happenings.pop(0)
            await act()

    def _note(self, line: str, record: AnswerRecord) -> None:
        spoils = _SPOILS.intersection(record.faults)
        if record.values and spoils <= {"stale"}:
            talk = self.talks[line, record.address]
            said = Said(self._clock.monotonic_s(), dict(record.values))
            (talk.said_late if spoils else talk.said).append(said)

    # --- what happens ---------------------------------------------------------------------------

    def _drawn(self, draft: Draft) -> list[tuple[float, Callable[[], Awaitable[None]]]]:
        found: list[tuple[float, Callable[[], Awaitable[None]]]] = []
        for line in draft.lines:
            for span in line.gone:
                found.append((span.begin, partial(self._lose, line)))
                found.append((span.end, partial(self._bring_back, line)))
            found += [(moment, partial(self._cut, line)) for moment in line.cuts]
        for one in draft.meters:
            found += self._of_meter(one)
        return found

    def _of_meter(self, one: MeterDraft) -> list[tuple[float, Callable[[], Awaitable[None]]]]:
        found: list[tuple[float, Callable[[], Awaitable[None]]]] = []
        works = self.meters[one.id].works
        for span in one.powerless:
            found.append((span.begin, partial(self._power, works, span.begin, "abc")))
            found.append((span.end, partial(self._power, works, span.end, "")))
        for span in one.opened:
            found.append((span.begin, partial(self._cover, works, span.begin, is_open=True)))
            found.append((span.end, partial(self._cover, works, span.end, is_open=False)))
        if one.jump is not None:
            moment, by_s = one.jump
            found.append((moment, partial(self._jump, works, moment, by_s)))
        if one.exchanged_at is not None:
            found.append((one.exchanged_at, partial(self._exchange, one, one.exchanged_at)))
        return found

    async def _lose(self, line: LineDraft) -> None:
        self._gone.add(line.name)
        await self._cut(line)

    async def _bring_back(self, line: LineDraft) -> None:
        self._gone.discard(line.name)

    async def _cut(self, line: LineDraft) -> None:
        for end in self._ends.pop(line.name, []):
            await end.aclose()

    async def _power(self, works: Works, moment: float, phases: str) -> None:
        works.history.change(works.advance(at(moment)), without_supply=frozenset(phases))

    async def _cover(self, works: Works, moment: float, *, is_open: bool) -> None:
        works.history.change(works.advance(at(moment)), cover_open=is_open)

    async def _jump(self, works: Works, moment: float, by_s: float) -> None:
        works.clock.go_wrong(works.advance(at(moment)), by=timedelta(seconds=by_s))

    async def _exchange(self, one: MeterDraft, moment: float) -> None:
        speaker = self.meters[one.id]
        works, now = speaker.works, speaker.works.advance(at(moment))
        last = speaker.value(REGISTER, now)
        works.exchange(now, meter_number=self.new_number(one))
        first = speaker.value(REGISTER, now)
        assert last is not None and first is not None, "every meter counts energy"
        self.registers[one.id] = last, first

    @staticmethod
    def new_number(one: MeterDraft) -> str:
        """The number of the meter that takes the place of another one."""
        return f"{int(one.address) + 900_000_000_000:012d}"


def _meter(one: MeterDraft, seed: int) -> Meter | Meter698:
    row = MeterRow(
        profile=_PROFILES.find(one.protocol, one.model),
        mean_kw=MEAN_KW,
        feed_in_share=FEED_IN_SHARE,
        sums="by_phase",
        clock_ahead_s=Decimal(one.clock_ahead_s),
        clock_drift_s_per_day=Decimal(one.drift_s_per_day),
    )
    own = seed * METERS_MAX + int(one.id[1:])  # two meters of one address are two meters
    made = speaker(Named(one.address, one.line, row), seed=own, start=START)
    assert isinstance(made, Meter | Meter698)
    return made
