"""What people call a kind of event, whoever told it: meters, terminals of both protocols, or this program.

Kinds that terminals tell are named by the standards' own tables, which have the words for them too.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Final

from meterlink.drivers.dlt698.event_rows import kind_of as kind_698
from meterlink.drivers.gdw1376.told import kind_of as kind_1376
from meterlink.model import event_kinds as model
from meterlink.model.event_kinds import EventKind, Lang
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.requests import event_tables
from meterwire.gdw1376.functions.events import event_kinds as ercs

_OWN: Final = re.compile(r"terminal_event_([0-9]{1,3})")
_RECORD: Final = "记录"
"""What names of ERC end with in Chinese, and of kinds do not."""


def words_of(kind: str, lang: Lang) -> str:
    """What people call a kind; one that is not known stands as it is.

    Args:
        kind: as events are kept under it.
        lang: of the words.

    """
    words = model.words_of(kind, lang)
    if words != kind:
        return words
    if (known := told_by_terminals().get(kind)) is not None:
        return str(getattr(known, lang))
    if found := _OWN.fullmatch(kind):
        return f"厂家自定义事件 ERC{found[1]}" if lang == "zh" else f"maker's own event ERC{found[1]}"
    return kind


@functools.cache
def told_by_terminals() -> Mapping[str, EventKind]:
    """The kinds that terminals tell of themselves and their meters, by name; those of meters are not here."""
    found = {
        kind_1376(erc): EventKind(known.en, known.zh.removesuffix(_RECORD)) for erc, known in ercs().items()
    }
    for table in event_tables().values():
        kind, known = kind_698(table), dictionary().object(table.oi)
        if known is not None and known.zh and model.words_of(kind, "zh") == kind:
            found.setdefault(kind, EventKind(known.en, known.zh.removesuffix(_RECORD)))
    return found
