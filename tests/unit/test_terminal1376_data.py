"""A simulated terminal of 1376.1: what it collects, and how it answers classes 1 and 2 from that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from metersim.gdw1376.archive import POINTS_MAX, PointArchive, PointEntry
from metersim.gdw1376.store import DAYS_KEPT, POINTS_KEPT, PointStore
from metersim.terminals.reading import Reader645
from metersim.works.moments import PLANT_TIME
from meterwire.dlt698.axdr.selection import Oad
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions.terminal import CLASS_1, CLASS_2
from meterwire.gdw1376.messages.terminal import group, unit
from tests.support.terminal1376 import (
    CARRIER_645,
    CARRIER_698,
    POINTS,
    WIRED_645,
    WIRED_698,
    World1376,
    sent_units,
)

EVENING = Moment(year=26, month=9, day=30)
"""The day before; its freeze was taken when this one began."""
MIDNIGHT = datetime(2026, 10, 1, tzinfo=PLANT_TIME)
JANUARY, MAY = (datetime(2026, month, 1) for month in (1, 5))  # noqa: DTZ001  # civil time
NOON = Moment(year=26, month=10, day=1, hour=12, minute=0)


def _near(shown: Any, true: Any) -> bool:
    return shown is not None and abs(Decimal(shown) - Decimal(true)) <= Decimal("0.01")


def test_the_freeze_of_a_day_is_that_of_its_end() -> None:
    """A master would file each night under the wrong day, and nobody would see it."""
    world = World1376(curve_minutes=0)

    async def story() -> None:
        for address, point in POINTS.items():
            told = await world.master.values(CLASS_2, 161, point, date=EVENING)
            assert told is not None
            assert EVENING == told["date"]
            assert _near(told["energy_kwh"][0], world.true(address, "forward_active_energy", MIDNIGHT))
            assert 5 == len(told["energy_kwh"])
        reverse = await world.master.values(CLASS_2, 163, POINTS[CARRIER_645], date=EVENING)
        assert reverse is not None
        assert _near(reverse["energy_kwh"][0], world.true(CARRIER_645, "reverse_active_energy", MIDNIGHT))

    world.run(story)


def test_a_month_is_the_freeze_of_its_last_day() -> None:
    """A bill would be made of another day."""
    world = World1376(curve_minutes=0)

    async def story() -> None:
        month = await world.master.values(CLASS_2, 177, 3, date=Moment(year=26, month=9))
        block = await world.master.values(CLASS_2, 17, 3, date=Moment(year=26, month=9))
        day = await world.master.values(CLASS_2, 161, 3, date=EVENING)
        last_month = await world.master.values(CLASS_1, 137, 3)
        assert month and block and day and last_month
        assert day["energy_kwh"] == month["energy_kwh"] == block["active_kwh"] == last_month["energy_kwh"]
        assert None not in block["reactive_q1_kvarh"]

    world.run(story)


def test_it_goes_back_three_days_and_no_further() -> None:
    """What a master missed could never be had from the store, or would be made up."""
    world = World1376(curve_minutes=0)

    async def story() -> None:
        days = [date(2026, 9, 30) - timedelta(days=back) for back in range(4)]
        marks = [Moment(year=26, month=day.month, day=day.day) for day in days]
        found = [await world.master.values(CLASS_2, 161, 3, date=mark) for mark in marks]
        assert [True, True, True, False] == [one is not None for one in found]
        used = await world.master.values(CLASS_2, 5, 3, date=EVENING)
        assert found[0] and found[1] and used
        assert found[0]["energy_kwh"][0] - found[1]["energy_kwh"][0] == used["used_kwh"][0]

    world.run(story)


def test_each_night_is_collected_and_silence_is_told() -> None:
    """A meter that is never read would look like one that nobody asked for."""
    world = World1376(curve_minutes=0, dead=[WIRED_645], reports=True, pause_s=60)

    async def story() -> None:
        await asyncio.sleep(86_400)
        mark = Moment(year=26, month=10, day=1)
        told = {point: await world.master.values(CLASS_2, 161, point, date=mark) for point in POINTS.values()}
        assert {POINTS[WIRED_645]} == {point for point, values in told.items() if values is None}
        read_at = told[POINTS[CARRIER_645]]["read_time"]  # type: ignore[index]
        assert (26, 10, 2, 0) == read_at[:4]
        assert 5 <= read_at.minute < 10
        events = [event for one in world.master.reports for event in one.message.units[0].values["events"]]
        failed = [event for event in events if event["erc"] == 31]
        assert failed
        assert {POINTS[WIRED_645]} == {event["pn"] for event in failed}

    world.run(story)


def test_values_of_the_moment_carry_their_time() -> None:
    """An old value would be taken for one of now."""
    world = World1376(curve_minutes=15)

    async def story() -> None:
        now = await world.master.values(CLASS_1, 25, POINTS[WIRED_698])
        energy = await world.master.values(CLASS_1, 129, POINTS[WIRED_698])
        assert now and energy
        assert Moment(year=26, month=10, day=1, hour=13, minute=0) == now["read_time"]
        true = world.true(WIRED_698, "active_power", datetime(2026, 10, 1, 13, tzinfo=PLANT_TIME))
        assert abs(now["p_kw"][0] - true / (1000 if true > 100 else 1)) < Decimal("0.01")
        assert [Decimal(200) < one < Decimal(250) for one in now["u_v"]] == [True] * 3
        at = datetime(2026, 10, 1, 13, tzinfo=PLANT_TIME)
        assert _near(energy["energy_kwh"][0], world.true(WIRED_698, "forward_active_energy", at))

    world.run(story)


def test_a_point_of_which_the_time_is_over_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that was busy for two hours would file what a meter shows now under where it stood then."""
    read = Reader645.attributes

    async def slowly(reader: Reader645, oads: Sequence[Oad]) -> Any:
        await asyncio.sleep(20 * 60)
        return await read(reader, oads)

    monkeypatch.setattr(Reader645, "attributes", slowly)
    world = World1376(curve_minutes=15)

    async def story() -> None:
        first, second = [
            await world.master.values(CLASS_1, 129, POINTS[meter]) for meter in (CARRIER_645, CARRIER_698)
        ]
        assert first is not None
        assert second is None

    world.run(story)


def test_a_curve_begins_where_it_says_and_has_no_future() -> None:
    """Points would be shifted by a slot, or stand for times that have not been."""
    world = World1376(curve_minutes=15)

    async def story() -> None:
        mark = {"start": NOON, "density": 1, "points": 96}
        readings = await world.master.values(CLASS_2, 101, POINTS[WIRED_645], **mark)
        used = await world.master.values(CLASS_2, 97, POINTS[WIRED_645], **mark)
        assert readings and used
        assert (NOON, 1, 5) == (readings["start"], readings["density"], readings["points"])
        for number, value in enumerate(readings["values"]):
            at = datetime(2026, 10, 1, 12, tzinfo=PLANT_TIME) + timedelta(minutes=15 * number)
            assert _near(value, world.true(WIRED_645, "forward_active_energy", at))
        assert readings["values"][1] - readings["values"][0] == used["values"][0]
        coarse = await world.master.values(CLASS_2, 101, POINTS[WIRED_645], **{**mark, "density": 3})
        assert coarse
        assert readings["values"][::4] == coarse["values"]

    world.run(story)


def test_a_curve_asked_for_too_finely_comes_as_it_was_collected() -> None:
    """A tester would never see an answer with fewer points than were asked for."""
    world = World1376(curve_minutes=60)

    async def story() -> None:
        mark = {"start": NOON._replace(minute=10), "density": 1, "points": 8}
        found = await world.master.values(CLASS_2, 89, POINTS[WIRED_645], **mark)
        assert found
        assert (NOON._replace(hour=13), 3, 1) == (found["start"], found["density"], found["points"])

    world.run(story)


@pytest.mark.parametrize("lacks", ["deny", "fill"])
def test_what_it_has_not_is_denied_or_no_value(lacks: str) -> None:
    """A master would be tried with one of both, and make zeros of the other."""
    world = World1376(curve_minutes=0, lacks=lacks)

    async def story() -> None:
        old = await world.master.values(CLASS_2, 161, 1, date=Moment(year=26, month=1, day=1))
        curve = await world.master.values(CLASS_2, 101, 1, start=NOON, density=3, points=2)
        unknown = await world.master.values(CLASS_2, 161, 99, date=EVENING)
        assert (None, None) == (unknown, curve)
        assert old is None if lacks == "deny" else old is not None and [None] * 5 == old["energy_kwh"]

    world.run(story)


def test_many_points_and_functions_come_in_as_many_frames_as_they_need() -> None:
    """An answer of several frames would be tried with archives alone."""
    world = World1376(curve_minutes=0, frame_octets=100)

    async def story() -> None:
        wanted = group(CLASS_2, (1, 2, 3, 4), (161, 163), [{"date": EVENING}] * 8)
        done = await world.master.ask(CLASS_2, wanted)
        assert 1 < len(done.answer)
        assert all(len(message.units) <= 2 for message in done.answer)
        units = [one for message in done.answer for one in sent_units(message)]
        assert {(point, fn) for point in POINTS.values() for fn in (161, 163)} == set(units)
        both = await world.master.ask(CLASS_1, unit(CLASS_1, 2), unit(CLASS_1, 7))
        assert [(0, 2), (0, 7)] == [one for message in both.answer for one in sent_units(message)]

    world.run(story)


def test_the_same_seed_gives_the_same_octets() -> None:
    """A failure could not be played again."""

    def told() -> list[str]:
        world = World1376(seed=7, curve_minutes=30)

        async def story() -> list[str]:
            asked = [unit(CLASS_2, 161, {"date": EVENING}, point=point) for point in POINTS.values()]
            return [str(message.units) for message in (await world.master.ask(CLASS_2, *asked)).answer]

        return world.run(story)

    assert told() == told()


def test_the_store_keeps_the_newest_within_its_limits() -> None:
    """A terminal that runs for years would fill the memory."""
    store = PointStore(records_max=200)
    for number in range(DAYS_KEPT + 5):
        store.keep("1", date(2026, 1, 1) + timedelta(days=number), MAY, {"a": Decimal(number)})
    assert DAYS_KEPT == len(store)
    assert store.at("1", date(2026, 1, 5)) is None
    newest = store.newest_freeze("1")
    assert newest is not None
    assert Decimal(DAYS_KEPT + 4) == newest.content("a")
    for number in range(400):
        store.keep("2", JANUARY + timedelta(minutes=number), MAY, {"a": None})
    assert (200, 400 + DAYS_KEPT - 200) == (len(store), store.dropped)
    big = PointStore()
    for number in range(POINTS_KEPT + 1):
        big.keep("2", JANUARY + timedelta(minutes=number), MAY, {})
    assert POINTS_KEPT == len(big)


def _entries(count: int) -> list[PointEntry]:
    return [PointEntry(index=one, point=one, addr=f"{one:012d}") for one in range(1, count + 1)]


def test_an_archive_has_a_limit_and_one_entry_for_each_meter() -> None:
    """Two points would be one meter, or a frame could fill the memory."""
    archive = PointArchive(
        [PointEntry(index=number, point=number, addr=f"{number:012d}") for number in (1, 2)]
    )
    assert archive.put(PointEntry(index=5, point=2, addr="000000000001"))
    assert [5] == [entry.index for entry in archive.entries]
    assert archive.put(PointEntry(index=5, point=0, addr="000000000000"))
    assert 0 == len(archive)
    assert not archive.put(PointEntry(index=1, point=2041, addr="000000000001"))
    assert not archive.put(PointEntry(index=0, point=1, addr="000000000001"))
    full = PointArchive(_entries(POINTS_MAX))
    assert not full.put(PointEntry(index=1001, point=1001, addr="000000001001"))
    assert full.put(PointEntry(index=7, point=7, addr="000000001001"))
