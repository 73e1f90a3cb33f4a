"""What several commands share: endpoints, the end by a signal, and how a fault is told."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import Mapping
from typing import Final, NoReturn

import typer

from metersim.plant.at import PORT_MAX, endpoint

FAILED = 1
WRONG = 2

_REMEDIES: Final[Mapping[int, str]] = {
    errno.EACCES: "let this user write there, or name another place",
    errno.EPERM: "let this user write there, or name another place",
    errno.ENOENT: "make its folder first, or name another place",
    errno.EISDIR: "name a file in that folder",
    errno.ENOSPC: "make room there, or name another place",
}
_ELSE: Final = "name another place"


def endpoints(option: str, text: str, count: int = 1) -> tuple[str, int]:
    """Host and first port of ``HOST:PORT``.

    Args:
        option: that has it, for errors.
        text: as it was written.
        count: how many ports in a row are needed.

    Raises:
        ValueError: it is none, or the last port would be too high.

    """
    try:
        host, port = endpoint(text)
    except ValueError as error:
        raise ValueError(f"{option} {error}") from None
    if port + count - 1 > PORT_MAX:
        raise ValueError(f"{option} {text}: a port is at most {PORT_MAX}, and each line needs one")
    return host, port


def stopping() -> asyncio.Event:
    """An event that SIGTERM, Ctrl-C and a terminal that is closed set; the last not where it is ignored."""
    stop = asyncio.Event()
    ends = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        ends.append(signal.SIGHUP)
    for number in ends:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def words_of(error: object) -> str:
    """What to say of an error: without its number, with the file that could not be written, and a remedy."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    file = error.filename2 or error.filename  # of a link: where it was to stand
    return f"{file}: {error.strerror}; {_REMEDIES.get(error.errno or 0, _ELSE)}" if file else error.strerror


def failed(error: object, code: int = FAILED) -> NoReturn:
    """Say on standard error what went wrong, and end.

    Raises:
        typer.Exit: always.

    """
    typer.echo(f"metersim: {words_of(error)}", err=True)
    raise typer.Exit(code) from None
