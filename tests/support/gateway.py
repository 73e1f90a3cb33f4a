"""A whole gateway for tests: its configuration, its processes, and a witness at the broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meterlink.errors import BrokerAway
from meterlink.model.data_classes import INSTANT, DataClass
from meterlink.model.protocols import DEFAULT_PROTOCOL, MeterProtocol
from meterlink.model.topics import READINGS_FILTER
from meterlink.transports.mqtt import MqttConnector
from tests.support.metersim_process import RunningMetersim
from tests.support.processes import LOOPBACK, Program

METERLINK = str(Path(sys.executable).with_name("meterlink"))
ITEMS = ("forward_active_energy", "voltage.a", "current.a", "active_power")


def addresses_of(plant: RunningMetersim) -> dict[str, str]:
    """Address by meter id, for all meters of a plant."""
    return {f"m{address}": address for meters in plant.meters for address in meters}


def write_one_meter(folder: Path, data: Path) -> Path:
    """A configuration of one meter, whose gateway keeps its journal in a folder."""
    path = folder / "meterlink.toml"
    path.write_text(
        f'[gateway]\ndata_dir = "{data}"\n[[meters]]\nid = "m1"\naddress = "000000000161"\n'
        'line = "tcp://127.0.0.1:1"\n',
        encoding="utf-8",
    )
    return path


def write_config(
    folder: Path,
    lines: Mapping[str, Sequence[str]],
    *,
    every_s: int = 1,
    items: Sequence[str] = ITEMS,
    mqtt_port: int | None = None,
    influx_url: str | None = None,
    in_daemon: bool = True,
    reply_timeout_ms: int = 500,
    data_class: DataClass = INSTANT,
    protocols: Mapping[str, MeterProtocol] | None = None,
) -> Path:
    """A configuration of one plan for meters on lines.

    Args:
        folder: where it is written; ``data`` below it is the data directory.
        lines: addresses by URL; a meter's id is its address behind an ``m``.
        every_s: interval.
        items: what is read.
        mqtt_port: of a broker on loopback; ``None``: embedded.
        influx_url: of a database; ``None``: files.
        in_daemon: whether the daemon runs the ingest.
        reply_timeout_ms: of every line.
        data_class: of the plan.
        protocols: by URL, where the meters of a line do not speak the edition of 2007.

    """
    text = f'[gateway]\nid = "gw"\nsite = "test"\ndata_dir = "{folder / "data"}"\n'
    text += f'[[plans]]\nname = "fast"\nevery_s = {every_s}\nitems = {json.dumps(list(items))}\n'
    text += f'class = "{data_class}"\n'
    if mqtt_port is not None:
        text += f'[mqtt]\nurl = "mqtt://{LOOPBACK}:{mqtt_port}"\n'
    if influx_url is not None:
        text += f'[influx]\nurl = "{influx_url}"\nbucket = "meterlink"\ntimeout_ms = 2000\n'
    text += f"[ingest]\nin_daemon = {json.dumps(in_daemon)}\n"
    for number, url in enumerate(lines, start=1):
        text += f'[[lines]]\nname = "line{number}"\nurl = "{url}"\nreply_timeout_ms = {reply_timeout_ms}\n'
    for number, (url, meters) in enumerate(lines.items(), start=1):
        protocol = (protocols or {}).get(url, DEFAULT_PROTOCOL)
        for address in meters:
            text += f'[[meters]]\nid = "m{address}"\naddress = "{address}"\nline = "line{number}"\n'
            text += f'protocol = "{protocol}"\n'
    path = folder / "meterlink.toml"
    path.write_text(text, encoding="utf-8")
    return path


class Process:
    """``meterlink run`` or ``meterlink ingest``, to be started and killed many times."""

    def __init__(self, verb: str, config: Path) -> None:
        self.log = config.with_name(f"{verb}.log")
        self._program = Program([METERLINK, verb, "--config", str(config)], self.log)

    def start(self) -> dict[str, Any]:
        """Start, and wait for the ready line, which is given back."""
        before = len(self._ready_lines())
        self._program.start(lambda: len(self._ready_lines()) > before)
        ready = json.loads(self._ready_lines()[-1])
        assert isinstance(ready, dict)
        return ready

    def spawn(self) -> None:
        """Start, and do not wait for anything."""
        self._program.start(lambda: True)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._program.kill()

    def terminate(self) -> None:
        """SIGTERM, and wait until it has ended in order."""
        self._program.stop()

    def _ready_lines(self) -> list[str]:
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        return [line for line in lines if line.startswith('{"ready"')]


@dataclass(slots=True)
class Witness:
    """Everything that was ever published, as a subscriber with a session of its own saw it."""

    payloads: list[bytes] = field(default_factory=list)

    async def watch(self, port: int, subscribed: asyncio.Event) -> None:
        """Collect until cancelled; the broker may come and go."""
        connector = MqttConnector(LOOPBACK, port)
        while True:
            with contextlib.suppress(BrokerAway):
                async with connector.connect(
                    client_id="witness", subscriptions=(READINGS_FILTER,), persistent=True
                ) as connection:
                    subscribed.set()
                    while True:
                        message = await connection.receive()
                        self.payloads.append(message.payload)
                        await connection.acknowledge(message)
            await asyncio.sleep(0.1)


@asynccontextmanager
async def witness_of(port: int) -> AsyncIterator[Witness]:
    """A witness that has subscribed before the block begins."""
    witness, subscribed = Witness(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(witness.watch(port, subscribed))
        await subscribed.wait()
        yield witness
        watching.cancel()
