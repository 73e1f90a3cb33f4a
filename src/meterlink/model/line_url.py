"""Where a line is: ``tcp://host:port`` or ``serial:///dev/ttyUSB0?baud=2400&parity=even``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import parse_qsl, urlsplit

from meterlink.errors import ConfigError

Parity = Literal["none", "even", "odd"]

BAUD_RATES = (600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
"""Bit rates a serial line may have; 645 knows those up to 19200. Source: spec dlt645, 1.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpUrl:
    """A serial server or concentrator that passes raw octets on.

    Args:
        host: name or address.
        port: 1 to 65535.

    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialUrl:
    """A serial device; 8 data bits, 1 stop bit.

    Args:
        device: path, best one below ``/dev/serial/by-id``, which keeps its name.
        baud: one of ``BAUD_RATES``; most 645 meters leave the factory with 2400.
        parity: 645 asks for even.

    """

    device: str
    baud: int = 2400
    parity: Parity = "even"

    @property
    def character_s(self) -> float:
        """Seconds that one octet takes on the wire: start, 8 data, parity, stop."""
        return (10 if self.parity == "none" else 11) / self.baud

    def __str__(self) -> str:
        return f"serial://{self.device}?baud={self.baud}&parity={self.parity}"


LineUrl = TcpUrl | SerialUrl


def parse_line_url(text: str) -> LineUrl:
    """Read a line's URL.

    Raises:
        ConfigError: another scheme, a missing part, an unknown option or a value out of range.

    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"line {text!r}: {error}") from None
    if parts.scheme == "tcp":
        return _tcp(text, parts.hostname, port, rest=parts.path + parts.query)
    if parts.scheme == "serial":
        return _serial(text, parts.netloc + parts.path, parts.query)
    raise ConfigError(
        f"line {text!r}: a line is tcp://HOST:PORT or serial:///dev/ttyUSB0?baud=2400&parity=even"
    )


def _tcp(text: str, host: str | None, port: int | None, *, rest: str) -> TcpUrl:
    if not host or not port or rest.strip("/"):
        raise ConfigError(
            f"line {text!r}: write tcp://HOST:PORT, with a port of 1 to 65535 and nothing behind"
        )
    return TcpUrl(host=host, port=port)


def _serial(text: str, device: str, query: str) -> SerialUrl:
    if not device.startswith("/"):
        raise ConfigError(
            f"line {text!r}: write the device's whole path: serial:///dev/ttyUSB0 (three slashes)"
        )
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise ConfigError(f"line {text!r}: options are written ?baud=2400&parity=even") from None
    unknown = sorted(set(options) - {"baud", "parity"})
    if unknown:
        raise ConfigError(f"line {text!r}: unknown option {unknown[0]!r}; there are baud and parity")
    return SerialUrl(device=device, baud=_baud(text, options), parity=_parity(text, options))


def _baud(text: str, options: dict[str, str]) -> int:
    baud = options.get("baud", "2400")
    if baud not in {str(rate) for rate in BAUD_RATES}:
        raise ConfigError(f"line {text!r}: baud must be one of {', '.join(map(str, BAUD_RATES))}")
    return int(baud)


def _parity(text: str, options: dict[str, str]) -> Parity:
    wanted = options.get("parity", "even")
    for parity in get_args(Parity):
        if parity == wanted:
            return parity  # type: ignore[no-any-return]
    raise ConfigError(f"line {text!r}: parity must be even, none or odd")
