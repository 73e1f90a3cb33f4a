"""What a concentrator collects (6014) and reports (601C).

Source: DL/T 698.45-2017, objects 6014 and 601C; spec sections 4.2 and 6.8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Final

from metersim.terminals.downloads import Malformed, interval_of, parts_of, structure, value_of
from meterwire.dlt698.apdus.parts import RecordRequest
from meterwire.dlt698.axdr.selection import METER_SETS, AllMeters, Csd, MeterSet, Oad, Road, Selection, Ti
from meterwire.dlt698.axdr.values import NULL, Data

SCHEMES_MAX: Final = 64
COLUMNS_MAX: Final = 64
"""Most columns of a scheme."""
DEPTH_MAX: Final = 4096
"""Most records of one meter that a scheme keeps."""

PRESENT, NTH_LAST, BY_FREEZE_TIME, BY_INTERVAL = 0, 1, 2, 3
"""Kinds of collection."""
STAMP_START, STAMP_TODAY, STAMP_LAST_MINUTE, STAMP_YESTERDAY, STAMP_MONTH, STAMP_FREEZE = 1, 2, 3, 4, 5, 6
"""Which time a record is stored under; 0 is undefined and taken for the start."""

_LAST_MINUTE: Final = time(23, 59)
_DAY: Final = timedelta(days=1)
_HALF_A_MINUTE: Final = Ti(0, 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """What is collected (6014).

    Args:
        number: 0 to 255.
        depth: records of each meter that are kept, 1 to 4,096.
        kind: ``PRESENT`` values, the ``NTH_LAST`` freeze, that ``BY_FREEZE_TIME``, or all ``BY_INTERVAL``.
        content: how many records back, or the interval.
        columns: present values, or a table and its columns; 1 to 64.
        meters: of which meters.
        stamp: under which time a record is stored.

    """

    number: int
    depth: int
    kind: int = PRESENT
    content: Data = NULL
    columns: tuple[Csd, ...]
    meters: MeterSet = field(default_factory=AllMeters)
    stamp: int = STAMP_START

    def stored_at(self, started_at: datetime, frozen_at: datetime | None) -> datetime:
        """The time under which a record is stored.

        Args:
            started_at: when the task began, civil.
            frozen_at: which time the freeze carries, where there is one.

        """
        midnight = datetime.combine(started_at.date(), time())
        match self.stamp:
            case 2:
                return midnight
            case 3:
                return datetime.combine(midnight.date() - _DAY, _LAST_MINUTE)
            case 4:
                return midnight - _DAY
            case 5:
                return midnight.replace(day=1)
            case 6 if frozen_at is not None:
                return frozen_at
        return started_at

    def data(self) -> Data:
        """As 6014 writes it."""
        return structure(
            Data("unsigned", self.number),
            Data("long-unsigned", self.depth),
            structure(Data("unsigned", self.kind), self.content),
            Data("array", tuple(Data("CSD", column) for column in self.columns)),
            Data("MS", self.meters),
            Data("enum", self.stamp),
        )

    @classmethod
    def of(cls, data: Data) -> Scheme:
        """From a download.

        Raises:
            Malformed: it is none, or its figures are out of range.

        """
        parts = parts_of(data, 6)
        kind, content = parts_of(parts[2], 2)
        return _scheme_in_range(
            cls(
                number=value_of(parts[0], "unsigned"),
                depth=value_of(parts[1], "long-unsigned"),
                kind=value_of(kind, "unsigned"),
                content=content,
                columns=_columns(parts[3]),
                meters=_meters(parts[4]),
                stamp=value_of(parts[5], "enum"),
            )
        )

    def with_columns(self, data: Data) -> Scheme:
        """The scheme with other columns.

        Raises:
            Malformed: they are none.

        """
        return _scheme_in_range(replace(self, columns=_columns(data)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportScheme:
    """What is reported (601C).

    Args:
        number: 0 to 255.
        channels: through which ports; kept, and all that is dialled is meant.
        timeout: for one try.
        tries: 1 or more.
        content: attributes, or records.

    """

    number: int
    channels: tuple[Oad, ...] = ()
    timeout: Ti = _HALF_A_MINUTE
    tries: int = 3
    content: tuple[Oad, ...] | RecordRequest

    def data(self) -> Data:
        """As 601C writes it."""
        if isinstance(self.content, RecordRequest):
            oad, rsd, rcsd = self.content
            parts = structure(Data("OAD", oad), Data("RCSD", rcsd), Data("RSD", rsd))
            content = structure(Data("unsigned", 1), parts)
        else:
            [first] = self.content
            content = structure(Data("unsigned", 0), Data("OAD", first))
        return structure(
            Data("unsigned", self.number),
            Data("array", tuple(Data("OAD", channel) for channel in self.channels)),
            Data("TI", self.timeout),
            Data("unsigned", self.tries),
            content,
        )

    @classmethod
    def of(cls, data: Data) -> ReportScheme:
        """From a download.

        Raises:
            Malformed: it is none.

        """
        number, channels, timeout, tries, content = parts_of(data, 5)
        kind, what = parts_of(content, 2)
        if value_of(tries, "unsigned") < 1:
            raise Malformed("a report that is never tried")
        return cls(
            number=value_of(number, "unsigned"),
            channels=tuple(value_of(one, "OAD") for one in value_of(channels, "array")),
            timeout=interval_of(timeout),
            tries=tries.value,
            content=_reported(value_of(kind, "unsigned"), what),
        )


def _columns(data: Data) -> tuple[Csd, ...]:
    return tuple(value_of(one, "CSD") for one in value_of(data, "array"))


def _meters(data: Data) -> MeterSet:
    found: MeterSet = value_of(data, "MS")
    assert isinstance(found, tuple(METER_SETS.values()))
    return found


def _scheme_in_range(scheme: Scheme) -> Scheme:
    if not 1 <= scheme.depth <= DEPTH_MAX:
        raise Malformed(f"a depth of {scheme.depth}: 1 to {DEPTH_MAX}")
    if not 1 <= len(scheme.columns) <= COLUMNS_MAX:
        raise Malformed(f"{len(scheme.columns)} columns: 1 to {COLUMNS_MAX}")
    if scheme.kind not in _CONTENTS:
        raise Malformed(f"collection of kind {scheme.kind}")
    if scheme.content.type != _CONTENTS[scheme.kind]:
        raise Malformed(f"{scheme.content.type} with a collection of kind {scheme.kind}")
    records = sum(isinstance(column, Road) for column in scheme.columns)
    if scheme.kind == BY_INTERVAL and (records, len(scheme.columns)) != (1, 1):
        raise Malformed("records by an interval are those of one table")
    return scheme


_CONTENTS: Final[Mapping[int, str]] = {
    PRESENT: "null",
    NTH_LAST: "unsigned",
    BY_FREEZE_TIME: "null",
    BY_INTERVAL: "TI",
}


def _reported(kind: int, what: Data) -> tuple[Oad, ...] | RecordRequest:
    if kind == 0:
        return (value_of(what, "OAD"),)
    if kind != 1:
        raise Malformed(f"a report of kind {kind}")
    oad, rcsd, rsd = parts_of(what, 3)
    selection: Selection = value_of(rsd, "RSD")
    return RecordRequest(value_of(oad, "OAD"), selection, value_of(rcsd, "RCSD"))
