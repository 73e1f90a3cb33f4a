"""The configuration: a TOML file, the environment, and secrets that stand elsewhere."""

from meterlink.config.load import data_dir, load_settings
from meterlink.config.settings import (
    FilesSettings,
    GatewaySettings,
    InfluxSettings,
    IngestSettings,
    LineSettings,
    LogSettings,
    MeterSettings,
    MqttSettings,
    PlanSettings,
    SecretRef,
    Settings,
)

__all__ = [
    "FilesSettings",
    "GatewaySettings",
    "InfluxSettings",
    "IngestSettings",
    "LineSettings",
    "LogSettings",
    "MeterSettings",
    "MqttSettings",
    "PlanSettings",
    "SecretRef",
    "Settings",
    "data_dir",
    "load_settings",
]
