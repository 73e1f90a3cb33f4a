"""A simulated concentrator and its master: login, archive, reports, events, resets, and what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from metersim import Line, Simulation
from metersim.dlt698.meter import FACTORY_PASSWORD
from metersim.dlt698.terminal import Habits, Terminal
from metersim.terminals.archive import ARCHIVE_MAX, ArchiveFull, MeterArchive
from metersim.terminals.collector import Persistence
from metersim.terminals.downloads import Malformed
from metersim.terminals.failures import FAILURES_KEPT, Failures
from metersim.terminals.plan import CARRIER, ConcentratorPlan
from metersim.terminals.port import Route
from metersim.terminals.proxy import ProxyHabits
from metersim.terminals.reporter import PENDING_MAX, Reporter
from metersim.terminals.schemes import SCHEMES_MAX, ReportScheme, Scheme
from metersim.terminals.tasks import TASKS_MAX, Task
from metersim.terminals.ways import Mishap, Ways
from meterwire.dlt698.apdus.action import ActionRequestNormal
from meterwire.dlt698.apdus.apdu import decode_apdu
from meterwire.dlt698.apdus.association import PasswordSecurity
from meterwire.dlt698.apdus.get import GetRequestNormal, GetRequestRecord, GetResponseRecord
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.apdus.parts import (
    ActionItem,
    AttributeResult,
    Dar,
    RecordRequest,
    RecordResult,
    TimeTag,
)
from meterwire.dlt698.apdus.report import ReportNotificationList, ReportNotificationRecordList
from meterwire.dlt698.apdus.security import SecurityResponse
from meterwire.dlt698.axdr.selection import (
    AllMeters,
    MeterAddresses,
    Oad,
    Omd,
    SelectAll,
    SelectEqual,
    SelectLast,
    SelectNthLast,
    Ti,
    Tsa,
)
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.objects.concentrator import (
    ArchiveEntry,
    ReadCollected,
    add_meters,
    archive_of,
    clear_archive,
    delete_meter,
    proxy_get,
)
from meterwire.dlt698.objects.records import records
from meterwire.dlt698.sessions.client import ClientSession, with_random_number
from meterwire.errors import RemoteProtocolError
from tests.support.concentrator import (
    ADDRESS,
    CARRIER_645,
    CARRIER_698,
    WIRED_645,
    WIRED_698,
    Master,
    World,
)
from tests.support.vectors import octets, vectors

DAY_S = 86400
ADDRESSES = [WIRED_698, WIRED_645, CARRIER_645, CARRIER_698]
ENERGY = Oad.of("00100200")
ALLOWED, REPORTS_ALLOWED = Data("bool", True), "43000800"
ENTRY = Oad(0x6001, 2, 0)
NUMBER = Oad(0x6001, 2, 1)
QUICK = Persistence(rounds=1)


_TABLES = {
    (0x6000, 127): "60000200",
    (0x6000, 128): "60000200",
    (0x6012, 127): "60120200",
    (0x6014, 127): "60140200",
    (0x601C, 127): "601C0200",
}
"""Methods that add something, and where it is read back."""


def _requests(frame: bytes) -> Iterator[ActionRequestNormal]:
    """The request in a frame, when it is one for a method."""
    for found in Deframer().feed(frame):
        with suppress(RemoteProtocolError):
            apdu = decode_apdu(found.user_data)
            if isinstance(apdu, ActionRequestNormal):
                yield apdu


# --- login -----------------------------------------------------------------------------------------------


def test_it_logs_in_beats_and_says_who_it_is() -> None:
    """The master would hang up, or not know who called."""
    world = World(idle=True, ways=Ways(call=Habits(heartbeat_s=60)))

    async def story(master: Master) -> None:
        await asyncio.sleep(150)
        assert [0, 1, 1] == [call.request.type for call in master.calls]
        assert {ADDRESS} == {call.server.digits for call in master.calls}
        assert bytes.fromhex(ADDRESS) == (await master.get("40010200")).value  # type: ignore[union-attr]
        assert world.concentrator.terminal.online

    world.run(story)


def test_a_heartbeat_is_told_while_a_meter_is_waited_for() -> None:
    """A read over the carrier would cost the connection."""
    world = World(
        ways=Ways(call=Habits(heartbeat_s=60)), idle=True, carrier=Route(shortest_s=100, longest_s=100)
    )

    async def story(master: Master) -> None:
        piid = master.association.next_piid()
        answer = await master.ask(
            proxy_get(piid, {CARRIER_645: (ENERGY,)}, timeout_s=119, meter_timeout_s=118)
        )
        assert isinstance(answer.targets[0].items[0].result, Data)
        assert 2 == len(master.calls)

    world.run(story)


def test_it_dials_again_when_the_connection_goes() -> None:
    """A master that was restarted would never see it again."""
    world = World(idle=True)

    async def story(master: Master) -> None:
        master.hang_up()
        await asyncio.sleep(10)
        assert (2, 2) == (master.dialled, len(master.calls))
        assert isinstance(await master.get("40000200"), Data)

    world.run(story)


def test_a_line_without_a_698_meter_does_not_log_in() -> None:
    """Nobody would know why nothing calls."""
    sim = Simulation(seed=1)
    line = Line([], clock=sim.clock, record=lambda _: None)
    with pytest.raises(ValueError, match=r"only a meter of DL/T 698\.45 logs in"):
        Terminal(line, clock=sim.clock)


# --- archive ---------------------------------------------------------------------------------------------


def test_the_archive_is_read_added_to_and_deleted_from() -> None:
    """A head-end would go on with a roster that the concentrator does not have."""
    world = World(archive=False, idle=True)
    entries = [
        ArchiveEntry(number=number, address=address, protocol=protocol, port=CARRIER, user_type=number)
        for number, address, protocol in ((7, CARRIER_645, 2), (3, CARRIER_698, 3))
    ]

    async def known(master: Master) -> list[int]:
        data = await master.get("60000200")
        assert isinstance(data, Data)
        return [entry.number for entry in archive_of(data).entries]

    async def story(master: Master) -> None:
        assert [] == await known(master)
        assert 0 == await master.act(add_meters(entries))
        assert [3, 7] == await known(master)
        one = add_meters([ArchiveEntry(number=8, address=WIRED_645, protocol=2)]).data.value[0]
        assert 0 == await master.act(ActionItem(Omd(0x6000, 127), one))
        moved = add_meters([ArchiveEntry(number=9, address=CARRIER_645, protocol=2)])
        assert 0 == await master.act(moved), "the same meter under another number"
        assert [3, 8, 9] == await known(master)
        assert (0, 8) == (await master.act(delete_meter(8)), await master.act(delete_meter(8)))
        where = Data("structure", (Data("TSA", Tsa.of(CARRIER_698)), Data("OAD", CARRIER)))
        assert 0 == await master.act(ActionItem(Omd(0x6000, 133), where))
        assert [9] == await known(master)
        assert (0, []) == (await master.act(clear_archive()), await known(master))

    world.run(story)


def test_the_archive_as_records() -> None:
    """An archive of hundreds of meters does not fit an answer: heads-end read it row by row."""
    world = World(idle=True)

    async def numbers(master: Master, rsd: Any, *columns: Oad) -> list[Any]:
        result = (await master.records(RecordRequest(Oad.of("60000200"), rsd, columns))).result
        assert isinstance(result, tuple)
        return [[cell.value if column.index else cell.value[0].value for cell in row]
                for row in result for column in [columns[0] if columns else ENTRY]]  # fmt: skip

    async def story(master: Master) -> None:
        assert [[1], [2], [3], [4]] == await numbers(master, SelectAll(), ENTRY)
        assert [[1], [2], [3], [4]] == await numbers(master, SelectAll())
        assert [[3]] == await numbers(master, SelectEqual(NUMBER, Data("long-unsigned", 3)), NUMBER)
        some = MeterAddresses((Tsa.of(WIRED_645), Tsa.of(CARRIER_698)))
        assert [[2], [4]] == await numbers(master, SelectLast(255, some), NUMBER)
        assert [[4]] == await numbers(master, SelectLast(1, AllMeters()), NUMBER)
        odd = RecordRequest(Oad.of("60000200"), SelectEqual(ENERGY, NULL), (ENTRY,))
        assert Dar(9) == (await master.records(odd)).result

    world.run(story)


def test_a_meter_that_is_deleted_leaves_no_rows() -> None:
    """Its successor under the same address would inherit its days."""
    world = World(ways=Ways(persistence=QUICK))

    async def story(master: Master) -> None:
        await asyncio.sleep(60)
        [request] = ReadCollected(items=("forward_active_energy",)).records()
        again = add_meters([world.concentrator.archive.entries[0]])
        assert WIRED_698 in {row.address for row in records(await master.records(request)).rows}
        assert (0, 0) == (await master.act(delete_meter(1)), await master.act(again))
        assert WIRED_698 not in {row.address for row in records(await master.records(request)).rows}

    world.run(story)


def test_an_archive_of_as_many_as_it_can() -> None:
    """One meter more than that would take memory without end, or push another one out."""
    entries = [ArchiveEntry(number=number, address=f"{number:012d}") for number in range(1, ARCHIVE_MAX + 1)]
    archive = MeterArchive(entries)
    more = add_meters([ArchiveEntry(number=ARCHIVE_MAX + 1, address="999999999998")])
    again = add_meters([ArchiveEntry(number=1, address="999999999998")])
    assert (8, 0) == (archive.act(128, more.data), archive.act(128, again.data))
    assert ARCHIVE_MAX == len(archive)
    with pytest.raises(ArchiveFull, match="1001 meters"):
        MeterArchive([*entries, ArchiveEntry(number=0, address="999999999998")])


@pytest.mark.parametrize("method", range(127, 136))
def test_downloads_of_another_shape_are_refused_whole(method: int) -> None:
    """Half an archive, or an exception, would be what a wrong download leaves."""
    archive = MeterArchive([ArchiveEntry(number=1, address=WIRED_645)])
    if method == 134:
        return
    for wrong in (NULL, Data("array", (NULL,)), Data("structure", (NULL, NULL)), Data("unsigned", 9)):
        assert archive.act(method, wrong) in {4, 7, 8} or wrong.type == "array"
    assert [WIRED_645] == [entry.address for entry in archive.entries]


def test_parts_of_an_entry_are_updated() -> None:
    """A meter that was moved to another port would still be looked for at the old one."""
    entry = ArchiveEntry(number=5, address=WIRED_645, protocol=2)
    archive = MeterArchive([entry])
    [whole] = add_meters([ArchiveEntry(number=5, address=WIRED_645, protocol=3, ct_ratio=40)]).data.value
    number, basic, extension, annex = whole.value
    assert 0 == archive.act(129, Data("structure", (number, basic)))
    assert (3, 1) == (archive.entries[0].protocol, archive.entries[0].ct_ratio)
    assert 0 == archive.act(130, Data("structure", (number, extension, annex)))
    assert 40 == archive.entries[0].ct_ratio


# --- settings --------------------------------------------------------------------------------------------


def test_settings_need_the_password_where_there_is_one() -> None:
    """Whoever can dial in could take a concentrator's meters away."""
    world = World(idle=True, ways=Ways(password=FACTORY_PASSWORD))

    async def story(master: Master) -> None:
        assert (15, 15) == (await master.act(clear_archive()), await master.set(REPORTS_ALLOWED, ALLOWED))
        wrong = await master.run(master.association.connect(PasswordSecurity("12345678")))
        assert 1 == wrong.result
        assert 15 == await master.act(clear_archive())
        assert 0 == (await master.run(master.association.connect(PasswordSecurity(FACTORY_PASSWORD)))).result
        assert (0, 0) == (await master.set(REPORTS_ALLOWED, ALLOWED), await master.act(clear_archive()))

    world.run(story)


def _array(*elements: Data) -> Data:
    return Data("array", elements)


@pytest.mark.parametrize(
    ("omd", "data", "dar"),
    [
        ("60127F00", NULL, 7),
        ("60127F00", _array(NULL), 7),
        ("60127F00", _array(Data("structure", (NULL,) * 12)), 7),
        ("60128000", _array(Data("enum", 1)), 7),
        ("60128200", Data("structure", (Data("unsigned", 99), Data("enum", 1))), 8),
        ("60128300", NULL, 4),
        ("60147F00", _array(Data("structure", (NULL,) * 6)), 7),
        ("60148200", Data("structure", (Data("unsigned", 99), _array())), 8),
        ("60148200", Data("structure", (Data("unsigned", 1), _array())), 7),
        ("601C7F00", _array(Data("structure", (NULL,) * 5)), 7),
        ("43000300", NULL, 3),
        ("43000B00", NULL, 4),
        ("F2050100", NULL, 6),
    ],
)
def test_what_it_cannot_do_is_refused(omd: str, data: Data, dar: int) -> None:
    """A download would be lost, or half taken, and called a success."""
    world = World(idle=True)

    async def story(master: Master) -> None:
        before = [await master.get(oad) for oad in ("60120200", "60140200", "601C0200")]
        assert dar == await master.act(ActionItem(Omd.of(omd), data))
        assert before == [await master.get(oad) for oad in ("60120200", "60140200", "601C0200")]

    world.run(story)


@pytest.mark.parametrize(
    ("oad", "dar"), [("00100200", 6), ("60120300", 3), ("60120400", 4), ("60000209", 4), ("310F0200", 3)]
)
def test_attributes_that_it_does_not_give(oad: str, dar: int) -> None:
    """A head-end would take a wrong descriptor for an empty value."""

    async def story(master: Master) -> Data | Dar:
        return await master.get(oad)

    assert Dar(dar) == World(idle=True).run(story)


_DOWNLOADS = [
    pytest.param(request.item, id=vector["id"])
    for vector in vectors("dlt698.jsonl")
    if "-actionrequest" in vector["id"] or vector["id"].startswith("gen-")
    for request in _requests(octets(vector))
    if (request.item.omd.oi, request.item.omd.method) in _TABLES
]


@pytest.mark.parametrize("item", _DOWNLOADS)
def test_downloads_of_the_field_are_taken(item: ActionItem) -> None:
    """Plans that real terminals take would be refused, or read back as something else."""
    world = World(idle=True, archive=False)

    async def story(master: Master) -> None:
        assert 0 == await master.act(item)
        read = await master.get(_TABLES[item.omd.oi, item.omd.method])
        assert isinstance(read, Data)
        told = item.data.value if item.data.type == "array" else (item.data,)
        if item.omd.oi == 0x6000:  # a password is not given back
            assert archive_of(Data("array", tuple(told))) == archive_of(read)
        else:
            assert all(one in read.value for one in told)

    world.run(story)


def test_there_are_downloads_of_the_field() -> None:
    """The test above would pass with nothing to try."""
    assert 8 == len(_DOWNLOADS)


@pytest.mark.parametrize("one", [*World().concentrator.collector.tasks.values()], ids=lambda one: one.number)
def test_a_task_goes_out_and_comes_back(one: Task) -> None:
    """What is read could not be sent back."""
    assert one == Task.of(one.data())


def test_schemes_go_out_and_come_back() -> None:
    """The same of schemes, and of reports."""
    concentrator = World(ways=Ways(report_daily=True)).concentrator
    for scheme in concentrator.collector.schemes.values():
        assert scheme == Scheme.of(scheme.data())
    [report] = concentrator.reports.values()
    oads = ReportScheme(number=2, content=(ENERGY,))
    assert [report, oads] == [ReportScheme.of(one.data()) for one in (report, oads)]


def test_so_many_tasks_and_schemes() -> None:
    """Downloads without end would take all memory."""
    world = World(idle=True)

    async def story(master: Master) -> None:
        task = Task(number=0, period=Ti(3, 1), scheme=1)
        numbers = [Task(**{**_parts(task), "number": number}).data() for number in range(TASKS_MAX + 1)]
        assert 8 == await master.act(ActionItem(Omd(0x6012, 127), _array(*numbers)))
        assert 0 == await master.act(ActionItem(Omd(0x6012, 127), _array(*numbers[:-1])))
        scheme = Scheme(number=0, depth=1, columns=(ENERGY,))
        schemes = [Scheme(**{**_parts(scheme), "number": number}).data() for number in range(SCHEMES_MAX + 1)]
        assert 8 == await master.act(ActionItem(Omd(0x6014, 127), _array(*schemes)))
        assert 2 == len(world.concentrator.collector.schemes)

    world.run(story)


def _parts(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in type(one).__dataclass_fields__}


@pytest.mark.parametrize(
    ("depth", "columns"), [(0, (ENERGY,)), (4097, (ENERGY,)), (1, ()), (1, (ENERGY,) * 65)]
)
def test_a_scheme_has_its_limits(depth: int, columns: tuple[Oad, ...]) -> None:
    """One download could take all memory."""
    with pytest.raises(Malformed):
        Scheme.of(Scheme(number=1, depth=depth, columns=columns).data())
    most = Scheme(number=1, depth=4096, columns=(ENERGY,) * 64)
    assert most == Scheme.of(most.data())


# --- reports ---------------------------------------------------------------------------------------------


def _told(master: Master) -> list[tuple[str, int]]:
    """Table and rows of every report."""
    found = []
    for report in master.reports:
        if isinstance(report.notification, ReportNotificationRecordList):
            for one in report.notification.records:
                assert isinstance(one.result, tuple)
                found.append((str(one.oad), len(one.result)))
    return found


def test_what_was_collected_is_reported_once() -> None:
    """A master that waits for reports would see nothing, or the same day again and again."""
    world = World(ways=Ways(report_daily=True))

    async def story(master: Master) -> None:
        await asyncio.sleep(DAY_S)
        assert [] == master.reports, "nobody has allowed it"
        assert 0 == await master.set(REPORTS_ALLOWED, ALLOWED)
        await asyncio.sleep(60)
        assert [("60120300", 4)] == _told(master)
        await asyncio.sleep(DAY_S)
        assert [("60120300", 4)] * 2 == _told(master)
        assert 2 == world.concentrator.reporter.told
        [found] = master.reports[-1].notification.records  # type: ignore[union-attr]
        assert ADDRESSES == [row.address for row in records(found).rows]

    world.run(story)


def test_a_report_that_nobody_confirms_is_told_again() -> None:
    """A report that came while the master's disk was full would be lost."""
    world = World(ways=Ways(report_daily=True))
    world.master.acknowledges = False

    async def story(master: Master) -> None:
        assert 0 == await master.set(REPORTS_ALLOWED, ALLOWED)
        await asyncio.sleep(DAY_S)
        octets = {report.octets for report in master.reports}
        assert len(master.reports) > 3
        assert 1 == len(octets), "the same one, under the same service number"
        master.acknowledges = True
        await asyncio.sleep(200)
        told = len(master.reports)
        await asyncio.sleep(600)
        assert told == len(master.reports)

    world.run(story)


def test_a_report_of_attributes() -> None:
    """Schemes that report values instead of records would tell nothing."""
    world = World(idle=True)
    scheme = ReportScheme(number=5, content=(Oad.of("40000200"),), timeout=Ti(0, 5), tries=1)
    task = Task(number=5, period=Ti(1, 1), kind=4, scheme=5)

    async def story(master: Master) -> None:
        assert 0 == await master.set(REPORTS_ALLOWED, ALLOWED)
        assert 0 == await master.act(ActionItem(Omd(0x601C, 127), _array(scheme.data())))
        assert 0 == await master.act(ActionItem(Omd(0x6012, 127), _array(task.data())))
        await asyncio.sleep(70)
        [report] = master.reports
        assert isinstance(report.notification, ReportNotificationList)
        assert [Oad.of("40000200")] == [one.oad for one in report.notification.results]

    world.run(story)


def test_long_reports_are_cut_and_the_oldest_dropped() -> None:
    """A report would be longer than an APDU, or reports of a year wait in memory."""
    world = World(idle=True)
    reporter = Reporter(world.concentrator.terminal, allowed=lambda: False, octets_max=500)
    row = (Data("octet-string", bytes(40)),)
    record = RecordResult(Oad.of("60120300"), (ENERGY,), (row,) * 25)
    reporter.tell_records(record, tries=1, timeout_s=1)
    for _ in range(PENDING_MAX):
        reporter.tell_attributes([AttributeResult(ENERGY, NULL)], tries=1, timeout_s=1)
    assert 3 == reporter.dropped, "11 rows of 42 octets fit, so that 25 are three reports"


def test_a_meter_that_cannot_be_read_is_an_event() -> None:
    """A dead meter would be found by nobody: ACD is set until the master has read of it."""
    world = World(ways=Ways(persistence=QUICK), dead=[WIRED_645])

    async def acd(master: Master) -> bool:
        piid = master.association.next_piid()
        answer = await master.ask(GetRequestNormal(piid=piid, oad=Oad.of("40010200")))
        return bool(answer.piid.acd)

    async def story(master: Master) -> None:
        assert not await acd(master)
        await asyncio.sleep(60)
        assert await acd(master)
        assert (Data("OI", 0x310F),) == (await master.get("33200200")).value  # type: ignore[union-attr]
        assert not await acd(master)
        result = await master.records(RecordRequest(Oad.of("310F0200"), SelectNthLast(1), ()))
        [found] = records(result).rows
        by_item = {value.item: value.content for value in found.values}
        assert 1 == found.number
        assert "2026-10-01 11:00:03" == by_item["event_started_at"]
        assert None is by_item["event_ended_at"]
        await asyncio.sleep(DAY_S)
        assert not await acd(master), "it is the same event"

    world.run(story)


def test_an_event_is_reported_where_reports_are_allowed() -> None:
    """The master would have to ask for events all day."""
    world = World(ways=Ways(persistence=QUICK), dead=[WIRED_645])

    async def story(master: Master) -> None:
        assert 0 == await master.set(REPORTS_ALLOWED, ALLOWED)
        await asyncio.sleep(30)
        assert [("310F0200", 1)] == _told(master)
        assert not world.concentrator.failures.unread, "the master has confirmed it"

    world.run(story)


def test_so_many_events_are_kept() -> None:
    """A plant of dead meters would fill the memory with its events."""
    failures = Failures()
    now = World().concentrator.collector.shown()
    for number in range(FAILURES_KEPT + 2):
        assert failures.tell(f"{number:012d}", now, failed=True)
    kept = list(failures.newest_first())
    assert (FAILURES_KEPT, FAILURES_KEPT + 2, 3) == (len(kept), kept[0].number, kept[-1].number)
    assert failures.tell("000000000005", now, failed=False) is kept[-4]
    assert None is failures.tell("000000000000", now, failed=False), "its record is gone"


# --- blocks, resets, envelopes -----------------------------------------------------------------------------


def _all_curves(master: Master) -> GetRequestRecord:
    [record] = ReadCollected(items=("voltage.*", "active_power.*"), freeze="", last=40).records()
    return GetRequestRecord(piid=master.association.next_piid(), record=record)


def test_long_answers_come_in_blocks() -> None:
    """A day of curves of all meters would be cut off at 2,000 octets."""
    world = World(curve=True)

    async def story(master: Master) -> None:
        await asyncio.sleep(6 * 3600 + 60)
        request = _all_curves(master)
        answer = await master.ask(request)
        assert isinstance(answer, GetResponseRecord)
        assert isinstance(answer.record.result, tuple)
        assert 24 * 4 == len(answer.record.result)

    world.run(story)


def test_a_reset_in_a_transfer_in_blocks() -> None:
    """The master would wait for ever for the third block, or put two transfers together."""
    world = World(curve=True, ways=Ways(mishap=Mishap(reset_at_block=3, reset_s=40)))

    async def story(master: Master) -> None:
        await asyncio.sleep(6 * 3600 + 60)
        kept = len(world.concentrator.store)
        assert None is await master.ask(_all_curves(master))
        assert (1, 1) == (world.concentrator.resets, master.lost)
        assert not world.concentrator.on
        await asyncio.sleep(60)
        assert world.concentrator.on
        assert len(master.calls) > 1
        assert 0 == master.calls[-1].request.type, "it logs in again"
        answer = await master.ask(_all_curves(master))
        assert 24 * 4 == len(answer.record.result)
        assert kept == len(world.concentrator.store), "what it keeps survives"

    world.run(story)


def test_a_reset_by_its_master() -> None:
    """The captured reset of a terminal (4300, method 1) would do nothing."""
    world = World(idle=True)

    async def story(master: Master) -> None:
        await master.act_unheard(ActionItem(Omd.of("43000100"), NULL))
        await asyncio.sleep(60)
        assert (1, 2) == (world.concentrator.resets, len(master.calls))
        assert isinstance(await master.get("40000200"), Data)

    world.run(story)


def test_a_task_that_was_due_while_it_was_off_is_made_up_for() -> None:
    """A concentrator that was reset at midnight would miss the day."""
    world = World()

    async def story(master: Master) -> None:
        await asyncio.sleep(13 * 3600 - 60)  # 23:59
        world.concentrator.reset(600)
        await asyncio.sleep(1200)
        [request] = ReadCollected(items=("forward_active_energy",)).records()
        found = records(await master.records(request)).rows
        assert ["2026-10-02 00:00:00"] * 4 == [str(row.at) for row in found]

    world.run(story)


def test_an_envelope_is_refused_as_a_whole() -> None:
    """Without a security module nobody can make the MAC that an envelope asks for; so nothing is done."""
    world = World(idle=True)

    async def story(master: Master) -> None:
        request = GetRequestNormal(piid=master.association.next_piid(), oad=Oad.of("40010200"))
        session = ClientSession(request, server=ServerAddress(ADDRESS), protect=with_random_number(bytes))
        assert SecurityResponse(unit=Dar(22)) == await master.run(session)

    world.run(story)


def test_a_request_that_came_too_late_is_not_carried_out() -> None:
    """A control that lay in a network for an hour would still be done."""
    world = World(idle=True)
    old = TimeTag(DateTimeS(2026, 10, 1, 10, 0, 0), Ti(0, 5))

    async def story(master: Master) -> None:
        wanted = {WIRED_698: (ENERGY,)}
        piid = master.association.next_piid()
        answer = await master.ask(proxy_get(piid, wanted, timeout_s=9, time_tag=old))
        assert [Dar(32)] == [item.result for item in answer.targets[0].items]
        assert 0 == world.answered(WIRED_698)

    world.run(story)


def test_services_that_it_has_not_are_an_error() -> None:
    """A head-end would wait for an answer that never comes."""
    world = World(idle=True)

    async def story(master: Master) -> None:
        no_table = RecordRequest(Oad.of("50040200"), SelectNthLast(1), (ENERGY,))
        assert Dar(6) == (await master.records(no_table)).result
        no_attribute = RecordRequest(Oad.of("60120900"), SelectNthLast(1), (ENERGY,))
        assert Dar(4) == (await master.records(no_attribute)).result
        assert not isinstance(await master.get("60340200"), ServerErrorResponse)

    world.run(story)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Route(shortest_s=2, longest_s=1),
        lambda: Route(longest_s=121),
        lambda: Route(loss=1.1),
        lambda: Persistence(rounds=0),
        lambda: Persistence(pause_s=-1),
        lambda: ProxyHabits(budget_s=0),
        lambda: Mishap(reset_at_block=0),
        lambda: Mishap(reset_s=3601),
        lambda: ConcentratorPlan(address="12").build({}, clock=Simulation(seed=1).clock),
        lambda: World(clock_ahead=timedelta(days=401)),
    ],
)
def test_figures_out_of_range(make: Any) -> None:
    """A plan with a slip would run as something else."""
    with pytest.raises(ValueError, match=r"\d"):
        make()
