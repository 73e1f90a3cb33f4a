"""Reading the memory of simulated meters: a driver, a line of memory, a plant's station, simulated time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Driver, StoredAnswer, Wanted
from meterlink.drivers.choose import answer_octets_max, driver_for
from meterlink.errors import MeterlinkError
from meterlink.model.data_classes import DataClass
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from meterprofiles import Profile
from metersim import NO_FAULTS, AnswerRecord, Faults, Simulation, Station
from metersim import Line as MeterLine
from tests.support.simulated import Duplex

ADDRESS = "000000000161"
NOW = datetime(2026, 11, 22, 9, tzinfo=CHINA_TIME)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=CHINA_TIME)
DAY = timedelta(days=1)
DRIVER_SEED = 7


def read_memory(
    meter: Any,
    data_class: DataClass,
    items: Sequence[str],
    slots: Sequence[datetime],
    *,
    profile: Profile,
    every_s: int = 0,
    start: datetime = NOW,
    given: list[AnswerRecord] | None = None,
    faults: Faults = NO_FAULTS,
) -> StoredAnswer:
    """What a driver brings of the slots of a simulated meter.

    Args:
        meter: of metersim.
        data_class: of the driver's.
        items: asked for.
        slots: asked for.
        profile: of the meter, for the driver.
        every_s: of a curve.
        start: when it begins, aware.
        given: gets what the meter answered.
        faults: what goes wrong with the meter's answers.

    Raises:
        MeterlinkError: what the driver raised.

    """
    simulation = Simulation(start=start)
    noted = [] if given is None else given

    async def program() -> StoredAnswer:
        near, far = memory_line()

        async def opener() -> ByteStream:
            return near

        station = Station(meter=meter, reply_delay_ms=20, faults=faults)
        meters = MeterLine([station], clock=simulation.clock, record=noted.append)
        timing = Timing(answer_octets_max=answer_octets_max(profile))
        line = Line("line1", opener=opener, timing=timing, rng=random.Random(1))
        driver = driver_of(profile, simulation.clock)
        failure: MeterlinkError | None = None
        answer: StoredAnswer | None = None
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(line.run(), name="owner"),
                group.create_task(meters.serve(Duplex(far)), name="meters"),
            ]
            try:
                answer = await driver.read_stored(
                    line, ADDRESS, Wanted(data_class, items, slots, every_s), priority=Priority.BILLING
                )
            except MeterlinkError as error:
                failure = error
            for task in tasks:
                task.cancel()
        if failure is not None:
            raise failure
        assert answer is not None
        return answer

    return simulation.run(program())


def driver_of(profile: Profile, clock: Clock) -> Driver:
    """The driver of a profile."""
    return driver_for(profile, clock, random_octets=random.Random(DRIVER_SEED).randbytes)


def values_of(answer: StoredAnswer) -> dict[datetime, dict[str, object]]:
    """Slot to item to value, of all that came."""
    return {record.slot: {value.item: value.value for value in record.values} for record in answer.records}


def accounted(answer: StoredAnswer, slots: Sequence[datetime]) -> None:
    """Each slot stands in one place, and none is forgotten.

    Raises:
        AssertionError: it is not so.

    """
    places = [
        {record.slot for record in answer.records},
        set(answer.gone),
        set(answer.not_yet),
        set(answer.unfit_slots),
    ]
    for slot in slots:
        found = sum(slot.astimezone(UTC) in place for place in places)
        assert found == 1 or (answer.cut_short is not None and not found), f"{slot} stands in {found} places"


def with_memory(profile: Profile, **depths: int) -> Profile:
    """A profile whose meters hold so much."""
    memory = replace(profile.memory, **depths, sure=frozenset(depths))
    return replace(profile, memory=memory)
