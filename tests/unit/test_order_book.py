"""The view of the orders that the log tells: what is news, who was first, what is read again at a start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from meterlink.errors import BusFull, NotAllowed, StepTaken, Unknown
from meterlink.journal import acts
from meterlink.journal.journal import Journal
from meterlink.model.order import OrderKind, OrderState, Origin
from meterlink.orders import book as books
from meterlink.orders.book import Book, Step
from meterlink.orders.life.machine import Signal
from tests.support.orders import NOON, order

pytestmark = pytest.mark.asyncio


class _Noon:
    def utc_now(self) -> datetime:
        return NOON

    def monotonic_s(self) -> float:
        return 0.0


@asynccontextmanager
async def a_book(tmp_path: Path) -> AsyncIterator[Book]:
    async with Journal.open(tmp_path / "journal.sqlite3", clock=_Noon()) as journal:
        book = Book(journal.acts, _Noon())
        await book.load()
        yield book


async def test_reading_what_is_known_is_no_news(tmp_path: Path) -> None:
    """Who waits for news and looks meanwhile would wake himself again and again, for ever."""
    async with a_book(tmp_path) as book:
        life = await book.begin(order(), "clara")
        news = book.news
        assert life == await book.read("o-1")
        assert not news.is_set()
        await book.step(life, Signal.AUTHORISE, actor="anna")
        assert news.is_set()


async def test_who_is_second_is_told_and_sees_what_the_first_did(tmp_path: Path) -> None:
    """Two steps of one order would both be taken: cancelled and sent."""
    async with a_book(tmp_path) as book:
        life = await book.begin(order(), "clara")
        await book.step(life, Signal.CANCEL, actor="clara")
        with pytest.raises(StepTaken):
            await book.step(life, Signal.AUTHORISE, actor="anna")
        assert OrderState.CANCELLED is (await book.read("o-1")).state
        assert [] == book.open_orders()


async def test_a_step_that_must_be_told_comes_behind_a_mark(tmp_path: Path) -> None:
    """The answer of a meter would be lost because a payment was noted at the same moment."""
    async with a_book(tmp_path) as book:
        life = await book.begin(order(), "clara", [Step(signal=Signal.AUTHORISE, actor="anna")])
        await book.step(life, Signal.ARM, actor="david")
        after = await book.insist(life, Signal.CANCEL, actor="clara")
        assert OrderState.CANCELLED is after.state
        again = await book.insist(after, Signal.CANCEL, actor="clara")
        assert after == again, "what it does not take is not taken"


async def test_steps_are_taken_all_or_none(tmp_path: Path) -> None:
    """An order would be approved and not authorised after a crash, or after a step that is not allowed."""
    async with a_book(tmp_path) as book:
        life = await book.begin(order(), "clara")
        approve = Step(signal=Signal.APPROVE, actor="anna")
        with pytest.raises(NotAllowed):
            await book.steps(life, approve, approve)
        assert 1 == (await book.read("o-1")).step


async def test_the_open_orders_are_found_again(tmp_path: Path) -> None:
    """A restart would forget what is open, and let a second order go to the same meter."""
    async with a_book(tmp_path) as book:
        life = await book.begin(order(), "clara")
        ended = await book.begin(order(id="o-2"), "clara")
        await book.step(ended, Signal.CANCEL, actor="clara")
    async with a_book(tmp_path) as book:
        assert [life] == book.open_orders()
        assert [life] == book.open_of("m1")
        assert [] == book.open_of("m2")
        assert ["o-1", "o-2"] == [one.order.id for one in await book.of_meter("m1")]
        with pytest.raises(Unknown):
            await book.read("o-3")


async def test_so_many_are_open_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that goes wild would fill memory and disk with orders."""
    monkeypatch.setattr(books, "OPEN_MAX", 2)
    async with a_book(tmp_path) as book:
        first = await book.begin(order(), "clara")
        await book.begin(order(id="o-2"), "clara")
        with pytest.raises(BusFull):
            await book.begin(order(id="o-3"), "clara")
        await book.step(first, Signal.CANCEL, actor="clara")
        await book.begin(order(id="o-3"), "clara")


async def test_what_was_paid_for_has_room_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trips that wait would keep those who have paid in the dark; or payments would fill memory and disk."""
    monkeypatch.setattr(books, "OPEN_MAX", 1)
    monkeypatch.setattr(books, "PAID_OPEN_MAX", 2)
    paid = partial(order, OrderKind.PERMIT_CLOSE, origin=Origin.PAYMENT)
    async with a_book(tmp_path) as book:
        await book.begin(order(), "clara")
        first = await book.begin(paid(id="p-1"), "meterlink")
        await book.begin(paid(id="p-2"), "meterlink")
        with pytest.raises(BusFull, match="of payments"):
            await book.begin(paid(id="p-3"), "meterlink")
        await book.step(first, Signal.CANCEL, actor="clara")
        await book.begin(paid(id="p-3"), "meterlink")
        with pytest.raises(BusFull):
            await book.begin(order(id="o-2"), "clara")
        opened = {life.order.id for life in book.open_orders()}
    monkeypatch.setattr(acts, "READ_MAX", 2)
    async with a_book(tmp_path) as book:
        assert opened == {life.order.id for life in book.open_orders()}, "beyond what one look brings"
        with pytest.raises(BusFull, match="of payments"):
            await book.begin(paid(id="p-4"), "meterlink")


async def test_one_of_two_that_create_at_once_has_it(tmp_path: Path) -> None:
    """The same id would be two orders."""
    async with a_book(tmp_path) as book:
        both = [book.begin(order(), "clara"), book.begin(order(), "clara")]
        ends = await asyncio.gather(*both, return_exceptions=True)
        assert 1 == sum(isinstance(end, StepTaken) for end in ends)
