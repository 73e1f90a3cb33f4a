"""How a meter is looked at beside its values, and what is told of one that is not what the roster says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from meterlink.bus.queue import Priority
from meterlink.model.look import SettlementDay


class Looking(Protocol):
    """How meters are looked at; see ``drivers.looks.Looker``."""

    async def meter_number(self, address: str, priority: Priority) -> str | None:
        """The digits of its number."""

    async def status_word(self, address: str, priority: Priority) -> int | None:
        """Status word 1."""

    async def clock_ahead(self, address: str, priority: Priority) -> timedelta | None:
        """How far its clock is ahead of ours."""

    async def settles_on(self, address: str, priority: Priority) -> SettlementDay | None:
        """The first day of a month on which it settles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """How one meter is looked at.

    Args:
        address: of it.
        looker: looks.
        number: that the roster says; empty: none, so that it is not worth reading.
        reading_day: that the roster says; ``None``: its settlement day is not looked at.

    """

    address: str
    looker: Looking
    number: str = ""
    reading_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """A meter that is not the one of the roster.

    Args:
        meter: our id.
        shown: the number that it has.
        expected: the roster's.

    """

    meter: str
    shown: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlesElse:
    """A meter that does not settle when its account is read. Source: SCH-02.

    Args:
        meter: our id.
        shown: when it settles.
        expected: the roster's reading day, at 00:00.

    """

    meter: str
    shown: SettlementDay
    expected: SettlementDay
