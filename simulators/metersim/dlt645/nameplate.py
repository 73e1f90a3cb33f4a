"""What stands on a meter of DL/T 645 and in its parameters, as far as nobody writes it.

All of it follows from the plate, the timetable, the limits of its events and the tables that it keeps, so a
head-end that reads the parameters reads what the meter goes by.
Source: DL/T 645-2007, annex A.5; spec sections 7, 7.2 and 9.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Final

from meterprofiles import Profile
from metersim.works import causes
from metersim.works.events import OVER_CURRENT_PERCENT
from metersim.works.freezes import PRICE_SWITCH
from metersim.works.items import ORDERS
from metersim.works.moments import PLANT_TIME, of_us, to_us
from metersim.works.timetable import HALF_HOURS, TARIFFS, Timetable
from metersim.works.works import Works
from meterwire.dlt645 import Entry
from meterwire.dlt645.items.formats import Time
from meterwire.item_value import Content

Shown = Callable[[Works, Profile, datetime], Content]

PERIODS_MAX: Final = 14
"""Periods of a day that the standard's tables have room for. Source: spec section 7, 04 01 00 01."""
CURVE_MINUTES: Final = Decimal(15)
_REST_TABLE: Final = 2
_SUNDAY: Final = 6
_BAUD_BITS: Final = {600: 1, 1200: 2, 2400: 3, 4800: 4, 9600: 5, 19_200: 6}
_INFRARED_BAUD: Final = 1200
_CONSTANTS: Final = {1: Decimal(1200), 3: Decimal(400)}
"""Pulses for a kWh or kvarh, by phases."""
_LOAD_CLASSES: Final = {1: "0F", 3: "3F"}
_BY_PERCENT: Final = Decimal(100)


def contents_of(works: Works, profile: Profile, item: str, at: datetime) -> list[Content] | None:
    """What the meter shows for an item of its plate or its parameters; ``None``: it is none of these.

    Args:
        works: the meter's.
        profile: its model.
        item: as the dictionary calls it, e.g. ``"ct_ratio"`` or ``"day_table@set.1/number.1"``.
        at: aware; past or now.

    """
    if (shown := _ITEMS.get(item)) is not None:
        return [shown(works, profile, at)]
    name, _, which = item.partition("@")
    if name == "zone_table":
        return ["01-01 01"]
    if name in {"day_table", "day_period"}:
        return _day_table(works.registers.timetable, which)
    return None


def encoded(entry: Entry, contents: list[Content]) -> tuple[bytes, dict[str, Decimal]] | None:
    """A parameter's octets, and the numbers in them; ``None``: it has no content."""
    if contents == [None] and not isinstance(entry.format, Time):
        return None
    numbers = zip(entry.items, contents, strict=False)
    return entry.encode(contents), {item: one for item, one in numbers if isinstance(one, Decimal)}


def _day_table(timetable: Timetable, which: str) -> list[Content] | None:
    """The periods of a table (``set.1/number.2``), or one of them (1997: ``table.3/period.1``)."""
    table, _, period = which.rpartition("/")
    if table.startswith("table."):  # C33n is the first one
        number = int(table.removeprefix("table.")) - 2
    else:
        number, period = int(period.removeprefix("number.")), "period.*"
    if number > _tables(timetable):
        return None
    periods = _periods(timetable.half_hours if number == 1 else timetable.rest_half_hours)
    if period == "period.*":
        return periods
    wanted = int(period.removeprefix("period."))
    return periods[wanted - 1 : wanted] or None


def _tables(timetable: Timetable) -> int:
    """One for all days, or one more for rest days."""
    return _REST_TABLE if timetable.rest_half_hours != timetable.half_hours else 1


def _periods(half_hours: Sequence[int]) -> list[Content]:
    """When each period of a day begins, and its tariff; what the table has no room for is not shown."""
    found: list[Content] = []
    for tariff, run in groupby(range(HALF_HOURS), key=lambda number: half_hours[number]):
        first = next(iter(run))
        found.append(f"{first // 2:02d}:{30 * (first % 2):02d} {tariff:02d}")
    return found[:PERIODS_MAX]


def _rest_days(works: Works, _profile: Profile, _at: datetime) -> str:
    """Bit 0 is Sunday; 0 is a rest day, where rest days have a table of their own."""
    timetable = works.registers.timetable
    rest = timetable.rest_days if _tables(timetable) == _REST_TABLE else frozenset()
    return f"{sum(1 << bit for bit in range(7) if (bit + _SUNDAY) % 7 not in rest):02X}"


def _next_year(works: Works, _profile: Profile, at: datetime) -> str:
    """When the sets of prices and steps switch next: with the year of the meter's clock."""
    shown_us = to_us(works.clock.shows(at))
    switch_us = PRICE_SWITCH.period.end(PRICE_SWITCH.period.number(shown_us) + 1)
    assert switch_us is not None, "each year has a first day"
    return f"{of_us(switch_us):%Y-%m-%d %H:%M}"


def _baud_word(works: Works, profile: Profile, _at: datetime) -> str:
    return f"{1 << _BAUD_BITS.get(profile.line.baud, 0) & ~1:02X}"


def _power_limit(works: Works, _profile: Profile, _at: datetime) -> Decimal:
    """Beyond it a phase is overloaded; in kW, of all phases together."""
    plate = works.plate
    watts = plate.max_current_a * plate.voltage_v * plate.phases * OVER_CURRENT_PERCENT / _BY_PERCENT
    return min(watts / 1000, Decimal("99.9999")).quantize(Decimal("0.0001"))


def _distortion(quantity: str, phase: str) -> Shown:
    """What the harmonics are of the fundamental together, in percent."""

    def shown(works: Works, _profile: Profile, at: datetime) -> Decimal | None:
        parts = [works.value(f"{quantity}_harmonic.{phase}.h{order}", at) for order in ORDERS]
        known = [part for part in parts if part is not None]
        total = sum((part * part for part in known), Decimal(0)).sqrt()
        return min(total, Decimal("99.99")).quantize(Decimal("0.01")) if known else None

    return shown


def _price(works: Works, _profile: Profile, at: datetime) -> Decimal | None:
    """Of the tariff that holds; only a meter with a wallet knows it."""
    if works.account is None:
        return None
    tariff, _ = works.registers.timetable.in_force(to_us(works.clock.shows(at)))
    return works.account.prices[tariff - 1]


def _always(content: Content) -> Shown:
    return lambda _works, _profile, _at: content


def _clock(pattern: str) -> Shown:
    return lambda works, _profile, at: works.clock.shows(at).strftime(pattern)


def _voltage(percent: int) -> Shown:
    return lambda works, _profile, _at: (works.plate.voltage_v * percent / _BY_PERCENT).quantize(
        Decimal("0.1")
    )


def _day(works: Works, _profile: Profile, _at: datetime) -> str:
    return f"{works.plate.settlement_day:02d} 00"


def _period_count(works: Works, _profile: Profile, _at: datetime) -> Decimal:
    return Decimal(len(_periods(works.registers.timetable.half_hours)))


_SINCE: Final = "%m-%d %H:%M"
_ITEMS: Final[dict[str, Shown]] = {
    "meter_date": _clock("%Y-%m-%d w0%w"),
    "meter_time": _clock("%H:%M:%S"),
    "pulse_width": _always(Decimal(80)),
    "zone_switch_at": _always(None),
    "day_table_switch_at": _always(None),
    "price_switch_at": _next_year,
    "step_switch_at": _next_year,
    "zone_count": _always(Decimal(1)),
    "day_table_count": lambda works, _profile, _at: Decimal(_tables(works.registers.timetable)),
    "day_period_count": _period_count,
    "tariff_count": _always(Decimal(len(TARIFFS))),
    "harmonic_orders": _always(Decimal(max(ORDERS))),
    "scroll_screens": _always(Decimal(1)),
    "key_screens": _always(Decimal(1)),
    "scroll_time": _always(Decimal(5)),
    "energy_decimals": _always(Decimal(2)),
    "power_decimals": _always(Decimal(4)),
    "ct_ratio": lambda works, _profile, _at: works.plate.ct_ratio.to_integral_value(),
    "pt_ratio": lambda works, _profile, _at: works.plate.pt_ratio.to_integral_value(),
    "asset_number": lambda works, _profile, _at: f"MS{works.plate.meter_number}",
    "user_number": lambda works, _profile, _at: works.plate.customer_number,
    "device_number": lambda works, _profile, _at: works.plate.address,
    "rated_voltage": lambda works, _profile, _at: f"{works.plate.voltage_v.normalize():f}V"[:6],
    "rated_current": lambda works, _profile, _at: f"{works.plate.basic_current_a.normalize():f}A"[:6],
    "max_current": lambda works, _profile, _at: f"{works.plate.max_current_a.normalize():f}A"[:6],
    "reactive_accuracy": _always("2.0"),
    "active_constant": lambda works, _profile, _at: _CONSTANTS[works.plate.phases],
    "reactive_constant": lambda works, _profile, _at: _CONSTANTS[works.plate.phases],
    "meter_model": lambda works, _profile, _at: f"METERSIM-{works.plate.phases}",
    "production_date": lambda works, _profile, _at: f"{works.since.astimezone(PLANT_TIME):%Y-%m-%d}",
    "protocol_version": lambda _works, profile, _at: f"DL/T645-{profile.edition[-4:]}",
    "software_version": _always("metersim"),
    "hardware_version": _always("metersim"),
    "maker_code": _always("metersim"),
    "active_combination_word": _always("05"),
    "reactive_combination_word_1": _always("41"),
    "reactive_combination_word_2": _always("14"),
    "infrared_baud_word": _always(f"{1 << _BAUD_BITS[_INFRARED_BAUD]:02X}"),
    "port_1_baud_word": _baud_word,
    "rest_day_word": _rest_days,
    "rest_day_table": lambda works, _profile, _at: Decimal(_tables(works.registers.timetable)),
    "load_mode_word": lambda works, _profile, _at: _LOAD_CLASSES[works.plate.phases],
    "instant_freeze_mode_word": _always("03"),
    "hourly_freeze_mode_word": _always("03"),
    "daily_freeze_mode_word": _always("03"),
    "hourly_freeze_interval": _always(Decimal(60)),
    "hourly_freeze_start": lambda works, _profile, _at: f"{works.clock.shows(works.since):%Y-%m-%d %H}:00",
    "daily_freeze_time": _always("00:00"),
    "load_start_at": lambda works, _profile, _at: f"{works.clock.shows(works.since):{_SINCE}}",
    "load_interval": _always(CURVE_MINUTES),
    **{f"load_interval_{number}": _always(CURVE_MINUTES) for number in range(1, 7)},
    "settlement_day_1": _day,
    "automatic_reading_day": _day,
    "settlement_day_2": _always("99 99"),
    "settlement_day_3": _always("99 99"),
    "forward_power_limit": _power_limit,
    "reverse_power_limit": _power_limit,
    "voltage_upper_limit": _voltage(causes.OVER_VOLTAGE_PER_MILLE // 10),
    "voltage_lower_limit": _voltage(causes.UNDER_VOLTAGE_PER_MILLE // 10),
    "voltage_unbalance_limit": _always(Decimal(causes.VOLTAGE_UNBALANCE_PERCENT)),
    "current_unbalance_limit": _always(Decimal(causes.CURRENT_UNBALANCE_PERCENT)),
    "severe_unbalance_limit": _always(Decimal(causes.SEVERE_UNBALANCE_PERCENT)),
    "power_factor_limit": _always(Decimal(causes.LOW_POWER_FACTOR_PERCENT) / _BY_PERCENT),
    "over_current_limit": lambda works, _profile, _at: (
        works.plate.max_current_a * OVER_CURRENT_PERCENT / _BY_PERCENT
    ).quantize(Decimal("0.1")),
    "overload_limit": _power_limit,
    "price": _price,
    "tariff_price": _price,
    "zone_entry@zone.1": _always("01-01 01"),
    **{
        f"{quantity}_distortion.{phase}": _distortion(quantity, phase)
        for quantity in ("voltage", "current")
        for phase in ("a", "b", "c")
    },
}
"""Items of one content. Delays of events are not among them: here an event begins with its cause."""
