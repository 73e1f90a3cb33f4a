"""Where a line is, or who is to come: ``tcp://host:port``, ``serial:///dev/ttyUSB0?baud=2400&parity=even``,
``rfc2217://host:port?baud=2400``, ``listen://0.0.0.0:9000?terminal=111111111111``, or ``?device=DTU-7``.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from posixpath import normpath
from typing import Literal
from urllib.parse import quote

Parity = Literal["none", "even", "odd"]

BAUD_RATES = (600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
"""Bit rates a serial line may have; 645 knows those up to 19200. Source: spec dlt645, 1.1."""

Caller = Literal["dlt698.45", "gdw1376.1", "serial server"]
"""What speaks first on a connection, and is known by it: a concentrator or a serial server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpUrl:
    """A serial server that passes raw octets on, or a terminal that waits to be dialled.

    Args:
        host: name or address.
        port: 1 to 65535.
        terminal: of a concentrator, as in ``ListenUrl``; empty: the meters' own octets come and go here.

    """

    host: str
    port: int
    terminal: str = ""

    @property
    def caller(self) -> Caller | None:
        """Which kind of terminal is dialled; ``None``: none, meters are behind it directly."""
        return _kind_of(self.terminal) if self.terminal else None

    @property
    def place(self) -> str:
        """What it is, however it is written: this machine has one name, a number one spelling."""
        return f"tcp {_plain_host(self.host)}:{self.port}"

    def __str__(self) -> str:
        whom = f"?terminal={self.terminal}" if self.terminal else ""
        return f"tcp://{_host_in_url(self.host)}:{self.port}{whom}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rfc2217Url:
    """A serial server whose rate and parity are set over the connection.

    Args:
        host: name or address.
        port: 1 to 65535.
        baud: one of ``BAUD_RATES``.
        parity: 645 asks for even.

    """

    host: str
    port: int
    baud: int = 2400
    parity: Parity = "even"

    @property
    def character_s(self) -> float:
        """See ``SerialUrl.character_s``."""
        return _character_s(self.baud, self.parity)

    @property
    def place(self) -> str:
        """The same port of the same machine as that of a ``TcpUrl``."""
        return f"tcp {_plain_host(self.host)}:{self.port}"

    def __str__(self) -> str:
        return f"rfc2217://{_host_in_url(self.host)}:{self.port}?baud={self.baud}&parity={self.parity}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenUrl:
    """A terminal (concentrator, meter with a modem) or serial server that dials us: where, and who.

    One port serves many callers, and each of them is a line of its own: it has one request at a time, while
    its neighbours do not wait. So the URL names both, and lines may share host and port. A caller is known by
    what it says first, never by where it calls from: that changes with each dial-up.

    Args:
        host: our address to listen on; ``0.0.0.0`` or ``::`` for all.
        port: 0 to 65535; 0 takes any that is free.
        terminal: the address that it logs in with: 12 digits of DL/T 698.45, or ``0171-2082``, area and
            terminal of Q/GDW 1376.1; empty: a serial server calls.
        device: of a serial server, the text with which it registers, 1 to 64 printable characters of ASCII.

    """

    host: str
    port: int
    terminal: str = ""
    device: str = ""

    @property
    def endpoint(self) -> tuple[str, int]:
        """Where we listen: what lines of one port have in common."""
        return self.host, self.port

    @property
    def caller(self) -> Caller:
        """Which kind of caller is waited for; a port serves one kind."""
        return _kind_of(self.terminal) if self.terminal else "serial server"

    @property
    def who(self) -> str:
        """What the caller says of itself."""
        return self.terminal or self.device

    @property
    def place(self) -> str:
        """A line of its own for each caller."""
        return str(self)

    def __str__(self) -> str:
        whom = f"terminal={self.terminal}" if self.terminal else f"device={quote(self.device, safe='')}"
        return f"listen://{_host_in_url(self.host)}:{self.port}?{whom}"


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
        return _character_s(self.baud, self.parity)

    @property
    def place(self) -> str:
        """The device, at whatever rate."""
        return f"serial {normpath(self.device)}"

    def __str__(self) -> str:
        return f"serial://{self.device}?baud={self.baud}&parity={self.parity}"


LineUrl = TcpUrl | Rfc2217Url | SerialUrl | ListenUrl


def _kind_of(terminal: str) -> Caller:
    return "gdw1376.1" if "-" in terminal else "dlt698.45"


def _plain_host(host: str) -> str:
    """One spelling of a host: ``localhost``, 127.0.0.1 and ::1 are this machine."""
    name = host.lower().removesuffix(".")
    with contextlib.suppress(ValueError):
        number = ip_address(name)
        mapped = number.ipv4_mapped if isinstance(number, IPv6Address) else None
        name = str(mapped or number)
    return "localhost" if name in {"127.0.0.1", "::1"} else name


def _character_s(baud: int, parity: Parity) -> float:
    return (10 if parity == "none" else 11) / baud


def _host_in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
