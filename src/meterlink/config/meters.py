"""``[[meters]]``: which meters there are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from meterlink.config.secret_ref import Secret
from meterlink.config.security import MeterSecurity
from meterlink.config.table import Name
from meterlink.errors import ConfigError
from meterlink.model.address import meter_address
from meterlink.model.protocols import DEFAULT_PROTOCOL, MeterProtocol

METERS_MAX = 20_000
"""A configuration with more is refused; one gateway is not meant for more."""

World = Literal["none", "remote", "local"]
"""Where a customer's money is: billed afterwards, in the head-end's account, or in the meter's wallet."""
ProtectedKind = Literal["hospital", "life_support", "water", "heating", "school", "social"]
"""Whom nobody cuts off. Source: CTRL-08."""


def _twelve_digits(text: str) -> str:
    if text and not (text.isascii() and text.isdecimal() and len(text) == 12):
        raise ValueError('write 12 digits in quotes, e.g. "000012345678"')
    return text


TwelveDigits = Annotated[str, AfterValidator(_twelve_digits)]


class MeterSettings(MeterSecurity):
    """One meter."""

    id: Name = Field(description="Our name of the meter; the key of its readings for ever.")
    address: str = Field(description='Communication address as on the nameplate, in quotes: "000000000161".')
    line: str = Field(description="Name of a [[lines]] entry, or a line's URL.")
    protocol: MeterProtocol = Field(
        DEFAULT_PROTOCOL, description="How it talks: dlt645-2007, dlt645-1997 or dlt698.45."
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
    customer: str = Field("", max_length=100, description="What people call the customer.")
    point_of_supply: str = Field(
        "", max_length=100, description="Where the customer is supplied: the address of the house."
    )
    area: str = Field("", max_length=64, description="Transformer area; limits on trips count by it.")
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

    @field_validator("address", "meter_number", "customer_number", mode="before")
    @classmethod
    def _quoted(cls, value: object) -> object:
        if isinstance(value, int):
            raise ValueError('write the digits in quotes ("000000000161"): a number loses its leading zeros')
        return value

    @field_validator("address")
    @classmethod
    def _digits(cls, value: str) -> str:
        try:
            return meter_address(value)
        except ConfigError as error:
            raise ValueError(str(error)) from None
