"""What a frame says: frozen messages <-> ``Frame``.

Roles are data: both the head-end's requests and the meter's replies are built and read here. Reads and
refusals stand here, all else in the modules beside this one (``command`` says what they share).
Source: DL/T 645-2007, 7.1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from meterwire.dlt645.items import bit_words
from meterwire.dlt645.link.frame import BROADCAST, Frame, goes_to_many, made
from meterwire.dlt645.link.functions import (
    CONTROL,
    DI_OCTETS,
    READ,
    READ_1997,
    READ_AGAIN_1997,
    READ_FOLLOWING,
    READ_FOLLOWING_1997,
    SECURITY,
    Edition,
)
from meterwire.dlt645.link.functions import edition as edition_of
from meterwire.dlt645.messages.command import Command
from meterwire.dlt645.messages.command_codec import (
    address_kind,
    command_from_frame,
    command_to_frame,
    kind_of,
)
from meterwire.errors import LocalProtocolError, RemoteProtocolError

_READ: dict[Edition, int] = {"dlt645-2007": READ, "dlt645-1997": READ_1997}
_FOLLOWING: dict[Edition, int] = {"dlt645-2007": READ_FOLLOWING, "dlt645-1997": READ_FOLLOWING_1997}
SEQUENCE_MAX: Final = 255
"""Largest number of a following piece; 1 comes after it."""
_FROM_METER: Final = 0x80
_MORE: Final = 0xA0
"""Of the control octet of an answer: D7, with D5 where more can be asked for."""
_SELECTOR_OCTETS = (0, 1, 6)  # nothing; N blocks; N blocks from mm hh DD MM YY


class ReadRequest(NamedTuple):
    """Head-end: read one data identifier (11H).

    It and its answer are the commonest messages by far, and so ``NamedTuple`` as frames are.

    Args:
        address: 12 digits; high digits may be ``A`` (shortened addressing).
        di: data identifier, e.g. 0x00010000.
        selector: load records only: N (1 octet), or N and a time mm hh DD MM YY (6 octets).

    """

    address: str
    di: int
    selector: bytes = b""


class ReadReply(NamedTuple):
    """Meter: the data of one identifier (91H, or B1H with ``has_following``).

    Some meters give a password when asked for it, so ``repr`` leaves the data out.
    """

    address: str
    di: int
    data: bytes
    has_following: bool = False

    def __repr__(self) -> str:
        """All but the data."""
        address, di, _, has_following = self
        return f"ReadReply({address=}, {di=}, {has_following=})"


_new_tuple = tuple.__new__
"""What a NamedTuple's own constructor ends in, without the way there."""
_di_of = struct.Struct("<I").unpack_from


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFollowingRequest:
    """Head-end: the next piece of an answer that had ``has_following`` (12H).

    Args:
        address: the meter's own address.
        di: the identifier first asked for, every time the same.
        sequence: 1 for the first following frame, then 2, ... 255.
        selector: load records of one make only: the octets of the request again.

    """

    address: str
    di: int
    sequence: int
    selector: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFollowingReply:
    """Meter: one following piece and its number (92H, or B2H with ``has_following``); 0 in 1997."""

    address: str
    di: int
    data: bytes = field(repr=False)
    sequence: int
    has_following: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAgainReply:
    """Meter, 1997 only: its last answer again (83H, or A3H with ``has_following``)."""

    address: str
    di: int
    data: bytes = field(repr=False)
    has_following: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AbnormalReply:
    """Meter: a refusal of the request with the same function code.

    Args:
        address: the meter's address.
        function: function code of the refused request, 0..31.
        error_word: its octets as sent, unmasked, lowest first; one octet but for 03H and 1CH.

    """

    address: str
    function: int
    error_word: bytes

    def __repr__(self) -> str:
        """All of it; of an error word that is too long for one only its length."""
        size = len(self.error_word)
        word = repr(self.error_word) if size <= bit_words.WORD_OCTETS_MAX else f"<{size} octets>"
        return f"AbnormalReply(address={self.address!r}, function={self.function!r}, error_word={word})"

    @property
    def word(self) -> str:
        """Which word of ``bit_words.csv`` it is, by function and length; empty for a vendor's layout."""
        if len(self.error_word) == 1:
            return "err_1997" if edition_of(self.function) == "dlt645-1997" else "err_2007"
        words = {SECURITY: "serr", CONTROL: "control_error"}
        return words.get(self.function, "") if len(self.error_word) == 2 else ""

    @property
    def bits(self) -> tuple[str, ...]:
        """Names of the bits that are set, lowest first."""
        return tuple(bit.name for bit in bit_words.bits_set(self.word, self.error_word))

    def sentence(self, language: bit_words.Language = "en") -> str:
        """What the meter said, for an operator."""
        return bit_words.sentence(self.word, self.error_word, language)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherMessage:
    """A frame that none of the other messages covers, as it stands."""

    frame: Frame

    @property
    def address(self) -> str:
        """The meter's address."""
        return self.frame.address


Message = (
    ReadRequest
    | ReadReply
    | ReadFollowingRequest
    | ReadFollowingReply
    | ReadAgainReply
    | AbnormalReply
    | Command
    | OtherMessage
)


def to_frame(message: Message, edition: Edition = "dlt645-2007") -> Frame:
    """The frame that carries ``message``.

    Args:
        message: a request or a reply.
        edition: whose function codes and identifiers; a 1997 identifier has 4 digits.

    Raises:
        LocalProtocolError: a field outside its range, or a message that must not be sent so.

    """
    if isinstance(message, ReadReply):
        address, di, data, more = message
        return made(
            address, _READ[edition] | (_MORE if more else _FROM_METER), _di_octets(di, edition) + data
        )
    if isinstance(message, ReadRequest):
        address, di, selector = message
        if address == BROADCAST and edition == "dlt645-2007":
            raise LocalProtocolError(f"a read must not go to address {address}: nobody answers it")
        if selector and len(selector) not in _SELECTOR_OCTETS:
            raise LocalProtocolError(f"a selector has 0, 1 or 6 octets, not {len(selector)}")
        return made(address, _READ[edition], _di_octets(di, edition) + selector)
    match message:
        case ReadFollowingRequest(address=address, selector=selector):
            if edition == "dlt645-2007" and goes_to_many(address):
                raise LocalProtocolError(f"following data is asked of one meter, not of address {address}")
            data = _di_octets(message.di, edition) + selector + _sequence_octets(message.sequence, edition)
            return Frame(address=address, function=_FOLLOWING[edition], data=data)
        case ReadFollowingReply(address=address, has_following=more):
            data = _di_octets(message.di, edition) + message.data
            data += _sequence_octets(message.sequence, edition)
            return _answer(address, _FOLLOWING[edition], data, more)
        case _:
            return _other_frame(message, edition)


def _unknown_frame(frame: Frame, edition: Edition) -> Frame:
    """Nobody knows what an unknown request does, so it may go to one meter; a known one is none."""
    if not frame.from_meter and address_kind(frame.address) != "single":
        sentence = f"function {frame.function:02X}H must not go to address {frame.address}"
        raise LocalProtocolError(sentence)
    known = None if frame.from_meter else kind_of(frame, edition)
    if known is not None:
        raise LocalProtocolError(f"function {frame.function:02X}H is no unknown one; build {known.__name__}")
    return frame


def _other_frame(message: ReadAgainReply | AbnormalReply | Command | OtherMessage, edition: Edition) -> Frame:
    if isinstance(message, OtherMessage):
        return _unknown_frame(message.frame, edition)
    if isinstance(message, Command):
        return command_to_frame(message, edition)
    if isinstance(message, ReadAgainReply):
        if edition != "dlt645-1997":
            raise LocalProtocolError(f"{edition} has no ReadAgainReply")
        data = _di_octets(message.di, edition) + message.data
        return _answer(message.address, READ_AGAIN_1997, data, message.has_following)
    return Frame(
        address=message.address,
        function=message.function,
        data=message.error_word,
        from_meter=True,
        abnormal=True,
    )


def from_frame(frame: Frame, hint: Edition = "dlt645-2007") -> Message:
    """The message that ``frame`` carries.

    Args:
        frame: of either edition; the function code tells which.
        hint: the edition of the two codes that both have (03H, 08H).

    Raises:
        RemoteProtocolError: the data does not fit the function; ``kind`` is ``"length"``.

    """
    address, function, data, from_meter, abnormal, has_following = frame
    if function == READ and len(data) >= 4:
        if not from_meter:
            return _new_tuple(ReadRequest, (address, *_di_of(data), data[4:]))
        if not abnormal:
            return _new_tuple(ReadReply, (address, *_di_of(data), data[4:], has_following))
    if frame.abnormal and frame.from_meter:
        if not data:
            raise _too_short(frame, "an error word")
        return AbnormalReply(address=frame.address, function=frame.function, error_word=frame.data)
    of = edition_of(frame.function, hint)
    again = of == "dlt645-1997" and frame.function == READ_AGAIN_1997 and frame.from_meter
    if frame.function in {_READ[of], _FOLLOWING[of]} or again:
        return _read(frame, of)
    if (kind := kind_of(frame, of)) is not None:
        return command_from_frame(frame, of, kind)
    return OtherMessage(frame=frame)


def _read(frame: Frame, edition: Edition) -> Message:
    size = DI_OCTETS[edition]
    if len(frame.data) < size:
        raise _too_short(frame, f"a data identifier of {size} octets")
    di, rest = int.from_bytes(frame.data[:size], "little"), frame.data[size:]
    following = frame.function == _FOLLOWING[edition]
    numbered = following and edition == "dlt645-2007"
    if numbered and not rest:
        raise _too_short(frame, "a sequence number")
    sequence, data = (rest[-1], rest[:-1]) if numbered else (0, rest)
    address, more = frame.address, frame.has_following
    if frame.from_meter:
        if following:
            return ReadFollowingReply(
                address=address, di=di, data=data, sequence=sequence, has_following=more
            )
        kind = ReadReply if frame.function == _READ[edition] else ReadAgainReply
        return kind(address=address, di=di, data=data, has_following=more)
    if following:
        return ReadFollowingRequest(address=address, di=di, sequence=sequence, selector=data)
    return ReadRequest(address=address, di=di, selector=data)


def _answer(address: str, function: int, data: bytes, has_following: bool) -> Frame:
    return Frame(address=address, function=function, data=data, from_meter=True, has_following=has_following)


def _di_octets(di: int, edition: Edition) -> bytes:
    try:
        return di.to_bytes(DI_OCTETS[edition], "little")
    except OverflowError:
        sentence = f"data identifier {di:#x} does not fit {DI_OCTETS[edition]} octets"
        raise LocalProtocolError(sentence) from None


def next_sequence(sequence: int) -> int:
    """The number of the piece after ``sequence``: 1 after the first answer, which has none, and after 255.

    Args:
        sequence: 0 for the first answer, else 1 to 255.

    Source: spec section 2.2, 12H.

    """
    return sequence % SEQUENCE_MAX + 1


def _sequence_octets(sequence: int, edition: Edition) -> bytes:
    if edition == "dlt645-1997":
        return b""
    if not 1 <= sequence <= SEQUENCE_MAX:
        raise LocalProtocolError(f"sequence {sequence} is outside 1..{SEQUENCE_MAX}")
    return bytes((sequence,))


def _too_short(frame: Frame, what: str) -> RemoteProtocolError:
    sentence = f"the DATA of {frame.control:02X}H has {len(frame.data)} octets, too few for {what}"
    return RemoteProtocolError(sentence, kind="length", octets=frame.data, offset=len(frame.data))
