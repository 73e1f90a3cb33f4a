"""Modbus octets, RTU or TCP -> explanation.

With all octets at hand the first place that holds a frame wins, and the search goes on one octet after a
place that does not. Source: as ``meterwire.modbus``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, Final, NamedTuple

from meterlink.explain.parts import NOTHING, ExplainedFrame, Explanation, Part, Text, same
from meterwire.errors import RemoteProtocolError
from meterwire.modbus.link import framing, rtu, tcp
from meterwire.modbus.link.framing import Framing
from meterwire.modbus.pdus import functions, messages
from meterwire.modbus.pdus.functions import Direction
from meterwire.modbus.pdus.messages import (
    ExceptionReply,
    IdentificationReply,
    IdentificationRequest,
    Message,
    ReadReply,
    WriteRegister,
    WriteRegisters,
)

_OBJECTS: Final = {
    0: Text("vendor name", "厂商名称"),
    1: Text("product code", "产品代码"),
    2: Text("revision", "版本"),
    3: Text("vendor URL", "厂商网址"),
    4: Text("product name", "产品名称"),
    5: Text("model name", "型号名称"),
    6: Text("application name", "应用名称"),
}
"""Objects of a device identification. Source: application protocol V1.1b3, 6.21."""
_IDENTIFICATION: Final = (
    Text("conformity", "一致性等级"),
    Text("more follows", "有后续"),
    Text("next object", "下一对象"),
    Text("objects", "对象数"),
)
_OBJECTS_AT: Final = 7


class _Kind(NamedTuple):
    """What one framing has that the other has not.

    Args:
        good_end: where the frame ends that begins at an index.
        pdu_at: octets before its PDU.
        tail_octets: octets behind it.

    """

    good_end: Callable[[bytes, int], tuple[int, Direction] | None]
    pdu_at: int
    tail_octets: int


_KINDS: Final[dict[Framing, _Kind]] = {
    "rtu": _Kind(rtu.good_end, 1, 2),
    "tcp": _Kind(tcp.good_end, tcp.HEAD_OCTETS, 0),
}


def explain_rtu(octets: bytes) -> Explanation:
    """Find and explain every RTU frame in ``octets``.

    Args:
        octets: a frame, or a stream with anything in it.

    """
    return _explain(octets, "rtu")


def explain_tcp(octets: bytes) -> Explanation:
    """Find and explain every TCP frame in ``octets``.

    Args:
        octets: a frame, or a stream with anything in it.

    """
    return _explain(octets, "tcp")


def _explain(octets: bytes, kind: Framing) -> Explanation:
    frames = tuple(_frames(octets, kind))
    skipped = len(octets) - sum(frame.end - frame.start for frame in frames)
    if frames:
        return Explanation(octets=octets, frames=frames, skipped=skipped)
    parts = (Part(start=0, octets=octets, name=Text("octets", "字节")),) if octets else ()
    return Explanation(octets=octets, skipped=skipped, fault=_fault(octets, kind), refused=parts)


def _fault(octets: bytes, kind: Framing) -> RemoteProtocolError:
    """Why there is no frame."""
    try:
        framed = framing.decode(octets, kind)
        messages.decode_request(framed.pdu)
    except RemoteProtocolError as error:
        return RemoteProtocolError(str(error), kind=error.kind, octets=octets)
    return RemoteProtocolError("no function and length agree", kind="function", octets=octets)


def _frames(octets: bytes, kind: Framing) -> Iterator[ExplainedFrame]:
    at = 0
    while at < len(octets):
        found = _KINDS[kind].good_end(octets, at)
        if found is None:
            at += 1
            continue
        end, direction = found
        yield _frame(octets[at:end], at, kind, direction)
        at = end


def _frame(octets: bytes, start: int, kind: Framing, direction: Direction) -> ExplainedFrame:
    framed = framing.decode(octets, kind)
    pdu_at = start + _KINDS[kind].pdu_at
    decoded: dict[str, Any] = {"unit": framed.unit, "direction": direction}
    if kind == "tcp":
        decoded["transaction"] = framed.transaction
    read = messages.decode_request if direction == "request" else messages.decode_reply
    fault = None
    body: tuple[Part, ...] = (_part(framed.pdu[1:], pdu_at + 1, Text("data", "数据")),)
    decoded["function"] = f"{framed.pdu[0]:02X}"
    try:
        message = read(framed.pdu)
    except RemoteProtocolError as error:
        fault = RemoteProtocolError(str(error), kind=error.kind, octets=octets, offset=pdu_at + 1)
    else:
        decoded |= _plain(message)
        body = tuple(_body(message, framed.pdu, pdu_at))
    function = _part(
        framed.pdu[:1], pdu_at, Text("function", "功能码"), _function_says(framed.pdu[0], direction)
    )
    parts = (*_head(octets, start, framed, kind), function, *body, *_tail(octets, start, kind))
    return ExplainedFrame(start=start, end=start + len(octets), parts=parts, decoded=decoded, fault=fault)


def _plain(message: Message) -> dict[str, Any]:
    """The fields of a message for machines."""
    found: dict[str, Any] = {}
    for field in fields(message):
        value = getattr(message, field.name)
        if field.name == "objects":
            value = {str(number): octets.hex() for number, octets in value}
        if field.name not in {"function", "refused"}:
            found[field.name] = value.hex() if isinstance(value, bytes) else value
    return found | ({"meaning": message.words.en} if isinstance(message, ExceptionReply) else {})


# --- for people --------------------------------------------------------------------------------


def _part(octets: bytes, start: int, name: Text, says: Text = NOTHING) -> Part:
    return Part(start=start, octets=octets, name=name, says=says)


def _head(octets: bytes, start: int, framed: framing.Framed, kind: Framing) -> Iterator[Part]:
    if kind == "tcp":
        yield _part(octets[:2], start, Text("transaction", "事务标识"), same(str(framed.transaction)))
        yield _part(octets[2:4], start + 2, Text("protocol", "协议标识"), same("Modbus"))
        yield _part(octets[4:6], start + 4, Text("length", "长度"), same(str(len(octets) - 6)))
    unit_at = _KINDS[kind].pdu_at - 1
    says = (
        Text("everybody", "广播")
        if kind == "rtu" and framed.unit == rtu.BROADCAST
        else same(str(framed.unit))
    )
    yield _part(octets[unit_at : unit_at + 1], start + unit_at, Text("unit", "单元地址"), says)


def _tail(octets: bytes, start: int, kind: Framing) -> Iterator[Part]:
    if count := _KINDS[kind].tail_octets:
        yield _part(octets[-count:], start + len(octets) - count, same("CRC"))


def _function_says(function: int, direction: Direction) -> Text:
    words = functions.FUNCTIONS[function & ~functions.REFUSED]
    if function & functions.REFUSED:
        return Text(f"refused, {words.en}", f"异常应答，{words.zh}")
    way = Text("request", "请求") if direction == "request" else Text("answer", "应答")
    return Text(f"{way.en}, {words.en}", f"{way.zh}，{words.zh}")


def _body(message: Message, pdu: bytes, start: int) -> Iterator[Part]:
    """The fields behind the function."""
    match message:
        case ExceptionReply(words=words):
            code = Text(f"{message.code}, {words.en}", f"{message.code}，{words.zh}")
            yield _part(pdu[1:2], start + 1, Text("exception", "异常码"), code)
        case ReadReply():
            yield _part(pdu[1:2], start + 1, Text("octets", "字节数"), same(str(pdu[1])))
            yield _data(message.function, message.data, start + 2)
        case IdentificationRequest() | IdentificationReply():
            yield from _identification(message, pdu, start)
        case _:
            yield _part(pdu[1:3], start + 1, Text("address", "起始地址"), _hexadecimal(message.start))
            is_one = isinstance(message, WriteRegister)
            number = message.value if isinstance(message, WriteRegister) else message.count
            name = Text("value", "数值") if is_one else Text("count", "数量")
            yield _part(pdu[3:5], start + 3, name, same(str(number)))
            if isinstance(message, WriteRegisters):
                yield _part(pdu[5:6], start + 5, Text("octets", "字节数"), same(str(pdu[5])))
                yield _data(message.function, message.data, start + 6)


def _hexadecimal(number: int) -> Text:
    return same(f"{number} ({number:04X}H)")


def _data(function: int, data: bytes, start: int) -> Part:
    """Registers one by one; bits as 0 and 1, the first one first."""
    if function in functions.BIT_READS:
        bits = "".join(f"{octet:08b}"[::-1] for octet in data)
        return _part(data, start, Text("bits", "位"), same(bits))
    each = tuple(
        _part(data[at : at + 2], start + at, same(f"[{at // 2}]"), _register(data[at : at + 2]))
        for at in range(0, len(data), 2)
    )
    return Part(start=start, octets=data, name=Text("registers", "寄存器"), parts=each)


def _register(octets: bytes) -> Text:
    return same(str(int.from_bytes(octets, "big")))


def _identification(
    message: IdentificationRequest | IdentificationReply, pdu: bytes, start: int
) -> Iterator[Part]:
    yield _part(pdu[1:2], start + 1, Text("kind", "MEI类型"), Text("device identification", "设备识别"))
    yield _part(pdu[2:3], start + 2, Text("read code", "读取码"), same(str(message.read_code)))
    if isinstance(message, IdentificationRequest):
        yield _part(pdu[3:4], start + 3, Text("object", "对象"), same(str(message.object_id)))
        return
    for at, name in enumerate(("conformity", "more follows", "next object", "objects"), start=3):
        zh = {
            "conformity": "一致性等级",
            "more follows": "有后续",
            "next object": "下一对象",
            "objects": "对象数",
        }
        yield _part(pdu[at : at + 1], start + at, Text(name, zh[name]), same(str(pdu[at])))
    at = _OBJECTS_AT
    for number, octets in message.objects:
        called = _OBJECTS.get(number, Text(f"object {number}", f"对象 {number}"))
        end = at + 2 + len(octets)
        yield _part(pdu[at:end], start + at, called, same(octets.decode("ascii", "replace")))
        at = end
