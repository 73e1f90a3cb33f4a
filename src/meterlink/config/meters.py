"""``[[meters]]``: which meters there are; the same entries stand in the journal (see docs/roster.md)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator

from meterlink.config.fault import Fault
from meterlink.config.secret_ref import Secret
from meterlink.config.security import MeterSecurity
from meterlink.config.table import Name
from meterlink.errors import ConfigError
from meterlink.model.address import meter_address
from meterlink.model.protocols import DEFAULT_PROTOCOL, MeterProtocol

METERS_MAX: Final = 100_000
"""Meters in service at one gateway; a configuration or a roster with more is refused."""
READING_DAY_MAX: Final = 28
"""The last day that every month has. Source: SCH-01."""
RATIO_MAX: Final = 100_000
"""Greatest ratio of a transformer; a greater one is a typing error."""
RATIO_PLACES: Final = 6
"""Decimal places of a ratio."""

World = Literal["none", "remote", "local"]
"""Where a customer's money is: billed afterwards, in the head-end's account, or in the meter's wallet."""
ProtectedKind = Literal["hospital", "life_support", "water", "heating", "school", "social"]
"""Whom nobody cuts off. Source: CTRL-08."""


def _twelve_digits(text: str) -> str:
    if text and not (text.isascii() and text.isdecimal() and len(text) == 12):
        raise Fault(
            'write 12 digits in quotes, e.g. "000012345678"', '请在引号内写 12 位数字,例如 "000012345678"'
        )
    return text


CUSTOMER_WAS_MAX: Final = 8
"""Earlier numbers of one customer that are kept; one more drops the oldest."""
TwelveDigits = Annotated[str, AfterValidator(_twelve_digits)]


def _plain(ratio: Decimal) -> Decimal:
    """One way of writing a number, so that 30 and 30.0 are no difference."""
    return Decimal(format(ratio.normalize(), "f"))


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise Fault(
            "a time needs a zone, e.g. 2026-11-22T00:00:00+08:00",
            "时间须带时区,例如 2026-11-22T00:00:00+08:00",
        )
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise Fault(
            f"{moment.isoformat()} is no time in UTC: the years are 1 to 9999",
            f"{moment.isoformat()} 无法换算为 UTC:年份为 1 至 9999",
        ) from None


Ratio = Annotated[Decimal, AfterValidator(_plain)]
Moment = Annotated[datetime, AfterValidator(_utc)]


class MeterSettings(MeterSecurity):
    """One meter."""

    id: Name = Field(description="Our name of the meter; the key of its readings for ever.")
    address: str = Field(description='Communication address as on the nameplate, in quotes: "000000000161".')
    line: str = Field(description="Name of a [[lines]] entry, or a line's URL.")
    protocol: MeterProtocol = Field(
        DEFAULT_PROTOCOL,
        description="How it talks: dlt645-2007, dlt645-1997, dlt698.45, modbus-rtu or modbus-tcp; for Modbus "
        "the address is the unit, and the model says which map of registers.",
    )
    model: str = Field(
        "",
        max_length=64,
        description="As on the nameplate; the profile whose pattern it fits says how it differs.",
    )
    password: Secret | None = Field(
        None,
        description="By reference: file:/path or env:NAME. For meters of dlt698.45 whose profile says "
        "`connect: password`.",
    )
    firmware: str = Field(
        "", max_length=64, description="Version of its firmware; model and firmware are qualified together."
    )
    meter_number: TwelveDigits = Field(
        "",
        description="12 digits, as in the file of customers; often, not always, the address. Without it no "
        "order goes to the meter; no two meters have the same.",
    )
    customer_number: TwelveDigits = Field(
        "", description="12 digits: whose meter it is. Without it no order goes."
    )
    customer_was: tuple[TwelveDigits, ...] = Field(
        (),
        max_length=CUSTOMER_WAS_MAX,
        description="Numbers under which the same customer was known before, because they had been written "
        "down wrongly; `roster apply --correct-numbers` notes them. What protects him and what he paid "
        "under them is his.",
    )
    customer: str = Field("", max_length=100, description="What people call the customer.")
    point_of_supply: str = Field(
        "", max_length=100, description="Where the customer is supplied: the address of the house."
    )
    area: str = Field("", max_length=64, description="Transformer area; limits on trips count by it.")
    phases: Literal[1, 3] | None = Field(None, description="1 or 3; unsaid: unknown.")
    ct: Ratio = Field(
        Decimal(1),
        gt=0,
        le=RATIO_MAX,
        decimal_places=RATIO_PLACES,
        description="Ratio of the current transformer: 30 for 150/5 A; 1: direct connection.",
    )
    pt: Ratio = Field(
        Decimal(1),
        gt=0,
        le=RATIO_MAX,
        decimal_places=RATIO_PLACES,
        description="Ratio of the voltage transformer: 100 for 10 kV/100 V; 1: none.",
    )
    reading_day: int = Field(
        1,
        ge=1,
        le=READING_DAY_MAX,
        description="Day of the month whose freeze of 00:00 is billed (SCH-01), and on which the meter "
        "settles (SCH-02): what a plan of class `monthly_freeze` reads.",
    )
    cost_control: World | None = Field(
        None,
        description="Where the money is. none: billed afterwards; remote: in the head-end's account; local: "
        "in the meter. Default: what the profile says; `remote` also where the profile says none.",
    )
    agreement: str = Field(
        "",
        max_length=97,
        description="Id of the agreement of prepayment, SENDER:ID; empty: billed afterwards.",
    )
    protected: tuple[ProtectedKind, ...] = Field(
        (), max_length=6, description="Why nobody may cut this customer off; empty: nothing forbids it."
    )
    important: bool = Field(False, description="An important customer: a notice is filed with the authority.")
    residential: bool = Field(True, description="A household: longer notice.")
    motor_load: bool | None = Field(
        None, description="Whether machines start by themselves when current returns; unsaid: unknown."
    )
    opening_limit_a: int | None = Field(
        None,
        ge=1,
        le=1_000,
        description="Amperes above which its contact must not open; the meter may tell less. Default: what "
        "the meter tells, else 60, but only for direct connection.",
    )
    pending_replacement: bool = Field(False, description="About to be replaced, or just was: no order goes.")
    in_service_since: Moment | None = Field(
        None, description="When it was put in; unsaid: always. A time with its zone."
    )
    in_service_until: Moment | None = Field(
        None, description="When it was taken out: from then on it is not read. A time with its zone."
    )
    replaces: Name | None = Field(None, description="Id of the meter that stood in its place before.")

    @field_validator("address", "meter_number", "customer_number", mode="before")
    @classmethod
    def _quoted(cls, value: object) -> object:
        if isinstance(value, int):
            raise Fault(
                'write the digits in quotes ("000000000161"): a number loses its leading zeros',
                '请将数字写在引号内("000000000161"):不加引号会丢失前面的 0',
            )
        return value

    @field_validator("address")
    @classmethod
    def _digits(cls, value: str) -> str:
        try:
            return meter_address(value)
        except ConfigError as error:
            raise Fault.of(error) from None

    def in_service(self, at: datetime) -> bool:
        """Whether it stands at the customer's at a time.

        Args:
            at: aware.

        """
        is_in = self.in_service_since is None or self.in_service_since <= at
        return is_in and (self.in_service_until is None or at < self.in_service_until)
