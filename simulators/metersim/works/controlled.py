"""What of a meter can be ordered about: its clock, its switch, its wallet and its memory, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from metersim.works.account import Account
from metersim.works.clock import MeterClock
from metersim.works.cost_control import CostControl
from metersim.works.memory import ControlMemory, Move
from metersim.works.switch import Switch

TRIED_FOR: Final = timedelta(minutes=1)
"""When a meter was first switched on, its relay was tried: it opened, and closed a minute later."""


class Controlled:
    """The parts of one meter that commands change.

    Args:
        character: what its relay and wallet are like.
        clock: its clock.
        customer_number: 12 digits.
        energy: hundredths of a kWh that each tariff has counted at a time; they never fall.
        current_a: the largest current of a phase at a time, in A.
        moved: told of every move of the contact.
        preset_cents: money that its wallet begins with.

    Attributes:
        clock: as given.
        switch: its switch.
        memory: what it obeyed.
        account: its wallet; ``None``: it has none.

    """

    def __init__(
        self,
        character: CostControl,
        *,
        clock: MeterClock,
        customer_number: str,
        energy: Callable[[datetime], Sequence[int]],
        current_a: Callable[[datetime], Decimal],
        moved: Callable[[datetime, bool], None] = lambda _at, _opened: None,
        preset_cents: int = 0,
    ) -> None:
        self.clock = clock
        trial = _trial(clock) if character.has_relay else ()
        self.memory = ControlMemory(shows=clock.shows, moves=trial)
        self.switch = Switch(
            memory=self.memory, since=clock.since, character=character, moved=moved, current_a=current_a
        )
        self.account: Account | None = None
        if character.payment == "local":
            self.account = Account(
                self.switch,
                since=clock.since,
                energy=energy,
                customer_number=customer_number,
                preset_cents=preset_cents,
            )

    def advance(self, at: datetime) -> None:
        """Let everything happen that is due up to ``at``.

        Raises:
            TimeWentBack: ``at`` is before the last time.

        """
        self.switch.advance(at)


def _trial(clock: MeterClock) -> Sequence[Move]:
    return tuple(
        Move(opened=opened, moved_at=at, shown_at=clock.shows(at), came_by="factory")
        for opened, at in ((True, clock.since), (False, clock.since + TRIED_FOR))
    )
