"""A line of simulated meters under faults: afterwards truth, journal and ledger are compared slot by slot.

::

    line = FaultyLine(tmp_path)
    line.strike("loss", probability=0.3)
    line.run(hours=3, mended_after=1)
    assert [] == line.differences(hours=2.5)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from meterlink.daemon.audited import JOURNAL_FILE
from metersim import FaultRule, Meter, Station
from metersim.dlt698 import Meter698
from metersim.works.moments import PLANT_TIME
from tests.support.collection_truth import DAY, QUARTER, Verdict, compare, due_slots
from tests.support.simulated import SimulatedGateway

MIDNIGHT: Final = datetime(2026, 11, 22, tzinfo=PLANT_TIME)
CLASSES: Final = {"daily_freeze": DAY, "curve": QUARTER}


def in_turn(number: int, address: str, *, seed: int) -> tuple[Meter | Meter698, dict[str, str]]:
    """A meter whose registers grow fast, of DL/T 645 or of 698.45 in turn; its protocol by its address."""
    if number % 2:
        return Meter698(address, seed=seed, growth_kw=Decimal(7)), {address: "dlt698.45"}
    return Meter(address, seed=seed, growth_kw=Decimal(7)), {}


class FaultyLine:
    """Meters of DL/T 645 and of 698.45 in turn, whose freezes and curves are collected from midnight on.

    Args:
        folder: of the gateway.
        count: of meters.
        seed: of everything.
        stations: by place, what is special about a meter's place on the line.
        gather_s: so many seconds of a curve are asked for together.
        reply_timeout_ms: of the line.

    """

    def __init__(
        self,
        folder: Path,
        *,
        count: int = 4,
        seed: int = 1,
        stations: Mapping[int, Mapping[str, Any]] | None = None,
        gather_s: int = 0,
        reply_timeout_ms: int = 500,
    ) -> None:
        plans: list[Mapping[str, object]] = [
            {"class": "daily_freeze", "items": ["forward_active_energy.*"]},
            {"class": "curve", "every_s": 900, "items": ["forward_active_energy"], "gather_s": gather_s},
        ]
        self.meters: dict[str, Any] = {}
        protocols: dict[str, str] = {}
        places = []
        for number in range(count):
            address = f"{number + 1:012d}"
            meter, protocol = in_turn(number, address, seed=seed)
            protocols |= protocol
            self.meters[f"m{address}"] = meter
            places.append(Station(meter=meter, **(stations or {}).get(number, {})))
        self.gateway = SimulatedGateway(
            folder,
            places,
            seed=seed,
            plans=plans,
            protocols=protocols,
            start=MIDNIGHT,
            reply_timeout_ms=reply_timeout_ms,
        )

    @property
    def names(self) -> list[str]:
        """Our ids of the meters, in their order."""
        return [*self.meters]

    def address(self, number: int) -> str:
        """Address of the meter at a place, from 0."""
        return f"{number + 1:012d}"

    def strike(self, what: str, **rule: Any) -> None:
        """Let a fault strike from now on (``metersim.FaultRule``)."""
        self.gateway.strikes.rules.add(FaultRule(what=what, **rule), at=self.gateway.sim.clock.utc_now())

    def struck(self) -> int:
        """How often the faults have struck by now."""
        return sum(report.struck for report in self.gateway.strikes.rules.reports())

    def mend(self) -> None:
        """The faults end."""
        for report in self.gateway.strikes.rules.reports():
            self.gateway.strikes.rules.remove(report.number)

    def run(
        self,
        *,
        hours: float,
        mended_after: float | None = None,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Run the daemon, once and without a restart.

        Args:
            hours: so long.
            mended_after: the faults end after so many hours; ``None``: they last.
            meanwhile: what else happens.

        """

        async def beside() -> None:
            if meanwhile is not None:
                await meanwhile()
            if mended_after is not None:
                begun_s = (self.gateway.sim.clock.utc_now() - MIDNIGHT).total_seconds()
                await asyncio.sleep(mended_after * 3600 - begun_s)
                self.mend()

        self.gateway.run(seconds=hours * 3600, meanwhile=beside)

    def verdict(self, *, hours: float) -> Verdict:
        """What truth, journal and ledger say of all slots of the first hours.

        Raises:
            AssertionError: they disagree.

        """
        due = list(due_slots(CLASSES, MIDNIGHT, MIDNIGHT + timedelta(hours=hours)))
        path = self.gateway.folder / JOURNAL_FILE
        return compare(path, self.meters, due, truth=lambda meter, _, item, slot: meter.value(item, slot))

    def differences(self, *, hours: float, but: Collection[str] = ()) -> list[str]:
        """What is missing of the first hours, and where the database is not the journal.

        Args:
            hours: so many from midnight on.
            but: meters that may have holes.

        Raises:
            AssertionError: truth, journal and ledger disagree.

        """
        holes = self.verdict(hours=hours).holes
        missing = [
            f"{meter} has holes in {of}: {why}" for (meter, of), why in holes.items() if meter not in but
        ]
        return missing + self.gateway.database_differences()
