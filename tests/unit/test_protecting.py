"""Which trips a dispute or a protection ends, and which it leaves to whoever stands at the meter."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from meterlink.journal.journal import Journal
from meterlink.model.order import OrderKind, OrderState, Origin
from meterlink.model.payload import time_out
from meterlink.orders.book import Book
from meterlink.orders.evidence.records import parse
from meterlink.orders.people import DAEMON
from meterlink.orders.protecting import Protecting
from meterlink.roster.roster import Roster
from metersim import Simulation
from tests.support.orders import NOON, order
from tests.support.rules import BILLING, METER
from tests.unit.test_gathering import World, _Clock

ENDED = {Origin.PERSON: True, Origin.POLICY: True, Origin.PROBE: False}


@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize("origin", ENDED)
def test_a_dispute_ends_every_trip_but_a_probes(tmp_path: Path, origin: Origin, *, is_told: bool) -> None:
    """A walk would end between two probes because of a bill; its own rule judges its orders."""
    sim = Simulation(seed=1, start=NOON)

    async def script() -> None:
        async with Journal.open(tmp_path / "journal.sqlite3", clock=sim.clock) as journal:
            roster = Roster((METER,))
            world = World(journal, roster, _Clock())
            book = Book(journal.acts, sim.clock)
            protecting = Protecting(book, world.book, world.gatherer, roster, lambda: None)
            name = "probe-1" if origin is Origin.PROBE else "o-1"
            deadline = NOON + timedelta(days=1)
            life = await book.begin(
                order(OrderKind.TRIP, id=name, origin=origin, deadline_at=deadline, meter=METER.id), DAEMON
            )
            dispute = {"kind": "dispute", "id": "d1", "sender": "billing", "at": time_out(NOON)}
            record = parse({**dispute, "meter": METER.id, "dispute": "D", "state": "opened"})
            added = await world.book.add(record, BILLING)
            if is_told:
                told = await protecting.told(record.model_copy(update={"meter": METER.id}), added.number)
                assert ([name] if ENDED[origin] else []) == told
            else:
                await protecting.look()
            is_ended = (await book.read(life.order.id)).state is OrderState.CANCELLED
            assert ENDED[origin] is is_ended

    sim.run(script())
