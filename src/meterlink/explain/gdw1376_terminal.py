"""Q/GDW 1376.1 octets -> explanation. Source: spec sections B1 to B3, E1 and E3."""

from __future__ import annotations

from typing import Any, Final

from meterlink.explain.gdw1376_fields import field_parts, inner_decoded, raw_part
from meterlink.explain.parts import NOTHING, ExplainedFrame, Explanation, Part, Text, same
from meterwire.errors import RemoteProtocolError
from meterwire.gdw1376.formats.formats import formats
from meterwire.gdw1376.functions import terminal
from meterwire.gdw1376.link import terminal_frame as link
from meterwire.gdw1376.link.auxiliary import PASSWORD_AFNS, Auxiliary, TimeTag, auxiliary_octets
from meterwire.gdw1376.link.deframer import TERMINAL, Deframer
from meterwire.gdw1376.link.terminal_frame import Frame
from meterwire.gdw1376.link.unit_ids import EVERY_POINT, ID_OCTETS
from meterwire.gdw1376.messages.secrets import UNREAD_SHOWN
from meterwire.gdw1376.messages.terminal import Group, Message, Unit, from_frame

_CLOCK: Final = ("sec", "min", "hour", "day", "week_month", "year")
"""How the vectors tell the terminal's clock: octet by octet."""
_CLOCK_FN: Final = 2


def explain(octets: bytes) -> Explanation:
    """Find and explain every frame in ``octets``.

    Args:
        octets: a frame, or a stream with anything in it.

    """
    spans = Deframer(TERMINAL).feed(octets)
    frames = tuple(_explained(span.octets, span.start) for span in spans)
    around = len(octets) - sum(frame.end - frame.start for frame in frames)
    if frames:
        return Explanation(octets=octets, frames=frames, skipped=around)
    refused = (raw_part(octets, 0, secret=True),) if octets else ()
    return Explanation(octets=octets, skipped=around, fault=link.fault(octets), refused=refused)


def _explained(octets: bytes, start: int) -> ExplainedFrame:
    frame = link.decode(octets)
    decoded, fault = _head_plain(frame), None
    try:
        message = from_frame(frame)
    except RemoteProtocolError as error:
        body_at = link.body_at()
        offset = (
            None if error.offset is None else start + error.offset + (error.kind == "auxiliary") * body_at
        )
        fault = RemoteProtocolError(str(error), kind=error.kind, octets=octets, offset=offset)
        inner: tuple[Part, ...] = ()
        if frame.body:
            inner = (raw_part(frame.body, start + body_at, secret=True),)
    else:
        decoded |= _message_plain(message)
        inner = _body_parts(frame, message, start + link.body_at())
    decoded["cs"] = f"{octets[-2]:02X}"
    parts = (*_head_parts(octets, start, frame), *inner, *_tail_parts(octets, start, inner))
    return ExplainedFrame(start=start, end=start + len(octets), parts=parts, decoded=decoded, fault=fault)


# --- for machines ------------------------------------------------------------------------------


def _head_plain(frame: Frame) -> dict[str, Any]:
    control: dict[str, Any] = {
        "dir": "up" if frame.from_terminal else "down",
        "prm": int(frame.started),
        "func": frame.function,
    }
    if frame.from_terminal:
        control["acd"] = int(frame.attention)
    else:
        control |= {"fcb": int(frame.attention), "fcv": int(frame.fcv)}
    sequence = {
        "tpv": int(frame.has_time),
        "fir": int(frame.first),
        "fin": int(frame.final),
        "con": int(frame.confirm),
        "no": frame.sequence,
    }
    return {
        "user_len": link.LINK_OCTETS + len(frame.body),
        "protocol_id": frame.protocol_id,
        "c": control,
        "a1": frame.address.area,
        "a2": frame.address.terminal,
        "msa": frame.address.master,
        "group": int(frame.address.group),
        "afn": f"{frame.afn:02X}",
        "seq": sequence,
    }


def _message_plain(message: Message) -> dict[str, Any]:
    first = message.groups[0] if message.groups else Group((), (), ())
    found = _auxiliary_plain(message.auxiliary)
    found |= {"pn": list(first.points), "fn": list(first.functions), "data": {}}
    afn = message.head.afn
    named = len(first.points) * len(first.functions)
    if len(message.groups) == 1 and (named == 1 or first.units[0].fn not in first.functions):
        found["data"] = _unit_plain(first.units[0], afn)
    elif message.groups:
        found["units"] = [
            {"pn": unit.point, "fn": unit.fn, "data": _unit_plain(unit, afn)} for unit in message.units
        ]
    if message.rest:
        found["rest"] = message.rest.hex()
    return found


def _auxiliary_plain(auxiliary: Auxiliary) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if auxiliary.password:
        found["pw"] = auxiliary.password.hex()
    if auxiliary.event_counts is not None:
        found["ec"] = list(auxiliary.event_counts)
    if auxiliary.time_tag is not None:
        tag = auxiliary.time_tag
        found["tp"] = {"pfc": tag.number, "time": _tag_time(tag), "delay_min": tag.delay_min}
    return found


def _tag_time(tag: TimeTag) -> str | None:
    return None if tag.time is None else formats()["A16"].text(tag.time)  # type: ignore[arg-type]


def _unit_plain(unit: Unit, afn: int) -> dict[str, Any]:
    if unit.fields is None:
        return {"raw": unit.content.hex()}
    if (afn, unit.fn) == (terminal.CLASS_1, _CLOCK_FN) and unit.content:
        return {name: f"{octet:02X}" for name, octet in zip(_CLOCK, unit.content, strict=True)}
    found = {field.name: field.shown for field in unit.fields}
    if unit.content and unit.function is not None and not unit.function.told:
        found.setdefault("raw", unit.content.hex())
    return found | inner_decoded(unit.fields)


# --- for people --------------------------------------------------------------------------------


def _head_parts(octets: bytes, start: int, frame: Frame) -> tuple[Part, ...]:
    afn = terminal.AFNS.get(frame.afn)
    afn_says = Text(f"{frame.afn:02X}H, {afn[0]}", f"{frame.afn:02X}H，{afn[1]}") if afn else NOTHING
    length = f"{link.LINK_OCTETS + len(frame.body)}"
    generation = "130-2005" if frame.protocol_id == link.ID_2005 else "376.1"
    fields = [
        (0, 1, Text("start", "起始符"), NOTHING),
        (1, 3, Text("length", "长度"), same(f"{length}, {generation}")),
        (3, 5, Text("length again", "长度"), NOTHING),
        (5, 6, Text("start", "起始符"), NOTHING),
        (6, 7, Text("control", "控制域C"), _control_says(frame)),
        (7, 12, Text("address", "地址域A"), _address_says(frame)),
        (12, 13, same("AFN"), afn_says),
        (13, 14, Text("sequence", "帧序列域SEQ"), _sequence_says(frame)),
    ]
    return tuple(
        Part(start=start + first, octets=octets[first:end], name=name, says=says)
        for first, end, name, says in fields
    )


def _control_says(frame: Frame) -> Text:
    who = Text("terminal", "终端") if frame.from_terminal else Text("master", "主站")
    what = Text("starts", "启动") if frame.started else Text("answers", "响应")
    en, zh = f"{who.en} {what.en}, function {frame.function}", f"{who.zh}{what.zh}，功能码 {frame.function}"
    if frame.from_terminal and frame.attention:
        en, zh = f"{en}, important event waiting", f"{zh}，有重要事件"
    return Text(en, zh)


def _address_says(frame: Frame) -> Text:
    area, number, master, group = frame.address
    en = f"area {area}, terminal {number} ({number:04X}H), master {master}"
    zh = f"行政区划码 {area}，终端地址 {number}（{number:04X}H），主站 {master}"
    if group:
        en, zh = f"{en}, group", f"{zh}，组地址"
    return Text(en, zh)


def _sequence_says(frame: Frame) -> Text:
    kinds = {
        (True, True): Text("single frame", "单帧"),
        (True, False): Text("first frame", "首帧"),
        (False, True): Text("last frame", "末帧"),
        (False, False): Text("middle frame", "中间帧"),
    }
    kind = kinds[frame.first, frame.final]
    en, zh = f"number {frame.sequence}, {kind.en}", f"序号 {frame.sequence}，{kind.zh}"
    if frame.confirm:
        en, zh = f"{en}, wants a confirmation", f"{zh}，需确认"
    return Text(en, zh)


def _body_parts(frame: Frame, message: Message, start: int) -> tuple[Part, ...]:
    parts: list[Part] = []
    at = 0
    for group in message.groups:
        parts += _group_parts(frame, group, at, start)
        at += ID_OCTETS + sum(len(unit.content) for unit in group.units)
    if message.rest:
        name = Text("octets that are no unit", "多余字节")
        parts.append(Part(start=start + at, octets=message.rest, name=name, secret=_may_hold_secrets(frame)))
    return (*parts, *_auxiliary_parts(frame, message.auxiliary, start))


def _group_parts(frame: Frame, group: Group, at: int, start: int) -> list[Part]:
    """The identifier, and behind it one part for each unit."""
    octets = frame.body[at : at + ID_OCTETS]
    parts = [
        Part(
            start=start + at, octets=octets, name=Text("unit identifier", "数据单元标识"), says=_named(group)
        )
    ]
    at += ID_OCTETS
    for unit in group.units:
        if unit.content or len(group.units) > 1:
            parts.append(_unit_part(frame, unit, start + at))
        at += len(unit.content)
    return parts


def _named(group: Group) -> Text:
    points = ", ".join("every p" if point == EVERY_POINT else f"p{point}" for point in group.points)
    functions = ", ".join(f"F{fn}" for fn in group.functions)
    (unit, *more) = group.units
    known = None if more else unit.function
    if known is None:
        return same(f"{points}; {functions}")
    return Text(f"{points}; {functions}: {known.en}", f"{points}; {functions}：{known.zh}")


def _unit_part(frame: Frame, unit: Unit, start: int) -> Part:
    parts: tuple[Part, ...] = ()
    if unit.fields is not None:
        parts = field_parts(unit.fields, unit.content, start)
    words = Text("data", "数据")
    known = unit.function
    says = same(f"p{unit.point} F{unit.fn}") if known is None else Text(known.en, known.zh)
    secret = not parts and bool(unit.content) and _may_hold_secrets(frame)
    return Part(start=start, octets=unit.content, name=words, says=says, secret=secret, parts=parts)


def _may_hold_secrets(frame: Frame) -> bool:
    """Whether octets that nobody can read may be a password."""
    return frame.afn in PASSWORD_AFNS or frame.afn not in UNREAD_SHOWN


def _auxiliary_parts(frame: Frame, auxiliary: Auxiliary, start: int) -> list[Part]:
    at = len(frame.body) - auxiliary_octets(frame)
    fields: list[tuple[int, Text, Text, bool]] = []
    if auxiliary.password:
        fields.append((len(auxiliary.password), Text("PW", "消息认证码PW"), NOTHING, True))
    if auxiliary.event_counts is not None:
        important, general = auxiliary.event_counts
        fields.append((2, Text("event counters EC", "事件计数器EC"), same(f"{important}, {general}"), False))
    if auxiliary.time_tag is not None:
        tag = auxiliary.time_tag
        says = f"PFC {tag.number}, {_tag_time(tag)}, {tag.delay_min} min"
        fields.append((6, Text("time tag Tp", "时间标签Tp"), same(says), False))
    parts = []
    for size, name, says_, secret in fields:
        octets = frame.body[at : at + size]
        parts.append(Part(start=start + at, octets=octets, name=name, says=says_, secret=secret))
        at += size
    return parts


def _tail_parts(octets: bytes, start: int, inner: tuple[Part, ...]) -> tuple[Part, Part]:
    """A sum over a secret would prove who guesses it."""
    end = start + len(octets)
    secret = any(part.holds_secret for part in inner)
    return (
        Part(start=end - 2, octets=octets[-2:-1], name=Text("checksum", "校验和"), secret=secret),
        Part(start=end - 1, octets=octets[-1:], name=Text("end", "结束符")),
    )
