"""Commands <-> frames: which class a frame carries, and what must not be built.

Source: DL/T 645-2007, 7; DL/T 645-1997, 6.
"""

from __future__ import annotations

import io
from dataclasses import fields
from typing import Any, Final, NamedTuple

import construct as c

from meterwire.dlt645.link.frame import BROADCAST, WILDCARD, Frame
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.address_and_baud import (
    BaudReply,
    BaudRequest,
    ReadAddressReply,
    ReadAddressRequest,
    WriteAddressRequest,
)
from meterwire.dlt645.messages.clears_and_freezes import (
    ClearDemandRequest,
    ClearEventsRequest,
    ClearMeterRequest,
    FreezeRequest,
)
from meterwire.dlt645.messages.command import Acknowledgement, Command, ReadAgainRequest
from meterwire.dlt645.messages.control import (
    CIPHER_LEVELS,
    ControlRequest,
    SealedControlRequest,
    SecurityReply,
    SecurityRequest,
)
from meterwire.dlt645.messages.programming import ChangePasswordReply, ChangePasswordRequest, WriteRequest
from meterwire.dlt645.messages.time_and_terminals import (
    BroadcastTime,
    InfraredReply,
    InfraredRequest,
    TerminalOutputReply,
    TerminalOutputRequest,
)
from meterwire.errors import LocalProtocolError, RemoteProtocolError

_IN_HEADER: Final = frozenset({"address", "function", "has_following"})
"""Fields that stand in the address or the control octet."""

COMMANDS: Final[tuple[type[Command], ...]] = (
    ReadAddressRequest,
    ReadAddressReply,
    ReadAgainRequest,
    WriteRequest,
    WriteAddressRequest,
    FreezeRequest,
    BaudRequest,
    BaudReply,
    ChangePasswordRequest,
    ChangePasswordReply,
    ClearDemandRequest,
    ClearMeterRequest,
    ClearEventsRequest,
    BroadcastTime,
    TerminalOutputRequest,
    TerminalOutputReply,
    InfraredRequest,
    InfraredReply,
    ControlRequest,
    SealedControlRequest,
    SecurityRequest,
    SecurityReply,
    Acknowledgement,
)
"""Every kind of command, of both sides."""


def kind_of(frame: Frame, edition: Edition) -> type[Command] | None:
    """Which of ``COMMANDS`` a frame carries, or ``None``."""
    key = (edition, frame.function)
    found = [kind for kind in COMMANDS if key in kind.LAYOUTS and frame.from_meter == kind.FROM_METER]
    if ControlRequest in found:
        return (
            SealedControlRequest
            if frame.data[:1] in {bytes((level,)) for level in CIPHER_LEVELS}
            else ControlRequest
        )
    return found[0] if found else None


def command_to_frame(message: Command, edition: Edition) -> Frame:
    """The frame that carries a command.

    Raises:
        LocalProtocolError: a value out of range, an address that the request must not go to, or a
            message that the edition does not have.

    """
    message.check(edition)
    codes = [code for (of, code) in message.LAYOUTS if of == edition]
    function = message.function if isinstance(message, Acknowledgement) else next(iter(codes), -1)
    if function not in codes:
        raise LocalProtocolError(f"{edition} has no {type(message).__name__} of function {function:02X}H")
    if not message.FROM_METER and address_kind(message.address) not in message.addresses(edition):
        raise LocalProtocolError(f"{type(message).__name__} must not go to address {message.address}")
    return Frame(
        address=message.address,
        function=function,
        data=_data(message, edition, message.LAYOUTS[edition, function]),
        from_meter=message.FROM_METER,
        has_following=getattr(message, "has_following", False),
    )


def _data(message: Command, edition: Edition, layout: Any) -> bytes:
    """DATA by the layout; neither a value nor construct's words stand in an error: they may be a password."""
    values = {one.name: getattr(message, one.name) for one in fields(message)}
    declared = {one.name for one in layout.subcons} | _IN_HEADER
    for one in fields(message):
        if one.name not in declared and values[one.name] != one.default:
            raise LocalProtocolError(f"{edition} has no {one.name} in {type(message).__name__}")
    parts: list[bytes] = []
    for one in layout.subcons:
        try:
            parts.append(one.build(values.get(one.name)))
        except (c.ConstructError, LocalProtocolError):
            sentence = f"{type(message).__name__}: {one.name} does not fit its octets"
            raise LocalProtocolError(sentence) from None
    return b"".join(parts)


def command_from_frame(frame: Frame, edition: Edition, kind: type[Command]) -> Command:
    """The command that ``frame`` carries.

    Raises:
        RemoteProtocolError: the data does not fit; ``kind`` is ``"length"``.

    """
    try:
        parsed = kind.LAYOUTS[edition, frame.function].parse(frame.data)
    except c.ConstructError:
        why = "too short, too long, or a time that is none"  # construct's own words may hold a password
        sentence = f"the DATA of {frame.control:02X}H does not fit: {why}"
        raise RemoteProtocolError(sentence, kind="length", octets=frame.data) from None
    known = {one.name for one in fields(kind)}
    values = {name: value for name, value in parsed.items() if name in known}
    if kind is Acknowledgement:
        values["function"] = frame.function
    if kind is SecurityReply:
        values["has_following"] = frame.has_following
    return kind(address=frame.address, **values)


def address_kind(address: str) -> str:
    """``broadcast``, ``wildcard`` (all A), ``shortened`` (some digit is A) or ``single``."""
    if address in {BROADCAST, WILDCARD}:
        return "broadcast" if address == BROADCAST else "wildcard"
    return "shortened" if "A" in address else "single"


class Span(NamedTuple):
    """One field of a command within DATA: its name, and its first octet and the one after it."""

    name: str
    start: int
    end: int


def field_spans(frame: Frame, edition: Edition) -> tuple[Span, ...] | None:
    """Where the fields of a command stand in its DATA; ``None`` when it is none or does not fit."""
    kind = kind_of(frame, edition)
    if kind is None:
        return None
    stream = io.BytesIO(frame.data)
    spans = []
    try:
        for declared in kind.LAYOUTS[edition, frame.function].subcons:
            start = stream.tell()
            declared.parse_stream(stream)
            if declared.name and stream.tell() > start:
                spans.append(Span(declared.name, start, stream.tell()))
    except c.ConstructError:
        return None
    return tuple(spans)
