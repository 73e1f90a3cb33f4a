"""Somebody sets the gateway's clock: no wait that protects a customer is shorter by it, and no cap wider."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from meterlink.errors import NotAllowed
from meterlink.orders.book import Book
from meterlink.orders.evidence.told import Kept
from meterlink.orders.life.effects import ARMED_FOR
from meterlink.orders.life.machine import Signal
from meterlink.orders.people import THE_DAEMON, Actor, Role
from meterlink.orders.rules import Stage, judge
from meterlink.roster.roster import RosterMeter
from tests.support.orders import NOON, order
from tests.support.rule_cases.case import LIVE, OPERATE, PAPER, TRIP, Made, balance, notice, trip
from tests.support.rules import DAYS, HOUR, MINUTE, SECOND, late, record
from tests.unit.test_gathering import World, a_world

_STEPS = (DAYS[8], -DAYS[8])
_LAST = record("final_notice", "f1", NOON - 31 * MINUTE, channel="phone")
_BY_HAND = late(DAYS[1], record("warning", "w1", NOON - DAYS[14], channel="sms"))
_SAM, _STEVE = (Actor(name=name, roles=frozenset({Role.SECURITY})) for name in ("sam", "steve"))


def _set(by: timedelta, *kept: Kept) -> list[Kept]:
    """Records since whose keeping somebody has set the clock."""
    return [dataclasses.replace(one, set_since=by) for one in kept]


def _approved(ago: timedelta, by: timedelta) -> Made:
    return trip(OPERATE, steps={"approved_at": NOON - ago, "approval_set": by})


@pytest.mark.parametrize(
    ("rule", "stage", "made"),
    [
        ("CTRL-04", PAPER, trip(PAPER, *_set(SECOND, *notice(DAYS[7])))),
        ("CTRL-04", PAPER, trip(PAPER, *_set(-DAYS[23], *notice(DAYS[8])))),
        ("CTRL-05", PAPER, trip(PAPER, *_set(DAYS[30], balance()))),
        ("CTRL-06", LIVE, trip(LIVE, *_set(MINUTE + SECOND, _LAST))),
        ("CTRL-06", LIVE, trip(LIVE, *_set(-4 * HOUR, _LAST))),
        ("CTRL-01", PAPER, trip(PAPER, *_set(-47 * HOUR - SECOND, balance()))),
        ("CTRL-03", PAPER, trip(PAPER, *_set(DAYS[1], *_BY_HAND))),
        ("CTRL-10", OPERATE, _approved(HOUR, -7 * HOUR)),
    ],
)
def test_time_counts_by_the_worse_of_two_clocks(rule: str, stage: Stage, made: Made) -> None:
    """A clock that was set would cut somebody off before his time, or by a word that is too old."""
    assert [rule] == [one.rule for one in judge(stage, made()) if not one.passed]


@pytest.mark.parametrize("by", _STEPS)
@pytest.mark.asyncio
async def test_facts_know_how_the_clock_was_set(tmp_path: Path, by: timedelta) -> None:
    """Seven days would be over in a second: the rules have no clock but what they are told."""
    async with a_world(tmp_path) as world:
        await world.tell()
        life = await world.brought(order(TRIP, meter="m1"), Signal.APPROVE, Signal.AUTHORISE)
        world.clock.ahead = by
        world.clock.now += MINUTE
        facts = await world.gatherer.facts(PAPER, life.order, life, THE_DAEMON, _meter(world))
        assert {by} == {one.set_since for one in facts.told.kept}
        assert (NOON, by) == (facts.steps.approved_at, facts.steps.approval_set)


@pytest.mark.parametrize("by", _STEPS)
@pytest.mark.asyncio
async def test_a_window_of_trips_is_emptied_by_no_clock(tmp_path: Path, by: timedelta) -> None:
    """Each step of the clock would let one more area go dark, or none for a week (decision 24)."""
    async with a_world(tmp_path) as world:
        way = (Signal.APPROVE, Signal.AUTHORISE, Signal.ARM, Signal.OPERATE, Signal.TAKE, Signal.INTEND)
        await world.brought(order(TRIP, id="o-1", meter="m1"), *way)
        world.clock.ahead = by
        world.clock.now += DAYS[1] - SECOND
        assert "trips_per_meter_day" in await _caps(world)
        world.clock.now += SECOND
        assert [] == await _caps(world)


@pytest.mark.parametrize("by", _STEPS)
@pytest.mark.asyncio
async def test_a_freeze_lasts_by_both_clocks(tmp_path: Path, by: timedelta) -> None:
    """Somebody would be cut off in a storm that is not over."""
    async with a_world(tmp_path) as world:
        await world.brakes.freeze(_SAM, "storm", area="east", until=NOON + HOUR)
        world.clock.ahead = by
        world.clock.now += HOUR - SECOND
        assert ["east"] == [one.area for one in world.brakes.frozen]
        world.clock.now += SECOND
        assert (by < timedelta()) == bool(world.brakes.frozen)


@pytest.mark.asyncio
async def test_a_wish_to_go_on_does_not_wait_for_ever(tmp_path: Path) -> None:
    """A second person would agree to what somebody asked for before the weekend."""
    async with a_world(tmp_path) as world:
        await world.brakes.stop(_SAM, "look first")
        assert not await world.brakes.resume(_SAM, "looked")
        world.clock.now += HOUR + SECOND
        world.clock.ahead = -HOUR
        assert not await world.brakes.resume(_STEVE, "looked")


@pytest.mark.parametrize("by", _STEPS)
@pytest.mark.asyncio
async def test_an_order_is_armed_for_a_minute_by_both_clocks(tmp_path: Path, by: timedelta) -> None:
    """An order would stay under somebody's finger for hours, because a clock was set back."""
    async with a_world(tmp_path) as world:
        book = Book(world.journal.acts, world.clock, timeline=world.timeline)
        await world.tell()
        life = await world.brought(
            order(TRIP, deadline_at=NOON + DAYS[20], meter="m1"), Signal.APPROVE, Signal.AUTHORISE
        )
        life = await book.step(life, Signal.ARM, actor="david")
        world.clock.ahead = by
        world.clock.now += ARMED_FOR
        with pytest.raises(NotAllowed) as caught:
            await book.step(life, Signal.OPERATE, actor="david")
        assert "arm_lapsed" == caught.value.why


def _meter(world: World) -> RosterMeter:
    meter = world.roster.meter("m1")
    assert meter is not None
    return meter


async def _caps(world: World) -> list[str]:
    """The caps that one more trip of the meter would break."""
    facts = await world.gatherer.facts(OPERATE, order(TRIP, id="o-2"), None, THE_DAEMON, _meter(world))
    return [over.cap for over in facts.limited.over]
