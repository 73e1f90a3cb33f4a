"""The configuration: a TOML file, the environment, and secrets that stand elsewhere."""

from meterlink.config.broker import MqttSettings
from meterlink.config.control import ControlSettings
from meterlink.config.database import FilesSettings, InfluxSettings, IngestSettings
from meterlink.config.gateway import GatewaySettings, LogSettings
from meterlink.config.lines import LineSettings
from meterlink.config.load import data_dir, load_settings
from meterlink.config.meters import MeterSettings
from meterlink.config.plans import PlanSettings
from meterlink.config.secret_ref import SecretRef
from meterlink.config.settings import Settings

__all__ = [
    "ControlSettings",
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
