"""Which of the load records a read asks for: how many, and from when -> the octets behind the identifier.

Source: DL/T 645-2007, 7.2.1 and annex B; spec sections 2.2 (11H), 8.2 and 8.2a.
"""

from __future__ import annotations

from typing import Final

from meterwire.dlt645.items import formats
from meterwire.errors import LocalProtocolError

RECORDS_MAX: Final = 9
"""Most records that are asked for at once: no source tells whether N above 9 is binary or BCD."""

_TIME = formats.parse("YYMMDDhhmm")
_FROM_TIME = 0x01
_CURVES = 0x0610


def takes_selector(di: int) -> bool:
    """Whether an identifier of 2007 stands for load records (06 xx 00 xx) or a curve (06 10 xx xx)."""
    return di >> 24 == 0x06


def wants_time(di: int) -> bool:
    """Whether the records of an identifier are asked for from a time on, and not from an end."""
    return di >> 16 == _CURVES or di & 0xFF == _FROM_TIME


def selector(di: int, *, count: int, since: str = "") -> bytes:
    """The octets behind the identifier: N, or N mm hh DD MM YY.

    Args:
        di: 06 xx xx xx of 2007.
        count: records or points wanted, 1 to 9.
        since: ``YYYY-MM-DD hh:mm`` by the meter's clock: the first one is at that time or after it; empty for
            the oldest or the newest ones, as the identifier says.

    Raises:
        LocalProtocolError: no identifier of records, a count out of range, or a time that is missing, wrong
            or not wanted.

    """
    if not takes_selector(di):
        raise LocalProtocolError(f"{di:08X} stands for one value, not for records")
    if not 1 <= count <= RECORDS_MAX:
        raise LocalProtocolError(f"{count} records: 1 to {RECORDS_MAX} can be asked for at once")
    if wants_time(di) != bool(since):
        wanted = "from a time on" if wants_time(di) else "from the oldest or newest one, without a time"
        raise LocalProtocolError(f"the records of {di:08X} are asked for {wanted}")
    return bytes((count,)) + (_TIME.encode(since) if since else b"")
