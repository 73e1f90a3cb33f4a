"""What the driver makes of an answer."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import MeterAnswer, Window
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.errors import BadAnswer, UnknownItem
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from meterprofiles import generic
from metersim.dlt645.following import LongAnswer
from metersim.loop import Simulation
from meterwire.dlt645 import (
    Deframer,
    Frame,
    ReadFollowingRequest,
    ReadReply,
    dictionary,
    encode,
    from_frame,
    to_frame,
)

_ADDRESS = "000000000161"


def _read(item: str, di: str, data: str) -> MeterAnswer:
    """The answer to one read; ``di`` as on the wire, ``data`` what the meter says behind it."""
    simulation = Simulation()

    async def program() -> MeterAnswer:
        near, far = memory_line()

        async def opener() -> ByteStream:
            return near

        async def meter() -> None:
            await far.receive()
            octets = bytes.fromhex(di + data)
            await far.send(encode(Frame(address=_ADDRESS, function=0x11, data=octets, from_meter=True)))

        line = Line("line1", opener=opener, timing=Timing(), rng=random.Random(1))
        answers: list[MeterAnswer] = []
        failures: list[BadAnswer] = []
        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run())
            group.create_task(meter())
            try:
                driver = Dlt645Driver(simulation.clock)
                answers.append(await driver.read(line, _ADDRESS, item, priority=Priority.CURVE))
            except BadAnswer as error:
                failures.append(error)
            owner.cancel()
        if failures:
            raise failures[0]
        return answers[0]

    return simulation.run(program())


def test_what_a_meter_has_not_is_marked_absent() -> None:
    """A single-phase meter fills B and C with FFH: as a number that is 1,665.6 V."""
    values = _read("voltage.*", "00FF0102", "5622FFFFFFFF").values
    assert ["voltage.a", "voltage.b", "voltage.c"] == [value.item for value in values]
    assert [Decimal("225.6"), None, None] == [value.value for value in values]
    assert [NO_MARKS, Marks.ABSENT, Marks.ABSENT] == [value.marks for value in values]


def test_digits_that_are_none_are_marked_invalid() -> None:
    """A meter with a broken memory sends letters; half of them would pass for a number."""
    [value] = _read("forward_active_energy", "00000100", "00000E00").values
    assert (None, Marks.INVALID_DIGITS) == (value.value, value.marks)


def test_an_answer_of_another_length_is_no_answer() -> None:
    """A value cut out of the wrong octets looks like any other."""
    with pytest.raises(BadAnswer):
        _read("forward_active_energy", "00000100", "000000")


# --- load records ------------------------------------------------------------------------------


def _records(item: str, window: Window, *, piece_octets: int) -> tuple[list[bytes], MeterAnswer]:
    """What a meter with two load records and a curve is asked, and what the driver makes of its answers."""
    entry = dictionary().by_name(item)
    assert entry is not None
    row = next(row for row in dictionary().rows if row.name == item.partition("/load_which")[0])
    data = row.sample + (row.sample if item.startswith("load") else row.sample[5:])
    meter, asked = LongAnswer("dlt645-2007", piece_octets=piece_octets), list[bytes]()
    simulation = Simulation()

    async def program() -> MeterAnswer:
        near, far = memory_line()

        async def opener() -> ByteStream:
            return near

        async def answering() -> None:
            while True:
                (request,) = Deframer().feed(await far.receive())
                asked.append(request.data)
                message = from_frame(request)
                if isinstance(message, ReadFollowingRequest):
                    await far.send(encode(to_frame(meter.next(message, _ADDRESS))))
                else:
                    whole = ReadReply(address=_ADDRESS, di=entry.di, data=data)
                    await far.send(encode(to_frame(meter.first(whole))))

        line = Line("line1", opener=opener, timing=Timing(), rng=random.Random(1))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(line.run()), group.create_task(answering())]
            driver = Dlt645Driver(simulation.clock)
            answer = await driver.read(line, _ADDRESS, item, window=window, priority=Priority.CURVE)
            for task in tasks:
                task.cancel()
        return answer

    return asked, simulation.run(program())


_SINCE = datetime(2026, 11, 22, 0, 30, tzinfo=UTC)  # 08:30 by the meter's clock


@pytest.mark.parametrize("piece_octets", [50, 195])
@pytest.mark.parametrize(
    ("item", "window", "selector"),
    [
        ("load_records@class.1", Window(count=2), "02"),
        ("load_records@class.1/load_which.1", Window(count=2, since=_SINCE), "023008221126"),
        ("load_records@class.0/load_which.2", Window(count=9), "09"),
        ("voltage.a@curve", Window(count=8, since=_SINCE), "083008221126"),
    ],
)
def test_load_records_are_asked_for_by_number_and_time(
    item: str, window: Window, selector: str, piece_octets: int
) -> None:
    """The load profile of a meter could not be read, or that of eight hours later."""
    asked, answer = _records(item, window, piece_octets=piece_octets)
    assert selector == asked[0][4:].hex()
    times = [value for value in answer.values if value.item.endswith("_at")]
    points = [value for value in answer.values if value.item == "voltage.a"]
    assert (1 if "curve" in item else 2) == len(times)
    assert 2 == len(points)
    assert all(value.value is not None for value in points)


@pytest.mark.parametrize(
    ("item", "window"),
    [
        ("voltage.a", Window(count=1)),
        ("load_records@class.1", Window(count=0)),
        ("load_records@class.1", Window(count=10)),
        ("load_records@class.1", Window(count=1, since=_SINCE)),
        ("load_records@class.1/load_which.1", Window(count=1)),
        ("voltage.a@curve", Window(count=1)),
    ],
)
def test_records_that_cannot_be_asked_for_so_are_refused_first(item: str, window: Window) -> None:
    """A meter would be asked for something else than was meant, or for a value as if it were many."""
    with pytest.raises(UnknownItem, match=item):
        Dlt645Driver(Simulation().clock).check_window(item, window)


def test_meters_of_1997_have_no_such_records() -> None:
    """A block of 1997 with octets behind it would get an answer that nobody can read."""
    driver = Dlt645Driver(Simulation().clock, profile=generic("dlt645-1997"))
    with pytest.raises(UnknownItem, match="records"):
        driver.check_window("forward_active_energy", Window(count=1))


@pytest.mark.parametrize(
    ("item", "why"),
    [("password@level.2", "can only be written"), ("top_up", "belongs to security frames")],
)
def test_what_cannot_be_read_is_refused_before_the_line_is_used(item: str, why: str) -> None:
    """A poll of a password or of a top-up would go out, and a meter might count it as an attempt."""
    with pytest.raises(UnknownItem, match=why):
        Dlt645Driver(Simulation().clock).check_window(item, Window())
