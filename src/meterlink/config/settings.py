"""The whole of ``meterlink.toml``: one field a table, and what tables say of each other.

The tables stand in the modules beside this one. Everything has a default that works with nothing installed,
but for the meters: those stand in the journal, which takes ``[[meters]]`` over at the first start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pydantic import Field, PrivateAttr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from meterlink.config.alarms import AlarmSettings
from meterlink.config.billing import BillingSettings
from meterlink.config.broker import EmbeddedBrokerSettings, MqttSettings
from meterlink.config.control import ControlSettings
from meterlink.config.database import FilesSettings, InfluxSettings, IngestSettings
from meterlink.config.fault import Fault, Said, refusal
from meterlink.config.gateway import GatewaySettings, LogSettings
from meterlink.config.line_checks import check_listeners, check_places, check_serial_servers
from meterlink.config.line_finder import LineFinder
from meterlink.config.lines import LINES_MAX, LineSettings
from meterlink.config.meters import METERS_MAX, MeterSettings
from meterlink.config.monitoring import MonitoringSettings
from meterlink.config.plans import PLANS_MAX, PlanSettings
from meterlink.config.retention import RetentionSettings
from meterlink.config.secret_ref import SecretRef
from meterlink.config.security import PROVIDERS_MAX, SecurityProviderSettings, check_providers
from meterlink.config.terminal1376 import Terminal1376Settings
from meterlink.config.web import WebSettings
from meterlink.errors import ConfigError
from meterlink.model.line_url import ListenUrl

_OF_FILE: Final = Said("[[meters]] number {number} ({id})", "[[meters]] 第 {number} 项({id})")
_OF_ROSTER: Final = Said("meter {id!r} of the roster", "档案中的电表 {id!r}")
"""How faults call a meter."""
_NOBODY: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})


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
    meters: tuple[MeterSettings, ...] = Field((), max_length=METERS_MAX)
    plans: tuple[PlanSettings, ...] = Field((PlanSettings(),), min_length=1, max_length=PLANS_MAX)
    security_providers: tuple[SecurityProviderSettings, ...] = Field((), max_length=PROVIDERS_MAX)
    mqtt: MqttSettings | None = None
    embedded_broker: EmbeddedBrokerSettings = Field(
        default_factory=lambda: EmbeddedBrokerSettings.model_validate({})
    )
    influx: InfluxSettings | None = None
    files: FilesSettings = Field(default_factory=lambda: FilesSettings.model_validate({}))
    ingest: IngestSettings = Field(default_factory=lambda: IngestSettings.model_validate({}))
    monitoring: MonitoringSettings = Field(default_factory=lambda: MonitoringSettings.model_validate({}))
    retention: RetentionSettings = Field(default_factory=lambda: RetentionSettings.model_validate({}))
    log: LogSettings = Field(default_factory=lambda: LogSettings.model_validate({}))
    control: ControlSettings | None = None
    alarms: AlarmSettings = Field(default_factory=lambda: AlarmSettings.model_validate({}))
    billing: BillingSettings | None = None
    web: WebSettings | None = None
    _predecessors: Mapping[str, tuple[str, ...]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        _unique("lines", "name", [line.name for line in self.lines])
        _unique("lines", "url", [line.url for line in self.lines])
        _unique("plans", "name", [plan.name for plan in self.plans])
        self._check_meters()
        check_places([*self.lines, *(line for line, _ in self.meters_by_line())])
        if not self.ingest.in_daemon and self.mqtt is None:
            raise Fault(
                "[ingest] in_daemon = false needs [mqtt]: the embedded broker lives inside the daemon",
                "[ingest] in_daemon = false 须配置 [mqtt]:内置的 MQTT 服务器在守护进程内部运行",
            )
        return self

    @property
    def predecessors(self) -> Mapping[str, tuple[str, ...]]:
        """By id of a meter of the journal, the ids of those that stood before it."""
        return self._predecessors

    def with_meters(
        self, meters: Sequence[MeterSettings], predecessors: Mapping[str, tuple[str, ...]] = _NOBODY
    ) -> Settings:
        """The same configuration with other meters: those of the journal.

        Args:
            meters: in service.
            predecessors: by id, those that stood before a meter.

        Raises:
            ConfigError: the meters contradict each other, or the lines and providers of the configuration.

        """
        changed = self.model_copy(update={"meters": tuple(meters)})
        changed._predecessors = predecessors
        try:
            changed._check_meters(_OF_ROSTER)
        except Fault as fault:
            told = fault.behind("the roster does not fit the configuration: ", "档案与配置不符:")
            raise refusal([Said(str(told), told.zh)]) from None
        return changed

    def _check_meters(self, called: Said = _OF_FILE) -> None:
        """What meters say of each other, and of lines and providers.

        Args:
            called: how faults call a meter.

        Raises:
            Fault: the first one.

        """
        _unique("meters", "id", [meter.id for meter in self.meters])
        _one_id_a_meter(self.meters)
        lines = LineFinder(self.lines)
        places: dict[tuple[str, str], int] = {}
        for number, meter in enumerate(self.meters, start=1):
            try:
                line = lines.find(meter.line)
                _check_carried(line, meter)
                if (other := places.setdefault((line.url, meter.address), number)) != number:
                    raise _two_of_one_address(meter, _named(called, other, self.meters[other - 1]))
            except Fault as fault:
                who = _named(called, number, meter)
                raise fault.behind(f"{who.en}: ", f"{who.zh}:") from None
        check_providers(self.security_providers, self.meters)
        lines_used = [line for line, _ in self.meters_by_line()]
        check_listeners([line.parsed_url for line in lines_used])
        check_serial_servers(lines_used)

    def check_secrets(self) -> None:
        """Follow every reference to a secret, and forget what is there.

        Raises:
            ConfigError: one leads nowhere; the message names the key.

        """
        mqtt, influx = self.mqtt, self.influx
        references = {
            "mqtt.password": mqtt.password if mqtt else None,
            "influx.token": influx.token if influx else None,
            **{
                f"[[lines]] {line.name!r} terminal.password": line.terminal.password
                for line in self.lines
                if isinstance(line.terminal, Terminal1376Settings)
            },
            **{f"[[meters]] {meter.id!r} password": meter.password for meter in self.meters},
            **{f"[[meters]] {meter.id!r} control_password": meter.control_password for meter in self.meters},
        }
        for key, reference in references.items():
            if reference:
                try:
                    SecretRef(reference).reveal()
                except ConfigError as error:
                    raise error.behind(f"{key}: ") from None

    def meters_by_line(self) -> list[tuple[LineSettings, tuple[MeterSettings, ...]]]:
        """Every line that a meter stands on, with its meters in the order of the file."""
        lines = LineFinder(self.lines)
        found: dict[str, tuple[LineSettings, list[MeterSettings]]] = {}
        for meter in self.meters:
            line = lines.find(meter.line)
            found.setdefault(line.url, (line, []))[1].append(meter)
        return [(line, tuple(meters)) for line, meters in found.values()]

    def terminals_by_endpoint(self) -> dict[str, list[str]]:
        """``HOST:PORT`` on which we listen -> the callers that may dial it."""
        found: dict[str, list[str]] = {}
        for line, _ in self.meters_by_line():
            if isinstance(url := line.parsed_url, ListenUrl):
                found.setdefault(f"{url.host}:{url.port}", []).append(url.who)
        return found


def _named(called: Said, number: int, meter: MeterSettings) -> Said:
    return Said(*(words.format(number=number, id=meter.id) for words in called))


def _check_carried(line: LineSettings, meter: MeterSettings) -> None:
    if line.carrier is not None and meter.protocol.startswith("modbus"):
        raise Fault(
            f"a carrier module ({line.name}) carries no {meter.protocol}",
            f"载波模块({line.name})不能传送 {meter.protocol}",
        )


def _two_of_one_address(meter: MeterSettings, twin: Said) -> Fault:
    return Fault(
        f"address {meter.address} stands on the same line as {twin.en}; "
        "two meters of one address cannot be told apart",
        f"通信地址 {meter.address} 与同一线路上的{twin.zh}相同;地址相同的两只电表无法区分",
    )


def _one_id_a_meter(meters: tuple[MeterSettings, ...]) -> None:
    """Limits, protections and locks are counted by id: under a second one they would count for nothing."""
    named: dict[str, str] = {}
    for meter in meters:
        if meter.meter_number and (other := named.setdefault(meter.meter_number, meter.id)) != meter.id:
            raise Fault(
                f"[[meters]] {other!r} and {meter.id!r} have the same meter_number {meter.meter_number!r}: "
                "one meter has one id; remove one of them or correct its number",
                f"[[meters]] {other!r} 与 {meter.id!r} 的 meter_number 相同,均为 {meter.meter_number!r}:"
                "一只电表只能有一个 id,请删去其一或更正表号",
            )


def _unique(table: str, key: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Fault(
                f"two [[{table}]] have the same {key} {name!r}", f"两个 [[{table}]] 的 {key} 相同:{name!r}"
            )
        seen.add(name)
