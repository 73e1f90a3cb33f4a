"""``[influx]``, ``[files]`` and ``[ingest]``: where points are kept, and how they come there."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from meterlink.config.fault import Fault
from meterlink.config.secret_ref import Secret
from meterlink.config.table import Table
from meterlink.model.host import is_host


class InfluxSettings(Table):
    """InfluxDB (API v2), or whatever takes its line protocol; without this table: files."""

    url: str = Field(description="http://HOST:8086 of the database.")
    org: str = Field("meterlink", description="Organisation in InfluxDB 2.")
    bucket: str = Field("meterlink", description="Where points go.")
    token: Secret | None = Field(None, description="By reference: file:/path or env:NAME.")
    timeout_ms: int = Field(10_000, ge=100, le=120_000, description="Limit of one write.")

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            known = parts.scheme in ("http", "https") and is_host(parts.hostname) and parts.port != 0
        except ValueError:
            known = False
        if not known or parts.username:
            raise Fault(
                "write http://HOST:8086 or https://HOST:8086; the token has its own key",
                "请写 http://主机:8086 或 https://主机:8086;令牌另有专用的键",
            )
        return value.rstrip("/")


class FilesSettings(Table):
    """Line-protocol files, written while no database is configured."""

    dir: Path | None = Field(None, description="Default: line-protocol in the data directory.")
    file_max_mb: int = Field(
        16, ge=1, le=1024, description="A file beyond this is closed and a new one begun."
    )
    files_max: int = Field(64, ge=2, le=10_000, description="The oldest file goes when there are more.")


class IngestSettings(Table):
    """From the broker into the database."""

    in_daemon: bool = Field(True, description="false: `meterlink ingest` runs as its own process.")
    batch_max: int = Field(5_000, ge=1, le=50_000, description="Points of one write.")
