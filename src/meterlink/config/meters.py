"""``[[meters]]``: which meters there are."""

from __future__ import annotations

from pydantic import Field, field_validator

from meterlink.config.secret_ref import Secret
from meterlink.config.security import MeterSecurity
from meterlink.config.table import Name
from meterlink.errors import ConfigError
from meterlink.model.address import meter_address
from meterlink.model.protocols import DEFAULT_PROTOCOL, MeterProtocol

METERS_MAX = 20_000
"""A configuration with more is refused; one gateway is not meant for more."""


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

    @field_validator("address", mode="before")
    @classmethod
    def _quoted(cls, value: object) -> object:
        if isinstance(value, int):
            raise ValueError('write the address in quotes ("000000000161"): a number loses its leading zeros')
        return value

    @field_validator("address")
    @classmethod
    def _digits(cls, value: str) -> str:
        try:
            return meter_address(value)
        except ConfigError as error:
            raise ValueError(str(error)) from None
