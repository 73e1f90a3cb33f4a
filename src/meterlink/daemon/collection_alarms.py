"""What a configuration says of the alarms of collection."""

from __future__ import annotations

from typing import Final

from meterlink.alarms.watch import Wanted
from meterlink.config import Settings
from meterlink.model.data_classes import FREEZES

DEMAND: Final = "_max_demand"
"""Part of the name of every item that is a maximum demand."""


def wanted_of(settings: Settings) -> Wanted:
    """The figures, and whether a plan of freezes asks for a maximum demand."""
    asked = (item for plan in settings.plans if plan.data_class in FREEZES for item in plan.items)
    return Wanted(settings.alarms, any(DEMAND in item for item in asked))
