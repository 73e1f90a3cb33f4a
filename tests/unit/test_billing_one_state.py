"""A day is sealed out of one state of the journal, whatever the daemon keeps meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from meterlink.billing.days import end_of
from meterlink.billing.disk import RealDisk
from meterlink.billing.opening import FreezesOf, open_freezes
from meterlink.billing.sealing import Sealer
from meterlink.billing.settling import Settled, Settler
from meterlink.drivers.profiles import MeterProfiles
from meterlink.journal.ledger_rows import Due, Planned, seconds
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.slot import DAY_S
from meterlink.model.zone import CHINA_TIME
from tests.support.billing import FIRST_DAY, JOURNAL, TOTAL, Plant, plant

_MIDNIGHT = end_of(FIRST_DAY, CHINA_TIME)


@dataclass
class _BusyDisk(RealDisk):
    """While a seal is written, the daemon goes on: at one of the steps something is kept.

    Args:
        meanwhile: what is done then, from the thread of the seal.
        step: at which operation.

    """

    meanwhile: Callable[[], None]
    step: int
    done: int = 0

    def create(self, path: Path) -> BinaryIO:
        self._count()
        return super().create(path)

    def sync(self, file: BinaryIO) -> None:
        self._count()
        super().sync(file)

    def _count(self) -> None:
        self.done += 1
        if self.done == self.step:
            self.meanwhile()


async def _a_night(at: Plant) -> None:
    """Two of three meters are there, and the third is due."""
    await at.put(1, 2, 3, area="east")
    slot = seconds(_MIDNIGHT)
    for meter in ("m1", "m2", "m3"):
        due = Due(slot, slot)
        told = Planned(meter=meter, data_class=DAILY_FREEZE, every_s=DAY_S, slots=(due,))
        await at.journal.ledger.plan([told])
    at.after(FIRST_DAY)
    for meter in ("m1", "m2"):
        await at.keep(meter, FIRST_DAY, {TOTAL: "1.00"})


async def _more(at: Plant) -> None:
    """What the day brings: the third one, one that comes into the area, and a value that is corrected."""
    await at.keep("m3", FIRST_DAY, {TOTAL: "3.00"})
    await at.keep("m1", FIRST_DAY, {TOTAL: "1.50"})
    await at.put(4, area="east", in_service_since=_MIDNIGHT - timedelta(hours=5))


def _opener(at: Plant) -> FreezesOf:
    return FreezesOf(at.folder / JOURNAL, MeterProfiles(), CHINA_TIME)


async def _sealed(folder: Path, step: int) -> dict[str, Any]:
    """What a seal says of itself, with the changes at a step of it; 0: without them."""
    async with plant(folder) as at:
        await _a_night(at)
        loop = asyncio.get_running_loop()

        def meanwhile() -> None:
            asyncio.run_coroutine_threadsafe(_more(at), loop).result(10)

        disk = _BusyDisk(meanwhile, step)
        sealer = Sealer(
            at.settlements(), at.key, gateway="gw1", formats=("csv", "json"), clock=at.clock, disk=disk
        )
        settled = await Settler(sealer, _opener(at), at.journal.acts, at.clock).settle(FIRST_DAY, "east")
        assert step <= disk.done
        return _told(settled)


def _told(settled: Settled) -> dict[str, Any]:
    assert settled.manifest is not None
    told = settled.manifest.as_json()
    return {key: told[key] for key in ("freezes", "counts", "shares", "missing", "to_seq")}


@pytest.mark.asyncio
async def test_a_seal_tells_of_one_state_whatever_is_kept_meanwhile(tmp_path: Path) -> None:
    """A meter would stand in the list of the missing because its freeze is kept, or be counted twice."""
    folders = [tmp_path / str(step) for step in range(6)]
    for folder in folders:
        folder.mkdir()
    quiet = await _sealed(folders[0], 0)
    assert ["m3"] == [one["meter"] for one in quiet["missing"]]
    for step in range(1, 6):
        assert quiet == await _sealed(folders[step], step), step


@pytest.mark.asyncio
async def test_what_goes_to_a_reader_holds_no_state(tmp_path: Path) -> None:
    """A pipe that nobody reads from would let the write-ahead log grow until the disk is full."""
    async with plant(tmp_path) as at:
        await _a_night(at)
        with open_freezes(at.folder / JOURNAL, MeterProfiles(), CHINA_TIME) as freezes:
            before = freezes.newest()
            await _more(at)
            assert before < freezes.newest()
        with _opener(at)() as freezes:
            held = freezes.newest()
            await at.keep("m2", FIRST_DAY, {TOTAL: "9.00"})
            assert held == freezes.newest()
        with _opener(at)() as freezes:
            assert held < freezes.newest(), "the next one sees what is new"
