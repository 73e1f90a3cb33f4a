"""Playing the demonstration: start the plant and the daemon, show what arrives, and judge it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.live import Live

from meterlink.cli.console import SeenConsole, stderr
from meterlink.cli.demonstration.processes import DemoFailed, Program, started
from meterlink.cli.demonstration.stations import Files, Journal, Simulator, Station
from meterlink.cli.demonstration.table import draw
from meterlink.cli.demonstration.verdict import Verdict, judge
from meterlink.cli.exit_codes import ExitCode
from meterlink.clock import wait_for
from meterlink.errors import BrokerAway, EnvelopeError, MeterlinkError
from meterlink.model.envelope import Envelope
from meterlink.model.topics import READINGS_FILTER
from meterlink.transports.mqtt import MqttConnector

EVERY_S = 2
ITEMS = ("forward_active_energy", "voltage.a", "current.a", "active_power")
ONCE_TIMEOUT_S = 18.0
LOOK_EVERY_S = 0.25

_MARKER = ".meterlink-demo"
_PIPE_WIDTH = 120


def play(folder: Path, *, meters: int, seed: int, once: bool) -> ExitCode:
    """Run the demonstration.

    Args:
        folder: made anew; refused when it holds something else.
        meters: how many to simulate.
        seed: of the plant.
        once: end by itself with a verdict; otherwise go on until Ctrl-C.

    """
    console = SeenConsole(highlight=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    try:
        _make_folder(folder)
        return asyncio.run(_Demonstration(folder.resolve(), console, meters, seed, once).run())
    except (MeterlinkError, OSError) as error:
        stderr().print(f"demo: {error}", markup=False)
        return ExitCode.FAILURE


def _make_folder(folder: Path) -> None:
    if folder.exists():
        if not (folder / _MARKER).exists():
            raise DemoFailed(f"{folder} exists and is no demonstration's folder: choose another with --dir")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _MARKER).touch()


class _Demonstration:
    def __init__(self, folder: Path, console: Console, meters: int, seed: int, once: bool) -> None:
        self._folder = folder
        self._console = console
        self._count = meters
        self._seed = seed
        self._once = once
        self._mqtt = Station("MQTT")
        self._programs: tuple[Program, ...] = ()

    async def run(self) -> ExitCode:
        answers = self._folder / "simulator-answers.jsonl"
        plant = ["run", "--meters", str(self._count), "--seed", str(self._seed), "--tcp", "127.0.0.1:0"]
        async with started(
            "metersim", [*plant, "--answers", str(answers)], self._folder / "simulator.log"
        ) as simulated:
            [line] = simulated.ready["lines"]
            addresses = {address: f"meter-{n:02d}" for n, address in enumerate(line["meters"], start=1)}
            config = self._configure(line["url"], addresses)
            async with started(
                "meterlink", ["run", "--config", str(config)], self._folder / "daemon.log"
            ) as daemon:
                self._programs = (simulated, daemon)
                simulator = Simulator(answers, addresses, EVERY_S)
                return await self._follow(daemon.ready["broker"], simulator)

    def _configure(self, url: str, addresses: dict[str, str]) -> Path:
        items = json.dumps(list(ITEMS))
        text = (
            f'[gateway]\nid = "demo-gateway"\nsite = "demo"\ndata_dir = {json.dumps(str(self._folder))}\n\n'
        )
        text += f'[[plans]]\nname = "demo"\nevery_s = {EVERY_S}\nitems = {items}\n'
        for address, meter in addresses.items():
            text += f'\n[[meters]]\nid = "{meter}"\naddress = "{address}"\nline = "{url}"\n'
        config = self._folder / "meterlink.toml"
        config.write_text(text, encoding="utf-8")
        return config

    async def _follow(self, broker: str, simulator: Simulator) -> ExitCode:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        try:
            async with asyncio.TaskGroup() as group:
                listener = group.create_task(self._listen(broker), name="demo.mqtt")
                verdict = await self._look(stop, simulator)
                listener.cancel()
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
        for program in self._programs:
            program.check()
        return self._conclude(verdict, interrupted=stop.is_set())

    async def _listen(self, broker: str) -> None:
        parts = urlsplit(broker)
        connector = MqttConnector(parts.hostname or "", parts.port or 1883, version=4)  # as amqtt speaks
        while True:
            with contextlib.suppress(BrokerAway):
                async with connector.connect(
                    client_id="meterlink-demo", subscriptions=(READINGS_FILTER,)
                ) as port:
                    while True:
                        message = await port.receive()
                        with contextlib.suppress(EnvelopeError):
                            self._mqtt.see_record(Envelope.from_json(message.payload).record)
                        await port.acknowledge(message)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, stop: asyncio.Event, simulator: Simulator) -> Verdict:
        journal = Journal(self._folder / "journal.sqlite3")
        files = Files(self._folder / "line-protocol")
        meters = simulator.meters
        deadline = asyncio.get_running_loop().time() + ONCE_TIMEOUT_S
        with contextlib.closing(journal), Live(console=self._console, auto_refresh=False) as live:
            while True:
                for station in (files, journal, simulator):  # far end first: what is there was there before
                    station.look()
                verdict = judge(meters, ITEMS, simulator, (journal, self._mqtt), files)
                live.update(draw(meters, simulator, journal, self._mqtt, files, verdict), refresh=True)
                over = verdict.wrong or not verdict.missing
                late = asyncio.get_running_loop().time() > deadline
                ended = stop.is_set() or any(program.has_ended for program in self._programs)
                if ended or (self._once and (over or late)):
                    return verdict
                await wait_for(stop, LOOK_EVERY_S)

    def _conclude(self, verdict: Verdict, *, interrupted: bool) -> ExitCode:
        self._console.print()
        for words in verdict.wrong:
            self._console.print(f"WRONG 错误: {words}", markup=False, soft_wrap=True)
        if verdict.missing and not interrupted:
            self._console.print(f"MISSING 未到达: {', '.join(verdict.missing)}", markup=False, soft_wrap=True)
        self._console.print(
            f"journal 日志库       {self._folder / 'journal.sqlite3'}", markup=False, soft_wrap=True
        )
        self._console.print(
            f"line protocol 行协议 {self._folder / 'line-protocol'}", markup=False, soft_wrap=True
        )
        self._console.print(
            f"simulator's answers 模拟表应答 {self._folder / 'simulator-answers.jsonl'}",
            markup=False,
            soft_wrap=True,
        )
        self._console.print(
            f"logs 运行日志        {self._folder / 'daemon.log'}", markup=False, soft_wrap=True
        )
        if verdict.wrong or (self._once and verdict.missing):
            return ExitCode.FAILURE
        self._console.print(
            f"{len(verdict.through)} of {self._count} meters came through with the value they reported "
            "（数据全程一致）",
            markup=False,
        )
        return ExitCode.OK
