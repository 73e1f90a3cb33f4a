"""What is proven of a model and its firmware; without proof nothing is sent. Source: decision 33."""

from __future__ import annotations

from typing import Protocol

from meterlink.model.order import OrderKind
from meterlink.orders.judging.proven import Proven
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.roster.roster import RosterMeter


class Models(Protocol):
    """The qualifications of a gateway."""

    async def __call__(self, meter: RosterMeter, kind: OrderKind, firmware: str | None = None) -> Proven:
        """What is proven of a meter's model and firmware for such an order; see ``Qualified``.

        Raises:
            JournalError: the log cannot be read.

        """

    async def switch_facts(self, meter: RosterMeter, firmware: str | None = None) -> SwitchFacts:
        """The same as a look and a proof ask for it; what is not proven is on the careful side.

        Args:
            meter: which.
            firmware: as it just told it; ``None``: nobody asked it, and only that counts on which all of its
                model agree.

        Raises:
            JournalError: the log cannot be read.

        """
