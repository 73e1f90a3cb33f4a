"""Real providers behind a real process and real sockets: what the memory stream promises, they keep."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from meterlink.bus.line import Line
from meterlink.drivers.control import Verdict
from meterlink.errors import LineClosed, LineLost, SecurityFailed
from meterlink.model.order import OrderKind
from meterlink.security.adapter import Adapter, Opener
from meterlink.security.external import ExternalProvider
from meterlink.transports.adapter import AdapterStream, open_process, open_tcp, open_unix
from metersim.security.hsm import Hsm
from metersim.security.process import HsmService
from metersim.security.provider import LabProvider
from tests.support.lab_meter import DIVERSIFIER, EXPIRES
from tests.support.metersim_process import METERSIM
from tests.support.ordered698 import Ordered
from tests.support.processes import announced, wait_until
from tests.support.secured698 import ADDRESS

pytestmark = pytest.mark.asyncio

RAND2 = bytes.fromhex("0BADC0DE")
BLOCK = bytes.fromhex("82491A029D6E75ED233AFF7D37BA35CD7A62AFF6")
Place = Callable[[Path], AbstractAsyncContextManager[Opener]]


@asynccontextmanager
async def _process(folder: Path) -> AsyncIterator[Opener]:
    del folder
    yield partial(open_process, (METERSIM, "hsm"))


@asynccontextmanager
async def _listening(folder: Path) -> AsyncIterator[Opener]:
    with announced([METERSIM, "hsm", "--listen=127.0.0.1:0"], folder / "log") as (_, ready):
        port = urlsplit(ready["url"]).port
        assert port is not None
        yield partial(open_tcp, "127.0.0.1", port)


class _Duplex:
    """One connection to a unix socket, as the simulator's service takes it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def receive(self) -> bytes:
        return await self._reader.read(4096)

    async def send(self, octets: bytes) -> None:
        self._writer.write(octets)
        await self._writer.drain()


@asynccontextmanager
async def _unix(folder: Path) -> AsyncIterator[Opener]:
    service = HsmService(Hsm(LabProvider(random.Random(1).randbytes)))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await service.serve(_Duplex(reader, writer))
        writer.close()

    path = str(folder / "hsm")
    server = await asyncio.start_unix_server(serve, path)
    async with server:
        yield partial(open_unix, path)


@pytest.fixture(params=[_process, _listening, _unix])
def place(request: pytest.FixtureRequest) -> Place:
    """Where the provider is."""
    found: Place = request.param
    return found


def _adapter(opener: Opener) -> Adapter:
    return Adapter("site", opener, rng=random.Random(1))


async def test_a_control_over_every_way(place: Place, tmp_path: Path) -> None:
    """What a site brings is one of these: its orders would find nobody."""
    async with place(tmp_path) as opener:
        adapter = _adapter(opener)
        provider = ExternalProvider(adapter, lab_allowed=True)
        begun = await provider.auth645(DIVERSIFIER)
        block = await provider.control645(begun.ctx, rand2=RAND2, n1=0x1A, n2=0, expiry=EXPIRES)
        assert BLOCK == block
        assert "lab" == await provider.name()
        with pytest.raises(SecurityFailed) as caught:
            await ExternalProvider(adapter, lab_allowed=False).auth645(DIVERSIFIER)
        assert "lab_provider" == caught.value.code
        await adapter.aclose()


async def test_a_trip_that_a_real_program_proves(place: Place, tmp_path: Path) -> None:
    """The whole way of an order but for the meter, which is simulated and insists on its security."""
    here = Ordered()
    async with place(tmp_path) as opener:
        adapter = _adapter(opener)
        provider = ExternalProvider(adapter, lab_allowed=True)

        async def scene(line: Line) -> Verdict:
            prepared = await here.driver.prepare(line, ADDRESS, here.command(OrderKind.TRIP), provider)
            answer = await here.driver.send(line, prepared)
            await here.driver.finish(line, prepared)
            return answer.verdict

        assert Verdict.ACCEPTED is await here.on_line(scene)
        await adapter.aclose()
    assert ["trip"] == here.obeyed


async def test_the_rules_of_a_stream(place: Place, tmp_path: Path) -> None:
    """What is closed says so; harmless when it is closed twice."""
    async with place(tmp_path) as opener:
        stream = await opener()
        await stream.send(b'{"id": 1, "op": "health"}\n')
        assert (await stream.receive()).startswith(b'{"id": 1, "ok": true')
        await stream.aclose()
        await stream.aclose()
        with pytest.raises(LineClosed):
            await stream.send(b"x")
        with pytest.raises(LineClosed):
            await stream.receive()


@pytest.mark.parametrize(
    "opener",
    [
        partial(open_process, ("/nowhere/at-all",)),
        partial(open_unix, "/nowhere/at-all"),
        partial(open_tcp, "127.0.0.1", 1),
    ],
)
async def test_what_is_not_there(opener: Callable[[], Awaitable[AdapterStream]]) -> None:
    """A wrong path is told as "away", not as a fault of the program."""
    with pytest.raises(LineLost):
        await opener()
    with pytest.raises(SecurityFailed) as caught:
        await ExternalProvider(_adapter(opener), lab_allowed=True).auth645(DIVERSIFIER)
    assert "away" == caught.value.code


def _python(code: str) -> Opener:
    return partial(open_process, (sys.executable, "-c", code))


_SAYS = "import os, sys, time, signal, subprocess; print(os.getpid(), flush=True)"
_STUBBORN = f"{_SAYS}; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
_TALKATIVE = f"{_SAYS}\nwhile True: print('x' * 4096)"
_WITH_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_STUBBORN!r}])"


async def _line(stream: AdapterStream) -> str:
    """The first line that it says."""
    said = b""
    while b"\n" not in said:
        said += await stream.receive()
    return said.split(b"\n")[0].decode()


def _runs(process: int) -> bool:
    """Whether it does anything any more; who has ended may wait for whoever asks how."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def test_a_child_that_has_ended_is_lost() -> None:
    """Its end shows at the next octet, and not as an empty answer."""
    stream = await _python("input()")()
    await stream.send(b"\n")
    with pytest.raises(LineLost):
        await stream.receive()
    with pytest.raises(LineLost):
        while True:
            await stream.send(b"x" * 65_536)
    await stream.aclose()


@pytest.mark.parametrize(
    "code",
    [_STUBBORN, _TALKATIVE, _WITH_CHILD],
    ids=["stubborn", "talkative", "with a child"],
)
async def test_a_child_is_not_left_behind(code: str) -> None:
    """An adapter that does not end holds the encryption machine, and the daemon's stop."""
    stream = await _python(code)()
    process = int(await _line(stream))
    assert _runs(process)
    await stream.aclose()
    wait_until(lambda: not _runs(process), what="the child to be gone", timeout_s=2.0)


async def test_the_child_hears_nothing_of_our_signals() -> None:
    """Ctrl-C at a terminal goes to a whole group: the adapter would die over the order in hand."""
    stream = await _python("import os; print(os.getpgid(0) == os.getpid(), flush=True)")()
    assert "True" == await _line(stream)
    await stream.aclose()
