"""Functions, exceptions and limits of Modbus, and how long a PDU is by its first octets.

On a serial line nothing but the function says where a frame ends, and request and answer of one function
differ, so whoever looks for frames says which of the two he looks for.
Source: Modbus application protocol V1.1b3, sections 4.1, 6 and 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

Direction = Literal["request", "reply"]
DIRECTIONS: Final[tuple[Direction, ...]] = ("request", "reply")

READ_COILS: Final = 0x01
READ_DISCRETE_INPUTS: Final = 0x02
READ_HOLDING_REGISTERS: Final = 0x03
READ_INPUT_REGISTERS: Final = 0x04
WRITE_REGISTER: Final = 0x06
WRITE_REGISTERS: Final = 0x10
ENCAPSULATED: Final = 0x2B
DEVICE_IDENTIFICATION: Final = 0x0E
"""Kind of an encapsulated interface (MEI)."""
REFUSED: Final = 0x80
"""Set in the function of an answer that is an exception."""

BIT_READS: Final = frozenset({READ_COILS, READ_DISCRETE_INPUTS})
REGISTER_READS: Final = frozenset({READ_HOLDING_REGISTERS, READ_INPUT_REGISTERS})
READS: Final = BIT_READS | REGISTER_READS

PDU_OCTETS_MAX: Final = 253
BITS_MAX: Final = 2_000
"""Most coils or inputs of one read."""
REGISTERS_MAX: Final = 125
"""Most registers of one read."""
WRITTEN_MAX: Final = 123
"""Most registers of one write."""
ADDRESSES: Final = 65_536
"""Coils, inputs or registers that can be named: 0 to 65,535."""

ILLEGAL_FUNCTION: Final = 0x01
ILLEGAL_ADDRESS: Final = 0x02
ILLEGAL_VALUE: Final = 0x03


class Words(NamedTuple):
    """What people call something."""

    en: str
    zh: str


FUNCTIONS: Final[Mapping[int, Words]] = MappingProxyType(
    {
        READ_COILS: Words("read coils", "读线圈"),
        READ_DISCRETE_INPUTS: Words("read discrete inputs", "读离散量输入"),
        READ_HOLDING_REGISTERS: Words("read holding registers", "读保持寄存器"),
        READ_INPUT_REGISTERS: Words("read input registers", "读输入寄存器"),
        WRITE_REGISTER: Words("write single register", "写单个寄存器"),
        WRITE_REGISTERS: Words("write multiple registers", "写多个寄存器"),
        ENCAPSULATED: Words("read device identification", "读设备识别码"),
    }
)
"""The functions whose fields are known here."""
EXCEPTIONS: Final[Mapping[int, Words]] = MappingProxyType(
    {
        ILLEGAL_FUNCTION: Words("illegal function", "非法功能"),
        ILLEGAL_ADDRESS: Words("illegal data address", "非法数据地址"),
        ILLEGAL_VALUE: Words("illegal data value", "非法数据值"),
        0x04: Words("server device failure", "从站设备故障"),
        0x05: Words("acknowledge: it will take long", "确认：需较长时间"),
        0x06: Words("server device busy", "从站设备忙"),
        0x08: Words("memory parity error", "存储奇偶性差错"),
        0x0A: Words("gateway path unavailable", "网关路径不可用"),
        0x0B: Words("gateway target device failed to respond", "网关目标设备未响应"),
    }
)
UNKNOWN_EXCEPTION: Final = Words("unknown exception", "未知异常")

NEED_MORE: Final = 0
NONE: Final = -1
_OBJECTS_AT = 7
"""Octets of an identification before its objects."""


def pdu_octets(octets: bytes | bytearray, at: int, direction: Direction) -> int:
    """Octets of the PDU that begins at ``at``; ``NEED_MORE`` or ``NONE``.

    Args:
        octets: a stream.
        at: index of the function.
        direction: which of the two it would be.

    """
    if len(octets) <= at:
        return NEED_MORE
    function = octets[at]
    if direction == "reply":
        return _reply_octets(octets, at, function)
    if function in READS or function == WRITE_REGISTER:
        return 5
    if function == WRITE_REGISTERS:
        return _write_octets(octets, at)
    if function == ENCAPSULATED:
        return _encapsulated(octets, at, 4)
    return NONE


def _reply_octets(octets: bytes | bytearray, at: int, function: int) -> int:
    if function in READS:
        return _read_octets(octets, at, function)
    if function in (WRITE_REGISTER, WRITE_REGISTERS):
        return 5
    if function == ENCAPSULATED:
        return _encapsulated(octets, at, _identification_octets(octets, at))
    return 2 if function & REFUSED and function ^ REFUSED in FUNCTIONS else NONE


def _read_octets(octets: bytes | bytearray, at: int, function: int) -> int:
    if len(octets) < at + 2:
        return NEED_MORE
    count = octets[at + 1]
    is_possible = 1 <= count <= 2 * REGISTERS_MAX and (function in BIT_READS or count % 2 == 0)
    return 2 + count if is_possible else NONE


def _write_octets(octets: bytes | bytearray, at: int) -> int:
    if len(octets) < at + 6:
        return NEED_MORE
    registers, count = int.from_bytes(octets[at + 3 : at + 5], "big"), octets[at + 5]
    return 6 + count if 1 <= registers <= WRITTEN_MAX and count == 2 * registers else NONE


def _encapsulated(octets: bytes | bytearray, at: int, size: int) -> int:
    if len(octets) < at + 2:
        return NEED_MORE
    return size if octets[at + 1] == DEVICE_IDENTIFICATION else NONE


def _identification_octets(octets: bytes | bytearray, at: int) -> int:
    """Walk over the objects: each says how long it is."""
    if len(octets) < at + _OBJECTS_AT:
        return NEED_MORE
    end = at + _OBJECTS_AT
    for _ in range(octets[end - 1]):
        if len(octets) < end + 2:
            return NEED_MORE
        end += 2 + octets[end + 1]
        if end - at > PDU_OCTETS_MAX:
            return NONE
    return end - at
