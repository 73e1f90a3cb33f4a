"""Words of state -> readings: the word as a number, and each of its bits that has a name as 0 or 1.

``meter_status_word_3.relay_open`` is a bit, in all protocols alike. Words 4 to 6 are of the three phases and
have the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from meterlink.drivers.base import Brought, Measured, MeterAnswer
from meterlink.errors import BadAnswer, Refused
from meterlink.model.marks import NO_MARKS
from meterwire.primitives.bits import Bit

_OF_PHASES: Final = {f"meter_status_word_{n}": "meter_status_word_4" for n in (5, 6)}
_HEX: Final = "hex"
"""Unit of words that are written in hexadecimal digits."""


def with_bits(answer: MeterAnswer, bits_of: Mapping[str, tuple[Bit, ...]]) -> MeterAnswer:
    """An answer with its words as numbers and their bits.

    Args:
        answer: what the meter said.
        bits_of: the bits of each word that have a name.

    """
    return answer._replace(values=tuple(_each(answer.values, bits_of)))


def each_with_bits(found: Brought, bits_of: Mapping[str, tuple[Bit, ...]]) -> Brought:
    """The same of several items, each with its own answer; one that holds no word is a bad answer by itself.

    Args:
        found: what the meter said, by item.
        bits_of: the bits of each word that have a name.

    """
    told: dict[str, MeterAnswer | Refused | BadAnswer] = {}
    for item, one in found.items():
        try:
            told[item] = with_bits(one, bits_of) if isinstance(one, MeterAnswer) else one
        except BadAnswer as error:
            told[item] = error
    return told


def _each(values: Sequence[Measured], bits_of: Mapping[str, tuple[Bit, ...]]) -> Iterator[Measured]:
    for value in values:
        if value.text is None or value.value is not None:
            yield value
            continue
        bits = bits_of.get(_OF_PHASES.get(value.item, value.item), ())
        number = _number(value, is_hex=bool(bits) or value.unit == _HEX)
        yield value._replace(value=Decimal(number), unit="")
        for bit in bits:
            on = number >> bit.place & 1
            yield Measured(
                item=f"{value.item}.{bit.name}",
                period=value.period,
                value=Decimal(on),
                text=str(on),
                unit="",
                marks=NO_MARKS,
            )


def _number(word: Measured, *, is_hex: bool) -> int:
    """A word as a number whose bit n is its bit n; what has no names is written bit 0 first.

    Raises:
        BadAnswer: it is no word.

    """
    assert word.text is not None
    try:
        return int(word.text, 16) if is_hex else int(word.text[::-1], 2)
    except ValueError:
        raise BadAnswer(f"{word.item} is no word of state") from None
