"""One night of one meter, read through each protocol, is one row of a bill with one day."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from meterlink.billing.days import day_of
from meterlink.billing.freezes import FreezeRow
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.reading import Reading, Record
from meterlink.model.zone import CHINA_TIME
from meterlink.validation.judge import Judge
from meterlink.validation.validator import Validator
from meterprofiles import generic
from metersim import Meter
from metersim.dlt698 import Meter698
from metersim.works.load import Load
from metersim.works.plate import Plate
from metersim.works.works import Works
from tests.support.billing import AnyFacts, plant
from tests.support.stored import ADDRESS, DAY, MIDNIGHT, NOW, read_memory

_ITEMS = ["forward_active_energy.*"]


def _record(protocol: str) -> Record:
    """The night as a gateway would keep it that speaks this protocol with the meter."""
    works = Works(Plate(address=ADDRESS), seed=7, load=Load(mean_kw=Decimal(2)), since=NOW - 400 * DAY)
    meter = (
        Meter698(ADDRESS, seed=7, works=works)
        if protocol == "dlt698.45"
        else Meter(ADDRESS, seed=7, works=works)
    )
    answer = read_memory(meter, DAILY_FREEZE, _ITEMS, [MIDNIGHT], profile=generic(protocol))
    [stored] = [one for one in answer.records if one.slot == MIDNIGHT]
    readings = tuple(
        Reading(
            meter="m1",
            item=one.item,
            value=one.value if isinstance(one.value, Decimal) else None,
            unit=one.unit,
            slot=stored.slot,
            taken_at=answer.taken_at,
            route="line1",
        )
        for one in stored.values
    )
    return Record(meter="m1", data_class=DAILY_FREEZE, readings=readings)


def test_a_night_through_both_protocols_is_one_row_with_one_day(tmp_path: Path) -> None:
    """A meter whose protocol is changed would be billed twice for a night, or for the day beside it."""
    first, second = [_record(protocol) for protocol in ("dlt645-2007", "dlt698.45")]
    other = tuple(replace(one, value=(one.value or Decimal(0)) + 1) for one in second.readings)
    records = [first, second, replace(second, readings=other)]

    async def kept() -> list[FreezeRow]:
        async with plant(tmp_path) as at:
            at.clock.now = NOW
            await at.put(1)
            at.journal.judge = Judge(Validator(AnyFacts()), {})
            for record in records:
                await at.journal.keep(record)
            with at.freezes() as freezes:
                return freezes.after(0)[0]

    night, corrected = asyncio.run(kept())
    assert {MIDNIGHT.date() - timedelta(days=1)} == {night.day, corrected.day, day_of(NOW, CHINA_TIME)}
    assert (None, night.seq) == (night.supersedes, corrected.supersedes), "the row between is none"
    held = [{one.item: one.value for one in record.readings} for record in records]
    assert held[0] == held[1] == {one.item: one.value for one in night.registers}
    assert 5 == len(held[0]) and None not in held[0].values()
    assert held[2] == {one.item: one.value for one in corrected.registers}, "another value is news"
    assert {"valid"} == {one.quality for one in night.registers}
