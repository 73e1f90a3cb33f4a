"""What one round of a plan holds: what is still to be read of each meter, and what the last one left."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from meterlink.acquisition.plans import Point
from meterlink.model.slot import Reason

NO_TRY: Final = frozenset({Reason.LINE_DOWN, Reason.LINE_SLOW})
"""Troubles in which no question came as far as the meter."""


@dataclass(slots=True)
class Task:
    """What is still to be read of one meter in this round.

    ``any_kept``: something of the slot is kept. ``trouble``: what the last try came to. ``tries``: how often
    the meter was asked in vain; what the line could not carry is none. ``told``: trouble and tries as the
    ledger has them.
    """

    point: Point
    items: deque[str]
    any_kept: bool = False
    trouble: tuple[Reason, str] | None = None
    tries: int = 0
    told: tuple[Reason, int] | None = None

    @property
    def untold_tries(self) -> int:
        """Tries that the ledger does not know of."""
        return self.tries - (self.told[1] if self.told else 0)

    @property
    def is_news(self) -> bool:
        """Whether the ledger does not know what the last try came to."""
        return self.trouble is None or (self.trouble[0], self.tries) != self.told


class Moment(NamedTuple):
    """What both clocks showed at once."""

    wall: datetime
    monotonic_s: float


@dataclass(slots=True)
class Memory:
    """What a poller remembers between rounds; at most one entry a meter (and item).

    ``silent`` holds the monotonic time of the last silence, ``asked`` the number of a meter's last turn.
    After the wall clock was set back ``last_slot`` is older than ``newest_slot``. ``looked`` is when both
    clocks were looked at for the last slot; ``no_time`` says that the wall clock showed none since, and
    ``was_set`` that it was set.
    """

    refused: dict[tuple[str, str], date] = field(default_factory=dict)
    silent: dict[str, float] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    turns: int = 0
    last_slot: datetime | None = None
    looked: Moment | None = None
    no_time: bool = False
    was_set: bool = False
    newest_slot: datetime | None = None

    def is_new(self, slot: datetime, every_s: int) -> bool:
        """Whether nobody can have begun with a slot before.

        That is one which time alone has brought, behind the one before it. Another may have been begun before
        a start, before the clock was set back, or, where the start itself found a clock that was behind,
        before both.
        """
        last, newest = self.last_slot, self.newest_slot
        if last is None or newest is None or self.was_set:
            return False
        return slot > newest and slot - last == timedelta(seconds=every_s)
