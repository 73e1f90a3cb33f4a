"""The checker finds what it is there for: histories that are made up, each with one lie in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from metersim.works.memory import ControlMemory
from tests.sim.crash_points.checker import MeterTruth, Row, complaints, unfinished

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
NUMBER = "000000990161"
CENTS = 12_000
WAY = [
    ("create", "", "created"),
    ("authorise", "created", "authorised"),
    ("operate", "authorised", "queued"),
    ("take", "queued", "precheck"),
    ("intend", "precheck", "sending"),
    ("lose", "sending", "unconfirmed"),
    ("read_back", "unconfirmed", "readback"),
]
Told = tuple[str, str, str]
ENDS = ("done", "not_done", "rejected", "cancelled", "unknown", "relay_fault")


def at(seconds: float) -> datetime:
    """Seconds after noon."""
    return NOON + timedelta(seconds=seconds)


class Story:
    """A made-up history: orders of one meter, a row each second, and what the meter remembers."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.memory = ControlMemory(shows=lambda shown: shown, meter_number=lambda: NUMBER)
        self.truth = MeterTruth(number=NUMBER, memory=self.memory)

    def order(
        self,
        *told: Told,
        name: str = "o-1",
        kind: str = "trip",
        since_s: float = 0,
        deadline_s: float = 300,
        inputs: dict[str, str] | None = None,
        counts: tuple[int, ...] = (),
    ) -> None:
        """One order, its usual way and then what is told."""
        for step, (verb, before, after) in enumerate([*WAY, *told], start=1):
            body: dict[str, Any] = {"from": before, "to": after} if before else {"to": after}
            if verb == "create":
                body["order"] = {"meter": "m1", "kind": kind, "deadline_at": at(deadline_s).isoformat()}
                body["order"]["amount_cents"] = CENTS if kind == "top_up" else None
            if verb == "intend" and counts:
                sent, *counts_left = counts
                body["sent"], counts = {"purchase_count": sent}, tuple(counts_left)
            if verb == "give_up" and inputs is not None:
                body["inputs"] = inputs
            self.rows.append(
                {
                    "number": len(self.rows) + 1,
                    "topic": "order",
                    "subject": name,
                    "step": step,
                    "verb": verb,
                    "at": round((at(since_s + step) - datetime.fromtimestamp(0, UTC)).total_seconds() * 1e6),
                    "meter": "m1",
                    "body": body,
                    "is_open": int(after not in ENDS),
                }
            )

    def obey(self, seconds: float, kind: str = "trip", *, opened: bool | None = True, **details: str) -> None:
        """The meter obeys; and its contact moves at once, if it does."""
        number = self.memory.obeyed(kind, at(seconds), came_by="645", operator="5a3c0001", details=details)
        if opened is not None:
            self.memory.moved(
                opened=opened, at=at(seconds), came_by="645", operator="5a3c0001", control=number
            )

    def complaints(self, clock_error_s: float = 0) -> list[str]:
        """What the checker says."""
        rows: list[Row] = list(self.rows)
        return complaints(rows, {"m1": self.truth}, timedelta(seconds=clock_error_s))


PROVE = ("prove", "readback", "done")
PROVE_NOT = ("prove_not", "readback", "not_done")
AGAIN = ("intend", "not_done", "sending")
ONCE_MORE = [AGAIN, ("lose", "sending", "unconfirmed"), ("read_back", "unconfirmed", "readback")]


def a_trip() -> Story:
    """One that was obeyed and proved."""
    story = Story()
    story.order(PROVE)
    story.obey(5.5)
    return story


def a_repeated_trip() -> Story:
    """One whose first frame was lost."""
    story = Story()
    story.order(PROVE_NOT, *ONCE_MORE, PROVE)
    story.obey(9.5)
    return story


def a_cancelled_trip() -> Story:
    """One that was taken back before its second frame."""
    story = Story()
    story.order(PROVE_NOT, ("cancel", "not_done", "cancelled"))
    return story


def a_lost_trip() -> Story:
    """One that never arrived."""
    story = Story()
    story.order(PROVE_NOT)
    return story


@pytest.mark.parametrize("story", [a_trip, a_repeated_trip, a_lost_trip, a_cancelled_trip])
def test_what_is_true_passes(story: Callable[[], Story]) -> None:
    """A checker that always complains is turned off after a week."""
    assert [] == story().complaints()
    assert [] == unfinished(story().rows)


def test_a_permit_and_money_pass_too() -> None:
    """Orders without a contact of their own would be judged by one."""
    story = Story()
    story.memory.moved(opened=True, at=at(-9), came_by="645", operator="0" * 8, control=None)
    story.order(("wait_for_key", "readback", "waiting_for_key"), kind="permit_close")
    story.obey(5.5, "permit_close", opened=None)
    story.order(PROVE, name="o-2", kind="top_up", since_s=60)
    story.obey(66, "top_up", opened=None, amount_cents=str(CENTS))
    assert [] == story.complaints()


def _told(story: Story, what: str) -> list[str]:
    """The complaints about a story that say so."""
    return [told for told in story.complaints() if what in told]


def test_a_control_that_nobody_ordered() -> None:
    """A frame that left before its row was on disk."""
    story = a_lost_trip()
    story.obey(4.9)
    assert _told(story, "nobody had ordered it")
    other_kind = a_lost_trip()
    other_kind.obey(6, "direct_close")
    assert _told(other_kind, "nobody had ordered it")


def test_an_order_that_was_obeyed_twice() -> None:
    """The very thing that must not happen."""
    story = a_repeated_trip()
    story.obey(5.5)
    assert _told(story, "obeyed 2 times")


def test_an_order_that_was_obeyed_late() -> None:
    """A frame that a line had stored."""
    story = Story()
    story.order(PROVE, deadline_s=20)
    story.obey(20.001)
    assert _told(story, "after its deadline")


def test_a_frame_that_left_late() -> None:
    """A queue that held an old trip."""
    story = Story()
    story.order(PROVE_NOT, deadline_s=4)
    assert _told(story, "left after the deadline")


def test_a_clock_that_was_set_excuses_so_much_and_no_more() -> None:
    """Who sets a clock by a second would be told that an order was late, or excuse an hour."""
    story = Story()
    story.order(PROVE, deadline_s=4)
    story.obey(6)
    assert ["a frame left after the deadline", "obeyed"] == [
        "a frame left after the deadline" if "left" in told else "obeyed" for told in story.complaints()
    ]
    assert [] == story.complaints(2)
    assert story.complaints(1.9)


def test_the_wrong_meter_and_a_protected_one() -> None:
    """The neighbour, or the hospital, in the dark."""
    wrong = a_trip()
    wrong.truth = replace(wrong.truth, number="000000990162")
    assert _told(wrong, "obeyed by meter 000000990161")
    protected = a_trip()
    protected.truth = replace(protected.truth, is_protected=True)
    assert _told(protected, "protected meter")


def test_a_fourth_frame() -> None:
    """An order without an end."""
    story = Story()
    story.order(PROVE_NOT, *[*ONCE_MORE, PROVE_NOT] * 3)
    assert _told(story, "4 frames left")


def test_a_frame_behind_silence() -> None:
    """A repeat that rests on nothing."""
    story = Story()
    story.order(AGAIN, PROVE_NOT)
    assert _told(story, "nothing was proved")


@pytest.mark.parametrize(
    "end",
    [PROVE_NOT, ("reject", "readback", "rejected")],
)
def test_an_obeyed_order_that_is_told_as_nothing(end: Told) -> None:
    """A customer in the dark whose order says that nothing happened."""
    story = Story()
    story.order(end)
    story.obey(6)
    assert _told(story, "and was obeyed")


@pytest.mark.parametrize("end", ["refused", "cancelled", "expired"])
def test_a_withdrawn_order_that_had_left(end: str) -> None:
    """A frame on its way whose order was called off."""
    story = Story()
    story.order(("cancel", "readback", end))
    assert _told(story, "and a frame had left")


REJECTED = ("reject", "readback", "rejected")
UNSENT = [("intend", "rejected", "sending"), ("unsent", "sending", "not_done")]


@pytest.mark.parametrize("told", [[REJECTED], [REJECTED, *UNSENT]])
@pytest.mark.parametrize(("kind", "is_proved"), [("trip", False), ("top_up", True)])
def test_a_withdrawn_order_that_may_still_be_obeyed(told: list[Told], kind: str, *, is_proved: bool) -> None:
    """A no that nothing bears out, called off: nobody would look at the contact."""
    story = Story()
    story.order(*told, ("cancel", told[-1][2], "cancelled"))
    for row in story.rows:
        row["body"]["kind"] = kind
    assert is_proved is not bool(_told(story, "a frame had left of which nothing was proved"))


def test_a_withdrawn_order_that_was_obeyed() -> None:
    """A trip that had opened behind the word of its proof, and was called off."""
    story = a_cancelled_trip()
    story.obey(6)
    assert _told(story, "it is cancelled, and was obeyed")


def test_an_order_that_is_done_without_the_meter() -> None:
    """An answer that was taken for a deed; a contact that stands the other way."""
    story = Story()
    story.order(PROVE)
    assert _told(story, "and was not obeyed")
    unmoved = Story()
    unmoved.order(PROVE)
    unmoved.obey(6, opened=None)
    assert _told(unmoved, "its contact was closed")


def test_a_permit_that_does_not_wait() -> None:
    """A customer who is told to press a key although his power is back."""
    story = Story()
    story.order(("wait_for_key", "readback", "waiting_for_key"), kind="permit_close")
    story.obey(6, "permit_close", opened=False)
    assert _told(story, "its contact was closed")


def test_a_fault_of_a_sound_meter_and_a_surrender_before_its_time() -> None:
    """A whole model withdrawn for nothing; an order given up after a minute."""
    fault = Story()
    fault.order(("contradict", "readback", "relay_fault"))
    assert _told(fault, "relay_fault of a sound meter")
    fault.truth = replace(fault.truth, is_faulty=True)
    assert [] == fault.complaints()
    early = Story()
    early.order(("give_up", "readback", "unknown"))
    assert _told(early, "it was given up after")


def test_two_orders_of_one_meter_at_a_time() -> None:
    """An answer that could be either's."""
    story = a_lost_trip()
    story.order(PROVE_NOT, name="o-2", kind="alarm_on", since_s=1)
    assert _told(story, "was not over")


def test_a_gap_a_stranger_and_an_open_order() -> None:
    """A log that lost a row; a meter that nobody asked; an order that never ended."""
    gap = a_trip()
    del gap.rows[2]
    assert _told(gap, "have a gap")
    stranger = a_trip()
    rows: list[Row] = list(stranger.rows)
    assert any("is not there" in told for told in complaints(rows, {}))
    story = Story()
    story.order()
    assert ["o-1"] == unfinished(story.rows)


def test_money_that_is_not_what_was_ordered() -> None:
    """A customer who paid 120 yuan and has 1.20 would be one of whom all is well."""
    story = Story()
    story.order(PROVE, kind="top_up")
    story.obey(5.5, "top_up", opened=None, amount_cents=str(CENTS - 1))
    assert _told(story, "11999 cents came into the wallet, and 12000 were ordered")


def test_money_whose_frames_bear_two_counts() -> None:
    """A repeat with the next count is one that the meter takes as well."""
    for counts, is_right in (((5, 5), True), ((5, 6), False)):
        story = Story()
        story.order(PROVE_NOT, *ONCE_MORE, PROVE, kind="top_up", counts=counts)
        story.obey(9.5, "top_up", opened=None, amount_cents=str(CENTS))
        assert is_right is not bool(_told(story, "bore the purchase counts [5, 6]"))


GIVE_UP = ("give_up", "readback", "unknown")


def test_money_that_is_given_up_has_a_reason() -> None:
    """Two people would have to look after each payment that the meter itself could tell of."""
    of_old = {"count_before": "4", "count_sent": "5", "count_after": "4"}
    for inputs in (None, of_old, {**of_old, "count_after": "5"}):
        story = Story()
        story.order(GIVE_UP, kind="top_up", inputs=inputs)
        assert _told(story, "it was given up after")
    story = Story()
    story.order(GIVE_UP, kind="top_up", inputs={**of_old, "count_after": "6"})
    assert _told(story, "which its meter did not have")
    story.obey(1, "open_account", opened=None, purchase_count="6")
    assert [] == story.complaints()
