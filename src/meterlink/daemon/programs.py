"""The two programs with the real world around them: system clock, real lines, real brokers, signals."""

from __future__ import annotations

import asyncio
import random
import signal
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from meterlink.clock import SystemClock
from meterlink.config import MqttSettings, SecretRef, Settings, data_dir
from meterlink.daemon.daemon import Daemon, Outside
from meterlink.daemon.delivery import Surroundings, ingesting, make_sink
from meterlink.daemon.lines import check_items
from meterlink.daemon.supervise import supervised
from meterlink.errors import ConfigError, JournalError
from meterlink.transports.messages import MessageConnector
from meterlink.transports.mqtt import MqttConnector
from meterlink.transports.open import open_line

Tell = Callable[[dict[str, Any]], None]

_log = structlog.get_logger(__name__)


def run_daemon(settings: Settings, tell_ready: Tell) -> None:
    """Run the daemon until SIGTERM or SIGINT.

    Args:
        settings: checked.
        tell_ready: called once with facts for whoever started us.

    Raises:
        ConfigError, UnknownItem: found before a port opens.
        JournalError: the journal cannot be opened.

    """
    check_items(settings, SystemClock())
    folder = folder_of(settings)
    outside = Outside(
        clock=SystemClock(),
        opener=open_line,
        connector=connector_of(settings.mqtt) if settings.mqtt else None,
        sink=partial(make_sink, settings, folder),
        rng=random.Random(),  # noqa: S311 (jitter)
    )
    daemon = Daemon(settings, folder, outside)
    _until_signal(lambda stop: daemon.run(stop, tell_ready))


def run_ingest(settings: Settings, tell_ready: Tell) -> None:
    """Run the ingest alone until SIGTERM or SIGINT; see ``run_daemon``.

    Raises:
        ConfigError: no broker is configured, or a secret cannot be read.
        JournalError: the state file cannot be opened.

    """
    if settings.mqtt is None:
        raise ConfigError("meterlink ingest needs [mqtt]: the embedded broker lives inside the daemon")
    connector = connector_of(settings.mqtt)
    folder = folder_of(settings)
    world = Surroundings(
        folder=folder,
        clock=SystemClock(),
        connector=connector,
        sink=partial(make_sink, settings, folder),
        rng=random.Random(),  # noqa: S311 (jitter)
    )

    async def program(stop: asyncio.Event) -> None:
        async with ingesting(settings, world, connector) as (_, ingest), asyncio.TaskGroup() as group:
            running = group.create_task(supervised("ingest", ingest.run), name="ingest")
            tell_ready({"gateway": settings.gateway.id})
            await stop.wait()
            running.cancel()

    _until_signal(program)


def connector_of(mqtt: MqttSettings) -> MessageConnector:
    """The way to the configured broker.

    Raises:
        ConfigError: the password or the certificate authority cannot be read.

    """
    tls = None
    if mqtt.tls:
        try:
            tls = ssl.create_default_context(cafile=mqtt.ca_file)
        except OSError as error:
            raise ConfigError(f"[mqtt] ca_file {mqtt.ca_file}: {error}") from None
    password = SecretRef(mqtt.password).reveal() if mqtt.password else None
    return MqttConnector(
        mqtt.host,
        mqtt.port,
        username=mqtt.username,
        password=password,
        tls=tls,
        needs_subscriber=True,  # the log waits for the first ingest
    )


def folder_of(settings: Settings) -> Path:
    """The data directory, made if it is not there.

    Raises:
        JournalError: it cannot be made.

    """
    folder = data_dir(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        raise JournalError(f"{folder}: the data directory cannot be made: {error.strerror}") from None
    return folder


def _until_signal(program: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _note_signal, number, stop)
        await program(stop)

    asyncio.run(run())


def _note_signal(number: signal.Signals, stop: asyncio.Event) -> None:
    _log.info("stopping", signal=number.name)
    stop.set()
