"""What the DATA of a DL/T 645 frame says: parts for people, and the same for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from meterlink.explain.dlt645_meaning import command_out, invalid_expiry, meaning
from meterlink.explain.dlt645_words import field_words, security_words
from meterlink.explain.parts import NOTHING, Part, Said, Text, same
from meterwire.dlt645 import AbnormalReply, Entry, Frame, ItemValue, dictionary
from meterwire.dlt645.items import formats, security
from meterwire.dlt645.items.bit_words import bits_set
from meterwire.dlt645.items.framing import Piece, pieces
from meterwire.dlt645.items.shapes import Fields
from meterwire.dlt645.link.functions import (
    DI_OCTETS,
    READ_AGAIN_1997,
    READ_FOLLOWING,
    READ_FOLLOWING_1997,
    READS,
    SECURITY,
    WRITES,
    Edition,
    edition,
)
from meterwire.dlt645.messages.command_codec import Span, field_spans
from meterwire.dlt645.messages.control import CIPHER_LEVELS, MAC_LEVELS
from meterwire.dlt645.messages.secrets import MAC_OCTETS, secret_spans
from meterwire.errors import RemoteProtocolError
from meterwire.item_value import Label

_DI = Text("data identifier", "数据标识")
_DATA = Text("data", "数据")
_UNKNOWN = Text("no dictionary knows this identifier", "未收录的数据标识")
_PROBLEMS = {
    "absent": Text("absent: filled with FF, or never happened", "无数据（FF 填充或未发生）"),
    "invalid-bcd": Text("digits that are not BCD", "非 BCD 码"),
}
_UNTOLD = Text("the length fits no layout that is known", "长度与已知格式不符")
_UNFIT = Text("the octets do not fit the function", "数据与功能码不符")
_NO_LAYOUT = Text("no source tells what stands in it", "内容格式未知")
_NO_RECORD = Text("no data: the meter has nothing of this", "无数据：电表没有该项记录")
_SELECTOR_OCTETS_MAX = 6  # N mm hh DD MM YY
_PIECES = {
    "delimiter": (Text("delimiter AAH", "分隔符 AAH"), NOTHING),
    "record-mark": (Text("begin of a record", "记录起始码"), NOTHING),
    "record-octets": (Text("octets up to the last delimiter", "记录字节数"), NOTHING),
    "record-damaged": (Text("content of a record", "记录内容"), Text("the record is damaged", "记录已损坏")),
    "record-checksum": (Text("checksum of the record", "记录累加和"), NOTHING),
    "record-end": (Text("end of the record", "记录结束码"), NOTHING),
    "rest": (Text("octets of no record", "记录之外的字节"), Text("not a whole record", "不是完整记录")),
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
    said.parts = [_marked(part, spans) for part in said.parts]
    if told := meaning(frame, said):
        said.decoded["meaning"] = told
    return said


def _marked(part: Part, secrets: Sequence[tuple[int, int]]) -> Part:
    """The part with what is secret in it marked: the fields within, or all of it when it has none."""
    if not any(first < part.start + len(part.octets) and part.start < after for first, after in secrets):
        return part
    if any(inner.octets for inner in part.parts):
        return replace(part, parts=tuple(_marked(inner, secrets) for inner in part.parts))
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
    at = start + size
    following = frame.function in {READ_FOLLOWING, READ_FOLLOWING_1997}
    numbered = following and protocol == "dlt645-2007"
    sequence = rest[-1:] if numbered else b""
    rest = rest[: len(rest) - len(sequence)]
    if not frame.from_meter:
        said.parts += _selector(rest, at)
    elif following:
        said.parts += [_part(rest, at, Text("piece of an answer", "后续数据"))] if rest else []
    elif rest:
        _values(said, entry, rest, at)
    else:
        said.parts[0] = replace(said.parts[0], problem=_NO_RECORD)
    if sequence:
        said.parts.append(_field("sequence", sequence, at + len(rest), protocol))
    return said


def _selector(octets: bytes, at: int) -> Iterator[Part]:
    """Which load records are wanted: how many, and from when."""
    if len(octets) in {1, _SELECTOR_OCTETS_MAX}:
        yield _field("count", octets[:1], at, "dlt645-2007")
        if since := octets[1:]:
            yield _field("since", since, at + 1, "dlt645-2007")
    elif octets:
        yield _part(octets, at, Text("octets that a read does not have", "读命令之外的字节"))


def _field(name: str, raw: bytes, at: int, protocol: Edition) -> Part:
    called, says = field_words(name, raw, protocol)
    return _part(raw, at, called, says)


def _values(said: Said, entry: Entry | None, rest: bytes, at: int) -> None:
    problem = _UNKNOWN
    if entry is not None:
        try:
            said.values = entry.decode(rest)
        except RemoteProtocolError as error:
            problem = Text(
                str(error), f"长度不符：{entry.zh} 应为 {entry.octets} 字节，实为 {len(rest)} 字节"
            )
    if said.values:
        said.decoded["values"] = [value_out(value) for value in said.values]
    found = pieces(entry, rest) if entry is not None else ()
    if entry is None or not found:
        said.parts.append(_part(rest, at, _DATA, problem=problem))
        return
    words = _words_of(entry)
    said.parts += [_piece_part(piece, at, words) for piece in found]


def _piece_part(piece: Piece, at: int, words: dict[str, str]) -> Part:
    if piece.value is not None:
        return _value_part(piece.value, at + piece.start, words.get(piece.value.item, ""))
    name, problem = _PIECES[piece.kind]
    says = same(str(piece.octets[0])) if piece.kind == "record-octets" else NOTHING
    return _part(piece.octets, at + piece.start, name, says, problem=problem)


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
    said = Said(protocol=protocol, decoded=command_out(frame, spans, protocol))
    for span in spans:
        raw, at = frame.data[span.start : span.end], start + span.start
        name, says = field_words(span.name, raw, protocol)
        inner, problem = _within(frame, span.name, raw, at, said)
        said.parts.append(_part(raw, at, name, says, problem=problem, parts=tuple(inner)))
        if (known := _COMMAND_VALUES.get(span.name)) is not None:
            label, format_ = known
            said.decoded["values"] = [value_out(ItemValue(label, *format_.decode(raw), raw))]
    said.fault = invalid_expiry(frame, spans)
    return said


def _within(frame: Frame, name: str, raw: bytes, at: int, said: Said) -> tuple[Sequence[Part], Text]:
    """The fields within one of a command, and what is wrong where they cannot be told apart."""
    if name == "data":
        return (), _UNFIT
    if name == "sealed":
        return _sealed(raw, at), NOTHING
    if name != "payload":
        return (), NOTHING
    if frame.function == SECURITY:
        fields = _security(frame, int(said.decoded["di"], 16), raw, at)
        return fields, NOTHING if fields else _UNTOLD
    if frame.function in WRITES:
        return _written(raw, at, said), NOTHING
    return (), _NO_LAYOUT


def _written(raw: bytes, at: int, said: Said) -> list[Part]:
    """What a write carries, by its password level, and the MAC behind it where there is one."""
    level = bytes.fromhex(said.decoded["password_level"])[0]
    if level in CIPHER_LEVELS:
        return _sealed(raw, at)
    cut = len(raw) - (MAC_OCTETS if level in MAC_LEVELS and len(raw) > MAC_OCTETS else 0)
    parts = _plain(raw[:cut], int(said.decoded["di"], 16), at, said.protocol)
    return parts + ([_field("mac", raw[cut:], at + cut, said.protocol)] if cut < len(raw) else [])


def _sealed(raw: bytes, at: int) -> list[Part]:
    """Enciphered data, and the MAC behind it."""
    cut = len(raw) - MAC_OCTETS
    if cut <= 0:
        return []
    return [
        _field("cipher", raw[:cut], at, "dlt645-2007"),
        _field("mac", raw[cut:], at + cut, "dlt645-2007"),
    ]


def _security(frame: Frame, di: int, payload: bytes, at: int) -> list[Part]:
    parts = []
    for value in security.split(di, "reply" if frame.from_meter else "request", payload) or ():
        name, says = security_words(value.field.name, value.value)
        parts.append(_part(value.raw, at + value.start, name, says))
    return parts


def _plain(octets: bytes, di: int, at: int, protocol: Edition) -> list[Part]:
    """The values of an identifier, where the dictionary knows it."""
    entry = dictionary(protocol).by_di(di)
    if entry is None:
        return [_part(octets, at, _DATA, problem=_UNKNOWN)]
    words = _words_of(entry)
    inner = [_piece_part(piece, at, words) for piece in pieces(entry, octets)]
    return inner or [_part(octets, at, _DATA, problem=_UNTOLD)]


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
