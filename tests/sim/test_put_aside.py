"""A slot of the moment stays open until it ends: silence and a line that is down are not its end."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from meterlink.acquisition.put_aside import FIRST_REST_S
from meterlink.daemon.audited import JOURNAL_FILE
from metersim import Meter, Station
from metersim.line.fault_rules import FaultRule
from tests.support.agreement import readings_of
from tests.support.collection_truth import Book, Row
from tests.support.simulated import SimulatedGateway

_QUARTER_S = 900
_START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
_DEAD, _SOUND = "000000000161", "000000000162"


def _gateway(folder: Path, *, every_s: int = _QUARTER_S, **keys: Any) -> SimulatedGateway:
    stations = [Station(meter=Meter(address, seed=1)) for address in (_DEAD, _SOUND)]
    plans = [
        {"class": "instant", "every_s": every_s, "items": ["voltage.a"]},
        {"class": "status", "every_s": every_s},
    ]
    return SimulatedGateway(folder, stations, plans=plans, start=_START, **keys)


def _strike(gateway: SimulatedGateway, seconds: float, *, what: str = "silence") -> None:
    """No answer of the first meter comes through for so long from now on."""
    rule = FaultRule(what=what, meter=_DEAD, item="*", between=(timedelta(0), timedelta(seconds=seconds)))
    gateway.strikes.rules.add(rule, at=gateway.sim.clock.utc_now())


def _rows(folder: Path, slot: datetime, *, address: str = _DEAD) -> dict[str, Row]:
    """By class, where the slots of a meter stand."""
    with closing(Book(folder / JOURNAL_FILE)) as book:
        return {
            of: row for (meter, of, at), row in book.slots().items() if (meter, at) == (f"m{address}", slot)
        }


def _asked(gateway: SimulatedGateway) -> int:
    """How often the meter was asked in vain."""
    return sum(report.struck for report in gateway.strikes.rules.reports())


def test_a_slot_whose_line_was_down_at_first_is_read(tmp_path: Path) -> None:
    """Five seconds without a line would cost all of its meters a quarter of an hour, or a day."""
    gateway = _gateway(tmp_path)
    gateway.plugged = False

    async def plug() -> None:
        await asyncio.sleep(5)
        gateway.plugged = True

    gateway.run(seconds=60, meanwhile=plug)
    for address in (_DEAD, _SOUND):
        rows = _rows(tmp_path, _START, address=address)
        assert {"instant": "kept", "status": "kept"} == {of: row.state for of, row in rows.items()}
        assert {1} == {row.tries for row in rows.values()}, "a line that is down is no try of the meter"


def test_a_line_that_stays_down_is_told_and_tried_until_the_slot_ends(tmp_path: Path) -> None:
    """A line that came back in the last minutes of a long slot would bring nothing, or the slot be silent."""
    gateway = _gateway(tmp_path)
    gateway.plugged = False
    gateway.run(seconds=600)
    assert {("due", "line_down", 0)} == {
        (r.state, r.reason, r.tries) for r in _rows(tmp_path, _START).values()
    }

    async def plug() -> None:
        await asyncio.sleep(200)
        gateway.plugged = True

    gateway.run(seconds=280, meanwhile=plug)
    assert {"kept"} == {row.state for row in _rows(tmp_path, _START).values()}


def test_a_line_that_was_down_to_the_end_says_so_last(tmp_path: Path) -> None:
    """It would look as if the line had been tried once, at the begin of the slot."""
    gateway = _gateway(tmp_path)
    gateway.plugged = False
    gateway.run(seconds=_QUARTER_S + 1)
    rows = _rows(tmp_path, _START)
    assert {"instant", "status"} == rows.keys()
    for row in rows.values():
        assert ("expired", "line_down", 0) == (row.state, row.reason, row.tries)
        assert row.changed_at is not None
        assert row.changed_at >= _START + timedelta(seconds=_QUARTER_S)


def test_one_silence_is_not_told_yet(tmp_path: Path) -> None:
    """Each answer that is lost on the way would cost the journal a write more."""
    gateway = _gateway(tmp_path)
    _strike(gateway, 3, what="silence")
    gateway.run(seconds=3)
    assert {} == _rows(tmp_path, _START)
    gateway.run(seconds=10)
    assert {"kept"} == {row.state for row in _rows(tmp_path, _START).values()}


def test_a_meter_that_comes_back_in_its_slot_is_read(tmp_path: Path) -> None:
    """Two silences three seconds apart would be the end of a slot that lasts a quarter of an hour."""
    gateway = _gateway(tmp_path)
    _strike(gateway, 300)
    gateway.run(seconds=200)
    open_ones = _rows(tmp_path, _START)
    assert {("due", "silent")} == {(row.state, row.reason) for row in open_ones.values()}
    assert all(row.tries >= 4 for row in open_ones.values())
    gateway.run(seconds=600)  # by another start of the daemon, which goes on
    assert {"kept"} == {row.state for row in _rows(tmp_path, _START).values()}
    [late] = [
        one for one in readings_of(gateway.rows()) if (one.meter, one.item) == (f"m{_DEAD}", "voltage.a")
    ]
    assert _START == late.slot
    assert late.taken_at >= _START + timedelta(seconds=300), "it says itself when it was taken"


def test_what_nobody_brought_is_lost_when_the_slot_ends(tmp_path: Path) -> None:
    """A hole of yesterday would stand there as still to come, or the time of the last try be forgotten."""
    gateway = _gateway(tmp_path)
    _strike(gateway, 7_200)
    gateway.run(seconds=_QUARTER_S + 1)
    silent = _rows(tmp_path, _START)
    assert {("expired", "silent")} == {(row.state, row.reason) for row in silent.values()}
    assert all(
        row.changed_at is not None and row.changed_at < _START + timedelta(seconds=700)
        for row in silent.values()
    )
    gateway.run(seconds=60)
    second = _START + timedelta(seconds=_QUARTER_S)
    assert {("due", "silent")} == {(row.state, row.reason) for row in _rows(tmp_path, second).values()}
    gateway.sim.clock.advance(3_600)
    gateway.run(seconds=1)  # nobody was there when it ended
    assert {("expired", "silent")} == {(row.state, row.reason) for row in _rows(tmp_path, second).values()}


def test_a_dead_meter_costs_its_line_three_tries_a_slot(tmp_path: Path) -> None:
    """A dead meter that is tried again and again would take the line's time from the others."""
    gateway = _gateway(tmp_path)
    _strike(gateway, 86_400 * 2)
    gateway.run(seconds=86_400)
    slots, plans, growing = 96, 2, 3
    assert 3 * slots * plans <= _asked(gateway) + 3 <= (3 * slots + growing) * plans + 3


def test_in_a_slot_of_a_day_a_dead_meter_is_tried_once_an_hour(tmp_path: Path) -> None:
    """A meter that was away at midnight would have no value of the day, or cost its line the whole day."""
    gateway = _gateway(tmp_path, every_s=86_400)
    _strike(gateway, 86_400 * 2)
    gateway.run(seconds=86_400 - 3 * 3_600 - 60)
    first = 2 + 7  # the budget, and rests from half a minute to half an hour
    assert 2 * 18 <= _asked(gateway) <= 2 * (first + 21)


def test_a_slot_shorter_than_the_first_rest_has_its_budget_only(tmp_path: Path) -> None:
    """The next slot would begin late, behind the silent meters of this one."""
    gateway = _gateway(tmp_path, every_s=int(FIRST_REST_S))
    _strike(gateway, 3_600)
    gateway.run(seconds=10 * FIRST_REST_S - 1)
    assert 2 * 2 * 10 == _asked(gateway)


def test_what_a_meter_sends_wrongly_is_asked_for_again(tmp_path: Path) -> None:
    """A meter that answers twice with what was not asked for would lose the slot to that."""
    gateway = _gateway(tmp_path)
    _strike(gateway, 100, what="other_identifier")
    gateway.run(seconds=30)
    assert {"due"} == {row.state for row in _rows(tmp_path, _START).values()}
    gateway.run(seconds=600)
    assert {"kept"} == {row.state for row in _rows(tmp_path, _START).values()}


def test_whom_the_line_has_no_time_for_is_told_so(tmp_path: Path) -> None:
    """A line that cannot carry its plans would look like a field full of broken meters."""
    stations = [Station(meter=Meter(f"{n:012d}", seed=n), reply_delay_ms=60_000) for n in range(1, 13)]
    plans = [{"class": "instant", "every_s": 300, "items": ["voltage.a"]}]
    gateway = SimulatedGateway(tmp_path, stations, plans=plans, start=_START, reply_timeout_ms=90_000)
    gateway.run(seconds=800)
    with closing(Book(tmp_path / JOURNAL_FILE)) as book:
        first = [row for (_, _, at), row in book.slots().items() if at == _START]
    lost = [(row.state, row.reason) for row in first if row.state != "kept"]
    assert 12 == len(first)
    assert 3 <= len(lost) <= 9
    assert {("expired", "line_slow")} == set(lost)


def test_current_slots_that_nobody_came_to_blame_the_line(tmp_path: Path) -> None:
    """Curves that a line cannot carry would wait as if their turn were still to come."""
    stations = [Station(meter=Meter(f"{n:012d}", seed=n), reply_delay_ms=60_000) for n in range(1, 41)]
    plans = [{"class": "curve", "every_s": 900, "gather_s": 900, "items": ["forward_active_energy"]}]
    gateway = SimulatedGateway(tmp_path, stations, plans=plans, start=_START, reply_timeout_ms=90_000)
    gateway.run(seconds=4 * 3_600)
    with closing(Book(tmp_path / JOURNAL_FILE)) as book:
        begun = {at: row for (_, of, at), row in book.slots().items() if of == "curve"}
    slow = [at for at, row in begun.items() if (row.state, row.reason) == ("due", "line_slow")]
    assert slow
    assert max(slow) < gateway.sim.clock.utc_now() - timedelta(hours=2), "what is current still has its turn"
