"""What a terminal reports, through breaks and full disks: kept once, and acknowledged when it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.acquisition.reported import Reported
from meterlink.acquisition.reports import REPEAT_S
from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line as BusLine
from meterlink.config import Settings
from meterlink.daemon.dial_in import Gatehouse
from meterlink.errors import JournalError
from meterlink.journal.journal import Journal
from meterlink.journal.store import Step, Store
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.event import Event, EventValue
from meterlink.model.line_url import ListenUrl
from meterlink.model.reading import LogRow
from meterlink.transports.hall import Hall
from meterlink.transports.memory_server import dial
from metersim import Line, Simulation, Station
from metersim.dlt698.meter import Meter698
from metersim.dlt698.terminal import ANSWER_TIMEOUT_S, Habits, Terminal
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.objects.item_values import Contents
from tests.support.crash import crashing_at
from tests.support.reports import events, freezes, told
from tests.support.simulated import Duplex

ADDRESS = "000000000161"
FAILURE = told(
    events(
        {
            "event_number": Decimal(24),
            "event_started_at": "2026-01-01 07:58:00",
            "event_ended_at": "2026-01-01 07:59:30",
            "event_source": "enum:0",
            "voltage.a@start": Decimal("198.5"),
        },
        items=["voltage.a@start"],
    )
)
FAILED = Event(
    meter="m1",
    kind="power_down",
    occurred_at=datetime(2025, 12, 31, 23, 58, tzinfo=UTC),
    ended_at=datetime(2025, 12, 31, 23, 59, 30, tzinfo=UTC),
    values=(
        EventValue(item="event_number", content=Decimal(24)),
        EventValue(item="event_source", content="enum:0"),
    ),
    taken_at=datetime(2026, 1, 1, tzinfo=UTC),
    route=f"terminal {ADDRESS}",
    source="dlt698.45 30110200",
)


class _Store(Store):
    """A file on a disk that can be full."""

    full = False

    def commit(self, steps: Sequence[Step]) -> list[int]:
        if self.full:
            raise JournalError("the disk is full")
        return super().commit(steps)


class GatewayWithTerminal:
    """A gateway with one terminal's line, and the terminal.

    Args:
        path: of its journal.

    Attributes:
        addresses: of the meters on that line; the terminal's first.

    """

    addresses: Sequence[str] = (ADDRESS,)

    def __init__(self, path: Path) -> None:
        self.sim = Simulation()
        self.path = path
        self.opener: Callable[[Path], Store] = self._open
        self.store: _Store | None = None
        self.journal: Journal
        self.gatehouse: Gatehouse
        self.reported = Reported()
        self.terminal = self.make_terminal()

    def life(self, body: Callable[[], Awaitable[None]]) -> list[LogRow]:
        """Start, let the terminal dial in, do something, and end all at once; the journal's rows then."""

        async def main() -> list[LogRow]:
            async with self._running():
                await body()
                return await self.journal.rows_after(0, 100)

        return self.sim.run(main())

    def make_terminal(self) -> Terminal:
        """What dials in."""
        meter = Meter698(ADDRESS, seed=1)
        line = Line([Station(meter=meter, reply_delay_ms=20)], clock=self.sim.clock, record=lambda _: None)
        return Terminal(line, clock=self.sim.clock, habits=Habits(heartbeat_s=60))

    def _open(self, path: Path) -> Store:
        self.store = _Store.open(path)
        return self.store

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        url = f"listen://127.0.0.1:0?terminal={ADDRESS}"
        settings = Settings.model_validate(
            {
                "meters": [
                    {"id": f"m{number}", "address": address, "line": url, "protocol": "dlt698.45"}
                    for number, address in enumerate(self.addresses, start=1)
                ]
            }
        )
        halls: list[Hall[Any]] = []

        @asynccontextmanager
        async def listening(host: str, port: int, hall: Hall[Any]) -> AsyncIterator[int]:
            del host
            halls.append(hall)
            yield port
            await hall.close()

        async with Journal.open(self.path, clock=self.sim.clock, opener=self.opener) as self.journal:
            self.gatehouse = Gatehouse(settings, self.journal, self.sim.clock, self.reported)
            async with self.gatehouse.open(listening), asyncio.TaskGroup() as group:
                [(line, _)] = settings.meters_by_line()
                assert isinstance(line.parsed_url, ListenUrl)
                door = self.gatehouse.door(line.parsed_url)
                owner = BusLine(line.name, opener=door, timing=Timing(), rng=self.sim.random)
                tasks = [group.create_task(owner.run())]
                far = dial(halls[0])
                tasks.append(group.create_task(self.terminal.serve(Duplex(far))))
                await asyncio.sleep(1)
                yield
                for task in tasks:
                    task.cancel()
                await far.aclose()


def _events(rows: Sequence[LogRow]) -> list[Event]:
    return [row.record for row in rows if isinstance(row.record, Event)]


def test_an_event_is_kept_and_then_acknowledged(tmp_path: Path) -> None:
    """A real terminal would tell its power failure for ever, and nobody would know of it."""
    plant = GatewayWithTerminal(tmp_path / "j.db")

    async def body() -> None:
        assert await plant.terminal.tell(FAILURE)

    [event] = _events(plant.life(body))
    assert FAILED.occurred_at == event.occurred_at
    assert (FAILED.ended_at, FAILED.kind, FAILED.meter) == (event.ended_at, event.kind, event.meter)
    assert (FAILED.source, FAILED.route) == (event.source, event.route)
    voltage = EventValue(item="voltage.a@start", content=Decimal("198.5"), unit="V")
    assert (*FAILED.values, voltage) == event.values


def test_no_journal_no_acknowledgement(tmp_path: Path) -> None:
    """Acknowledged with a full disk, a power failure would be known to nobody."""
    plant = GatewayWithTerminal(tmp_path / "j.db")

    async def body() -> None:
        assert plant.store is not None
        plant.store.full = True
        assert not await plant.terminal.tell(FAILURE), "three tries, none of them acknowledged"
        assert 0 == plant.gatehouse.reports.kept
        plant.store.full = False
        assert await plant.terminal.tell(FAILURE)
        await asyncio.sleep(ANSWER_TIMEOUT_S)
        assert 1 == plant.gatehouse.reports.kept
        assert 3 == plant.gatehouse.reports.repeated, "what waited since is acknowledged too"

    assert 1 == len(_events(plant.life(body)))


@pytest.mark.parametrize("commit", [1, 2])
def test_killed_between_keeping_and_acknowledging(tmp_path: Path, commit: int) -> None:
    """The terminal did not hear us and tells it again: one event, whichever side of the commit we died on."""
    plant = GatewayWithTerminal(tmp_path / "j.db")
    plant.opener = crashing_at(commit, tmp_path / "crashed.db")

    async def first() -> None:
        await plant.terminal.tell(FAILURE)

    plant.life(first)
    again = GatewayWithTerminal(tmp_path / "crashed.db")

    async def second() -> None:
        assert commit - 1 == len(_events(await again.journal.rows_after(0, 10)))
        assert await again.terminal.tell(FAILURE)

    assert 1 == len(_events(again.life(second)))


def test_a_repeated_report_of_readings_is_kept_once(tmp_path: Path) -> None:
    """Readings of the moment have the time at which they come: each try would be another reading."""
    plant = GatewayWithTerminal(tmp_path / "j.db")
    voltage = plant.terminal.meter.report([Oad(0x2000, 2, 0)], plant.sim.clock.utc_now())

    async def body() -> None:
        for kept, repeated in ((1, 0), (1, 1)):
            assert await plant.terminal.tell(voltage)
            assert (kept, repeated) == (plant.gatehouse.reports.kept, plant.gatehouse.reports.repeated)
            await asyncio.sleep(ANSWER_TIMEOUT_S)
        await asyncio.sleep(REPEAT_S)
        assert await plant.terminal.tell(voltage)
        assert 2 == plant.gatehouse.reports.kept, "the service number has come round: another report"

    rows = plant.life(body)
    assert [1, 1] == [len({reading.slot for reading in row.readings}) for row in rows]
    assert rows[0].readings[0].slot < rows[1].readings[0].slot


def test_an_event_told_another_day_by_another_report_is_the_same(tmp_path: Path) -> None:
    """A terminal that lost our word with its power tells all of its events again."""
    plant = GatewayWithTerminal(tmp_path / "j.db")

    async def body() -> None:
        assert await plant.terminal.tell(FAILURE)
        await asyncio.sleep(24 * 3600)
        assert await plant.terminal.tell(told(*FAILURE.records, number=17))
        assert (1, 1) == (plant.gatehouse.reports.kept, plant.gatehouse.reports.repeated)

    assert 1 == len(_events(plant.life(body)))


def test_the_end_of_an_event_is_a_row_of_its_own(tmp_path: Path) -> None:
    """Taken for a repeat, a failure would never end."""
    plant = GatewayWithTerminal(tmp_path / "j.db")
    start: Contents = {"event_number": Decimal(24), "event_started_at": "2026-01-01 07:58:00"}

    async def body() -> None:
        assert await plant.terminal.tell(told(events(start)))
        ended = {**start, "event_ended_at": "2026-01-01 08:05:00"}
        assert await plant.terminal.tell(told(events(ended), number=6))

    found = _events(plant.life(body))
    assert [None, datetime(2026, 1, 1, 0, 5, tzinfo=UTC)] == [event.ended_at for event in found]
    assert 1 == len({event.occurred_at for event in found})


def test_a_reported_freeze_is_that_of_its_instant(tmp_path: Path) -> None:
    """Kept as of the moment, a night's energy would stand under the morning at which it was told."""
    plant = GatewayWithTerminal(tmp_path / "j.db")
    frozen = freezes(
        {
            "freeze_number": Decimal(7),
            "frozen_at": "2026-01-01 00:00:00",
            "forward_active_energy": Decimal("123.45"),
            "forward_active_energy.t1": Decimal("23.45"),
        },
        items=["forward_active_energy.*"],
    )

    async def body() -> None:
        assert await plant.terminal.tell(told(frozen))

    [row] = plant.life(body)
    assert "daily_freeze" == row.record.data_class
    midnight = datetime(2025, 12, 31, 16, tzinfo=UTC)
    assert [
        ("m1", "forward_active_energy", Decimal("123.45"), "kWh", midnight),
        ("m1", "forward_active_energy.t1", Decimal("23.45"), "kWh", midnight),
    ] == [(r.meter, r.item, r.value, r.unit, r.slot) for r in row.readings]
    waits = {"m1": {(DAILY_FREEZE, midnight)}}
    assert waits == plant.reported.take(["m1"]), "whoever looks at meters looks at this one"
