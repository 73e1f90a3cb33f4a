"""The passwords with which meters are read; what they are is not known here, only where they stand."""

from __future__ import annotations

from collections.abc import Sequence

from meterlink.config import MeterSettings, SecretRef
from meterlink.drivers.passwords import no_password


class Passwords:
    """Where the passwords of a line's meters stand; each is fetched when it is needed, and not kept.

    Args:
        meters: of the line.

    """

    def __init__(self, meters: Sequence[MeterSettings]) -> None:
        self._places = {meter.address: meter.password for meter in meters}

    def of(self, address: str) -> str:
        """The password of a meter.

        Raises:
            ConfigError: none is named, or there is nothing in that place.

        """
        place = self._places[address]
        return SecretRef(place).reveal() if place else no_password(address)
