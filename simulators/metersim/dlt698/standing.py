"""Parameters of a meter that stand on its nameplate or in its works: ratios, tariff tables, settlement day.

They are read, and nobody writes them here: what hangs on them is made with the meter. Spare tables are as
the present ones, as in meters whose next set was not loaded yet.
Source: spec section 6.6; DL/T 645-2007, 04 00 06 01 to 03, for the words of combinations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import groupby
from typing import Final

from metersim.works.causes import OVER_VOLTAGE_PER_MILLE, UNDER_VOLTAGE_PER_MILLE
from metersim.works.conditions import FULL
from metersim.works.items import ORDERS
from metersim.works.moments import DAYS_OF_WEEK
from metersim.works.plate import Plate
from metersim.works.timetable import TARIFFS, Timetable
from metersim.works.works import Works
from meterwire.item_value import Content

_SETS: Final = ("present", "spare")
_WORKING_TABLE, _REST_TABLE = 1, 2
_COMBINATIONS: Final = {
    "active_combination_word": "05",
    "reactive_combination_word_1": "41",
    "reactive_combination_word_2": "14",
}
"""Forward and reverse; quadrants 1 and 4, 2 and 3: what the combined registers of a meter here add."""
_STEP_V: Final = Decimal("0.1")

Standing = Mapping[str, Content]
"""Contents by the key of their value."""


def standing(works: Works) -> Standing:
    """What stands in a meter, by key.

    Args:
        works: of the meter.

    """
    found: dict[str, Content] = dict(_COMBINATIONS)
    for part in (_of_plate(works.plate), _of_timetable(works.registers.timetable), _of_prices(works)):
        found.update(part)
    return found


def _of_plate(plate: Plate) -> Iterator[tuple[str, Content]]:
    yield "rated_voltage", f"{plate.voltage_v.normalize():f}V"
    yield "rated_current", f"{plate.basic_current_a.normalize():f}A"
    yield "max_current", f"{plate.max_current_a.normalize():f}A"
    yield "ct_ratio", plate.ct_ratio
    yield "pt_ratio", plate.pt_ratio
    yield "element_count", Decimal(plate.phases)
    yield "harmonic_orders", Decimal(max(ORDERS))
    yield "settlement_day@number.1/day", Decimal(plate.settlement_day)
    yield "settlement_day@number.1/hour", Decimal(0)
    for limit, per_mille in (("upper", OVER_VOLTAGE_PER_MILLE), ("lower", UNDER_VOLTAGE_PER_MILLE)):
        volts = (plate.voltage_v * per_mille / FULL).quantize(_STEP_V)
        yield f"assessed_voltage_{limit}", volts
        yield f"qualified_voltage_{limit}", volts


def _of_timetable(timetable: Timetable) -> Iterator[tuple[str, Content]]:
    days = [_periods(timetable.half_hours), _periods(timetable.rest_half_hours)]
    yield "zone_count", Decimal(1)
    yield "day_table_count", Decimal(len(days))
    yield "day_period_count", Decimal(max(map(len, days)))
    yield "tariff_count", Decimal(len(TARIFFS))
    yield "rest_day_table", Decimal(_REST_TABLE)
    working = (day for day in range(DAYS_OF_WEEK) if day not in timetable.rest_days)
    yield "rest_day_word", f"{sum(1 << (day + 1) % DAYS_OF_WEEK for day in working):02X}"
    for name in _SETS:
        zone = f"zone_table@set.{name}/number.1"
        yield from ((f"{zone}/{part}", Decimal(1)) for part in ("month", "day"))
        yield f"{zone}/table", Decimal(_WORKING_TABLE)
        for number, periods in enumerate(days, start=1):
            for place, (half_hour, tariff) in enumerate(periods, start=1):
                period = f"day_table@set.{name}/number.{number}/number.{place}"
                yield f"{period}/hour", Decimal(half_hour // 2)
                yield f"{period}/minute", Decimal(30 * (half_hour % 2))
                yield f"{period}/tariff", Decimal(tariff)


def _of_prices(works: Works) -> Iterator[tuple[str, Content]]:
    if works.account is None:
        return
    for name in _SETS:
        for tariff, price in zip(TARIFFS, works.account.prices, strict=True):
            yield f"tariff_price_setting.t{tariff}@set.{name}", price


def _periods(half_hours: tuple[int, ...]) -> list[tuple[int, int]]:
    """Periods of a day: the half-hour in which each begins, and its tariff."""
    found = []
    begin = 0
    for tariff, run in groupby(half_hours):
        found.append((begin, tariff))
        begin += len(list(run))
    return found
