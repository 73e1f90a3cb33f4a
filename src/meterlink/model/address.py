"""A meter's communication address as on its nameplate, 12 decimal digits; a terminal's as it logs in."""

from __future__ import annotations

from meterlink.errors import ConfigError

DIGITS = 12
BROADCAST = "9" * DIGITS
"""What each meter obeys and none answers to."""
_AREA_DIGITS = 4
_WIDE_AREA_DIGITS = 6
_TERMINAL_DIGITS = 8
_NUMBER_MAX = 0xFFFF
_WIDE_NUMBER_MAX = 0xFFFFFF


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
            f"address {text!r}: a meter's address is up to {DIGITS} decimal digits, as on its nameplate",
            f"通信地址 {text!r}:电表的通信地址至多 {DIGITS} 位十进制数字,与铭牌一致",
        )
    if text == BROADCAST:
        raise ConfigError(
            f"address {text!r} is the broadcast address: no meter answers to it",
            f"{text!r} 是广播地址,没有电表会应答",
        )
    return text.zfill(DIGITS)


def terminal_address(text: str) -> str:
    """Check and complete the address of a terminal.

    Args:
        text: 1 to 12 digits of DL/T 698.45, or ``0171-2082`` of Q/GDW 1376.1: 4 digits of the area (A1), a
            dash, and the terminal (A2), 1 to 65535. Where addresses have seven octets the area may have 6
            digits, ``440106-2082``, and the number be up to 16777215: see ``is_wide``.

    Raises:
        ConfigError: anything else.

    Source: spec gdw1376, B1; spec dlt698, 1.2.

    """
    area, dash, number = text.partition("-")
    if not dash:
        return meter_address(text)
    is_number = number.isascii() and number.isdecimal() and len(number) <= _TERMINAL_DIGITS
    is_area = area.isascii() and area.isdecimal() and len(area) in (_AREA_DIGITS, _WIDE_AREA_DIGITS)
    if not (is_area and is_number):
        raise ConfigError(
            f"address {text!r}: a terminal of Q/GDW 1376.1 is written 0171-2082: area, dash, number",
            f"地址 {text!r}:Q/GDW 1376.1 终端写作 0171-2082,即区划码、短横、终端地址",
        )
    if not 1 <= int(number) <= _WIDE_NUMBER_MAX:
        raise ConfigError(
            f"address {text!r}: a terminal's number is 1 to {_NUMBER_MAX}, of one whose addresses have seven "
            f"octets 1 to {_WIDE_NUMBER_MAX}",
            f"地址 {text!r}:终端地址须为 1 至 {_NUMBER_MAX},七字节地址的终端为 1 至 {_WIDE_NUMBER_MAX}",
        )
    if area != (short := short_area(area)):
        raise ConfigError(
            f"address {text!r}: write {short}-{int(number)}, without the zeros of the area",
            f"地址 {text!r}:请写 {short}-{int(number)},去掉区划码前面的 0",
        )
    return f"{area}-{int(number)}"


def is_wide(terminal: str) -> bool:
    """Whether a terminal of Q/GDW 1376.1 can only have an address of seven octets.

    Args:
        terminal: as from ``terminal_address``, with a dash.

    Source: spec gdw1376, B1.

    """
    area, _, number = terminal.partition("-")
    return len(area) == _WIDE_AREA_DIGITS or int(number) > _NUMBER_MAX


def short_area(area: str) -> str:
    """An area as it is written: four digits, six only where four do not do.

    Args:
        area: 4 digits, or 6 as addresses of seven octets have them.

    """
    zeros = "0" * (_WIDE_AREA_DIGITS - _AREA_DIGITS)
    is_long = len(area) == _WIDE_AREA_DIGITS and area.startswith(zeros)
    return area[len(zeros) :] if is_long else area
