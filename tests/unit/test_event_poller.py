"""One look into a meter: what is kept when events come in between, records are missing, or nobody answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from meterlink.acquisition.event_poller import COUNT_AGAIN_MAX, EventPoller
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.plans import Plan, Point
from meterlink.drivers.events import EventCounts, EventRecords, ReportedEvent, kinds_of
from meterlink.errors import Refused, ReplyTimeout
from meterlink.journal.journal import Journal
from meterlink.model.event import NUMBER, Event, EventValue
from meterlink.model.event_kinds import EVENTS_GONE
from meterlink.model.event_mark import EventMark
from meterlink.model.slot import SlotKey, State
from meterlink.model.zone import CHINA_TIME
from metersim.loop import Simulation
from tests.support.records import EPOCH

_MINUTE = timedelta(minutes=1)
_KINDS = ("event_clear", "cover_open", "power_down")


async def _nobody(*found: object) -> None:
    raise AssertionError(f"no meter is looked at beside its events: {found}")


class _Memory:
    """A meter's memory: events of one kind after the other, each a minute after the one before.

    Args:
        counts: by kind.
        now: says when an answer was complete.

    """

    def __init__(self, counts: dict[str, int], now: Callable[[], Any]) -> None:
        self.counts, self.now = counts, now
        self.has_events = True
        self.absent: frozenset[int] = frozenset()
        self.refused: frozenset[int] = frozenset()
        self.silent_after = 10_000
        self.between: Callable[[], None] = lambda: None
        self.asked = 0
        self.read: list[int] = []

    def event_kinds(self, item: str) -> tuple[str, ...]:
        return kinds_of(item, _KINDS, "a test")

    async def read_event_counts(
        self, line: Any, address: str, kinds: Sequence[str], *, priority: Any
    ) -> EventCounts:
        self.asked += 1
        found = {kind: self.counts[kind] for kind in kinds if kind in self.counts}
        absent = {kind: "no such data" for kind in kinds if kind not in self.counts}
        return EventCounts(counts=found, refused=absent, unfit={})

    async def read_event_records(
        self, line: Any, address: str, kind: str, lasts: Sequence[int], *, count: int, priority: Any
    ) -> EventRecords:
        found: dict[int, ReportedEvent | None] = {}
        for last in lasts:
            if len(self.read) >= self.silent_after:
                self.silent_after = 10_000
                return EventRecords(records=found, taken_at=self.now(), cut_short=ReplyTimeout("silence"))
            if last in self.refused:
                busy = Refused("other error", error_word=b"\x01")
                return EventRecords(records=found, taken_at=self.now(), cut_short=busy)
            self.read.append(last)
            true = self.counts[kind] - last + 1
            found[last] = None if true in self.absent else self._record(kind, true, count - last + 1)
            self.between()
        return EventRecords(records=found, taken_at=self.now())

    def _record(self, kind: str, true: int, number: int) -> ReportedEvent:
        began = EPOCH + true * _MINUTE
        return ReportedEvent(
            address="1",
            kind=kind,
            occurred_at=began,
            ended_at=began,
            values=(EventValue(item=NUMBER, content=Decimal(number)),),
            source="a test",
        )


class _Bench:
    """A poller of one meter over a real journal; each ``look`` is a slot of its own."""

    def __init__(self, folder: Path, counts: dict[str, int]) -> None:
        self.sim = Simulation(start=EPOCH + timedelta(days=1))
        self.folder = folder
        self.memory = _Memory(counts, self.sim.clock.utc_now)
        self.plan = Plan(name="e", every_s=900, items=("*",), tries=3, data_class="event")

    def look(self, *, address: str = "1") -> None:
        async def program() -> None:
            async with Journal.open(self.folder / "j.db", clock=self.sim.clock) as journal:
                poller = EventPoller(
                    plan=self.plan,
                    points=[Point(meter="m1", address=address)],
                    line=SimpleNamespace(name="line1"),  # type: ignore[arg-type]
                    driver=self.memory,  # type: ignore[arg-type]
                    keeper=journal,
                    looks=Looks(
                        {},
                        shown={},
                        tell_mixed=_nobody,
                        tell_settles_else=_nobody,
                        book=None,  # type: ignore[arg-type]
                        clock=self.sim.clock,
                        zone=CHINA_TIME,
                    ),
                    events=journal.events,
                    ledger=journal.ledger,
                    clock=self.sim.clock,
                )
                self.slot = self.plan.slot_at(self.sim.clock.utc_now())
                await poller._round(self.slot)

        self.sim.clock.advance(900)
        self.sim.run(program())

    def kept(self) -> tuple[list[Event], dict[str, EventMark], State]:
        """The events, the marks, and where the last slot stands."""

        async def program() -> tuple[list[Event], dict[str, EventMark], State]:
            async with Journal.open(self.folder / "j.db", clock=self.sim.clock) as journal:
                rows = await journal.rows_after(0, 100)
                events = [row.record for row in rows if isinstance(row.record, Event)]
                [standing] = await journal.ledger.standings("m1", self.slot)
                assert SlotKey("m1", "event", 900, self.slot) == standing.key
                return events, await journal.events.marks("m1"), standing.state

        return self.sim.run(program())

    def openings(self) -> list[tuple[int | None, int]]:
        """Number and true number of each opening, in the order of the log."""
        return [
            (event.number, round((event.at - EPOCH) / _MINUTE))
            for event in self.kept()[0]
            if event.kind == "cover_open"
        ]


def test_an_event_that_comes_while_records_are_read_shifts_nothing(tmp_path: Path) -> None:
    """A record would be kept under the number of its neighbour, and one be passed over."""
    bench = _Bench(tmp_path, {"cover_open": 3})

    def opened() -> None:
        bench.memory.counts["cover_open"] += len(bench.memory.read) == 2

    bench.memory.between = opened
    bench.look()
    assert [(n, n) for n in (1, 2, 3, 4)] == bench.openings()
    assert EventMark(device="1", counted=4) == bench.kept()[1]["cover_open"]


def test_events_faster_than_they_can_be_read_leave_the_slot_missing(tmp_path: Path) -> None:
    """A look would never end, or keep what nobody knows the number of."""
    bench = _Bench(tmp_path, {"cover_open": 1, "power_down": 2})

    def opened() -> None:
        bench.memory.counts["cover_open"] += 1

    bench.memory.between = opened
    bench.look()
    events, marks, state = bench.kept()
    assert State.DUE is state
    assert {"power_down"} == {event.kind for event in events} and "cover_open" not in marks
    assert len(bench.memory.read) <= 3 * COUNT_AGAIN_MAX * 10 + 2
    bench.memory.between = lambda: None
    bench.look()
    assert State.KEPT is bench.kept()[2]


def test_what_came_before_a_silence_is_not_asked_for_again(tmp_path: Path) -> None:
    """On a noisy line ten records would never come whole."""
    bench = _Bench(tmp_path, {"cover_open": 10})
    bench.memory.silent_after = 6
    bench.look()
    assert list(range(1, 11)) == bench.memory.read
    assert [(n, n) for n in range(1, 11)] == bench.openings()


def test_records_that_the_meter_does_not_hold_are_told_gone(tmp_path: Path) -> None:
    """An event that is counted and has no record would vanish without a word."""
    bench = _Bench(tmp_path, {"cover_open": 2})
    bench.look()
    bench.memory.counts["cover_open"] = 14
    bench.memory.absent = frozenset({9})
    bench.look()
    events, _, state = bench.kept()
    [gone] = [event for event in events if event.kind == EVENTS_GONE]
    assert [Decimal(3)] == [value.content for value in gone.values if value.item == "gone"]
    assert State.KEPT is state
    bench.look()
    assert events == bench.kept()[0], "and once"


def test_a_record_that_is_refused_for_now_stays_due(tmp_path: Path) -> None:
    """An event would be passed over for good, because its meter was busy for a moment."""
    bench = _Bench(tmp_path, {"cover_open": 3, "power_down": 1})
    bench.memory.refused = frozenset({2})
    bench.look()
    events, marks, state = bench.kept()
    assert State.DUE is state
    assert {"power_down"} == {event.kind for event in events}
    assert "cover_open" not in marks
    bench.memory.refused = frozenset()
    bench.look()
    assert [(n, n) for n in (1, 2, 3)] == bench.openings()
    assert State.KEPT is bench.kept()[2]


def test_a_meter_that_nobody_has_read_yet_has_lost_nothing_of_ours(tmp_path: Path) -> None:
    """Each new meter would raise an alarm over events of years ago."""
    bench = _Bench(tmp_path, {"cover_open": 25})
    bench.look()
    assert [(n, n) for n in range(16, 26)] == bench.openings()
    assert EVENTS_GONE not in {event.kind for event in bench.kept()[0]}


def test_another_meter_under_the_same_id_is_read_from_anew(tmp_path: Path) -> None:
    """Its first events would be taken for known, because the meter before it had counted more, or as many."""
    bench = _Bench(tmp_path, {"cover_open": 3})
    bench.look()
    assert 3 == len(bench.openings())
    bench.memory.read.clear()
    bench.look()
    assert [] == bench.memory.read, "nothing is new"
    bench.look(address="2")
    assert [1, 2, 3] == bench.memory.read
    assert {"2"} == {mark.device for mark in bench.kept()[1].values()}


def test_a_clear_lets_all_kinds_be_read_once_more(tmp_path: Path) -> None:
    """A count that has passed its mark again would hide as many events as the mark says."""
    bench = _Bench(tmp_path, {"event_clear": 0, "cover_open": 2})
    bench.look()
    bench.memory.counts |= {"event_clear": 1, "cover_open": 3}
    bench.memory.read.clear()
    bench.look()
    assert [1, 2, 3, 1] == bench.memory.read, "the openings, and the clear behind them"
    assert 3 == len(bench.openings())


def test_a_meter_without_such_events_refuses_its_slots(tmp_path: Path) -> None:
    """It would be asked for ever, and count as missing."""
    bench = _Bench(tmp_path, {})
    bench.look()
    assert State.REFUSED is bench.kept()[2]
