"""How much one hold marks and opens: its transaction has an end, whatever stands open at a meter."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from meterlink.journal.journal import Journal
from meterlink.model.payload import time_out
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.work import WorkItems
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.evidence.records import parse
from meterlink.orders.held import ITEMS_MAX, STANDING_MAX, Held
from meterlink.orders.people import DAEMON
from meterlink.roster.roster import Roster
from metersim import Simulation
from tests.support.rules import INSPECTOR, METER

START = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


def test_a_hold_marks_the_newest_work_and_opens_items_for_the_newest_orders(tmp_path: Path) -> None:
    """A meter that nobody looks after would make a hold too great to be written, when it counts."""
    sim = Simulation(seed=1, start=START)
    names = [f"o-{number:03}" for number in range(ITEMS_MAX + 1)]

    async def script() -> None:
        async with Journal.open(tmp_path / "journal.sqlite3", clock=sim.clock) as journal:
            roster, work = Roster((METER,)), WorkItems(journal.acts, sim.clock)
            evidence = EvidenceBook(journal.acts, roster, sim.clock)
            held = Held(Book(journal.acts, sim.clock), evidence, roster, CHINA_TIME)
            evidence.companions.append(held)
            for name in names:
                await work.open(WorkKind.FIELD_ORDER, "close", actor=DAEMON, meter=METER.id, order=name)
            hold = {"kind": "safety_hold", "id": "h1", "sender": "ivy", "at": time_out(START)}
            why = {"meter": METER.id, "hold": "H", "state": "set", "why": "open wires"}
            await evidence.add(parse({**hold, **why}), INSPECTOR)
            items = await work.list()
        marked = [one.order for one in items if one.why.startswith("DO NOT CLOSE, safety hold (open wires)")]
        assert names[1:] == sorted(marked)
        secure = [one.order for one in items if one.kind is WorkKind.SECURE]
        assert names[-STANDING_MAX:] == sorted(secure)

    sim.run(script())
