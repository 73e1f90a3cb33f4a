"""``[[lines]]``: how meters are reached, and which line a meter means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from meterlink.config.carriers import CarrierSettings
from meterlink.config.serial_server import HEARTBEAT_OCTETS_MIN, SerialServerSettings, is_told_apart
from meterlink.config.table import Name, Table
from meterlink.config.terminal698 import Terminal698Settings
from meterlink.config.terminal1376 import Terminal1376Settings
from meterlink.errors import ConfigError
from meterlink.model.address import is_wide
from meterlink.model.line_url import (
    BAUD_RATES,
    LineUrl,
    ListenUrl,
    Rfc2217Url,
    SerialUrl,
    TcpUrl,
    parse_line_url,
)

LINES_MAX = 1_000
"""A configuration with more is refused; one gateway is not meant for more."""


def _line_url(text: str) -> str:
    try:
        return str(parse_line_url(text))
    except ConfigError as error:
        raise ValueError(str(error)) from None


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
            raise ValueError(f"must be one of {', '.join(map(str, BAUD_RATES))}")
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
            raise ValueError(
                f"line {data.get('name')!r} has `terminal` settings, but its url names no terminal: write "
                "?terminal= and its address, or take them away"
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
            raise ValueError(
                "a carrier module hangs on serial://, rfc2217:// or tcp://HOST:PORT; behind a terminal "
                "it is the terminal's own: take the table carrier away"
            )
        return self

    @model_validator(mode="after")
    def _address_fits(self) -> LineSettings:
        terminal = self.terminal_1376
        told = isinstance(self.terminal, Terminal1376Settings) and self.terminal.wide
        if terminal is not None and is_wide(terminal) and not told:
            raise ValueError(
                f"terminal {terminal}: an area of six digits, or a number over 65535, is one of an address "
                "of seven octets: add terminal = {wide = true} to its [[lines]] entry, or write four digits "
                "and 1 to 65535"
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


class LineFinder:
    """Lines by name and by URL; a URL that no [[lines]] entry has makes a line of its own."""

    def __init__(self, lines: tuple[LineSettings, ...]) -> None:
        self._by_name = {line.name: line for line in lines}
        self._by_url = {line.url: line for line in lines}
        self._found: dict[str, LineSettings] = {}  # thousands of meters name few lines

    def find(self, wanted: str, who: str) -> LineSettings:
        """The line of that name or URL.

        Args:
            wanted: what a meter says.
            who: the meter, for the error's text.

        Raises:
            ValueError: there is none, and it is no URL.

        """
        if (line := self._by_name.get(wanted) or self._found.get(wanted)) is not None:
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
            try:
                line = LineSettings.model_validate({"name": _name_of(url), "url": str(url)})
            except ValidationError as error:
                why = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(f"{who}: {why}") from None
            self._by_url[str(url)] = line
        self._found[wanted] = self._by_url[str(url)]
        return self._found[wanted]


_IN_NAMES = str.maketrans(dict.fromkeys('+#/\\"$ ', "_"))
"""What a serial server may call itself, and no line."""


def _name_of(url: LineUrl) -> str:
    if isinstance(url, SerialUrl):
        return url.device.rpartition("/")[2][-64:]
    if isinstance(url, ListenUrl):
        return url.who.translate(_IN_NAMES)
    if isinstance(url, TcpUrl) and url.terminal:
        return url.terminal
    return f"{url.host}:{url.port}"[-64:]


def same_place(lines: Iterable[LineSettings]) -> tuple[LineSettings, LineSettings] | None:
    """The first two lines of different URLs that are one and the same; ``None``: there are none.

    Only one of them could be opened, and the meters of the other would be silent for ever.
    """
    first: dict[str, LineSettings] = {}
    for line in lines:
        if (other := first.setdefault(line.parsed_url.place, line)).url != line.url:
            return other, line
    return None


def check_places(lines: Iterable[LineSettings]) -> None:
    """Refuse lines that are written in two ways.

    Raises:
        ValueError: two are one and the same.

    """
    if (found := same_place(lines)) is not None:
        one, other = found
        raise ValueError(
            f"the lines {one.url} ({one.name}) and {other.url} ({other.name}) are one and the same, and only "
            "one of them could be opened: write one URL for both"
        )


def check_listeners(urls: Iterable[LineUrl]) -> None:
    """Refuse what the second listener would find at start: the port taken, by ourselves.

    Raises:
        ValueError: two hosts or two kinds of callers of one port, or one caller on two lines.

    """
    ports: dict[int, ListenUrl] = {}
    callers: dict[tuple[str, str], ListenUrl] = {}
    for url in urls:
        if not isinstance(url, ListenUrl):
            continue
        other = ports.setdefault(url.port, url) if url.port else url
        if other.host != url.host:
            raise ValueError(
                f"line {str(url)!r}: another line listens on port {url.port} of {other.host}; "
                "write the same host for all lines of one port"
            )
        if other.caller != url.caller:
            raise ValueError(
                f"line {str(url)!r}: on port {url.port} callers of another kind are waited for ({other}); "
                "one port serves one kind: give them two"
            )
        if (twice := callers.setdefault((url.caller, url.who), url)) is not url:
            raise ValueError(f"line {str(url)!r}: {_whom(url)} is already that of line {twice}")


def _whom(url: ListenUrl) -> str:
    return f"terminal {url.terminal}" if url.terminal else f"device {url.device}"


def check_serial_servers(lines: Iterable[LineSettings]) -> None:
    """Refuse registrations of which nobody could say whose they are.

    Raises:
        ValueError: one of a port begins with another, or a cable or terminal has such settings.

    """
    ports: dict[tuple[str, int], dict[bytes, LineSettings]] = {}
    for line in lines:
        url = line.parsed_url
        is_none = isinstance(url, SerialUrl) or (isinstance(url, ListenUrl | TcpUrl) and url.terminal)
        if line.serial_server is not None and is_none:
            raise ValueError(
                f"line {line.name!r} has `serial_server` settings, but {url} is no serial server"
            )
        device = url.device if isinstance(url, ListenUrl) else ""
        _check_texts(line, device)
        if not (isinstance(url, ListenUrl) and device):
            continue
        text = registration_of(line)
        there = ports.setdefault(url.endpoint, {})
        for other, whose in there.items():
            if text.startswith(other) or other.startswith(text):
                raise ValueError(
                    f"lines {whose.name!r} and {line.name!r}: one registration begins with the other "
                    f"({ascii(other)[1:]}, {ascii(text)[1:]}), so nobody could say whose it is; "
                    'let an end mark follow both, as registration = "{device}\\r\\n"'
                )
        there[text] = line


def _check_texts(line: LineSettings, device: str) -> None:
    """Refuse what would be taken out of a meter's answer; what dials in has its registration taken off first.

    Raises:
        ValueError: a heartbeat with its device, or the registration of one that is dialled, is too short.

    """
    if (told := line.serial_server) is None:
        return
    looked_for = told.heartbeats_of(device)
    if not device and (registration := told.registration_of("")):
        looked_for = (registration, *looked_for)
    for text in looked_for:
        if not is_told_apart(text):
            raise ValueError(
                f"line {line.name!r}: {ascii(text)[1:]} of its serial server can stand in a meter's frame, "
                f"and would be taken out of it: set one of {HEARTBEAT_OCTETS_MIN} octets or more at the "
                "serial server, not all the same"
            )


def registration_of(line: LineSettings) -> bytes:
    """What the serial server that a line waits for says first."""
    url = line.parsed_url
    assert isinstance(url, ListenUrl)
    return (line.serial_server or SerialServerSettings()).registration_of(url.device)
