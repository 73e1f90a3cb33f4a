"""DL/T 645 octets that make no good frame: which fields they would be, and how much of them may be shown.

Nothing in such octets can be trusted. One wrong bit in C turns a clear with its password into a read; two
octets lost in front put the password where the address would stand. So the header is shown only where it
holds, and what stands behind it is taken for secret, the checksum too, being a sum over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meterlink.explain.parts import NOTHING, Part, Text, same
from meterwire.dlt645.link import frame as link
from meterwire.dlt645.link.functions import is_control
from meterwire.errors import RemoteProtocolError

_HEADER: Final = (
    (0, 1, Text("start", "起始符")),
    (1, 7, Text("address", "地址")),
    (7, 8, Text("start", "起始符")),
    (8, 9, Text("control", "控制码")),
    (9, 10, Text("length", "数据长度")),
)
_DATA, _CHECKSUM, _END = Text("data", "数据域"), Text("checksum", "校验码"), Text("end", "结束符")
_OUTSIDE = Text("octets outside of the frame", "帧外字节")
_UNTOLD = Text("octets that cannot be told apart", "无法分辨的字节")
_SECOND_START, _CONTROL, _LENGTH, _HEADER_OCTETS = 7, 8, 9, 10


def refused(octets: bytes) -> tuple[RemoteProtocolError, tuple[Part, ...]]:
    """Why there is no frame in ``octets``, and the fields of what comes nearest to one, in order."""
    start = _nearest_start(octets)
    if start is None:
        sentence = "there is no start octet 68H" if octets else "there are no octets"
        return RemoteProtocolError(sentence, kind="no-frame", octets=octets, offset=0), ()
    parts = _fields(octets, start) if _header_holds(octets, start) else _start_alone(octets, start)
    return link.fault(octets, start), (*_rest(octets, 0, start, _OUTSIDE), *parts)


def _nearest_start(octets: bytes) -> int | None:
    """The start octet that comes nearest to beginning a frame."""
    starts = [index for index, octet in enumerate(octets) if octet == link.START]
    paired = [index for index in starts if _header_holds(octets, index)]
    near = paired or starts
    return near[0] if near else None


def _header_holds(octets: bytes, start: int) -> bool:
    """Whether address, C and L may be shown: two starts, a control octet that there is, and no other reading.

    A header whose front is lost begins at its second start: there C and L would be the address, and a
    password would be the rest of it.
    """
    header = octets[start : start + _HEADER_OCTETS]
    if header[_SECOND_START : _SECOND_START + 1] != b"\x68":
        return False
    if len(header) > _CONTROL and not is_control(header[_CONTROL]):
        return False
    end = start - _SECOND_START + link.OVERHEAD_OCTETS + header[_LENGTH - _SECOND_START]
    second = is_control(header[_CONTROL - _SECOND_START])
    return not (second and (end > len(octets) or octets[end - 1] == link.END))


def _fields(octets: bytes, start: int) -> Iterator[Part]:
    for begin, end, name in _HEADER:
        if piece := octets[start + begin : start + end]:
            says = same(str(piece[0])) if begin == _LENGTH else NOTHING
            yield Part(start=start + begin, octets=piece, name=name, says=says)
    length = octets[start + _LENGTH : start + _HEADER_OCTETS]
    if not length:
        return
    at = start + _HEADER_OCTETS
    for size, name in ((length[0], _DATA), (1, _CHECKSUM), (1, _END)):
        if piece := octets[at : at + size]:
            last = name is _END and octets[at:] == b"\x16"  # elsewhere it may be the checksum
            yield Part(start=at, octets=piece, name=name, secret=not last)
        at += size
    yield from _rest(octets, at, len(octets), _OUTSIDE)


def _start_alone(octets: bytes, start: int) -> Iterator[Part]:
    _, size, name = _HEADER[0]
    yield Part(start=start, octets=octets[start : start + size], name=name)
    yield from _rest(octets, start + size, len(octets), _UNTOLD)


def _rest(octets: bytes, begin: int, end: int, name: Text) -> Iterator[Part]:
    if begin < end:
        yield Part(start=begin, octets=octets[begin:end], name=name, secret=True)
