"""What the DATA of a DL/T 645 frame says: parts for people, and the same for machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from meterlink.explain.parts import NOTHING, Part, Text, same
from meterwire.dlt645 import AbnormalReply, Entry, Frame, ItemValue, dictionary
from meterwire.dlt645.error_word import bits_set
from meterwire.dlt645.functions import READ, READ_FOLLOWING, Edition, edition
from meterwire.errors import RemoteProtocolError

_DI_OCTETS = 4


@dataclass(slots=True)
class Said:
    """What DATA says.

    Args:
        protocol: the edition it was read by.
        parts: its fields.
        decoded: the same in the terms of the conformance vectors.
        fault: why a good frame is refused for what it says.

    """

    protocol: Edition
    parts: list[Part] = field(default_factory=list)
    decoded: dict[str, Any] = field(default_factory=dict)
    fault: RemoteProtocolError | None = None


def explain_data(frame: Frame, start: int, protocol: Edition) -> Said:
    """Explain the data of ``frame``, whose first octet stands at ``start`` of the stream."""
    said = Said(protocol=edition(frame.function, protocol))
    if frame.abnormal and frame.from_meter and frame.data:
        _refusal(said, frame, start)
    elif frame.function in {READ, READ_FOLLOWING} and len(frame.data) >= _DI_OCTETS:
        _read(said, frame, start)
    elif frame.data:
        said.decoded["raw"] = _hex(frame.data)
        said.parts.append(_part(frame.data, start, _DATA, secret=True))
    return said


def _refusal(said: Said, frame: Frame, start: int) -> None:
    reply = AbnormalReply(address=frame.address, function=frame.function, error_word=frame.data)
    said.decoded["err"] = f"{frame.data[0]:02X}"
    if len(frame.data) == 1:
        said.decoded["err_bits"] = [bit.name for bit in bits_set(frame.data)]
    says = Text(reply.sentence("en"), reply.sentence("zh"))
    said.parts.append(_part(frame.data, start, Text("error word", "错误信息字"), says))


def _read(said: Said, frame: Frame, start: int) -> None:
    di = int.from_bytes(frame.data[:_DI_OCTETS], "little")
    rest = frame.data[_DI_OCTETS:]
    entry = dictionary(said.protocol).by_di(di)
    said.decoded |= {"di": f"{di:08X}", "raw": _hex(rest)}
    name = Text("data identifier", "数据标识")
    said.parts.append(_part(frame.data[:_DI_OCTETS], start, name, _di_says(di, entry)))
    at = start + _DI_OCTETS
    if not rest:
        return
    if frame.from_meter and frame.function == READ:
        _values(said, entry, rest, at)
    elif frame.function == READ:
        said.parts.append(_part(rest, at, Text("selector", "附加参数")))
    else:
        if rest[:-1]:
            said.parts.append(_part(rest[:-1], at, Text("piece of an answer", "后续数据")))
        name = Text("sequence number", "帧序号")
        said.parts.append(_part(rest[-1:], at + len(rest) - 1, name, same(str(rest[-1]))))


def _values(said: Said, entry: Entry | None, rest: bytes, at: int) -> None:
    if entry is None:
        said.parts.append(Part(start=at, octets=masked(rest), name=_DATA, problem=_UNKNOWN))
        return
    try:
        values = entry.decode(rest)
    except RemoteProtocolError as error:
        problem = Text(str(error), f"长度不符：{entry.zh} 应为 {entry.octets} 字节，实为 {len(rest)} 字节")
        said.parts.append(Part(start=at, octets=masked(rest), name=_DATA, problem=problem))
        return
    said.decoded["values"] = [value_out(value) for value in values]
    for value in values:
        said.parts.append(value_part(value, at))
        at += len(value.raw)


_DATA = Text("data", "数据")
_UNKNOWN = Text("no dictionary knows this identifier", "未收录的数据标识")
_PROBLEMS = {
    "absent": Text("absent: filled with FF, or never happened", "无数据（FF 填充或未发生）"),
    "invalid-bcd": Text("digits that are not BCD", "非 BCD 码"),
}


def value_part(value: ItemValue, start: int) -> Part:
    """A value as a part of the frame; ``start`` is where its octets stand."""
    says = same(f"{value.text} {value.unit}".rstrip()) if value.problem is None else NOTHING
    problem = _PROBLEMS[value.problem] if value.problem else NOTHING
    return Part(
        start=start, octets=masked(value.raw), name=Text(value.name, value.zh), says=says, problem=problem
    )


def value_out(value: ItemValue) -> dict[str, Any]:
    """A value in the terms of the conformance vectors."""
    text = "invalid-bcd" if value.problem == "invalid-bcd" else value.text
    out = {"name": value.name, "zh": value.zh, "item": value.item, "value": text, "unit": value.unit}
    return out | ({"period": value.period} if value.period else {})


def masked(data: bytes) -> bytes:
    """Data as it stands on the wire, with 33H added."""
    return bytes((octet + 0x33) & 0xFF for octet in data)


def _di_says(di: int, entry: Entry | None) -> Text:
    digits = " ".join(f"{octet:02X}" for octet in di.to_bytes(_DI_OCTETS, "big"))
    if entry is None:
        return Text(f"{digits}, unknown", f"{digits}，未收录")
    return Text(f"{digits}, {entry.en}", f"{digits}，{entry.zh}")


def _hex(octets: bytes) -> str:
    return octets.hex().upper()


def _part(data: bytes, at: int, name: Text, says: Text = NOTHING, *, secret: bool = False) -> Part:
    return Part(start=at, octets=masked(data), name=name, says=says, secret=secret)
