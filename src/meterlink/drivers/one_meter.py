"""Orders go to one meter: the one check of addresses that every control driver makes first."""

from __future__ import annotations

import re
from typing import Final

from meterlink.errors import NoControl

EVERYBODY: Final = "999999999999"
"""Published tools send trips there, and some meters may obey. Source: fact 6."""
_TWELVE_DIGITS = re.compile(r"[0-9]{12}").fullmatch


def of_one_meter(address: str) -> str:
    """The address, if it is that of one meter.

    Raises:
        NoControl: it is a broadcast, a wildcard, shortened, or none. Source: CTRL-23, fact 6.

    """
    if not _TWELVE_DIGITS(address) or address == EVERYBODY:
        raise NoControl(
            f"address {address!r}: orders and what goes with them go to one meter, by its 12 digits"
        )
    return address
