"""What a meter has for the values of an attribute: contents by key, to be encoded along their type.

Measured items come from `metersim.works.readings`; the rest is the meter's identity, its clock, and status
words in which every bit says something true of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from metersim.works.clock import MeterClock
from metersim.works.items import items_of
from metersim.works.plate import PHASES
from meterwire.dlt698.objects.dictionary import Entry, names
from meterwire.item_value import Content

PLATE: Final = {
    "active_accuracy": "B",
    "rated_voltage": "220V",
    "meter_model": "metersim",
}
"""What stands on the nameplate of every meter here."""
MAKER: Final = "MSIM"
VERSION: Final = "0001"
VERSION_DATE: Final = "260101"

_STATUS_WORD: Final = "meter_status_word_"
_STATUS_WORDS: Final = 7
_NEGATIVE_BITS: Final = {
    "1": {4: "active_power", 5: "reactive_power"},
    "2": {
        **{bit: f"active_power.{phase}" for bit, phase in enumerate(PHASES)},
        **{4 + bit: f"reactive_power.{phase}" for bit, phase in enumerate(PHASES)},
    },
}
"""Bits of words 1 and 2 that are set while the power of an item is negative."""

Value = Callable[[str, datetime], Decimal | None]
StatusBits = Callable[[str, datetime], int]
"""Further bits of the status word of a number, ``"1"`` to ``"7"``: bit n of it is bit n of the word."""


class Contents:
    """Contents of one meter.

    Args:
        address: 12 digits.
        value: what it measures: (item, time) -> value.
        clock: its clock.
        status_bits: what status words tell besides the directions of power.

    """

    def __init__(
        self, address: str, value: Value, clock: MeterClock, status_bits: StatusBits | None = None
    ) -> None:
        self._status_bits = status_bits or _no_bits
        self._value = value
        self._clock = clock
        identity = dict.fromkeys(("communication_address", "meter_number", "customer_number"), address)
        self._fixed = {**identity, **PLATE}

    def of(self, entry: Entry, at: datetime) -> dict[str, Content]:
        """What is there of the values that an attribute brings, by their keys.

        Args:
            entry: an attribute, or an element of one.
            at: true time, aware.

        """
        return self.named(keys(entry), at)

    def named(self, wanted: Iterable[str], at: datetime) -> dict[str, Content]:
        """What is there of the keys."""
        found = ((key, self._content(key, at)) for key in wanted)
        return {key: content for key, content in found if content is not None}

    def _content(self, key: str, at: datetime) -> Content:
        if key in self._fixed:
            return self._fixed[key]
        if key == "meter_clock":
            return civil(self._clock.shows(at))
        if key.startswith(_STATUS_WORD):
            return self._status_word(key.removeprefix(_STATUS_WORD), at)
        return self._value(key, at)

    def _status_word(self, number: str, at: datetime) -> str | None:
        """Directions of power, and what the other parts of the meter have to say."""
        if not number.isdecimal() or not 1 <= int(number) <= _STATUS_WORDS:
            return None
        bits = _NEGATIVE_BITS.get(number, {})
        word = sum(1 << bit for bit, item in bits.items() if (self._value(item, at) or 0) < 0)
        return f"{word | self._status_bits(number, at):04X}"


def _no_bits(_number: str, _at: datetime) -> int:
    return 0


def keys(entry: Entry) -> tuple[str, ...]:
    """Keys of the values that an attribute may bring from a meter here."""
    return tuple(dict.fromkeys([*names(entry), *items_of(entry.context.quantity)]))


def civil(moment: datetime) -> str:
    """A time as contents write it."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"
