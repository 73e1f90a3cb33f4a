"""Walks of qualification whose program dies at every step, and what the checker of walks is there for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meterlink.orders.qualification.probes import PROBES
from meterlink.orders.qualifying.left_open import LeftOpen
from metersim.works.memory import ControlMemory
from tests.sim.crash_points.checker import MeterTruth, Row
from tests.sim.crash_points.fates import Tally
from tests.sim.crash_points.plan import OFTEN_FROM, UNLIKE, WALK_THEMES, WALKS_FROM, Plan
from tests.sim.crash_points.playing import play, play_often
from tests.sim.crash_points.walks_checker import PROBE_KINDS, complaints_of_walks

WHOLE = WALKS_FROM + 11
"""A walk to its end, and an alarm behind it."""
LEFT = WALKS_FROM + 18
"""One whose person goes away while the contact is open."""
OFTEN = (OFTEN_FROM + WALKS_FROM + 18, OFTEN_FROM + WALKS_FROM + 29)
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
M, NUMBER, WALK = "m1", "000000990161", "q-1"


def test_a_walk_comes_to_its_end_and_orders_follow() -> None:
    """Most points would lie behind a walk that stopped at once."""
    played = play(WHOLE)
    assert () == played.complaints
    assert ["q"] * 12 + ["w2"] == [order.partition("-")[0] for order in played.ends]
    assert "done" == played.ends["w2"]


def test_walks_end_well_however_often_the_program_dies() -> None:
    """A probe would be sent again behind a crash, or too late, or without the yes of who stands there."""
    tally = Tally()
    for seed in OFTEN:
        tally.add(play_often(seed))
    assert [] == tally.wrong
    assert tally.kills > 100
    stood = {what.split(", ")[0] for what in tally.deaths}
    assert {"precheck", "sending", "unconfirmed", "readback", "done"} <= stood


def test_a_program_that_tells_nobody_of_the_dark_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worlds would pass, whatever the daemon did about a contact that a walk has left open."""

    async def looks_away(_: LeftOpen) -> None:
        return

    monkeypatch.setattr(LeftOpen, "look", looks_away)
    assert any("nobody was told" in told for told in play(LEFT).complaints)


def test_plans_of_walks_hold_what_they_are_for() -> None:
    """No meter would be otherwise, nobody would go away, or no order follow."""
    plans = [Plan.of(WALKS_FROM + number) for number in range(200)]
    assert all(plan.has_walk and plan.is_loaded for plan in plans)
    assert all(Plan.of(OFTEN_FROM + plan.seed).is_loaded for plan in plans[:20])
    assert set(WALK_THEMES) == {tuple(wish.what for wish in plan.wishes) for plan in plans}
    assert all(any(plan.unlike == unlike for plan in plans) for unlike in UNLIKE)
    assert 60 < sum(bool(plan.leaves_at) for plan in plans) < 150
    assert 50 < sum(bool(plan.faults) for plan in plans) < 150


def test_the_checker_knows_every_probe() -> None:
    """A probe could send what it likes."""
    assert PROBE_KINDS == {probe.name: probe.kind.value for probe in PROBES}


class Story:
    """A made-up walk: a row each second, of the order of one probe and of the walk itself."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.now_s = 0.0
        self.memory = ControlMemory(shows=lambda shown: shown, meter_number=lambda: NUMBER)
        self.truth = MeterTruth(number=NUMBER, memory=self.memory, facts={"expiry": "obeyed"})

    def row(self, topic: str, subject: str, verb: str, **body: Any) -> None:
        self.now_s += 1
        at = NOON + timedelta(seconds=self.now_s) - datetime.fromtimestamp(0, UTC)
        self.rows.append(
            {
                "number": len(self.rows) + 1,
                "topic": topic,
                "subject": subject,
                "verb": verb,
                "at": round(at.total_seconds() * 1e6),
                "meter": M,
                "body": body,
            }
        )

    def walk(self, verb: str, **body: Any) -> None:
        self.row("qualification", f"session/{WALK}", verb, **body)

    def ask(self, probe: str = "trip") -> None:
        self.walk("ask", probe=probe, order=f"{WALK}.{probe}")

    def create(self, order: str = f"{WALK}.trip", kind: str = "trip", origin: str = "probe") -> None:
        self.row("order", order, "create", order={"kind": kind, "origin": origin})

    def intend(self, order: str = f"{WALK}.trip") -> None:
        self.row("order", order, "intend")

    def complaints(self, later_s: float = 0) -> list[str]:
        rows: list[Row] = list(self.rows)
        until = NOON + timedelta(seconds=self.now_s + later_s)
        return complaints_of_walks(rows, M, self.truth, until)


def _true(story: Story) -> None:
    story.ask()
    story.create()
    story.intend()
    story.walk("find", probe="trip")
    story.walk("end", result="qualified")
    story.row("qualification", "dlt645-2007/x/y", "qualify", facts={"expiry": "obeyed"})
    story.create("w2", origin="person")
    story.intend("w2")


def _unasked(story: Story) -> None:
    story.create()
    story.ask()


def _other_kind(story: Story) -> None:
    story.ask()
    story.create(kind="direct_close")


def _late(story: Story) -> None:
    story.ask()
    story.create()
    story.now_s += 601
    story.intend()


def _behind_its_end(story: Story) -> None:
    story.ask()
    story.create()
    story.walk("end", result="left")
    story.intend()


def _twice(story: Story) -> None:
    story.ask()
    story.walk("find", probe="trip")
    story.ask()


def _two_at_a_time(story: Story) -> None:
    story.ask()
    story.ask("permit")


def _renamed(story: Story) -> None:
    story.walk("ask", probe="trip", order=f"{WALK}.permit")


def _goes_on(story: Story) -> None:
    story.walk("end", result="left")
    story.ask()


def _false_fact(story: Story) -> None:
    story.row("qualification", "dlt645-2007/x/y", "qualify", facts={"expiry": "ignored"})


def _unqualified(story: Story) -> None:
    story.row("qualification", "dlt645-2007/x/y", "qualify", facts={})
    story.row("qualification", "dlt645-2007/x/y", "withdraw", why="relay_fault")
    story.create("w2", origin="person")
    story.intend("w2")


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        (_true, None),
        (_unasked, "nobody at the meter had asked for it"),
        (_other_kind, "it is a direct_close"),
        (_late, "behind the yes to it"),
        (_behind_its_end, "a frame left when its walk was over"),
        (_twice, "it is asked for twice"),
        (_two_at_a_time, "while q-1.trip is in hand"),
        (_renamed, "trip is asked for as q-1.permit"),
        (_goes_on, "ask behind its end"),
        (_false_fact, "expiry is said to be ignored, and is obeyed"),
        (_unqualified, "its model was not qualified"),
    ],
)
def test_each_lie_of_a_walk_is_found(told: Callable[[Story], None], complaint: str | None) -> None:
    """The checker would pass whatever a walk did."""
    story = Story()
    story.walk("begin", work_order="")
    told(story)
    found = story.complaints()
    assert bool(complaint) == bool(found), found
    assert complaint is None or any(complaint in one for one in found), found


def test_a_contact_that_a_walk_left_open_is_told_or_complained_of() -> None:
    """Somebody would sit in the dark, and nobody know."""
    story = Story()
    story.walk("begin", work_order="")
    story.ask()
    story.create()
    story.intend()
    at = NOON + timedelta(seconds=story.now_s)
    number = story.memory.obeyed("trip", at, came_by="645", operator="5a3c0001")
    story.memory.moved(opened=True, at=at, came_by="645", operator="5a3c0001", control=number)
    assert [] == story.complaints(later_s=900), "somebody may be at it"
    assert ["q-1: the contact of m1 is open, and nobody was told"] == story.complaints(later_s=1_100)
    story.row("alarm", "PROBE_LEFT_OPEN/m1", "raise", rule="PROBE_LEFT_OPEN")
    assert [] == story.complaints(later_s=1_100)
