"""The parameters of a meter that can be written and that something hangs on, and who guards them.

One row a parameter: its item, what guards it (the MAC of level 99H, the cipher of level 98H, or a password),
how it is read, and how it is set.
Source: control-and-prepayment, 1.5 and 2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from metersim.works.account import TARIFFS, Account, AccountLimits
from metersim.works.moments import PLANT_TIME
from metersim.works.switch import Switch
from metersim.works.works import Works
from meterwire.item_value import Content

Guard = Literal["password", "mac", "cipher"]
"""What it takes to write it; of a parameter that a password guards either of the others will do, too."""

_CENT: Final = Decimal("0.01")
_MINUTE: Final = timedelta(minutes=1)
_DIGITS: Final = 12

_LIMITS: Final[dict[str, tuple[str, Guard]]] = {
    "alarm_money_1": ("alarm_1", "mac"),
    "alarm_money_2": ("alarm_2", "mac"),
    "overdraft_money_limit": ("overdraft", "cipher"),
    "hoarding_money_limit": ("hoarding", "cipher"),
    "close_permit_money": ("permit_close", "cipher"),
}
_CLOCK: Final[dict[str, str]] = {
    "meter_date": "%Y-%m-%d w0%w",
    "meter_time": "%H:%M:%S",
    "meter_clock": "%Y-%m-%d w0%w %H:%M:%S",
}
"""What of the clock an item shows; 0 is Sunday."""
_SWITCH: Final = ("trip_delay", "trip_current", "trip_wait")
_PRICES: Final = tuple(f"tariff_price_setting.t{tariff}@set.1" for tariff in range(1, TARIFFS + 1))

ITEMS: Final = frozenset({*_LIMITS, *_CLOCK, *_SWITCH, *_PRICES, "customer_number"})
"""Every item that is a parameter of some meter here."""


class Parameter(NamedTuple):
    """One parameter.

    Args:
        guard: what it takes to write it.
        read: its content at a time.
        write: sets it at a time; ``ValueError``: the meter does not take that.

    """

    guard: Guard
    read: Callable[[datetime], Content]
    write: Callable[[Content, datetime], None]


def parameters_of(works: Works) -> dict[str, Parameter]:
    """Every parameter of a meter, by its item.

    Args:
        works: the meter's.

    """
    found = dict(_of_clock(works))
    if works.switch.character.has_relay:
        found |= dict(_of_switch(works.switch))
    if works.account is not None:
        found |= dict(_of_limits(works.account)) | dict(_of_prices(works.account))
    found["customer_number"] = _customer(works.account, works.plate.customer_number)
    return found


def _of_switch(switch: Switch) -> Iterable[tuple[str, Parameter]]:
    def minutes(name: str) -> Parameter:
        def write(content: Content, _: datetime) -> None:
            setattr(switch, name, timedelta(minutes=int(_number(content))))

        return Parameter("cipher", lambda _: Decimal(getattr(switch, name) // _MINUTE), write)

    def set_current(content: Content, _: datetime) -> None:
        switch.trip_current_a = _number(content)

    current = Parameter("cipher", lambda _: switch.trip_current_a, set_current)
    return zip(_SWITCH, (minutes("trip_delay"), current, minutes("trip_wait")), strict=True)


def _of_limits(account: Account) -> Iterable[tuple[str, Parameter]]:
    def limit(name: str, guard: Guard) -> Parameter:
        def write(content: Content, at: datetime) -> None:
            changed: AccountLimits = replace(account.limits, **{name: int(_number(content) / _CENT)})
            account.set_limits(changed, at)

        return Parameter(guard, lambda _: getattr(account.limits, name) * _CENT, write)

    return ((item, limit(*row)) for item, row in _LIMITS.items())


def _of_prices(account: Account) -> Iterable[tuple[str, Parameter]]:
    def price(tariff: int) -> Parameter:
        def write(content: Content, at: datetime) -> None:
            prices = list(account.prices)
            prices[tariff - 1] = _number(content)
            account.set_prices(prices, at)

        return Parameter("mac", lambda _: account.prices[tariff - 1], write)

    return ((item, price(tariff)) for tariff, item in enumerate(_PRICES, start=1))


def _customer(account: Account | None, customer_number: str) -> Parameter:
    kept = [customer_number]

    def write(content: Content, _: datetime) -> None:
        if not isinstance(content, str) or len(content) != _DIGITS or not content.isdecimal():
            raise ValueError(f"a customer number has {_DIGITS} digits")
        kept[0] = content
        if account is not None:
            account.customer_number = content

    return Parameter("mac", lambda _: account.customer_number if account is not None else kept[0], write)


def _of_clock(works: Works) -> Iterable[tuple[str, Parameter]]:
    def part(item: str, pattern: str) -> Parameter:
        def write(content: Content, at: datetime) -> None:
            shown = works.clock.shows(at)
            given = datetime.strptime(str(content), pattern).replace(tzinfo=PLANT_TIME)
            day = shown if item == "meter_time" else given
            moment = shown if item == "meter_date" else given
            works.clock.set(datetime.combine(day.date(), moment.time(), PLANT_TIME), at)

        return Parameter("password", lambda at: works.clock.shows(at).strftime(pattern), write)

    return ((item, part(item, pattern)) for item, pattern in _CLOCK.items())


def _number(content: Content) -> Decimal:
    """The number in a content.

    Raises:
        ValueError: it is none.

    """
    if not isinstance(content, Decimal):
        raise ValueError("it holds no number")
    return content
