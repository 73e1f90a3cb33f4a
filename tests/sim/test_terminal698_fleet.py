"""A thousand concentrators of DL/T 698.45 on one port: all dial at once, beat, and are read as themselves."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import StoredAnswer, Wanted
from meterlink.drivers.behind698.concentrator import Concentrator698
from meterlink.drivers.behind698.ways import Behind
from meterlink.drivers.choose import driver_for
from meterlink.drivers.dlt698.terminal import TerminalSession
from meterlink.drivers.passwords import no_password
from meterlink.drivers.reports import Report
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.hall import STRANGERS_MAX, Hall
from meterlink.transports.memory_server import dial
from meterlink.transports.protocol_stream import ProtocolStream
from meterprofiles import generic
from metersim import Simulation
from tests.support.simulated import Duplex
from tests.support.stocked_concentrator import StockedConcentrator

FLEET = 1_000
BEAT_S = 900
BEATS = 3
MIDNIGHT = datetime(2026, 11, 23, tzinfo=CHINA_TIME).astimezone(UTC)
_TOTAL = "forward_active_energy"
_TIMING = Timing(reply_timeout_s=30.0, octet_gap_s=0.5, answer_max_s=3.0)


class _Member:
    """One concentrator with two meters, its line, and the way to read them.

    Args:
        number: 1 to ``FLEET``: of the concentrator, of its meters, and of the energy in its store.
        simulation: its time and chance.
        reports: where goes what it tells.

    """

    def __init__(self, number: int, simulation: Simulation, reports: list[Report]) -> None:
        self.address = f"{number:012d}"
        self.energies = {f"{number:010d}{place:02d}": 100 * number + place for place in (1, 2)}
        clock, random_octets = simulation.clock, simulation.random.randbytes
        self.far_end = StockedConcentrator(
            self.address, clock=clock, night=MIDNIGHT, energies=self.energies, heartbeat_s=BEAT_S
        )
        self.far: ProtocolStream | None = None
        self._profile = generic("dlt645-2007")
        self._own = driver_for(self._profile, clock, random_octets=random_octets)
        self._concentrator = Concentrator698(
            Behind(terminal=self.address),
            list(self.energies),
            clock=clock,
            random_octets=random_octets,
            profile=None,
            preamble=0,
            zone=CHINA_TIME,
            password_of=no_password,
            report=reports.append,
        )

    def stand(self, hall: Hall[TerminalSession]) -> None:
        """Make its line."""
        self.line = Line(self.address, opener=hall.door(self.address), timing=_TIMING, rng=random.Random(1))

    async def live(self, hall: Hall[TerminalSession]) -> None:
        """Dial, log in, beat, and answer until the connection ends."""
        self.far = dial(hall)
        await self.far_end.terminal.serve(Duplex(self.far))

    async def read(self) -> dict[str, StoredAnswer]:
        """Last night's freeze of its meters."""
        driver = self._concentrator.around(self._own, self._profile)
        wanted = Wanted(DAILY_FREEZE, [_TOTAL], [MIDNIGHT])
        return {
            meter: await driver.read_stored(self.line, meter, wanted, priority=Priority.BILLING)
            for meter in self.energies
        }


async def _read_all(members: Sequence[_Member]) -> None:
    """Read every one at the same time: each tells the energies of its own meters."""
    answers = await asyncio.gather(*(member.read() for member in members))
    for member, told in zip(members, answers, strict=True):
        for meter, energy in member.energies.items():
            [record] = told[meter].records
            [value] = record.values
            assert (Decimal(energy) / 100, f"terminal {member.address} store") == (value.value, value.route)


@pytest.mark.timeout(120)
def test_a_thousand_concentrators_come_through_one_port_and_each_is_read_as_itself() -> None:
    """Terminals would push each other out after a power cut, or one's store be kept under another's meter."""
    simulation = Simulation(start=MIDNIGHT + timedelta(hours=9))

    async def program() -> None:
        reports: list[Report] = []
        members = [_Member(number, simulation, reports) for number in range(1, FLEET + 1)]
        known = {member.address for member in members}

        def session() -> TerminalSession:
            return TerminalSession(
                known, clock=simulation.clock, zone=CHINA_TIME, clock_trusted=True, report=reports.append
            )

        hall = Hall(session, strangers_max=FLEET + STRANGERS_MAX)
        loop = asyncio.get_running_loop()
        for member in members:
            member.stand(hall)
        owners = [loop.create_task(member.line.run()) for member in members]
        living = [loop.create_task(member.live(hall)) for member in members]
        await asyncio.sleep(1)
        assert (FLEET, 0) == (hall.terminals, hall.strangers)
        await _read_all(members)
        await asyncio.sleep(BEATS * BEAT_S)
        assert {1 + BEATS} == {member.far_end.heard for member in members}, "each was answered at once"
        await _read_all(members)
        told = hall.counts
        assert (FLEET, FLEET, 0, 0, 0) == (
            told.accepted, told.logins, told.replaced, told.crowded_out, told.turned_away,
        )  # fmt: skip
        assert not any(task.done() for task in [*owners, *living])
        asked = Counter(len(member.far_end.asked) for member in members)
        assert {2} == set(asked), "one request a night brings both meters, however many terminals there are"
        assert [] == reports
        for task in [*owners, *living]:
            task.cancel()
        await asyncio.wait([*owners, *living])
        await hall.close()

    simulation.run(program())
