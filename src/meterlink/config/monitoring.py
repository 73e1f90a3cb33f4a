"""``[monitoring]``: where programs on this machine see how the daemon is."""

from __future__ import annotations

from pydantic import Field

from meterlink.config.table import Table


class MonitoringSettings(Table):
    """Where programs on this machine see how the daemon is: /metrics, /livez, /readyz. Loopback only."""

    enabled: bool = Field(True, description="Whether there is such a port.")
    port: int = Field(0, ge=0, le=65_535, description="0: any that is free; the ready line tells it.")
