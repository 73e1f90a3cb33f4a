"""What answers look like, for the OpenAPI; the answers themselves are written without these."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

Quality = Literal["valid", "suspect", "rejected"]
Number = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", description="a decimal, exact")]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Date = Annotated[str, Field(json_schema_extra={"format": "date"})]


class RegisterView(BaseModel):
    """What one register showed."""

    item: str
    value: Number | None = Field(description="as the meter showed it; null: `marks` says why")
    unit: str
    multiplied: Number | None = Field(description="the value times `multiplier`")
    quality: Quality
    marks: list[str]


class FreezeView(BaseModel):
    """One freeze: a row of the gateway's log."""

    seq: int = Field(description="place in the log; never given twice")
    supersedes: int | None = Field(description="`seq` of the newest earlier row of one of these registers")
    meter: str
    meter_number: str
    customer_number: str
    area: str
    day: Date = Field(description="the day that ended at the freeze")
    frozen_at: Time
    multiplier: Number
    quality: Quality
    source: Literal["read", "backfill"]
    taken_at: Time
    kept_at: Time
    route: str
    registers: list[RegisterView]


class FreezePage(BaseModel):
    """Some freezes."""

    freezes: list[FreezeView]
    cursor: str = Field(description="where they end: ask with it for what comes behind")
    more: bool = Field(description="whether there are more already")
