"""What several commands share: endpoints, the end by a signal, and how a fault is told."""

from __future__ import annotations

import asyncio
import signal
from typing import NoReturn

import typer

from metersim.plant.at import PORT_MAX, endpoint

FAILED = 1
WRONG = 2


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
    """An event that SIGTERM and Ctrl-C set."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def words_of(error: object) -> str:
    """What to say of an error: without its number, with the file that it is about."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


def failed(error: object, code: int = FAILED) -> NoReturn:
    """Say on standard error what went wrong, and end.

    Raises:
        typer.Exit: always.

    """
    typer.echo(f"metersim: {words_of(error)}", err=True)
    raise typer.Exit(code) from None
