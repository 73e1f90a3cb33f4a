"""Q/GDW 1376.2 octets -> explanation. Source: spec sections A2 to A14, E2 and E3."""

from __future__ import annotations

from typing import Any, Final

from meterlink.explain.gdw1376_fields import field_parts, inner_decoded, raw_part
from meterlink.explain.parts import NOTHING, ExplainedFrame, Explanation, Part, Text, same
from meterwire.errors import RemoteProtocolError
from meterwire.gdw1376.functions import module
from meterwire.gdw1376.link import module_frame as link
from meterwire.gdw1376.link.deframer import MODULE, Deframer
from meterwire.gdw1376.link.module_frame import DownInfo, Frame, UpInfo
from meterwire.gdw1376.messages.module import DENIED, Message, from_frame

_INFO_OCTETS: Final = 6
_INFO_AT: Final = 4
_MODES: Final = {
    link.MODE_NARROW: Text("narrow-band carrier", "窄带载波"),
    link.MODE_NARROW_DISTRIBUTED: Text("distributed narrow-band carrier", "分布式窄带载波"),
    link.MODE_BROADBAND: Text("broadband carrier", "宽带载波"),
    link.MODE_RADIO: Text("radio", "微功率无线"),
    link.MODE_ETHERNET: Text("Ethernet", "以太网"),
}


def explain(octets: bytes) -> Explanation:
    """Find and explain every frame in ``octets``.

    Args:
        octets: a frame, or a stream with anything in it.

    """
    frames: list[ExplainedFrame] = []
    fault = None
    for span in Deframer(MODULE).feed(octets):
        try:
            frames.append(_explained(link.decode(span.octets), span.octets, span.start))
        except RemoteProtocolError as error:
            fault = fault or error
    around = len(octets) - sum(frame.end - frame.start for frame in frames)
    if frames:
        return Explanation(octets=octets, frames=tuple(frames), skipped=around)
    refused = (raw_part(octets, 0, secret=True),) if octets else ()
    return Explanation(octets=octets, skipped=around, fault=fault or link.fault(octets), refused=refused)


def _explained(frame: Frame, octets: bytes, start: int) -> ExplainedFrame:
    message = from_frame(frame)
    data_at = link.data_at(octets, 0)
    inner = _data_parts(message, start + data_at)
    end = start + len(octets)
    tail = (
        Part(  # a sum over a secret would prove who guesses it
            start=end - 2,
            octets=octets[-2:-1],
            name=Text("checksum", "校验和"),
            secret=any(part.holds_secret for part in inner),
        ),
        Part(start=end - 1, octets=octets[-1:], name=Text("end", "结束符")),
    )
    parts = (*_head_parts(message, octets, start, data_at), *inner, *tail)
    decoded = _plain(message) | {"length": len(octets), "cs": f"{octets[-2]:02X}"}
    return ExplainedFrame(start=start, end=end, parts=parts, decoded=decoded)


# --- for machines ------------------------------------------------------------------------------


def _plain(message: Message) -> dict[str, Any]:
    frame = message.frame
    found: dict[str, Any] = {
        "c": {
            "dir": "up" if frame.from_module else "down",
            "prm": int(frame.started),
            "comm_mode": frame.mode,
        },
        "r": _info_plain(frame),
        "afn": f"{frame.afn:02X}",
        "fn": frame.fn,
        "data": _data_plain(message),
    }
    if frame.addresses is not None:
        source, destination, relays = frame.addresses
        found["a"] = {"src": source, "relays": list(relays), "dst": destination}
    return found


def _info_plain(frame: Frame) -> dict[str, Any]:
    info = frame.info
    relays = len(frame.addresses.relays) if frame.addresses and not frame.from_module else info.relay_level
    found: dict[str, Any] = {
        "route_bypass": int(info.bypass),
        "has_address": int(frame.addresses is not None),
        "relay_level": relays,
        "channel": info.channel,
        "seq": info.sequence,
    }
    if isinstance(info, UpInfo):
        return found | {
            "phase": info.phase,
            "meter_channel": info.meter_channel,
            "cmd_quality": info.command_quality,
            "reply_quality": info.answer_quality,
            "event": int(info.event),
        }
    return found | {
        "sub_nodes": int(info.attached),
        "collision": int(info.collision),
        "fec": info.coding,
        "expect_bytes": info.answer_octets,
        "rate": info.rate,
        "rate_unit": "kbps" if info.kilobits else "bps",
    }


def _data_plain(message: Message) -> dict[str, Any]:
    frame = message.frame
    if message.fields is None:
        return {"raw": frame.data.hex()}
    found = {field.name: field.shown for field in message.fields}
    if message.is_denial and "error" in found:
        found["meaning"] = _denial(found["error"]).en
    if frame.data and message.function is not None and not message.function.told:
        found.setdefault("raw", frame.data.hex())
    if message.rest:
        found["rest"] = message.rest.hex()
        found.setdefault("raw", message.rest.hex())
    return found | inner_decoded(message.fields)


def _denial(code: int) -> Text:
    known = module.denials().get(code)
    return Text("a vendor's code", "厂商自定义") if known is None else Text(known.en, known.zh)


# --- for people --------------------------------------------------------------------------------


def _head_parts(message: Message, octets: bytes, start: int, data_at: int) -> tuple[Part, ...]:
    frame = message.frame
    dt_at, addresses_at = data_at - 2, _INFO_AT + _INFO_OCTETS
    fields = [
        (0, 1, Text("start", "起始符"), NOTHING),
        (1, 3, Text("length", "长度"), same(str(len(octets)))),
        (3, 4, Text("control", "控制域C"), _control_says(frame)),
        (_INFO_AT, addresses_at, Text("information field", "信息域R"), _info_says(frame)),
    ]
    at = addresses_at
    for name, address in _addresses(frame):
        fields.append((at, at + link.ADDRESS_OCTETS, name, same(address)))
        at += link.ADDRESS_OCTETS
    fields += [
        (dt_at - 1, dt_at, same("AFN"), _afn_says(frame)),
        (dt_at, data_at, Text("function", "数据单元标识DT"), _function_says(message)),
    ]
    return tuple(
        Part(start=start + first, octets=octets[first:end], name=name, says=says)
        for first, end, name, says in fields
    )


def _addresses(frame: Frame) -> list[tuple[Text, str]]:
    if frame.addresses is None:
        return []
    source, destination, relays = frame.addresses
    between = [(Text(f"relay {number}", f"中继 {number}"), one) for number, one in enumerate(relays, 1)]
    return [(Text("source", "源地址"), source), *between, (Text("destination", "目的地址"), destination)]


def _control_says(frame: Frame) -> Text:
    way = Text("module", "模块") if frame.from_module else Text("concentrator", "集中器")
    what = Text("starts", "启动") if frame.started else Text("answers", "响应")
    mode = _MODES.get(frame.mode, same(str(frame.mode)))
    return Text(f"{way.en} {what.en}, {mode.en}", f"{way.zh}{what.zh}，{mode.zh}")


def _info_says(frame: Frame) -> Text:
    info = frame.info
    if isinstance(info, DownInfo):
        unit = "kbit/s" if info.kilobits else "bit/s"
        rate = f"{info.rate} {unit}" if info.rate else "default rate"
        rate_zh = f"{info.rate} {unit}" if info.rate else "默认速率"
        return Text(f"sequence {info.sequence}, {rate}", f"序号 {info.sequence}，{rate_zh}")
    quality = f"{info.command_quality}/{info.answer_quality}"
    return Text(
        f"sequence {info.sequence}, phase {info.phase}, quality {quality}",
        f"序号 {info.sequence}，相位 {info.phase}，信号品质 {quality}",
    )


def _afn_says(frame: Frame) -> Text:
    known = module.AFNS.get(frame.afn)
    if known is None:
        return same(f"{frame.afn:02X}H")
    return Text(f"{frame.afn:02X}H, {known[0]}", f"{frame.afn:02X}H，{known[1]}")


def _function_says(message: Message) -> Text:
    fn, known = message.frame.fn, message.function
    if not fn:
        return Text("not one function", "不是单一功能")
    return same(f"F{fn}") if known is None else Text(f"F{fn}: {known.en}", f"F{fn}：{known.zh}")


def _data_parts(message: Message, start: int) -> tuple[Part, ...]:
    data = message.frame.data
    if message.fields is None:
        return (raw_part(data, start, secret=True),)
    parts = field_parts(message.fields, data, start)
    if message.is_denial and (message.frame.afn, message.frame.fn) == (module.CONFIRM, DENIED) and parts:
        code = message.values["error"]
        why = _denial(code)
        says = Text(f"{code}, {why.en}", f"{code}，{why.zh}")
        parts = (
            Part(start=parts[0].start, octets=parts[0].octets, name=parts[0].name, says=says),
            *parts[1:],
        )
    if message.rest:
        rest_at = start + len(data) - len(message.rest)
        parts = (*parts, raw_part(message.rest, rest_at, secret=True))
    return (Part(start=start, octets=data, name=Text("data", "数据单元"), parts=parts),) if data else ()
