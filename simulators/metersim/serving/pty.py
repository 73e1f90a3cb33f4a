"""A line on a pseudo-terminal.

It is raw and stays open on our side, so a client may close and open it again. As on a real port, an answer
that nobody read waits there; clients empty the port when they open it (pyserial does). What does not fit
into it is lost.

A client's speed is read from the terminal. Of its parity Linux shows only whether it is odd: it takes the
bit that says "even" away from a pseudo-terminal, so even and none are what the plant declares.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

from meterprofiles import LineTraits, generic
from meterprofiles.schema import Parity
from metersim.line.port import BAUDS, Port
from metersim.serving.served import Served

_READ_OCTETS = 4096
_BAUDS: Final = {getattr(termios, f"B{baud}"): baud for baud in BAUDS if hasattr(termios, f"B{baud}")}
"""The few rates that are missing are as wrong for every meter as the slowest that stands for them."""


@asynccontextmanager
async def open_pty(
    line: Served, link: Path | None = None, traits: LineTraits | None = None
) -> AsyncIterator[str]:
    """Serve a line on a pseudo-terminal; gives its URL, ``serial:///dev/pts/N?...``.

    Args:
        line: the line.
        link: a symbolic link to make for it; one that is there already is replaced, if nobody serves behind
            it any more.
        traits: how its port is said to be set, which a pseudo-terminal does not mind; 2400 bit/s and even
            parity by default.

    Raises:
        OSError: no pseudo-terminal can be had, or at ``link`` stands something that is no link, or the link
            of a line that is served.

    """
    ours, theirs = os.openpty()
    try:
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        _lock(theirs)
        device = Path(os.ttyname(theirs))
        with _linked(link, device) as path:
            async with asyncio.TaskGroup() as group:
                set_to = traits or generic("dlt645-2007").line
                duplex = PtyDuplex(ours, set_to.parity)
                serving = group.create_task(line.serve(duplex), name=f"pty[{device.name}]")
                try:
                    yield f"serial://{path}?baud={set_to.baud}&parity={set_to.parity}"
                finally:
                    serving.cancel()
    finally:
        os.close(ours)
        os.close(theirs)


@contextmanager
def _linked(link: Path | None, device: Path) -> Iterator[Path]:
    if link is None:
        yield device
        return
    link = link.absolute()
    if link.is_symlink():
        if _is_served(link):
            raise FileExistsError(
                f"{link} leads to a line that is served; end the program that has it, or write another place"
            )
        link.unlink()
    elif link.exists():
        raise FileExistsError(f"{link} stands there and is no link; choose another place for it")
    link.symlink_to(device)
    try:
        yield link
    finally:
        if link.is_symlink() and link.readlink() == device:
            link.unlink()


def _lock(terminal: int) -> None:
    """Hold a terminal as served, until all its descriptors here are closed; clients may lock it all the same.

    Raises:
        OSError: somebody holds it.

    """
    whole = struct.pack("@hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)  # struct flock
    fcntl.fcntl(terminal, fcntl.F_OFD_SETLK, whole)


def _is_served(link: Path) -> bool:
    """Whether a line is served at the terminal behind a link; a number that is free again is taken anew."""
    try:
        terminal = os.open(link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except PermissionError:
        return True  # somebody else's
    except OSError:
        return False
    try:
        _lock(terminal)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(terminal)
    return False


class PtyDuplex:
    """Our end of a pseudo-terminal as a duplex.

    Args:
        descriptor: our end.
        parity: of the client, as far as the other end does not show it.

    """

    def __init__(self, descriptor: int, parity: Parity) -> None:
        self._descriptor = descriptor
        self._parity: Parity = parity

    def port(self) -> Port:
        """How the client has set its port."""
        _, _, control, _, _, speed, _ = termios.tcgetattr(self._descriptor)
        return Port(_BAUDS.get(speed, BAUDS[0]), "odd" if control & termios.PARODD else self._parity)

    async def receive(self) -> bytes:
        """Wait for octets; there is no end."""
        await asyncio.sleep(0)  # others have their turn, also when octets are always there
        while True:
            try:
                return os.read(self._descriptor, _READ_OCTETS)
            except BlockingIOError:
                await self._readable()

    async def send(self, octets: bytes) -> None:
        """Send octets; what does not fit is lost, as in a UART."""
        with suppress(BlockingIOError):  # not one octet fits
            os.write(self._descriptor, octets)

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        news: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._descriptor, _settle, news)
        try:
            await news
        finally:
            loop.remove_reader(self._descriptor)


def _settle(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)
