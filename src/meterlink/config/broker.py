"""``[mqtt]`` and ``[embedded_broker]``: where readings are published."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from meterlink.config.fault import Fault
from meterlink.config.secret_ref import Secret
from meterlink.config.table import Table
from meterlink.model.host import is_host


class MqttSettings(Table):
    """The broker; without this table the daemon starts an embedded one on loopback."""

    url: str = Field(description="mqtt://HOST[:1883] or mqtts://HOST[:8883].")
    username: str | None = Field(None, description="Account at the broker.")
    password: Secret | None = Field(None, description="By reference: file:/path or env:NAME.")
    ca_file: Path | None = Field(None, description="mqtts: certificate authority, when not the system's.")

    @field_validator("url")
    @classmethod
    def _reachable(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            known = parts.scheme in ("mqtt", "mqtts") and is_host(parts.hostname) and parts.port != 0
        except ValueError:
            known = False
        if not known or parts.username or parts.path not in ("", "/"):
            raise Fault(
                "write mqtt://HOST:1883 or mqtts://HOST:8883; account and password have own keys",
                "请写 mqtt://主机:1883 或 mqtts://主机:8883;用户名和密码另有专用的键",
            )
        return value

    @property
    def host(self) -> str:
        """Name or address of the broker."""
        return urlsplit(self.url).hostname or ""

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return urlsplit(self.url).scheme == "mqtts"

    @property
    def port(self) -> int:
        """TCP port of the broker."""
        return urlsplit(self.url).port or (8883 if self.tls else 1883)


class EmbeddedBrokerSettings(Table):
    """The broker inside the daemon, used while [mqtt] is absent; loopback only."""

    port: int = Field(0, ge=0, le=65_535, description="0: any that is free; the ready line tells it.")
