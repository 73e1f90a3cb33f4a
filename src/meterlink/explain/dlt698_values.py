"""Values of 698.45 in one line of words, English and Chinese.

Every class that a tagged ``Data`` or a member of an APDU can hold has words of its own, so that no
person is ever shown how Python writes a value. A code that the standard leaves open stays a number.
Source: spec sections 2, 2.2 to 2.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from meterlink.explain.dlt698_objects import object_words
from meterlink.explain.dlt698_plain import text_of
from meterlink.explain.parts import NOTHING, Text, same
from meterwire.dlt698.apdus import parts as wire
from meterwire.dlt698.apdus.association import MECHANISMS
from meterwire.dlt698.apdus.enumerations import Meaning, meaning
from meterwire.dlt698.apdus.security import VERIFICATIONS, CipherUnit, Mac, PlainUnit
from meterwire.dlt698.axdr import selection
from meterwire.dlt698.axdr.values import Data

_SUFFIXES: Final = {"_s": Text("s", "秒"), "_ms": Text("ms", "毫秒")}
_SELECTORS: Final = {cls: selector for selector, cls in selection.SELECTORS.items()}
_METER_SETS: Final = {cls: choice for choice, cls in selection.METER_SETS.items()}
_CHOICES: Final = (
    dict.fromkeys(_SELECTORS, "selector")
    | dict.fromkeys(_METER_SETS, "meter_set")
    | dict.fromkeys(MECHANISMS.values(), "mechanism")
    | dict.fromkeys(VERIFICATIONS.values(), "verification")
    | dict.fromkeys((PlainUnit, CipherUnit), "unit_kind")
)
_REFUSED_UNIT: Final = 2
"""Choice of an envelope that holds a DAR alone; elsewhere a DAR has another one."""
_SECRET_TYPES: Final = {"MAC", "SID_MAC"}


def says_of(value: Any, name: str = "") -> Text:
    """One line for a value.

    Args:
        value: of a class of ``axdr.values`` or ``axdr.selection``, or a plain number, text or octets.
        name: of the member; its end tells the unit of a number.

    """
    for cls, says in _BY_CLASS.items():
        if isinstance(value, cls):
            return says(value)
    unit = next((unit for suffix, unit in _SUFFIXES.items() if name.endswith(suffix)), NOTHING)
    return Text(f"{value} {unit.en}".rstrip(), f"{value} {unit.zh}".rstrip())


def typed_says(data: Data) -> Text:
    """One line for a tagged value, without its type; nothing for NULL."""
    if data.type in {"array", "structure"}:
        return Text(f"{data.type} of {len(data.value)}", f"{data.type}，{len(data.value)} 个元素")
    if data.type == "null":
        return NOTHING
    if data.type == "OI":
        words = object_words(selection.Oad(data.value, 0, 0))
        return Text(f"{data.value:04X} {words.en}".rstrip(), f"{data.value:04X} {words.zh}".rstrip())
    if data.type == "RCSD":
        return _listed(map(says_of, data.value), "; ", "；") if data.value else Text("all columns", "全部列")
    return says_of(data.value)


def choice_says(of: Any, name: str, code: Any) -> Text | None:
    """What the choice of an alternative, or the kind of a region, means; ``None`` for any other member.

    Args:
        of: the value that the member belongs to.
        name: of the member.
        code: its content.

    """
    if isinstance(of, selection.Region) and name == "kind":
        return meant("region", code)
    if name != "choice":
        return None
    if isinstance(of, selection.Road):
        return same(f"{code} ROAD")
    if isinstance(of, Mac):
        return same(f"{code} MAC")
    if isinstance(of, wire.Dar) and code == _REFUSED_UNIT:
        return meant("unit_kind", code)
    enumeration = _CHOICES.get(type(of))
    return None if enumeration is None else meant(enumeration, code)


def meant(enumeration: str, code: int) -> Text:
    """A code and what it means."""
    found, number = meaning(enumeration, code), int(code)
    return same(str(number)) if found is None else Text(f"{number} {found.en}", f"{number} {found.zh}")


def _listed(texts: Iterable[Text], en: str = ", ", zh: str = "、") -> Text:
    every = list(texts)
    return Text(en.join(text.en for text in every), zh.join(text.zh for text in every))


def _after(head: Text, *told: Text) -> Text:
    """A heading and what belongs to it."""
    rest = _listed((text for text in told if text.en), ", ", "，")
    return Text(f"{head.en}: {rest.en}", f"{head.zh}：{rest.zh}") if rest.en else head


def _words(found: Meaning | None, code: int, en: str, zh: str) -> Text:
    """Words of a code, or the code and what it is a code of."""
    return Text(f"{en} {code}", f"{zh} {code}") if found is None else Text(found.en, found.zh)


# --- objects and columns ---------------------------------------------------------------------------------


def _object_says(of: selection.Oad | selection.Omd) -> Text:
    words = object_words(of)
    return Text(f"{of} {words.en}".rstrip(), f"{of} {words.zh}".rstrip())


def _road_says(road: selection.Road) -> Text:
    return _after(_object_says(road.oad), *map(_object_says, road.oads))


# --- numbers with a code ---------------------------------------------------------------------------------


def _interval_says(interval: selection.Ti) -> Text:
    unit = meaning("ti_unit", interval.unit)
    if unit is None:
        return Text(f"{interval.value} of unit {interval.unit}", f"{interval.value}，单位 {interval.unit}")
    return Text(f"{interval.value} {unit.en}", f"{interval.value} {unit.zh}")


def _scaler_says(scaler: selection.ScalerUnit) -> Text:
    words = _words(meaning("unit", scaler.unit), scaler.unit, "unit", "单位")
    return Text(f"10^{scaler.scaler} {words.en}", f"10^{scaler.scaler} {words.zh}")


def _port_says(port: selection.Comdcb) -> Text:
    return _listed(
        (
            _words(meaning("baud", port.baud), port.baud, "baud rate", "波特率"),
            _words(meaning("parity", port.parity), port.parity, "parity", "校验"),
            Text(f"data bits {port.databits}", f"数据位 {port.databits}"),
            Text(f"stop bits {port.stopbits}", f"停止位 {port.stopbits}"),
            _words(meaning("flow", port.flow), port.flow, "flow control", "流控"),
        ),
        ", ",
        "，",
    )


def _piid_says(piid: wire.Piid) -> Text:
    en, zh = f"number {piid.number}", f"序号 {piid.number}"
    if piid.high_priority:
        en, zh = en + ", high priority", zh + "，高级优先"
    if piid.acd:
        en, zh = en + ", has events to read (ACD)", zh + "，请求访问（ACD）"
    return Text(en, zh)


def _sid_says(sid: selection.Sid | selection.SidMac) -> Text:
    """Without the MAC."""
    data = sid.data.hex().upper()
    return Text(f"{sid.id:08X}, additional data {data}", f"{sid.id:08X}，附加数据 {data}")


# --- meters ----------------------------------------------------------------------------------------------


def _tsa_says(address: selection.Tsa) -> Text:
    if not address.raw:
        return Text("no address", "无地址")
    kind = meaning("address_kind", selection.ADDRESS_KINDS.index(address.kind))
    words = _words(kind, 0, "", "")
    logical = Text(f", logical {address.logical}", f"，逻辑地址 {address.logical}")
    en, zh = f"{address.digits}, {words.en}", f"{address.digits}，{words.zh}"
    return Text(en + logical.en, zh + logical.zh) if address.logical else Text(en, zh)


def _region_says(region: selection.Region) -> Text:
    start, end = _bound(region.start), _bound(region.end)
    kind = _words(meaning("region", region.kind), region.kind, "kind", "类型")
    return Text(f"{start.en} to {end.en}, {kind.en}", f"{start.zh} 至 {end.zh}，{kind.zh}")


def _bound(data: Data) -> Text:
    """A value to compare with; of a MAC and of NULL only the type, of an address the digits."""
    if data.type in _SECRET_TYPES or data.type == "null":
        return same(data.type)
    return same(str(data.value)) if data.type == "TSA" else typed_says(data)


def _meters_say(meters: Any) -> Text:
    head = _words(meaning("meter_set", _METER_SETS[type(meters)]), 0, "", "")
    told = getattr(meters, "values", ())
    if any(isinstance(one, selection.Region) for one in told):
        return _after(head, _listed(map(_region_says, told), "; ", "；"))
    return _after(head, *(same(str(one)) for one in told))


# --- records ---------------------------------------------------------------------------------------------


def _selection_says(rsd: Any) -> Text:
    selector = _SELECTORS[type(rsd)]
    head = _words(meaning("selector", selector), selector, "", "")
    return _after(head, *_SELECTED.get(type(rsd), _spanned)(rsd))


def _equal(rsd: selection.SelectEqual) -> list[Text]:
    column, value = _object_says(rsd.oad), _bound(rsd.value)
    return [Text(f"{column.en} = {value.en}", f"{column.zh} = {value.zh}")]


def _spanned(rsd: Any) -> list[Text]:
    span = Text(f"{rsd.start} to {rsd.end}", f"{rsd.start} 至 {rsd.end}")
    return [span, _every(_interval_says(rsd.interval)), _meters_say(rsd.ms)]


def _range_says(one: selection.SelectRange) -> Text:
    column, start, end = _object_says(one.oad), _bound(one.start), _bound(one.end)
    interval = NOTHING if one.interval.type == "null" else _every(_bound(one.interval))
    told = Text(f"{start.en} to {end.en}", f"{start.zh} 至 {end.zh}")
    told = _listed((told, interval), ", ", "，") if interval.en else told
    return Text(f"{column.en} {told.en}", f"{column.zh} {told.zh}")


def _every(interval: Text) -> Text:
    return Text(f"every {interval.en}", f"间隔 {interval.zh}")


_SELECTED: Final[dict[Any, Callable[[Any], list[Text]]]] = {
    selection.SelectAll: lambda _: [],
    selection.SelectEqual: _equal,
    selection.SelectRange: lambda rsd: [_range_says(rsd)],
    selection.SelectRanges: lambda rsd: [_listed(map(_range_says, rsd.items), "; ", "；")],
    selection.SelectCollectedAt: lambda rsd: [same(str(rsd.time)), _meters_say(rsd.ms)],
    selection.SelectStoredAt: lambda rsd: [same(str(rsd.time)), _meters_say(rsd.ms)],
    selection.SelectNthLast: lambda rsd: [same(str(rsd.nth_last))],
    selection.SelectLast: lambda rsd: [same(str(rsd.last_n)), _meters_say(rsd.ms)],
}
"""What a selection asks for, in the order of its members; those that are not here select a span of time."""
_BY_CLASS: Final[dict[Any, Callable[[Any], Text]]] = {
    bool: lambda value: Text("yes", "是") if value else Text("no", "否"),
    wire.Piid: _piid_says,
    wire.Dar: partial(meant, "dar"),
    selection.Oad: _object_says,
    selection.Omd: _object_says,
    selection.Road: _road_says,
    selection.Ti: _interval_says,
    selection.ScalerUnit: _scaler_says,
    selection.Comdcb: _port_says,
    selection.Sid: _sid_says,
    selection.SidMac: _sid_says,
    selection.Tsa: _tsa_says,
    selection.Region: _region_says,
    **dict.fromkeys(_METER_SETS, _meters_say),
    **dict.fromkeys(_SELECTORS, _selection_says),
    Data: typed_says,
    bytes: lambda value: same(value.hex().upper()),
    str: lambda value: same(text_of(value)),
}
