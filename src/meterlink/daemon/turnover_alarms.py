"""The alarm of a last register that was told, and that nobody can believe unseen. Source: VEE-12."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timezone

import structlog

from meterlink.billing.turnovers import ORIGIN, RULE, value_of
from meterlink.clock import Clock
from meterlink.errors import MeterlinkError
from meterlink.journal.acts import ActLog
from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.roster.last_registers import Doubt

_log = structlog.get_logger(__name__)


async def raise_doubts(doubts: Sequence[Doubt], *, acts: ActLog, clock: Clock, zone: timezone) -> None:
    """Raise the alarm of each; one that cannot be kept is told in the log: the revision stands.

    Args:
        doubts: of one revision of the roster.
        acts: of its journal.
        clock: wall time.
        zone: of the plant.

    """
    alarms = Alarms(acts, clock, zone=zone)
    for one in doubts:
        seen = Seen(
            rule=RULE,
            origin=ORIGIN,
            meter=one.meter,
            value=value_of(one.item, f"{one.told:f}", "last"),
            threshold=f"{one.newest:f} + {one.most:f}",
            estimate_kwh=format(one.told - one.newest, "f") if one.told > one.newest else "",
        )
        try:
            await alarms.raise_(seen)
        except MeterlinkError as error:
            _log.error("alarm_not_kept", rule=RULE, meter=one.meter, reason=str(error))
