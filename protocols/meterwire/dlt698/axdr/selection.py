"""Descriptors: which object, which columns, which records, which meters (OAD, RCSD, RSD, MS and kin).

Each class is its own declaration (see ``syntax``). Source: spec sections 2 and 2.2 to 2.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, NamedTuple

from meterwire.dlt698.axdr.coding import SECRET, OctetString
from meterwire.dlt698.axdr.syntax import OneOf, declare
from meterwire.dlt698.axdr.values import (
    Data,
    DateTimeS,
    DoubleLongUnsigned,
    Integer,
    LongUnsigned,
    Octets,
    Unsigned,
)
from meterwire.errors import LocalProtocolError

# --- objects -----------------------------------------------------------------------------------------


def _quad(text: str) -> bytes:
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        octets = b""
    if len(octets) != 4:
        raise LocalProtocolError(f"{text!r} is not 8 hexadecimal digits")
    return octets


class Oad(NamedTuple):
    """Object attribute descriptor.

    Args:
        oi: object identifier, 0 to FFFFH.
        attribute: bits 0 to 4 the attribute (0: all), bits 5 to 7 the feature, e.g. 22H.
        index: element of the attribute, from 1; 0: the whole.

    """

    oi: LongUnsigned
    attribute: Unsigned
    index: Unsigned  # type: ignore[assignment]  # tuple.index is not missed

    @classmethod
    def of(cls, text: str) -> Oad:
        """From 8 hexadecimal digits, e.g. ``"00100200"``."""
        octets = _quad(text)
        return cls(octets[0] << 8 | octets[1], octets[2], octets[3])

    def __str__(self) -> str:
        """8 hexadecimal digits."""
        return f"{self.oi:04X}{self.attribute:02X}{self.index:02X}"


class Omd(NamedTuple):
    """Object method descriptor.

    Args:
        oi: object identifier, 0 to FFFFH.
        method: number of the method.
        mode: operation mode, 0.

    """

    oi: LongUnsigned
    method: Unsigned
    mode: Unsigned = 0

    @classmethod
    def of(cls, text: str) -> Omd:
        """From 8 hexadecimal digits, e.g. ``"80008200"``."""
        octets = _quad(text)
        return cls(octets[0] << 8 | octets[1], octets[2], octets[3])

    def __str__(self) -> str:
        """8 hexadecimal digits."""
        return f"{self.oi:04X}{self.method:02X}{self.mode:02X}"


class Road(NamedTuple):
    """A record object and columns of its records."""

    oad: Oad
    oads: tuple[Oad, ...]

    def __str__(self) -> str:
        """``50040200(00100200,00200200)``."""
        return f"{self.oad}({','.join(map(str, self.oads))})"


Csd = Annotated[Oad | Road, OneOf({0: Oad, 1: Road}, "column descriptor")]
"""Column selection descriptor."""
Rcsd = tuple[Csd, ...]
"""The columns of a record; none means all."""


class Ti(NamedTuple):
    """Time interval; units 0 s, 1 min, 2 h, 3 day, 4 month, 5 year."""

    unit: Unsigned
    value: LongUnsigned


class ScalerUnit(NamedTuple):
    """Power of ten and unit of a measured value."""

    scaler: Integer
    unit: Unsigned


class Comdcb(NamedTuple):
    """Port settings, as codes: baud 0 to 10 or 255, parity 0 to 2, data bits, stop bits, flow 0 to 2."""

    baud: Unsigned
    parity: Unsigned
    databits: Unsigned
    stopbits: Unsigned
    flow: Unsigned


class Sid(NamedTuple):
    """Security identifier: head and additional data of an ESAM command."""

    id: DoubleLongUnsigned
    data: Octets


class SidMac(NamedTuple):
    """Security identifier and MAC.

    Args:
        id: head of the ESAM command.
        data: additional data.
        mac: never shown.

    """

    id: DoubleLongUnsigned
    data: Octets
    mac: Annotated[bytes, OctetString(), SECRET]

    def __repr__(self) -> str:
        """All but the MAC."""
        return f"SidMac(id={self.id:#010x}, data={self.data.hex()!r}, mac=<hidden>)"


# --- meters ------------------------------------------------------------------------------------------

ADDRESS_KINDS: Final = ("single", "wildcard", "group", "broadcast")


TSA_OCTETS_MAX: Final = 16
"""Longest address of a meter in data, without its AF octet."""
_LOGICAL_MAX: Final = 3


class Tsa(NamedTuple):
    """Address of a meter in data: AF octet and address in reading order (highest digits first).

    Args:
        raw: both; empty is "no address".

    """

    raw: bytes = b""

    @property
    def digits(self) -> str:
        """The address as hexadecimal digits in reading order."""
        return self.raw[1:].hex().upper()

    @property
    def kind(self) -> str:
        """``single``, ``wildcard``, ``group`` or ``broadcast``."""
        return ADDRESS_KINDS[self.raw[0] >> 6] if self.raw else "single"

    @property
    def logical(self) -> int:
        """Logical address, 0 to 3."""
        return self.raw[0] >> 4 & 3 if self.raw else 0

    @classmethod
    def of(cls, digits: str, logical: int = 0) -> Tsa:
        """From a meter's address, e.g. ``"000000000001"``.

        Raises:
            LocalProtocolError: no address of 1 to 16 octets, or a logical one that is not 0 to 3.

        """
        try:
            address = bytes.fromhex(digits)
        except ValueError:
            address = b""
        if not 1 <= len(address) <= TSA_OCTETS_MAX or len(digits) != 2 * len(address):
            raise LocalProtocolError(
                f"address {digits!r}: write 2 to {2 * TSA_OCTETS_MAX} digits, an even number"
            )
        if not 0 <= logical <= _LOGICAL_MAX:
            raise LocalProtocolError(f"logical address {logical}: 0 to {_LOGICAL_MAX}")
        return cls(bytes((logical << 4 | len(address) - 1,)) + address)

    def __str__(self) -> str:
        """The digits."""
        return self.digits


declare(Tsa, OctetString().compile(Tsa))


@dataclass(frozen=True, slots=True)
class Region:
    """A span of values; kinds 0 [start,end), 1 (start,end], 2 [start,end], 3 (start,end)."""

    kind: Unsigned
    start: Data
    end: Data


@dataclass(frozen=True, slots=True)
class NoMeters:
    """MS 0."""


@dataclass(frozen=True, slots=True)
class AllMeters:
    """MS 1."""


@dataclass(frozen=True, slots=True)
class MeterTypes:
    """MS 2: user types."""

    values: tuple[Unsigned, ...]


@dataclass(frozen=True, slots=True)
class MeterAddresses:
    """MS 3: addresses."""

    values: tuple[Tsa, ...]


@dataclass(frozen=True, slots=True)
class MeterNumbers:
    """MS 4: configuration numbers of the archive."""

    values: tuple[LongUnsigned, ...]


@dataclass(frozen=True, slots=True)
class MeterTypeRegions:
    """MS 5: regions of user types."""

    values: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class MeterAddressRegions:
    """MS 6: regions of addresses."""

    values: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class MeterNumberRegions:
    """MS 7: regions of configuration numbers."""

    values: tuple[Region, ...]


METER_SETS: Final = {
    0: NoMeters,
    1: AllMeters,
    2: MeterTypes,
    3: MeterAddresses,
    4: MeterNumbers,
    5: MeterTypeRegions,
    6: MeterAddressRegions,
    7: MeterNumberRegions,
}
MeterSet = (
    NoMeters
    | AllMeters
    | MeterTypes
    | MeterAddresses
    | MeterNumbers
    | MeterTypeRegions
    | MeterAddressRegions
    | MeterNumberRegions
)
Ms = Annotated[MeterSet, OneOf(METER_SETS, "meter set")]

# --- records -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SelectAll:
    """RSD 0: no selection."""


@dataclass(frozen=True, slots=True)
class SelectEqual:
    """RSD 1: records whose column has the value."""

    oad: Oad
    value: Data

    def __repr__(self) -> str:
        """The column and of what type its value is: some columns are secret."""
        return f"SelectEqual({self.oad}, {self.value.type})"


@dataclass(frozen=True, slots=True)
class SelectRange:
    """RSD 2: start <= column < end; interval NULL, a TI or a number."""

    oad: Oad
    start: Data
    end: Data
    interval: Data

    def __repr__(self) -> str:
        """The column and of what types its bounds are: some columns are secret."""
        types = f"{self.start.type}, {self.end.type}, {self.interval.type}"
        return f"SelectRange({self.oad}, {types})"


@dataclass(frozen=True, slots=True)
class SelectRanges:
    """RSD 3: all the ranges must hold."""

    items: tuple[SelectRange, ...]


@dataclass(frozen=True, slots=True)
class SelectCollectedAt:
    """RSD 4: by the start of collection."""

    time: DateTimeS
    ms: Ms


@dataclass(frozen=True, slots=True)
class SelectStoredAt:
    """RSD 5: by the time of storage."""

    time: DateTimeS
    ms: Ms


@dataclass(frozen=True, slots=True)
class SelectCollectedWithin:
    """RSD 6: by the start of collection, from start to end."""

    start: DateTimeS
    end: DateTimeS
    interval: Ti
    ms: Ms


@dataclass(frozen=True, slots=True)
class SelectStoredWithin:
    """RSD 7: by the time of storage, from start to end."""

    start: DateTimeS
    end: DateTimeS
    interval: Ti
    ms: Ms


@dataclass(frozen=True, slots=True)
class SelectSucceededWithin:
    """RSD 8: by the time of success, from start to end."""

    start: DateTimeS
    end: DateTimeS
    interval: Ti
    ms: Ms


@dataclass(frozen=True, slots=True)
class SelectNthLast:
    """RSD 9: the n-th last record; 1 is the latest."""

    nth_last: Unsigned


@dataclass(frozen=True, slots=True)
class SelectLast:
    """RSD 10: the last n records (of each meter)."""

    last_n: Unsigned
    ms: Ms


SELECTORS: Final = {
    0: SelectAll,
    1: SelectEqual,
    2: SelectRange,
    3: SelectRanges,
    4: SelectCollectedAt,
    5: SelectStoredAt,
    6: SelectCollectedWithin,
    7: SelectStoredWithin,
    8: SelectSucceededWithin,
    9: SelectNthLast,
    10: SelectLast,
}
Selection = (
    SelectAll
    | SelectEqual
    | SelectRange
    | SelectRanges
    | SelectCollectedAt
    | SelectStoredAt
    | SelectCollectedWithin
    | SelectStoredWithin
    | SelectSucceededWithin
    | SelectNthLast
    | SelectLast
)
Rsd = Annotated[Selection, OneOf(SELECTORS, "record selector")]
