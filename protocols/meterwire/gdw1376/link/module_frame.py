"""Frame of 1376.2: octets on the wire <-> ``Frame``.

``68H | L(2) | C | R(6) | A | AFN | DT(2) | data | CS | 16H``; L counts the whole frame. The construct
declaration (``declarations``) is the reference in both directions; ``encode`` and ``decode`` are the
hand-written fast path beside it, and a property test holds them equal. Reserved bits of R are rubbish with
real modules: they are read as nothing and sent as 0.
Source: spec section A2.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.gdw1376.link import unit_ids
from meterwire.gdw1376.link.envelope import END, START, TAIL_OCTETS, good_end, tail_fault
from meterwire.primitives import bcd
from meterwire.primitives.checksum import sum8

OVERHEAD_OCTETS: Final = 15
"""Octets of a frame without addresses and data."""
HEAD_OCTETS: Final = 3
"""68H and L."""
FRAME_OCTETS_MAX: Final = 0xFFFF
"""Longest frame that L can say."""
ADDRESS_OCTETS: Final = 6
INFO_OCTETS: Final = 6
"""Octets of R."""
_START: Final = bytes((START,))
RELAYS_MAX: Final = 15

MODE_NARROW: Final = 1
MODE_NARROW_DISTRIBUTED: Final = 2
MODE_BROADBAND: Final = 3
MODE_RADIO: Final = 10
MODE_ETHERNET: Final = 20
"""What carries the frames behind the module (C, bits 0-5)."""
BROADCAST: Final = "999999999999"


class DownInfo(NamedTuple):
    """R of a frame to the module.

    Args:
        sequence: number of the exchange, 0..255.
        bypass: do not use the module's routing.
        attached: the slave has attached nodes, listed in the data.
        collision: do collision detection.
        channel: 0 any, 1..15.
        coding: error coding, 0 none, 1 RS.
        answer_octets: expected length of the answer, 0..255; 0 = default delay.
        rate: 0..32767; 0 = default.
        kilobits: ``rate`` is in kbit/s, otherwise bit/s.
        relay_level: 0..15, in a frame without addresses; where there are addresses, their relays count.

    """

    sequence: int
    bypass: bool = False
    attached: bool = False
    collision: bool = False
    channel: int = 0
    coding: int = 0
    answer_octets: int = 0
    rate: int = 0
    kilobits: bool = False
    relay_level: int = 0


class UpInfo(NamedTuple):
    """R of a frame from the module.

    Args:
        sequence: number of the exchange, 0..255; that of the request.
        bypass: route flag.
        relay_level: 0..15, information only.
        channel: 0..15.
        phase: 0 unknown, 1, 2, 3.
        meter_channel: 1 single-phase 1 channel, 2 single-phase 2, 3 single-phase 3, 4 three-phase 3.
        command_quality: of the last hop, 1 worst .. 15 best, 0 none.
        answer_quality: the same, of the answer.
        event: an event is waiting.

    """

    sequence: int
    bypass: bool = False
    relay_level: int = 0
    channel: int = 0
    phase: int = 0
    meter_channel: int = 0
    command_quality: int = 0
    answer_quality: int = 0
    event: bool = False


class Addresses(NamedTuple):
    """A: who sends, over whom, to whom; 12 digits each, highest first.

    Args:
        source: going down the main node, coming up the meter.
        destination: going down the meter, coming up the main node.
        relays: going down only, at most 15.

    """

    source: str
    destination: str
    relays: tuple[str, ...] = ()


class Frame(NamedTuple):
    """One frame.

    Args:
        info: R; its kind says the direction.
        afn: application function code, 0..255.
        dt: DT1 and DT2 as sent.
        data: may hold a meter's frame with a password, so ``repr`` leaves it out.
        started: PRM, the sender began this exchange.
        addresses: A; ``None`` for a frame to or from the main node itself.
        mode: 0..63, e.g. 3 = broadband carrier.

    """

    info: DownInfo | UpInfo
    afn: int
    dt: bytes
    data: bytes = b""
    started: bool = True
    addresses: Addresses | None = None
    mode: int = MODE_BROADBAND

    def __repr__(self) -> str:
        """All but the data."""
        shown = [f"{name}={getattr(self, name)!r}" for name in self._fields if name != "data"]
        return f"Frame({', '.join(shown)}, {len(self.data)} octets)"

    @property
    def from_module(self) -> bool:
        """DIR."""
        return isinstance(self.info, UpInfo)

    @property
    def fn(self) -> int:
        """The function that DT names; 0 where it names none or several."""
        named = unit_ids.functions_of(self.dt)
        return named[0] if len(named) == 1 else 0


def encode(frame: Frame) -> bytes:
    """Octets of one frame.

    Args:
        frame: what to send.

    Raises:
        LocalProtocolError: a field outside its range, or more than fits into one frame.

    """
    _check(frame)
    relays = frame.addresses.relays if frame.addresses else ()
    size = OVERHEAD_OCTETS + len(frame.data)
    if frame.addresses is not None:
        size += ADDRESS_OCTETS * (2 + len(relays))
    if size > FRAME_OCTETS_MAX:
        raise LocalProtocolError(f"the frame has {size} octets, the limit is {FRAME_OCTETS_MAX}")
    covered = b"".join(
        (
            bytes((frame.from_module << 7 | frame.started << 6 | frame.mode,)),
            _info_octets(frame.info, frame.addresses),
            *_address_octets(frame.addresses),
            bytes((frame.afn,)),
            frame.dt,
            frame.data,
        )
    )
    return b"".join((_START, size.to_bytes(2, "little"), covered, bytes((sum8(covered), END))))


def _info_octets(info: DownInfo | UpInfo, addresses: Addresses | None) -> bytes:
    """R."""
    has_addresses = (addresses is not None) << 2
    if isinstance(info, UpInfo):
        flags = info.relay_level << 4 | has_addresses | info.bypass
        phase = info.meter_channel << 4 | info.phase
        quality = info.answer_quality << 4 | info.command_quality
        return bytes((flags, info.channel, phase, quality, info.event, info.sequence))
    level = info.relay_level if addresses is None else len(addresses.relays)
    flags = level << 4 | info.collision << 3 | has_addresses | info.attached << 1 | info.bypass
    rate = info.kilobits << 15 | info.rate
    channel = info.coding << 4 | info.channel
    return bytes((flags, channel, info.answer_octets, rate & 0xFF, rate >> 8, info.sequence))


def _address_octets(addresses: Addresses | None) -> list[bytes]:
    """A, address by address."""
    if addresses is None:
        return []
    return [bcd.octets(one) for one in (addresses.source, *addresses.relays, addresses.destination)]


def _check(frame: Frame) -> None:
    info = frame.info
    limits = {"sequence": 255, "channel": 15, "relay_level": 15}
    if isinstance(info, UpInfo):
        limits |= {"phase": 15, "meter_channel": 15}
        limits |= {"command_quality": 15, "answer_quality": 15}
    else:
        limits |= {"coding": 15, "answer_octets": 255, "rate": 0x7FFF}
    ranges = [(getattr(info, name), most, name) for name, most in limits.items()]
    for value, most, name in [*ranges, (frame.afn, 255, "AFN"), (frame.mode, 63, "mode")]:
        if not 0 <= value <= most:
            raise LocalProtocolError(f"{name} {value} is outside 0..{most}")
    if len(frame.dt) != 2:
        raise LocalProtocolError("DT has two octets")
    if frame.addresses is not None:
        _check_addresses(frame.addresses, frame.from_module)


def _check_addresses(addresses: Addresses, from_module: bool) -> None:
    most = 0 if from_module else RELAYS_MAX
    if len(addresses.relays) > most:
        raise LocalProtocolError(f"there are {len(addresses.relays)} relays, the limit is {most}")
    for address in (addresses.source, addresses.destination, *addresses.relays):
        if len(address) != 2 * ADDRESS_OCTETS:
            raise LocalProtocolError(f"address {address!r} is not 12 digits; pad it with leading 0")


def decode(octets: bytes) -> Frame:
    """Parse exactly one frame.

    Raises:
        RemoteProtocolError: ``kind`` says what is wrong: ``"no-frame"``, ``"truncated"``, ``"length"``,
            ``"end"`` or ``"checksum"``; ``offset`` says where.

    """
    if frame_end(octets, 0) != len(octets) or len(octets) < OVERHEAD_OCTETS + address_octets(octets, 0):
        raise fault(octets)
    control, at = octets[3], HEAD_OCTETS + 1 + INFO_OCTETS
    is_up = control & 0x80 != 0
    inner = None
    if size := address_octets(octets, 0):
        source, *relays, destination = (
            bcd.digits(octets[first : first + ADDRESS_OCTETS])
            for first in range(at, at + size, ADDRESS_OCTETS)
        )
        inner, at = Addresses(source, destination, tuple(relays)), at + size
    info = octets[4 : 4 + INFO_OCTETS]
    return Frame(
        info=_up_info(info) if is_up else _down_info(info),
        afn=octets[at],
        dt=octets[at + 1 : at + 3],
        data=octets[at + 3 : -TAIL_OCTETS],
        started=control & 0x40 != 0,
        addresses=inner,
        mode=control & 0x3F,
    )


def _down_info(octets: bytes) -> DownInfo:
    flags, channel, answer_octets, low, high, sequence = octets
    return DownInfo(
        sequence=sequence,
        bypass=flags & 1 != 0,
        attached=flags & 2 != 0,
        collision=flags & 8 != 0,
        channel=channel & 0x0F,
        coding=channel >> 4,
        answer_octets=answer_octets,
        rate=(high & 0x7F) << 8 | low,
        kilobits=high & 0x80 != 0,
        relay_level=0 if flags & 4 else flags >> 4,
    )


def _up_info(octets: bytes) -> UpInfo:
    flags, channel, phase, quality, event, sequence = octets
    return UpInfo(
        sequence=sequence,
        bypass=flags & 1 != 0,
        relay_level=flags >> 4,
        channel=channel & 0x0F,
        phase=phase & 0x0F,
        meter_channel=phase >> 4,
        command_quality=quality & 0x0F,
        answer_quality=quality >> 4,
        event=event & 1 != 0,
    )


def address_octets(octets: bytes | bytearray, start: int) -> int:
    """Octets of A in the frame that begins at ``start``, by its R."""
    control, flags = octets[start + 3], octets[start + 4]
    if not flags & 4:
        return 0
    return ADDRESS_OCTETS * (2 + (0 if control & 0x80 else flags >> 4))


def data_at(octets: bytes, start: int) -> int:
    """Index of the first octet of the data in a good frame."""
    return start + OVERHEAD_OCTETS - 2 + address_octets(octets, start)


# --- what a deframer asks ----------------------------------------------------------------------


def frame_size(octets: bytes | bytearray, start: int) -> int:
    """Octets of the frame whose head stands at ``start``; 0 when that is no head."""
    size = octets[start + 1] | octets[start + 2] << 8
    return size if size >= OVERHEAD_OCTETS else 0


def frame_end(octets: bytes, start: int) -> int:
    """Index after the good frame that begins at ``start``; -1 when none does."""
    if len(octets) < start + HEAD_OCTETS or octets[start] != START:
        return -1
    return good_end(octets, start, HEAD_OCTETS, frame_size(octets, start))


# --- refusals ----------------------------------------------------------------------------------


def fault(octets: bytes) -> RemoteProtocolError:
    """Say why ``octets`` are not exactly one frame, looking at the first 68H."""
    start = max(octets.find(START), 0)
    kind, offset, sentence = _head_fault(octets, start) or _body_fault(octets, start)
    return RemoteProtocolError(sentence, kind=kind, octets=octets, offset=offset)


def _head_fault(octets: bytes, start: int) -> tuple[str, int, str] | None:
    size = len(octets) - start
    if not octets or octets[start] != START:
        return "no-frame", 0, "there is no start octet 68H"
    if size < HEAD_OCTETS:
        return "truncated", len(octets), f"the head ends after {size} of {HEAD_OCTETS} octets"
    asked = octets[start + 1] | octets[start + 2] << 8
    if asked < OVERHEAD_OCTETS:
        return "length", start + 1, f"L is {asked}, the shortest frame has {OVERHEAD_OCTETS} octets"
    if size < asked:
        return "truncated", len(octets), f"L asks for {asked} octets, there are {size}"
    return None


def _body_fault(octets: bytes, start: int) -> tuple[str, int, str]:
    asked = frame_size(octets, start)
    end = start + asked
    if (wrong := tail_fault(octets, start, HEAD_OCTETS, end)) is not None:
        return wrong
    if asked < OVERHEAD_OCTETS + address_octets(octets, start):
        return (
            "length",
            start + 1,
            f"L is {asked}: too small for the addresses that R announces",
        )
    return "length", end, f"{len(octets) - asked} octets stand around the frame"
