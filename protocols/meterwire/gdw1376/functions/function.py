"""What a table says of one Fn: words, layout, and which items its fields are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from meterwire.gdw1376.layouts.notation import Layout

Way = Literal["down", "up"]
"""``down``: to the terminal or the module; ``up``: from it."""

NOTHING = Layout(((),))
"""The layout of a content without octets."""


@dataclass(frozen=True, slots=True)
class ItemRule:
    """Which items the values of a field are.

    Args:
        field: name of the field.
        item: name of an item of the catalogue; of a list, that of its first element.
        along: dimension of a list: ``tariff`` (total, then tariffs), ``phase``, ``total_phase`` (total, then
            phases), ``phase_neutral`` (phases, then the neutral); empty where all are of one item.
        divisor: the number that is sent, divided by it, is in the item's unit.

    """

    field: str
    item: str
    along: str = ""
    divisor: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One Fn of one AFN, in one direction.

    Args:
        afn: application function code, 0..255.
        fn: information class number.
        way: direction.
        layout: of its content; ``None`` where it is not known.
        told: every field has a name in the conformance vectors, so that the octets need not be told beside.
        whole: the content is of this layout only when it takes all octets that are left.
        items: which items the fields are.
        mark: class 2: what a request names: ``day``, ``month`` or ``curve``; otherwise empty.
        en: English words.
        zh: Chinese words.

    """

    afn: int
    fn: int
    way: Way
    layout: Layout | None
    told: bool = False
    whole: bool = False
    items: tuple[ItemRule, ...] = ()
    mark: str = ""
    en: str = ""
    zh: str = ""
