"""Meters whose memory is deeper than anybody knows."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path

from meterlink.daemon.audited import JOURNAL_FILE
from metersim import Meter, Station
from metersim.dlt645.meter import Answer
from metersim.works.moments import PLANT_TIME
from meterwire.dlt645.link.frame import Frame
from tests.support.collection_truth import DAY, Book, Row
from tests.support.simulated import SimulatedGateway

_NOON = datetime(2026, 11, 22, 12, tzinfo=PLANT_TIME)
_ADDRESS = "000000000161"
_CURVE = {"class": "curve", "every_s": 900, "gather_s": 900, "items": ["forward_active_energy"]}
_FORGETFUL = """\
profile: own
matches: {protocol: dlt645-2007, model: DTZ341}
line: {baud: 9600, parity: even, preamble: 2}
timing: {reply_timeout_ms: 500, octet_gap_ms: 500, turnaround_ms: 50, reply_delay_ms: 20}
memory: {curve: 96}
"""
"""A profile that says of a model that it keeps a day of a curve."""


def _rows(folder: Path, data_class: str) -> dict[datetime, Row]:
    with closing(Book(folder / JOURNAL_FILE)) as book:
        return {slot: row for (_, of, slot), row in book.slots().items() if of == data_class}


class _Counting(Meter):
    """A meter that counts the questions about its load records."""

    asked = 0

    def answer(self, frame: Frame, at: datetime) -> Answer | None:
        self.asked += len(frame.data[5:]) == len("mhDMY")
        return super().answer(frame, at)


def test_a_meter_that_holds_more_than_is_known_of_it_is_not_asked_point_by_point(tmp_path: Path) -> None:
    """Each point of four days would take a turn of its own, of the fifth of the line's time for backfill."""
    (tmp_path / "own.yaml").write_text(_FORGETFUL, encoding="utf-8")
    meter = _Counting(_ADDRESS, seed=1)
    gateway = SimulatedGateway(
        tmp_path,
        [Station(meter=meter)],
        plans=[_CURVE],
        start=_NOON,
        models={_ADDRESS: "DTZ341"},
        profiles=tmp_path,
    )
    gateway.run(seconds=600)
    gateway.sim.clock.advance(5 * DAY.total_seconds())
    meter.asked = 0
    gateway.run(seconds=3_600)
    points = _rows(tmp_path, "curve")
    held = [row.state for slot, row in points.items() if slot >= _NOON]
    assert held.count("kept") >= 5 * 96, "also of the four days that it was not known to hold"
    assert not set(held) - {"kept", "due"}
    assert meter.asked < 5 * 96 / 5, "a request brings ten points of them"
