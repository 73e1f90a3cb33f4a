"""A line on a real pseudo-terminal: the settings of its client are read from it and compared."""

from __future__ import annotations

import asyncio
import fcntl
import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from meterprofiles import LineTraits, generic
from meterprofiles.schema import Parity
from metersim import AnswerRecord, Line, Station
from metersim.line.line import Duplex
from metersim.line.port import Port
from metersim.serving.pty import PtyDuplex, open_pty
from metersim.serving.served import SystemClock
from meterwire.dlt645 import Deframer, decode
from tests.support.paced import A161, A162, ask645, meter645

ANSWER_OCTETS = 20
pytestmark = pytest.mark.asyncio


class _Watched:
    """A line that tells when it has dealt with all that it was given."""

    def __init__(self, **ports: Port | None) -> None:
        self.answers: list[AnswerRecord] = []
        self.idle = asyncio.Event()
        stations = [
            Station(meter=meter645(address.removeprefix("m")), port=port, reply_delay_ms=0)
            for address, port in ports.items()
        ]
        self._line = Line(stations, clock=SystemClock(), record=self.answers.append)

    async def serve(self, duplex: Duplex) -> None:
        assert isinstance(duplex, PtyDuplex)
        await self._line.serve(_WatchedDuplex(duplex, self.idle))


class _WatchedDuplex:
    """Sets ``idle`` each time the line comes back for more."""

    def __init__(self, duplex: PtyDuplex, idle: asyncio.Event) -> None:
        self._duplex = duplex
        self._idle = idle
        self.port = duplex.port
        self.send = duplex.send

    async def receive(self) -> bytes:
        self._idle.set()
        octets = await self._duplex.receive()
        self._idle.clear()
        return octets


class _Terminal:
    """The client's end."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def tune(self, speed: int, *, odd: bool = False) -> None:
        """Set it as drivers of serial ports do; the bit for even parity is not to be had here."""
        attributes = termios.tcgetattr(self.descriptor)
        attributes[2] = attributes[2] & ~termios.PARODD | (termios.PARODD if odd else 0)
        attributes[4] = attributes[5] = speed
        termios.tcsetattr(self.descriptor, termios.TCSANOW, attributes)

    async def say(self, here: _Watched, request: bytes) -> None:
        """Say it, until the line has dealt with it."""
        await here.idle.wait()
        here.idle.clear()
        os.write(self.descriptor, request)
        await here.idle.wait()

    async def hear(self, octets: int) -> bytes:
        loop = asyncio.get_running_loop()
        heard, done = bytearray(), loop.create_future()

        def read() -> None:
            heard.extend(os.read(self.descriptor, 256))
            if len(heard) >= octets and not done.done():
                done.set_result(None)

        loop.add_reader(self.descriptor, read)
        try:
            await done
        finally:
            loop.remove_reader(self.descriptor)
        return bytes(heard)


@contextmanager
def opened(url: str) -> Iterator[_Terminal]:
    descriptor = os.open(urlsplit(url).path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        yield _Terminal(descriptor)
    finally:
        os.close(descriptor)


def traits(parity: Parity = "even") -> LineTraits:
    return replace(generic("dlt645-2007").line, parity=parity)


async def test_a_client_changes_its_speed_from_meter_to_meter() -> None:
    """A line with meters of several rates could be tried with hardware only."""
    here = _Watched(m000000000161=Port(1200), m000000000162=Port(9600))
    async with open_pty(here, traits=traits()) as url:
        with opened(url) as client:
            for speed, address in ((termios.B1200, A161), (termios.B9600, A162), (termios.B1200, A161)):
                client.tune(speed)
                await client.say(here, ask645(address=address))
                assert address == decode(await client.hear(ANSWER_OCTETS)).address
            client.tune(termios.B9600)
            await client.say(here, ask645(address=A161))  # at the rate of the other one
            await client.say(here, ask645(address=A162))
            heard = await client.hear(ANSWER_OCTETS)
    assert [A162] == [frame.address for frame in Deframer().feed(heard)]
    assert [A161, A162, A161, A162] == [answer.address for answer in here.answers]


@pytest.mark.parametrize(
    ("speed", "odd"),
    [(termios.B9600, False), (termios.B230400, False), (termios.B134, False), (termios.B2400, True)],
    ids=["fast", "faster than any meter", "a rate that no port here has", "odd parity"],
)
async def test_a_client_with_other_settings_is_not_heard(speed: int, odd: bool) -> None:
    """A daemon with a wrong port in its configuration would work here and fail in the field."""
    here = _Watched(m000000000161=Port(2400))
    async with open_pty(here, traits=traits()) as url:
        with opened(url) as client:
            client.tune(speed, odd=odd)
            await client.say(here, ask645())
            assert [] == here.answers
            client.tune(termios.B2400)
            await client.say(here, ask645())
            assert A161 == decode(await client.hear(ANSWER_OCTETS)).address
    lenient = _Watched(m000000000161=None)
    async with open_pty(lenient, traits=traits()) as url:
        with opened(url) as client:
            client.tune(speed, odd=odd)
            await client.say(lenient, ask645())
            assert A161 == decode(await client.hear(ANSWER_OCTETS)).address


async def test_even_and_no_parity_are_told_apart_by_the_declaration() -> None:
    """Linux takes the bit that says "even" away from a pseudo-terminal; what is declared has to do."""
    for declared, answered in (("none", 0), ("even", 1)):
        here = _Watched(m000000000161=Port(2400, "even"))
        async with open_pty(here, traits=traits(declared)) as url:  # type: ignore[arg-type]
            with opened(url) as client:
                client.tune(termios.B2400)
                await client.say(here, ask645())
        assert answered == len(here.answers)


async def test_a_link_is_not_taken_from_a_line_that_is_served(tmp_path: Path) -> None:
    """Who starts a second plant would cut the clients of the first one off, and nobody would say so."""
    link = tmp_path / "ttyMETER"
    here = _Watched(m000000000161=Port(2400))
    async with open_pty(here, link, traits()) as url:
        leads_to = link.readlink()
        with opened(url) as client:
            fcntl.flock(client.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as clients do that want it alone
            with pytest.raises(FileExistsError, match="leads to a line that is served; end the program"):
                async with open_pty(here, link, traits()):
                    pass
        assert leads_to == link.readlink()
    assert not link.is_symlink()


async def test_a_link_that_a_dead_plant_left_is_replaced(tmp_path: Path) -> None:
    """A plant that was killed would have to be cleaned up after by hand."""
    here = _Watched(m000000000161=Port(2400))
    others, unrelated = os.openpty()  # whoever got the number since
    try:
        for number, left in enumerate((Path("/dev/pts/none"), Path(os.ttyname(unrelated)))):
            link = tmp_path / f"ttyMETER{number}"
            link.symlink_to(left)
            async with open_pty(here, link, traits()):
                assert left != link.readlink()
    finally:
        os.close(others)
        os.close(unrelated)
