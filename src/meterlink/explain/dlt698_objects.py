"""Names of 698.45 objects and units of their values: the seam to the dictionary of objects."""

from __future__ import annotations

from meterlink.explain.parts import NOTHING, Text
from meterwire.dlt698.bit_words import bits_set
from meterwire.dlt698.notation import Leaf
from meterwire.dlt698.objects import Entry, dictionary
from meterwire.dlt698.selection import Oad, Omd
from meterwire.dlt698.values import Data


def place_of(of: Oad | Omd) -> Entry | None:
    """What an attribute or a method holds; ``None`` where the dictionary does not say."""
    return dictionary().entry(of)


def object_words(of: Oad | Omd) -> Text:
    """What an attribute or method is; nothing when the dictionary does not have it."""
    entry = place_of(of)
    if entry is None:
        return NOTHING
    label = entry.context.label()
    if entry.context.quantity:
        return Text(_spoken(label.en, label.period), _spoken(label.zh, label.period))
    return Text(f"{entry.object.en}: {entry.row.en}", f"{entry.object.zh}：{entry.row.zh}")


def measured(place: Entry | None, data: Data) -> Text | None:
    """A value with its decimal point, unit and name; ``None`` when the dictionary does not say."""
    if place is None or not isinstance(place.type, Leaf) or place.type.type == "any":
        return None
    (value,) = place.decode(data)
    if value.problem is not None or value.text is None:
        return None
    said = f"{value.text} {value.unit}".rstrip() if value.unit != "hex" else f"{value.text}H"
    en, zh = _spoken(value.name, value.period), _spoken(value.zh, value.period)
    bits = bits_set(place.type.word, int(str(value.content), 16)) if place.type.word else ()
    if bits:
        en = f"{en}: {', '.join(bit.en for bit in bits)}"
        zh = f"{zh}：{'、'.join(bit.zh for bit in bits)}"
    return Text(f"{said} {en}", f"{said} {zh}")


def _spoken(words: str, period: str) -> str:
    return f"{words} ({period})" if period else words
