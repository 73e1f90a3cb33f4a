"""Names of 698.45 objects, and the items that their values are, from the dictionary of objects."""

from __future__ import annotations

from collections.abc import Iterator

from meterlink.explain.parts import NOTHING, Text, same
from meterwire.dlt698.axdr.selection import Oad, Omd
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.item_values import ItemValue


def object_words(of: Oad | Omd) -> Text:
    """What an attribute or method is; the object's name where only that is known, or nothing."""
    found = dictionary().object(of.oi)
    if found is None:
        return NOTHING
    entry = dictionary().entry(of)
    if entry is None or entry.row.en == found.en:
        en, zh = found.en, found.zh
    else:
        en, zh = f"{found.en}: {entry.row.en}", f"{found.zh}：{entry.row.zh}"
    if isinstance(of, Oad) and of.index:
        en, zh = f"{en} [{of.index}]", f"{zh} [{of.index}]"
    return Text(en, zh)


def measured(of: Oad | Omd, data: Data) -> Iterator[ItemValue | None]:
    """For each scalar in the data, in order, the item that it is; ``None`` where nobody knows."""
    entry = dictionary().entry(of)
    values = iter(() if entry is None else entry.decode(data))
    value = next(values, None)
    for scalar in _scalars(data):
        if value is not None and value.raw == scalar:
            yield value
            value = next(values, None)
        else:
            yield None


def item_words(value: ItemValue) -> Text:
    """The item, its content where that is more than the number on the wire, and bits that are set."""
    content = f" = {value.text} {value.unit}".rstrip() if value.value is not None and value.unit else ""
    if not value.name:
        return same(content)
    en, zh = ", ".join(bit.en for bit in value.bits), "、".join(bit.zh for bit in value.bits)
    if value.bits:
        content, en, zh = f" = {value.text}H", f": {en}", f"：{zh}"
    return Text(f"{content}, {value.name}{en}", f"{content}，{value.zh}{zh}")


def _scalars(data: Data) -> Iterator[Data]:
    if data.type in {"array", "structure"}:
        for element in data.value:
            yield from _scalars(element)
    else:
        yield data
