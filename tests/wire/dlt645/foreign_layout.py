"""The records (03) and parameters (04) that PyPI's ``dlt645`` offers, and how it sends them.

It writes a format as text, ``XXX.X`` or ``YYMMDDhhmmss``, and sends a field of that many characters: *the
point counts as a digit*, so that a number with a point has one octet more than the standard gives it. That
octet is the field's last on the wire, and 0 in what is put in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dlt645.model.data.define import DIMap

POINT = "."


@dataclass(frozen=True, slots=True)
class ForeignField:
    """One field of theirs with digits in it.

    Args:
        layout: its format, as they write it.
        digits: what is put in; as many as the format has without the point.

    """

    layout: str
    digits: str

    @property
    def octets(self) -> bytes:
        """The field as the standard sends it, lowest octet first."""
        return bytes.fromhex(self.digits)[::-1]

    @property
    def sent(self) -> bytes:
        """The field as they send it."""
        return self.octets + (b"\x00" if POINT in self.layout else b"")

    @property
    def told(self) -> str:
        """The text that their setters want: as long as the format."""
        return self.digits.rjust(len(self.layout), "0")

    @property
    def number(self) -> Decimal | None:
        """The number, where the format has a point."""
        _, point, decimals = self.layout.partition(POINT)
        return Decimal(self.digits).scaleb(-len(decimals)) if point else None


def offered(first: int) -> list[int]:
    """The identifiers of a class (DI3) that it has."""
    return [di for di in DIMap if di >> 24 == first]


def groups(di: int) -> list[tuple[ForeignField, ...]]:
    """Fields of a record or parameter, each with other digits; what they keep together is one group.

    The digits fit every format that occurs: below 80 at the top, so that none is negative, and printable
    where there is one field, which may be text.
    """
    item = DIMap[di]
    found: list[tuple[ForeignField, ...]] = []
    count = 0
    for part in item if isinstance(item, list) else [item]:
        fields = []
        for layout in part.data_format.split(","):
            count += 1
            size = len(layout.replace(POINT, ""))
            fields.append(ForeignField(layout, (f"{37 * count % 79:02d}" * size)[:size]))
        found.append(tuple(fields))
    return found


def told(di: int) -> object:
    """What ``set_03`` or ``set_04`` wants for these groups: a pair is written last field first."""
    parts = [tuple(field.told for field in group[::-1]) for group in groups(di)]
    texts = [part if len(part) > 1 else part[0] for part in parts]
    return texts if isinstance(DIMap[di], list) else texts[0]


def fields(di: int) -> list[ForeignField]:
    """All fields in the order of the wire."""
    return [field for group in groups(di) for field in group]


def sent(of: Sequence[ForeignField]) -> bytes:
    """The data as they send it."""
    return b"".join(field.sent for field in of)


def standard(of: Sequence[ForeignField]) -> bytes:
    """The data as the standard sends it."""
    return b"".join(field.octets for field in of)
