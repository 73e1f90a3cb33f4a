"""What a daemon needs of whoever manages and watches it; tests that are not about this bring nobody."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from meterlink.config import LogSettings, Settings
from meterlink.daemon.delivery import Outside
from meterlink.daemon.monitor import Pages
from meterlink.daemon.notify import Notifier

MonitorOpener = Callable[[int, Pages], AbstractAsyncContextManager[int]]
"""Serves pages on a port of loopback; gives the port."""


def _same(_: LogSettings) -> None:
    """Nobody set the log up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """Whoever manages and watches a daemon.

    Args:
        open_monitor: serves pages about it; ``None``: nobody asks.
        notifier: tells whoever started it.
        reread: reads the configuration again; raises ``ConfigError``. ``None``: it has no file.
        outside_of: builds what another configuration needs of the world; raises ``ConfigError``.
        relog: sets the log up anew.

    """

    open_monitor: MonitorOpener | None = None
    notifier: Notifier = field(default_factory=lambda: Notifier({}))
    reread: Callable[[], Settings] | None = None
    outside_of: Callable[[Settings], Outside] | None = None
    relog: Callable[[LogSettings], None] = _same
