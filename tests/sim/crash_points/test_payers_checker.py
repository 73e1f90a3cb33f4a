"""The checker finds who has paid and is forgotten: in histories that are made up, and in spoilt worlds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.act import Act
from meterlink.orders.life.life import Life
from meterlink.orders.paid.aftermath import Aftermath
from meterlink.orders.paid.payments import Payments
from meterlink.orders.waiting.spared import Sparing
from tests.sim.crash_points.fates import Listed
from tests.sim.crash_points.payers_checker import complaints_of_payers
from tests.sim.crash_points.plan import Plan
from tests.sim.crash_points.playing import play
from tests.sim.crash_points.test_checker import Story, a_lost_trip, a_trip, at
from tests.sim.crash_points.world import Played, World

FORGOTTEN = "nobody knows that its customer waits"


def _row(story: Story, topic: str, subject: str, *, is_open: bool = True, **body: Any) -> None:
    verb = {"evidence": "record", "order": "create"}.get(topic, "open")
    number = len(story.rows) + 1
    row = {"number": number, "topic": topic, "subject": subject, "verb": verb, "meter": "m1", "body": body}
    story.rows.append({**row, "step": 1, "at": 0, "is_open": int(is_open)})


def _paid(story: Story, *, settles: bool = True) -> Story:
    _row(story, "evidence", "billing:p1", is_open=False, kind="payment", settles=settles)
    return story


def _found(story: Story) -> list[str]:
    return list(complaints_of_payers(story.rows, {"m1": story.truth}))


def test_who_paid_and_is_forgotten_is_found() -> None:
    """A program that opens no reconnection would pass, however often it dies."""
    (told,) = _found(_paid(a_trip()))
    assert FORGOTTEN in told
    assert "billing:p1" in told


def _protected(story: Story, name: str = "x1", state: str = "set") -> Story:
    body = {"kind": "protection", "protection": "life_support", "state": state}
    _row(story, "evidence", f"billing:{name}", is_open=False, **body)
    return story


def test_who_is_protected_and_is_forgotten_is_found() -> None:
    """A program that leaves somebody who lives by a machine in the dark would pass."""
    (told,) = _found(_protected(a_trip()))
    assert FORGOTTEN in told
    assert "life_support" in told


def test_who_is_protected_and_known_or_no_longer_protected_is_not_waited_for() -> None:
    """A checker that complains of what people know of, or of what is over, is turned off."""
    story = _protected(a_trip())
    _row(story, "work", "cut_off:o-1", kind="cut_off")
    assert [] == _found(story)
    assert [] == _found(_protected(_protected(a_trip()), "x2", "lifted"))


def test_who_has_not_paid_or_was_not_cut_off_is_not_waited_for() -> None:
    """A checker that always complains is turned off after a week."""
    assert [] == _found(a_trip())
    assert [] == _found(_paid(a_trip(), settles=False))
    assert [] == _found(_paid(a_lost_trip()))


@pytest.mark.parametrize("kind", ["permit_close", "direct_close"])
def test_who_has_current_or_the_key_is_not_waited_for(kind: str) -> None:
    """The key decides behind a permit; and who has current again waits for nothing."""
    story = _paid(a_trip())
    story.obey(20, kind, opened=None if kind == "permit_close" else False)
    assert [] == _found(story)


def test_who_closed_it_by_hand_is_not_waited_for() -> None:
    """Field staff would be sent to a meter that somebody has closed."""
    story = _paid(a_trip())
    story.memory.moved(opened=False, at=at(30), came_by="key", operator="00000000", control=None)
    assert [] == _found(story)


def test_who_was_cut_off_again_behind_a_permit_waits() -> None:
    """The permit of an earlier reconnection would stand for a later one."""
    story = _paid(a_trip())
    story.obey(20, "permit_close", opened=False)
    assert [] == _found(story)
    story.obey(40)
    assert 1 == len(_found(story))


@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize(
    ("topic", "subject", "is_enough"),
    [
        ("work", "field_order:o-2", True),
        ("work", "hold:o-2", True),
        ("work", "reminder:o-2", False),
        ("work", "contact:o-2", False),
        ("alarm", "RECONNECT_LATE_2:m1:2026-11-24", True),
        ("alarm", "WALLET_DRIFT:m1:2026-11-24", False),
    ],
)
def test_what_brings_somebody_to_him_is_enough_while_it_is_open(
    topic: str, subject: str, *, is_enough: bool, is_open: bool
) -> None:
    """A closed item, or one about something else, would stand for somebody who comes."""
    story = _paid(a_trip())
    _row(story, topic, subject, is_open=is_open, kind="it")
    assert (is_enough and is_open) is not bool(_found(story))


@pytest.mark.parametrize(("kind", "is_enough"), [("permit_close", True), ("alarm_off", False)])
def test_an_order_that_is_open_is_enough_if_it_closes(kind: str, *, is_enough: bool) -> None:
    """Whatever is still to be done at a meter would stand for current."""
    story = _paid(a_trip())
    _row(story, "order", "o-2", order={"kind": kind})
    assert is_enough is not bool(_found(story))


@pytest.mark.parametrize(("seed", "kills"), [(136, ()), (136, (60,)), (1011, ())])
def test_a_program_that_reconnects_nobody_is_found(
    monkeypatch: pytest.MonkeyPatch, seed: int, kills: Sequence[int]
) -> None:
    """A million crash points would be played, and nobody see that payers stay in the dark."""
    assert () == play(seed, kills).complaints

    async def nothing(_self: Aftermath, _before: Life, _after: Life, _act: Act) -> Sequence[Act]:
        return ()

    async def nobody(_self: Payments, *_told: object) -> str:
        return ""

    monkeypatch.setattr(Aftermath, "beside", nothing)
    monkeypatch.setattr(Payments, "_reconnected", nobody)
    monkeypatch.setattr(Payments, "resume", nobody)
    found = play(seed, kills).complaints
    assert any(FORGOTTEN in told for told in found), found


def _play_protected(folder: Path, kills: Sequence[int] = ()) -> Played:
    """The world of a trip in which somebody comes to be protected in place of paying."""
    plan = Plan.of(136)
    wishes = tuple(
        replace(one, what="protection" if one.what == "payment" else one.what) for one in plan.wishes
    )
    return World(replace(plan, wishes=wishes), folder, Listed(kills)).run()


@pytest.mark.parametrize("kills", [(), (40,), (60,), (80,), (100,), (120, 30)])
def test_who_comes_to_be_protected_is_not_forgotten(tmp_path: Path, kills: Sequence[int]) -> None:
    """A crash between the record and what follows from it would leave somebody in the dark, untold."""
    assert () == tuple(_play_protected(tmp_path, kills).complaints)


def test_a_program_that_forgets_who_is_protected_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A million crash points would be played, and nobody see that whom none may cut off is dark."""

    async def nobody(_self: Sparing, *_told: object) -> list[object]:
        return []

    monkeypatch.setattr(Sparing, "since", nobody)
    found = _play_protected(tmp_path).complaints
    assert any(FORGOTTEN in told for told in found), found
