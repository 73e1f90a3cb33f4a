"""What a simulated DL/T 698.45 meter tells of its own accord, and groups that it hears."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from metersim import Line, Simulation, Station, memory_pair
from metersim.dlt698 import FACTORY_PASSWORD, Meter698
from metersim.dlt698.groups import GROUPS_MAX
from metersim.dlt698.reporting import FOLLOW_MAX, NEW_EVENTS
from metersim.dlt698.terminal import Habits, Terminal
from metersim.works.moments import PLANT_TIME
from meterwire.dlt698.apdus.action import ActionRequestNormal
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.get import GetRequestNormal
from meterwire.dlt698.apdus.link_management import LinkRequest
from meterwire.dlt698.apdus.parts import ActionItem, Piid, SetItem
from meterwire.dlt698.apdus.report import ReportNotificationRecordList, ReportResponseRecordList
from meterwire.dlt698.apdus.set import SetRequestNormal
from meterwire.dlt698.axdr.selection import Oad, Omd, SelectAll
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import AddressKind, ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.objects.records import records
from meterwire.dlt698.sessions.association import Offer
from tests.support.meter698 import AT, Client, found
from tests.unit.test_metersim_terminal import confirmed

ADDRESS = "000000000161"
PIID = Piid.of(5)
MINUTE = timedelta(minutes=1)
FOLLOW, ACTIVE = "43000700", "43000800"
COVER, TERMINAL_COVER = Oad.of("301B0200"), Oad.of("301C0200")
GROUP = ServerAddress("040302010605", AddressKind.GROUP)


def asked(client: Client, oad: str = "40000200") -> Any:
    return client.ask(GetRequestNormal(piid=PIID, oad=Oad.of(oad)))


def told(answer: Any) -> list[Oad]:
    """The tables that a follow report names."""
    if answer.follow_report is None:
        return []
    [listed] = answer.follow_report.items
    assert NEW_EVENTS == listed.oad
    return [one.value for one in listed.result.value]


def write(client: Client, oad: str, data: Data) -> int:
    request = SetRequestNormal(piid=PIID, item=SetItem(Oad.of(oad), data))
    return int(client.ask(request).item.dar)


def allowed(oad: str = FOLLOW, offer: Offer | None = None) -> tuple[Meter698, Client]:
    """A meter that may tell, a minute before its covers are opened."""
    meter = Meter698(ADDRESS, seed=1)
    client = Client(meter, offer=offer)
    client.connect(FACTORY_PASSWORD)
    assert 0 == write(client, oad, Data("bool", True))
    meter.works.history.change(AT + MINUTE, cover_open=True, terminal_cover_open=True)
    client.at += 2 * MINUTE
    return meter, client


def test_what_is_new_follows_every_answer_until_it_is_read() -> None:
    """An opened cover would wait for whoever happens to ask, or be told for ever."""
    _, client = allowed()
    for _ in range(2):
        answer = asked(client)
        assert [COVER, TERMINAL_COVER] == told(answer)
        assert answer.piid.acd
        assert PIID.number == answer.piid.number
    client.records(str(COVER), SelectAll())
    assert [TERMINAL_COVER] == told(asked(client))
    listed = asked(client, str(NEW_EVENTS))
    assert [TERMINAL_COVER] == [one.value for one in listed.result.result.value]
    assert not listed.piid.acd
    assert (False, []) == (asked(client).piid.acd, told(asked(client)))


def test_a_meter_that_may_not_tell_is_quiet() -> None:
    """Clients that do not know follow reports would be sent some."""
    meter = Meter698(ADDRESS, seed=1)
    meter.works.history.change(AT - MINUTE, cover_open=True)
    client = Client(meter)
    assert (False, []) == (asked(client).piid.acd, told(asked(client)))
    client.connect(FACTORY_PASSWORD)
    write(client, FOLLOW, Data("bool", True))
    assert [] == told(asked(client)), "that was before"


@pytest.mark.parametrize(("flag", "during", "after"), [(0, 0, 0), (1, 1, 0), (2, 0, 1), (3, 1, 1)])
def test_the_report_flag_says_when(flag: int, during: int, after: int) -> None:
    """An end would be told as a beginning, or what nobody wants to know be told."""
    meter, client = allowed()
    write(client, "301C0800", Data("enum", 0))
    write(client, "301B0800", Data("enum", flag))
    assert during == len(told(asked(client)))
    client.records(str(COVER), SelectAll())
    meter.works.history.change(AT + 5 * MINUTE, cover_open=False)
    client.at += 5 * MINUTE
    assert after == len(told(asked(client)))


def test_without_room_there_is_the_bit_alone() -> None:
    """The answer would be longer than the client takes."""
    meter, client = allowed(offer=Offer(apdu_max=64))
    conditions = {"voltage_reversed": True, "current_reversed": True, "magnetic_field": True}
    meter.works.history.change(AT + MINUTE, **conditions, angle_deg=(180, 180, 180))
    answer = asked(client)
    assert (True, []) == (answer.piid.acd, told(answer))


def test_one_follow_report_names_so_many_tables() -> None:
    """A storm of events would make every answer a long one."""
    meter, client = allowed()
    history = meter.works.history
    history.change(AT + MINUTE, voltage_reversed=True, current_reversed=True, magnetic_field=True)
    for per_mille in (500, 850, 1150):
        history.change(client.at, voltage_per_mille=(per_mille,) * 3)
        client.at += MINUTE
    history.change(client.at, voltage_per_mille=(1000,) * 3, angle_deg=(180,) * 3)
    client.at += MINUTE
    history.change(client.at, angle_deg=(0,) * 3, current_open=frozenset("abc"))
    client.at += MINUTE
    assert FOLLOW_MAX == len(told(asked(client)))
    assert len(asked(client, str(NEW_EVENTS)).result.result.value) > FOLLOW_MAX


def test_a_terminal_tells_new_events_until_they_are_confirmed() -> None:
    """An outage would be known at the next poll, or told to the end of days."""
    sim = Simulation(seed=1)
    meter = Meter698(ADDRESS, seed=1)
    terminal = Terminal(
        Line([Station(meter=meter)], clock=sim.clock),
        clock=sim.clock,
        habits=Habits(heartbeat_s=60, answer_timeout_s=4, tries=1, news_s=10),
    )
    terminal_end, master_end = memory_pair()
    reports: list[ReportNotificationRecordList] = []

    async def master() -> None:
        deframer = Deframer()
        while octets := await master_end.receive():
            for frame in deframer.feed(octets):
                apdu = decode_apdu(frame.user_data)
                if isinstance(apdu, LinkRequest):
                    await master_end.send(confirmed(frame))
                if isinstance(apdu, ReportNotificationRecordList):
                    reports.append(apdu)
                    if len(reports) > 1:  # the first one is lost
                        answer = ReportResponseRecordList(
                            piid=apdu.piid, oads=tuple(one.oad for one in apdu.records)
                        )
                        said = frame._replace(user_data=encode_apdu(answer), from_server=False)
                        await master_end.send(link.encode(said))

    async def serve() -> None:
        await terminal.serve(terminal_end)
        terminal_end.close()

    async def main() -> None:
        client = Client(meter, at=sim.clock.utc_now())
        client.connect(FACTORY_PASSWORD)
        assert 0 == write(client, ACTIVE, Data("bool", True))
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(), name="terminal")
            group.create_task(master(), name="master")
            await asyncio.sleep(5)
            opened_at.append(sim.clock.utc_now())
            meter.works.history.change(opened_at[0], cover_open=True)
            await asyncio.sleep(100)
            master_end.close()

    opened_at: list[Any] = []
    sim.run(main())
    assert 2 == len(reports)
    for report in reports:
        [record] = report.records
        assert COVER == record.oad
        [row] = records(record).rows
        shown = opened_at[0].astimezone(PLANT_TIME).replace(tzinfo=None, microsecond=0)
        assert (1, shown) == (row.number, row.at)


# --- groups ---------------------------------------------------------------------------------------


def _broadcast(client: Client, server: ServerAddress) -> tuple[bytes, int]:
    """What a meter says to a time for everybody, and by how many seconds it moved."""
    shown = client.at.astimezone(PLANT_TIME).replace(tzinfo=None) + MINUTE
    item = ActionItem(Omd(0x4000, 127), Data("date_time_s", DateTimeS.of(shown)))
    said = client.say(found(ActionRequestNormal(piid=PIID, item=item), server))
    now = asked(client).result.result.value.civil()
    return said, round((now - client.at.astimezone(PLANT_TIME).replace(tzinfo=None)).total_seconds())


def test_a_group_is_heard_by_its_members_and_answered_by_nobody() -> None:
    """A whole group would answer at once, or a meter obey the orders of another group."""
    client = Client(Meter698(ADDRESS, seed=1))
    assert (b"", 0) == _broadcast(client, GROUP)
    client.connect(FACTORY_PASSWORD)
    groups = Data("array", (Data("octet-string", bytes.fromhex(GROUP.digits)),))
    assert 0 == write(client, "40050200", groups)
    assert groups == client.get("40050200")
    assert (b"", 60) == _broadcast(client, GROUP)
    assert b"" == client.say(found(GetRequestNormal(piid=PIID, oad=Oad.of("40010200")), GROUP))
    assert b"" == client.say(
        found(GetRequestNormal(piid=PIID, oad=Oad.of("40010200")), GROUP._replace(digits="040302010606"))
    )


@pytest.mark.parametrize(
    ("groups", "dar"),
    [
        (Data("array", (Data("octet-string", b"\x01"),) * GROUPS_MAX), 0),
        (Data("array", (Data("octet-string", b"\x01"),) * (GROUPS_MAX + 1)), 8),
        (Data("array", (Data("octet-string", b""),)), 8),
        (Data("array", (Data("octet-string", bytes(17)),)), 8),
        (Data("array", (NULL,)), 7),
        (NULL, 7),
    ],
)
def test_groups_have_limits(groups: Data, dar: int) -> None:
    """A group that no frame can name would be kept, or more than a meter holds."""
    client = Client(Meter698(ADDRESS, seed=1))
    client.connect(FACTORY_PASSWORD)
    assert dar == write(client, "40050200", groups)


@pytest.mark.parametrize(
    ("method", "happened"), [(3, "registers_cleared"), (5, "events_cleared"), (6, "demand_cleared")]
)
def test_the_device_clears_what_it_is_told_to(method: int, happened: str) -> None:
    """A clear would be confirmed and not be done, or be done for a stranger."""
    meter = Meter698(ADDRESS, seed=1)
    client = Client(meter)
    request = ActionRequestNormal(piid=PIID, item=ActionItem(Omd(0x4300, method), NULL))
    assert 15 == client.ask(request).item.dar
    client.connect(FACTORY_PASSWORD)
    assert 0 == client.ask(request).item.dar
    assert [happened] == [row.happened for row in meter.works.history.rows[1:]]
    client.at += MINUTE
    cleared = meter.value("forward_active_energy", client.at)
    assert cleared is not None
    assert (method == 3) == (cleared < 1)
