"""Values of the moment while the gateway's wall clock is set: each slot is read, or says why not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from metersim import Meter, Station
from tests.support.collection_truth import Book
from tests.support.simulated import START, SimulatedGateway

_ADDRESS = "000000000161"
_METER = f"m{_ADDRESS}"
_EVERY_S = 60
_PLANS = [{"name": "moment", "every_s": _EVERY_S, "items": ["voltage.a"]}]
_HOUR = timedelta(hours=1)

Story = Callable[[SimulatedGateway], Awaitable[None]]


def _minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def _run(folder: Path, minutes: float, story: Story) -> SimulatedGateway:
    gateway = SimulatedGateway(folder, [Station(meter=Meter(_ADDRESS, seed=1))], plans=_PLANS)
    gateway.run(seconds=60 * minutes - 1, meanwhile=lambda: story(gateway))
    return gateway


def _told(folder: Path) -> dict[datetime, str]:
    """By slot, that it is kept, or why not; each slot stands in the ledger once."""
    with closing(Book(folder / JOURNAL_FILE)) as book:
        found = {
            slot: row.state if row.state == "kept" else row.reason
            for (_, _, slot), row in book.slots().items()
        }
        for first, until, reason in book.gaps().get((_METER, "instant"), []):
            slot = first
            while slot < until:
                assert slot not in found, f"{slot} would be counted twice"
                found[slot] = reason
                slot += timedelta(seconds=_EVERY_S)
    return found


async def _forward(gateway: SimulatedGateway) -> None:
    await asyncio.sleep(2.5 * 60)
    gateway.clock.ahead += _HOUR


async def _forward_and_back(gateway: SimulatedGateway) -> None:
    await _forward(gateway)
    await asyncio.sleep(10 * 60)
    gateway.clock.ahead -= _HOUR


async def _back_and_forward(gateway: SimulatedGateway) -> None:
    await asyncio.sleep(9.5 * 60)
    gateway.clock.ahead -= timedelta(minutes=7)
    await asyncio.sleep(3 * 60)
    gateway.clock.ahead += timedelta(minutes=7)


async def _lost(gateway: SimulatedGateway) -> None:
    await asyncio.sleep(2.5 * 60)
    gateway.clock.ahead = datetime(1970, 1, 1, tzinfo=UTC) - START
    await asyncio.sleep(5 * 60)
    gateway.clock.ahead = timedelta()


async def _a_moment(gateway: SimulatedGateway) -> None:
    await asyncio.sleep(2.5 * 60)
    gateway.clock.ahead += timedelta(milliseconds=400)


@pytest.mark.parametrize(
    ("story", "minutes", "expected"),
    [
        (_forward, 10, {"kept": 11, "clock_wrong": 59}),  # one minute has a slot of each time
        (_forward_and_back, 20, {"kept": 22, "clock_wrong": 9}),
        (_back_and_forward, 20, {"kept": 18, "clock_wrong": 2}),
        (_lost, 15, {"kept": 11, "clock_wrong": 4}),
        (_a_moment, 10, {"kept": 10}),
    ],
    ids=["forward", "forward and back", "back and forward", "none for a while", "a moment"],
)
def test_each_slot_is_read_or_says_that_a_clock_was_wrong(
    tmp_path: Path, story: Story, minutes: int, expected: dict[str, int]
) -> None:
    """`why` would say that no plan had asked, or blame a line for being slow."""
    gateway = _run(tmp_path, minutes, story)
    told = _told(tmp_path)
    ahead = gateway.clock.utc_now() - _minute(minutes)
    until = max(_minute(minutes), _minute(minutes) + ahead) - timedelta(seconds=1)
    slot, missing = START, []
    while slot < until:
        if slot not in told:
            missing.append(slot)
        slot += timedelta(seconds=_EVERY_S)
    assert not missing
    assert expected == Counter(told.values())


def test_a_clock_that_is_years_ahead_explains_a_month(tmp_path: Path) -> None:
    """A gateway of thousands of meters would write for years that never come."""

    async def far(gateway: SimulatedGateway) -> None:
        await asyncio.sleep(2.5 * 60)
        gateway.clock.ahead += timedelta(days=3_650)

    _run(tmp_path, 10, far)
    with closing(Book(tmp_path / JOURNAL_FILE)) as book:
        [(first, until, reason)] = book.gaps()[_METER, "instant"]
    assert (_minute(3), timedelta(days=31), "clock_wrong") == (first, until - first, reason)


def test_a_restart_with_the_right_time_takes_back_what_had_not_come(tmp_path: Path) -> None:
    """Hours that are still to come would stand as lost, and be counted twice when they are read."""
    _run(tmp_path, 10, _forward)

    async def nothing(_: SimulatedGateway) -> None:
        return

    gateway = SimulatedGateway(
        tmp_path, [Station(meter=Meter(_ADDRESS, seed=1))], plans=_PLANS, start=_minute(10)
    )
    gateway.run(seconds=5 * 60 - 1)
    told = _told(tmp_path)
    assert {"clock_wrong"} == {told[_minute(number)] for number in range(3, 10)}
    assert {"kept"} == {told[_minute(number)] for number in range(10, 15)}
    assert not [slot for slot in told if _minute(15) <= slot < _minute(62)]


@pytest.mark.parametrize("behind", [timedelta(minutes=1), timedelta(hours=5), timedelta(days=2)])
def test_a_slot_begun_before_a_start_with_a_wrong_clock_is_not_read_twice(
    tmp_path: Path, behind: timedelta
) -> None:
    """Two values of one slot would stand in the journal, the second one marked as a conflict."""
    gateway = SimulatedGateway(tmp_path, [Station(meter=Meter(_ADDRESS, seed=1))], plans=_PLANS)
    gateway.run(seconds=10)
    gateway.clock.ahead = -behind

    async def put_right() -> None:
        await asyncio.sleep(20)
        gateway.clock.ahead = timedelta()

    gateway.run(seconds=40, meanwhile=put_right)
    assert 1 == gateway.slots_of(_ADDRESS, "voltage.a").count(START)
