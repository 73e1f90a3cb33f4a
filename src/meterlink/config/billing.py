"""``[billing]``: when days are sealed for whoever bills, where, and in which formats."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from meterlink.config.fault import Fault
from meterlink.config.table import DayTime, Table

AREAS_MAX: Final = 10_000
"""Areas of one configuration."""
FileFormat = Literal["csv", "json", "xlsx", "parquet"]


def _once(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise Fault("each one once", "每个值只能出现一次")
    return values


class BillingSettings(Table):
    """When and where days are sealed. Without this table none is, unless `meterlink settle` does it."""

    folder: Path | None = Field(
        None, description="Where the sealed days lie. Default: `settlements` in the data directory."
    )
    seal_at: DayTime = Field(
        "08:00",
        description="Time of the plant at which the day before is sealed, whole or not, once a meter of the "
        "gateway has told its freeze; what comes later is sealed in a supplement, at this time of a later "
        "day.",
    )
    when_complete: bool = Field(
        True, description="Seal a day before that time, as soon as each meter in service has its freeze."
    )
    areas: Annotated[tuple[str, ...], AfterValidator(_once)] = Field(
        (), max_length=AREAS_MAX, description="Transformer areas whose days are sealed; none: all."
    )
    formats: Annotated[tuple[FileFormat, ...], AfterValidator(_once)] = Field(
        ("csv", "json"),
        min_length=1,
        description="csv, json, xlsx, parquet. The last two need `meterlink[export]`.",
    )

    @property
    def seal_time(self) -> time:
        """The time of the plant at which days are sealed."""
        return time.fromisoformat(self.seal_at)
