"""The declared frames of 1376.1 and 1376.2: the reference beside the fast paths.

One construct declaration a frame for both directions; ``terminal_frame`` and ``module_frame`` do the same by
hand, many times faster.
Source: spec sections A2 and B1.
"""

from __future__ import annotations

from typing import Any, Final

import construct as c

from meterwire.gdw1376.link import module_frame, terminal_frame
from meterwire.gdw1376.link.module_frame import ADDRESS_OCTETS, Addresses, DownInfo, UpInfo
from meterwire.gdw1376.link.terminal_frame import LINK_OCTETS, WIDE_OCTETS, Address
from meterwire.primitives import bcd
from meterwire.primitives.checksum import sum8
from meterwire.primitives.declared import parsed


def _digits(octets: bytes, _context: c.Container[object]) -> str:
    return bcd.digits(octets)


def _octets(text: str, _context: c.Container[object]) -> bytes:
    return bcd.octets(text)


def _bcd(octets: int) -> c.ExprAdapter[Any, Any, Any, Any]:
    """Digits in BCD, lowest pair first, told highest first."""
    return c.ExprAdapter(c.Bytes(octets), _digits, _octets)


# --- 1376.1 --------------------------------------------------------------------------------------------

_TerminalControl = c.BitStruct(
    "from_terminal" / c.Flag,
    "started" / c.Flag,
    "attention" / c.Flag,
    "fcv" / c.Flag,
    "function" / c.BitsInteger(4),
)
_Sequence = c.BitStruct(
    "has_time" / c.Flag,
    "first" / c.Flag,
    "final" / c.Flag,
    "confirm" / c.Flag,
    "sequence" / c.BitsInteger(4),
)
_Narrow = c.Struct(
    "area" / _bcd(2),
    "terminal" / c.Int16ul,
    "master" / c.BitStruct("master" / c.BitsInteger(7), "group" / c.Flag),
)
_Wide = c.Struct(
    "area" / _bcd(3),
    "terminal" / c.Int24ul,
    "master" / c.Struct("master" / c.Byte),
)


def _declaration(address: c.Construct) -> c.Struct:  # type: ignore[type-arg]
    user_data = c.Struct(
        "control" / _TerminalControl,
        "address" / address,
        "afn" / c.Byte,
        "seq" / _Sequence,
        "body" / c.GreedyBytes,
    )
    return c.Struct(
        c.Const(b"\x68"),
        "length" / c.Int16ul,  # bits 0-1 the protocol id, the others the octets of user data
        "again" / c.Int16ul,
        c.Const(b"\x68"),
        "user_data" / c.RawCopy(c.FixedSized(c.this.length >> 2, user_data)),
        "cs" / c.Checksum(c.Byte, sum8, c.this.user_data.data),
        c.Const(b"\x16"),
        c.Terminated,
    )


_NARROW_FRAME = _declaration(_Narrow)
_WIDE_FRAME = _declaration(_Wide)
_CONTROL_FIELDS: Final = ("from_terminal", "started", "attention", "fcv", "function")
_SEQUENCE_FIELDS: Final = ("has_time", "first", "final", "confirm", "sequence")


def terminal_octets(frame: terminal_frame.Frame) -> bytes:
    """``terminal_frame.encode`` by the declaration, of a frame whose fields are in their ranges."""
    address = frame.address
    length = LINK_OCTETS + WIDE_OCTETS * address.is_wide + len(frame.body)
    master = {"master": address.master} | ({} if address.is_wide else {"group": address.group})
    user_data = {
        "control": {name: getattr(frame, name) for name in _CONTROL_FIELDS},
        "address": {"area": address.area, "terminal": address.terminal, "master": master},
        "afn": frame.afn,
        "seq": {name: getattr(frame, name) for name in _SEQUENCE_FIELDS},
        "body": frame.body,
    }
    field = length << 2 | frame.protocol_id
    declaration = _WIDE_FRAME if address.is_wide else _NARROW_FRAME
    built: bytes = declaration.build({"length": field, "again": field, "user_data": {"value": user_data}})
    return built


def terminal_frame_of(octets: bytes, *, wide: bool = False) -> terminal_frame.Frame:
    """``terminal_frame.decode`` by the declaration; the two lengths and the protocol id are not compared.

    Raises:
        RemoteProtocolError: the octets are not exactly one frame.

    """
    frame = parsed(_WIDE_FRAME if wide else _NARROW_FRAME, octets)
    data = frame.user_data.value
    master = data.address.master
    group = not wide and bool(master.group)
    return terminal_frame.Frame(
        address=Address(data.address.area, data.address.terminal, master.master, group),
        afn=data.afn,
        body=data.body,
        protocol_id=frame.length & 3,
        **{name: data.control[name] for name in _CONTROL_FIELDS},
        **{name: data.seq[name] for name in _SEQUENCE_FIELDS},
    )


# --- 1376.2 --------------------------------------------------------------------------------------------

_ModuleControl = c.BitStruct("from_module" / c.Flag, "started" / c.Flag, "mode" / c.BitsInteger(6))
_Rate = c.ByteSwapped(c.BitStruct("kilobits" / c.Flag, "rate" / c.BitsInteger(15)))
_Down = c.Struct(
    "_flags"
    / c.BitStruct(
        "relay_level" / c.BitsInteger(4),
        "collision" / c.Flag,
        "has_addresses" / c.Flag,
        "attached" / c.Flag,
        "bypass" / c.Flag,
    ),
    "_channel" / c.BitStruct("coding" / c.BitsInteger(4), "channel" / c.BitsInteger(4)),
    "answer_octets" / c.Byte,
    "_rate" / _Rate,
    "sequence" / c.Byte,
)
_Up = c.Struct(
    "_flags"
    / c.BitStruct(
        "relay_level" / c.BitsInteger(4),
        c.Padding(1),
        "has_addresses" / c.Flag,
        c.Padding(1),
        "bypass" / c.Flag,
    ),
    "_channel" / c.BitStruct(c.Padding(4), "channel" / c.BitsInteger(4)),
    "_phase" / c.BitStruct("meter_channel" / c.BitsInteger(4), "phase" / c.BitsInteger(4)),
    "_quality" / c.BitStruct("answer_quality" / c.BitsInteger(4), "command_quality" / c.BitsInteger(4)),
    "_event" / c.BitStruct(c.Padding(7), "event" / c.Flag),
    "sequence" / c.Byte,
)
_Address = _bcd(ADDRESS_OCTETS)
_relays = c.this.info._flags.relay_level * (1 - c.this.control.from_module)
_Addresses = c.Struct(
    "source" / _Address, "relays" / c.Array(c.this._.relays, _Address), "destination" / _Address
)
_Covered = c.Struct(
    "control" / _ModuleControl,
    "info" / c.IfThenElse(c.this.control.from_module, _Up, _Down),
    "relays" / c.Computed(_relays),
    "addresses" / c.If(c.this.info._flags.has_addresses, _Addresses),
    "afn" / c.Byte,
    "dt" / c.Bytes(2),
    "data" / c.GreedyBytes,
)
_MODULE_FRAME = c.Struct(
    c.Const(b"\x68"),
    "length" / c.Int16ul,
    "covered" / c.RawCopy(c.FixedSized(c.this.length - 5, _Covered)),
    "cs" / c.Checksum(c.Byte, sum8, c.this.covered.data),
    c.Const(b"\x16"),
    c.Terminated,
)
_NESTED: Final = ("_flags", "_channel", "_phase", "_quality", "_event", "_rate")


def module_octets(frame: module_frame.Frame) -> bytes:
    """``module_frame.encode`` by the declaration, of a frame whose fields are in their ranges."""
    relays = frame.addresses.relays if frame.addresses else ()
    size = module_frame.OVERHEAD_OCTETS + len(frame.data)
    if frame.addresses is not None:
        size += ADDRESS_OCTETS * (2 + len(relays))
    info = frame.info._asdict() | {"has_addresses": frame.addresses is not None}
    if not frame.from_module and frame.addresses is not None:
        info["relay_level"] = len(relays)
    covered = {
        "control": {"from_module": frame.from_module, "started": frame.started, "mode": frame.mode},
        "info": info | dict.fromkeys(_NESTED, info),
        "relays": len(relays),
        "addresses": frame.addresses and frame.addresses._asdict(),
        "afn": frame.afn,
        "dt": frame.dt,
        "data": frame.data,
    }
    built: bytes = _MODULE_FRAME.build({"length": size, "covered": {"value": covered}})
    return built


def module_frame_of(octets: bytes) -> module_frame.Frame:
    """``module_frame.decode`` by the declaration.

    Raises:
        RemoteProtocolError: the octets are not exactly one frame.

    """
    covered = parsed(_MODULE_FRAME, octets).covered.value
    found: dict[str, Any] = {"sequence": covered.info.sequence}
    for name in _NESTED:
        found |= covered.info.get(name, {})
    fields = UpInfo._fields if covered.control.from_module else DownInfo._fields
    found |= {name: covered.info[name] for name in fields if name in covered.info}
    given = {name: found[name] for name in fields}
    if covered.addresses is not None and not covered.control.from_module:
        given["relay_level"] = 0
    inner = covered.addresses
    return module_frame.Frame(
        info=UpInfo(**given) if covered.control.from_module else DownInfo(**given),
        afn=covered.afn,
        dt=covered.dt,
        data=covered.data,
        started=covered.control.started,
        addresses=None if inner is None else Addresses(inner.source, inner.destination, tuple(inner.relays)),
        mode=covered.control.mode,
    )
