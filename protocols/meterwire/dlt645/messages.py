"""What a frame says: frozen messages <-> ``Frame``.

Roles are data: both the head-end's requests and the meter's replies are built and read here.
Source: DL/T 645-2007, 7.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from meterwire.dlt645 import error_word as words
from meterwire.dlt645.frame import Frame
from meterwire.dlt645.functions import READ, READ_FOLLOWING
from meterwire.errors import LocalProtocolError, RemoteProtocolError

_new_object = object.__new__
_DI_OCTETS = 4
_SELECTOR_OCTETS = (0, 1, 6)  # nothing; N blocks; N blocks from mm hh DD MM YY


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest:
    """Head-end: read one data identifier (11H).

    Args:
        address: 12 digits; high digits may be ``A`` (shortened addressing).
        di: data identifier, e.g. 0x00010000.
        selector: load records only: N (1 octet), or N and a time mm hh DD MM YY (6 octets).

    """

    address: str
    di: int
    selector: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadReply:
    """Meter: the data of one identifier (91H, or B1H with ``has_following``)."""

    address: str
    di: int
    data: bytes
    has_following: bool = False


_put_address, _put_di, _put_data, _put_has_following = (
    ReadReply.__dict__[name].__set__ for name in ("address", "di", "data", "has_following")
)


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
    """Meter: one following piece and its number (92H, or B2H with ``has_following``)."""

    address: str
    di: int
    data: bytes
    sequence: int
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

    @property
    def bits(self) -> tuple[str, ...]:
        """Names of the bits that are set, lowest first; empty when the word has a vendor's layout."""
        return tuple(bit.name for bit in words.bits_set(self.error_word)) if self._is_err else ()

    def sentence(self, language: words.Language = "en") -> str:
        """What the meter said, for an operator."""
        return words.sentence(self.error_word, language, words.READ_ERROR_BITS if self._is_err else ())

    @property
    def _is_err(self) -> bool:
        return len(self.error_word) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherMessage:
    """A frame that none of the other messages covers, as it stands."""

    frame: Frame

    @property
    def address(self) -> str:
        """The meter's address."""
        return self.frame.address


Message = ReadRequest | ReadReply | ReadFollowingRequest | ReadFollowingReply | AbnormalReply | OtherMessage


def to_frame(message: Message) -> Frame:
    """The frame that carries ``message``.

    Raises:
        LocalProtocolError: a field outside its range.

    """
    match message:
        case ReadRequest(address=address, selector=selector):
            if len(selector) not in _SELECTOR_OCTETS:
                raise LocalProtocolError(f"a selector has 0, 1 or 6 octets, not {len(selector)}")
            return Frame(address=address, function=READ, data=_di_octets(message.di) + selector)
        case ReadReply(address=address, data=data, has_following=more):
            return _answer(address, READ, _di_octets(message.di) + data, more)
        case ReadFollowingRequest(address=address, di=di, sequence=sequence, selector=selector):
            data = _di_octets(di) + selector + _sequence_octet(sequence)
            return Frame(address=address, function=READ_FOLLOWING, data=data)
        case ReadFollowingReply(address=address, di=di, sequence=sequence, has_following=more):
            data = _di_octets(di) + message.data + _sequence_octet(sequence)
            return _answer(address, READ_FOLLOWING, data, more)
        case AbnormalReply(address=address, function=function, error_word=word):
            return Frame(address=address, function=function, data=word, from_meter=True, abnormal=True)
        case OtherMessage(frame=frame):
            return frame


def from_frame(frame: Frame) -> Message:
    """The message that ``frame`` carries.

    Raises:
        RemoteProtocolError: the data does not fit the function; ``kind`` is ``"length"``.

    """
    data = frame.data
    if frame.function == READ and frame.from_meter and not frame.abnormal and len(data) >= _DI_OCTETS:
        return _read_reply_of(frame, data)
    if frame.abnormal and frame.from_meter:
        if not data:
            raise _too_short(frame, "an error word")
        return AbnormalReply(address=frame.address, function=frame.function, error_word=frame.data)
    if frame.function not in {READ, READ_FOLLOWING}:
        return OtherMessage(frame=frame)
    if len(frame.data) < _DI_OCTETS:
        raise _too_short(frame, "a data identifier of 4 octets")
    read = _read_reply if frame.from_meter else _read_request
    return read(frame, int.from_bytes(frame.data[:_DI_OCTETS], "little"), frame.data[_DI_OCTETS:])


def _read_reply_of(frame: Frame, data: bytes) -> ReadReply:
    """The commonest message, made by filling slots; see ``frame``."""
    reply: ReadReply = _new_object(ReadReply)
    _put_address(reply, frame.address)
    _put_di(reply, int.from_bytes(data[:_DI_OCTETS], "little"))
    _put_data(reply, data[_DI_OCTETS:])
    _put_has_following(reply, frame.has_following)
    return reply


def _read_request(frame: Frame, di: int, rest: bytes) -> Message:
    if frame.function == READ:
        return ReadRequest(address=frame.address, di=di, selector=rest)
    if not rest:
        raise _too_short(frame, "a sequence number")
    return ReadFollowingRequest(address=frame.address, di=di, sequence=rest[-1], selector=rest[:-1])


def _read_reply(frame: Frame, di: int, rest: bytes) -> Message:
    if not rest:
        raise _too_short(frame, "a sequence number")
    return ReadFollowingReply(
        address=frame.address,
        di=di,
        data=rest[:-1],
        sequence=rest[-1],
        has_following=frame.has_following,
    )


def _answer(address: str, function: int, data: bytes, has_following: bool) -> Frame:
    return Frame(address=address, function=function, data=data, from_meter=True, has_following=has_following)


def _di_octets(di: int) -> bytes:
    if not 0 <= di <= 0xFFFFFFFF:
        raise LocalProtocolError(f"data identifier {di:#x} does not fit 4 octets")
    return di.to_bytes(_DI_OCTETS, "little")


def _sequence_octet(sequence: int) -> bytes:
    if not 1 <= sequence <= 255:
        raise LocalProtocolError(f"sequence {sequence} is outside 1..255")
    return bytes((sequence,))


def _too_short(frame: Frame, what: str) -> RemoteProtocolError:
    sentence = f"the DATA of {frame.control:02X}H has {len(frame.data)} octets, too few for {what}"
    return RemoteProtocolError(sentence, kind="length", octets=frame.data, offset=len(frame.data))
