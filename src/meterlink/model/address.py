"""A meter's communication address as on its nameplate: 12 decimal digits."""

from __future__ import annotations

from meterlink.errors import ConfigError

DIGITS = 12


def meter_address(text: str) -> str:
    """Check and complete an address; shorter ones get zeros in front.

    Args:
        text: 1 to 12 decimal digits. ``999999999999`` (broadcast) is no meter's address.

    Raises:
        ConfigError: anything else.

    Source: spec dlt645, 1.4.

    """
    if not text.isascii() or not text.isdecimal() or len(text) > DIGITS:
        raise ConfigError(
            f"address {text!r}: a meter's address is up to {DIGITS} decimal digits, as on its nameplate"
        )
    if text == "9" * DIGITS:
        raise ConfigError(f"address {text!r} is the broadcast address: no meter answers to it")
    return text.zfill(DIGITS)
