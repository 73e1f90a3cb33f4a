"""``[[lines]] carrier = {...}``: a carrier module of Q/GDW 1376.2 that hangs on a line of ours."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, field_validator

from meterlink.config.fault import Fault
from meterlink.config.table import Table
from meterlink.errors import ConfigError
from meterlink.model.address import meter_address

WINDOW_MAX: Final = 20
"""Most meters that are read at once through one module. Source: field practice, section 5."""
READ_TIMEOUT_MIN_S: Final = 12
"""A module says after 10 to 12 s that a meter is silent; who gives up earlier asks it twice."""
READ_TIMEOUT_MAX_S: Final = 100
"""Longest wait for one meter behind a module. Source: spec gdw1376, A15."""

LANES_LED: Final = 4_096
"""Lanes of a module that leads, so that hardly two meters share one: all that is due waits for it at once."""
ReadBy = Literal["auto", "F1-F1", "13-F1", "02-F1", "14-F1"]
"""How meters are read: as the module can, or by one function of it."""
MODULE_LEADS: Final = "14-F1"
"""The module says whose turn it is."""


class CarrierSettings(Table):
    """The module of one line; ``{}`` is a module of which everything is found out."""

    main_node: str | None = Field(
        None,
        description="Address of the main node, 12 digits, by custom the concentrator's own; it is written "
        "into a module that has another. Default: what the module has.",
    )
    read_by: ReadBy = Field(
        "auto",
        description="How meters are read: auto (F1-F1 where the module has it, else 13-F1, else 02-F1), "
        "or one of F1-F1, 13-F1, 02-F1; 14-F1: the module leads, says whose turn it is and reports.",
    )
    window: int = Field(
        WINDOW_MAX,
        ge=1,
        le=WINDOW_MAX,
        description="Most meters read at once by F1-F1; the module's own limit is found below it.",
    )
    read_timeout_s: int = Field(
        30,
        ge=READ_TIMEOUT_MIN_S,
        le=READ_TIMEOUT_MAX_S,
        description="Wait for a meter of which nothing is known yet; then what it takes is learned.",
    )
    dlt698_code: Literal[0, 3] = Field(
        3, description="Protocol octet for meters of dlt698.45; modules of one large vendor want 0."
    )
    strangers: Literal["keep", "remove"] = Field(
        "keep",
        description="What becomes of nodes that the module knows and the roster does not: kept and shown, or "
        "removed from the module.",
    )
    reports: bool = Field(True, description="Whether meters may report events through the module.")

    @property
    def lanes(self) -> int:
        """How many meters may have something under way at once."""
        return LANES_LED if self.read_by == MODULE_LEADS else self.window

    @field_validator("main_node")
    @classmethod
    def _digits(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            return meter_address(value)
        except ConfigError as error:
            raise Fault.of(error) from None
