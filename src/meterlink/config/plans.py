"""``[[plans]]``: what is read again and again, and when."""

from __future__ import annotations

from datetime import date, time
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, model_validator

from meterlink.config.fault import Fault
from meterlink.config.table import Name, Table
from meterlink.model.data_classes import (
    CURVE,
    DAILY_FREEZE,
    EVENT,
    INSTANT,
    MONTHLY_FREEZE,
    STATUS,
    DataClass,
)

PLANS_MAX = 20
ITEMS_MAX = 50
"""A configuration with more plans, or a plan with more items, is refused."""
CURVE_PERIODS_S: Final = (900, 3_600)
"""Intervals of the curves that meters keep, in seconds."""
EVENTS_EVERY_S_MIN: Final = 300
"""Meters are not looked through for events more often: a look takes dozens of exchanges of DL/T 645."""
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DEFAULTS_OF_CLASS: dict[DataClass, dict[str, object]] = {
    DAILY_FREEZE: {"name": DAILY_FREEZE, "every_s": 900, "items": ("forward_active_energy.*",)},
    MONTHLY_FREEZE: {"name": MONTHLY_FREEZE, "every_s": 3_600, "items": ("forward_active_energy.*",)},
    STATUS: {"name": STATUS, "every_s": 900, "items": ("meter_status_words",)},
    EVENT: {"name": EVENT, "every_s": 3_600, "items": ("*",), "tries": 5},
    CURVE: {"name": CURVE, "every_s": 900, "items": ("active_power",), "gather_s": 3_600},
}
"""Where a class has others than ``instant``; a quarter of an hour is the rhythm of concentrators."""


def _window(text: str) -> str:
    window_of(text)
    return text


def window_of(text: str) -> tuple[time, time]:
    """The two times of day of a window.

    Raises:
        ValueError: it is written otherwise, or has no length.

    """
    try:
        opens, closes = (time.fromisoformat(part) for part in text.split("-"))
    except ValueError:
        raise Fault(
            'write two times of day, e.g. "01:00-06:00"', '请写一天中的两个时刻,例如 "01:00-06:00"'
        ) from None
    if opens == closes or opens.tzinfo or closes.tzinfo:
        raise Fault(
            "a window lies between two times of day; leave the key out for the whole day",
            "时段的两个时刻不能相同;全天抄读请省略该键",
        )
    return opens, closes


def _day(given: int | str) -> int | str:
    if given in WEEKDAYS or (isinstance(given, int) and 1 <= given <= 31):
        return given
    names = ", ".join(WEEKDAYS)
    raise Fault(
        f"a day is one of {names}, or a day of the month, 1 to 31",
        f"日期须为 {names} 之一(星期一至星期日),或每月的 1 至 31 日",
    )


class PlanSettings(Table):
    """What is read again and again."""

    name: Name = Field(INSTANT, description="What people call it. Default: the class.")
    data_class: DataClass = Field(
        INSTANT,
        alias="class",
        description="instant: values of the moment. status: words of state, bit by bit. event: what the "
        "meter has recorded of events, once each. daily_freeze: what the meter froze when its day "
        "began. monthly_freeze: its settlement of a month. curve: what it stored each `every_s`.",
    )
    every_s: int = Field(
        60,
        ge=1,
        le=86_400,
        description="Slots begin at multiples of this, counted from midnight UTC; of a curve, 900 or 3600. "
        "daily_freeze, monthly_freeze: how often meters are asked for what is missing, by default each 900 "
        "and 3600. Defaults: status 900; event 3600, at least 300.",
    )
    items: tuple[str, ...] = Field(
        ("forward_active_energy", "voltage.*", "current.*", "active_power"),
        min_length=1,
        max_length=ITEMS_MAX,
        description="Items of the catalogue (`meterlink items`); `.*` asks for the whole block. Freezes: "
        'written the same way, by default `["forward_active_energy.*"]`; curve: `["active_power"]`; status: '
        '`["meter_status_words"]`. Events: kinds (`power_down`, `voltage_loss`, `voltage_loss.a`), by '
        'default all that the meters count: `["*"]`.',
    )
    tries: int = Field(
        2,
        ge=1,
        le=5,
        description="How often a silent meter is asked before it is put aside for a while. "
        "Default of event: 5.",
    )
    gather_s: int = Field(
        0,
        ge=0,
        le=86_400,
        description="curve: slots wait for the next multiple of this, so that one request brings several. "
        "Default: 3600.",
    )
    window: Annotated[str, AfterValidator(_window)] | None = Field(
        None,
        description='Time of day in which meters are asked, by the clock of the plant: "01:00-06:00"; may '
        "pass midnight. Default: the whole day.",
    )
    spread_s: int | None = Field(
        None,
        ge=0,
        le=86_400,
        description="Meters are asked one after the other over this time, in an order that stays the same. "
        "Default: half of the window, 0 without one.",
    )
    days: tuple[Annotated[int | str, AfterValidator(_day)], ...] = Field(
        (),
        max_length=38,
        description='Days whose slots are read: "mon" to "sun", and days of the month. Default: every day. '
        "A freeze belongs here to the day at whose beginning it is taken.",
    )
    since: date | None = Field(None, alias="from", description="First day whose slots are read.")
    until: date | None = Field(None, description="Last day whose slots are read.")
    settlement_day: int | None = Field(
        None,
        ge=1,
        le=28,
        description="monthly_freeze: day of the month at whose beginning all meters settle, whatever their "
        "`reading_day`. Default: each on its own `reading_day`, as SCH-02 has it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_class(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        wanted = given.get("class")
        own = [values for name, values in _DEFAULTS_OF_CLASS.items() if name == wanted]
        return {**own[0], **given} if own else given

    @model_validator(mode="after")
    def _of_its_class(self) -> PlanSettings:
        if self.data_class == CURVE and self.every_s not in CURVE_PERIODS_S:
            raise Fault(
                "every_s of a curve is 900 or 3600: the intervals that meters keep",
                "负荷曲线的 every_s 须为 900 或 3600,即电表记录曲线的间隔",
            )
        if self.data_class == EVENT and self.every_s < EVENTS_EVERY_S_MIN:
            raise Fault(
                f"every_s of a plan of events is {EVENTS_EVERY_S_MIN} or more",
                f"事件计划的 every_s 不能小于 {EVENTS_EVERY_S_MIN}",
            )
        if self.data_class != CURVE and self.gather_s:
            raise Fault(
                "gather_s is for curves: other slots do not wait for each other",
                "gather_s 仅用于负荷曲线:其他数据不必等齐再读",
            )
        if self.since and self.until and self.until < self.since:
            raise Fault("until lies before from: no day is left", "until 早于 from:没有可抄读的日期")
        return self
