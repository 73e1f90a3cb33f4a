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
    route: str = Field(
        description="by which way it came: the line, or what it leads to; several with ` + ` between them"
    )
    registers: list[RegisterView]


class FreezePage(BaseModel):
    """Some freezes."""

    freezes: list[FreezeView]
    cursor: str = Field(description="where they end: ask with it for what comes behind")
    more: bool = Field(description="whether there are more already")


class PartView(BaseModel):
    """What one meter counted."""

    meter: str
    counted: Number = Field(description="by its register")
    multiplier: Number


class LackView(BaseModel):
    """Why there is no amount."""

    reason: str
    meter: str
    en: str
    zh: str


class EstimateView(BaseModel):
    """What is expected of a day; no reading, and in no amount."""

    kind: Literal["estimated"]
    day: Date
    version: int = Field(description="1 is the first of this day")
    amount: Number = Field(description="multiplied, in the unit of the register")
    basis: list[Date] = Field(description="the days whose consumption it is the median of")
    at: Time
    actor: str


class ConsumptionView(BaseModel):
    """What a customer consumed."""

    meter: str = Field(description="that stood there at the end")
    place: list[str] = Field(
        description="all meters that ever stood there, oldest first: this row is for all of them"
    )
    meter_number: str
    customer_number: str
    area: str
    first: Date = Field(alias="from")
    last: Date = Field(alias="to")
    item: str
    kind: Literal["measured", "missing"]
    amount: Number | None = Field(description="multiplied, in the unit of the register")
    quality: Quality | None
    marks: list[str] = Field(description="of all readings that it was made of")
    lack: LackView | None
    parts: list[PartView]
    seqs: list[int] = Field(description="the freezes that it was made of")
    estimates: list[EstimateView] | None = Field(
        None, description="with `estimates=true`: those of days of the span that stand, beside the amount"
    )


class ConsumptionPage(BaseModel):
    """Consumption of some meters."""

    consumption: list[ConsumptionView]
    gone: list[str] = Field(
        description="with `since`: meters in whose place there is no row any more; drop what you have of them"
    )
    cursor: str
    more: bool
    as_of: str = Field(description="ask with `since` for what has become another behind it")


class FileView(BaseModel):
    """One file of a sealed day."""

    name: str
    rows: int
    octets: int
    sha256: str


class CountsView(BaseModel):
    """How many meters stand how."""

    in_service: int
    with_freeze: int
    valid: int
    suspect: int
    rejected: int
    missing: int
    beside: int


class SealedView(BaseModel):
    """One seal, or one supplement."""

    format: int
    gateway: str
    day: Date
    area: str
    kind: Literal["seal", "supplement"]
    number: int
    sealed_at: Time
    from_seq: int
    to_seq: int
    origin: str = Field("", description="of the row `to_seq`; seals of format 1 have none")
    cursor: str = Field(description="of `daily_freeze`: what comes behind it is not in it")
    freezes: int
    counts: CountsView
    shares: dict[str, Number | None]
    files: list[FileView]
    before: str = Field(description="SHA-256 of the manifest before it; empty: it is the seal")
    manifest_sha256: str


class SealedDay(BaseModel):
    """What is sealed of a day."""

    day: Date
    sealed: list[SealedView]


class SealedActView(BaseModel):
    """That a seal or supplement was made."""

    day: Date
    area: str
    number: int
    kind: Literal["seal", "supplement"]
    at: Time = Field(description="when it was bound into the chain")
    freezes: int = Field(description="that are in it")
    in_service: int = Field(description="meters, at the end of the day")
    missing: int = Field(description="of those, without a freeze, with this seal or supplement")
    manifest_sha256: str


class SealedDays(BaseModel):
    """What was sealed, in the order in which it was."""

    days: list[Date] = Field(description="those of `sealed`, each once, oldest first")
    sealed: list[SealedActView]
    cursor: str = Field(description="where they end: ask with it for what was sealed since")
    more: bool = Field(description="whether there are more already")


class TallyView(BaseModel):
    """Counts of slots."""

    due: int
    kept: int
    on_time: int
    lacking: int = Field(
        description="of those that are kept: without items of which the meter says that it has no such data"
    )
    missing: int
    refused: int
    lost: int
    waived: int
    success_rate: float | None
    completeness: float | None
    reasons: dict[str, int]


class TallyRow(TallyView):
    """The same of one meter, line, area or class."""

    name: str


class FreezeValidView(BaseModel):
    """How many meters have a valid daily freeze of the day (FRZ-01)."""

    in_service: int = Field(description="at the end of the day")
    valid: int = Field(description="of those, with a freeze of the day with nothing doubtful about it")
    rate: float | None = Field(description="`valid` of `in_service`; null: none is in service")


class CompletenessPage(BaseModel):
    """How complete a day is."""

    day: Date
    area: str | None = Field(description="of the question; null: all")
    by: Literal["meter", "line", "area", "class"]
    total: TallyView
    freeze_valid: FreezeValidView
    rows: list[TallyRow]
    cursor: str
    more: bool
