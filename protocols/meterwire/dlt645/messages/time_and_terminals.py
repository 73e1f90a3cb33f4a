"""The time for all meters of a line, the signal of a terminal, and what comes by infrared.

Source: DL/T 645-2007, 7.2 to 7.15; DL/T 645-1997, 6; spec sections 2.2 and 9.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final

import construct as c

from meterwire.dlt645.link.frame import BROADCAST
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.command import CLOCK, Command, Layouts
from meterwire.errors import LocalProtocolError

TERMINAL_SIGNALS: Final = range(3)
"""Signals of the multi-function terminal: second pulse, demand period, switch of the tariff period."""


def _clock_text(octets: bytes, _context: object) -> str:
    content, problem = CLOCK.decode(octets)
    if problem is not None:
        raise c.ValidationError("the time is no BCD, or all zero")
    return str(content)


def _clock_octets(text: str, _context: object) -> bytes:
    return CLOCK.encode(text)


_Clock = c.ExprAdapter(c.Bytes(6), _clock_text, _clock_octets)


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastTime(Command):
    """Head-end: this is the time (08H); nobody answers, but for one make (88H), for which nobody waits.

    Args:
        clock: ``YYYY-MM-DD hh:mm:ss``, the meters' civil time.

    """

    address: str = BROADCAST
    clock: str

    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x08): c.Struct("clock" / _Clock, c.Terminated),
        ("dlt645-1997", 0x08): c.Struct("clock" / _Clock, c.Terminated),
    }
    ADDRESSES = frozenset({"single", "broadcast"})
    UNANSWERED = ADDRESSES

    def check(self, edition: Edition) -> None:
        """Refuse a time that no calendar has: every meter of the line would take it.

        Raises:
            LocalProtocolError: as said.

        """
        try:
            datetime.strptime(self.clock, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - a meter's civil time
        except ValueError:
            raise LocalProtocolError(f"{self.clock!r} is no time like 2026-11-22 15:30:00") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalOutputRequest(Command):
    """Head-end: which signal the multi-function terminal gives (1DH).

    Args:
        signal: 0 second pulse of the clock, 1 demand period, 2 switch of the tariff period.

    """

    signal: int

    LAYOUTS: ClassVar[Layouts] = {("dlt645-2007", 0x1D): c.Struct("signal" / c.Byte, c.Terminated)}

    def check(self, edition: Edition) -> None:
        """Refuse a signal that no source knows.

        Raises:
            LocalProtocolError: not 0, 1 or 2.

        """
        if self.signal not in TERMINAL_SIGNALS:
            raise LocalProtocolError(f"terminal signal {self.signal} is none of 0, 1, 2")


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalOutputReply(Command):
    """Meter: it took the signal (9DH).

    Args:
        signal: again; ``None`` where the answer is empty. No source shows one, so both are read.

    """

    signal: int | None = None

    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x1D): c.Struct("signal" / c.Optional(c.Byte), c.Terminated)
    }
    FROM_METER = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Infrared(Command):
    """What infrared authentication and module commands have: no source tells what stands in them.

    Args:
        payload: DATA, as it came.

    """

    payload: bytes = field(repr=False)

    def check(self, edition: Edition) -> None:
        """Refuse it: nobody knows what a meter would do.

        Raises:
            LocalProtocolError: always.

        """
        raise LocalProtocolError("1FH is read and never built: no source tells what stands in it")


@dataclass(frozen=True, slots=True, kw_only=True)
class InfraredRequest(_Infrared):
    """Head-end: infrared authentication or a command to a module (1FH)."""

    LAYOUTS: ClassVar[Layouts] = {("dlt645-2007", 0x1F): c.Struct("payload" / c.GreedyBytes)}


@dataclass(frozen=True, slots=True, kw_only=True)
class InfraredReply(_Infrared):
    """Meter: its part of that (9FH)."""

    LAYOUTS: ClassVar[Layouts] = InfraredRequest.LAYOUTS
    FROM_METER = True
