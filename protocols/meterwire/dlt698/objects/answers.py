"""Results of attributes -> values of items, and why others have none. Source: spec section 3.5."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from meterwire.dlt698.apdus.parts import AttributeResult, Dar
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.objects.bit_words import BitOrder
from meterwire.dlt698.objects.dictionary import dictionary, unknown
from meterwire.dlt698.objects.item_values import ItemValue

NO_ANSWER: Final = Dar(33)
"""What a concentrator says for a meter that is silent."""


class Answer(NamedTuple):
    """What a device answered to a read of attributes.

    Args:
        values: values of what was answered, in its order; of an unknown object as they are.
        refused: why the rest was not, by descriptor.

    """

    values: tuple[ItemValue, ...]
    refused: Mapping[Oad, Dar]

    @property
    def is_silent(self) -> bool:
        """A meter behind a concentrator answered nothing at all."""
        return not self.values and set(self.refused.values()) == {NO_ANSWER}


def answer(results: Iterable[AttributeResult], order: BitOrder = "bit0_first") -> Answer:
    """The values out of results, of one answer or of its blocks one after the other.

    Args:
        results: A-ResultNormal, in their order.
        order: how this device sends words of bits.

    """
    values: list[ItemValue] = []
    refused: dict[Oad, Dar] = {}
    for oad, result in results:
        if isinstance(result, Dar):
            refused[oad] = result
        else:
            values += (dictionary().entry(oad) or unknown(oad)).decode(result, order)
    return Answer(tuple(values), refused)
