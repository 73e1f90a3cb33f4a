"""``[[lines]]``: how meters are reached."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_validator

from meterlink.config.carriers import CarrierSettings
from meterlink.config.fault import Fault
from meterlink.config.serial_server import SerialServerSettings
from meterlink.config.table import Name, Table
from meterlink.config.terminal698 import Terminal698Settings
from meterlink.config.terminal1376 import Terminal1376Settings
from meterlink.errors import ConfigError
from meterlink.model.address import is_wide
from meterlink.model.line_text import parse_line_url
from meterlink.model.line_url import BAUD_RATES, LineUrl, ListenUrl, Rfc2217Url, SerialUrl, TcpUrl

LINES_MAX = 1_000
"""A configuration with more is refused; one gateway is not meant for more."""


def _line_url(text: str) -> str:
    try:
        return str(parse_line_url(text))
    except ConfigError as error:
        raise Fault.of(error) from None


class LineSettings(Table):
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
        description="FEH octets before each request. Default: the meter's profile (generic 4); behind a "
        "carrier module 0.",
    )
    carrier: CarrierSettings | None = Field(
        None,
        description="A carrier module of Q/GDW 1376.2 hangs on this line, and the meters behind it; {} takes "
        "all defaults.",
    )
    serial_server: SerialServerSettings | None = Field(
        None,
        description="Of a serial server that registers or sends heartbeats: what it says.",
    )
    terminal: Terminal698Settings | Terminal1376Settings | None = Field(
        None,
        discriminator="kind",
        description="Of a concentrator: how it is asked for the meters behind it.",
    )

    @field_validator("baud")
    @classmethod
    def _known_rate(cls, value: int | None) -> int | None:
        if value is not None and value not in BAUD_RATES:
            raise Fault(
                f"must be one of {', '.join(map(str, BAUD_RATES))}",
                f"须为以下波特率之一:{'、'.join(map(str, BAUD_RATES))}",
            )
        return value

    @model_validator(mode="before")
    @classmethod
    def _of_its_kind(cls, data: Any) -> Any:
        """The url says which kind of terminal the settings are of."""
        told = data.get("terminal") if isinstance(data, dict) else None
        if not isinstance(told, dict):
            return data
        try:
            kind = _caller(parse_line_url(str(data.get("url"))))
        except ConfigError:
            return {**data, "terminal": None}  # the url is at fault, and told so
        if kind not in ("dlt698.45", "gdw1376.1"):
            raise Fault(
                f"line {data.get('name')!r} has `terminal` settings, but its url names no terminal: write "
                "?terminal= and its address, or take them away",
                f"线路 {data.get('name')!r} 有 `terminal` 设置,但其 url 未写终端:请写 ?terminal= 和终端地址,"
                "或去掉该设置",
            )
        return {**data, "terminal": {**told, "kind": kind}}

    @property
    def terminal_698(self) -> str | None:
        """Address of the DL/T 698.45 terminal that this line is; ``None``: it is none."""
        return self._terminal("dlt698.45")

    @property
    def terminal_698_settings(self) -> Terminal698Settings | None:
        """What of its DL/T 698.45 terminal is not as usual."""
        return self.terminal if isinstance(self.terminal, Terminal698Settings) else None

    @property
    def terminal_1376(self) -> str | None:
        """Name of the Q/GDW 1376.1 terminal that this line is, ``0171-2082``; ``None``: it is none."""
        return self._terminal("gdw1376.1")

    def _terminal(self, kind: str) -> str | None:
        url = self.parsed_url
        return url.terminal if isinstance(url, ListenUrl | TcpUrl) and url.caller == kind else None

    @model_validator(mode="after")
    def _module_is_wired(self) -> LineSettings:
        url = self.parsed_url
        calls = isinstance(url, ListenUrl) or (isinstance(url, TcpUrl) and url.terminal)
        if self.carrier is not None and calls:
            raise Fault(
                "a carrier module hangs on serial://, rfc2217:// or tcp://HOST:PORT; behind a terminal "
                "it is the terminal's own: take the table carrier away",
                "载波模块须接在 serial://、rfc2217:// 或 tcp://主机:端口 上;终端之下的模块由终端自己管理:"
                "请去掉 carrier",
            )
        return self

    @model_validator(mode="after")
    def _address_fits(self) -> LineSettings:
        terminal = self.terminal_1376
        told = isinstance(self.terminal, Terminal1376Settings) and self.terminal.wide
        if terminal is not None and is_wide(terminal) and not told:
            raise Fault(
                f"terminal {terminal}: an area of six digits, or a number over 65535, is one of an address "
                "of seven octets: add terminal = {wide = true} to its [[lines]] entry, or write four digits "
                "and 1 to 65535",
                f"终端 {terminal}:六位区划码或大于 65535 的终端地址属于七字节地址:请在其 [[lines]] 项中加上 "
                "terminal = {wide = true},或写四位区划码和 1 至 65535",
            )
        return self

    @property
    def parsed_url(self) -> LineUrl:
        """The URL, taken apart."""
        return parse_line_url(self.url)

    @property
    def character_s(self) -> float:
        """Seconds an octet takes on the wire, 0 where nobody knows."""
        url = self.parsed_url
        if isinstance(url, SerialUrl | Rfc2217Url):
            return url.character_s
        return 11 / self.baud if self.baud else 0.0

    @property
    def is_ours(self) -> bool:
        """Whether octets leave at once or are lost; otherwise something may keep a frame for later.

        Source: decision 22, b.
        """
        url = self.parsed_url
        if self.carrier is not None:
            return False
        return not (isinstance(url, ListenUrl) or (isinstance(url, TcpUrl) and url.terminal))


def _caller(url: LineUrl) -> str | None:
    return url.caller if isinstance(url, ListenUrl | TcpUrl) else None


def registration_of(line: LineSettings) -> bytes:
    """What the serial server that a line waits for says first."""
    url = line.parsed_url
    assert isinstance(url, ListenUrl)
    return (line.serial_server or SerialServerSettings()).registration_of(url.device)
