"""Serial or TCP: the line's URL decides, here and nowhere else."""

from __future__ import annotations

from meterlink.errors import LineLost
from meterlink.model.line_url import LineUrl, ListenUrl, Rfc2217Url, TcpUrl
from meterlink.transports.stream import ByteStream


async def open_line(url: LineUrl) -> ByteStream:
    """Open a line and own it alone on this machine.

    Raises:
        LineBusy: another process has it.
        LineLost: it cannot be opened.

    """
    if isinstance(url, ListenUrl):
        raise LineLost(f"{url}: the terminal dials in, to the daemon; nobody can dial it")
    if isinstance(url, Rfc2217Url):
        from meterlink.transports.rfc2217 import open_rfc2217  # noqa: PLC0415

        return await open_rfc2217(url)
    if isinstance(url, TcpUrl):
        from meterlink.transports.tcp_client import open_tcp  # noqa: PLC0415 (a TCP gateway needs no pyserial)

        return await open_tcp(url)
    from meterlink.transports.serial import open_serial  # noqa: PLC0415

    return await open_serial(url)
