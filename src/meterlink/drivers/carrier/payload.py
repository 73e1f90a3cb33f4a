"""What goes through a module: the meter's own frames, taken apart as far as the module has to know.

The module wants the address of the meter and the kind of its protocol; whether a frame may be sent again
when the module denied it (a read may, nothing else: decision 22) is seen here too. Coming back, a payload may
hold FEH or another octet in front of the frame, and several frames with FEH between.
Source: spec gdw1376, A5, A12 and A14; field practice, section 9.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from meterlink.errors import ReplyTimeout
from meterlink.model.protocols import MeterProtocol
from meterwire.dlt645.link import frame as frame645
from meterwire.dlt645.link.functions import READS
from meterwire.dlt645.messages.secrets import secret_ranges as secret_ranges_645
from meterwire.dlt698.apdus.secret_ranges import secret_ranges as secret_ranges_698
from meterwire.dlt698.link import frame as frame698
from meterwire.dlt698.link.address import AddressKind
from meterwire.dlt698.link.deframer import Deframer as Deframer698
from meterwire.primitives.ranges import Ranges

CODES: Final[dict[MeterProtocol, int]] = {"dlt645-1997": 1, "dlt645-2007": 2, "dlt698.45": 3}
"""The protocols that a module carries, with their octet; of 698.45 see ``CarrierSettings.dlt698_code``."""
FRAMES_MAX: Final = 16
"""Frames of one payload that are looked at; a request holds one, seldom a few."""
OCTETS_MAX: Final = 4_096
"""Longest payload that is taken; a module takes frames of some 2,048."""
_GET_REQUEST: Final = 5
_DIGITS: Final = 12
_NOT_ONE: Final = "address {} is not that of one meter: a carrier module carries no such frame"


class Outgoing(NamedTuple):
    """What a driver wants to send to a meter.

    Args:
        address: of the meter, 12 digits.
        frames: whole frames, without FEH before them; 1 or more.
        is_698: frames of DL/T 698.45, otherwise of DL/T 645.
        is_read: only reads: the module may be given them again.

    """

    address: str
    frames: tuple[bytes, ...]
    is_698: bool
    is_read: bool

    def __repr__(self) -> str:
        """All but the frames, which may hold a password."""
        return f"Outgoing({self.address}, {len(self.frames)} frames, is_read={self.is_read})"


def outgoing(octets: bytes) -> Outgoing:
    """Take what a driver sends apart.

    Args:
        octets: one or several whole frames for one meter.

    Raises:
        ReplyTimeout: it is for no single meter, or no frame that a module could carry; nobody will answer.

    """
    found = _outgoing_698(octets) or _outgoing_645(octets)
    if found is None:
        raise ReplyTimeout("a carrier module carries frames of DL/T 645 and DL/T 698.45, to one meter each")
    return found


def incoming(octets: bytes, *, is_698: bool) -> bytes:
    """The good frames of a payload, one behind the other; all of it where none is good.

    Args:
        octets: from the module.
        is_698: frames of DL/T 698.45 are expected.

    """
    found = _frames_698(octets) if is_698 else frames_645(octets)
    return b"".join(found[:FRAMES_MAX]) or octets[:OCTETS_MAX]


def address_in(octets: bytes) -> str:
    """Whose frame a payload begins with, 12 digits; empty where there is none, or of no single meter."""
    if frames := _frames_698(octets):
        address = frame698.decode(frames[0]).server.device_digits.lstrip("0").zfill(_DIGITS)
    elif frames := frames_645(octets):
        address = frame645.decode(frames[0]).address
    else:
        return ""
    return address if address.isdecimal() and len(address) == _DIGITS else ""


def inner_secrets(octets: bytes) -> Ranges:
    """The secret octets of a payload of either protocol; what is neither is secret as a whole."""
    if not octets:
        return ()
    if _frames_698(octets):
        return secret_ranges_698(octets)
    if frames_645(octets):
        return secret_ranges_645(octets)
    return ((0, len(octets)),)


def _outgoing_698(octets: bytes) -> Outgoing | None:
    frames = _frames_698(octets)
    found = [frame698.decode(one) for one in frames]
    addresses = {one.server.device_digits.lstrip("0").zfill(_DIGITS) for one in found}
    if not found or len(found) > FRAMES_MAX or len(addresses) != 1:
        return None
    address = addresses.pop()
    single = all(one.server.kind is AddressKind.SINGLE for one in found)
    if not single or not address.isdecimal() or len(address) != _DIGITS:
        raise ReplyTimeout(_NOT_ONE.format(address))
    is_read = all(not one.segmented and one.user_data[:1] == bytes((_GET_REQUEST,)) for one in found)
    return Outgoing(address, tuple(frames), True, is_read)


def _outgoing_645(octets: bytes) -> Outgoing | None:
    frames = frames_645(octets)
    found = [frame645.decode(one) for one in frames]
    addresses = {one.address for one in found}
    if not found or len(found) > FRAMES_MAX or len(addresses) != 1:
        return None
    address = addresses.pop()
    if not address.isdecimal() or frame645.goes_to_many(address):
        raise ReplyTimeout(_NOT_ONE.format(address))
    is_read = all(one.function in READS for one in found)
    return Outgoing(address, tuple(frames), False, is_read)


def frames_645(octets: bytes) -> list[bytes]:
    """Whole good frames of DL/T 645, cut out as they stand: a meter may send more than we may build."""
    found = []
    start = octets.find(frame645.START)
    while start >= 0:
        end = frame645.frame_end(octets, start)
        if end > 0:
            found.append(octets[start:end])
        start = octets.find(frame645.START, end if end > 0 else start + 1)
    return found


def _frames_698(octets: bytes) -> list[bytes]:
    return [one.octets for one in Deframer698().feed_found(octets)]
