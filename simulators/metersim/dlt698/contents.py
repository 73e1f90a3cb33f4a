"""What a meter has for the values of an attribute: contents by key, to be encoded along their type.

All that changes comes from the meter's works, but for status word 3, of which the security module knows a
bit; the rest stands on the nameplate of every meter here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from metersim.dlt698.derived import derived, items_of_derived
from metersim.dlt698.standing import standing
from metersim.works.items import DEMANDS, items_of
from metersim.works.plate import PHASES
from metersim.works.works import Works
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.objects.dictionary import Entry, dictionary, names
from meterwire.item_value import Content

PLATE: Final = {
    "active_accuracy": "B",
    "reactive_accuracy": "2",
    "meter_model": "metersim",
}
"""What stands on the nameplate of every meter here."""
MAKER: Final = "MSIM"
VERSION: Final = "0001"
VERSION_DATE: Final = "260101"

_PARAMETERS: Final = "parameters"
_STATUS_WORDS: Final = "meter_status_word_"
_STATUS_WORD_3: Final = "meter_status_word_3"


_NEVER: Final = "0000-00-00 00:00:00"


class Contents:
    """Contents of one meter.

    Args:
        works: of the meter.
        word_3: true time -> its status word 3, bit n of the number for bit n of the word.

    """

    def __init__(self, works: Works, word_3: Callable[[datetime], int]) -> None:
        self._works = works
        self._word_3 = word_3

    def depth(self, table: str, usual: int) -> int:
        """How many records the meter keeps of a table of freezes; see `metersim.works.plate.Plate`."""
        return self._works.plate.depth(table, usual)

    def of(self, entry: Entry, at: datetime) -> dict[str, Content]:
        """What is there of the values that an attribute brings, by their keys.

        Args:
            entry: an attribute, or an element of one.
            at: true time, aware.

        """
        wanted = keys(entry)
        stands = self._standing(entry, wanted) if entry.object.chapter == _PARAMETERS else {}
        return {**self.named(wanted, at), **stands}

    def _standing(self, entry: Entry, wanted: Iterable[str]) -> dict[str, Content]:
        """What stands in the meter of an attribute, elements of its arrays among it."""
        quantity = entry.context.quantity
        return {
            key: content
            for key, content in standing(self._works).items()
            if _quantity(key) == quantity or key in wanted
        }

    def has(self, column: Oad, at: datetime) -> bool:
        """Whether a meter has anything for a column of its tables."""
        entry = dictionary().entry(column)
        return entry is not None and bool(self.of(entry, at))

    def named(self, wanted: Iterable[str], at: datetime) -> dict[str, Content]:
        """What is there of the keys."""
        found = ((key, self._content(key, at)) for key in wanted)
        return {key: content for key, content in found if content is not None}

    def _content(self, key: str, at: datetime) -> Content:
        if key in PLATE:
            return PLATE[key]
        if key == _STATUS_WORD_3:
            return self._sent(f"{self._word_3(at):04X}")
        quantity, _, _ = key.partition(".")
        if quantity.removesuffix("_at") in DEMANDS and quantity not in DEMANDS:
            return self._demand_time(key, at)
        shown = self._works.content(key, at)
        if key.startswith(_STATUS_WORDS) and isinstance(shown, str):
            return self._sent(shown)
        return derived(self._works, key, at) if shown is None else shown

    def _sent(self, word: str) -> str:
        """A status word so that it comes onto the wire as this kind of meter sends it: bit 0 goes first."""
        if self._works.switch.character.bit_order == "msb_first":
            return word
        return f"{int(f'{int(word, 16):016b}'[::-1], 2):04X}"

    def _demand_time(self, key: str, at: datetime) -> Content:
        """When a demand was; zeros for one that there was not yet, as meters were seen to send."""
        if self._works.value(key.replace("_at", "", 1), at) is None:
            return None
        noted = self._works.content(key, at)
        return _NEVER if noted is None else f"{noted}:00"


def keys(entry: Entry) -> tuple[str, ...]:
    """Keys of the values that an attribute may bring from a meter here."""
    quantity = entry.context.quantity
    if phases := [phase for phase in entry.context.dimensions if phase in PHASES]:
        of_phases = (f"{quantity}.{phase}" for phase in phases)
        return tuple(dict.fromkeys([*names(entry), *of_phases, *items_of_derived(quantity)]))
    times = items_of(f"{quantity}_at") if quantity in DEMANDS else ()
    return tuple(dict.fromkeys([*names(entry), *items_of(quantity), *items_of_derived(quantity), *times]))


def _quantity(key: str) -> str:
    return key.partition("@")[0].partition(".")[0]


def civil(moment: datetime) -> str:
    """A time as contents write it."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"
