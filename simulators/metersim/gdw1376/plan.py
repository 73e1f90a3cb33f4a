"""A terminal from a handful of figures, with the meters of some lines behind it.

::

    plan = TerminalPlan(address="0171-2082")
    terminal = plan.build({CARRIER: line}, clock=clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(terminal.run(), name="terminal")
        async with open_calling(terminal, "127.0.0.1", 9376):
            ...

In the same process, also in simulated time, `metersim.gdw1376.calling.keep_calling` takes the place of
``open_calling``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from metersim.dlt645.meter import Meter
from metersim.dlt698.meter import Meter698
from metersim.gdw1376.archive import (
    PORT_CARRIER,
    PORTS,
    PROTOCOL_698,
    PROTOCOL_1997,
    PROTOCOL_2007,
    SINGLE_PHASE,
    THREE_PHASE,
    PointArchive,
    PointEntry,
)
from metersim.gdw1376.terminal import Terminal1376
from metersim.gdw1376.ways import Ways1376
from metersim.line.language import Speaker
from metersim.line.line import Clock, Line
from metersim.serving.served import Served
from metersim.terminals.plan import CARRIER, CARRIER_ROUTE, FIRST_RS485
from metersim.terminals.port import Route, meter_port
from metersim.works.clock import MeterClock
from metersim.works.moments import INSTALLED_AT
from meterwire.dlt698.axdr.selection import Oad

_PROTOCOLS: Final = {"dlt645-1997": PROTOCOL_1997, "dlt645-2007": PROTOCOL_2007}
_BAUD_CODES: Final = {600: 1, 1200: 2, 2400: 3, 4800: 4, 7200: 5, 9600: 6, 19200: 7}
"""Source: spec section B3, F10."""
_NUMBERS: Final = {oad: number for number, oad in PORTS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalPlan:
    """What a terminal is; its meters are on the lines that it is built with.

    Args:
        address: A1 and A2, as ``0171-2082``.
        seed: of the latency of its carrier.
        clock_ahead: how far its clock is ahead of the true time at first, at most 400 days; negative: behind.
        since: when it was first switched on, aware.
        carrier: the way to a meter over any port that is no RS-485.
        archive: the meters are in its archive as delivered; otherwise it has to be told.
        points_from: measuring point of the first meter; indexes of the archive begin at 1.
        ways: how it does things.

    """

    address: str
    seed: int = 1
    clock_ahead: timedelta = timedelta()
    since: datetime = INSTALLED_AT
    carrier: Route = CARRIER_ROUTE
    archive: bool = True
    points_from: int = 1
    ways: Ways1376 = field(default_factory=Ways1376)

    def build(
        self,
        lines: Mapping[Oad, Line],
        *,
        clock: Clock,
        served: Mapping[Oad, Served] | None = None,
        speed: Callable[[], float] = lambda: 1.0,
        bauds: Mapping[str, int] | None = None,
    ) -> Terminal1376:
        """The terminal; it does nothing until its `run` runs.

        Args:
            lines: its meters by the port that leads to them: ``FIRST_RS485`` or ``CARRIER``.
            clock: the true time.
            served: what carries the octets of a line, where it is not the line itself.
            speed: how many seconds of the true time pass in a second of the program.
            bauds: how the ports of meters are set, by address; of others the archive has 0, the default.

        Raises:
            ValueError: ``address`` is none, ``clock_ahead`` is out of range, more than 1,000 meters, or a
                point over 2,040.

        """
        return Terminal1376(
            self.address,
            clock=clock,
            own=MeterClock(since=self.since, ahead=self.clock_ahead),
            archive=PointArchive(self._entries(lines, bauds or {}) if self.archive else ()),
            ports=[
                meter_port(oad, line, carrier=self.carrier, seed=self.seed)
                for oad, line in {**lines, **(served or {})}.items()
            ],
            ways=self.ways,
            speed=speed,
        )

    def _entries(self, lines: Mapping[Oad, Line], bauds: Mapping[str, int]) -> tuple[PointEntry, ...]:
        ahead = self.points_from - 1
        return tuple(replace(one, point=one.point + ahead) for one in _entries(lines, bauds))


def _entries(lines: Mapping[Oad, Line], bauds: Mapping[str, int]) -> Iterator[PointEntry]:
    """The meters as an installer would enter them, index and point from 1."""
    number = 0
    for oad, line in lines.items():
        for meter in line.meters.values():
            number += 1
            protocol, phases, tariffs = _kind(meter)
            yield PointEntry(
                index=number,
                point=number,
                addr=meter.address,
                port=_NUMBERS.get(oad, PORT_CARRIER),
                protocol=protocol,
                baud_code=_BAUD_CODES.get(bauds.get(meter.address, 0), 0),
                tariffs=tariffs,
                class_large=SINGLE_PHASE if phases == 1 else THREE_PHASE,
            )


def _kind(meter: Speaker) -> tuple[int, int, int]:
    """Protocol, phases and tariffs of a meter."""
    if isinstance(meter, Meter698):
        return PROTOCOL_698, meter.works.plate.phases, 4
    if not isinstance(meter, Meter):
        raise ValueError(f"meter {meter.address} is of no kind that a terminal reads")
    traits = meter.profile.meter
    return _PROTOCOLS[meter.profile.edition], traits.phases, traits.tariffs


__all__ = ["CARRIER", "CARRIER_ROUTE", "FIRST_RS485", "TerminalPlan"]
