"""Points of a curve that cannot be had, and those behind them."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.drivers.dlt645.curves import BAD_ANSWERS_MAX
from metersim import Meter, Station
from metersim.dlt645.meter import Answer
from metersim.works.moments import PLANT_TIME
from meterwire.dlt645.link.frame import Frame
from tests.support.collection_truth import QUARTER, Book, Row
from tests.support.simulated import SimulatedGateway

_NOON = datetime(2026, 11, 22, 12, tzinfo=PLANT_TIME)
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_CURVE = {"class": "curve", "every_s": 900, "gather_s": 900, "items": ["forward_active_energy"]}
_ADDRESS = "000000000161"


class _Forgetful(Meter):
    """A meter that is silent, or refuses, whenever it is asked for load records from some times on.

    Args:
        since: the first of these times.
        until: behind the last.
        refuses: it says no instead of nothing.

    """

    def __init__(self, since: datetime, until: datetime, *, refuses: bool) -> None:
        super().__init__(_ADDRESS, seed=1)
        self._lacks = since, until
        self._refuses = refuses
        self.struck = 0

    def answer(self, frame: Frame, at: datetime) -> Answer | None:
        said = super().answer(frame, at)
        selector = frame.data[5:]
        if said is None or len(selector) != len("mhDMY"):
            return said
        asked = datetime.strptime(selector[::-1].hex(), "%y%m%d%H%M").replace(tzinfo=PLANT_TIME)
        if not self._lacks[0] <= asked < self._lacks[1]:
            return said
        self.struck += 1
        return (
            said._replace(frame=said.frame._replace(data=b"\x01", abnormal=True)) if self._refuses else None
        )


def _points(folder: Path) -> dict[datetime, Row]:
    with closing(Book(folder / JOURNAL_FILE)) as book:
        return {slot: row for (_, of, slot), row in book.slots().items() if of == "curve"}


@pytest.mark.parametrize("days", [2, 12])
@pytest.mark.parametrize("refuses", [False, True])
def test_points_that_cannot_be_had_do_not_hold_up_those_behind_them(
    tmp_path: Path, days: int, refuses: bool
) -> None:
    """Each turn would ask for the same points, and all that is older be lost when the meter overwrites it."""
    back = _NOON + timedelta(minutes=10) + days * _DAY
    newest, oldest = (back - 9 * _HOUR, back - 2 * _HOUR), (_NOON, _NOON + 7 * _HOUR)
    lacks = newest if days == 2 else oldest  # what is older than a week is read from its oldest on
    meter = _Forgetful(*lacks, refuses=refuses)
    gateway = SimulatedGateway(tmp_path, [Station(meter=meter)], plans=[_CURVE], start=_NOON)
    gateway.run(seconds=600)
    gateway.sim.clock.advance(days * 86_400)
    gateway.run(seconds=14 * 3_600)
    held = {slot: row for slot, row in _points(tmp_path).items() if _NOON <= slot < back - QUARTER}
    missing = sorted(slot for slot, row in held.items() if row.state != "kept")
    assert missing
    assert lacks[0] <= missing[0] and missing[-1] < lacks[1]
    quarters, bouts, tries = 14 * 4, 3, 2  # behind what comes in each, rests of 5 minutes and 10
    assert meter.struck <= quarters * bouts * tries * BAD_ANSWERS_MAX
