"""A serial server before a line: packets, texts of its own, and who may be connected."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from metersim import Line, Simulation, Station, memory_pair
from metersim.line.port import Port
from metersim.serving.serial_server import (
    PACK_MS_MAX,
    PACKET_OCTETS_MAX,
    TEXT_OCTETS_MAX,
    TIMER_S_MAX,
    SerialServer,
    ServerHabits,
)
from metersim.serving.served import SystemClock
from metersim.serving.tcp import CLIENTS_MAX, open_dial, open_tcp
from meterwire.dlt645 import Deframer
from tests.support.paced import A161, A162, Client, ask645, meter645

REQUEST, ANSWER_OCTETS = ask645(), 20
OCTET_US = 11_000_000 / 2400
REGISTRATION, HEARTBEAT = b"IMEI:861234567890123", b"<beat>"
Talk = Callable[[Client], Awaitable[None]]


class Served:
    """A line behind a serial server in simulated time."""

    def __init__(self, *, paced: bool = False, delay_ms: int = 20, **habits: Any) -> None:
        self.sim = Simulation(seed=1)
        port = Port(2400) if paced else None
        stations = [
            Station(meter=meter645(address), reply_delay_ms=delay_ms, port=port) for address in (A161, A162)
        ]
        line = Line(stations, clock=self.sim.clock, paced=paced)
        self.server = SerialServer(line, ServerHabits(**habits))

    def run(self, *talks: Talk, apart_s: float = 0.0) -> list[Client]:
        """Each talk over a connection of its own; the next one is made ``apart_s`` later."""

        async def one(number: int, talk: Talk) -> Client:
            await asyncio.sleep(number * apart_s)
            plant_end, our_end = memory_pair()
            client = Client(self.sim, our_end)

            async def serve() -> None:
                await self.server.serve(plant_end)
                plant_end.close()

            async with asyncio.TaskGroup() as group:
                group.create_task(serve(), name="server")
                await talk(client)
                client.hang_up()
            return client

        async def main() -> list[Client]:
            return list(await asyncio.gather(*(one(*numbered) for numbered in enumerate(talks))))

        return self.sim.run(main())


def asking(*requests: bytes, window_s: float = 5.0) -> Talk:
    async def talk(client: Client) -> None:
        with suppress(ConnectionError):
            for request in requests:
                await client.say(request)
        await client.listen(window_s=window_s)

    return talk


@functools.cache
def sound() -> bytes:
    [client] = Served().run(asking(REQUEST))
    assert ANSWER_OCTETS == len(client.octets)
    return client.octets


# --- packets -----------------------------------------------------------------------------------


def test_a_packing_timer_gathers_an_answer() -> None:
    """Every octet of a paced line would come alone, as from no serial server."""
    [client] = Served(paced=True, pack_ms=30).run(asking(REQUEST))
    assert [sound()] == [piece.octets for piece in client.pieces]
    expected = 36 * OCTET_US + 20_000 + 30_000
    assert expected == pytest.approx(client.pieces[0].at_us, abs=1), "30 ms after the last octet"


def test_a_full_packet_leaves_at_once() -> None:
    """An answer in several pieces is what a deframer has to live with."""
    [client] = Served(paced=True, pack_ms=30, packet_octets=8).run(asking(REQUEST))
    assert [8, 8, 4] == [len(piece.octets) for piece in client.pieces]
    assert sound() == client.octets
    eighth = 24 * OCTET_US + 20_000
    assert eighth == pytest.approx(client.pieces[0].at_us, abs=1)


def test_a_packet_size_alone_splits_and_holds_nothing_back() -> None:
    """Octets that fill no packet would never arrive."""
    [client] = Served(packet_octets=16).run(asking(REQUEST))
    assert sound() == client.octets


def test_answers_are_glued_when_the_line_is_never_quiet_long_enough() -> None:
    """Two answers in one packet would never be met here."""
    requests = ask645(address=A161) + ask645(address=A162)
    [client] = Served(pack_ms=50).run(asking(requests))
    assert [40] == [len(piece.octets) for piece in client.pieces]
    assert [A161, A162] == [frame.address for frame in Deframer().feed(client.octets)]
    [apart] = Served(pack_ms=10).run(asking(requests))
    assert [20, 20] == [len(piece.octets) for piece in apart.pieces]


def test_a_packet_has_a_size_even_without_one() -> None:
    """A line that is never quiet would fill the memory."""
    served = Served(pack_ms=PACK_MS_MAX, delay_ms=0)
    asked = PACKET_OCTETS_MAX // ANSWER_OCTETS + 10
    [client] = served.run(asking(*[REQUEST] * asked, window_s=PACK_MS_MAX / 1000 + 1))
    assert asked * ANSWER_OCTETS == len(client.octets)


# --- texts -------------------------------------------------------------------------------------


def test_a_registration_comes_first_and_once() -> None:
    """A daemon that waits to be told who dials would wait for ever."""
    [client] = Served(registration=REGISTRATION).run(asking(REQUEST))
    assert REGISTRATION + sound() == client.octets


def test_heartbeats_come_while_nobody_asks() -> None:
    """A text that no one asked for would first be met in the field."""

    async def talk(client: Client) -> None:
        await client.listen(window_s=35)

    [client] = Served(heartbeat=HEARTBEAT, heartbeat_s=10).run(talk)
    assert [(1e7 * k, HEARTBEAT) for k in (1, 2, 3)] == [tuple(piece) for piece in client.pieces]


def test_a_heartbeat_falls_into_an_answer() -> None:
    """Texts between the octets of an answer are what tells a careful stripper from a lucky one."""
    begins_us = 16 * OCTET_US + 20_000
    beat_s = (begins_us + 9.5 * OCTET_US) / 1e6
    [client] = Served(paced=True, heartbeat=HEARTBEAT, heartbeat_s=beat_s).run(asking(REQUEST, window_s=0.2))
    assert sound()[:9] + HEARTBEAT + sound()[9:] == client.octets


def test_a_heartbeat_in_the_middle_of_a_packet_can_be_had_each_time() -> None:
    """Without a paced line it would take luck to meet one."""
    [client] = Served(heartbeat=HEARTBEAT, heartbeat_inside=1.0, heartbeat_s=1000).run(asking(REQUEST))
    head, tail = client.octets.split(HEARTBEAT)
    assert (True, sound()) == (bool(head) and bool(tail), head + tail)
    [again] = Served(heartbeat=HEARTBEAT, heartbeat_inside=1.0, heartbeat_s=1000).run(asking(REQUEST))
    assert client.octets == again.octets, "the same seed"


# --- connections -------------------------------------------------------------------------------


def test_a_silent_client_is_sent_away() -> None:
    """A forgotten connection would keep its place for ever."""
    served = Served(idle_s=60)

    async def talk(client: Client) -> None:
        await asyncio.sleep(50)
        await client.say(REQUEST)
        await client.listen(ANSWER_OCTETS)
        await client.listen(window_s=1000)

    [client] = served.run(talk)
    assert 110.02e6 == pytest.approx(client.now_us, abs=1), "60 s after the last answer"
    assert 0 == served.server.connections


def test_the_newest_of_two_clients_wins() -> None:
    """A daemon that calls again before its old connection is gone would be locked out."""
    served = Served(clients=1, newest_wins=True, delay_ms=500)
    first, second = served.run(asking(REQUEST), asking(ask645(address=A162)), apart_s=0.1)
    assert b"" == first.octets, "the answer to the first was under way"
    assert [A162] == [frame.address for frame in Deframer().feed(second.octets)]


def test_one_client_too_many_is_sent_away() -> None:
    """A server for one would serve two."""
    served = Served(clients=1, registration=REGISTRATION)
    first, second = served.run(asking(REQUEST), asking(REQUEST), apart_s=0.1)
    assert (REGISTRATION + sound(), b"") == (first.octets, second.octets)


def test_a_half_open_connection_swallows_all_and_says_nothing() -> None:
    """A peer that died behind a mobile network gives no error; a daemon has to find that out by itself."""
    served = Served(heartbeat=HEARTBEAT, heartbeat_s=30, idle_s=20, clients=1, delay_ms=500)
    died: list[int] = []

    async def dying(client: Client) -> None:
        await client.say(REQUEST)
        await asyncio.sleep(0.1)
        died.append(served.server.half_open())
        await client.listen(window_s=100)
        await client.say(REQUEST)  # the connection still takes octets
        await client.listen(window_s=100)

    dead, alive = served.run(dying, asking(REQUEST), apart_s=1.0)
    assert ([1], b"", sound()) == (died, dead.octets, alive.octets)
    assert dead.now_us >= 200e6, "nor was it ended"


def test_what_was_packed_leaves_with_the_end() -> None:
    """A client that says no more would lose the answer that waits for its packet."""
    served = Served(pack_ms=PACK_MS_MAX)
    heard: list[bytes] = []

    class Once:
        """Gives one request and ends."""

        def __init__(self) -> None:
            self._requests = [REQUEST, b""]

        async def receive(self) -> bytes:
            return self._requests.pop(0)

        async def send(self, octets: bytes) -> None:
            heard.append(octets)

    served.sim.run(served.server.serve(Once()))
    assert [sound()] == heard
    assert served.sim.clock.monotonic_s() < 1


def test_settings_that_a_duplex_shows_reach_the_line() -> None:
    """A wrong speed would go unnoticed behind a serial server."""
    heard: list[bytes] = []

    class Tuned:
        """A client with a port of its own."""

        def __init__(self, port: Port) -> None:
            self._port = port
            self._requests = [REQUEST, b""]

        def port(self) -> Port:
            return self._port

        async def receive(self) -> bytes:
            return self._requests.pop(0)

        async def send(self, octets: bytes) -> None:
            heard.append(octets)

    for baud in (2400, 9600):
        served = Served(paced=True, pack_ms=30)
        served.sim.run(served.server.serve(Tuned(Port(baud))))
    assert [sound()] == heard


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("pack_ms", 0, PACK_MS_MAX),
        ("packet_octets", 0, PACKET_OCTETS_MAX),
        ("heartbeat_s", 1, TIMER_S_MAX),
        ("idle_s", 0, TIMER_S_MAX),
        ("clients", 1, CLIENTS_MAX),
        ("heartbeat_inside", 0, 1),
    ],
)
def test_the_habits_have_their_limits(name: str, least: int, most: int) -> None:
    """A typing error in a plant would make its lines look dead."""
    make: Callable[..., ServerHabits] = ServerHabits
    for right in (least, most):
        make(heartbeat=HEARTBEAT, **{name: right})
    for wrong in (least - 1, most + 1):
        with pytest.raises(ValueError, match=name):
            make(heartbeat=HEARTBEAT, **{name: wrong})


@pytest.mark.parametrize("name", ["registration", "heartbeat"])
def test_a_text_has_its_limit(name: str) -> None:
    """A text of any length would be a file that somebody took for one."""
    make: Callable[..., ServerHabits] = ServerHabits
    make(**{name: bytes(TEXT_OCTETS_MAX)})
    with pytest.raises(ValueError, match=name):
        make(**{name: bytes(TEXT_OCTETS_MAX + 1)})


def test_a_heartbeat_without_a_text_is_refused() -> None:
    """A plant that means to say heartbeats would say none."""
    with pytest.raises(ValueError, match="no heartbeat text"):
        ServerHabits(heartbeat_inside=0.5)


# --- real sockets ------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _known_answer() -> bytes:
    """Found out before a real loop runs."""
    return sound()


def _server(**habits: Any) -> SerialServer:
    line = Line([Station(meter=meter645(), reply_delay_ms=0)], clock=SystemClock())
    return SerialServer(line, ServerHabits(**habits))


@pytest.mark.asyncio
async def test_over_tcp_an_answer_comes_in_pieces_behind_the_registration() -> None:
    """All of this could work in memory only."""
    server = _server(registration=REGISTRATION, packet_octets=8)
    async with open_tcp(server, "127.0.0.1", 0) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(REQUEST)
        heard = await reader.readexactly(len(REGISTRATION) + ANSWER_OCTETS)
        assert server.half_open() == 1
        writer.write(REQUEST)
        await writer.drain()
        other_reader, other = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        other.write(REQUEST)
        assert heard == await other_reader.readexactly(len(heard))
        assert not reader.at_eof(), "nobody has told the first one"
        for each in (writer, other):
            each.close()
            await each.wait_closed()
    assert REGISTRATION + sound() == heard


@pytest.mark.asyncio
async def test_it_dials_as_a_dtu_does_and_again_when_it_was_hung_up_on() -> None:
    """A daemon that is dialled could be tried with hardware only."""
    heard: list[bytes] = []
    twice = asyncio.Event()

    async def master(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(REQUEST)
        heard.append(await reader.readexactly(len(REGISTRATION) + ANSWER_OCTETS))
        if len(heard) == 2:
            twice.set()
        writer.close()

    listening = await asyncio.start_server(master, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with open_dial(_server(registration=REGISTRATION), "127.0.0.1", port, redial_s=0.0) as url:
        assert f"dial://127.0.0.1:{port}" == url
        await twice.wait()
    listening.close()
    await listening.wait_closed()
    assert {REGISTRATION + sound()} == set(heard)
