"""A simulated concentrator at work: what it collects, when, and how it is asked for what it has collected."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from metersim.terminals.collector import Persistence
from metersim.terminals.plan import CARRIER, FIRST_RS485
from metersim.terminals.port import Route
from metersim.terminals.schemes import BY_INTERVAL, NTH_LAST, STAMP_FREEZE, Scheme
from metersim.terminals.store import Row, Store, kept_cells
from metersim.terminals.tables import COLLECTED_ROWS_MAX
from metersim.terminals.tasks import Task
from metersim.terminals.ways import Ways
from metersim.works.moments import PLANT_TIME
from meterwire.dlt698.apdus.parts import ActionItem, Dar, RecordRequest
from meterwire.dlt698.axdr.selection import (
    AllMeters,
    MeterAddresses,
    MeterAddressRegions,
    MeterNumberRegions,
    MeterNumbers,
    MeterSet,
    MeterTypes,
    NoMeters,
    Oad,
    Omd,
    Region,
    Road,
    SelectAll,
    SelectCollectedAt,
    SelectEqual,
    Selection,
    SelectLast,
    SelectNthLast,
    SelectStoredAt,
    SelectStoredWithin,
    SelectSucceededWithin,
    Ti,
    Tsa,
)
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from meterwire.dlt698.objects.concentrator import COLLECTED, ReadCollected
from meterwire.dlt698.objects.records import (
    COLLECTION_STORED_AT,
    COLLECTION_SUCCEEDED_AT,
    FROZEN_AT,
    METER_ADDRESS,
    records,
)
from tests.support.concentrator import (
    CARRIER_645,
    CARRIER_698,
    SELDOM,
    START,
    WIRED_645,
    WIRED_698,
    Master,
    World,
    by_address,
)

DAY_S = 86400
MIDNIGHT = datetime(2026, 10, 2)  # noqa: DTZ001  # civil time
ADDRESSES = [WIRED_698, WIRED_645, CARRIER_645, CARRIER_698]
STARTED_AT = Oad.of("60400200")
DAILY = Road(Oad.of("50040200"), (FROZEN_AT, Oad.of("00100200")))
ENERGY = Oad.of("00100200")
VOLTAGE = Oad.of("20000200")
FAST = Ways(call=SELDOM, persistence=Persistence(rounds=2, pause_s=60))


def _collected(rsd: Selection, *columns: Oad | Road) -> RecordRequest:
    return RecordRequest(COLLECTED, rsd, (METER_ADDRESS, COLLECTION_STORED_AT, *(columns or (DAILY,))))


def _at(moment: datetime) -> DateTimeS:
    return DateTimeS.of(moment)


def _moments(
    world: World, rsd: Selection, *columns: Oad | Road, after_s: float = DAY_S
) -> dict[str, list[str]]:
    """Storage times by meter, in the order in which they came."""

    async def story(master: Master) -> dict[str, list[str]]:
        await asyncio.sleep(after_s)
        found = by_address(await master.records(_collected(rsd, *columns)))
        return {address: [str(row[0].value) for row in rows] for address, rows in found.items()}

    return world.run(story)


def test_the_freeze_of_the_night_is_collected_from_meters_of_both_protocols() -> None:
    """A head-end would find nothing, or a 645 meter's day under another name or in other digits."""
    world = World()

    async def story(master: Master) -> None:
        await asyncio.sleep(DAY_S)
        [request] = ReadCollected(items=("forward_active_energy.*",)).records()
        found = records(await master.records(request))
        assert ADDRESSES == [row.address for row in found.rows]
        for row in found.rows:
            assert MIDNIGHT == row.at
            midnight = MIDNIGHT.replace(tzinfo=PLANT_TIME)
            meter = world.meters[row.address or ""]
            for value in row.readings:
                assert meter.value(value.item, midnight) == value.value, value.item
            assert {"daily_freeze"} == {value.period for value in row.readings}

    world.run(story)


def test_rows_say_when_they_were_begun_had_and_stored() -> None:
    """An operator could not tell a day that was read at once from one that took three rounds."""
    world = World()

    async def story(master: Master) -> None:
        await asyncio.sleep(DAY_S)
        columns = (METER_ADDRESS, STARTED_AT, COLLECTION_SUCCEEDED_AT, COLLECTION_STORED_AT, DAILY)
        result = await master.records(
            RecordRequest(COLLECTED, SelectStoredAt(_at(MIDNIGHT), AllMeters()), columns)
        )
        begun = MIDNIGHT + timedelta(minutes=5)
        for address, [row] in by_address(result).items():
            started_at, succeeded_at, stored_at = (cell.value.civil() for cell in row[:3])
            assert (begun, MIDNIGHT) == (started_at, stored_at)
            assert begun <= succeeded_at < begun + timedelta(minutes=2)
            assert (succeeded_at > begun) == (address in {CARRIER_645, CARRIER_698}), "the carrier takes time"

    world.run(story)


def test_a_curve_is_collected_each_quarter() -> None:
    """There would be no load profile of meters behind a concentrator."""
    found = _moments(World(curve=True), SelectLast(96, AllMeters()), VOLTAGE, after_s=DAY_S + 600)
    newest = START.astimezone(PLANT_TIME) + timedelta(days=1)
    points = [newest - number * timedelta(minutes=15) for number in range(96)]
    wanted = [f"{point:%Y-%m-%dT%H:%M:%S}" for point in points]
    assert dict.fromkeys(ADDRESSES, wanted) == found


def test_a_curve_holds_what_the_meter_shows_at_that_time() -> None:
    """The points would be those of another time, or of a neighbour."""
    world = World(curve=True)

    async def story(master: Master) -> None:
        await asyncio.sleep(3600)
        [request] = ReadCollected(items=("voltage.a", "active_power.*"), freeze="").records()
        for row in records(await master.records(request)).rows:
            taken = [one for one in world.answers if one.address == row.address]
            by_item = {value.item: value.value for value in row.readings}
            shown = {
                item: value
                for one in taken
                for item, value in one.values.items()
                if row.at is not None and one.at >= row.at.replace(tzinfo=PLANT_TIME)
            }
            assert shown["voltage.a"] == by_item["voltage.a"]
            assert shown["active_power"].quantize(Decimal("0.0001")) == by_item["active_power"]

    world.run(story)


def test_depth_is_a_limit() -> None:
    """A concentrator would keep every day for ever."""
    world = World(curve=True, ways=FAST)
    collector = world.concentrator.collector
    [curve] = [scheme for scheme in collector.schemes.values() if scheme.number == 2]
    collector.schemes[2] = Scheme(number=2, depth=3, columns=curve.columns)
    found = _moments(world, SelectAll(), VOLTAGE, after_s=7200 + 600)
    assert [3] * 4 == [len(times) for times in found.values()]
    assert "2026-10-01T13:00:00" == found[WIRED_698][-1]


def test_all_rows_together_are_a_limit() -> None:
    """The memory of a concentrator with many schemes would grow without end."""
    world = World(curve=True, ways=Ways(call=SELDOM, rows_max=10))

    async def story(_: Master) -> None:
        await asyncio.sleep(4 * 3600)

    world.run(story)
    store = world.concentrator.store
    assert 10 == len(store)
    assert store.dropped > 0
    assert 10 == sum(len(store.rows(scheme, meter)) for scheme in (1, 2) for meter in ADDRESSES)


_ONE_TO_THREE = Data("long-unsigned", 1), Data("long-unsigned", 3)
_REGION = MeterAddressRegions((Region(2, Data("TSA", Tsa.of(WIRED_645)), Data("TSA", Tsa.of(CARRIER_645))),))


@pytest.mark.parametrize(
    ("meters", "expected"),
    [
        (AllMeters(), ADDRESSES),
        (NoMeters(), []),
        (MeterAddresses((Tsa.of(CARRIER_645), Tsa.of("999999999999"))), [CARRIER_645]),
        (MeterNumbers((1, 4, 9)), [WIRED_698, CARRIER_698]),
        (MeterTypes((0,)), ADDRESSES),
        (MeterTypes((7,)), []),
        (_REGION, [WIRED_645, CARRIER_645]),
        (MeterNumberRegions((Region(0, Data("long-unsigned", 1), Data("long-unsigned", 3)),)), ADDRESSES[:2]),
        (
            MeterNumberRegions((Region(1, Data("long-unsigned", 1), Data("long-unsigned", 3)),)),
            ADDRESSES[1:3],
        ),
        (MeterNumberRegions((Region(3, Data("long-unsigned", 1), Data("long-unsigned", 3)),)), [WIRED_645]),
        (MeterNumberRegions((Region(2, Data("unsigned", 1), Data("TSA", Tsa())),)), []),
    ],
    ids=str,
)
def test_meter_sets(meters: MeterSet, expected: list[str]) -> None:
    """Rows of other meters than those that were meant would come."""
    found = _moments(World(), SelectStoredAt(_at(MIDNIGHT), meters))
    assert expected == list(found)


@pytest.mark.parametrize(
    ("rsd", "expected"),
    [
        (SelectStoredWithin(_at(MIDNIGHT), _at(MIDNIGHT + timedelta(days=1)), Ti(3, 1), AllMeters()), [2]),
        (SelectStoredWithin(_at(MIDNIGHT), _at(MIDNIGHT + timedelta(days=2)), Ti(3, 1), AllMeters()), [2, 3]),
        (SelectStoredWithin(_at(MIDNIGHT), _at(MIDNIGHT + timedelta(days=9)), Ti(3, 2), AllMeters()), [2, 4]),
        (
            SelectStoredWithin(_at(MIDNIGHT), _at(MIDNIGHT + timedelta(days=9)), Ti(0, 0xFFFF), AllMeters()),
            [2, 3, 4],
        ),
        (
            SelectSucceededWithin(_at(MIDNIGHT), _at(MIDNIGHT + timedelta(days=1)), Ti(0, 0), AllMeters()),
            [2],
        ),
        (SelectCollectedAt(_at(MIDNIGHT + timedelta(minutes=5)), AllMeters()), [2]),
        (SelectStoredAt(_at(MIDNIGHT + timedelta(seconds=1)), AllMeters()), []),
        (SelectNthLast(1), [4]),
        (SelectNthLast(3), [2]),
        (SelectNthLast(9), []),
        (SelectLast(2, AllMeters()), [4, 3]),
        (SelectLast(255, MeterAddresses((Tsa.of(WIRED_698),))), [4, 3, 2, 1]),
        (SelectAll(), [1, 2, 3, 4]),
    ],
    ids=repr,
)
def test_selectors(rsd: Selection, expected: list[int]) -> None:
    """A head-end would get other days than it asked for: selectors 4 to 10 of the standard."""
    found = _moments(World(), rsd, after_s=3 * DAY_S)
    days = [[int(time[8:10]) for time in times] for times in found.values()]
    assert all(expected == one for one in days), days
    assert bool(expected) == bool(days)


@pytest.mark.parametrize(
    ("rsd", "dar"),
    [
        (SelectStoredWithin(_at(MIDNIGHT), _at(MIDNIGHT), Ti(3, 1), AllMeters()), Dar(8)),
        (SelectEqual(FROZEN_AT, Data("date_time_s", _at(MIDNIGHT))), Dar(9)),
        (SelectNthLast(0), Dar(9)),
        (SelectStoredAt(DateTimeS(2026, 13, 1, 0, 0, 0), AllMeters()), Dar(9)),
    ],
)
def test_selectors_that_mean_nothing(rsd: Selection, dar: Dar) -> None:
    """A wrong request would look like a day without data."""
    world = World()

    async def story(master: Master) -> Dar | object:
        await asyncio.sleep(3600)
        return (await master.records(_collected(rsd))).result

    assert dar == world.run(story)


def test_parts_of_a_column_and_columns_that_are_not_collected() -> None:
    """A head-end that asks for the total alone would get the array; one more column would cost all others."""
    world = World(curve=True)

    async def story(master: Master) -> None:
        await asyncio.sleep(3600)
        asked = Road(DAILY.oad, (Oad.of("00100201"), Oad.of("00100202"), Oad.of("00500200")))
        octets = Oad.of("40010200")
        request = RecordRequest(
            COLLECTED, SelectNthLast(1), (octets, asked, Oad.of("00300200"), Oad.of("10100200"))
        )
        rows = (await master.records(request)).result
        assert isinstance(rows, tuple)
        total, first, missing = rows[0][1].value
        assert bytes.fromhex(WIRED_698) == rows[0][0].value
        midnight = datetime(2026, 10, 1, tzinfo=PLANT_TIME)
        meter = world.meters[WIRED_698]
        shown = [meter.value(f"forward_active_energy{part}", midnight) for part in ("", ".t1")]
        assert shown == [Decimal(one.value).scaleb(-2) for one in (total, first)]
        assert (NULL, NULL, NULL) == (missing, rows[0][2], rows[0][3])

    world.run(story)


def test_only_addresses_and_times_give_no_rows() -> None:
    """As a firmware of the field does: who names no value is answered with zero rows (spec section 8.1)."""
    world = World()

    async def story(master: Master) -> None:
        await asyncio.sleep(3600)
        columns = (METER_ADDRESS, COLLECTION_STORED_AT)
        assert () == (await master.records(RecordRequest(COLLECTED, SelectNthLast(1), columns))).result
        every = await master.records(RecordRequest(COLLECTED, SelectNthLast(1), ()))
        assert [METER_ADDRESS, STARTED_AT] == list(every.rcsd[:2])
        assert isinstance(every.result, tuple)
        assert 4 == len(every.result)

    world.run(story)


def test_nothing_found_can_be_a_row_of_nothing() -> None:
    """Heads-end that take the third form of the field for a reading would not be found out."""
    world = World(ways=Ways(call=SELDOM, nothing_found="null_row"))

    async def story(master: Master) -> None:
        await asyncio.sleep(60)
        nowhere = SelectStoredAt(_at(MIDNIGHT - timedelta(days=9)), AllMeters())
        assert ((NULL, NULL, NULL),) == (await master.records(_collected(nowhere))).result
        found = records(await master.records(_collected(nowhere)))
        assert ("null_row", 1) == (found.missing, found.null_rows)
        assert () == (await master.records(_collected(SelectNthLast(200)))).result

    world.run(story)


def test_a_dead_meter_costs_only_itself() -> None:
    """One silent meter would take the rows of its neighbours along, or make up one of its own."""
    world = World(ways=FAST, dead=[WIRED_645, CARRIER_645])
    found = _moments(world, SelectStoredAt(_at(MIDNIGHT), AllMeters()))
    assert [WIRED_698, CARRIER_698] == list(found)


@pytest.mark.parametrize(("rounds", "days"), [(1, 3), (8, 6)])
def test_a_meter_that_was_silent_is_read_in_a_later_round(rounds: int, days: int) -> None:
    """Retries would be a word: a meter that did not answer at 00:05 would have no day."""
    ways = Ways(call=SELDOM, persistence=Persistence(rounds=rounds, pause_s=300))
    found = _moments(World(ways=ways, carrier=Route(loss=0.3)), SelectLast(9, AllMeters()), after_s=5 * DAY_S)
    assert 6 == len(found[WIRED_698]) == len(found[WIRED_645])
    assert days == len(found[CARRIER_698]), "it depends on the seed, and is the same each time"


def test_the_task_monitor_counts() -> None:
    """A head-end could not tell a day that is not complete from one that is."""
    world = World(curve=True, ways=FAST, dead=[WIRED_645])

    async def story(master: Master) -> None:
        await asyncio.sleep(DAY_S)
        monitor = RecordRequest(
            Oad.of("60340200"), SelectEqual(Oad.of("60350201"), Data("unsigned", 1)), (Oad.of("60350200"),)
        )
        result = (await master.records(monitor)).result
        assert isinstance(result, tuple)
        [[row]] = result
        task, state, start, end, total, success, sent, received = (one.value for one in row.value)
        assert (1, 2, 4, 3) == (task, state, total, success)
        assert MIDNIGHT + timedelta(minutes=5) == start.civil()
        assert end.civil() >= start.civil() + timedelta(seconds=60), "the second round"
        assert sent - 2 <= received < sent
        assert [1, 2] == [one.value[0].value for one in (await master.get("60340200")).value]  # type: ignore[union-attr]

    world.run(story)


def test_a_task_that_is_told_runs_and_one_that_is_stopped_does_not() -> None:
    """Downloads would be acknowledged and forgotten."""
    world = World()
    scheme = Scheme(number=7, depth=5, columns=(Oad.of("200F0200"), ENERGY), meters=MeterNumbers((1,)))
    task = Task(number=9, period=Ti(1, 1), scheme=7)

    async def story(master: Master) -> None:
        add_scheme = ActionItem(Omd(0x6014, 127), Data("array", (scheme.data(),)))
        add_task = ActionItem(Omd(0x6012, 127), Data("array", (task.data(),)))
        assert (0, 0) == (await master.act(add_scheme), await master.act(add_task))
        assert Data("array", (*(one.data() for one in _known(world)), scheme.data())) == await master.get(
            "60140200"
        )
        await asyncio.sleep(150)
        stop = Data("structure", (Data("unsigned", 9), Data("enum", 2)))
        rows = await _frequencies(master)
        assert (0, [WIRED_698], 2) == (
            await master.act(ActionItem(Omd(0x6012, 130), stop)),
            list(rows),
            len(rows[WIRED_698]),
        )
        await asyncio.sleep(600)
        assert 2 == len((await _frequencies(master))[WIRED_698])
        assert 0 == await master.act(ActionItem(Omd(0x6014, 128), Data("array", (Data("unsigned", 7),))))
        assert {} == await _frequencies(master)

    world.run(story)


def _known(world: World) -> list[Scheme]:
    return [world.concentrator.collector.schemes[number] for number in (1, 2)]


async def _frequencies(master: Master) -> dict[str, list[tuple[Data, ...]]]:
    return dict(by_address(await master.records(_collected(SelectAll(), Oad.of("200F0200")))))


def test_a_curve_of_the_meter_itself_by_its_interval() -> None:
    """The points that a 698.45 meter keeps could not be collected: only what it shows when it is asked."""
    world = World()
    column = Road(Oad.of("50020200"), (FROZEN_AT, VOLTAGE))
    collector = world.concentrator.collector
    collector.schemes[3] = Scheme(
        number=3,
        depth=96,
        kind=BY_INTERVAL,
        content=Data("TI", Ti(1, 15)),
        columns=(column,),
        meters=MeterNumbers((1,)),
        stamp=STAMP_FREEZE,
    )
    collector.tasks[3] = Task(number=3, period=Ti(2, 1), scheme=3)
    found = _moments(world, SelectAll(), column, after_s=2 * 3600 + 60)
    times = [f"2026-10-01T{hour:02d}:{minute:02d}:00" for hour in (11, 12) for minute in (0, 15, 30, 45)]
    assert times == found[WIRED_698][-9:-1]
    assert "2026-10-01T13:00:00" == found[WIRED_698][-1]


def test_the_freeze_before_the_last() -> None:
    """A scheme for the n-th last freeze would give the last one."""
    world = World()
    collector = world.concentrator.collector
    collector.schemes[1] = Scheme(
        number=1, depth=9, kind=NTH_LAST, content=Data("unsigned", 2), columns=(DAILY,), stamp=STAMP_FREEZE
    )
    found = _moments(world, SelectAll(), after_s=60)
    assert {address: ["2026-09-30T00:00:00"] for address in ADDRESSES} == found


def test_the_clock_of_the_concentrator_is_not_that_of_its_meters() -> None:
    """A concentrator whose clock is wrong would look like one whose clock is right."""
    world = World(clock_ahead=timedelta(hours=13, minutes=10))

    async def story(master: Master) -> None:
        assert (await master.get("40000200")).value.civil().day == 2  # type: ignore[union-attr]
        await asyncio.sleep(3600)
        # For its clock it is the next day, whose freeze no meter has taken; so there is no row of it.
        rows = (await master.records(_collected(SelectAll()))).result
        assert () == rows
        right = DateTimeS.of(world.sim.clock.utc_now().astimezone(PLANT_TIME))
        assert 0 == await master.set("40000200", Data("date_time_s", right))
        assert right == (await master.get("40000200")).value  # type: ignore[union-attr]
        await asyncio.sleep(DAY_S)
        night = await master.records(_collected(SelectStoredAt(_at(MIDNIGHT), AllMeters())))
        assert ADDRESSES == list(by_address(night))

    world.run(story)


def test_one_seed_one_run() -> None:
    """A failure could not be played again: the same seed has to give the same octets at the same times."""

    def digest(seed: int) -> str:
        world = World(curve=True, seed=seed, carrier=Route(shortest_s=0.5, longest_s=20, loss=0.2))

        async def story(master: Master) -> None:
            await asyncio.sleep(3 * 3600)
            await master.records(_collected(SelectAll(), VOLTAGE))

        world.run(story)
        return world.master.digest

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_more_rows_than_an_answer_holds_are_refused() -> None:
    """An answer would grow with the store, and block the line for minutes."""
    world = World(curve=True)
    scheme = Scheme(number=2, depth=4096, columns=(VOLTAGE,))
    world.concentrator.collector.schemes[2] = scheme

    async def story(master: Master) -> object:
        await asyncio.sleep(60)
        _fill(world.concentrator.store, scheme, COLLECTED_ROWS_MAX + 1)
        return (await master.records(_collected(SelectAll(), VOLTAGE))).result

    assert Dar(2) == world.run(story)


def _fill(store: Store, scheme: Scheme, count: int) -> None:
    cells = kept_cells([Data("array", (Data("long-unsigned", 2200),))])
    for number in range(count):
        moment = MIDNIGHT + timedelta(minutes=number // 4)
        store.keep(scheme, Row(moment, moment, moment, ADDRESSES[number % 4], cells))


def test_a_line_is_as_it_is_configured() -> None:
    """The archive would lead to the wrong ports."""
    entries = World().concentrator.archive.entries
    assert [FIRST_RS485, FIRST_RS485, CARRIER, CARRIER] == [entry.port for entry in entries]
    assert [3, 2, 2, 3] == [entry.protocol for entry in entries]
