"""``[alarms]``: when what was not read is somebody's business; the figures of section 4 of the rules."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Final

from pydantic import Field, model_validator

from meterlink.config.fault import Fault
from meterlink.config.table import DayTime, Table

DAYS_MAX: Final = 62
"""Longer than meters remember, nothing can be waited for."""
GAP_DAYS_MAX: Final = DAYS_MAX - 2
"""A gap has a freeze on either side, and both are looked for among what meters remember."""
SILENT_DAYS_MAX: Final = 366
"""A silence is told no longer: refusals are looked for as far back."""


class AlarmSettings(Table):
    """When a missing reading, an incomplete day or a silent meter raises an alarm."""

    freezes_by: DayTime = Field(
        "08:00",
        description="Time of the plant by which `freezes_percent` of an area's freezes of the day before "
        "should be valid (FRZ_LOW).",
    )
    freezes_percent: Decimal = Field(
        Decimal(98), ge=0, le=100, description="What should be valid by then, in %."
    )
    freezes_late_percent: Decimal = Field(
        Decimal("99.5"), ge=0, le=100, description="What should be valid when the day behind is over, in %."
    )
    gap_days: int = Field(
        3,
        ge=1,
        le=GAP_DAYS_MAX,
        description="Days for which a freeze between two others was sought in vain (FRZ_GAP).",
    )
    manual_read_days: int = Field(
        3,
        ge=1,
        le=DAYS_MAX,
        description="Days without the freeze that is billed, after which somebody goes and reads "
        "(MANUAL_READ).",
    )
    silent_days: int = Field(
        3,
        ge=1,
        le=SILENT_DAYS_MAX,
        description="Days without a word of a meter, until it is told (POINT_SILENT).",
    )
    silent_work_days: int = Field(7, ge=1, le=SILENT_DAYS_MAX, description="Until somebody is sent there.")
    silent_case_days: int = Field(
        30, ge=1, le=SILENT_DAYS_MAX, description="Until it is the case of a missing household."
    )

    @model_validator(mode="after")
    def _in_order(self) -> AlarmSettings:
        if not self.silent_days <= self.silent_work_days <= self.silent_case_days:
            raise Fault(
                "silent_days, silent_work_days and silent_case_days come in this order",
                "silent_days、silent_work_days 和 silent_case_days 须依次不减",
            )
        return self

    @property
    def freezes_time(self) -> time:
        """The time of the plant by which freezes should be there."""
        return time.fromisoformat(self.freezes_by)
