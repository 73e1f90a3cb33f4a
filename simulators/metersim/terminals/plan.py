"""A concentrator from a handful of figures, with the meters of some lines behind it.

::

    plan = ConcentratorPlan(address="020000000001")
    concentrator = plan.build({CARRIER: line}, clock=clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(concentrator.run(), name="concentrator")
        async with open_dialling(concentrator.terminal, "127.0.0.1", 9698):
            ...

In the same process, also in simulated time, `keep_calling` takes the place of ``open_dialling``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from metersim.dlt645.meter import Meter
from metersim.dlt698.meter import Meter698
from metersim.dlt698.terminal import Terminal
from metersim.line.language import Speaker
from metersim.line.line import Clock, Duplex, Line
from metersim.serving.served import Served
from metersim.serving.tcp import REDIAL_S
from metersim.terminals.archive import MeterArchive
from metersim.terminals.concentrator import Concentrator
from metersim.terminals.meters import DLT645_1997, DLT645_2007, DLT698_45
from metersim.terminals.port import Route, meter_port
from metersim.terminals.ways import Ways
from metersim.works.clock import MeterClock
from metersim.works.moments import INSTALLED_AT
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.objects.concentrator import CARRIER, FIRST_RS485, ArchiveEntry

CARRIER_ROUTE: Final = Route(shortest_s=0.5, longest_s=8.0)
"""What reading a meter over the carrier takes; a mean of some 3 s."""
_PROTOCOLS: Final = {"dlt645-1997": DLT645_1997, "dlt645-2007": DLT645_2007}
_BAUD_CODES: Final = {
    300: 0, 600: 1, 1200: 2, 2400: 3, 4800: 4, 7200: 5, 9600: 6, 19200: 7,
    38400: 8, 57600: 9, 115200: 10,
}  # fmt: skip
"""Source: spec section 2, COMDCB."""
_AUTOMATIC: Final = 255
_SINGLE_PHASE, _FOUR_WIRE = 1, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcentratorPlan:
    """What a concentrator is; its meters are on the lines that it is built with.

    Args:
        address: 12 digits.
        seed: of the latency of its carrier.
        clock_ahead: how far its clock is ahead of the true time at first, at most 400 days; negative: behind.
        since: when it was first switched on, aware.
        carrier: the way to a meter over any port that is no RS-485.
        archive: the meters are in its archive as delivered; otherwise it has to be told.
        ways: how it does things.

    """

    address: str
    seed: int = 1
    clock_ahead: timedelta = timedelta()
    since: datetime = INSTALLED_AT
    carrier: Route = CARRIER_ROUTE
    archive: bool = True
    ways: Ways = field(default_factory=Ways)

    def build(
        self,
        lines: Mapping[Oad, Line],
        *,
        clock: Clock,
        served: Mapping[Oad, Served] | None = None,
        speed: Callable[[], float] = lambda: 1.0,
        bauds: Mapping[str, int] | None = None,
    ) -> Concentrator:
        """The concentrator; it does nothing until its `run` runs.

        Args:
            lines: its meters by the port that leads to them: `FIRST_RS485`, `CARRIER`, ...
            clock: the true time.
            served: what carries the octets of a line, where it is not the line itself.
            speed: how many seconds of the true time pass in a second of the program.
            bauds: how the ports of meters are set, by address; of others the archive has what their profile
                says, or "automatic" where they have none.

        Raises:
            ValueError: ``address`` is none, or ``clock_ahead`` is out of range.
            ArchiveFull: more than 1,000 meters.

        """
        return Concentrator(
            self.address,
            clock=clock,
            own=MeterClock(since=self.since, ahead=self.clock_ahead),
            archive=MeterArchive(tuple(_entries(lines, bauds or {})) if self.archive else ()),
            ports=[
                meter_port(oad, line, carrier=self.carrier, seed=self.seed)
                for oad, line in {**lines, **(served or {})}.items()
            ],
            ways=self.ways,
            speed=speed,
        )


async def keep_calling(
    terminal: Terminal, connect: Callable[[], Awaitable[Duplex]], *, redial_s: float = REDIAL_S
) -> None:
    """Call a master, and again each time the connection ends or cannot be made; until cancelled.

    Args:
        terminal: who calls.
        connect: makes a connection; an ``OSError`` when it cannot.
        redial_s: pause between calls.

    """
    while True:
        with suppress(OSError):
            duplex = await connect()
            try:
                await terminal.serve(duplex)
            finally:
                close = getattr(duplex, "close", None)
                if close is not None:
                    close()
        await asyncio.sleep(redial_s)


def _entries(lines: Mapping[Oad, Line], bauds: Mapping[str, int]) -> Iterator[ArchiveEntry]:
    """The meters as an installer would enter them, numbered from 1."""
    number = 0
    for oad, line in lines.items():
        for meter in line.meters.values():
            number += 1
            entry = _entry(number, meter, oad)
            baud = bauds.get(meter.address)
            yield entry if baud is None else replace(entry, baud=_BAUD_CODES.get(baud, _AUTOMATIC))


def _entry(number: int, meter: Speaker, oad: Oad) -> ArchiveEntry:
    if isinstance(meter, Meter698):
        plate = meter.works.plate
        return ArchiveEntry(
            number=number,
            address=meter.address,
            protocol=DLT698_45,
            port=oad,
            wiring=_wiring(plate.phases),
            rated_voltage=plate.voltage_v,
            rated_current=plate.basic_current_a,
            password=Data("octet-string", (meter.password or "").encode("ascii")),
        )
    if not isinstance(meter, Meter):
        raise ValueError(f"meter {meter.address} is of no kind that a concentrator reads")
    traits = meter.profile.meter
    return ArchiveEntry(
        number=number,
        address=meter.address,
        baud=_BAUD_CODES.get(meter.profile.line.baud, _AUTOMATIC),
        protocol=_PROTOCOLS[meter.profile.edition],
        port=oad,
        tariffs=traits.tariffs,
        wiring=_wiring(traits.phases),
        rated_voltage=Decimal(traits.voltage_v),
        rated_current=Decimal(traits.basic_current_a),
    )


def _wiring(phases: int) -> int:
    return _SINGLE_PHASE if phases == 1 else _FOUR_WIRE


__all__ = ["CARRIER", "CARRIER_ROUTE", "FIRST_RS485", "ConcentratorPlan", "keep_calling"]
