"""``terminal = {...}`` of a line: how a concentrator of DL/T 698.45 is asked for the meters behind it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from meterlink.config.fault import Fault
from meterlink.config.table import Table

Way698 = Literal["store", "proxy", "forward"]
"""Ways to a meter behind a concentrator: its own store, the meter through it, frames of the meter."""

METER_TIMEOUT_MAX_S = 110
"""With its margin a longer one would leave little of the time that one exchange may take."""


def _once(ways: tuple[Way698, ...]) -> tuple[Way698, ...]:
    if not ways or len(set(ways)) < len(ways):
        raise Fault(
            'name at least one of "store", "proxy", "forward", and each once',
            '至少须写 "store"、"proxy"、"forward" 之一,且各不重复',
        )
    return ways


class Terminal698Settings(Table):
    """What of a concentrator is not as usual."""

    kind: Literal["dlt698.45"] = Field("dlt698.45", description="DL/T 698.45 only: the url says it.")
    ways: Annotated[tuple[Way698, ...], AfterValidator(_once)] = Field(
        ("store", "proxy", "forward"),
        description="DL/T 698.45 only: the ways to a meter behind it that it offers.",
    )
    meter_timeout_s: int = Field(
        30,
        ge=1,
        le=METER_TIMEOUT_MAX_S,
        description="DL/T 698.45 only: how long it waits for one meter; we wait 10 s longer.",
    )
    store_wait_min: int = Field(
        30,
        ge=0,
        le=1_440,
        description="DL/T 698.45 only: so long after midnight a freeze that its store lacks is not asked of "
        "the meter: the terminal is about to read it.",
    )
    port: str = Field(
        "F2090201",
        pattern="^[0-9A-Fa-f]{8}$",
        description="DL/T 698.45 only: the port to which frames of meters are forwarded: F2090201 is the "
        "carrier, F2010201 the first RS-485.",
    )
