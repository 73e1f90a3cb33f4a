"""What must be known of one terminal of Q/GDW 1376.1 before anybody talks with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meterlink.errors import ConfigError
from meterlink.model.address import short_area
from meterwire.gdw1376.link.auxiliary import PASSWORD_OCTETS
from meterwire.gdw1376.link.terminal_frame import Address

HEARTBEAT_MIN_DEFAULT: Final = 15
"""Minutes between heartbeats of a terminal whose setting nobody has written down; the longest in common use.
Source: field practice, section 4."""
IDLE_PERIODS: Final = 2
IDLE_MARGIN_S: Final = 60.0
"""A terminal may be silent for so many heartbeat periods, and this. Source: field practice, section 4."""
CARRIER_PORT: Final = 31
"""Port of the carrier module. Source: spec gdw1376, B3, 04 F10."""
FRAME_TIMEOUT_S: Final = 60
"""How long a terminal waits for a meter's answer: usual for carriers. Source: spec gdw1376, B3, AFN 10."""
FRAME_MARGIN_S: Final = 10.0
"""So much longer than the terminal the head-end waits. Source: field practice, section 4."""
REPLY_TIMEOUT_S: Final = 30.0
"""For data that a terminal has in its store: 1 to 5 s over mobile networks, and some."""
UNITS_MAX: Final = 8
"""Most data units that one request names; a published request holds ten. Source: spec gdw1376, B2."""
STORE_WAIT_S: Final = 1_800.0
"""Terminals begin to read last night's freeze at five past midnight, and a thousand meters take their time.
Source: field practice, section 7."""
FRESH_S: Final = 900.0
"""Between two points of the usual curve."""
_NO_PASSWORD: Final = bytes(PASSWORD_OCTETS)


def _zeros() -> bytes:
    return _NO_PASSWORD


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalSettings:
    """One terminal.

    Args:
        name: as lines and logs write it: ``0171-2082``, area code and number; of a wide one the area may have
            six digits.
        wide: its addresses have seven octets.
        master: our number, 0 to 127.
        heartbeat_s: between its heartbeats, seconds.
        password: PW, 16 octets, whenever a command is to be sent; raises ``ConfigError``.
        time_tag_min: requests carry a time tag with this allowed delay in minutes, 0 to 255, 0 for "do not
            judge"; ``None``: they carry none.
        port: to which meters' frames are forwarded, 1 to 31; ``None``: that of the meter in the archive, or
            the carrier's.
        baud_code: of that port, 0 to 7; ``None``: that of the archive, or 2400 bit/s.
        parity: of that port.
        frame_timeout_s: how long the terminal waits for a meter, 1 to 127 s.
        octet_timeout_ms: between two octets of a meter's answer, 10 to 2,550 ms.
        reply_timeout_s: how long we wait for data of the terminal's own.
        units_max: most data units in one request, 1 or more.
        store_wait_s: so long after it is due, data that the terminal lacks is waited for and not asked of the
            meter: the terminal is about to read it itself, seconds.
        fresh_s: a reading that the terminal took longer ago is no value of the moment, seconds.

    """

    name: str
    wide: bool = False
    master: int = 1
    heartbeat_s: float = HEARTBEAT_MIN_DEFAULT * 60.0
    password: Callable[[], bytes] = _zeros
    time_tag_min: int | None = None
    port: int | None = None
    baud_code: int | None = None
    parity: str = "even"
    frame_timeout_s: int = FRAME_TIMEOUT_S
    octet_timeout_ms: int = 100
    reply_timeout_s: float = REPLY_TIMEOUT_S
    units_max: int = UNITS_MAX
    store_wait_s: float = STORE_WAIT_S
    fresh_s: float = FRESH_S

    @property
    def address(self) -> Address:
        """On the wire; the area of a wide one is written with leading zeros."""
        area, number = self.name.split("-")
        return Address(area.zfill(6) if self.wide else area, int(number), self.master)

    @property
    def idle_limit_s(self) -> float:
        """A connection on which it is silent for longer is dead."""
        return IDLE_PERIODS * self.heartbeat_s + IDLE_MARGIN_S

    @property
    def forward_timeout_s(self) -> float:
        """How long we wait for what a meter answers."""
        return self.frame_timeout_s + FRAME_MARGIN_S


def terminal_name(address: Address) -> str:
    """As lines and logs write it: ``0171-2082``, or ``440106-2082`` where four digits do not do."""
    return f"{short_area(address.area)}-{address.terminal}"


def password_of(secret: str) -> bytes:
    """PW as a person writes it: 32 hexadecimal digits, in the order of the wire.

    Raises:
        ConfigError: it is something else; the text is not repeated.

    """
    try:
        octets = bytes.fromhex(secret)
    except ValueError:
        octets = b""
    if len(octets) != PASSWORD_OCTETS:
        raise ConfigError(
            f"the password of a terminal is {2 * PASSWORD_OCTETS} hexadecimal digits",
            f"终端的密码须为 {2 * PASSWORD_OCTETS} 位十六进制数字",
        )
    return octets
