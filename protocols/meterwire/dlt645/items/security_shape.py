"""The fields of a security frame (03H) as values with names, like those of any other identifier.

Source: spec control-and-prepayment, section 2.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from meterwire.dlt645.items import formats, security
from meterwire.dlt645.items.security import DIRECTIONS, SecurityField
from meterwire.dlt645.items.values import Given, ItemValue
from meterwire.errors import LocalProtocolError
from meterwire.item_value import Content, Label

_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class SecurityPayload:
    """What a security request or its answer carries, told apart by length.

    Args:
        di: identifier of the layouts.
        label: makes the label of a field's item.

    """

    di: int
    label: Callable[[str], Label]

    @property
    def octets(self) -> int:
        """Octets of the request's first layout; of the answer's where the request has none."""
        return sum(field.octets for field in self._layouts()[0])

    @property
    def items(self) -> tuple[str, ...]:
        """None that are sure to be there: a request and an answer have different ones."""
        return ()

    def decode(self, data: bytes) -> tuple[ItemValue, ...] | None:
        """The values in ``data``; ``None`` when no layout has that length."""
        for direction in DIRECTIONS:
            if (fields := security.split(self.di, direction, data)) is not None:
                return tuple(
                    ItemValue(self.label(one.field.item), *_content(one.field, one.raw), one.raw)
                    for one in fields
                )
        return None

    def delimiters(self, data: bytes) -> int:
        """None: each field has its octets."""
        return 0

    def is_whole(self, data: bytes) -> bool:
        """Never: some layouts have fields of any length."""
        del data
        return False

    def encode(self, values: Sequence[Given], delimiters: int | None = None) -> bytes:
        """Undo ``decode`` by the first layout that takes as many values.

        Raises:
            LocalProtocolError: no layout takes them, or a delimiter.

        """
        if delimiters:
            raise LocalProtocolError(f"security identifier {self.di:08X} has no delimiters")
        for layout in self._layouts():
            if len(layout) != len(values):
                continue
            try:
                return b"".join(_octets(*one) for one in zip(layout, values, strict=True))
            except LocalProtocolError:
                continue  # the other direction has as many fields
        raise LocalProtocolError(f"security identifier {self.di:08X} does not take these values")

    def _layouts(self) -> list[tuple[SecurityField, ...]]:
        return [layout for direction in DIRECTIONS for layout in security.layouts(self.di, direction)]


def _content(field: SecurityField, raw: bytes) -> tuple[Content, formats.Problem | None]:
    value = security.value_of(field, raw)
    if isinstance(value, str):
        return (None, "invalid-bcd") if field.kind == "bcd" else (value.upper(), None)
    return (Decimal(value) * _CENT if field.kind == "cents" else Decimal(value)), None


def _octets(field: SecurityField, given: Given) -> bytes:
    if isinstance(given, ItemValue):
        fits = field.octets in {len(given.raw), -1}
        if fits and _content(field, given.raw) == (given.content, given.problem):
            return given.raw
        return _octets(field, given.content)
    return _content_octets(field, given)


def _content_octets(field: SecurityField, content: Content) -> bytes:
    if not isinstance(content, Decimal):
        return security.field_octets(field, content)
    number = content / _CENT if field.kind == "cents" else content
    if number != int(number):
        raise LocalProtocolError(f"{field.name} does not fit {field.octets} octets")
    return security.field_octets(field, int(number))
