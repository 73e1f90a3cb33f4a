"""A simulated line that logs in: LINK login, heartbeats and reports over a connection, answers meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from metersim import AnswerRecord, Line, MemoryDuplex, Meter, Simulation, Station, memory_pair
from metersim.dlt698 import Meter698
from metersim.dlt698.terminal import HEARTBEAT_S_MAX, Habits, Terminal, open_dialling
from metersim.serving.served import SystemClock
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.get import GetRequestNormal, GetResponseNormal
from meterwire.dlt698.apdus.link_management import LinkRequest, LinkResponse, LinkResult
from meterwire.dlt698.apdus.parts import Piid
from meterwire.dlt698.apdus.report import ReportNotificationList, ReportResponseList
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import DateTime
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.frame import FUNCTION_LINK, Frame
from tests.support.meter698 import found

ADDRESS = "000000000161"
ENERGY = Oad.of("00100201")
HABITS = Habits(heartbeat_s=30, answer_timeout_s=5.0)


def confirmed(frame: Frame, *, code: int = 0) -> bytes:
    """The master's word for a login or heartbeat."""
    request = decode_apdu(frame.user_data)
    assert isinstance(request, LinkRequest)
    answer = LinkResponse(
        piid=request.piid,
        result=LinkResult.of(code, clock_trusted=True),
        request_time=request.time,
        receive_time=request.time,
        response_time=request.time,
    )
    return link.encode(frame._replace(user_data=encode_apdu(answer), from_server=False))


def taken(frame: Frame) -> bytes:
    """The master's word for a report."""
    report = decode_apdu(frame.user_data)
    assert isinstance(report, ReportNotificationList)
    answer = ReportResponseList(piid=report.piid, oads=tuple(one.oad for one in report.results))
    return link.encode(frame._replace(user_data=encode_apdu(answer), from_server=False))


@dataclass
class Master:
    """The other end in simulated time: confirms what it is told to, and keeps what it hears."""

    sim: Simulation
    end: MemoryDuplex
    code: int = 0
    silent: bool = False
    heard: list[tuple[float, Any]] = field(default_factory=list)

    async def listen(self) -> None:
        """Until the terminal lets the connection go."""
        deframer = Deframer()
        began = self.sim.clock.utc_now()
        while octets := await self.end.receive():
            for frame in deframer.feed(octets):
                passed = (self.sim.clock.utc_now() - began) / timedelta(seconds=1)
                self.heard.append((passed, decode_apdu(frame.user_data)))
                if frame.started_by_client or self.silent:
                    continue
                is_link = frame.function == FUNCTION_LINK
                await self.end.send(confirmed(frame, code=self.code) if is_link else taken(frame))

    def calls(self) -> list[tuple[float, int]]:
        """When which kind of call came."""
        return [(at, one.type) for at, one in self.heard if isinstance(one, LinkRequest)]


def call(
    play: Callable[[Master, Terminal], Awaitable[None]],
    *,
    ahead: timedelta = timedelta(),
    habits: Habits = HABITS,
    **master: Any,
) -> tuple[Master, list[AnswerRecord]]:
    """One connection of a terminal to a master."""
    sim, answers = Simulation(seed=1), list[AnswerRecord]()
    meter = Meter698(ADDRESS, seed=1, clock_ahead=ahead)
    line = Line([Station(meter=meter)], clock=sim.clock, record=answers.append)
    terminal = Terminal(line, clock=sim.clock, habits=habits)
    terminal_end, our_end = memory_pair()
    other = Master(sim, our_end, **master)

    async def serve() -> None:
        await terminal.serve(terminal_end)
        terminal_end.close()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(), name="terminal")
            group.create_task(other.listen(), name="master")
            await play(other, terminal)

    sim.run(main())
    return other, answers


async def _for_100_s(master: Master, _: Terminal) -> None:
    await asyncio.sleep(100)
    master.end.close()


def test_it_logs_in_and_sends_heartbeats() -> None:
    """A daemon that terminals dial would take every call for a stranger's, or for dead."""
    master, answers = call(_for_100_s, ahead=timedelta(minutes=7))
    assert [0, 1, 1, 1] == [kind for _, kind in master.calls()]
    assert [0.0, 30.0, 60.0, 90.0] == [round(at) for at, _ in master.calls()]
    login = master.heard[0][1]
    assert 30 == login.heartbeat_s
    shown = master.sim.clock.utc_now() - timedelta(seconds=100) + timedelta(minutes=7)
    assert isinstance(login.time, DateTime)
    assert shown.minute == login.time.minute
    assert [] == answers


def test_it_answers_while_it_is_linked() -> None:
    """The connection would be good for calls and nothing else."""

    async def play(master: Master, _: Terminal) -> None:
        await asyncio.sleep(1)
        await master.end.send(
            found(GetRequestNormal(piid=Piid.of(1), oad=ENERGY), ServerAddress(ADDRESS)).octets
        )
        await asyncio.sleep(40)
        master.end.close()

    master, answers = call(play)
    assert ["00100201"] == [answer.di for answer in answers]
    assert 1 == sum(isinstance(one, GetResponseNormal) for _, one in master.heard)
    assert [0, 1] == [kind for _, kind in master.calls()]


async def _nothing(_: Master, __: Terminal) -> None:
    """The terminal ends it."""


def test_a_call_that_nobody_answers_is_repeated_and_given_up() -> None:
    """A dead connection would be kept for ever."""
    master, _ = call(_nothing, silent=True)
    assert [(0, 0), (5, 0), (10, 0)] == [(round(at), kind) for at, kind in master.calls()]


def test_a_terminal_that_is_refused_lets_go() -> None:
    """A stranger would go on calling over the same connection."""
    master, _ = call(_nothing, code=2)
    assert [0] == [kind for _, kind in master.calls()]


def test_a_report_is_repeated_until_it_is_confirmed() -> None:
    """An event would be lost with one frame, or told for ever."""
    told: list[bool] = []

    async def play(master: Master, terminal: Terminal) -> None:
        await asyncio.sleep(1)
        told.append(await terminal.report([ENERGY]))
        master.silent = True
        told.append(await terminal.report([ENERGY]))
        master.end.close()

    master, _ = call(play)
    reports = [one for _, one in master.heard if isinstance(one, ReportNotificationList)]
    assert [True, False] == told
    assert [1, 2, 2, 2] == [one.piid.number for one in reports]
    assert {ENERGY} == {result.oad for one in reports for result in one.results}


def test_without_a_connection_nothing_is_reported() -> None:
    """A report into the air would count as told."""
    sim = Simulation(seed=1)
    line = Line([Station(meter=Meter698(ADDRESS, seed=1))], clock=sim.clock, record=print)
    assert sim.run(Terminal(line, clock=sim.clock).report([ENERGY])) is False


def test_only_a_698_meter_logs_in() -> None:
    """A 645 meter has no login; a terminal of it would be silent for ever."""
    sim = Simulation(seed=1)
    line = Line([Station(meter=Meter(ADDRESS, seed=1))], clock=sim.clock, record=print)
    with pytest.raises(ValueError, match=r"698\.45"):
        Terminal(line, clock=sim.clock)


@pytest.mark.parametrize(
    "figures",
    [{"heartbeat_s": 0}, {"heartbeat_s": HEARTBEAT_S_MAX + 1}, {"answer_timeout_s": 0}, {"tries": 0}],
)
def test_habits_out_of_range_are_refused(figures: dict[str, int]) -> None:
    """A heartbeat each 0 s would fill the wire."""
    with pytest.raises(ValueError, match=r"\d s"):
        Habits(**figures)


@pytest.mark.parametrize("heartbeat_s", [1, HEARTBEAT_S_MAX])
def test_habits_at_the_limit_are_taken(heartbeat_s: int) -> None:
    """The limit itself would be refused, or the terminal call at other times than it says."""

    async def play(master: Master, _: Terminal) -> None:
        await asyncio.sleep(2.5 * heartbeat_s)
        master.end.close()

    master, _ = call(play, habits=Habits(heartbeat_s=heartbeat_s, answer_timeout_s=0.1, tries=1))
    assert [(0, 0), (heartbeat_s, 1), (2 * heartbeat_s, 1)] == [(round(at), k) for at, k in master.calls()]
    assert {heartbeat_s} == {request.heartbeat_s for _, request in master.heard}


def test_it_dials_again_when_the_connection_ends() -> None:
    """A master that is started again would never be called again."""

    async def main() -> list[str]:
        logins: asyncio.Queue[str] = asyncio.Queue(2)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                [frame] = Deframer().feed(await reader.read(100))
                writer.write(confirmed(frame))
                await writer.drain()
                await logins.put(frame.server.digits)
            writer.close()

        line = Line([Station(meter=Meter698(ADDRESS, seed=1))], clock=SystemClock(), record=print)
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server, asyncio.timeout(10):
            port = server.sockets[0].getsockname()[1]
            terminal = Terminal(line, clock=SystemClock())
            async with open_dialling(terminal, "127.0.0.1", port, redial_s=0.01) as url:
                assert f"dial://127.0.0.1:{port}" == url
                return [await logins.get(), await logins.get()]

    assert [ADDRESS, ADDRESS] == asyncio.run(main())
