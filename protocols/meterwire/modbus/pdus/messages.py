"""PDU octets <-> messages, by one declaration for both directions.

A request and its answer of one function are two layouts under one number, so each direction has its own
decoder. Source: Modbus application protocol V1.1b3, sections 6.1 to 6.4, 6.6, 6.12, 6.21 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final

import construct as c

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.modbus.pdus import functions
from meterwire.modbus.pdus.functions import Direction, Words


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Asks for coils, inputs or registers that stand side by side.

    Args:
        function: 01H to 04H.
        start: address of the first one, 0 to 65,535 as on the wire.
        count: how many: 1 to 2,000 coils or inputs, 1 to 125 registers.

    """

    function: int
    start: int
    count: int

    @property
    def reply_octets(self) -> int:
        """Octets of data that answer it."""
        return (self.count + 7) // 8 if self.function in functions.BIT_READS else 2 * self.count


@dataclass(frozen=True, slots=True)
class ReadReply:
    """What was asked for.

    Args:
        function: 01H to 04H.
        data: registers, high octet first; or bits, the first one lowest.

    """

    function: int
    data: bytes


@dataclass(frozen=True, slots=True)
class WriteRegister:
    """Sets one register; the answer is the same.

    Args:
        start: its address.
        value: 0 to 65,535.

    """

    start: int
    value: int
    function: ClassVar[int] = functions.WRITE_REGISTER


@dataclass(frozen=True, slots=True)
class WriteRegisters:
    """Sets registers that stand side by side.

    Args:
        start: address of the first one.
        data: of 1 to 123 registers, high octet first.

    """

    start: int
    data: bytes
    function: ClassVar[int] = functions.WRITE_REGISTERS

    @property
    def count(self) -> int:
        """How many."""
        return len(self.data) // 2


@dataclass(frozen=True, slots=True)
class RegistersWritten:
    """They were set.

    Args:
        start: address of the first one.
        count: how many.

    """

    start: int
    count: int
    function: ClassVar[int] = functions.WRITE_REGISTERS


@dataclass(frozen=True, slots=True)
class IdentificationRequest:
    """Asks who a device is.

    Args:
        read_code: 1 basic, 2 regular, 3 extended, 4 one object.
        object_id: the first that is wanted.

    """

    read_code: int
    object_id: int
    function: ClassVar[int] = functions.ENCAPSULATED


@dataclass(frozen=True, slots=True)
class IdentificationReply:
    """Who a device is.

    Args:
        read_code: as asked.
        conformity: what the device can tell.
        more_follows: FFH: another request brings the rest; 00H: this is all.
        next_object: the first of the rest.
        objects: pairs of id and octets.

    """

    read_code: int
    conformity: int
    more_follows: int
    next_object: int
    objects: tuple[tuple[int, bytes], ...]
    function: ClassVar[int] = functions.ENCAPSULATED


@dataclass(frozen=True, slots=True)
class ExceptionReply:
    """The device does not do it.

    Args:
        refused: function that was asked for, one of `functions.FUNCTIONS`.
        code: why.

    """

    refused: int
    code: int

    @property
    def words(self) -> Words:
        """Why, for people."""
        return functions.EXCEPTIONS.get(self.code, functions.UNKNOWN_EXCEPTION)


Request = ReadRequest | WriteRegister | WriteRegisters | IdentificationRequest
Reply = ReadReply | WriteRegister | RegistersWritten | IdentificationReply | ExceptionReply
Message = Request | Reply

_Start = "start" / c.Int16ub
_Count = "count" / c.Int16ub
_Data = "data" / c.Prefixed(c.Byte, c.GreedyBytes)
_Object = c.Struct("id" / c.Byte, "octets" / c.Prefixed(c.Byte, c.GreedyBytes))
_REGISTERS_OF_DATA = c.Rebuild(c.Int16ub, lambda context: len(context.data) // 2)

_DECLARATIONS: Final[dict[type[Message], c.Construct[Any, Any]]] = {
    ReadRequest: c.Struct(_Start, _Count),
    ReadReply: c.Struct(_Data),
    WriteRegister: c.Struct(_Start, "value" / c.Int16ub),
    WriteRegisters: c.Struct(_Start, "count" / _REGISTERS_OF_DATA, _Data),
    RegistersWritten: c.Struct(_Start, _Count),
    IdentificationRequest: c.Struct(c.Const(b"\x0e"), "read_code" / c.Byte, "object_id" / c.Byte),
    IdentificationReply: c.Struct(
        c.Const(b"\x0e"),
        "read_code" / c.Byte,
        "conformity" / c.Byte,
        "more_follows" / c.Byte,
        "next_object" / c.Byte,
        "objects" / c.PrefixedArray(c.Byte, _Object),
    ),
    ExceptionReply: c.Struct("code" / c.Byte),
}
"""The fields behind the function."""

_REQUESTS: Final[dict[int, type[Message]]] = {
    **dict.fromkeys(functions.READS, ReadRequest),
    functions.WRITE_REGISTER: WriteRegister,
    functions.WRITE_REGISTERS: WriteRegisters,
    functions.ENCAPSULATED: IdentificationRequest,
}
_REPLIES: Final[dict[int, type[Message]]] = {
    **dict.fromkeys(functions.READS, ReadReply),
    functions.WRITE_REGISTER: WriteRegister,
    functions.WRITE_REGISTERS: RegistersWritten,
    functions.ENCAPSULATED: IdentificationReply,
    **{known | functions.REFUSED: ExceptionReply for known in functions.FUNCTIONS},
}


def encode(message: Message) -> bytes:
    """The PDU of a message.

    Raises:
        LocalProtocolError: a field out of its range, or the PDU would be longer than 253 octets.

    """
    if sentence := _fault(message):
        raise LocalProtocolError(sentence)
    values = {field.name: getattr(message, field.name) for field in fields(message)}
    if isinstance(message, IdentificationReply):
        values["objects"] = [{"id": number, "octets": octets} for number, octets in message.objects]
    function = (
        message.refused | functions.REFUSED if isinstance(message, ExceptionReply) else message.function
    )
    try:
        pdu = bytes((function,)) + _DECLARATIONS[type(message)].build(values)
    except (c.ConstructError, ValueError) as error:
        raise LocalProtocolError(f"{type(message).__name__}: a field is out of its range: {error}") from None
    if len(pdu) > functions.PDU_OCTETS_MAX:
        raise LocalProtocolError(f"the PDU has {len(pdu)} octets, the limit is {functions.PDU_OCTETS_MAX}")
    return pdu


def decode_request(pdu: bytes) -> Request:
    """The request that a PDU holds.

    Raises:
        RemoteProtocolError: a function that is not known here, fields that are too short, too long or out of
            their range.

    """
    message = _decoded(pdu, _REQUESTS, "request")
    assert isinstance(message, Request), "the table says so"
    return message


def decode_reply(pdu: bytes) -> Reply:
    """The answer that a PDU holds.

    Raises:
        RemoteProtocolError: as ``decode_request``.

    """
    message = _decoded(pdu, _REPLIES, "reply")
    assert isinstance(message, Reply), "the table says so"
    return message


def _decoded(pdu: bytes, table: dict[int, type[Message]], direction: Direction) -> Message:
    kind = table.get(pdu[0]) if pdu else None
    if kind is None:
        called = f"{pdu[0]:02X}H" if pdu else "there is none"
        raise RemoteProtocolError(
            f"no function of a {direction} that is known: {called}", kind="function", octets=pdu, offset=0
        )
    if functions.pdu_octets(pdu, 0, direction) != len(pdu):
        raise RemoteProtocolError(
            f"{len(pdu)} octets make no {direction} of {pdu[0]:02X}H",
            kind="length",
            octets=pdu,
            offset=len(pdu),
        )
    message = _message(kind, pdu)
    if sentence := _fault(message):
        raise RemoteProtocolError(sentence, kind="value", octets=pdu, offset=1)
    return message


def _message(kind: type[Message], pdu: bytes) -> Message:
    found = _DECLARATIONS[kind].parse(pdu[1:])
    if kind is ReadRequest:
        return ReadRequest(pdu[0], found.start, found.count)
    if kind is ReadReply:
        return ReadReply(pdu[0], found.data)
    if kind is ExceptionReply:
        return ExceptionReply(pdu[0] ^ functions.REFUSED, found.code)
    if kind is IdentificationReply:
        found.objects = tuple((one.id, one.octets) for one in found.objects)
    return kind(**{field.name: found[field.name] for field in fields(kind)})


def _fault(message: Message) -> str:
    """What is out of its range; empty when nothing is."""
    match message:
        case ReadRequest(function=function, start=start, count=count):
            is_read, is_bits = function in functions.READS, function in functions.BIT_READS
            not_read = "" if is_read else f"function {function:02X}H reads nothing; there are 01H to 04H"
            most = functions.BITS_MAX if is_bits else functions.REGISTERS_MAX
            return not_read or _span_fault(start, count, most)
        case ReadReply():
            return _data_fault(message)
        case WriteRegisters(data=data) if len(data) % 2:
            return "half a register is written"
        case WriteRegisters() | RegistersWritten():
            return _span_fault(message.start, message.count, functions.WRITTEN_MAX)
        case ExceptionReply(refused=refused) if refused not in functions.FUNCTIONS:
            return f"no exception of function {refused} is known"
    return ""


def _data_fault(reply: ReadReply) -> str:
    is_whole = reply.function in functions.BIT_READS or len(reply.data) % 2 == 0
    is_possible = reply.function in functions.READS and 1 <= len(reply.data) <= 2 * functions.REGISTERS_MAX
    if is_whole and is_possible:
        return ""
    return f"{len(reply.data)} octets of data do not answer function {reply.function:02X}H"


def _span_fault(start: int, count: int, most: int) -> str:
    if not 1 <= count <= most:
        return f"a count of {count} is outside 1..{most}"
    if not 0 <= start <= functions.ADDRESSES - count:
        return f"{count} from address {start} on leave the range 0..{functions.ADDRESSES - 1}"
    return ""
