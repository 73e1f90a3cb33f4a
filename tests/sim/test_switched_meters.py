"""Switches of a profile for what only a meter with a past has: freezes 05 07, relay and load records."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import MeterAnswer, Window
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.errors import LineClosed, LineLost, Refused
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from meterprofiles import Profile, generic
from metersim import Meter
from metersim.dlt645.load_records import DEPTH
from metersim.loop import Simulation
from metersim.works.moments import PLANT_TIME
from metersim.works.plate import Plate
from metersim.works.works import Works
from meterwire.dlt645 import Deframer, ReadFollowingRequest, ReadRequest, encode, to_frame
from meterwire.dlt645.items.record_selector import RECORDS_MAX

_ME = "000000000161"
_AT = datetime(2026, 11, 22, 3, 7, tzinfo=UTC)  # 11:07 by the meter's clock
_TIMING = Timing(reply_timeout_s=0.5, octet_gap_s=0.2, answer_max_s=1.0)


def _profile(**switches: str) -> Profile:
    return dataclasses.replace(generic("dlt645-2007"), layout=tuple(switches.items()))


class _Scene:
    """A meter of one profile, and a driver of another one or the same."""

    def __init__(self, meter: Profile, driver: Profile | None = None, **traits: object) -> None:
        self.meter = Meter(_ME, seed=7, growth_kw=Decimal(50), profile=meter, **traits)  # type: ignore[arg-type]
        self._profile = driver or meter
        self._simulation = Simulation(start=_AT)
        self.asked: list[bytes] = []

    def read(self, item: str, window: Window | None = None) -> MeterAnswer:
        return self._simulation.run(self._read(item, window))

    def texts(self, item: str, window: Window | None = None) -> list[str | None]:
        return [value.text for value in self.read(item, window).values]

    async def _read(self, item: str, window: Window | None) -> MeterAnswer:
        near, far = memory_line()

        async def opener() -> ByteStream:
            return near

        line = Line("line1", opener=opener, timing=_TIMING, rng=random.Random(1))
        driver = Dlt645Driver(self._simulation.clock, profile=self._profile)
        outcome: MeterAnswer | Refused
        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run())
            meter = group.create_task(self._answer(far))
            try:
                outcome = await driver.read(line, _ME, item, window=window, priority=Priority.CURVE)
            except Refused as error:
                outcome = error
            owner.cancel()
            meter.cancel()
        if isinstance(outcome, MeterAnswer):
            return outcome
        raise outcome

    async def _answer(self, far: ByteStream) -> None:
        deframer = Deframer()
        with contextlib.suppress(LineLost, LineClosed):
            while True:
                for request in deframer.feed(await far.receive()):
                    self.asked.append(request.data)
                    answer = self.meter.answer(request, _AT)
                    assert answer is not None
                    await far.send(encode(answer.frame))


@pytest.mark.parametrize(
    ("value", "period", "newest", "before"),
    [
        ("step_switch", "step_switch_freeze", "2026-01-01", "2025-01-01"),
        ("monthly", "monthly_freeze", "2026-11-01", "2026-10-01"),
    ],
)
def test_what_05_07_freezes_is_what_the_switch_says(
    value: str, period: str, newest: str, before: str
) -> None:
    """A month's freeze would be filed under the day on which the steps switched."""
    scene = _Scene(_profile(freeze_07=value))
    for number, day in ((1, newest), (2, before)):
        assert [f"{day} 00:00"] == scene.texts(f"frozen_at@{period}/last.{number}")
        at = datetime.fromisoformat(day).replace(tzinfo=PLANT_TIME)
        (total, *_) = scene.read(f"forward_active_energy@{period}/last.{number}").values
        assert scene.meter.value("forward_active_energy", at) == total.value
    assert 11 == len(scene.read(f"freeze_block@{period}/last.1").values)
    assert {b"\x07\x05"} == {asked[2:4] for asked in scene.asked}


def test_a_meter_without_a_switch_of_steps_has_no_freeze_of_it() -> None:
    """A meter of this summer would show a register of the first of January."""
    scene = _Scene(_profile(), since=_AT - timedelta(days=100))
    with pytest.raises(Refused):
        scene.read("frozen_at@step_switch_freeze/last.1")


@pytest.mark.parametrize(("value", "second"), [("di2_00", 0x00), ("di2_01", 0x01)])
def test_relay_records_stand_where_the_switch_says(value: str, second: int) -> None:
    """A trip would be looked for where the meter has none."""
    switched_on = datetime(2026, 5, 3, 9, 30, tzinfo=PLANT_TIME)
    scene = _Scene(_profile(relay_records=value), since=switched_on)
    energies = [
        str(scene.meter.value(item, switched_on))
        for item in ("forward_active_energy", "reverse_active_energy")
    ]
    expected = ["2026-05-03 09:30:00", "00000000", *energies, None, None, None, None]
    assert expected == scene.texts("relay_trip_record@items/last.1")
    assert ["2026-05-03 09:31:00"] == scene.texts("event_at@relay_close_record/items/last.1")
    assert ["1"] == scene.texts("relay_trip_count@item")
    assert {second} == {asked[2] for asked in scene.asked[:2]}
    other = _Scene(_profile(relay_records=value), driver=_profile(relay_records=_other(value)))
    with pytest.raises(Refused):
        other.read("relay_trip_record@items/last.1")


def _other(value: str) -> str:
    return {"di2_00": "di2_01", "di2_01": "di2_00"}[value]


@pytest.mark.parametrize(
    "item", ["relay_trip_record@items/last.2", "reactive_energy_q1@relay_trip_record/items/last.1"]
)
def test_what_the_relay_has_not_done_is_refused(item: str) -> None:
    """A second trip, or a register that the meter has not, would be made up."""
    with pytest.raises(Refused):
        _Scene(_profile()).read(item)


@pytest.mark.parametrize(
    ("item", "window", "times"),
    [
        ("load_records@class.1/load_which.2", None, ["2026-11-22 11:00"]),
        ("load_records@class.1/load_which.2", Window(count=2), ["2026-11-22 10:45", "2026-11-22 11:00"]),
        ("load_records@class.1", Window(count=1), ["2026-10-23 11:15"]),
        (
            "load_records@class.1/load_which.1",
            Window(count=2, since=datetime(2026, 11, 21, 23, 50, tzinfo=PLANT_TIME)),
            ["2026-11-22 00:00", "2026-11-22 00:15"],
        ),
    ],
)
def test_load_records_are_those_that_were_asked_for(
    item: str, window: Window | None, times: list[str]
) -> None:
    """A curve would be filed under other quarters of an hour than those in which it was drawn."""
    scene = _Scene(_profile())
    values = scene.read(item, window).values
    assert times == [value.text for value in values if value.item == "recorded_at"]
    last = datetime.fromisoformat(times[-1]).replace(tzinfo=PLANT_TIME)
    for value in values[-7:]:
        assert scene.meter.value(value.item, last) == value.value
    assert 8 * len(times) == len(values)


def test_the_oldest_record_is_as_old_as_the_meter_keeps_them() -> None:
    """A driver that fetches a month would be answered with records from before the meter's memory."""
    (oldest, *_) = _Scene(_profile()).texts("load_records@class.1")
    newest = datetime(2026, 11, 22, 11, 0, tzinfo=PLANT_TIME)
    assert newest - (DEPTH - 1) * timedelta(minutes=15) == datetime.fromisoformat(f"{oldest}+08:00")


@pytest.mark.parametrize(
    ("item", "window"),
    [
        ("load_records@class.6/load_which.2", None),
        (
            "load_records@class.1/load_which.1",
            Window(since=datetime(2026, 11, 22, 11, 15, tzinfo=PLANT_TIME)),
        ),
    ],
)
def test_where_there_is_no_load_record_the_meter_refuses(item: str, window: Window | None) -> None:
    """A class that is not recorded, or a time to come, would give a record of zeros."""
    single = Works(Plate(address=_ME, phases=1), seed=7)  # measures no reactive energy and no demand
    with pytest.raises(Refused):
        _Scene(_profile(), works=single).read(item, window)


@pytest.mark.parametrize("value", ["sequence", "parameters_and_sequence"])
@pytest.mark.parametrize("piece_octets", [60, 195])
def test_records_in_pieces_are_asked_for_as_the_switch_says(value: str, piece_octets: int) -> None:
    """All but the first piece of a curve would be refused."""
    profile = _profile(load_follow_up=value)
    scene = _Scene(profile, piece_octets=piece_octets)
    window = Window(count=RECORDS_MAX, since=datetime(2026, 11, 22, tzinfo=PLANT_TIME))
    values = scene.read("load_records@class.0/load_which.1", window).values
    assert RECORDS_MAX == sum(value.item == "recorded_at" for value in values)
    size = 3 + 5 + 18 + 25 + 9 + 17 + 17 + 7 + 2
    assert -(-RECORDS_MAX * size // piece_octets) == len(scene.asked)
    extra = {len(asked) for asked in scene.asked[1:]}
    assert {5 if value == "sequence" else 11} == extra


def test_a_meter_that_wants_the_parameters_refuses_the_short_form() -> None:
    """The switch would change nothing, and a driver without it would never meet what it is for."""
    scene = _Scene(_profile(load_follow_up="parameters_and_sequence"), driver=_profile(), piece_octets=60)
    window = Window(count=2)
    values = scene.read("load_records@class.1/load_which.2", window).values
    assert 16 == len(values)
    forms = [asked[4:].hex() for asked in scene.asked]
    assert ["02", "01", "0201"] == forms[:3]


@pytest.mark.parametrize(("selector", "refused"), [(b"\x01", True), (b"", False)])
def test_the_long_form_is_refused_by_a_meter_that_wants_the_short_one(selector: bytes, refused: bool) -> None:
    """A driver could send whatever it likes and would never see the fault."""
    meter, di = Meter(_ME, seed=7, piece_octets=20), 0x06010002
    first = meter.answer(to_frame(ReadRequest(address=_ME, di=di, selector=b"\x01")), _AT)
    more = ReadFollowingRequest(address=_ME, di=di, sequence=1, selector=selector)
    following = meter.answer(to_frame(more), _AT)
    assert first is not None
    assert following is not None
    assert first.frame.has_following
    assert refused == following.frame.abnormal
