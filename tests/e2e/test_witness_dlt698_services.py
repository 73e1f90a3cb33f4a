"""Each service of our client before the meter of PyPI's ``dlt698``, in each association profile.

Our sessions over a socket: get, lists, records, lists of records, blocks, set and action, where the meter
answers at once (preset), after a CONNECT, and where it dials in, logs in with LINK and then wants a
CONNECT. Values are compared with those that the meter was given. The disagreements that are tolerated are
those of ``foreign_meter698``; the two that services meet, its last, have their tests here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterwire.dlt698.apdus.action import (
    ActionRequestNormal,
    ActionRequestNormalList,
    ActionThenGetRequestNormalList,
)
from meterwire.dlt698.apdus.get import (
    GetRequestMD5,
    GetRequestNext,
    GetRequestNormal,
    GetRequestNormalList,
    GetRequestRecord,
    GetRequestRecordList,
)
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.apdus.parts import (
    SUCCESS,
    ActionItem,
    ActionThenGetItem,
    AttributeResult,
    Dar,
    RecordRequest,
    Row,
    SetItem,
    SetThenGetItem,
)
from meterwire.dlt698.apdus.set import (
    SetRequestNormal,
    SetRequestNormalList,
    SetThenGetRequestNormalList,
)
from meterwire.dlt698.axdr.data import data_to_octets
from meterwire.dlt698.axdr.selection import Oad, Omd
from meterwire.dlt698.axdr.values import Data, DateTimeS
from meterwire.dlt698.objects.requests import Between, NthLast, ReadFreezes
from meterwire.dlt698.sessions.server import ERROR_OTHER
from tests.support.foreign_meter698 import (
    ADDRESS,
    CLOCK_AT_FIRST,
    ENERGIES,
    NIGHTS,
    VOLTAGES,
    foreign_meter698,
    frozen,
)
from tests.support.head698 import Head, dialling, listening

PROFILES = ("local_preset", "local_public", "remote_public")
ITS_VERSION = 16
SMALL_APDU_OCTETS = 300
ENERGY, VOLTAGE, POWER, CLOCK = (Oad.of(oad) for oad in ("00100200", "20000200", "20040200", "40000200"))
BROADCAST_TIME, NO_METHOD = Omd(0x4000, 127, 0), Omd(0x4000, 126, 0)
DENIED, UNDEFINED = Dar(3), Dar(4)
ENERGY_DATA = Data("array", tuple(Data("double-long-unsigned", value) for value in ENERGIES))
VOLTAGE_DATA = Data("array", tuple(Data("long-unsigned", value) for value in VOLTAGES))


def _time(minute: int) -> Data:
    return Data("date_time_s", DateTimeS(*CLOCK_AT_FIRST)._replace(minute=minute))


def _nights(which: Between | NthLast) -> RecordRequest:
    [request] = ReadFreezes(freeze="daily_freeze", items=("forward_active_energy.*",), which=which).records()
    return request


ALL_NIGHTS = _nights(
    Between(datetime(2026, 11, NIGHTS[0]), datetime(2026, 11, NIGHTS[-1]) + timedelta(days=1))  # noqa: DTZ001
)
LAST_NIGHT = _nights(NthLast(1))


def _row(day: int) -> Row:
    energies = tuple(Data("double-long-unsigned", value) for value in frozen(day))
    return Data("date_time_s", DateTimeS(2026, 11, day, 0, 0, 0)), Data("array", energies)


def _rows(*days: int) -> tuple[Row, ...]:
    return tuple(_row(day) for day in days)


@pytest.fixture(scope="module", params=PROFILES)
def head(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """Our head-end, associated in one of its profiles with its meter that cuts long answers."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("foreign")
        yield _associated(stack, folder, request.param, blocks=True, apdu_octets=SMALL_APDU_OCTETS)


def _associated(stack: ExitStack, folder: Path, profile: str, *, blocks: bool, apdu_octets: int) -> Head:
    how = {"profile": profile, "blocks": blocks, "apdu_octets": apdu_octets}
    if profile == "remote_public":
        ear = stack.enter_context(listening())
        dial = "{}:{}".format(*ear.getsockname())
        stack.enter_context(foreign_meter698(folder, dial=dial, **how))  # type: ignore[arg-type]
        connection, _ = ear.accept()
        head = Head(stack.enter_context(connection), ADDRESS, version=ITS_VERSION)
        head.await_login()
        assert [0] == [call.request.type for call in head.calls]
    else:
        meter = stack.enter_context(foreign_meter698(folder, **how))  # type: ignore[arg-type]
        head = Head(stack.enter_context(dialling(meter.url)), ADDRESS, version=ITS_VERSION)
    if profile != "local_preset":
        assert 0 == head.connect().result
    return head


def test_one_attribute(head: Head) -> None:
    """A register of a foreign meter would be misread, or another taken for it."""
    answer = head.ask(GetRequestNormal(piid=head.association.next_piid(), oad=ENERGY))
    assert AttributeResult(ENERGY, ENERGY_DATA) == answer.result


def test_a_list(head: Head) -> None:
    """One refusal in a list would take the rest along, or the order be lost."""
    oads = (VOLTAGE, POWER, ENERGY)
    answer = head.ask(GetRequestNormalList(piid=head.association.next_piid(), oads=oads))
    expected = (VOLTAGE_DATA, UNDEFINED, ENERGY_DATA)
    assert expected == tuple(result.result for result in answer.results)
    assert oads == tuple(result.oad for result in answer.results)


def test_a_record(head: Head) -> None:
    """Last night's registers would be those of another night, or of another column."""
    answer = head.ask(GetRequestRecord(piid=head.association.next_piid(), record=LAST_NIGHT))
    assert _rows(NIGHTS[-1]) == answer.record.result


def test_a_list_of_records(head: Head) -> None:
    """The second table of a list would be lost, or taken for the first."""
    unknown = LAST_NIGHT._replace(oad=Oad.of("50060200"))
    request = GetRequestRecordList(piid=head.association.next_piid(), records=(unknown, LAST_NIGHT))
    answer = head.ask(request)
    assert [UNDEFINED, _rows(NIGHTS[-1])] == [record.result for record in answer.records]


def test_a_list_in_blocks(head: Head) -> None:
    """What stands on either side of the end of a block would be lost or doubled."""
    before, oads = head.count(GetRequestNext), (ENERGY, VOLTAGE) * 20
    answer = head.ask(GetRequestNormalList(piid=head.association.next_piid(), oads=oads))
    assert (ENERGY_DATA, VOLTAGE_DATA) * 20 == tuple(result.result for result in answer.results)
    assert head.count(GetRequestNext) - before >= 3


def test_records_in_blocks(head: Head) -> None:
    """Nights on either side of the end of a block would be lost or doubled."""
    before = head.count(GetRequestNext)
    answer = head.ask(GetRequestRecord(piid=head.association.next_piid(), record=ALL_NIGHTS))
    assert _rows(*NIGHTS) == answer.record.result
    assert head.count(GetRequestNext) - before >= 1


def test_a_list_of_records_in_blocks(head: Head) -> None:
    """Rows of one table would be counted to the next where a block ends between them."""
    before, records = head.count(GetRequestNext), (LAST_NIGHT,) * 12
    answer = head.ask(GetRequestRecordList(piid=head.association.next_piid(), records=records))
    assert [_rows(NIGHTS[-1])] * 12 == [record.result for record in answer.records]
    assert head.count(GetRequestNext) - before >= 1


def test_disagreement_7_it_cuts_no_record_of_a_list(head: Head) -> None:
    """If it cuts one day, a list may hold a record that is longer than a block."""
    records = (LAST_NIGHT, ALL_NIGHTS)
    answer = head.ask(GetRequestRecordList(piid=head.association.next_piid(), records=records))
    assert ServerErrorResponse(piid=answer.piid, error=ERROR_OTHER) == answer


def test_an_md5(head: Head) -> None:
    """The octets over which both take the MD5 would not be the same."""
    answer = head.ask(GetRequestMD5(piid=head.association.next_piid(), oad=ENERGY))
    assert hashlib.md5(data_to_octets(ENERGY_DATA), usedforsecurity=False).digest() == answer.result


def test_a_set(head: Head) -> None:
    """The meter would keep another value than we sent, or a refusal pass for success."""
    piid = head.association.next_piid
    done = head.ask(SetRequestNormal(piid=piid(), item=SetItem(CLOCK, _time(1))))
    assert SUCCESS == done.item.dar
    assert _time(1) == head.ask(GetRequestNormal(piid=piid(), oad=CLOCK)).result.result
    refused = head.ask(SetRequestNormal(piid=piid(), item=SetItem(ENERGY, ENERGY_DATA)))
    assert DENIED == refused.item.dar


def test_a_list_of_sets(head: Head) -> None:
    """Which of several writes was done could not be told."""
    items = (SetItem(ENERGY, ENERGY_DATA), SetItem(CLOCK, _time(2)))
    done = head.ask(SetRequestNormalList(piid=head.association.next_piid(), items=items))
    assert [(ENERGY, DENIED), (CLOCK, SUCCESS)] == [(item.oad, item.dar) for item in done.items]


def test_a_set_then_a_get(head: Head) -> None:
    """The value that is read back would be that before the write."""
    item = SetThenGetItem(CLOCK, _time(3), CLOCK, 0)
    done = head.ask(SetThenGetRequestNormalList(piid=head.association.next_piid(), items=(item,)))
    assert [(SUCCESS, AttributeResult(CLOCK, _time(3)))] == [(item.dar, item.get) for item in done.items]


def test_an_action(head: Head) -> None:
    """The parameter of a method would come over as another, or its answer be lost."""
    piid = head.association.next_piid
    done = head.ask(ActionRequestNormal(piid=piid(), item=ActionItem(BROADCAST_TIME, _time(4))))
    assert (BROADCAST_TIME, SUCCESS, _time(4)) == (done.item.omd, done.item.dar, done.item.data)
    assert _time(4) == head.ask(GetRequestNormal(piid=piid(), oad=CLOCK)).result.result


def test_a_list_of_actions(head: Head) -> None:
    """Which of several methods was performed could not be told."""
    items = (ActionItem(NO_METHOD, _time(5)), ActionItem(BROADCAST_TIME, _time(5)))
    done = head.ask(ActionRequestNormalList(piid=head.association.next_piid(), items=items))
    expected = [(NO_METHOD, UNDEFINED, None), (BROADCAST_TIME, SUCCESS, _time(5))]
    assert expected == [(item.omd, item.dar, item.data) for item in done.items]


def test_an_action_then_a_get(head: Head) -> None:
    """The value that is read back would be that before the method."""
    item = ActionThenGetItem(BROADCAST_TIME, _time(6), CLOCK, 0)
    done = head.ask(ActionThenGetRequestNormalList(piid=head.association.next_piid(), items=(item,)))
    [result] = done.items
    assert (SUCCESS, AttributeResult(CLOCK, _time(6))) == (result.dar, result.get)


@pytest.mark.parametrize("profile", PROFILES)
def test_disagreement_6_it_drops_the_connection_without_blocks(tmp_path: Path, profile: str) -> None:
    """If it refuses one day instead, or cuts by itself, it need not be told to."""
    with ExitStack() as stack:
        head = _associated(stack, tmp_path, profile, blocks=False, apdu_octets=SMALL_APDU_OCTETS)
        request = GetRequestNormalList(piid=head.association.next_piid(), oads=(ENERGY,) * 20)
        with pytest.raises(ConnectionError):
            head.ask(request)
