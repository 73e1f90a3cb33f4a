"""What a daemon needs of whoever manages and watches it; tests that are not about this bring nobody."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meterlink.config import LogSettings, Settings
from meterlink.daemon.delivery import Outside
from meterlink.daemon.monitor import Pages
from meterlink.daemon.notify import Notifier

if TYPE_CHECKING:  # an extra brings what these are made of
    from meterlink.config.web import WebSettings
    from meterlink.web.opening import Gateway
    from meterlink.web.serving import Supervisor

MonitorOpener = Callable[[int, Pages], AbstractAsyncContextManager[int]]
"""Serves pages on a port of loopback; gives the port."""


WebOpener = Callable[["WebSettings", "Gateway", "Supervisor"], AbstractAsyncContextManager[list[str]]]
"""Serves the API of a gateway; gives where."""


def _same(_: LogSettings) -> None:
    """Nobody set the log up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """Whoever manages and watches a daemon.

    Args:
        open_monitor: serves pages about it; ``None``: nobody asks.
        open_web: serves the API; ``None``: nobody asks, or the extra is not installed.
        notifier: tells whoever started it.
        reread: reads the configuration again; raises ``ConfigError``. ``None``: it has no file.
        outside_of: builds what another configuration needs of the world; raises ``ConfigError``.
        relog: sets the log up anew.

    """

    open_monitor: MonitorOpener | None = None
    open_web: WebOpener | None = None
    notifier: Notifier = field(default_factory=lambda: Notifier({}))
    reread: Callable[[], Settings] | None = None
    outside_of: Callable[[Settings], Outside] | None = None
    relog: Callable[[LogSettings], None] = _same
