"""A meter's communication address as on its nameplate, 12 decimal digits; a terminal's as it logs in."""

from __future__ import annotations

from meterlink.errors import ConfigError

DIGITS = 12
_AREA_DIGITS = 4
_TERMINAL_DIGITS = 5
_NUMBER_MAX = 0xFFFF


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


def terminal_address(text: str) -> str:
    """Check and complete the address of a terminal.

    Args:
        text: 1 to 12 digits of DL/T 698.45, or ``0171-2082`` of Q/GDW 1376.1: 4 digits of the area (A1), a
            dash, and the terminal (A2), 1 to 65535.

    Raises:
        ConfigError: anything else.

    Source: spec gdw1376, B1; spec dlt698, 1.2.

    """
    area, dash, number = text.partition("-")
    if not dash:
        return meter_address(text)
    is_number = number.isascii() and number.isdecimal() and len(number) <= _TERMINAL_DIGITS
    if not (area.isascii() and area.isdecimal() and len(area) == _AREA_DIGITS and is_number):
        raise ConfigError(
            f"address {text!r}: a terminal of Q/GDW 1376.1 is written 0171-2082: area, dash, number"
        )
    if not 1 <= int(number) <= _NUMBER_MAX:
        raise ConfigError(f"address {text!r}: a terminal's number is 1 to {_NUMBER_MAX}")
    return f"{area}-{int(number)}"
