"""``[control]``: what orders may do here; without this table no order leaves the gateway.

Every limit stands at the value of the rules, and can only be moved to the safe side of it.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from meterlink.config.fault import Fault
from meterlink.config.table import Table

SEASONS_MAX = 12
"""A configuration with more seasons is refused."""


def _operator_code(text: str) -> str:
    if not (text.isascii() and text.isdecimal() and len(text) == 8 and text != "00000000"):
        raise Fault(
            'write 8 digits in quotes, not all 0, e.g. "20261122": meters keep 00000000 for themselves',
            '操作者代码须为引号内的 8 位数字,不能全为 0,例如 "20261122":00000000 由电表自用',
        )
    return text


def _day_of_year(text: str) -> str:
    month, _, day = text.partition("-")
    days = {"02": 29, "04": 30, "06": 30, "09": 30, "11": 30}
    known = len(text) == 5 and text.isascii() and month.isdecimal() and day.isdecimal()
    if not known or not 1 <= int(month) <= 12 or not 1 <= int(day) <= days.get(month, 31):
        raise Fault('write month and day, e.g. "11-15"', '请写月和日,例如 "11-15"')
    return text


DayOfYear = Annotated[str, AfterValidator(_day_of_year)]


SeasonalKind = Literal["heating", "school"]
"""Protected kinds of which the rule knows a season; the others are protected all year. Source: CTRL-08."""


class SeasonSettings(Table):
    """When a kind of protected customer is protected; a kind without a season always is."""

    kind: SeasonalKind = Field(description="Which kind; all others are protected all year.")
    first: DayOfYear = Field(description='First day, month and day: "11-15".')
    last: DayOfYear = Field(description='Last day; before the first: the season spans the new year. "03-15".')


class ControlSettings(Table):
    """What orders may do here; without this table no order leaves the gateway."""

    people: Path = Field(description="TOML file that says who may be what (`[[people]]`).")
    holidays: Path | None = Field(
        None, description="TOML file of public holidays; without it, and outside its dates, no trip goes."
    )
    operator_code: Annotated[str, AfterValidator(_operator_code)] = Field(
        description="8 digits that meters keep in their records of trips and closings: who it was."
    )
    seasons: tuple[SeasonSettings, ...] = Field(
        (),
        max_length=SEASONS_MAX,
        description="When `heating` and `school` are protected: `[[control.seasons]]` with `kind`, `first` "
        'and `last` (month and day, "11-15"). Without a season they always are; every other kind always is.',
    )

    warning_attempts: int = Field(
        2, ge=2, le=10, description="Warnings on different days before a notice (CTRL-03)."
    )
    notice_days_residential: int = Field(7, ge=7, le=30, description="Notice of a household (CTRL-04).")
    notice_days_other: int = Field(3, ge=3, le=30, description="Notice of everybody else (CTRL-04).")
    notice_age_max_days: int = Field(
        30, ge=7, le=30, description="An older notice is served again (CTRL-04)."
    )
    arrears_days: int = Field(
        30, ge=30, le=3650, description="Billed afterwards: a debt must be older than this (CTRL-05)."
    )
    final_notice_minutes: int = Field(
        30, ge=30, le=1440, description="From the last notice of a household to the trip (CTRL-06)."
    )
    final_notice_minutes_other: int = Field(
        30, ge=30, le=1440, description="The same of everybody else; 60 where the local rule says so."
    )
    window_hours: int = Field(
        4, ge=1, le=4, description="From the last notice to the end of its window (CTRL-06)."
    )
    calm_from_hour: int = Field(17, ge=9, le=17, description="No trip from this hour on (CTRL-09).")
    calm_until_hour: int = Field(8, ge=8, le=16, description="No trip before this hour (CTRL-09).")
    approval_hours: int = Field(8, ge=1, le=8, description="How long an approval lasts.")
    field_hours: int = Field(
        4, ge=1, le=4, description="How long field staff may use an authorisation (AUD-01)."
    )
    evidence_age_max_hours: int = Field(48, ge=1, le=48, description="An older balance counts as absent.")
    reading_age_max_hours: int = Field(
        48, ge=1, le=48, description="Since the last successful reading (CTRL-12)."
    )
    clock_error_max_s: int = Field(120, ge=1, le=120, description="Of a meter's clock (CTRL-13).")
    opening_limit_a: int = Field(
        60, ge=1, le=60, description="Current of direct meters that do not tell (CTRL-14)."
    )
    top_up_max_cents: int = Field(1_000_000, ge=1, le=1_000_000, description="One top-up (TOP-02).")

    trips_per_meter_day: int = Field(1, ge=0, le=1, description="Trips of one meter in 24 hours.")
    trips_per_line_10_min: int = Field(20, ge=0, le=20, description="Trips on one line in 10 minutes.")
    trips_per_area_hour_percent: Decimal = Field(
        Decimal("0.5"),
        ge=0,
        le=Decimal("0.5"),
        description="Meters of an area in an hour, rounded up; 0: none.",
    )
    trips_per_area_day_percent: Decimal = Field(
        Decimal(2), ge=0, le=Decimal(2), description="Meters of an area in 24 hours, rounded up; 0: none."
    )
    policy_trips_per_area_day: int = Field(
        200, ge=0, le=200, description="Trips of an area in 24 hours that no person approved (CTRL-10)."
    )
    brake_percent: int = Field(
        5, ge=0, le=5, description="A batch with more failures than this stops (CTRL-24)."
    )
    brake_failures_min: int = Field(5, ge=1, le=5, description="Fewer failures never stop a batch (CTRL-24).")

    @model_validator(mode="after")
    def _hours(self) -> ControlSettings:
        if self.calm_until_hour >= self.calm_from_hour:
            raise Fault(
                "calm_until_hour must be before calm_from_hour, or no hour is left for a trip",
                "calm_until_hour 须早于 calm_from_hour,否则没有可以拉闸的时段",
            )
        if self.notice_age_max_days < max(self.notice_days_residential, self.notice_days_other):
            raise Fault(
                "notice_age_max_days must not be shorter than a notice",
                "notice_age_max_days 不能短于停电通知的期限",
            )
        return self
