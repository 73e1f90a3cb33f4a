"""How the provider is reached: over standard input and output, or over a stream that somebody else opens."""

from __future__ import annotations

import os
from typing import Final, Protocol

from metersim.security.hsm import Hsm, Lines

PIECE_OCTETS: Final = 65_536


class Duplex(Protocol):
    """Octets both ways."""

    async def receive(self) -> bytes:
        """Wait for octets; ``b""`` at the end."""

    async def send(self, octets: bytes) -> None:
        """Send octets.

        Raises:
            ConnectionResetError: nobody takes them.

        """


class HsmService:
    """The provider for clients of streams; all of them share handles, which nobody can guess.

    Args:
        hsm: answers.

    """

    def __init__(self, hsm: Hsm) -> None:
        self._hsm = hsm

    async def serve(self, duplex: Duplex) -> None:
        """Answer one client until it ends or takes no answers."""
        lines = Lines()
        try:
            while octets := await duplex.receive():
                for line in lines.feed(octets):
                    await duplex.send(self._hsm.answer(line))
            for line in lines.end():
                await duplex.send(self._hsm.answer(line))
        except ConnectionResetError:
            return


def serve_pipes(hsm: Hsm, reading: int, writing: int) -> None:
    """Answer what comes in until it ends, or nobody reads any more, or Ctrl-C.

    Args:
        hsm: answers.
        reading: a file descriptor.
        writing: a file descriptor.

    Raises:
        OSError: reading or writing failed.

    """
    lines = Lines()
    try:
        while octets := os.read(reading, PIECE_OCTETS):
            for line in lines.feed(octets):
                _write_all(writing, hsm.answer(line))
        for line in lines.end():
            _write_all(writing, hsm.answer(line))
    except (BrokenPipeError, KeyboardInterrupt):
        return


def _write_all(writing: int, octets: bytes) -> None:
    while octets:
        octets = octets[os.write(writing, octets) :]
