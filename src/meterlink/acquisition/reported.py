"""Freezes that terminals reported, whose meters nobody may have looked at: who keeps reports notes them here,
and whoever looks at the meters of a line takes them out.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from meterlink.acquisition.unseen import Freeze

METERS_MAX: Final = 100_000
"""Meters of which freezes wait: as many as a roster has."""
FREEZES_MAX: Final = 4
"""Freezes of a meter that wait, the newest: a day and a month, told twice."""


class Reported:
    """One for all lines of a daemon."""

    def __init__(self) -> None:
        self._freezes: dict[str, set[Freeze]] = {}

    def note(self, meter: str, freeze: Freeze) -> None:
        """A freeze of a meter was kept that its terminal told."""
        if meter not in self._freezes and len(self._freezes) >= METERS_MAX:
            return
        waiting = self._freezes.setdefault(meter, set())
        waiting.add(freeze)
        if len(waiting) > FREEZES_MAX:
            waiting.discard(min(waiting, key=lambda one: one[1]))

    def is_for(self, meters: Container[str]) -> bool:
        """Whether a freeze of one of these meters waits."""
        return any(meter in meters for meter in self._freezes)

    def take(self, meters: Container[str]) -> dict[str, set[Freeze]]:
        """Take out what waits of these meters."""
        return {meter: self._freezes.pop(meter) for meter in list(self._freezes) if meter in meters}
