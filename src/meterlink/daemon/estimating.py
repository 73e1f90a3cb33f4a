"""Estimates as the control socket is asked for them, and what they are made of in a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from meterlink.billing import days
from meterlink.billing.estimating import Estimator
from meterlink.billing.opening import FreezesOf
from meterlink.billing.settling import OpenFreezes
from meterlink.config import Settings
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.daemon.control_socket import Handler
from meterlink.daemon.settling import check_may_bill
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import BadRequest
from meterlink.orders.people import People

ESTIMATE: Final = "consumption.estimate"


def opener_of(settings: Settings, profiles: MeterProfiles, folder: Path) -> OpenFreezes:
    """Opens the freezes of a gateway, for whoever looks at them again and again.

    Args:
        settings: checked.
        profiles: of the meters.
        folder: the data directory.

    """
    return FreezesOf(folder / JOURNAL_FILE, profiles, settings.gateway.plant_time)


class EstimateRequests:
    """The request for an estimate, in front of all others.

    Args:
        estimator: makes it.
        people: who may be what; ``None``: nobody orders anything here, and who can use the socket may do it.
        others: answers everything else.

    """

    def __init__(self, estimator: Estimator, people: People | None, others: Handler) -> None:
        self._estimator = estimator
        self._people = people
        self._others = others

    async def answer(self, user: str, op: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a local user asks; see ``control_socket.Handler``.

        Raises:
            BadRequest: the arguments are wrong, or there is nothing to estimate.
            NotAllowed: he may not.
            JournalError: it was not done.
            MeterlinkError: whatever the others say.

        """
        if op != ESTIMATE:
            return await self._others(user, op, args)
        match args:
            case {"meter": str(meter), "item": str(item), "day": str(day), **rest} if not rest:
                pass
            case _:
                raise BadRequest("meter, item and day must be texts, and nothing else is taken")
        check_may_bill(self._people, user)
        made = await self._estimator.estimate(meter, item, days.parsed(day), actor=user)
        return made.as_json()
