"""Opening a serial device, or a pseudo-terminal that stands for one."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import termios

import serial
import serial_asyncio_fast
import structlog

from meterlink.errors import LineBusy, LineLost
from meterlink.model.line_url import SerialUrl
from meterlink.transports.ours import OwnStream, taken_by
from meterlink.transports.stream import ByteStream

_PARITIES = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}
_PTY_MAJORS = range(136, 144)
"""Device numbers of Unix 98 pseudo-terminals on Linux."""

_log = structlog.get_logger(__name__)


async def open_serial(url: SerialUrl) -> ByteStream:
    """Open a serial device and own it alone.

    A pseudo-terminal has no parity (the kernel drops it and the C library then reports an error), so
    there the parity is not set, and the log says so.

    Args:
        url: device, rate and parity.

    Raises:
        LineBusy: another process has the device open.
        LineLost: no such device, no permission, or it refuses the settings.

    """
    loop = asyncio.get_running_loop()
    try:
        port = await loop.run_in_executor(None, _open, url)
    except (serial.SerialException, OSError, termios.error, ValueError) as error:
        if getattr(error, "errno", None) in (errno.EAGAIN, errno.EBUSY, errno.EACCES) and _exists(url.device):
            raise _busy_or_forbidden(url, error) from None
        raise LineLost(f"{url.device}: {_words(error)}") from None
    stream = OwnStream(str(url), _place(url))
    serial_asyncio_fast.SerialTransport(loop, stream, port)
    await asyncio.sleep(0)  # connection_made is called in the loop's next turn
    return stream


def _open(url: SerialUrl) -> serial.Serial:
    parity = url.parity
    if parity != "none" and _is_pseudo_terminal(url.device):
        _log.info("pseudo_terminal_has_no_parity", device=url.device, wanted=parity)
        parity = "none"
    return serial.Serial(
        url.device, url.baud, bytesize=8, parity=_PARITIES[parity], stopbits=1, timeout=0, exclusive=True
    )


def _is_pseudo_terminal(device: str) -> bool:
    try:
        info = os.stat(device)  # noqa: PTH116 (the device number is what we want)
    except OSError:
        return False
    return stat.S_ISCHR(info.st_mode) and os.major(info.st_rdev) in _PTY_MAJORS


def _place(url: SerialUrl) -> str:
    """The device itself: names below ``/dev/serial/by-id`` are links."""
    return os.path.realpath(url.device)


def _exists(device: str) -> bool:
    return os.path.exists(device)  # noqa: PTH110


def _busy_or_forbidden(url: SerialUrl, error: Exception) -> LineBusy | LineLost:
    if getattr(error, "errno", None) == errno.EACCES:
        return LineLost(
            f"{url.device}: permission denied; on most systems membership of the group dialout helps"
        )
    return LineBusy(f"{url.device}: {taken_by(_place(url))}")


def _words(error: Exception) -> str:
    if getattr(error, "errno", None) == errno.ENOENT:
        return "no such device; `ls /dev/serial/by-id` shows what is plugged in"
    return str(error)
