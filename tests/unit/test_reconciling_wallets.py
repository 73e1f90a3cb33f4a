"""A wallet that is topped up while it is compared."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from meterlink.drivers.control import Purse
from meterlink.journal.journal import Journal
from meterlink.model.order import OrderKind
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.alarms import Alarms
from meterlink.orders.attention.work import WorkItems
from meterlink.orders.book import Book
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.people import DAEMON
from meterlink.orders.reconciliation.compare import MeterMoney, Verdict
from meterlink.orders.reconciliation.reconciler import READ_TRIES_MAX, Reconciler
from meterlink.roster.roster import Roster
from metersim import Simulation
from tests.support.orders import order, purse
from tests.support.rules import METER

START = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize("times", [0, 1, READ_TRIES_MAX, READ_TRIES_MAX + 1])
def test_a_wallet_that_is_topped_up_meanwhile_is_read_again_and_not_for_ever(
    tmp_path: Path, times: int
) -> None:
    """Money on its way would be a drift; or a line would be kept by one wallet."""
    sim, asked = Simulation(seed=1, start=START), []

    async def script() -> MeterMoney:
        async with Journal.open(tmp_path / "journal.sqlite3", clock=sim.clock) as journal:
            acts, roster = journal.acts, Roster((dataclasses.replace(METER, world="local"),))
            book = Book(acts, sim.clock)

            async def purse_of(meter: str) -> Purse:
                asked.append(meter)
                if len(asked) <= times:
                    await book.begin(order(OrderKind.TOP_UP, id=f"o-{len(asked)}"), DAEMON)
                return purse()

            reconciler = Reconciler(
                book,
                EvidenceBook(acts, roster, sim.clock),
                roster,
                purse_of=purse_of,
                alarms=Alarms(acts, sim.clock, zone=CHINA_TIME),
                work=WorkItems(acts, sim.clock),
                clock=sim.clock,
                zone=CHINA_TIME,
            )
            (found,) = (await reconciler.compare(date(2026, 11, 24))).meters
            return found

    found = sim.run(script())
    assert min(times + 1, READ_TRIES_MAX) == len(asked)
    assert Verdict.UNKNOWN is found.verdict
    is_meanwhile = times >= READ_TRIES_MAX
    assert is_meanwhile is (found.told == "its wallet was topped up while it was compared")
