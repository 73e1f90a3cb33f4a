"""What of a meter can be ordered about: its switch, its wallet, its memory, brought through time together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal

from metersim.works.account import Account
from metersim.works.clock import MeterClock
from metersim.works.cost_control import CostControl
from metersim.works.memory import ControlMemory, trial_of_relay
from metersim.works.switch import Switch

Energy = Callable[[datetime], Sequence[int]]


class Controlled:
    """The parts of one meter that commands change.

    Args:
        character: what its relay and its wallet are like.
        clock: its clock.
        customer_number: 12 digits.
        energy: hundredths of a kWh that each tariff has counted at a time.
        current_a: the largest current of a phase at a time, in A.
        moved: told of every move of the contact.
        preset_cents: money that its wallet begins with, where it has one.

    Attributes:
        switch: its switch.
        memory: every control that it obeyed.
        account: its wallet; ``None``: it has none.

    """

    def __init__(
        self,
        character: CostControl,
        *,
        clock: MeterClock,
        customer_number: str,
        energy: Energy,
        current_a: Callable[[datetime], Decimal],
        moved: Callable[[datetime, bool], None],
        preset_cents: int,
    ) -> None:
        self._energy = energy
        self._leapt: tuple[int, ...] | None = None
        self._now = clock.since
        self._is_advancing = False
        trial = trial_of_relay(clock) if character.has_relay else ()
        self.memory = ControlMemory(shows=clock.shows, moves=trial)
        self.switch = Switch(
            memory=self.memory, since=clock.since, character=character, moved=moved, current_a=current_a
        )
        self.account: Account | None = None
        if character.payment == "local":
            self.account = Account(
                self.switch,
                since=clock.since,
                energy=self._charged,
                customer_number=customer_number,
                preset_cents=preset_cents,
            )

    def advance(self, at: datetime) -> datetime:
        """Let everything happen that is due up to ``at``.

        Args:
            at: true time; a clock of the simulator that went back is waited for.

        Returns:
            ``at``, or the later time to which everything was brought before.

        """
        self._now = max(at, self._now)
        with self._advancing():
            self.switch.advance(self._now)
        return self._now

    def before(self, at: datetime) -> None:
        """Something else is about to happen to the meter: what was due before it happens first."""
        if not self._is_advancing:
            self.advance(at)

    def happened(self, at: datetime, *, powered: bool, counted: Sequence[int] | None) -> None:
        """Something else happened to the meter.

        Args:
            at: when.
            powered: whether the meter works since.
            counted: what the registers had counted if they were set or cleared; the wallet pays for no leap.

        """
        if counted is not None:
            earlier = self._leapt or (0,) * len(counted)
            spans = zip(self._energy(at), counted, earlier, strict=True)
            self._leapt = tuple(now - then + leapt for now, then, leapt in spans)
        if not self._is_advancing and powered != self.switch.has_power:
            with self._advancing():
                (self.switch.power_up if powered else self.switch.power_down)(self._now)

    def _charged(self, at: datetime) -> Sequence[int]:
        counted = self._energy(at)
        if self._leapt is None:
            return counted
        return tuple(now - leapt for now, leapt in zip(counted, self._leapt, strict=True))

    @contextmanager
    def _advancing(self) -> Iterator[None]:
        """Within it, what the switch writes into the meter's history is no news to it."""
        self._is_advancing = True
        try:
            yield
        finally:
            self._is_advancing = False
