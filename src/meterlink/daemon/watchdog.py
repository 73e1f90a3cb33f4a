"""Telling the manager that we live, as long as everything gets on with its work."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from meterlink.daemon.health import Health
from meterlink.daemon.notify import ALIVE, Notifier, status

STATUS_S: Final = 10.0
"""How often people are told how we are, where no watchdog wants to know it oftener."""

_log = structlog.get_logger(__name__)


async def watching(notifier: Notifier, health: Health) -> None:
    """Feed the watchdog until cancelled; not while anything is stuck.

    It runs on the event loop, so a loop that hangs does not feed it either.

    Args:
        notifier: who is told.
        health: of the daemon.

    """
    pause_s = min(STATUS_S, notifier.watchdog_s / 3 if notifier.watchdog_s else STATUS_S)
    was_stuck: list[str] = []
    while True:
        stuck = health.stuck()
        if stuck and not was_stuck:
            _log.error("stuck", what=stuck)
        was_stuck = stuck
        notifier.tell(*([] if stuck else [ALIVE]), status(health.words()))
        await asyncio.sleep(pause_s)


async def feeding_alone(notifier: Notifier) -> None:
    """Feed the watchdog of a program that has nothing beside its event loop, until cancelled."""
    while notifier.watchdog_s is not None:
        notifier.tell(ALIVE)
        await asyncio.sleep(notifier.watchdog_s / 3)
