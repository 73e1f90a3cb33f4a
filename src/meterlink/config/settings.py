"""What can be configured: one model a table of ``meterlink.toml``, with units in the names.

Only ``[[meters]]`` is required. Everything else has a default that works with nothing installed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timezone
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from meterlink.errors import ConfigError
from meterlink.model.address import meter_address
from meterlink.model.data_classes import DAILY_FREEZE, INSTANT, DataClass
from meterlink.model.line_url import BAUD_RATES, LineUrl, ListenUrl, SerialUrl, parse_line_url
from meterlink.model.protocols import DEFAULT_PROTOCOL, MeterProtocol
from meterlink.model.zone import CHINA_ZONE, parse_zone

METERS_MAX = 20_000
LINES_MAX = 1_000
PLANS_MAX = 20
ITEMS_MAX = 50
"""A configuration beyond these is refused; one gateway is not meant for more."""

_FORBIDDEN_IN_NAMES = set('+#/\\"$')


def _name(text: str) -> str:
    """Names stand in MQTT topics, tags and file names."""
    if not 1 <= len(text) <= 64:
        raise ValueError("a name has 1 to 64 characters")
    if bad := sorted(c for c in set(text) if c in _FORBIDDEN_IN_NAMES or c.isspace() or not c.isprintable()):
        raise ValueError(f"a name may not contain {bad[0]!r} (it becomes part of an MQTT topic)")
    if text.startswith("_"):
        raise ValueError("names that begin with _ are kept for the gateway's own topics")
    return text


def _line_url(text: str) -> str:
    try:
        return str(parse_line_url(text))
    except ConfigError as error:
        raise ValueError(str(error)) from None


def _zone(text: str) -> str:
    try:
        parse_zone(text)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return text


Name = Annotated[str, AfterValidator(_name)]


class SecretRef(str):
    """Where a secret stands: ``file:/path`` or ``env:NAME``; never the secret itself."""

    __slots__ = ()

    def reveal(self) -> str:
        """Fetch the secret; the one place of ``config`` that reads another file or variable.

        Raises:
            ConfigError: there is nothing there.

        """
        kind, _, where = self.partition(":")
        if kind == "env":
            secret = os.environ.get(where)
            if secret is None:
                raise ConfigError(f"the environment variable {where} is not set")
            return secret
        try:
            return Path(where).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read the secret file {where}: {error}") from None


def _secret_ref(text: str) -> SecretRef:
    kind, _, where = text.partition(":")
    if kind not in ("file", "env") or not where:
        # The text may be the secret itself: it is not repeated.
        raise ValueError("a secret is given by reference: file:/path/to/secret or env:VARIABLE")
    return SecretRef(text)


Secret = Annotated[str, AfterValidator(_secret_ref)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class GatewaySettings(_Table):
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

    @property
    def plant_time(self) -> timezone:
        """The zone of the meters' clocks."""
        return parse_zone(self.zone)


class LineSettings(_Table):
    """One line that needs more than its URL."""

    name: Name = Field(description="What meters call it.")
    url: Annotated[str, AfterValidator(_line_url)] = Field(
        description="tcp://HOST:PORT, serial:///dev/ttyUSB0?baud=2400&parity=even, or, for a terminal that "
        "dials in, listen://0.0.0.0:PORT?terminal=ADDRESS (several lines may share one port)."
    )
    reply_timeout_ms: int | None = Field(
        None,
        ge=50,
        le=120_000,
        description="Wait for the first octet of an answer. Default: the meters' profile (generic 1500).",
    )
    octet_gap_ms: int | None = Field(
        None,
        ge=10,
        le=10_000,
        description="Silence allowed inside an answer. Default: the meters' profile (generic 500).",
    )
    answer_max_ms: int = Field(
        3000, ge=100, le=120_000, description="Longest whole answer, on top of the reply timeout."
    )
    turnaround_ms: int | None = Field(
        None,
        ge=0,
        le=5_000,
        description="Quiet time before each request. Default: serial the meters' profile (20), TCP 0.",
    )
    baud: int | None = Field(
        None, description="TCP only: the rate behind the serial server, so that timeouts allow for it."
    )
    preamble: int | None = Field(
        None,
        ge=0,
        le=4,
        description="FEH octets before each request. Default: the meter's profile (generic 4).",
    )

    @field_validator("baud")
    @classmethod
    def _known_rate(cls, value: int | None) -> int | None:
        if value is not None and value not in BAUD_RATES:
            raise ValueError(f"must be one of {', '.join(map(str, BAUD_RATES))}")
        return value

    @property
    def parsed_url(self) -> LineUrl:
        """The URL, taken apart."""
        return parse_line_url(self.url)

    @property
    def character_s(self) -> float:
        """Seconds an octet takes on the wire, 0 where nobody knows."""
        url = self.parsed_url
        if isinstance(url, SerialUrl):
            return url.character_s
        return 11 / self.baud if self.baud else 0.0


class MeterSettings(_Table):
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


_DEFAULTS_OF_CLASS: dict[DataClass, dict[str, object]] = {
    DAILY_FREEZE: {"name": DAILY_FREEZE, "every_s": 900, "items": ("forward_active_energy.*",)}
}
"""Where a class has others than ``instant``; a quarter of an hour is the rhythm of concentrators."""


class PlanSettings(_Table):
    """What is read again and again."""

    name: Name = Field(INSTANT, description="What people call it. Default: the class.")
    data_class: DataClass = Field(
        INSTANT,
        alias="class",
        description="instant: values of the moment. daily_freeze: what the meter froze when its day began.",
    )
    every_s: int = Field(
        60,
        ge=1,
        le=86_400,
        description="Slots begin at multiples of this, counted from midnight UTC. daily_freeze: how often "
        "meters are asked for what is missing of the last one, by default each 900.",
    )
    items: tuple[str, ...] = Field(
        ("forward_active_energy", "voltage.*", "current.*", "active_power"),
        min_length=1,
        max_length=ITEMS_MAX,
        description="Items of the catalogue (`meterlink items`); `.*` asks for the whole block. "
        'daily_freeze: written the same way, by default `["forward_active_energy.*"]`.',
    )
    tries: int = Field(2, ge=1, le=5, description="How often a silent meter is asked for one slot.")

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_class(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        wanted = given.get("class")
        own = [values for name, values in _DEFAULTS_OF_CLASS.items() if name == wanted]
        return {**own[0], **given} if own else given


class MqttSettings(_Table):
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
            known = parts.scheme in ("mqtt", "mqtts") and parts.hostname and parts.port != 0
        except ValueError:
            known = False
        if not known or parts.username or parts.path not in ("", "/"):
            raise ValueError(
                "write mqtt://HOST:1883 or mqtts://HOST:8883; account and password have own keys"
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


class EmbeddedBrokerSettings(_Table):
    """The broker inside the daemon, used while [mqtt] is absent; loopback only."""

    port: int = Field(0, ge=0, le=65_535, description="0: any that is free; the ready line tells it.")


class InfluxSettings(_Table):
    """InfluxDB (API v2), or whatever takes its line protocol; without this table: files."""

    url: str = Field(description="http://HOST:8086 of the database.")
    org: str = Field("meterlink", description="Organisation in InfluxDB 2.")
    bucket: str = Field("meterlink", description="Where points go.")
    token: Secret | None = Field(None, description="By reference: file:/path or env:NAME.")
    timeout_ms: int = Field(10_000, ge=100, le=120_000, description="Limit of one write.")

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("write http://HOST:8086 or https://HOST:8086; the token has its own key")
        return value.rstrip("/")


class FilesSettings(_Table):
    """Line-protocol files, written while no database is configured."""

    dir: Path | None = Field(None, description="Default: line-protocol in the data directory.")
    file_max_mb: int = Field(
        16, ge=1, le=1024, description="A file beyond this is closed and a new one begun."
    )
    files_max: int = Field(64, ge=2, le=10_000, description="The oldest file goes when there are more.")


class IngestSettings(_Table):
    """From the broker into the database."""

    in_daemon: bool = Field(True, description="false: `meterlink ingest` runs as its own process.")
    batch_max: int = Field(5_000, ge=1, le=50_000, description="Points of one write.")


class LogSettings(_Table):
    """What the daemon says."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe line shown."
    )
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: coloured on a terminal, JSON lines elsewhere."
    )


class Settings(BaseSettings):
    """The whole of ``meterlink.toml``.

    A variable METERLINK_<TABLE>__<KEY> of the environment overrides a key of a table,
    e.g. METERLINK_GATEWAY__ID.
    """

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix="METERLINK_",
        env_nested_delimiter="__",
    )

    gateway: GatewaySettings = Field(default_factory=lambda: GatewaySettings.model_validate({}))
    lines: tuple[LineSettings, ...] = Field((), max_length=LINES_MAX)
    meters: tuple[MeterSettings, ...] = Field(min_length=1, max_length=METERS_MAX)
    plans: tuple[PlanSettings, ...] = Field((PlanSettings(),), min_length=1, max_length=PLANS_MAX)
    mqtt: MqttSettings | None = None
    embedded_broker: EmbeddedBrokerSettings = Field(
        default_factory=lambda: EmbeddedBrokerSettings.model_validate({})
    )
    influx: InfluxSettings | None = None
    files: FilesSettings = Field(default_factory=lambda: FilesSettings.model_validate({}))
    ingest: IngestSettings = Field(default_factory=lambda: IngestSettings.model_validate({}))
    log: LogSettings = Field(default_factory=lambda: LogSettings.model_validate({}))

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        _unique("lines", "name", [line.name for line in self.lines])
        _unique("lines", "url", [line.url for line in self.lines])
        _unique("plans", "name", [plan.name for plan in self.plans])
        _unique("meters", "id", [meter.id for meter in self.meters])
        lines = _LineFinder(self.lines)
        places: dict[tuple[str, str], int] = {}
        for number, meter in enumerate(self.meters, start=1):
            who = f"[[meters]] number {number} ({meter.id})"
            place = (lines.find(meter.line, who).url, meter.address)
            if (other := places.setdefault(place, number)) != number:
                raise ValueError(
                    f"{who}: address {meter.address} stands on the same line as [[meters]] number {other}; "
                    "two meters of one address cannot be told apart"
                )
        _one_listener_a_port([line.parsed_url for line, _ in self.meters_by_line()])
        if not self.ingest.in_daemon and self.mqtt is None:
            raise ValueError(
                "[ingest] in_daemon = false needs [mqtt]: the embedded broker lives inside the daemon"
            )
        return self

    def check_secrets(self) -> None:
        """Follow every reference to a secret, and forget what is there.

        Raises:
            ConfigError: one leads nowhere; the message names the key.

        """
        mqtt, influx = self.mqtt, self.influx
        references = {
            "mqtt.password": mqtt.password if mqtt else None,
            "influx.token": influx.token if influx else None,
            **{f"[[meters]] {meter.id!r} password": meter.password for meter in self.meters},
        }
        for key, reference in references.items():
            if reference:
                try:
                    SecretRef(reference).reveal()
                except ConfigError as error:
                    raise ConfigError(f"{key}: {error}") from None

    def meters_by_line(self) -> list[tuple[LineSettings, tuple[MeterSettings, ...]]]:
        """Every line that a meter stands on, with its meters in the order of the file."""
        lines = _LineFinder(self.lines)
        found: dict[str, tuple[LineSettings, list[MeterSettings]]] = {}
        for meter in self.meters:
            line = lines.find(meter.line, meter.id)
            found.setdefault(line.url, (line, []))[1].append(meter)
        return [(line, tuple(meters)) for line, meters in found.values()]

    def terminals_by_endpoint(self) -> dict[str, list[str]]:
        """``HOST:PORT`` on which we listen -> the terminals that may dial it."""
        found: dict[str, list[str]] = {}
        for line, _ in self.meters_by_line():
            if isinstance(url := line.parsed_url, ListenUrl):
                found.setdefault(f"{url.host}:{url.port}", []).append(url.terminal)
        return found


class _LineFinder:
    """Lines by name and by URL; a URL that no [[lines]] entry has makes a line of its own."""

    def __init__(self, lines: tuple[LineSettings, ...]) -> None:
        self._by_name = {line.name: line for line in lines}
        self._by_url = {line.url: line for line in lines}

    def find(self, wanted: str, who: str) -> LineSettings:
        if (line := self._by_name.get(wanted)) is not None:
            return line
        if "://" not in wanted:
            names = ", ".join(sorted(self._by_name)[:5]) or "none"
            raise ValueError(
                f"{who}: no line is named {wanted!r} (there are: {names}); "
                "a URL like tcp://HOST:PORT does as well"
            )
        try:
            url = parse_line_url(wanted)
        except ConfigError as error:
            raise ValueError(f"{who}: {error}") from None
        if str(url) not in self._by_url:
            line = LineSettings.model_validate({"name": _name_of(url), "url": str(url)})
            self._by_url[str(url)] = line
        return self._by_url[str(url)]


def _name_of(url: LineUrl) -> str:
    if isinstance(url, SerialUrl):
        return url.device.rpartition("/")[2][-64:]
    if isinstance(url, ListenUrl):
        return url.terminal
    return f"{url.host}:{url.port}"[-64:]


def _one_listener_a_port(urls: Iterable[LineUrl]) -> None:
    """Refuse what the second listener would find at start: the port taken, by ourselves."""
    listening: dict[int, str] = {}
    terminals: dict[str, ListenUrl] = {}
    for url in urls:
        if not isinstance(url, ListenUrl):
            continue
        if url.port and (other := listening.setdefault(url.port, url.host)) != url.host:
            raise ValueError(
                f"line {str(url)!r}: another line listens on port {url.port} of {other}; "
                "write the same host for all lines of one port"
            )
        if (twice := terminals.setdefault(url.terminal, url)) is not url:
            raise ValueError(f"line {str(url)!r}: terminal {url.terminal} is already that of line {twice}")


def _unique(table: str, key: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two [[{table}]] have the same {key} {name!r}")
        seen.add(name)
