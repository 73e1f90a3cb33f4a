"""``Data`` declared with construct: the reference that ``data`` is held equal to by a property test.

Slow (25 to 40 times), complete, and without a line in common with the fast path but the value classes.
Source: spec section 2.
"""

from __future__ import annotations

from typing import Any, Final

import construct as c

from meterwire.dlt698.axdr import selection as sel
from meterwire.dlt698.axdr import values as val


class _Length(c.Construct):  # type: ignore[type-arg]
    """One octet under 80H, or 80H + k and k octets."""

    def _parse(self, stream: Any, context: Any, path: str) -> int:
        first: int = c.Byte._parsereport(stream, context, path)
        if first < 0x80:
            return first
        if not 0x80 < first <= 0x88:
            raise c.RangeError("no length", path=path)
        return int.from_bytes(c.Bytes(first & 0x7F)._parsereport(stream, context, path), "big")

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        size = (obj.bit_length() + 7) // 8
        octets = bytes((obj,)) if obj < 0x80 else bytes((0x80 | size,)) + obj.to_bytes(size, "big")
        c.Bytes(len(octets))._build(octets, stream, context, path)
        return obj


_LENGTH: Final = _Length()
_OCTETS: Final = c.Prefixed(_LENGTH, c.GreedyBytes)
_Con = Any


def _record(cls: Any, **members: _Con) -> _Con:
    """A class by its members in order."""
    names = tuple(members)
    struct = c.Struct(*(name / member for name, member in members.items()))

    def parsed(found: Any, _context: Any) -> Any:
        return cls(*(found[name] for name in names))

    def built(value: Any, _context: Any) -> Any:
        return {name: getattr(value, name) for name in names}

    return c.ExprAdapter(struct, parsed, built)


def _several(item: _Con) -> _Con:
    def parsed(found: Any, _context: Any) -> Any:
        return tuple(found)

    def built(value: Any, _context: Any) -> Any:
        return list(value)

    return c.ExprAdapter(c.PrefixedArray(_LENGTH, item), parsed, built)


def _choice(alternatives: dict[int, tuple[type, _Con]]) -> _Con:
    """A selector octet, then the alternative; the class of a value tells it when building."""
    cases = {selector: item for selector, (_, item) in alternatives.items()}
    struct = c.Struct("selector" / c.Byte, "value" / c.Switch(c.this.selector, cases, default=c.Error))
    selectors = {cls: selector for selector, (cls, _) in alternatives.items()}

    def parsed(found: Any, _context: Any) -> Any:
        return found.value

    def built(value: Any, _context: Any) -> Any:
        return {"selector": selectors[type(value)], "value": value}

    return c.ExprAdapter(struct, parsed, built)


def _text(encoding: str) -> _Con:
    def parsed(found: bytes, _context: Any) -> str:
        return found.decode(encoding, "surrogateescape")

    def built(value: str, _context: Any) -> bytes:
        return value.encode(encoding, "surrogateescape")

    return c.ExprAdapter(_OCTETS, parsed, built)


def _bits_octets(context: Any) -> int:
    return int((context.bits + 7) // 8)


def _flag() -> _Con:
    def parsed(found: int, _context: Any) -> bool:
        return found != 0

    def built(value: bool, _context: Any) -> int:
        return int(value)

    return c.ExprAdapter(c.Byte, parsed, built)


def _tsa() -> _Con:
    def parsed(found: bytes, _context: Any) -> sel.Tsa:
        return sel.Tsa(found)

    def built(value: sel.Tsa, _context: Any) -> bytes:
        return value.raw

    return c.ExprAdapter(_OCTETS, parsed, built)


def _bit_string() -> _Con:
    struct = c.Struct("bits" / _LENGTH, "octets" / c.Bytes(_bits_octets))

    def parsed(found: Any, _context: Any) -> val.BitString:
        return val.BitString(found.octets, found.bits)

    def built(value: val.BitString, _context: Any) -> Any:
        return {"bits": value.bits, "octets": value.octets}

    return c.ExprAdapter(struct, parsed, built)


_data: Final = c.LazyBound(lambda: DATA)
_year: Final = {"year": c.Int16ub, "month": c.Byte, "day": c.Byte}
_clock: Final = {"hour": c.Byte, "minute": c.Byte, "second": c.Byte}
_date_time: Final = _record(val.DateTime, **_year, weekday=c.Byte, **_clock, milliseconds=c.Int16ub)
_date_time_s: Final = _record(val.DateTimeS, **_year, **_clock)
_oad: Final = _record(sel.Oad, oi=c.Int16ub, attribute=c.Byte, index=c.Byte)
_road: Final = _record(sel.Road, oad=_oad, oads=_several(_oad))
_ti: Final = _record(sel.Ti, unit=c.Byte, value=c.Int16ub)
_csd: Final = _choice({0: (sel.Oad, _oad), 1: (sel.Road, _road)})
_region: Final = _record(sel.Region, kind=c.Byte, start=_data, end=_data)
_ms: Final = _choice(
    {
        0: (sel.NoMeters, _record(sel.NoMeters)),
        1: (sel.AllMeters, _record(sel.AllMeters)),
        2: (sel.MeterTypes, _record(sel.MeterTypes, values=_several(c.Byte))),
        3: (sel.MeterAddresses, _record(sel.MeterAddresses, values=_several(_tsa()))),
        4: (sel.MeterNumbers, _record(sel.MeterNumbers, values=_several(c.Int16ub))),
        5: (sel.MeterTypeRegions, _record(sel.MeterTypeRegions, values=_several(_region))),
        6: (sel.MeterAddressRegions, _record(sel.MeterAddressRegions, values=_several(_region))),
        7: (sel.MeterNumberRegions, _record(sel.MeterNumberRegions, values=_several(_region))),
    }
)
_range: Final = _record(sel.SelectRange, oad=_oad, start=_data, end=_data, interval=_data)
_within: Final = {"start": _date_time_s, "end": _date_time_s, "interval": _ti, "ms": _ms}
_rsd: Final = _choice(
    {
        0: (sel.SelectAll, _record(sel.SelectAll)),
        1: (sel.SelectEqual, _record(sel.SelectEqual, oad=_oad, value=_data)),
        2: (sel.SelectRange, _range),
        3: (sel.SelectRanges, _record(sel.SelectRanges, items=_several(_range))),
        4: (sel.SelectCollectedAt, _record(sel.SelectCollectedAt, time=_date_time_s, ms=_ms)),
        5: (sel.SelectStoredAt, _record(sel.SelectStoredAt, time=_date_time_s, ms=_ms)),
        6: (sel.SelectCollectedWithin, _record(sel.SelectCollectedWithin, **_within)),
        7: (sel.SelectStoredWithin, _record(sel.SelectStoredWithin, **_within)),
        8: (sel.SelectSucceededWithin, _record(sel.SelectSucceededWithin, **_within)),
        9: (sel.SelectNthLast, _record(sel.SelectNthLast, nth_last=c.Byte)),
        10: (sel.SelectLast, _record(sel.SelectLast, last_n=c.Byte, ms=_ms)),
    }
)
_TYPES: Final[dict[int, tuple[val.DataType, _Con]]] = {
    0: ("null", c.Pass),
    1: ("array", _several(_data)),
    2: ("structure", _several(_data)),
    3: ("bool", _flag()),
    4: ("bit-string", _bit_string()),
    5: ("double-long", c.Int32sb),
    6: ("double-long-unsigned", c.Int32ub),
    9: ("octet-string", _OCTETS),
    10: ("visible-string", _text("ascii")),
    12: ("utf8-string", _text("utf-8")),
    15: ("integer", c.Int8sb),
    16: ("long", c.Int16sb),
    17: ("unsigned", c.Byte),
    18: ("long-unsigned", c.Int16ub),
    20: ("long64", c.Int64sb),
    21: ("long64-unsigned", c.Int64ub),
    22: ("enum", c.Byte),
    23: ("float32", c.Float32b),
    24: ("float64", c.Float64b),
    25: ("date_time", _date_time),
    26: ("date", _record(val.Date, **_year, weekday=c.Byte)),
    27: ("time", _record(val.Time, **_clock)),
    28: ("date_time_s", _date_time_s),
    80: ("OI", c.Int16ub),
    81: ("OAD", _oad),
    82: ("ROAD", _road),
    83: ("OMD", _record(sel.Omd, oi=c.Int16ub, method=c.Byte, mode=c.Byte)),
    84: ("TI", _ti),
    85: ("TSA", _tsa()),
    86: ("MAC", _OCTETS),
    87: ("RN", _OCTETS),
    88: ("Region", _region),
    89: ("Scaler_Unit", _record(sel.ScalerUnit, scaler=c.Int8sb, unit=c.Byte)),
    90: ("RSD", _rsd),
    91: ("CSD", _csd),
    92: ("MS", _ms),
    93: ("SID", _record(sel.Sid, id=c.Int32ub, data=_OCTETS)),
    94: ("SID_MAC", _record(sel.SidMac, id=c.Int32ub, data=_OCTETS, mac=_OCTETS)),
    95: (
        "COMDCB",
        _record(sel.Comdcb, baud=c.Byte, parity=c.Byte, databits=c.Byte, stopbits=c.Byte, flow=c.Byte),
    ),
    96: ("RCSD", _several(_csd)),
}


def _tagged() -> _Con:
    cases = {tag: item for tag, (_, item) in _TYPES.items()}
    tags = {name: tag for tag, (name, _) in _TYPES.items()}
    struct = c.Struct("tag" / c.Byte, "value" / c.Switch(c.this.tag, cases, default=c.Error))

    def parsed(found: Any, _context: Any) -> val.Data:
        return val.Data(_TYPES[found.tag][0], found.value)

    def built(data: val.Data, _context: Any) -> Any:
        return {"tag": tags[data.type], "value": data.value}

    return c.ExprAdapter(struct, parsed, built)


DATA: Final[_Con] = _tagged()
"""One Data."""


def parse(octets: bytes) -> tuple[val.Data, int]:
    """The Data at the beginning, and how many octets it takes.

    Raises:
        ConstructError: there is none.

    """
    found = c.Struct("data" / DATA, "end" / c.Tell).parse(octets)
    return found.data, found.end


def build(data: val.Data) -> bytes:
    """Its octets."""
    octets: bytes = DATA.build(data)
    return octets
