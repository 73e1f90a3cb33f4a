"""What the DATA of a DL/T 645 frame says: parts for people, and the same for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from meterlink.explain.dlt645_meaning import command_out, invalid_expiry, meaning
from meterlink.explain.dlt645_words import field_words
from meterlink.explain.parts import NOTHING, Part, Said, Text, same
from meterwire.dlt645 import AbnormalReply, Entry, Frame, ItemValue, dictionary, formats
from meterwire.dlt645.bit_words import bits_set
from meterwire.dlt645.command_codec import Span, field_spans
from meterwire.dlt645.functions import (
    DI_OCTETS,
    READ_AGAIN_1997,
    READ_FOLLOWING,
    READ_FOLLOWING_1997,
    READS,
    Edition,
    edition,
)
from meterwire.dlt645.secrets import secret_spans
from meterwire.dlt645.shapes import Fields
from meterwire.dlt645.values import Label
from meterwire.errors import RemoteProtocolError

_DI = Text("data identifier", "数据标识")
_DATA = Text("data", "数据")
_UNKNOWN = Text("no dictionary knows this identifier", "未收录的数据标识")
_PROBLEMS = {
    "absent": Text("absent: filled with FF, or never happened", "无数据（FF 填充或未发生）"),
    "invalid-bcd": Text("digits that are not BCD", "非 BCD 码"),
}
_COMMAND_VALUES: dict[str, tuple[Label, formats.Format]] = {
    "meter_address": (
        Label("communication_address", "", "communication address", "通信地址", ""),
        formats.Hex(6),
    ),
    "clock": (Label("meter_clock", "", "time", "时间", ""), formats.parse("YYMMDDhhmmss")),
}


def explain_data(frame: Frame, start: int, hint: Edition) -> Said:
    """Explain the data of ``frame``, whose first octet stands at ``start`` of the stream."""
    protocol = edition(frame.function, hint)
    if frame.abnormal and frame.from_meter and frame.data:
        said = _refusal(frame, start)
    elif _is_read(frame, protocol):
        said = _read(frame, start, protocol)
    else:
        said = _command(frame, start, protocol)
    said.protocol = protocol
    spans = [(start + first, start + after) for first, after in secret_spans(frame, hint)]
    said.parts = [_hidden(part) if _overlaps(part, spans) else part for part in said.parts]
    if told := meaning(frame, said):
        said.decoded["meaning"] = told
    return said


def _overlaps(part: Part, spans: Sequence[tuple[int, int]]) -> bool:
    return any(first < part.start + len(part.octets) and part.start < after for first, after in spans)


def _hidden(part: Part) -> Part:
    return replace(part, secret=True, parts=())


def _is_read(frame: Frame, protocol: Edition) -> bool:
    again = protocol == "dlt645-1997" and frame.function == READ_AGAIN_1997 and frame.from_meter
    return (frame.function in READS or again) and len(frame.data) >= DI_OCTETS[protocol]


def _refusal(frame: Frame, start: int) -> Said:
    reply = AbnormalReply(address=frame.address, function=frame.function, error_word=frame.data)
    says = Text(reply.sentence("en"), reply.sentence("zh"))
    decoded: dict[str, Any] = {"err": _hex(frame.data[:1])}
    if len(frame.data) == 1:
        decoded["err_bits"] = list(reply.bits)
    return Said(parts=[_part(frame.data, start, Text("error word", "错误信息字"), says)], decoded=decoded)


def _read(frame: Frame, start: int, protocol: Edition) -> Said:
    size = DI_OCTETS[protocol]
    di, rest = int.from_bytes(frame.data[:size], "little"), frame.data[size:]
    entry = dictionary(protocol).by_di(di)
    said = Said(decoded={"di": f"{di:0{2 * size}X}", "raw": _hex(rest)})
    said.parts.append(_part(frame.data[:size], start, _DI, _di_says(di, size, entry)))
    following = frame.function in {READ_FOLLOWING, READ_FOLLOWING_1997}
    if rest and following:
        said.parts += _piece(rest, start + size, numbered=protocol == "dlt645-2007")
    elif rest and frame.from_meter:
        _values(said, entry, rest, start + size)
    elif rest:
        said.parts.append(_part(rest, start + size, Text("selector", "附加参数")))
    return said


def _piece(rest: bytes, at: int, *, numbered: bool) -> Iterator[Part]:
    piece = rest[:-1] if numbered else rest
    if piece:
        yield _part(piece, at, Text("piece of an answer", "后续数据"))
    if numbered:
        yield _part(rest[-1:], at + len(piece), Text("sequence number", "帧序号"), same(str(rest[-1])))


def _values(said: Said, entry: Entry | None, rest: bytes, at: int) -> None:
    problem = _UNKNOWN
    if entry is not None:
        try:
            said.values = entry.decode(rest)
        except RemoteProtocolError as error:
            problem = Text(
                str(error), f"长度不符：{entry.zh} 应为 {entry.octets} 字节，实为 {len(rest)} 字节"
            )
    if entry is None or not said.values:
        said.parts.append(_part(rest, at, _DATA, problem=problem))
        return
    said.decoded["values"] = [value_out(value) for value in said.values]
    said.parts += _value_parts(said.values, _words_of(entry), rest, at)


def _value_parts(
    values: tuple[ItemValue, ...], words: dict[str, str], rest: bytes, at: int
) -> Iterator[Part]:
    """The values where they stand, and what stands between them."""
    done = 0
    for value in values:
        begin = rest.find(value.raw, done)
        if begin > done:
            yield _part(rest[done:begin], at + done, Text("delimiter", "分隔"))
        done = begin + len(value.raw)
        yield _value_part(value, at + begin, words.get(value.item, ""))
    if done < len(rest):
        yield _part(rest[done:], at + done, Text("delimiter", "分隔"))


def _words_of(entry: Entry) -> dict[str, str]:
    """Which items of an entry are bit words, and which words."""
    groups = (
        group
        for shape in entry.shapes
        if isinstance(shape, Fields)
        for group in (shape.head, *shape.repeated)
    )
    return {
        label.item: format_.word
        for group in groups
        for label, format_ in zip(group.labels, group.layout, strict=True)
        if isinstance(format_, formats.Hex)
    }


def _value_part(value: ItemValue, start: int, word: str) -> Part:
    says = same(f"{value.text} {value.unit}".rstrip()) if value.problem is None else NOTHING
    problem = _PROBLEMS[value.problem] if value.problem else NOTHING
    bits = tuple(
        Part(
            start=start + bit.place // 8,
            octets=b"",
            name=Text(f"bit {bit.place}", f"位 {bit.place}"),
            says=Text(bit.en, bit.zh),
        )
        for bit in bits_set(word, value.raw)
    )
    name = Text(value.name, value.zh)
    return Part(start=start, octets=_masked(value.raw), name=name, says=says, problem=problem, parts=bits)


def value_out(value: ItemValue) -> dict[str, Any]:
    """A value in the terms of the conformance vectors."""
    text = "invalid-bcd" if value.problem == "invalid-bcd" else value.text
    out = {"name": value.name, "zh": value.zh, "item": value.item, "value": text, "unit": value.unit}
    return out | ({"period": value.period} if value.period else {})


def _command(frame: Frame, start: int, protocol: Edition) -> Said:
    spans = field_spans(frame, protocol)
    if spans is None:
        spans = (Span("data", 0, len(frame.data)),) if frame.data else ()
    said = Said(decoded=command_out(frame, spans, protocol))
    for span in spans:
        raw = frame.data[span.start : span.end]
        name, says = field_words(span.name, raw, protocol)
        inner = _written(said, raw, start + span.start, protocol) if span.name == "payload" else ()
        said.parts.append(_part(raw, start + span.start, name, says, parts=tuple(inner)))
        if (known := _COMMAND_VALUES.get(span.name)) is not None:
            label, format_ = known
            said.decoded["values"] = [value_out(ItemValue(label, *format_.decode(raw), raw))]
    said.fault = invalid_expiry(frame, spans)
    return said


def _written(said: Said, payload: bytes, at: int, protocol: Edition) -> Iterator[Part]:
    """What a write carries, where the dictionary knows it."""
    entry = dictionary(protocol).by_di(int(said.decoded["di"], 16)) if "di" in said.decoded else None
    if entry is None:
        return
    try:
        values = entry.decode(payload)
    except RemoteProtocolError:
        return
    yield from _value_parts(values, _words_of(entry), payload, at)


def _di_says(di: int, size: int, entry: Entry | None) -> Text:
    digits = di.to_bytes(size, "big").hex(" ").upper()
    if entry is None:
        return Text(f"{digits}, unknown", f"{digits}，未收录")
    return Text(f"{digits}, {entry.en}", f"{digits}，{entry.zh}")


def _hex(octets: bytes) -> str:
    return octets.hex().upper()


def _masked(data: bytes) -> bytes:
    """Data as it stands on the wire, with 33H added."""
    return bytes((octet + 0x33) & 0xFF for octet in data)


def _part(
    data: bytes,
    at: int,
    name: Text,
    says: Text = NOTHING,
    *,
    problem: Text = NOTHING,
    parts: tuple[Part, ...] = (),
) -> Part:
    return Part(start=at, octets=_masked(data), name=name, says=says, problem=problem, parts=parts)
