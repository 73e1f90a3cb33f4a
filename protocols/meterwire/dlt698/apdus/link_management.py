"""LINK and ERROR: login, heartbeat and logout of a terminal; an APDU that cannot be served.

Source: spec sections 3.2 and 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from meterwire.dlt698.apdus.parts import Declared, FollowReport, Piid, TimeTag, apdu
from meterwire.dlt698.axdr.coding import Number
from meterwire.dlt698.axdr.values import DateTime, LongUnsigned, Unsigned


class LinkResult(int):
    """How a LINK-Request was taken."""

    __slots__ = ()

    @classmethod
    def of(cls, code: int, *, clock_trusted: bool) -> LinkResult:
        """From its parts; code 0 ok, 1 address duplicate, 2 illegal device, 3 capacity exceeded."""
        return cls(clock_trusted << 7 | code)

    @property
    def clock_trusted(self) -> bool:
        """Bit 7: the client's clock is trustworthy."""
        return self >= 0x80

    @property
    def code(self) -> int:
        """Bits 0 to 2."""
        return self & 7


@apdu(0x01)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LinkRequest(Declared):
    """From a server (terminal) that dialled in.

    Args:
        piid: PIID-ACD.
        type: 0 login, 1 heartbeat, 2 logout.
        heartbeat_s: seconds between heartbeats.
        time: the server's clock.

    """

    piid: Piid
    type: Unsigned
    heartbeat_s: LongUnsigned
    time: DateTime


@apdu(0x81)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LinkResponse(Declared):
    """From the client; with the four times a server can compute offset and delay.

    Args:
        piid: as in the request.
        result: see ``LinkResult``.
        request_time: copied from the request.
        receive_time: when the client got it.
        response_time: when the client answers.

    """

    piid: Piid
    result: Annotated[LinkResult, Number("B")]
    request_time: DateTime
    receive_time: DateTime
    response_time: DateTime


@apdu(0x6E)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ClientErrorResponse(Declared):
    """From a client: 1 the APDU cannot be parsed, 2 the service is not supported, 255 other."""

    piid: Piid
    error: Unsigned
    time_tag: TimeTag | None = None


@apdu(0xEE)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ServerErrorResponse(Declared):
    """From a server: 1 the APDU cannot be parsed, 2 the service is not supported, 255 other."""

    piid: Piid
    error: Unsigned
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None
