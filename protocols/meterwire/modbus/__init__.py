"""Modbus, over serial lines and TCP: the protocol of meters beside China's own two. No I/O.

PDUs are declared here once for both directions, as those of the other protocols; nobody else's code stands
between the octets and the messages.
"""

from meterwire.modbus.link.deframer import RTU, TCP, Deframer, Span
from meterwire.modbus.link.framing import FRAMINGS, Framed, Framing, Receiver, decode, encode
from meterwire.modbus.pdus.functions import (
    READ_COILS,
    READ_DISCRETE_INPUTS,
    READ_HOLDING_REGISTERS,
    READ_INPUT_REGISTERS,
)
from meterwire.modbus.pdus.messages import (
    ExceptionReply,
    IdentificationReply,
    IdentificationRequest,
    Message,
    ReadReply,
    ReadRequest,
    RegistersWritten,
    Reply,
    Request,
    WriteRegister,
    WriteRegisters,
    decode_reply,
    decode_request,
)
from meterwire.modbus.pdus.messages import encode as encode_pdu
from meterwire.modbus.sessions.exchange import Exchange

__all__ = [
    "FRAMINGS",
    "READ_COILS",
    "READ_DISCRETE_INPUTS",
    "READ_HOLDING_REGISTERS",
    "READ_INPUT_REGISTERS",
    "RTU",
    "TCP",
    "Deframer",
    "ExceptionReply",
    "Exchange",
    "Framed",
    "Framing",
    "IdentificationReply",
    "IdentificationRequest",
    "Message",
    "ReadReply",
    "ReadRequest",
    "Receiver",
    "RegistersWritten",
    "Reply",
    "Request",
    "Span",
    "WriteRegister",
    "WriteRegisters",
    "decode",
    "decode_reply",
    "decode_request",
    "encode",
    "encode_pdu",
]
