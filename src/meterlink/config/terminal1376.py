"""``terminal = {...}`` of a line: what of a concentrator of Q/GDW 1376.1 is not as usual."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from meterlink.config.secret_ref import Secret
from meterlink.config.table import Table


class Terminal1376Settings(Table):
    """What of a concentrator is not as usual."""

    kind: Literal["gdw1376.1"] = Field("gdw1376.1", description="Q/GDW 1376.1 only: the url says it.")
    password: Secret | None = Field(
        None,
        description="Q/GDW 1376.1 only: where its PW stands, 32 hexadecimal digits. Default: zeros, as in "
        "terminals without authentication.",
    )
    wide: bool = Field(
        False,
        description="Q/GDW 1376.1 only: its addresses have seven octets; its area may then have six "
        "digits, and its number be up to 16777215.",
    )
    master: int = Field(1, ge=0, le=127, description="Q/GDW 1376.1 only: our number as a master (MSA).")
    heartbeat_min: int = Field(
        15,
        ge=1,
        le=255,
        description="Q/GDW 1376.1 only: minutes between its heartbeats; silent for two "
        "periods and a minute, it is taken for gone.",
    )
    time_tag_min: int | None = Field(
        None,
        ge=0,
        le=255,
        description="Q/GDW 1376.1 only: requests bear a time tag that allows so many minutes of delay, 0 for "
        "any. Default: none.",
    )
    port: int | None = Field(
        None,
        ge=1,
        le=31,
        description="Q/GDW 1376.1 only: the port to which frames of meters are forwarded. Default: as its "
        "archive says of the meter, else 31, the carrier.",
    )
    baud: Literal[300, 600, 1200, 2400, 4800, 7200, 9600, 19200] | None = Field(
        None, description="Q/GDW 1376.1 only: rate of that port. Default: as its archive says, else 2400."
    )
    parity: Literal["none", "even", "odd"] = Field(
        "even", description="Q/GDW 1376.1 only: parity of that port."
    )
    frame_timeout_s: int = Field(
        60,
        ge=1,
        le=110,
        description="Q/GDW 1376.1 only: how long it waits for a meter; we wait 10 s longer.",
    )
    octet_timeout_ms: int = Field(
        100, ge=10, le=2_550, description="Q/GDW 1376.1 only: silence allowed inside a meter's answer."
    )
    reply_timeout_s: int = Field(
        30, ge=1, le=110, description="Q/GDW 1376.1 only: wait for what it has in its own store."
    )
    units_max: int = Field(8, ge=1, le=32, description="Q/GDW 1376.1 only: most data units in one request.")
    store_wait_min: int = Field(
        30,
        ge=0,
        le=1_440,
        description="Q/GDW 1376.1 only: so long after it is due, what its store lacks is not asked of the "
        "meter: the terminal is about to read it.",
    )
    fresh_min: int = Field(
        15,
        ge=0,
        le=1_440,
        description="Q/GDW 1376.1 only: what it has read longer ago is no value of the moment; 0: meters are "
        "always asked themselves.",
    )
