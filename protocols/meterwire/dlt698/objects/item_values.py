"""``Data`` of an attribute <-> values of items, along the type that the dictionary writes.

A value's key is its item, ``@`` and the period behind: ``forward_active_energy.t1``,
``day_table@set.present/number.1/number.2/hour``. NULL in the place of an array, and an array without
elements, are kept under the item with ``.*``. Source: spec sections 2, 6 and 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from meterwire import catalogue
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.objects.bit_words import bits_set
from meterwire.dlt698.objects.leaves import Problem
from meterwire.dlt698.objects.notation import Field
from meterwire.item_value import Content, Label, LabelledValue
from meterwire.primitives.bits import Bit

Contents = Mapping[str, Content]
"""Contents by the key of their value."""

_PHASES: Final = "abc"
_NAMED: Final = "."
"""Before a part of a period that is the name of a member."""


class ItemValue(LabelledValue[Problem, Data]):
    """One value out of an answer; ``raw`` is its Data, as the device sent it."""

    __slots__ = ()

    @property
    def bits(self) -> tuple[Bit, ...]:
        """The bits that are set and have a name, in a status word and the like."""
        return (
            bits_set(self.label.word, int(self.content, 16))
            if self.label.word and isinstance(self.content, str)
            else ()
        )

    @property
    def moment(self) -> datetime | None:
        """The device's civil time, when the value is a whole and valid one."""
        if self.raw.type not in {"date_time_s", "date_time"}:
            return None
        found: datetime | None = self.raw.value.civil()
        return found


class Context(NamedTuple):
    """Where in an attribute a value stands.

    Args:
        quantity: of the catalogue, or empty.
        dimensions: of the item.
        period: parts of the period.
        fallback: item where the catalogue has none: the descriptor.
        en: words where the catalogue has none.
        zh: the same in Chinese.
        is_part: the value is a named part of the quantity, with a unit of its own.
        secret: types whose values stand in no log.

    """

    quantity: str
    dimensions: tuple[str, ...]
    period: tuple[str, ...]
    fallback: str
    en: str
    zh: str
    is_part: bool = False
    secret: frozenset[str] = frozenset()

    def label(self, own_unit: str = "", block: str = "") -> Label:
        """The label of a value here; ``own_unit`` counts where the catalogue's does not."""
        period = "/".join(part.removeprefix(_NAMED) for part in self.period)
        if not self.quantity:
            return Label(self.fallback + block, period, self.en, self.zh, own_unit)
        dimensions = tuple(sorted(self.dimensions, key=_dimension_order))
        en, zh = catalogue.words(self.quantity, dimensions)
        kept = own_unit if self.is_part else catalogue.quantity(self.quantity).unit
        return Label(".".join([self.quantity, *dimensions]) + block, period, en, zh, kept)

    def at(self, item: str) -> Context:
        """Here, for an item of its own; names of members on the way say no more than it does."""
        name, _, period = item.partition("@")
        quantity, *dimensions = name.split(".")
        kept = (part for part in self.period if part[0] != _NAMED)
        return self._replace(
            quantity=quantity,
            dimensions=(*self.dimensions, *dimensions),
            period=(*kept, *filter(None, [period])),
            is_part=False,
        )

    def member(self, field: Field) -> Context:
        """The member of a structure."""
        if field.item:
            return self.at(field.item)
        return self._replace(period=(*self.period, _NAMED + field.name), is_part=True)

    def element(self, dimension: str, index: int) -> Context:
        """The element of an array, counted from 1."""
        written = _written(dimension, index)
        if written == "neutral":
            return self._replace(quantity="neutral_current", dimensions=())
        if written.startswith("number."):
            return self._replace(period=(*self.period, written))
        return self._replace(dimensions=(*self.dimensions, *filter(None, [written])))


def contents_of(values: list[ItemValue] | tuple[ItemValue, ...]) -> dict[str, Content]:
    """The contents by key, for ``encode``; an empty array stands as empty text."""
    return {value.label.key: "" if value.problem == "empty" else value.content for value in values}


def _written(dimension: str, index: int) -> str:  # noqa: PLR0911 - one return a dimension
    """What the name of element ``index`` says: a dimension, ``number.N``, ``neutral`` or nothing."""
    match dimension:
        case "tariff":
            return f"t{index - 1}" if index > 1 else ""
        case "rate":
            return f"t{index}"
        case "order":
            return f"h{index}" if index > 1 else ""
        case "first" if index == 1:
            return ""
        case "total_phase" if index <= len(_PHASES) + 1:
            return _PHASES[index - 2] if index > 1 else ""
        case "phase" | "phase_neutral" if index <= len(_PHASES):
            return _PHASES[index - 1]
        case "phase_neutral" if index == len(_PHASES) + 1:
            return "neutral"
        case _:
            return f"number.{index}"


def _dimension_order(dimension: str) -> int:
    """Tariff, phase, order of a harmonic."""
    return {"t": 0, "h": 2}.get(dimension[0], 1)
