"""DL/T 698.45 octets -> explanation: the link layer and segments here, APDUs in ``dlt698_parts``.

With all octets at hand the first start that holds wins, and the search goes on one octet after a start
that does not. Source: spec sections 1 and 11.
"""

from __future__ import annotations

from typing import Any, Final

from meterlink.explain.dlt698_meaning import meaning_of
from meterlink.explain.dlt698_parts import apdu_parts
from meterlink.explain.dlt698_plain import plain_apdu
from meterlink.explain.parts import NOTHING, ExplainedApdu, ExplainedFrame, Explanation, Part, Text, same
from meterwire.dlt698.apdus.apdu import decode_apdu
from meterwire.dlt698.apdus.enumerations import meaning
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.segments import JoinSignal, Segment, SegmentKind, SegmentReceiver, decode_segment
from meterwire.errors import RemoteProtocolError

_APDU: Final = Text("APDU", "应用层协议数据单元")
_SCRAMBLED: Final = Text("scrambled: each octet has 33H added", "加扰码：每字节加33H")
_Series = tuple[ServerAddress, bool, bool, int]
_SERIES_MAX: Final = 64
"""Most segmented APDUs that are put together side by side."""


def explain(octets: bytes, *, single: bool = False) -> Explanation:
    """Find and explain every frame in ``octets``, and every APDU that came in segments.

    Args:
        octets: a frame, or a stream with anything in it.
        single: they must be one frame, with its preamble, and nothing else; no FEH behind it either.

    """
    found = _found(octets)
    inside = sum(end - begin for begin, _, end in found)
    outside = len(octets) - inside - (octets.count(link.PREAMBLE) - _preambles_inside(octets, found))
    if not found or (single and (len(found) > 1 or outside or found[-1][2] < len(octets))):
        return _refused(octets)
    frames, joined, joiner = [], [], _Joiner()
    for number, (begin, start, end) in enumerate(found):
        frame = link.frame_at(octets, start, end)
        explained = _frame(octets, begin, start, end, frame)
        frames.append(explained)
        if frame.segmented and explained.fault is None:
            joined += joiner.take(frame, number)
    return Explanation(octets=octets, frames=tuple(frames), skipped=outside, joined=tuple(joined))


def _found(octets: bytes) -> list[tuple[int, int, int]]:
    """Begin (with preamble), start and end of each good frame."""
    found: list[tuple[int, int, int]] = []
    at = 0
    while (start := octets.find(link.START, at)) >= 0:
        end = _end(octets, start)
        if end:
            begin = start
            while begin > at and octets[begin - 1] == link.PREAMBLE:
                begin -= 1
            found.append((begin, start, end))
        at = end or start + 1
    return found


def _end(octets: bytes, start: int) -> int:
    """End of the frame that begins there; 0 when none does."""
    data_at = link.header_end(octets, start, False)
    if data_at < 0:
        return 0
    end = start + link.frame_size(octets, start, False)
    return end if end <= len(octets) and link.body_is_good(octets, data_at, end) else 0


def _preambles_inside(octets: bytes, found: list[tuple[int, int, int]]) -> int:
    return sum(octets.count(link.PREAMBLE, begin, end) for begin, _, end in found)


def _refused(octets: bytes) -> Explanation:
    """Why they are not one frame, and the octets as one part: they may hold a secret."""
    part = Part(start=0, octets=octets, name=Text("octets", "数据"), secret=True)
    return Explanation(
        octets=octets,
        skipped=len(octets),
        fault=link.fault(octets),
        refused=(part,) if octets else (),
    )


# --- one frame -----------------------------------------------------------------------------------------


def _frame(octets: bytes, begin: int, start: int, end: int, frame: link.Frame) -> ExplainedFrame:
    checks = link.checks(octets[begin:end])
    data_at = begin + checks.user_data_at
    said: dict[str, Any] = {"link": _link_plain(frame, checks)}
    parts: tuple[Part, ...] = ()
    fault: RemoteProtocolError | None = None
    try:
        if frame.segmented:
            segment = decode_segment(frame.user_data)
            said["link"] |= _segment_plain(segment)
            parts = _segment_parts(octets, data_at, segment)
        else:
            said |= _apdu_plain(frame.user_data, frame)
            parts = apdu_parts(frame.user_data, data_at)
    except RemoteProtocolError as error:
        fault = _moved(error, octets, data_at)
    user_data = Part(
        start=data_at,
        octets=octets[data_at : end - 3],
        name=Text("user data", "链路用户数据"),
        says=Text("scrambled: each octet has 33H added", "加扰码：每字节加33H")
        if frame.scrambled
        else NOTHING,
        secret=not parts,
        parts=parts,
    )
    around = _link_parts(octets, begin, start, data_at, frame)
    tail = (
        _check_part(octets, end - 3, user_data),
        Part(start=end - 1, octets=octets[end - 1 : end], name=Text("end", "结束符")),
    )
    return ExplainedFrame(start=begin, end=end, parts=(*around, user_data, *tail), decoded=said, fault=fault)


def _check_part(octets: bytes, at: int, user_data: Part) -> Part:
    """The frame check; a sum over a secret would prove who guesses it."""
    name = Text("frame check", "帧校验FCS")
    return Part(start=at, octets=octets[at : at + link.FCS_OCTETS], name=name, secret=user_data.holds_secret)


def _moved(error: RemoteProtocolError, octets: bytes, base: int) -> RemoteProtocolError:
    """The fault of an APDU, at its place in the stream."""
    offset = None if error.offset is None else base + error.offset
    return RemoteProtocolError(str(error), kind="apdu", octets=octets, offset=offset)


def _apdu_plain(octets: bytes, frame: link.Frame) -> dict[str, Any]:
    apdu = decode_apdu(octets)
    return {"apdu": plain_apdu(apdu, octets), "meaning": meaning_of(apdu, octets, frame)}


def _link_plain(frame: link.Frame, checks: link.Checks) -> dict[str, Any]:
    return {
        "preamble": checks.preamble,
        "length": checks.length,
        "length_unit": "kilobyte" if checks.in_kilobytes else "byte",
        "control": f"{frame.control:02X}",
        "dir": int(frame.from_server),
        "prm": int(frame.started_by_client),
        "split": int(frame.segmented),
        "sc": int(frame.scrambled),
        "func": frame.function,
        "sa": {
            "type": frame.server.kind.name.lower(),
            "logical": frame.server.logical,
            "addr": frame.server.digits,
        },
        "ca": frame.client,
        "hcs": f"{checks.hcs:04X}",
        "fcs": f"{checks.fcs:04X}",
    }


def _segment_plain(segment: Segment) -> dict[str, Any]:
    kind = segment.kind.name.lower()
    return {
        "apdu_hex": segment.piece.hex().upper(),
        "segment": {"kind": kind, "number": segment.number, "reserved": segment.reserved},
    }


def _link_parts(octets: bytes, begin: int, start: int, data_at: int, frame: link.Frame) -> tuple[Part, ...]:
    length = octets[start + 1] | octets[start + 2] << 8
    fields = [
        (begin, start, Text("preamble", "前导字节"), NOTHING),
        (start, start + 1, Text("start", "起始符"), NOTHING),
        (start + 1, start + 3, Text("length", "长度域"), same(str(length & link.LENGTH_MAX))),
        (start + 3, start + 4, Text("control", "控制域"), _control_says(frame)),
        (start + 4, data_at - 3, Text("server address", "服务器地址"), _address_says(frame.server)),
        (data_at - 3, data_at - 2, Text("client address", "客户机地址"), same(str(frame.client))),
        (data_at - 2, data_at, Text("header check", "帧头校验HCS"), NOTHING),
    ]
    return tuple(
        Part(start=first, octets=octets[first:end], name=name, says=says)
        for first, end, name, says in fields
        if end > first
    )


def _control_says(frame: link.Frame) -> Text:
    words = {
        (False, True): Text("request of the client", "客户机请求"),
        (True, True): Text("answer of the server", "服务器响应"),
        (True, False): Text("report of the server", "服务器上报"),
        (False, False): Text("answer of the client", "客户机对上报的响应"),
    }[frame.from_server, frame.started_by_client]
    functions = {
        link.FUNCTION_LINK: Text("link management", "链路管理"),
        link.FUNCTION_DATA: Text("user data", "用户数据"),
    }
    function = functions.get(frame.function, Text(f"function {frame.function}", f"功能码 {frame.function}"))
    en, zh = f"{words.en}, {function.en}", f"{words.zh}，{function.zh}"
    if frame.segmented:
        en, zh = en + ", a segment", zh + "，分帧"
    return Text(en, zh)


def _address_says(address: ServerAddress) -> Text:
    kind = meaning("address_kind", address.kind)
    words = same("") if kind is None else Text(kind.en, kind.zh)
    logical = f", logical {address.logical}" if address.logical else ""
    logical_zh = f"，逻辑地址 {address.logical}" if address.logical else ""
    return Text(f"{address.digits}, {words.en}{logical}", f"{address.digits}，{words.zh}{logical_zh}")


def _segment_parts(octets: bytes, at: int, segment: Segment) -> tuple[Part, ...]:
    """A piece may hold any part of a secret."""
    kind = meaning("segment_kind", segment.kind)
    words = same(segment.kind.name) if kind is None else Text(kind.en, kind.zh)
    says = Text(f"{words.en}, number {segment.number}", f"{words.zh}，序号 {segment.number}")
    header = Part(start=at, octets=octets[at : at + 2], name=Text("segment header", "分帧格式域"), says=says)
    if not segment.piece:
        return (header,)
    name = Text("piece of an APDU", "APDU片段")
    piece = octets[at + 2 : at + 2 + len(segment.piece)]
    return (header, Part(start=at + 2, octets=piece, name=name, secret=True))


# --- segments ------------------------------------------------------------------------------------------


class _Joiner:
    """Puts the pieces of APDUs together, and remembers which frames they came in."""

    def __init__(self) -> None:
        self._series: dict[_Series, tuple[SegmentReceiver, list[int]]] = {}

    def take(self, frame: link.Frame, number: int) -> list[ExplainedApdu]:
        """The APDU that a segment completes, if it does."""
        segment = decode_segment(frame.user_data)
        key = (frame.server, frame.from_server, frame.started_by_client, frame.client)
        if key not in self._series and len(self._series) >= _SERIES_MAX:
            self._series.pop(next(iter(self._series)))
        receiver, numbers = self._series.setdefault(key, (SegmentReceiver(), []))
        if segment.kind is SegmentKind.ACK:
            return []
        taken = receiver.feed(segment)
        if taken.signal is JoinSignal.FIRST:
            numbers.clear()
        if taken.signal in {JoinSignal.FIRST, JoinSignal.MIDDLE, JoinSignal.LAST}:
            numbers.append(number)
        return [] if taken.apdu is None else [_joined(taken.apdu, tuple(numbers), frame)]


def _joined(octets: bytes, numbers: tuple[int, ...], frame: link.Frame) -> ExplainedApdu:
    said: dict[str, Any] = {"frames": list(numbers), "apdu_hex": octets.hex().upper()}
    parts: tuple[Part, ...] = ()
    fault = None
    try:
        said |= _apdu_plain(octets, frame)
        parts = apdu_parts(octets, 0)
    except RemoteProtocolError as error:
        fault = _moved(error, octets, 0)
        parts = (Part(start=0, octets=octets, name=_APDU, secret=True),)
    return ExplainedApdu(octets=octets, frames=numbers, parts=parts, decoded=said, fault=fault)
