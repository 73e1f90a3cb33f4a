"""The declared DL/T 698.45 link frame: the reference beside the fast path of ``frame``.

One construct declaration for both directions; ``frame.encode`` and ``frame.decode`` do the same by hand,
many times faster.
Source: DL/T 698.45-2017, 7.1 (spec sections 1.1 to 1.6).
"""

from __future__ import annotations

import construct as c

from meterwire.dlt698.link.address import AddressKind, ServerAddress
from meterwire.dlt698.link.frame import LENGTH_MAX, PREAMBLE_MAX, Frame, overhead_octets
from meterwire.errors import LocalProtocolError
from meterwire.primitives import bcd
from meterwire.primitives.declared import parsed
from meterwire.primitives.fcs16 import fcs16


def _digits(octets: bytes, _context: c.Container[object]) -> str:
    return bcd.digits(octets)


def _octets(digits: str, _context: c.Container[object]) -> bytes:
    return bcd.octets(digits)


def _unscrambled(octets: bytes, _context: c.Container[object]) -> bytes:
    return bytes((octet - 0x33) % 256 for octet in octets)


def _scrambled(octets: bytes, _context: c.Container[object]) -> bytes:
    return bytes((octet + 0x33) % 256 for octet in octets)


_Control = c.BitStruct(
    "from_server" / c.Flag,  # DIR
    "started_by_client" / c.Flag,  # PRM
    "segmented" / c.Flag,
    "reserved" / c.Flag,
    "scrambled" / c.Flag,  # SC
    "function" / c.BitsInteger(3),
)
_AddressFlag = c.BitStruct("kind" / c.BitsInteger(2), "logical" / c.BitsInteger(2), "last" / c.BitsInteger(4))
_Header = c.Struct(
    "length" / c.Int16ul,  # L; units and reserved bit 0
    "control" / _Control,
    "flag" / _AddressFlag,
    "digits" / c.ExprAdapter(c.Bytes(c.this.flag.last + 1), _digits, _octets),  # lowest octet first
    "client" / c.Byte,
)
# L counts itself, C, AF, address, CA, HCS and FCS beside the user data.
_data_octets = c.this.header.value.length - c.this.header.value.flag.last - 10
_Covered = c.Struct(
    "header" / c.RawCopy(_Header),
    "hcs" / c.Checksum(c.Int16ul, fcs16, c.this.header.data),
    "user_data"
    / c.IfThenElse(
        c.this.header.value.control.scrambled,
        c.ExprAdapter(c.Bytes(_data_octets), _unscrambled, _scrambled),
        c.Bytes(_data_octets),
    ),
)
FrameDeclaration = c.Struct(
    "preamble" / c.GreedyRange(c.Const(b"\xfe")),
    c.Const(b"\x68"),
    "covered" / c.RawCopy(_Covered),
    "fcs" / c.Checksum(c.Int16ul, fcs16, c.this.covered.data),
    c.Const(b"\x16"),
    c.Terminated,
)


def reference_decode(octets: bytes) -> Frame:
    """``frame.decode`` by the declaration, L in bytes only.

    Raises:
        RemoteProtocolError: the octets are not exactly one frame.

    """
    covered = parsed(FrameDeclaration, octets).covered.value
    header = covered.header.value
    control = header.control
    return Frame(
        server=ServerAddress(header.digits, AddressKind(header.flag.kind), header.flag.logical),
        client=header.client,
        user_data=covered.user_data,
        from_server=control.from_server,
        started_by_client=control.started_by_client,
        function=control.function,
        segmented=control.segmented,
        scrambled=control.scrambled,
        reserved=control.reserved,
    )


def reference_encode(frame: Frame, *, preamble: int = 0) -> bytes:
    """``frame.encode`` by the declaration.

    Raises:
        LocalProtocolError: a field out of its range.

    """
    server = frame.server
    length = overhead_octets(server) + len(frame.user_data) - 2
    if length > LENGTH_MAX or not 0 <= preamble <= PREAMBLE_MAX:
        raise LocalProtocolError("more than fits into one frame, or too long a preamble")
    control = {name: getattr(frame, name) for name in ("from_server", "started_by_client", "segmented")}
    control |= {"reserved": frame.reserved, "scrambled": frame.scrambled, "function": frame.function}
    flag = {"kind": server.kind, "logical": server.logical, "last": len(server.digits) // 2 - 1}
    header = {
        "length": length,
        "control": control,
        "flag": flag,
        "digits": server.digits,
        "client": frame.client,
    }
    covered = {"header": {"value": header}, "user_data": frame.user_data}
    try:
        built: bytes = FrameDeclaration.build(
            {"preamble": [b"\xfe"] * preamble, "covered": {"value": covered}}
        )
    except c.ConstructError as error:
        raise LocalProtocolError(str(error)) from None
    return built
