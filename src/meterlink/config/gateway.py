"""``[gateway]`` and ``[log]``: who we are, where our files are, what we say."""

from __future__ import annotations

from datetime import timezone
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from meterlink.config.fault import Fault
from meterlink.config.table import Name, Table
from meterlink.errors import ConfigError
from meterlink.model.zone import CHINA_ZONE, parse_zone

LoopName = Literal["asyncio", "uvloop"]


def _zone(text: str) -> str:
    try:
        parse_zone(text)
    except ConfigError as error:
        raise Fault.of(error) from None
    return text


class GatewaySettings(Table):
    """Who we are, and where our files are."""

    id: Name = Field("gateway", description="Our name in topics and tags; unique at the broker.")
    site: Name = Field("site", description="Where we stand; a level of the MQTT topics, and a tag.")
    data_dir: Path | None = Field(
        None,
        description="Journal and files. Default: $STATE_DIRECTORY, else ~/.local/state/meterlink.",
    )
    profiles: Path | None = Field(
        None,
        description="Folder of your own profiles of meters (`*.yaml`), beside those that come with us.",
    )
    zone: Annotated[str, AfterValidator(_zone)] = Field(
        CHINA_ZONE,
        description="What the meters' clocks show: Asia/Shanghai (UTC+8), or an offset such as +08:00.",
    )
    clock_trusted: bool = Field(
        False,
        description="Tell terminals that dial in that our clock is right: they may set theirs by it. "
        "Only where this machine's clock is kept right (NTP).",
    )
    event_loop: LoopName = Field(
        "asyncio",
        description="What the daemon and the ingest run on: asyncio, Python's own; "
        "uvloop, which may be faster with many lines of TCP and needs the extra `uvloop`.",
    )

    @property
    def plant_time(self) -> timezone:
        """The zone of the meters' clocks."""
        return parse_zone(self.zone)


class LogSettings(Table):
    """What the daemon says."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe line shown."
    )
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: coloured on a terminal, JSON lines elsewhere."
    )
