"""What is proven of a meter's model and firmware, as the rules ask for it. Source: decision 33."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from meterlink.model.order import OrderKind
from meterlink.roster.roster import RosterMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What is proven of a model and firmware. Source: decision 33.

    Args:
        unproven: facts that the kind of order depends on and that are not proven; empty: it is qualified.
        facts: what is proven, fact by name.

    """

    unproven: tuple[str, ...]
    facts: Mapping[str, str] = field(default_factory=dict)


class Qualified(Protocol):
    """Knows what is proven of the models."""

    async def __call__(self, meter: RosterMeter, kind: OrderKind, firmware: str | None = None) -> Proven:
        """What is proven of a meter's model and firmware for such an order.

        Args:
            meter: which.
            kind: of order.
            firmware: as the meter just told it; ``None``: nobody asked the meter yet.

        Raises:
            JournalError: the log cannot be read.

        """
