"""What the daemon does with its event loop, on uvloop: all of it works on Python's own, where tests run."""

from __future__ import annotations

import asyncio
import gc
import getpass
import json
import random
import signal
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.config.gateway import LoopName
from meterlink.daemon.control_socket import control_socket
from meterlink.daemon.event_loop import loop_maker, running_loop
from meterlink.daemon.monitor import Page, monitor
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.errors import ConfigError, LineError, LineLost, ReplyTimeout
from meterlink.model.line_url import LineUrl, SerialUrl, TcpUrl
from meterlink.transports.adapter import AdapterStream, open_process
from meterlink.transports.open import open_line
from metersim import Line as Wires
from metersim import Meter, Station
from metersim.serving.pty import open_pty
from metersim.serving.served import SystemClock as PlantClock
from metersim.serving.tcp import open_tcp
from tests.support.certificates import certificate_in
from tests.support.gateway import METERLINK, Process, write_config
from tests.support.metersim_process import running_metersim
from tests.support.processes import LOOPBACK

_ADDRESS = "000000000001"
_OPS = (b"x", b"waits", b"x")
_LOOPS: tuple[LoopName, ...] = ("asyncio", "uvloop")


def _on(name: LoopName, work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=loop_maker(name)) as runner:
        runner.run(work)


def _plant() -> Wires:
    return Wires([Station(meter=Meter(_ADDRESS, seed=1))], clock=PlantClock())


async def _reads(line: Line) -> bool:
    driver = Dlt645Driver(SystemClock())
    try:
        await driver.read(line, _ADDRESS, "forward_active_energy", priority=Priority.CURVE)
    except (LineError, ReplyTimeout):
        return False
    return True


async def _until_lost(line: Line) -> None:
    while await _reads(line):  # noqa: ASYNC110 (a device that goes is no event)
        await asyncio.sleep(0.02)


def _line(url: LineUrl) -> Line:
    timing = Timing(reply_timeout_s=5.0)
    return Line("line1", opener=lambda: open_line(url), timing=timing, rng=random.Random(1))


@pytest.mark.parametrize("loop", _LOOPS)
def test_a_meter_on_a_serial_port(loop: LoopName, tmp_path: Path) -> None:
    """A gateway with serial lines would read nothing, or never see that an adapter was pulled out."""

    async def scene() -> None:
        assert loop == running_loop()
        line = _line(SerialUrl(device=str(tmp_path / "adapter")))
        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run())
            for _ in range(2):
                async with open_pty(_plant(), link=tmp_path / "adapter"):
                    assert [True] * 3 == [await _reads(line) for _ in range(3)]
                await _until_lost(line)
            owner.cancel()

    _on(loop, scene())


@pytest.mark.parametrize("loop", _LOOPS)
def test_a_meter_behind_a_serial_server(loop: LoopName) -> None:
    """The same over TCP, whose transports are another library's."""

    async def scene() -> None:
        async with asyncio.TaskGroup() as group, open_tcp(_plant(), LOOPBACK, 0) as url:
            line = _line(TcpUrl(host=LOOPBACK, port=int(url.rpartition(":")[2])))
            owner = group.create_task(line.run())
            assert [True] * 3 == [await _reads(line) for _ in range(3)]
            assert line.down_since is None
            owner.cancel()

    _on(loop, scene())


@pytest.mark.parametrize("loop", _LOOPS)
def test_a_program_that_is_started(loop: LoopName) -> None:
    """A security provider would not be started, not be heard, or stay behind when it is given up."""
    echo = "import os, sys; print(os.getpid(), flush=True); [print(l, end='', flush=True) for l in sys.stdin]"

    async def scene() -> None:
        stream = await open_process([sys.executable, "-c", echo])
        try:
            pid = int(await _line_of(stream))
            await stream.send(b"hello\n")
            assert b"hello\n" == await _line_of(stream)
            assert _is_there(pid)
        finally:
            await stream.aclose()
        assert not _is_there(pid)

    _on(loop, scene())


async def _line_of(stream: AdapterStream) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += await stream.receive()
    return line


def _is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("loop", _LOOPS)
def test_who_asks_at_the_door(loop: LoopName, tmp_path: Path) -> None:
    """The kernel would not tell who is at the other end: an order would have nobody's name, or another's."""

    async def handler(user: str, op: str, _args: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"user": user, "op": op}

    async def scene() -> None:
        path = tmp_path / "door.sock"
        async with control_socket(path, handler):
            assert {"user": getpass.getuser(), "op": "x"} == await _told_at(path)

    _on(loop, scene())


async def _told_at(path: Path) -> object:
    """What a caller is told at the door."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"id": "1", "op": "x", "args": {}}\n')
    answer = json.loads(await reader.readline())
    writer.close()
    return answer["result"]


@pytest.mark.parametrize("loop", _LOOPS)
def test_a_program_that_has_ended_is_lost(loop: LoopName) -> None:
    """A provider that died would take the daemon along when it is asked the next time."""

    async def scene() -> None:
        stream = await open_process([sys.executable, "-c", "input()"])
        try:
            await stream.send(b"\n")
            with pytest.raises(LineLost):
                await stream.receive()
            with pytest.raises(LineLost):
                while True:
                    await stream.send(b"x" * 65_536)
        finally:
            await stream.aclose()

    _on(loop, scene())


@pytest.mark.parametrize("loop", _LOOPS)
def test_who_goes_while_he_is_answered(loop: LoopName, tmp_path: Path) -> None:
    """A command that is killed at the wrong moment would end the daemon with all of its lines."""
    path = tmp_path / "door.sock"

    async def scene() -> None:
        asked, goes_on, errors = asyncio.Event(), asyncio.Event(), _errors_of_the_loop()

        async def handler(user: str, op: str, _args: Mapping[str, Any]) -> Mapping[str, Any]:
            if op == "waits":
                asked.set()
                await goes_on.wait()
            return {"user": user, "op": op}

        async with control_socket(path, handler):
            with socket.socket(socket.AF_UNIX) as caller:
                caller.connect(str(path))
                caller.sendall(
                    b"".join(b'{"id": "1", "op": "%s", "args": {}}\n' % op for op in _OPS) + b"half"
                )
                await asked.wait()  # the first answer lies there unread: who goes then leaves a reset
            await asyncio.sleep(0.1)  # it has come
            goes_on.set()
            await _until_alone()
            assert {"user": getpass.getuser(), "op": "x"} == await _told_at(path), "the next one"
        gc.collect()  # a task that failed and was not asked is told when it goes
        assert [] == errors

    _on(loop, scene())


@pytest.mark.parametrize("loop", _LOOPS)
def test_who_hangs_up_on_the_monitor(loop: LoopName) -> None:
    """A monitoring system that gives up after its timeout would end the daemon."""

    async def scene() -> None:
        asked, goes_on, errors = asyncio.Event(), asyncio.Event(), _errors_of_the_loop()

        async def page() -> Page:
            asked.set()
            await goes_on.wait()
            return Page.of(200, {"ok": True})

        async with monitor(0, {"/livez": page}) as port:
            with socket.create_connection((LOOPBACK, port)) as caller:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                caller.sendall(b"GET /livez HTTP/1.1\r\n\r\n")
                await asked.wait()
            await asyncio.sleep(0.1)  # the reset has come
            goes_on.set()
            await _until_alone()
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(b"GET /livez HTTP/1.1\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200"), "the next one"
            writer.close()
        gc.collect()  # a task that failed and was not asked is told when it goes
        assert [] == errors

    _on(loop, scene())


def _errors_of_the_loop() -> list[dict[str, Any]]:
    """What the loop that runs is told from now on that nobody else is."""
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    return errors


async def _until_alone() -> None:
    """Until whoever answers has done so."""
    names = {"monitor.caller", "control_socket.caller"}
    while any(task.get_name() in names for task in asyncio.all_tasks()):  # noqa: ASYNC110 (a task of others)
        await asyncio.sleep(0.01)


def test_a_loop_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that was set up anew without the extra would run on, slower, and nobody would know."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'meterlink\[uvloop\]'"):
        loop_maker("uvloop")
    assert loop_maker("asyncio") is None


@pytest.mark.timeout(60)
def test_a_daemon_on_uvloop(tmp_path: Path) -> None:
    """Lines, broker, TLS, the door, signals: a daemon needs all of them on the loop that it was given."""
    certificate, key = certificate_in(tmp_path)
    said: list[str] = []
    with running_metersim(tmp_path, "--meters=1", "--first-address=161") as plant:
        config = write_config(tmp_path, {plant.urls[0]: ["000000000161"]}, reply_timeout_ms=5_000)
        text = config.read_text(encoding="utf-8").replace("[gateway]", '[gateway]\nevent_loop = "uvloop"')
        text += f'[web]\nlisten = "{LOOPBACK}:0"\n[web.tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
        config.write_text(text, encoding="utf-8")
        process = subprocess.Popen(
            [METERLINK, "run", "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        try:
            assert "uvloop" == ready["event_loop"]
            _asked_over_tls(ready["api"][0], certificate)
            asked = [METERLINK, "read", "000000000161", "voltage.a", "--json", "--config", str(config)]
            told = subprocess.run(asked, capture_output=True, text=True, check=False)
            assert 0 == told.returncode, told.stdout + told.stderr
            process.send_signal(signal.SIGHUP)
            assert process.stderr is not None
            while not (event := _event_of(process.stderr.readline())).startswith("reload."):
                said.append(event)
        finally:
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=30)
    assert (0, "stopped") == (process.returncode, _event_of(log.splitlines()[-1])), log
    assert {"event_loop", "mqtt.connected"} <= set(said), said


def _event_of(line: str) -> str:
    return str(json.loads(line)["event"])


def _asked_over_tls(url: str, certificate: Path) -> None:
    context = ssl.create_default_context(cafile=certificate)
    with httpx.Client(verify=context, base_url=url, timeout=20) as client:
        assert 401 == client.get("/v1/daily-freeze").status_code


def test_the_ingest_on_uvloop_says_so(tmp_path: Path) -> None:
    """Whoever looks for why one process is slower would not know on what it runs."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": [_ADDRESS]}, mqtt_port=1, in_daemon=False)
    text = config.read_text(encoding="utf-8").replace("[gateway]", '[gateway]\nevent_loop = "uvloop"')
    config.write_text(text, encoding="utf-8")
    ingest = Process("ingest", config)
    try:
        assert {"ready": True, "gateway": "gw", "event_loop": "uvloop"} == ingest.start()
    finally:
        ingest.terminate()
