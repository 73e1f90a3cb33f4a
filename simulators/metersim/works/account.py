"""The wallet of a meter with local prepayment: money in by purchases, money out by energy, exactly.

Money is counted in millionths of a yuan, which is what 0.01 kWh costs at a price of four places, so nothing
is ever rounded; people and frames see cents, cut towards zero. Prices are yuan for a kWh of each tariff.

A purchase is known by its count: one more than the stored one is credited, the same one was credited before,
anything else is an error. Whatever fails changes nothing.

The account trips its switch itself, at the instant at which money and overdraft run out, and again whenever
somebody closes it without paying. Below the second alarm limit it only warns, as below the first. Who has
bought enough (the permit-close limit) may close again: with the key where there is one.
Source: control-and-prepayment, 2.2, 2.3 and 4.7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from metersim.works.memory import LOCAL_CAUSE, CameBy
from metersim.works.purchases import (
    CEILING_CENTS,
    AccountLimits,
    Cause,
    Seal,
    TopUpResult,
    sealed_by_nobody,
)
from metersim.works.switch import Command, Switch, TimeWentBack

__all__ = ["CEILING_CENTS", "PRICE_MAX", "TARIFFS", "Account", "AccountLimits", "Cause", "TopUpResult"]

TARIFFS: Final = 4
PRICE_MAX: Final = Decimal("9999.9999")

_MICROYUAN_PER_CENT = 10_000
_PRICE_UNIT = Decimal("0.0001")  # x 0.01 kWh is a millionth of a yuan
_MICROSECOND: Final = timedelta(microseconds=1)


class Account:
    """The wallet of one meter.

    Args:
        switch: its switch; the account moves it, and carries it through time (`advance` is enough for both).
        since: when the meter was first switched on, aware.
        energy: hundredths of a kWh that each tariff has counted at a time; they never fall and never roll
            over. It is asked for no time after one at which the switch moves before that is done.
        prices: yuan for a kWh of tariffs 1 to 4, 0 to 9,999.9999, four places.
        preset_cents: money that it begins with.
        limits: as said.
        customer_number: 12 digits; an opening of the account sets it.
        opened: whether the account was opened before.
        test_keys: its keys are test keys, under which alone it may be initialised.

    Raises:
        ValueError: a figure out of its range.

    """

    def __init__(
        self,
        switch: Switch,
        *,
        since: datetime,
        energy: Callable[[datetime], Sequence[int]],
        prices: Sequence[Decimal] = (Decimal("0.5"),) * TARIFFS,
        preset_cents: int = 0,
        limits: AccountLimits | None = None,
        customer_number: str = "0" * 12,
        opened: bool = False,
        test_keys: bool = True,
    ) -> None:
        _check_cents(preset_cents)
        self.switch = switch
        self.limits = limits or AccountLimits()
        self.customer_number = customer_number
        self.test_keys = test_keys
        self._energy = energy
        self._opened = opened
        self._count = 0
        self._credit = preset_cents * _MICROYUAN_PER_CENT
        self._purchased_cents = 0
        self._prices = _checked(prices)
        self._now = since
        self._settled = 0  # cost up to the last change of prices
        self._settled_energy = tuple(energy(since))
        switch.carried_by(self.advance)

    @property
    def opened(self) -> bool:
        """Whether the account was opened."""
        return self._opened

    @property
    def purchase_count(self) -> int:
        """Count of the last purchase."""
        return self._count

    @property
    def purchased_cents(self) -> int:
        """All that was ever bought, refunds taken off."""
        return self._purchased_cents

    @property
    def prices(self) -> tuple[Decimal, ...]:
        """Yuan for a kWh of tariffs 1 to 4."""
        return tuple(price * _PRICE_UNIT for price in self._prices)

    def set_prices(self, prices: Sequence[Decimal], at: datetime) -> None:
        """Charge other prices from now on.

        Raises:
            ValueError: not four prices of four places, 0 to 9,999.9999.

        """
        checked = _checked(prices)
        self.advance(at)
        self._settled, self._settled_energy = self._cost(at), tuple(self._energy(at))
        self._prices = checked

    def set_limits(self, limits: AccountLimits, at: datetime) -> None:
        """Have other limits from now on; who is broke by them is tripped at once."""
        self.advance(at)
        self.limits = limits
        self.advance(at)

    def balance_microyuan(self, at: datetime) -> int:
        """Money left, exactly; negative: what is overdrawn."""
        self.advance(at)
        return self._balance(at)

    def remaining_cents(self, at: datetime) -> int:
        """Money left, 0 or more."""
        return max(0, self.balance_microyuan(at)) // _MICROYUAN_PER_CENT

    def overdraft_cents(self, at: datetime) -> int:
        """What is overdrawn, 0 or more."""
        return max(0, -self.balance_microyuan(at)) // _MICROYUAN_PER_CENT

    def alarm_level(self, at: datetime) -> int:
        """0, or the number of the alarm that is on."""
        balance = self.balance_microyuan(at)
        if balance <= self.limits.alarm_2 * _MICROYUAN_PER_CENT:
            return 2
        return int(balance <= self.limits.alarm_1 * _MICROYUAN_PER_CENT)

    def advance(self, at: datetime) -> None:
        """Let everything happen that is due up to ``at``, of the account and of its switch, in its order.

        Raises:
            TimeWentBack: ``at`` is before the last time.

        """
        if at < self._now:
            raise TimeWentBack(f"{at.isoformat()} is before {self._now.isoformat()}; time never goes back")
        while True:
            due = self.switch.due_at
            step = at if due is None or due > at else due
            if (broke_at := self._broke_at(step)) is not None:
                self._now = broke_at
                self.switch.step(broke_at)
                self.switch.take(Command(kind="trip", came_by="account"))
                continue
            self._now = step
            self.switch.step(step)
            if step == at and self._broke_at(at) is None:
                return

    def open_account(
        self,
        amount_cents: int,
        count: int,
        customer: str,
        at: datetime,
        *,
        operator: str = LOCAL_CAUSE,
        came_by: CameBy = "645",
        customer_sealed: Seal = sealed_by_nobody,
        amount_sealed: Seal = sealed_by_nobody,
    ) -> TopUpResult:
        """Open the account with a first purchase; the customer number is kept.

        Args and result: as `top_up`; ``count`` must be 0 or 1.

        """
        self.advance(at)
        cause: Cause | None = None if customer_sealed() else "esam_verification_failed"
        if cause is None and self._opened:
            cause = "repeat_topup" if count == self._count else "purchase_count_error"
        elif cause is None and count not in {0, 1}:
            cause = "purchase_count_error"
        cause = cause or self._amount_objection(amount_cents, amount_sealed, at)
        cause = cause or self._remember("open_account", amount_cents, count, at, operator, came_by)
        if cause is None:
            self._opened, self.customer_number = True, customer
            self._credited(amount_cents, count, at)
        return self._result(cause, at)

    def top_up(
        self,
        amount_cents: int,
        count: int,
        customer: str,
        at: datetime,
        *,
        operator: str = LOCAL_CAUSE,
        came_by: CameBy = "645",
        customer_sealed: Seal = sealed_by_nobody,
        amount_sealed: Seal = sealed_by_nobody,
    ) -> TopUpResult:
        """Take a purchase.

        The checks go in the order of real meters: customer number, its seal, repeat, count, hoarding limit,
        seal of the amount.

        Args:
            amount_cents: 1 or more cents.
            count: number of the purchase.
            customer: customer number, 12 digits.
            at: true time, not before the last one.
            operator: operator code, 8 hexadecimal digits.
            came_by: how it came.
            customer_sealed: whether the MAC over the customer number is right; asked when its turn comes.
            amount_sealed: the same of the MAC over the amount.

        """
        self.advance(at)
        cause: Cause | None = None
        if customer != self.customer_number or not self._opened:
            cause = "customer_number_mismatch"
        elif not customer_sealed():
            cause = "esam_verification_failed"
        elif count == self._count:
            cause = "repeat_topup"
        elif count != self._count + 1:
            cause = "purchase_count_error"
        cause = cause or self._amount_objection(amount_cents, amount_sealed, at)
        cause = cause or self._remember("top_up", amount_cents, count, at, operator, came_by)
        if cause is None:
            self._credited(amount_cents, count, at)
        return self._result(cause, at)

    def refund(
        self,
        amount_cents: int,
        count: int,
        customer: str,
        at: datetime,
        *,
        operator: str = LOCAL_CAUSE,
        came_by: CameBy = "698.45",
        sealed: Seal = sealed_by_nobody,
    ) -> TopUpResult:
        """Give money back; the count must be that of the last purchase, and stays.

        Args and result: as `top_up`; there must be as much money as is given back.

        """
        self.advance(at)
        cause: Cause | None = None
        if customer != self.customer_number or not self._opened:
            cause = "customer_number_mismatch"
        elif not sealed():
            cause = "esam_verification_failed"
        elif count != self._count:
            cause = "purchase_count_error"
        elif not 0 < amount_cents * _MICROYUAN_PER_CENT <= self._balance(at):
            cause = "other"
        cause = cause or self._remember("refund", amount_cents, count, at, operator, came_by)
        if cause is None:
            self._credit -= amount_cents * _MICROYUAN_PER_CENT
            self._purchased_cents -= amount_cents
            self.advance(at)
        return self._result(cause, at)

    def initialise(
        self,
        preset_cents: int,
        count: int,
        at: datetime,
        *,
        operator: str = LOCAL_CAUSE,
        came_by: CameBy = "645",
        sealed: Seal = sealed_by_nobody,
    ) -> TopUpResult:
        """Begin again with a preset amount and no purchase; only under test keys, and with count 0."""
        self.advance(at)
        cause: Cause | None = None
        if not self.test_keys:
            cause = "other"
        elif not sealed():
            cause = "esam_verification_failed"
        elif count != 0:
            cause = "purchase_count_error"
        elif not 0 <= preset_cents <= CEILING_CENTS:
            cause = "hoarding_limit_exceeded"
        cause = cause or self._remember("initialise", preset_cents, count, at, operator, came_by)
        if cause is None:
            self._opened, self._count, self._purchased_cents = False, 0, 0
            self.customer_number = "0" * 12
            self._credit = self._cost(at) + preset_cents * _MICROYUAN_PER_CENT
            self.advance(at)
        return self._result(cause, at)

    def _cost(self, at: datetime) -> int:
        """Millionths of a yuan that all energy up to ``at`` has cost."""
        counted = zip(self._energy(at), self._settled_energy, self._prices, strict=True)
        return self._settled + sum((now - before) * price for now, before, price in counted)

    def _balance(self, at: datetime) -> int:
        return self._credit - self._cost(at)

    def _is_broke(self, at: datetime) -> bool:
        return self._balance(at) <= -self.limits.overdraft * _MICROYUAN_PER_CENT

    def _broke_at(self, until: datetime) -> datetime | None:
        """The first instant up to ``until`` at which the switch has to trip for want of money."""
        switch = self.switch
        if switch.command_open or switch.guarantee or switch.memory.is_full or not switch.has_power:
            return None
        if not self._is_broke(until):
            return None
        low, high = self._now, until
        if self._is_broke(low):
            return low
        while high - low > _MICROSECOND:
            middle = low + (high - low) / 2
            low, high = (low, middle) if self._is_broke(middle) else (middle, high)
        return high

    def _amount_objection(self, amount_cents: int, sealed: Seal, at: datetime) -> Cause | None:
        most = min(self.limits.hoarding, CEILING_CENTS) * _MICROYUAN_PER_CENT
        if amount_cents <= 0:
            return "other"
        if max(0, self._balance(at)) + amount_cents * _MICROYUAN_PER_CENT > most:
            return "hoarding_limit_exceeded"
        return None if sealed() else "esam_verification_failed"

    def _remember(
        self, kind: str, cents: int, count: int, at: datetime, operator: str, came_by: CameBy
    ) -> Cause | None:
        """Put it into the memory; why it cannot be done when there is no room."""
        memory = self.switch.memory
        if memory.is_full:
            memory.turn_away()
            return "other"
        details = {"amount_cents": str(cents), "purchase_count": str(count)}
        memory.obeyed(kind, at, came_by=came_by, operator=operator, details=details)
        return None

    def _credited(self, amount_cents: int, count: int, at: datetime) -> None:
        tripped_itself = self.switch.opened_by == "account"
        self._credit += amount_cents * _MICROYUAN_PER_CENT
        self._purchased_cents += amount_cents
        self._count = count
        enough = self._balance(at) > self.limits.permit_close * _MICROYUAN_PER_CENT
        if tripped_itself and enough:
            self.switch.obey(Command(kind="permit_close", came_by="account"), at)

    def _result(self, cause: Cause | None, at: datetime) -> TopUpResult:
        remaining = max(0, self._balance(at)) // _MICROYUAN_PER_CENT
        return TopUpResult(cause=cause, remaining_cents=remaining, purchase_count=self._count)


def _checked(prices: Sequence[Decimal]) -> tuple[int, ...]:
    """Prices in their smallest unit."""
    if len(prices) != TARIFFS:
        raise ValueError(f"{len(prices)} prices: there are {TARIFFS} tariffs")
    for price in prices:
        if not 0 <= price <= PRICE_MAX or price % _PRICE_UNIT:
            raise ValueError(f"a price of {price} yuan for a kWh: 0 to {PRICE_MAX}, four places at most")
    return tuple(int(price / _PRICE_UNIT) for price in prices)


def _check_cents(cents: int) -> None:
    if not 0 <= cents <= CEILING_CENTS:
        raise ValueError(f"{cents} cents are outside 0..{CEILING_CENTS}")
