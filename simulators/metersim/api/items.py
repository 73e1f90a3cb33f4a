"""The items of one meter by name: which there are, what it shows for them, and how they are set."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from metersim.api.problems import Problem
from metersim.api.served import near_words
from metersim.api.views import ItemView, written
from metersim.plant.built_line import BuiltMeter
from metersim.plant.happenings import Happening
from metersim.works.items import DEMANDS, QUANTITIES, REGISTERS, phase_items_of
from metersim.works.items import items_of as items_of_quantity
from metersim.works.moments import PLANT_TIME
from metersim.works.plate import PHASES
from meterwire.catalogue import quantities, words
from meterwire.item_value import Content

CLOCK: Final = "meter_clock"
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?").fullmatch
_TEXTS: Final = ("communication_address", "meter_number", "customer_number", CLOCK)
_MONEY: Final = ("remaining_balance", "overdraft_balance", "purchase_count")
_STATUS_WORDS: Final = tuple(f"meter_status_word_{number}" for number in range(1, 8))
_DEMANDS_AT: Final = tuple(f"{demand}_at" for demand in DEMANDS)


def _names() -> tuple[str, ...]:
    found = [*_TEXTS, *_STATUS_WORDS, *_MONEY]
    for quantity in (*QUANTITIES, *DEMANDS, *_DEMANDS_AT):
        found += items_of_quantity(quantity, PHASES) + phase_items_of(quantity, PHASES)
    return tuple(found)


NAMES: Final = _names()
"""Every item that some meter here has."""


def shown(meter: BuiltMeter, item: str, at: datetime) -> Content:
    """What a meter shows for an item at a true time, now; ``None`` when it has no such item."""
    number = meter.value(item, at)
    return meter.works.content(item, at) if number is None else number


def items_of(meter: BuiltMeter, at: datetime) -> list[str]:
    """The items that a meter has."""
    return [item for item in NAMES if shown(meter, item, at) is not None]


def item_of(meter: BuiltMeter, item: str, at: datetime) -> ItemView:
    """What a meter shows for an item.

    Args:
        meter: the meter.
        item: name of the catalogue.
        at: true time, now.

    Raises:
        Problem: it has no such item.

    """
    content = shown(meter, item, at) if item in NAMES else None
    if content is None:
        near = near_words(item, list(NAMES))
        raise Problem(
            "no-such-item",
            f"{item[:100]!r}: meter {meter.address} shows nothing for it",
            f"GET /v1/meters/{meter.address}/items lists what it has.",
            near=near,
        )
    quantity, *dimensions = item.split(".")
    en, zh = words(quantity, tuple(dimensions))
    return ItemView(item=item, value=written(content), unit=quantities()[quantity].unit, en=en, zh=zh)


def set_item(meter: BuiltMeter, item: str, value: str, at: datetime) -> None:
    """Set a register, or the clock.

    Args:
        meter: the meter.
        item: name of the catalogue.
        value: a number in the unit of the register; of the clock a time, in UTC+8 where it names no zone.
        at: true time, now.

    Raises:
        Problem: the meter has no such item, the item cannot be set, or not to this value.

    """
    item_of(meter, item, at)
    if item == CLOCK:
        change = Happening(what="clock_jump", at=timedelta(), by=_time(value) - meter.works.clock.shows(at))
    elif item.partition(".")[0] in REGISTERS:
        change = Happening(what="register_set", at=timedelta(), item=item, value=_number(value))
    else:
        raise Problem("not-settable", f"{item}: follows from what happens to the meter", _remedy(item))
    meter.befall(change)


def _number(value: str) -> Decimal:
    if not _NUMBER(value):  # Decimal takes the digits of every script
        raise ValueError(f"body.value: {value!r} is no number; write digits, as 1234.56")
    return Decimal(value)


def _time(value: str) -> datetime:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"body.value: {value!r} is no time; write 2026-10-01 00:00:00") from None
    return found if found.tzinfo else found.replace(tzinfo=PLANT_TIME)


def _remedy(item: str) -> str:
    if item == "meter_number":
        return "Let another meter take its place: the happening meter_exchange has a meter_number."
    if item in _MONEY:
        return "Money comes over the line, by a top-up; the plant file says what a wallet begins with."
    return f"Registers and {CLOCK} can be set; happenings change the rest."
