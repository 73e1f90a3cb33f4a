"""The parts of a carrier module's owner on their own, each at its limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from pydantic import ValidationError

from meterlink.bus.work import Outcome
from meterlink.config import LineSettings, Settings
from meterlink.config.carriers import CarrierSettings
from meterlink.daemon.carrier_part import LANE_REPLY_TIMEOUT_MS, CarrierPart, lane_of, lane_settings
from meterlink.drivers.carrier import latency, outstanding, ways, window
from meterlink.drivers.carrier.latency import Latencies
from meterlink.drivers.carrier.outstanding import Asked, Outstanding, Strays
from meterlink.drivers.carrier.payload import FRAMES_MAX, OCTETS_MAX, incoming, inner_secrets, outgoing
from meterlink.drivers.carrier.routes import Difference, Node, changes, difference
from meterlink.drivers.carrier.ways import Ways
from meterlink.drivers.carrier.window import Window
from meterlink.errors import BusFull, LineBusy, ReplyTimeout
from metersim import Simulation
from meterwire import dlt645
from meterwire.dlt698.link import frame as frame698
from meterwire.dlt698.link.address import AddressKind, ServerAddress
from meterwire.gdw1376.link.module_frame import Addresses, DownInfo
from meterwire.gdw1376.messages.module import answer, confirmation, denial, from_frame, request
from tests.support.scripted_module import MAIN, asked_for_energy, energy

A, B = "000000000001", "000000000002"
GET = bytes.fromhex("05010120000200" + "00")


def _698(user_data: bytes, address: str = A, kind: AddressKind = AddressKind.SINGLE) -> bytes:
    server = ServerAddress(address, kind)
    return frame698.encode(frame698.Frame(server, 0x10, user_data, from_server=False, started_by_client=True))


def _simulated(story: Callable[[], Coroutine[None, None, None]]) -> None:
    Simulation(seed=1).run(story())


# --- payload -------------------------------------------------------------------------------------


def test_the_address_and_kind_of_a_frame_are_found() -> None:
    """A request would go to another meter, or a control be repeated as if it were a read."""
    read, trip = asked_for_energy(A), dlt645.encode(dlt645.Frame(A, 0x1C, bytes(16)))
    assert (A, False, True) == _seen(b"\xfe\xfe" + read)
    assert (A, False, False) == _seen(trip)
    assert (A, False, False) == _seen(read + trip), "one that is no read makes all of it none"
    assert (A, True, True) == _seen(_698(GET))
    assert (A, True, False) == _seen(_698(b"\x10" + GET)), "what is secured may be anything"
    assert (A, True, False) == _seen(_698(b"\x07" + GET))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x00" * 20,
        asked_for_energy(A) + asked_for_energy(B),
        asked_for_energy("AAAAAAAAAAAA"),
        asked_for_energy("999999999999"),
        _698(GET, "AA", AddressKind.BROADCAST),
        _698(GET, "0000000001AA", AddressKind.WILDCARD),
        asked_for_energy(A) * (FRAMES_MAX + 1),
    ],
)
def test_what_is_for_no_single_meter_is_refused(octets: bytes) -> None:
    """A module would carry it to a meter that nobody chose."""
    with pytest.raises(ReplyTimeout):
        outgoing(octets)


def test_what_comes_back_is_its_good_frames() -> None:
    """A driver would meet octets of the carrier."""
    one = energy(A)
    assert one * 2 == incoming(b"\x86\xfe\xfe" + one + b"\xfe" + one + b"\x68", is_698=False)
    assert b"\x01\x02" == incoming(b"\x01\x02", is_698=False), "and where there is none, all of it"
    assert OCTETS_MAX == len(incoming(bytes(OCTETS_MAX + 1), is_698=False))
    long = _698(GET)
    assert long == incoming(b"\xfe\xfe\xfe\xfe" + long, is_698=True)


def test_what_is_neither_protocol_is_secret() -> None:
    """A password in a frame that nobody can read would stand in a journal."""
    assert ((0, 3),) == inner_secrets(b"abc")
    assert () == inner_secrets(b"")
    assert () == inner_secrets(asked_for_energy(A))


def _seen(octets: bytes) -> tuple[str, bool, bool]:
    found = outgoing(octets)
    return found.address, found.is_698, found.is_read


# --- latencies -----------------------------------------------------------------------------------


def test_a_wait_follows_what_a_node_takes_within_its_limits() -> None:
    """A slow node would be given up each time, or a dead one waited for too long."""
    found = Latencies(first_s=30, most_s=100)
    assert 30 == found.timeout_s(A)
    found.least_s = 22
    found.note(A, 1.0)
    assert 22 == found.timeout_s(A)
    found.note(A, 30.0)
    assert 47 == found.timeout_s(A)
    found.note(A, 90.0)
    assert 100 == found.timeout_s(A)
    for _ in range(latency.ANSWERS_KEPT):
        found.note(A, 1.0)
    assert 22 == found.timeout_s(A), "what was long ago is forgotten"
    assert (30, None) == (found.timeout_s(B), found.longest_s(B))


def test_no_more_nodes_are_remembered_than_may_be() -> None:
    """A module that invents addresses would eat the memory."""
    found = Latencies(first_s=30, most_s=100)
    for number in range(latency.NODES_MAX + 1):
        found.note(f"{number:012d}", 40)
    assert (30, 62) == (found.timeout_s(f"{0:012d}"), found.timeout_s(A))


# --- ways ----------------------------------------------------------------------------------------


class _Timed:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.changes = 0
        self.ways = Ways("F1-F1", fixed=False, now_s=lambda: self.now_s, changed=self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def of(self, address: str) -> str:
        return self.ways.of(address, is_read=True)


def test_a_meters_own_way_ends_after_a_while() -> None:
    """A meter that was denied once would be read the slow way for ever."""
    timed = _Timed()
    assert timed.ways.denied(A, "F1-F1", 5)
    assert ("13-F1", "F1-F1") == (timed.of(A), timed.of(B))
    assert timed.ways.denied(A, "13-F1", 5)
    assert "02-F1" == timed.of(A)
    assert not timed.ways.denied(A, "02-F1", 5)
    assert "F1-F1" == timed.of(A), "no way was any good"
    timed.ways.denied(A, "F1-F1", 5)
    timed.now_s = ways.METER_AGAIN_S - 1
    assert "13-F1" == timed.of(A)
    timed.now_s += 1
    assert ("F1-F1", 0) == (timed.of(A), timed.changes)


def test_only_denials_of_the_function_by_several_meters_count() -> None:
    """Three requests that were wrong in themselves would cost all meters the better way."""
    timed = _Timed()
    for number in range(10):
        timed.ways.denied(f"{number:012d}", "F1-F1", 1)
        timed.ways.denied(A, "F1-F1", 10)
    assert 0 == timed.changes
    timed.ways.denied(B, "F1-F1", 4)
    timed.ways.answered("F1-F1")
    for number in range(10):
        timed.ways.denied(f"{number:012d}", "F1-F1", 4)
    assert 0 == timed.changes, "others were answered so"
    timed.now_s = ways.MODULE_AGAIN_S
    for number in range(ways.METERS_DENIED):
        assert (0, "F1-F1") == (timed.changes, timed.ways.module)
        timed.ways.denied(f"{number:012d}", "F1-F1", 4)
    assert (1, "13-F1") == (timed.changes, timed.ways.module)
    timed.now_s += ways.MODULE_AGAIN_S
    assert "13-F1" == timed.ways.of("9", is_read=False), "what is given once tries nothing out"
    assert ("F1-F1", "13-F1") == (timed.of("9"), timed.of("9"))
    timed.ways.answered("F1-F1")
    assert (2, "F1-F1") == (timed.changes, timed.ways.module)


def test_no_more_meters_have_a_way_of_their_own_than_may_be() -> None:
    """A module that denies all would eat the memory."""
    timed = _Timed()
    for number in range(ways.METERS_MAX + 1):
        timed.ways.denied(f"{number:012d}", "F1-F1", 1)
    assert ("F1-F1", "13-F1") == (timed.of(f"{0:012d}"), timed.of(A))


# --- window --------------------------------------------------------------------------------------


def test_whoever_waits_too_long_is_told_and_keeps_his_turn() -> None:
    """On a slow module the same lanes would always be first."""
    order: list[int] = []

    async def story() -> None:
        found = Window(1)

        async def read(lane: int, seconds: float) -> None:
            async with found.place(lane, urgent=False):
                order.append(lane)
                await asyncio.sleep(seconds)

        async with asyncio.TaskGroup() as group:
            group.create_task(read(0, window.WAIT_MAX_S + 10))
            await asyncio.sleep(1)
            with pytest.raises(LineBusy, match="1 meters are read at once"):
                await read(1, 1)
            group.create_task(read(2, 1))
            await asyncio.sleep(1)
            group.create_task(read(1, 1))
        assert [0, 1, 2] == order
        assert 0 == found.used

    _simulated(story)


def test_a_waiter_who_is_cancelled_takes_no_place() -> None:
    """Each request that is taken back would make the window smaller, until nothing is read."""

    async def story() -> None:
        found = Window(1)
        for _ in range(50):
            async with found.place(0, urgent=False):
                waiting = asyncio.create_task(_place(found, 1))
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait([waiting])
        async with asyncio.timeout(1), found.place(2, urgent=False):
            assert 1 == found.used

    _simulated(story)


def test_a_window_is_never_smaller_than_one() -> None:
    """A module that denies everything would never be asked again."""

    async def story() -> None:
        found = Window(20)
        for _ in range(10):
            found.denied()
        assert 1 == found.places
        for _ in range(500):
            found.answered()
        assert 20 == found.places

    _simulated(story)


async def _place(found: Window, lane: int) -> None:
    async with found.place(lane, urgent=False):
        await asyncio.sleep(1)


# --- requests ------------------------------------------------------------------------------------


def _asked(found: Outstanding, slave: str = A, now_s: float = 0.0) -> Asked:
    number = found.number(now_s)
    values: dict[str, Any] = {"protocol": 2, "reserved": 0, "len": 1, "payload": b"\0"}
    frame = request(DownInfo(number), 0xF1, 1, values, addresses=Addresses(MAIN, slave))
    asked = Asked(frame, asyncio.get_running_loop().create_future(), now_s)
    found.add(asked)
    return asked


def test_no_more_requests_are_open_than_may_be() -> None:
    """A module that answers nothing would fill the memory, and numbers would be used twice."""

    async def story() -> None:
        found = Outstanding(Strays())
        open_ = [_asked(found) for _ in range(outstanding.OPEN_MAX)]
        assert len({one.frame.info.sequence for one in open_}) == len(open_)
        with pytest.raises(BusFull):
            found.number(0.0)
        found.close(open_[0], 0.0)
        assert found.number(0.0)

    _simulated(story)


def test_a_number_rests_before_it_is_used_again() -> None:
    """A late answer would meet the next question of that number."""

    async def story() -> None:
        found = Outstanding(Strays())
        given_up = _asked(found)
        found.close(given_up, 0.0)
        number = given_up.frame.info.sequence
        seen = set()
        for _ in range(outstanding.SEQUENCES - 1):
            asked = _asked(found, now_s=1.0)
            seen.add(asked.frame.info.sequence)
            found.close(asked, 1.0 - outstanding.REST_S)  # those may be used at once
        assert number not in seen
        assert number in {_closed(found, outstanding.REST_S + 2) for _ in range(outstanding.SEQUENCES)}

    _simulated(story)


def _closed(found: Outstanding, now_s: float) -> int:
    asked = _asked(found, now_s=now_s)
    found.close(asked, now_s - outstanding.REST_S)
    return asked.frame.info.sequence


def test_an_answer_is_paired_by_number_function_and_slave() -> None:
    """Another meter's answer would be this one's."""

    async def story() -> None:
        found = Outstanding(Strays())
        asked = _asked(found)
        values = {"protocol": 2, "len": 1, "payload": b"\1"}
        good = answer(asked.frame, 0xF1, 1, values)
        assert good.addresses is not None
        for wrong in (
            good._replace(addresses=good.addresses._replace(source=B)),
            good._replace(info=good.info._replace(sequence=77)),
            good._replace(afn=0x13),
            denial(asked.frame, 11)._replace(addresses=Addresses(B, MAIN)),
        ):
            assert found.take(from_frame(wrong)) is None
        assert 4 == found.strays.other
        assert asked is found.take(from_frame(good))
        assert b"\1" == (await asked.answer).values["payload"]
        assert asked is found.take(from_frame(good))
        assert 1 == found.strays.double

    _simulated(story)


def test_a_denial_without_an_address_is_that_of_its_number() -> None:
    """Modules name the slave in a denial, or nobody."""

    async def story() -> None:
        found = Outstanding(Strays())
        one, other = _asked(found), _asked(found)
        found.take(from_frame(denial(one.frame, 12)._replace(addresses=None)))
        found.take(from_frame(confirmation(other.frame)))
        assert (await one.answer).is_denial
        assert (await other.answer).is_confirmation

    _simulated(story)


# --- the table of nodes --------------------------------------------------------------------------


def _node(address: str, protocol: int = 2) -> Node:
    return Node(address=address, protocol=protocol, level=1, quality=9, phase=1)


def test_a_table_is_compared_with_the_roster() -> None:
    """The module's own row would be a stranger, or a meter of no protocol a wrong one."""
    found = difference({A: 2, B: 3}, [_node(MAIN), _node(A, 0), _node("000000000009")], MAIN)
    assert Difference(missing=((B, 3),), strangers=("000000000009",)) == found
    assert ((A, 2),) == difference({A: 2}, [_node(A, 1)], MAIN).other
    assert not difference({A: 2}, [_node(A)], MAIN)


def test_changes_come_in_groups_and_removals_first() -> None:
    """A full table would deny what is added before something goes; old modules take no long lists."""
    found = Difference(missing=tuple((f"{n:012d}", 2) for n in range(25)), strangers=(A, B))
    wanted = changes(found, remove_strangers=True)
    assert [(2, 2), (1, 10), (1, 10), (1, 5)] == [(one.fn, one.values["count"]) for one in wanted]
    assert [1, 1, 1] == [one.fn for one in changes(found, remove_strangers=False)]


# --- configuration and daemon --------------------------------------------------------------------


def test_a_line_with_a_module_is_not_ours() -> None:
    """An order would be repeated after a proof that holds on cables only (decision 22, b)."""
    line = {"name": "plc1", "url": "tcp://127.0.0.1:1"}
    assert LineSettings.model_validate(line).is_ours
    assert not LineSettings.model_validate({**line, "carrier": {}}).is_ours


@pytest.mark.parametrize(
    "url", ["listen://0.0.0.0:9000?terminal=111111111111", "tcp://127.0.0.1:1?terminal=0171-2082"]
)
def test_a_module_behind_a_terminal_is_refused(url: str) -> None:
    """Two would speak to one module."""
    with pytest.raises(ValidationError, match="take the table carrier away"):
        LineSettings.model_validate({"name": "plc1", "url": url, "carrier": {}})


def test_a_meter_of_modbus_behind_a_module_is_refused() -> None:
    """It would be silent for ever, and nobody would say why."""
    document = {
        "lines": [{"name": "plc1", "url": "tcp://127.0.0.1:1", "carrier": {}}],
        "meters": [{"id": "m1", "address": "000000000001", "line": "plc1", "protocol": "modbus-rtu"}],
    }
    with pytest.raises(ValidationError, match=r"carries no modbus-rtu"):
        Settings.model_validate(document)


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 0},
        {"window": 21},
        {"read_timeout_s": 11},
        {"read_timeout_s": 101},
        {"main_node": "12x"},
        {"dlt698_code": 2},
        {"read_by": "14-F2"},
        {"strangers": "drop"},
        {"windows": 5},
    ],
)
def test_a_wrong_table_is_refused(wrong: dict[str, object]) -> None:
    """A typing error would be a limit that nobody set."""
    with pytest.raises(ValidationError):
        CarrierSettings.model_validate(wrong)


def test_a_meter_keeps_its_lane_and_a_lane_leaves_the_time_to_the_module() -> None:
    """Two exchanges of one meter would be in progress at once, or a lane give up before the module."""
    assert 1 == len({lane_of("m000000000161", 20) for _ in range(3)})
    assert {lane_of(f"m{n}", 20) for n in range(1_000)} == set(range(20))
    line = LineSettings.model_validate({"name": "plc1", "url": "tcp://127.0.0.1:1", "carrier": {}})
    lane = lane_settings(line)
    assert (LANE_REPLY_TIMEOUT_MS, 0, 0) == (lane.reply_timeout_ms, lane.turnaround_ms, lane.preamble)
    assert line.carrier is not None
    assert LANE_REPLY_TIMEOUT_MS > 1_000 * 100


class _Lane:
    """What of a lane counts here."""

    def __init__(self, answered: int, since_s: float | None, trouble: str) -> None:
        from meterlink.bus.work import LineWork

        self.work = LineWork(since_s=since_s, trouble=trouble)
        for _ in range(answered):
            self.work.note(Outcome.ANSWERED, 1.0)


class _Owner:
    name = "plc1"
    trouble = ""


def test_the_numbers_of_lanes_are_those_of_one_line() -> None:
    """Each module would bring twenty series, or a lane that hangs would be seen by nobody."""
    lanes: list[Any] = [_Lane(2, None, ""), _Lane(3, 40.0, "cut"), _Lane(0, 30.0, "")]
    owner: Any = _Owner()
    work = CarrierPart(owner, lanes).work
    assert (5, 5.0, 30.0, "cut") == (
        work.exchanges[Outcome.ANSWERED],
        work.seconds,
        work.since_s,
        work.trouble,
    )
