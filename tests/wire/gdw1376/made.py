"""Frames and values for any format and layout of Q/GDW 1376, made from a seed: cheaper than drawing each."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from meterwire.gdw1376.formats.formats import Digits, Format
from meterwire.gdw1376.formats.numbers import Group, Number, Power
from meterwire.gdw1376.formats.times import Moment, TimeFormat
from meterwire.gdw1376.functions.events import EventList, event_kinds
from meterwire.gdw1376.layouts import counts, leaves, nodes
from meterwire.gdw1376.layouts.notation import Layout
from meterwire.gdw1376.link import module_frame, terminal_frame

_ELEMENTS_MAX = 3
_NO_VALUE_IN = 10
_POINTERS = {"pm": [254], "pn_ptr": [254, 255, 0], "density": [0, 1, 2, 3, 7]}


def digits(random: Random, size: int) -> str:
    return "".join(random.choices("0123456789ABCDEF", k=size))


def octets(random: Random, most: int = 60) -> bytes:
    """Octets that mean something to a deframer come often, so that frames within frames are tried."""
    awkward = [0x68, 0x16, 0x00, 0x0F, 0x32, 0xFE, 0xEE, random.randrange(256)]
    return bytes(random.choices(awkward, k=random.randint(0, most)))


def terminal(random: Random) -> terminal_frame.Frame:
    """Any frame of 1376.1."""
    wide = random.random() < 0.3
    address = terminal_frame.Address(
        digits(random, 6 if wide else 4),
        random.randrange(1 << (24 if wide else 16)),
        random.randrange(256 if wide else 128),
        not wide and _flag(random),
    )
    return terminal_frame.Frame(
        address,
        random.randrange(256),
        _flag(random),
        _flag(random),
        random.randrange(16),
        octets(random),
        _flag(random),
        _flag(random),
        _flag(random),
        _flag(random),
        _flag(random),
        _flag(random),
        random.randrange(16),
        random.choice([1, 2]),
    )


def module(random: Random) -> module_frame.Frame:
    """Any frame of 1376.2."""
    from_module = _flag(random)
    nibbles = iter([random.randrange(16) for _ in range(8)])
    info: Any
    if from_module:
        numbers = {name: next(nibbles) for name in _UP_NIBBLES}
        info = module_frame.UpInfo(random.randrange(256), _flag(random), event=_flag(random), **numbers)
    else:
        info = module_frame.DownInfo(
            random.randrange(256),
            _flag(random),
            _flag(random),
            _flag(random),
            next(nibbles),
            next(nibbles),
            random.randrange(256),
            random.randrange(0x8000),
            _flag(random),
        )
    relays = () if from_module else tuple(digits(random, 12) for _ in range(random.choice([0, 0, 1, 15])))
    addresses = module_frame.Addresses(digits(random, 12), digits(random, 12), relays)
    return module_frame.Frame(
        info,
        random.randrange(256),
        random.randbytes(2),
        octets(random),
        _flag(random),
        addresses if _flag(random) else None,
        random.randrange(64),
    )


_UP_NIBBLES = ("relay_level", "channel", "phase", "meter_channel", "command_quality", "answer_quality")


def _flag(random: Random) -> bool:
    return random.random() < 0.5


def format_value(random: Random, format_: Format) -> Any:
    """A value of a data format, now and then "no value"."""
    if isinstance(format_, Digits):
        return digits(random, 2 * format_.octets)
    return _some_value(random, format_) if random.randrange(_NO_VALUE_IN) else None


def _some_value(random: Random, format_: Number | Power | Group | TimeFormat) -> Any:
    match format_:
        case Number(whole=whole, decimals=decimals, signed=signed):
            most = (8 if signed else 10) * 10 ** (whole + decimals - 1) - 1
            return Decimal(random.randint(-most if signed else 0, most)).scaleb(-decimals)
        case Power():
            return Decimal(random.randint(-999, 999)).scaleb(random.randint(-3, 4))
        case Group():
            return Decimal(random.randint(-9999999, 9999999)).scaleb(random.choice([0, 3]))
    parts = {part: random.randrange(100) for part in format_.parts}
    if parts.pop("weekday_month", None) is not None:
        parts |= {"month": random.randrange(20), "weekday": random.randrange(8)}
    return Moment(**parts)


def _leaf_value(random: Random, leaf: Any, octets: int) -> Any:
    match leaf:
        case leaves.Formatted(format=format_):
            value = format_value(random, format_)
        case leaves.Unsigned(unit=unit):
            value = random.randrange(1 << 8 * octets) * unit
        case leaves.FrameTimeout():
            value = random.choice([random.randrange(128) * 10, random.randrange(2, 128) * 1000])
        case leaves.Octets():
            value = random.randbytes(octets)
        case leaves.Text(reversed=backwards):
            value = "".join(random.choices("ABC 01", k=octets if backwards else random.randint(0, octets)))
        case leaves.CalendarDate():
            value = date(2000, 1, 1) + timedelta(days=random.randrange(36524))
        case leaves.Host():
            address = ".".join(str(random.randrange(256)) for _ in range(4))
            value = f"{address}:{random.randrange(65536)}" if octets > 4 else address
        case _:
            value = digits(random, 2 * octets)
    return value


def layout_values(random: Random, layout: Layout) -> dict[str, Any]:
    """Values that a layout can send: of one of its alternatives."""
    alternative = random.choice(layout.alternatives)
    return _values(random, alternative, _count_names(alternative), {})


def _values(random: Random, alternative: Any, small: set[str], outer: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for node in alternative:
        scope = outer | values
        match node:
            case EventList():
                number = (scope["pn_ptr"] - scope["pm"]) % 256
                values["events"] = [_event(random) for _ in range(number)]
            case nodes.MayEnd(nodes=inner):
                values |= _values(random, inner, small, scope) if random.randrange(2) else {}
            case nodes.Bits(bits=bits):
                values |= {bit.name: _bit_value(random, bit) for bit in bits if bit.name}
            case nodes.One(name=name, leaf=leaf, octets=count) if name not in small:
                values[name] = _leaf_value(random, leaf, _number(random, count, scope))
            case nodes.One(name=name):
                values[name] = random.choice(_POINTERS.get(name, list(range(_ELEMENTS_MAX + 1))))
            case nodes.Many(name=name, count=count):
                number = _number(random, count, scope)
                values[name] = [_element(random, node, small, scope) for _ in range(number)]
    return values


def _element(random: Random, node: nodes.Many, small: set[str], scope: dict[str, Any]) -> Any:
    values = _values(random, node.element, small, scope)
    if node.named:
        return values
    return next(iter(values.values())) if len(values) == 1 else list(values.values())


def _number(random: Random, count: Any, scope: dict[str, Any]) -> int:
    if isinstance(count, counts.InFront | counts.ToTheEnd):
        return random.randint(0, _ELEMENTS_MAX)
    return int(count.read(b"", 0, scope)[1])


def _bit_value(random: Random, bit: nodes.Bit) -> Any:
    return random.randrange(24) if bit.bcd else bit.decode(random.randrange(1 << bit.width))


def _event(random: Random) -> dict[str, Any]:
    erc = random.choice([*event_kinds(), 36, 200])
    if erc not in event_kinds():
        return {"erc": erc, "raw": random.randbytes(random.randint(1, 9))}
    (layout,) = event_kinds()[erc].layout.alternatives
    return {"erc": erc, **_values(random, layout, _count_names(layout), {})}


def _count_names(layout: Any) -> set[str]:
    """Fields that say how many of something there are."""
    found: set[str] = set()
    for node in layout:
        match node:
            case nodes.Many(element=element, count=count):
                found |= _names_of(count) | _count_names(element)
            case nodes.MayEnd(nodes=inner):
                found |= _count_names(inner)
            case nodes.One(octets=count):
                found |= _names_of(count)
            case EventList():
                found |= {"pm", "pn_ptr"}
    return found


def _names_of(count: Any) -> set[str]:
    return {count.name, count.minus} if isinstance(count, counts.Told) else set()
