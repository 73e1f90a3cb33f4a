"""The two programs with the real world around them: system clock, real lines, real brokers, signals."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import random
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from meterlink.clock import SystemClock
from meterlink.config import LogSettings, MqttSettings, SecretRef, Settings, data_dir
from meterlink.daemon.daemon import Daemon
from meterlink.daemon.delivery import Outside, ingesting, make_sink
from meterlink.daemon.event_loop import LoopMaker, loop_maker, running_loop
from meterlink.daemon.interpreter import tuned
from meterlink.daemon.loop_errors import LoopErrors
from meterlink.daemon.manager import Manager, WebOpener
from meterlink.daemon.monitor import monitor
from meterlink.daemon.notify import READY, STOPPING, Notifier, status
from meterlink.daemon.signals import hearing
from meterlink.daemon.supervise import cut_off, supervised
from meterlink.daemon.watchdog import feeding_alone
from meterlink.drivers import choose
from meterlink.errors import ConfigError, JournalError, MeterlinkError
from meterlink.transports.messages import MessageConnector
from meterlink.transports.mqtt import MqttConnector
from meterlink.transports.open import open_line

Tell = Callable[[dict[str, Any]], None]

LEFT_EXIT: Final = 1
"""Exit code of a program of which a part did not end."""
LEFT_TOLD_MAX: Final = 10
"""Names of tasks that did not end, in the one line of the log."""

_log = structlog.get_logger(__name__)


def run_daemon(
    settings: Settings,
    tell_ready: Tell,
    *,
    reread: Callable[[], Settings],
    relog: Callable[[LogSettings], None],
) -> None:
    """Run the daemon until SIGTERM or SIGINT; SIGHUP reads its configuration again.

    Args:
        settings: checked.
        tell_ready: called once with facts for whoever started us.
        reread: reads the configuration again.
        relog: sets the log up anew.

    Raises:
        ConfigError, UnknownItem: found before a port opens; the event loop is not installed.
        JournalError: the journal, or its folder, cannot be opened or made.
        KeyUnusable: the gateway's key cannot be used.
        LineBusy, LineLost: a port that terminals dial cannot be opened.

    """
    choose.import_all()
    outside = _outside(settings)
    manager = Manager(
        open_monitor=monitor,
        open_web=web_of(settings),
        notifier=Notifier(os.environ),
        reread=reread,
        outside_of=_outside,
        relog=relog,
    )
    daemon = Daemon(settings, outside, open_line, manager=manager)
    _make(outside.folder)

    async def program(stop: asyncio.Event) -> None:
        with hearing({signal.SIGHUP: daemon.ask_reload}):
            await daemon.run(stop, lambda facts: tell_ready({**facts, "event_loop": running_loop()}))

    until_signal(program, loop_maker(settings.gateway.event_loop))


def run_ingest(settings: Settings, tell_ready: Tell) -> None:
    """Run the ingest alone until SIGTERM or SIGINT; see ``run_daemon``. It reloads nothing.

    Raises:
        ConfigError: no broker is configured, or a secret cannot be read.
        JournalError: the data directory cannot be made.
        SinkAway: the state file cannot be opened.

    """
    if settings.mqtt is None:
        raise ConfigError(
            "meterlink ingest needs [mqtt]: the embedded broker lives inside the daemon",
            "meterlink ingest 须配置 [mqtt]:内置的 MQTT 服务器在守护进程内部运行",
        )
    outside = _outside(settings)
    connector = outside.connector
    assert connector is not None, "a broker is configured"
    notifier = Notifier(os.environ)
    _make(outside.folder)

    async def program(stop: asyncio.Event) -> None:
        async with ingesting(settings, outside, connector) as (_, ingest), asyncio.TaskGroup() as group:
            running = group.create_task(supervised("ingest", ingest.run), name="ingest")
            tell_ready({"gateway": settings.gateway.id, "event_loop": running_loop()})
            notifier.tell(READY, status("taking readings from the broker"))
            feeding = group.create_task(feeding_alone(notifier), name="watchdog")
            await stop.wait()
            notifier.tell(STOPPING)
            running.cancel()
            feeding.cancel()

    until_signal(program, loop_maker(settings.gateway.event_loop))


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
            raise ConfigError(
                f"[mqtt] ca_file {mqtt.ca_file}: {error}",
                f"[mqtt] ca_file {mqtt.ca_file}:无法作为证书颁发机构使用:{error}",
            ) from None
    password = SecretRef(mqtt.password).reveal() if mqtt.password else None
    return MqttConnector(
        mqtt.host,
        mqtt.port,
        username=mqtt.username,
        password=password,
        tls=tls,
        needs_subscriber=True,  # the log waits for the first ingest
    )


def web_of(settings: Settings) -> WebOpener | None:
    """Whoever serves the API of a configuration; ``None``: it wants none.

    Raises:
        ConfigError: what serves it is not installed.

    """
    if settings.web is None:
        return None
    lacking = [name for name in ("fastapi", "uvicorn") if importlib.util.find_spec(name) is None]
    if lacking:
        raise ConfigError(
            f"[web] needs the extra web ({', '.join(lacking)}): pip install 'meterlink[web]' "
            "(a clone: make dev), or leave [web] out",
            f"[web] 需要附加组件 web(缺少 {', '.join(lacking)}):pip install 'meterlink[web]'"
            "(克隆的仓库:make dev),或去掉 [web]",
        )
    from meterlink.web.opening import open_web  # noqa: PLC0415 (an extra brings what it is made of)

    return open_web


def _outside(settings: Settings) -> Outside:
    folder = data_dir(settings)
    return Outside(
        folder=folder,
        clock=SystemClock(),
        connector=connector_of(settings.mqtt) if settings.mqtt else None,
        sink=partial(make_sink, settings, folder),
        rng=random.SystemRandom(),  # jitter, and what meters have to prove themselves by
    )


def _make(folder: Path) -> None:
    """Make the data directory if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        raise JournalError(f"{folder}: the data directory cannot be made: {error.strerror}") from None


def until_signal(program: Callable[[asyncio.Event], Awaitable[None]], make_loop: LoopMaker = None) -> None:
    """Run a program until SIGINT or SIGTERM comes; it is given the event that they set.

    Args:
        program: is given the event.
        make_loop: makes the event loop that it runs on; ``None``: Python's own.

    Raises:
        MeterlinkError: the one that ended it.

    """

    async def run() -> None:
        LoopErrors(asyncio.get_running_loop())
        stop = asyncio.Event()
        ends = (signal.SIGINT, signal.SIGTERM)
        _log.info("event_loop", name=running_loop())
        with hearing({number: partial(_note_signal, number, stop) for number in ends}):
            try:
                await program(stop)
            finally:
                await _end_what_is_left()

    try:
        with tuned(), asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(run())
    except BaseExceptionGroup as group:
        if (failure := _only_failure(group)) is None:
            raise
        raise failure from None


async def _end_what_is_left() -> None:
    """Cut off what a part of the program has left behind; what does not end even then ends with the process.

    ``asyncio.run`` would wait for it without end, and only a kill would end that.
    """
    others = asyncio.all_tasks() - {asyncio.current_task()}
    error = str(sys.exception() or "")
    if not await cut_off(*others):
        names = sorted(task.get_name() for task in others if not task.done())
        _log.error("left_behind", tasks=names[:LEFT_TOLD_MAX], of=len(names), error=error)
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(LEFT_EXIT)


def _only_failure(error: BaseException) -> MeterlinkError | None:
    """The one failure of ours that task groups have wrapped; ``None``: there are more, or a bug is in it."""
    if isinstance(error, BaseExceptionGroup):
        return _only_failure(error.exceptions[0]) if len(error.exceptions) == 1 else None
    return error if isinstance(error, MeterlinkError) else None


def _note_signal(number: signal.Signals, stop: asyncio.Event) -> None:
    _log.info("stopping", signal=number.name)
    stop.set()
