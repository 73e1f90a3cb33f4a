"""Asking for estimates: the daemon that runs, or the journal itself where none does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from meterlink.billing import days
from meterlink.billing.estimating import Estimator
from meterlink.cli.alone import own_name, people_of
from meterlink.cli.desk import DaemonAway, Desk, Refusal
from meterlink.clock import SystemClock
from meterlink.config import Settings, data_dir
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.daemon.control_socket import SOCKET_FILE
from meterlink.daemon.estimating import ESTIMATE, opener_of
from meterlink.daemon.refusals import told
from meterlink.daemon.settling import check_may_bill
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import MeterlinkError
from meterlink.journal.journal import Journal


def estimates(settings: Settings, meter: str, day: str, items: Sequence[str]) -> list[Mapping[str, Any]]:
    """An estimate of each register, in their order.

    Args:
        settings: checked.
        meter: our id of it.
        day: whose freeze at its end is missing or rejected.
        items: registers.

    Raises:
        Refusal: there is nothing to estimate, or who asks may not.
        DaemonAway: a daemon runs, and does not answer.

    """
    try:
        desk = Desk(data_dir(settings) / SOCKET_FILE)
    except DaemonAway:
        return _directly(settings, meter, day, items)
    with desk:
        return [desk.ask(ESTIMATE, meter=meter, item=one, day=day) for one in items]


def _directly(settings: Settings, meter: str, day: str, items: Sequence[str]) -> list[Mapping[str, Any]]:
    user = own_name()
    try:
        check_may_bill(people_of(settings), user)
        return asyncio.run(_estimated_here(settings, meter, day, items, user))
    except MeterlinkError as error:
        raise Refusal(told(error)) from None


async def _estimated_here(
    settings: Settings, meter: str, day: str, items: Sequence[str], user: str
) -> list[Mapping[str, Any]]:
    """Estimate with the lock on the journal that a daemon would have."""
    folder, clock = data_dir(settings), SystemClock()
    async with Journal.open(folder / JOURNAL_FILE, clock=clock, is_start=False) as journal:
        profiles = MeterProfiles(settings.gateway.profiles)
        estimator = Estimator(opener_of(settings, profiles, folder), journal.acts, clock)
        return [
            (await estimator.estimate(meter, one, days.parsed(day), actor=user)).as_json() for one in items
        ]
