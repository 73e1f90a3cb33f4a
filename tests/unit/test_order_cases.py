"""The cases of a gateway: one a meter, ended by whatever ends them, and one order at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from meterlink.errors import JournalError, NotAllowed, Unknown
from meterlink.journal.journal import Journal
from meterlink.model.order import Order, OrderKind
from meterlink.model.payload import time_out
from meterlink.orders.case import LAPSES_AFTER, Case, CaseSignal, CaseState
from meterlink.orders.cases import ORDER_PREFIX, STOPS, Cases
from metersim import Simulation
from tests.support.orders import NOON

T = TypeVar("T")
DAY = timedelta(days=1)
OWED = {"arrears_cents": 9_900}


class Town:
    """Cases over a journal of their own, in simulated time; opened again, they are read from it."""

    def __init__(self, folder: Path) -> None:
        self.sim = Simulation(start=NOON)
        self.cases: Cases
        self._path = folder / "journal.sqlite3"

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        async def opened() -> T:
            async with Journal.open(self._path, clock=self.sim.clock) as journal:
                self.cases = Cases(journal.acts, self.sim.clock)
                await self.cases.load()
                return await work()

        return self.sim.run(opened())

    async def open(self, name: str = "c-1", meter: str = "m1") -> Case:
        return await self.cases.open(name, meter, actor="clara", body=OWED)

    async def take(self, *signals: CaseSignal, name: str = "c-1") -> Case:
        """One step after the other, each as early as it may."""
        for signal in signals:
            now = self.sim.clock.utc_now()
            body: dict[str, Any] = {}
            if signal is CaseSignal.NOTICE:
                body = {"delivered_at": time_out(now), "earliest_at": time_out(now + 7 * DAY)}
            elif signal is CaseSignal.SUBMIT:
                await asyncio.sleep(7 * DAY.total_seconds())
            elif signal is CaseSignal.ANNOUNCE:
                body = {"earliest_at": time_out(now + timedelta(minutes=30))}
            case = await self.cases.step(name, signal, actor="anna", body=body)
        return case

    async def announced(self) -> Case:
        """A case whose last notice went out."""
        await self.open()
        return await self.take(
            CaseSignal.WARN, CaseSignal.NOTICE, CaseSignal.SUBMIT, CaseSignal.APPROVE, CaseSignal.ANNOUNCE
        )


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_a_case_is_there_after_a_restart(town: Town) -> None:
    """Somebody would be warned, and his case be forgotten."""
    before = town.run(town.announced)

    async def look() -> Case | None:
        return town.cases.open_of("m1")

    assert before == town.run(look)
    assert CaseState.FINAL_NOTICE is before.state


def test_a_meter_has_one_open_case(town: Town) -> None:
    """Two clerks would cut one customer off twice."""

    async def story() -> None:
        first = await town.open()
        assert first == await town.open()
        with pytest.raises(NotAllowed) as refused:
            await town.open("c-2")
        assert "open" == refused.value.why
        with pytest.raises(NotAllowed):
            await town.open("c-1", "m2")
        found = await asyncio.gather(town.open("c-3", "m3"), town.open("c-4", "m3"), return_exceptions=True)
        assert 1 == sum(isinstance(one, Case) for one in found)

    town.run(story)


@pytest.mark.parametrize("name", ["", "x" * 60, "with blank", "../x"])
def test_an_id_that_its_order_cannot_bear_is_refused(town: Town, name: str) -> None:
    """The case would go all its way, and no order could be made at its end."""

    async def story() -> None:
        with pytest.raises(ValueError, match="id"):
            await town.open(name)

    town.run(story)


def test_the_longest_id_is_taken(town: Town) -> None:
    """The check above would refuse what can be borne."""
    longest = "x" * (64 - len(ORDER_PREFIX))
    assert longest == town.run(lambda: town.open(longest)).id


@pytest.mark.parametrize("signal", sorted(STOPS))
def test_what_ends_a_case_early_is_told_of_the_meter(town: Town, signal: CaseSignal) -> None:
    """Somebody who has paid would be cut off (CTRL-21)."""

    async def story() -> None:
        await town.announced()
        ended = await town.cases.stop("m1", signal, actor="billing", why="p-1")
        assert ended is not None
        assert CaseState.CANCELLED is ended.state
        assert await town.cases.stop("m1", signal, actor="billing", why="p-1") is None
        with pytest.raises(NotAllowed):
            await town.cases.order("c-1", _never, actor="david")
        assert "c-2" == (await town.open("c-2")).id

    town.run(story)


async def _never(order: Order) -> None:
    raise AssertionError(f"{order} was created")


def test_what_was_left_lying_lapses_when_somebody_looks(town: Town) -> None:
    """An approval of last week would cut a house off."""

    async def story() -> None:
        case = await town.announced()
        await town.open("c-2", "m2")
        for state in (CaseState.FINAL_NOTICE, CaseState.APPROVED, CaseState.PENDING_APPROVAL):
            assert state is case.state
            await asyncio.sleep(LAPSES_AFTER[state].total_seconds() - 1)
            assert "c-1" not in [one.id for one in await town.cases.lapse()]
            due_at = (await town.cases.read("c-1")).lapses_at
            await asyncio.sleep(1)
            assert town.sim.clock.utc_now() == due_at
            (case,) = [one for one in await town.cases.lapse() if one.id == "c-1"]
        assert CaseState.EXPIRED is case.state
        assert town.cases.open_of("m2") is None, "a draft lapses after a day"
        assert town.cases.next_lapse_at is None

    town.run(story)


def test_the_order_of_a_case_is_the_same_order_after_a_crash_between_both(town: Town) -> None:
    """One case would bring two trips, or none."""
    created: list[Order] = []

    async def create(order: Order) -> None:
        created.append(order)
        if len(created) == 1:
            raise JournalError("the program dies behind the order")

    async def story() -> Case:
        announced = await town.announced()
        with pytest.raises(NotAllowed):
            await town.cases.order("c-1", create, actor="david")
        assert [] == created, "the wait behind the last notice is not over"
        await asyncio.sleep(30 * 60)
        with pytest.raises(JournalError):
            await town.cases.order("c-1", create, actor="david")
        assert CaseState.FINAL_NOTICE is (await town.cases.read("c-1")).state
        await town.cases.order("c-1", create, actor="david")
        return announced

    announced = town.run(story)
    ended = town.run(lambda: town.cases.order("c-1", _never, actor="david"))
    assert (CaseState.ORDERED, f"{ORDER_PREFIX}c-1") == (ended.state, ended.order)
    assert created[0] == created[1]
    (order, _) = created
    assert (OrderKind.TRIP, "m1", "c-1") == (order.kind, order.meter, order.case)
    assert announced.since + timedelta(hours=4) == order.deadline_at


def test_a_case_that_nobody_knows_is_told_as_that(town: Town) -> None:
    """A misspelt id would begin something."""

    async def story() -> None:
        with pytest.raises(Unknown):
            await town.cases.step("c-9", CaseSignal.WARN, actor="anna")

    town.run(story)
