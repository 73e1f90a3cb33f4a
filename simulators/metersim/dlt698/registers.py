"""Attributes of a meter, read one at a time: values, scalers and units, what it is, what its tables keep.

What it refuses: an object that it has not (DAR 6), an attribute that its object has not (4), tables and
secrets, which no plain read gives (3). Source: spec sections 4.1, 5 and 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from metersim.dlt698.circumstances import DENIED, NO_SUCH_ATTRIBUTE, NO_SUCH_OBJECT, Part
from metersim.dlt698.contents import MAKER, VERSION, VERSION_DATE, Contents
from metersim.dlt698.tables import FREEZES, FreezeTable
from metersim.works.items import ORDERS
from meterwire.dlt698.apdus.association import FactoryVersion
from meterwire.dlt698.apdus.parts import Dar
from meterwire.dlt698.axdr.selection import Oad, ScalerUnit
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.objects.dictionary import dictionary, names
from meterwire.dlt698.objects.notation import Array, Leaf, Structure, Table, Type
from meterwire.dlt698.objects.object_rows import Object
from meterwire.dlt698.objects.shapes import filled
from meterwire.dlt698.objects.units import unit
from meterwire.errors import LocalProtocolError

FACTORY: Final = FactoryVersion(MAKER, VERSION, VERSION_DATE, VERSION, VERSION_DATE, " " * 8)

_LOGICAL_NAME: Final = 1
_NO_UNIT: Final = 255
_VALUES_OF_SCALER: Final = {(1, 3): 2, (1, 5): 4, (2, 3): 2, (3, 3): 2, (4, 3): 2, (5, 6): 2, (6, 3): 2}
"""(class, attribute with a Scaler_Unit) -> attribute with the values."""
_HIGHEST_ORDER: Final = (5, 5)
"""Class and attribute that say up to which order harmonics are measured."""
_FREEZE_COLUMNS: Final = 3
_WRITE_ONLY: Final = "w"


class Registers:
    """Reads the attributes of one meter.

    Args:
        contents: of the meter.
        parts: parts with objects of their own, which go before contents.

    """

    def __init__(self, contents: Contents, parts: Sequence[Part] = ()) -> None:
        self._contents = contents
        self._parts = {oi: part for part in parts for oi in part.objects}

    def read(self, oad: Oad, at: datetime) -> Data | Dar:
        """The attribute, or an element of it, or why not.

        Args:
            oad: what.
            at: true time, aware.

        """
        found, part = dictionary().object(oad.oi), self._parts.get(oad.oi)
        if found is None:
            return NO_SUCH_OBJECT
        values = None if part is not None or oad.attribute == _LOGICAL_NAME else self._values(oad, at)
        # What gives a whole attribute is there: most reads need no look at the others of the object.
        is_told = isinstance(values, Data) and not oad.index and found.row(oad.attribute) is not None
        if not is_told and not self._has(found, at):
            return NO_SUCH_OBJECT
        if oad.attribute == _LOGICAL_NAME:
            return Data("octet-string", oad.oi.to_bytes(2, "big"))
        if part is not None:
            read = _element(part.read(oad._replace(index=0), at), oad.index)
        else:
            read = self._about(found, oad, at) or values
        return NO_SUCH_ATTRIBUTE if read is None else read

    def part(self, oi: int) -> Part | None:
        """The part that has an object."""
        return self._parts.get(oi)

    def object(self, oi: int, at: datetime) -> Object | None:
        """The object, where a meter here has it."""
        found = dictionary().object(oi)
        return found if found is not None and self._has(found, at) else None

    def offered(self, at: datetime) -> Iterator[tuple[Oad, Data]]:
        """Every attribute that it gives, with what it gives at ``at``."""
        for found in dictionary().objects:
            for row in found.rows:
                oad = Oad(found.oi, row.number, 0)
                if not row.is_method and isinstance(data := self.read(oad, at), Data):
                    yield oad, data

    def _has(self, found: Object, at: datetime) -> bool:
        if found.oi in FREEZES or found.oi in self._parts:
            return True
        return any(
            not isinstance(self._values(Oad(found.oi, row.number, 0), at), Dar | None)
            for row in found.rows
            if not row.is_method and row.number != _LOGICAL_NAME
        )

    def _values(self, oad: Oad, at: datetime) -> Data | Dar | None:
        entry = dictionary().entry(oad)
        if entry is None:
            return None
        if isinstance(entry.type, Table) or entry.row.access == _WRITE_ONLY:
            return DENIED
        contents = self._contents.of(entry, at)
        if _is_whole(entry.type) and not contents.keys() >= set(names(entry)):
            return None
        try:
            return entry.encode(contents)
        except LocalProtocolError:  # it has nothing of this
            return None

    def _about(self, found: Object, oad: Oad, at: datetime) -> Data | None:
        """What an object says of its values, or of the columns of its table."""
        if oad.index:
            return None
        if (found.interface_class, oad.attribute) == _HIGHEST_ORDER:
            return Data("unsigned", max(ORDERS))
        if oad.attribute == _FREEZE_COLUMNS and found.oi in FREEZES:
            return self._columns(FREEZES[found.oi], at)
        number = _VALUES_OF_SCALER.get((found.interface_class, oad.attribute))
        row = found.row(number) if number else None
        if row is None or row.type is None:
            return None
        leaf = _measured(filled(row.type, row.scaler, row.unit))
        if leaf is None or leaf.scaler is None:
            return None
        return Data("Scaler_Unit", ScalerUnit(leaf.scaler, unit(leaf.unit).code if leaf.unit else _NO_UNIT))

    def _columns(self, table: FreezeTable, at: datetime) -> Data:
        """What a table freezes, how often and how deep, of what this meter has."""
        depth = self._contents.depth(table.table, table.depth)
        return Data(
            "array",
            tuple(
                Data(
                    "structure",
                    (
                        Data("long-unsigned", table.configured),
                        Data("OAD", column),
                        Data("long-unsigned", depth),
                    ),
                )
                for column in table.columns
                if self._contents.has(column, at)
            ),
        )


def _measured(kind: Type) -> Leaf | None:
    """The first number in a type that has a scaler."""
    if isinstance(kind, Leaf):
        return kind if kind.scaler is not None else None
    if isinstance(kind, Array):
        return _measured(kind.element)
    fields = kind.fields if isinstance(kind, Structure) else ()
    return next(filter(None, (_measured(field.type) for field in fields)), None)


def _element(whole: Data | Dar | None, index: int) -> Data | Dar | None:
    """An element of what was read, counted from 1."""
    if not index or not isinstance(whole, Data):
        return whole
    if whole.type not in {"array", "structure"} or index > len(whole.value):
        return None
    element: Data = whole.value[index - 1]
    return element


def _is_whole(kind: Type) -> bool:
    """Whether all of its members have to be there: a structure of which a meter has a part it has not."""
    return isinstance(kind, Structure) and not kind.as_array
