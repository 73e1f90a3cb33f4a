"""What collection does while the disk is tight, and what people are told of it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from meterlink.acquisition.troubles import ROOM_REST_S
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.journal.journal import Journal
from meterlink.journal.ledger_looks import standings
from meterlink.journal.reader import JournalReader
from meterlink.journal.reserve import Rank, Reserve
from meterlink.model.slot import Reason, State
from metersim import Meter, Station
from metersim.works.moments import PLANT_TIME
from tests.support.simulated import SimulatedGateway

_NOON = datetime(2026, 11, 22, 12, tzinfo=PLANT_TIME)
_ADDRESS = "000000000161"
_CURVE = {"name": "load", "class": "curve", "every_s": 900, "items": ["forward_active_energy"]}
_MOMENT = {"name": "moment", "every_s": 60, "items": ["voltage.a"]}

_ANSWERS_A_TURN = 6
"""Blocks of a curve that one turn reads, and what is read to see the meter's clock, at most."""


class _Disk:
    """A disk that is tight at will; nothing else about the journal is other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_tight = True
        monkeypatch.setattr(Reserve, "least_rank", lambda *_: Rank.READING if self.is_tight else Rank.OFTEN)


def _reason(folder: Path, slot: datetime) -> list[tuple[State, Reason]]:
    with JournalReader(folder / JOURNAL_FILE) as reader:
        found = reader.look(lambda db: standings(db, f"m{_ADDRESS}", slot))
    return [(one.state, one.reason) for one in found]


def test_a_tight_disk_is_the_reason_of_what_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People would look for a line that is slow, or a daemon that was not running, and free no space."""
    disk = _Disk(monkeypatch)
    gateway = SimulatedGateway(
        tmp_path, [Station(meter=Meter(_ADDRESS, seed=1))], plans=[_CURVE, _MOMENT], start=_NOON
    )

    async def free_some_space() -> None:
        await asyncio.sleep(1_210)
        assert [(State.DUE, Reason.NO_ROOM)] == _reason(tmp_path, _NOON - timedelta(minutes=15))
        disk.is_tight = False

    with capture_logs() as logs:
        gateway.run(seconds=1_400, meanwhile=free_some_space)
    told = [entry["event"] for entry in logs if entry["event"].startswith("journal.")]
    assert ["journal.failing", "journal.recovered"] == told, "once each, not with every change"
    for minute in (1, 10, 19):
        found = _reason(tmp_path, _NOON + timedelta(minutes=minute))
        assert [(State.EXPIRED, Reason.NO_ROOM)] == found, f"minute {minute}"
    assert [(State.KEPT, Reason.WAITING)] == _reason(tmp_path, _NOON + timedelta(minutes=22))


def test_curves_go_on_within_a_minute_of_room_and_cost_the_line_little_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would wait a quarter of an hour for nothing, or keep the line busy with reading for nothing."""
    disk = _Disk(monkeypatch)
    stations = [Station(meter=Meter(f"{number:012d}", seed=1)) for number in range(1, 6)]
    gateway = SimulatedGateway(tmp_path, stations, plans=[_CURVE], start=_NOON + timedelta(minutes=4))
    freed: list[tuple[datetime, int]] = []

    async def free_some_space() -> None:
        await asyncio.sleep(300)
        freed.append((gateway.clock.utc_now(), len(gateway.answers)))
        disk.is_tight = False

    gateway.run(seconds=370, meanwhile=free_some_space)
    kept = [reading for row in gateway.rows() for reading in row.readings if reading.slot < _NOON]
    assert {f"m{number:012d}" for number in range(1, 6)} == {one.meter for one in kept}
    [(since, answers)] = freed
    assert all(one.taken_at - since < timedelta(minutes=1) for one in kept)
    turns = 2 + 300 / ROOM_REST_S
    assert answers <= turns * _ANSWERS_A_TURN, "not each meter again and again"


def test_curves_that_made_room_before_the_broker_had_them_are_fetched_again(tmp_path: Path) -> None:
    """A day of which nothing stands anywhere would be complete, and the meters' memory of it pass away."""
    gateway = SimulatedGateway(
        tmp_path, [Station(meter=Meter(_ADDRESS, seed=1))], plans=[_CURVE], start=_NOON
    )
    gateway.run(seconds=2 * 3600)
    quarters = [_NOON + timedelta(minutes=15 * n) for n in range(-8, 0)]
    assert [[(State.KEPT, Reason.WAITING)]] * 8 == [_reason(tmp_path, slot) for slot in quarters]

    async def shed() -> None:
        path = tmp_path / JOURNAL_FILE
        async with Journal.open(path, clock=gateway.sim.clock, is_start=False) as journal:
            await journal.sinks.rewind("mqtt", 0)
            while (await journal.room.remove_oldest()).rows:
                pass

    gateway.sim.run(shed())
    assert [[(State.DUE, Reason.NO_ROOM)]] * 8 == [_reason(tmp_path, slot) for slot in quarters]
    gateway.run(seconds=3600)
    assert [[(State.KEPT, Reason.WAITING)]] * 8 == [_reason(tmp_path, slot) for slot in quarters]
    held = {one.slot for row in gateway.rows() for one in row.readings}
    assert held >= {*quarters}
