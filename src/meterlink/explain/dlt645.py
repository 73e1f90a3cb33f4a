"""DL/T 645 octets -> explanation: the link layer here, what the data says in ``dlt645_data``.

With all octets at hand the first start that holds wins, and the search goes on one octet after a start
that does not. Source: DL/T 645-2007, 5.2; spec section 1.3.
"""

from __future__ import annotations

from typing import Any

from meterlink.explain.dlt645_data import explain_data
from meterlink.explain.dlt645_refused import refused
from meterlink.explain.parts import NOTHING, ExplainedFrame, Explanation, Part, Text, same
from meterwire.dlt645.link import frame as link
from meterwire.dlt645.link.functions import Edition, function_name
from meterwire.dlt645.messages.secrets import secret_spans


def explain(octets: bytes, protocol: Edition = "dlt645-2007") -> Explanation:
    """Find and explain every frame in ``octets``.

    Args:
        octets: a frame, or a stream with anything in it.
        protocol: ``dlt645-2007`` or ``dlt645-1997``; only for frames whose function code does not tell.

    """
    frames = []
    at = 0
    while (start := octets.find(link.START, at)) >= 0:
        end = link.frame_end(octets, start)
        if end > 0:
            frames.append(_frame(octets, _preamble_start(octets, at, start), start, end, protocol))
        at = end if end > 0 else start + 1
    skipped = len(octets) - sum(frame.end - frame.start for frame in frames)
    if frames:
        return Explanation(octets=octets, frames=tuple(frames), skipped=skipped)
    fault, parts = refused(octets)
    return Explanation(octets=octets, skipped=skipped, fault=fault, refused=parts)


def _preamble_start(octets: bytes, at: int, start: int) -> int:
    while start > at and octets[start - 1] == link.PREAMBLE:
        start -= 1
    return start


def _frame(octets: bytes, begin: int, start: int, end: int, protocol: Edition) -> ExplainedFrame:
    frame = link.frame_at(octets, start, end)
    said = explain_data(frame, start + 10, protocol)
    decoded: dict[str, Any] = {
        "preamble": start - begin,
        "address": frame.address,
        "control": f"0x{frame.control:02X}",
        "length": len(frame.data),
        **({"more": True} if frame.has_following else {}),
        **said.decoded,
    }
    parts = [
        _part(octets, start, start + 1, Text("start", "起始符")),
        _part(octets, start + 1, start + 7, Text("address", "地址"), _address_says(frame.address)),
        _part(octets, start + 7, start + 8, Text("start", "起始符")),
        _part(octets, start + 8, start + 9, Text("control", "控制码"), _control_says(frame, said.protocol)),
        _part(octets, start + 9, start + 10, Text("length", "数据长度"), same(str(len(frame.data)))),
        *said.parts,
        Part(
            start=end - 2,
            octets=octets[end - 2 : end - 1],
            name=Text("checksum", "校验码"),
            secret=bool(secret_spans(frame, protocol)),  # it is a sum over the password
        ),
        _part(octets, end - 1, end, Text("end", "结束符")),
    ]
    if begin < start:
        parts.insert(0, _part(octets, begin, start, Text("preamble", "前导字节")))
    return ExplainedFrame(start=begin, end=end, parts=tuple(parts), decoded=decoded, fault=said.fault)


def _part(octets: bytes, start: int, end: int, name: Text, says: Text = NOTHING) -> Part:
    return Part(start=start, octets=octets[start:end], name=name, says=says)


def _address_says(address: str) -> Text:
    if address == link.BROADCAST:
        return Text(f"{address}, broadcast", f"{address}，广播地址")
    if "A" in address:
        return Text(f"{address}, A matches any digit", f"{address}，A 为通配（缩位寻址）")
    return same(address)


def _control_says(frame: link.Frame, protocol: Edition) -> Text:
    name = function_name(frame.function, protocol)
    words = [Text("answer", "应答") if frame.from_meter else Text("request", "请求"), Text(name.en, name.zh)]
    if frame.abnormal:
        words.append(Text("refused", "异常应答"))
    if frame.has_following:
        words.append(Text("more follows", "有后续数据"))
    return Text(", ".join(word.en for word in words), "，".join(word.zh for word in words))
