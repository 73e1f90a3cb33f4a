"""Looks into a meter's events make up for the slots before them, over stretches that are not too long."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from meterlink.acquisition.passing import PassingSlots
from meterlink.acquisition.plans import Plan
from meterlink.journal.journal import Journal
from meterlink.journal.ledger_rows import MADE_UP_MAX
from meterlink.model.data_classes import EVENT
from meterlink.model.slot import Reason, State
from metersim import SimClock
from tests.support.records import EPOCH

_EVERY_S = 900
_SLOT = timedelta(seconds=_EVERY_S)
_PLAN = Plan(name="e", every_s=_EVERY_S, items=("*",), data_class=EVENT)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("away", "stands"),
    [
        (_SLOT, (State.KEPT, Reason.WAITING)),
        (MADE_UP_MAX, (State.KEPT, Reason.WAITING)),
        (MADE_UP_MAX + _SLOT, (State.EXPIRED, Reason.NOT_RUNNING)),
        (timedelta(days=400), (State.EXPIRED, Reason.NOT_RUNNING)),
    ],
    ids=["a slot", "a month", "a slot more", "a year"],
)
async def test_a_look_makes_up_for_a_month_and_for_no_year(
    tmp_path: Path, away: timedelta, stands: tuple[State, Reason]
) -> None:
    """A gateway that was off for a year would write millions of rows with its first looks at meters.

    Nothing else would be kept meanwhile: each meter's are one transaction of tens of thousands. And a month
    without the gateway, whose events were all read then, would count as one that nobody knows of.
    """
    clock = SimClock(EPOCH)
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        await PassingSlots(_PLAN, journal.ledger, "line1").made_up("m1", EPOCH)
    clock.advance((_SLOT + away).total_seconds())
    async with Journal.open(tmp_path / "j", clock=clock) as journal:
        slots, now = PassingSlots(_PLAN, journal.ledger, "line1"), clock.utc_now()
        await slots.absent(["m1"], now)
        await slots.made_up("m1", now)
        for missed in (EPOCH + _SLOT, now - _SLOT):
            [one] = await journal.ledger.standings("m1", missed)
            assert stands == (one.state, one.reason)
        tallies = await journal.ledger.tallies([EVENT], since=EPOCH, until=now)
        assert away // _SLOT + 1 == sum(one.slots for one in tallies), "each slot once"
