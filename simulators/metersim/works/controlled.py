"""What of a meter can be ordered about: its switch, its wallet, its memory, brought through time together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from metersim.works.account import Account, AccountLimits
from metersim.works.clock import MeterClock
from metersim.works.cost_control import CostControl
from metersim.works.memory import ControlMemory, trial_of_relay
from metersim.works.plate import Plate
from metersim.works.switch import Switch

Energy = Callable[[datetime], Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """What a local wallet begins with.

    Args:
        prices: yuan for a kWh of tariffs 1 to 4.
        preset_cents: money in it.
        limits: at what amounts it does something; ``None``: as usual.
        opened: whether the account was opened.

    """

    prices: tuple[Decimal, ...] = (Decimal("0.5"),) * 4
    preset_cents: int = 0
    limits: AccountLimits | None = None
    opened: bool = False


class Controlled:
    """The parts of one meter that commands change.

    Args:
        character: what its relay and its wallet are like.
        clock: its clock.
        plate: of the meter that hangs there now.
        energy: hundredths of a kWh that each tariff has counted at a time, whatever its register was set to.
        current_a: the largest current of a phase at a time, in A.
        moved: told of every move of the contact.
        wallet: what its wallet begins with; ``None``: an account that nobody has opened yet.

    Attributes:
        switch: its switch.
        memory: every control that it obeyed.
        account: its wallet; ``None``: it has none.

    Raises:
        ValueError: a wallet for a meter whose character has none.

    """

    def __init__(
        self,
        character: CostControl,
        *,
        clock: MeterClock,
        plate: Callable[[], Plate],
        energy: Energy,
        current_a: Callable[[datetime], Decimal],
        moved: Callable[[datetime, bool], None],
        wallet: Wallet | None,
    ) -> None:
        self._now = clock.since
        self._is_advancing = False
        trial = trial_of_relay(clock) if character.has_relay else ()
        if wallet is not None and character.payment != "local":
            raise ValueError(f"a wallet for a meter of payment {character.payment!r}: it has none")
        self.memory = ControlMemory(
            shows=clock.shows,
            moves=trial,
            meter_number=lambda: plate().meter_number,
            tells_moves=character.keeps_records,
        )
        self._plate = plate
        self._energy = energy
        self._wallet = wallet or Wallet()
        self._new_switch = functools.partial(
            Switch, memory=self.memory, character=character, moved=moved, current_a=current_a
        )
        self.switch = self._new_switch(since=clock.since)
        self.account = self._new_account(clock.since)

    @property
    def now(self) -> datetime:
        """The time to which everything was brought."""
        return self._now

    def advance(self, at: datetime) -> datetime:
        """Let everything happen that is due up to ``at``.

        Args:
            at: true time; a clock of the simulator that went back is waited for.

        Returns:
            ``at``, or the later time to which everything was brought before.

        """
        self._now = max(self._now, at)
        if self.account is None and self.switch.due_at is None:
            return self._now  # nothing can be due, as with most meters at most times
        with self.advancing():
            self.switch.advance(self._now)
        return self._now

    def exchange(self, at: datetime) -> None:
        """Another meter of the same kind hangs there: its contact is closed, and its wallet is a new one's.

        Args:
            at: true time; everything was brought to it.

        """
        self.switch = self._new_switch(since=at)
        self.account = self._new_account(at)

    def before(self, at: datetime) -> None:
        """Something else is about to happen to the meter: what was due before it happens first."""
        if not self._is_advancing:
            self.advance(at)

    def happened(self, *, powered: bool) -> None:
        """Something else happened to the meter.

        Args:
            powered: whether the meter works since.

        """
        if not self._is_advancing and powered != self.switch.has_power:
            with self.advancing():
                (self.switch.power_up if powered else self.switch.power_down)(self._now)

    def status_bits(self) -> int:
        """Bits of status word 3 that switch and wallet know, as of the last advance.

        Not among them are the contact, which is a condition of the meter (bit 4 is set where it is shown the
        wrong way round), and the identity authentication.
        Source: control-and-prepayment, 1.5.
        """
        switch, account = self.switch, self.account
        payment = switch.character.payment
        if switch.character.status_word == "vendor":
            bits = {1: switch.command_open, 9: True}
        else:
            warns = account is not None and account.alarm_level(self._now) > 0
            bits = {6: switch.command_open, 7: switch.alarm or warns, 9: account is not None}
            bits[15] = payment == "local"  # the head-end opened no account with it
            bits[4] = switch.character.status_word == "inverted"
        bits |= {12: switch.guarantee, 14: payment != "none" and (account is None or not account.opened)}
        return sum(1 << bit for bit, is_set in bits.items() if is_set)

    def _new_account(self, since: datetime) -> Account | None:
        if self.switch.character.payment != "local":
            return None
        wallet = self._wallet
        return Account(
            self.switch,
            since=since,
            energy=self._energy,
            customer_number=self._plate().customer_number,
            prices=wallet.prices,
            preset_cents=wallet.preset_cents,
            limits=wallet.limits,
            opened=wallet.opened,
        )

    @contextmanager
    def advancing(self) -> Iterator[None]:
        """Within it, what the switch writes into the meter's history is no news to it."""
        was_advancing, self._is_advancing = self._is_advancing, True
        try:
            yield
        finally:
            self._is_advancing = was_advancing
