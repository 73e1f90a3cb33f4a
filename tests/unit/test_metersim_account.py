"""The wallet of a meter: purchases, exact debits, and a switch that it trips by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metersim.works.account import CEILING_CENTS, PRICE_MAX, Account, AccountLimits, TopUpResult
from metersim.works.cost_control import LOCAL, CostControl
from metersim.works.memory import ControlMemory
from metersim.works.switch import Command, State, Switch, TimeWentBack

T0 = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
CUSTOMER = "000012345678"
PRICES = (Decimal("1.2"), Decimal("0.9"), Decimal("0.5"), Decimal("0.3333"))
YUAN = 100  # in cents
MICROYUAN = 10_000  # in a cent


class House:
    """A load of so many watts while its contact is closed, and its meter's registers; tariffs by the hour."""

    def __init__(self, watts: int = 1000) -> None:
        self._watts = watts
        self._moves: list[tuple[datetime, bool]] = []

    def moved(self, at: datetime, opened: bool) -> None:
        assert not self._moves or self._moves[-1][0] <= at
        self._moves.append((at, opened))

    def energy(self, at: datetime) -> tuple[int, ...]:
        """Hundredths of a kWh of tariff 3 by day and of 4 by night, each counted while supplied."""
        spans: list[tuple[datetime, datetime]] = []
        start: datetime | None = T0
        for moment, opened in [*self._moves, (at, True)]:
            if opened and start is not None:
                spans.append((start, min(moment, at)))
            start = None if opened else moment
        us = [sum(_daylight(*span) for span in spans), 0]
        us[1] = sum((end - begin) // MICROSECOND for begin, end in spans if end > begin) - us[0]
        return (0, 0, *(part * self._watts // 36_000_000_000 for part in us))


def _daylight(begin: datetime, end: datetime) -> int:
    """Microseconds between 06:00 and 18:00 of each day."""
    if end <= begin:
        return 0
    return _day_us(end) - _day_us(begin)


def _day_us(at: datetime) -> int:
    days, within = divmod(at - T0, timedelta(days=1))
    return (days * 12 * HOUR + min(max(within - 6 * HOUR, timedelta()), 12 * HOUR)) // MICROSECOND


def a_meter(character: CostControl = LOCAL, watts: int = 1000, **more: Any) -> Account:
    house = House(watts)
    memory = ControlMemory(shows=lambda at: at)
    switch = Switch(memory=memory, since=T0, character=character, moved=house.moved)
    more = {"prices": PRICES, "opened": True, "customer_number": CUSTOMER, **more}
    return Account(switch, since=T0, energy=house.energy, **more)


def state_of(account: Account) -> State:
    return account.switch.state


def bought(account: Account, yuan: int, at: datetime, count: int | None = None) -> TopUpResult:
    number = account.purchase_count + 1 if count is None else count
    return account.top_up(yuan * YUAN, number, CUSTOMER, at)


def test_energy_is_debited_exactly_by_its_tariff() -> None:
    """Money would be lost or made by rounding, or a night's energy would cost the day's price."""
    account = a_meter(preset_cents=100 * YUAN)
    assert 100 * YUAN * MICROYUAN == account.balance_microyuan(T0)
    # 6 kWh of the night at 0.3333, 2 of the day at 0.5.
    assert 100 * YUAN * MICROYUAN - 1_999_800 - 1_000_000 == account.balance_microyuan(T0 + 8 * HOUR)
    assert 9700 == account.remaining_cents(T0 + 8 * HOUR)


def test_other_prices_hold_from_when_they_are_set() -> None:
    """A new price would be charged for energy that was used before."""
    account = a_meter(preset_cents=100 * YUAN)
    account.set_prices((Decimal(1),) * 4, T0 + 8 * HOUR)
    assert (Decimal(1),) * 4 == account.prices
    assert 100_000_000 - 2_999_800 - 3_000_000 == account.balance_microyuan(T0 + 11 * HOUR)


def test_the_account_trips_at_the_instant_at_which_money_runs_out() -> None:
    """A meter would supply for nothing, or cut somebody off who has money."""
    account = a_meter(preset_cents=3 * YUAN, prices=(Decimal("0.5"),) * 4)
    account.advance(T0 + 30 * HOUR)
    (move,) = account.switch.memory.moves
    assert (T0 + 6 * HOUR, True, "account", "00000000") == (
        move.moved_at,
        move.opened,
        move.came_by,
        move.operator,
    )
    assert 1 == account.switch.memory.count("trip")
    assert (0, 0) == (account.remaining_cents(T0 + 30 * HOUR), account.overdraft_cents(T0 + 30 * HOUR))


def test_an_overdraft_is_used_up_before_it_trips() -> None:
    """Who may overdraw would be cut off at nothing, or the overdraft would not be shown."""
    account = a_meter(
        preset_cents=3 * YUAN, prices=(Decimal("0.5"),) * 4, limits=AccountLimits(overdraft=2 * YUAN)
    )
    account.advance(T0 + 8 * HOUR)
    assert (0, 100) == (account.remaining_cents(T0 + 8 * HOUR), account.overdraft_cents(T0 + 8 * HOUR))
    account.advance(T0 + 30 * HOUR)
    assert [T0 + 10 * HOUR] == [move.moved_at for move in account.switch.memory.moves]
    assert 2 * YUAN == account.overdraft_cents(T0 + 30 * HOUR)


def test_the_alarms() -> None:
    """Nobody would be warned, or the two limits would be taken for one another."""
    limits = AccountLimits(alarm_1=200, alarm_2=100)
    account = a_meter(preset_cents=3 * YUAN, prices=(Decimal("0.5"),) * 4, limits=limits)
    levels = [account.alarm_level(T0 + hours * HOUR) for hours in range(7)]
    assert [0, 0, 1, 1, 2, 2, 2] == levels


@pytest.mark.parametrize(("has_key", "state"), [(True, State.WAITS_FOR_KEY), (False, State.CLOSED)])
def test_who_has_paid_may_close_again(has_key: bool, state: State) -> None:
    """A customer would stay in the dark with money in the meter."""
    account = a_meter(CostControl(payment="local", has_key=has_key))
    account.advance(T0 + HOUR)
    assert State.OPEN is state_of(account)
    result = bought(account, 50, T0 + HOUR)
    assert TopUpResult(cause=None, remaining_cents=5000, purchase_count=1) == result
    assert state is state_of(account)
    if has_key:
        assert account.switch.press_key(T0 + 2 * HOUR)
    assert {"trip": 1, "top_up": 1, "permit_close": 1} == account.switch.memory.counts()


def test_too_little_does_not_close_again() -> None:
    """The permit-close limit would be of no use; or two purchases together would not be enough."""
    account = a_meter(limits=AccountLimits(permit_close=10 * YUAN))
    assert bought(account, 10, T0 + HOUR).done
    assert State.OPEN is state_of(account)
    assert bought(account, 1, T0 + 2 * HOUR).done
    assert State.WAITS_FOR_KEY is state_of(account)


def test_a_purchase_does_not_take_back_what_others_ordered() -> None:
    """A customer who is disconnected for another reason would reconnect by buying."""
    account = a_meter(preset_cents=100 * YUAN)
    account.switch.obey(Command(kind="trip"), T0)
    assert bought(account, 50, T0 + HOUR).done
    assert State.OPEN is state_of(account)


def test_who_closes_without_money_is_tripped_again() -> None:
    """A remote close of an empty meter would supply for nothing for ever."""
    account = a_meter()
    account.advance(T0 + HOUR)
    account.switch.obey(Command(kind="direct_close"), T0 + 2 * HOUR)
    assert State.OPEN is state_of(account)
    assert 2 == account.switch.memory.count("trip")


def test_a_guarantee_supplies_without_money_and_its_end_trips() -> None:
    """A guarantee would fail for want of money, or its end would forget the debt (fact 5)."""
    account = a_meter(CostControl(payment="local", guarantee_on="closes"))
    account.advance(T0 + HOUR)
    account.switch.obey(Command(kind="guarantee_on"), T0 + HOUR)
    account.advance(T0 + 10 * HOUR)
    assert State.CLOSED is state_of(account)
    account.switch.obey(Command(kind="guarantee_off"), T0 + 10 * HOUR)
    assert State.OPEN is state_of(account)
    assert T0 + 10 * HOUR == account.switch.memory.moves[-1].moved_at
    assert account.overdraft_cents(T0 + 10 * HOUR) > 0


def test_a_trip_for_a_while_ends_before_the_money_does() -> None:
    """What is due at different instants would happen in the order of somebody's questions."""
    account = a_meter(preset_cents=3 * YUAN, prices=(Decimal("0.5"),) * 4)
    command = Command(kind="trip_auto_direct_close", reclose_after=HOUR)
    account.switch.obey(command, T0 + HOUR)
    account.advance(T0 + 100 * HOUR)
    expected = [(T0 + HOUR, True), (T0 + 2 * HOUR, False), (T0 + 7 * HOUR, True)]
    assert expected == [(move.moved_at, move.opened) for move in account.switch.memory.moves]


def test_a_purchase_is_credited_once() -> None:
    """A lost answer would pay twice, or a purchase could be left out."""
    account = a_meter()
    assert bought(account, 100, T0, count=1).done
    assert "repeat_topup" == bought(account, 100, T0, count=1).cause
    assert "purchase_count_error" == bought(account, 100, T0, count=3).cause
    assert "purchase_count_error" == bought(account, 100, T0, count=0).cause
    assert bought(account, 7, T0, count=2).done
    assert (107 * YUAN, 10_700, 2) == (
        account.remaining_cents(T0),
        account.purchased_cents,
        account.switch.memory.count("top_up"),
    )


def test_the_order_of_the_checks() -> None:
    """A wrong customer number would touch the wallet, or a head-end would be told another reason."""
    account = a_meter(limits=AccountLimits(hoarding=10 * YUAN))
    asked: list[str] = []

    def seal(name: str, right: bool) -> Any:
        def is_right() -> bool:
            asked.append(name)
            return right

        return is_right

    def cause(customer: str, count: int, yuan: int, *right: bool) -> str | None:
        asked.clear()
        seals = {
            f"{name}_sealed": seal(name, one) for name, one in zip(("customer", "amount"), right, strict=True)
        }
        return account.top_up(yuan * YUAN, count, customer, T0, **seals).cause

    assert "customer_number_mismatch" == cause("000000000001", 0, 99, False, False)
    assert [] == asked
    assert "esam_verification_failed" == cause(CUSTOMER, 0, 99, False, False)
    assert ["customer"] == asked
    assert "repeat_topup" == cause(CUSTOMER, 0, 99, True, False)
    assert "purchase_count_error" == cause(CUSTOMER, 2, 99, True, False)
    assert "hoarding_limit_exceeded" == cause(CUSTOMER, 1, 11, True, False)
    assert ["customer"] == asked
    assert "esam_verification_failed" == cause(CUSTOMER, 1, 10, True, False)
    assert (0, ()) == (
        account.remaining_cents(T0),
        tuple(x for x in account.switch.memory.controls if x.kind == "top_up"),
    )
    assert cause(CUSTOMER, 1, 10, True, True) is None
    assert ["customer", "amount"] == asked


def test_limits_of_money() -> None:
    """A register of six places and two would overflow, or nothing at all could be bought."""
    account = a_meter()
    whole = account.top_up(CEILING_CENTS, 1, CUSTOMER, T0)
    assert (True, CEILING_CENTS) == (whole.done, whole.remaining_cents)
    assert "hoarding_limit_exceeded" == account.top_up(1, 2, CUSTOMER, T0).cause
    for nothing in (0, -1):
        assert "other" == account.top_up(nothing, 2, CUSTOMER, T0).cause
    with pytest.raises(ValueError, match="cents are outside"):
        a_meter(preset_cents=CEILING_CENTS + 1)
    with pytest.raises(ValueError, match="alarm_1 of"):
        AccountLimits(alarm_1=CEILING_CENTS + 1)
    for prices in ((Decimal(1),) * 3, (PRICE_MAX + 1,) * 4, (Decimal("0.00001"),) * 4, (Decimal(-1),) * 4):
        with pytest.raises(ValueError, match="price"):
            account.set_prices(prices, T0)
    assert PRICES == account.prices


@pytest.mark.parametrize("count", [0, 1])
def test_an_account_is_opened_once(count: int) -> None:
    """An account could be opened twice, or topped up before it is opened."""
    account = a_meter(opened=False, customer_number="0" * 12)
    assert "customer_number_mismatch" == bought(account, 1, T0).cause
    assert "purchase_count_error" == account.open_account(5000, 2, CUSTOMER, T0).cause
    assert account.open_account(5000, count, CUSTOMER, T0).done
    assert (True, CUSTOMER, count, 5000) == (
        account.opened,
        account.customer_number,
        account.purchase_count,
        account.remaining_cents(T0),
    )
    assert "repeat_topup" == account.open_account(5000, count, CUSTOMER, T0).cause
    assert "purchase_count_error" == account.open_account(5000, 1 - count, CUSTOMER, T0).cause
    assert bought(account, 1, T0, count=count + 1).done


def test_a_refund_wants_the_count_of_the_last_purchase_and_the_money() -> None:
    """Money could be given back that is not there, or by a stranger."""
    account = a_meter()
    bought(account, 50, T0)
    assert "purchase_count_error" == account.refund(1000, 2, CUSTOMER, T0).cause
    assert "customer_number_mismatch" == account.refund(1000, 1, "000000000001", T0).cause
    assert "esam_verification_failed" == account.refund(1000, 1, CUSTOMER, T0, sealed=lambda: False).cause
    assert "other" == account.refund(5001, 1, CUSTOMER, T0).cause
    result = account.refund(1000, 1, CUSTOMER, T0)
    assert TopUpResult(cause=None, remaining_cents=4000, purchase_count=1) == result
    assert 4000 == account.purchased_cents
    assert account.refund(4000, 1, CUSTOMER, T0).done
    assert State.OPEN is state_of(account)


def test_a_wallet_is_initialised_under_test_keys_only() -> None:
    """A meter in the field could be given money out of nothing."""
    account = a_meter()
    bought(account, 50, T0)
    assert "purchase_count_error" == account.initialise(100, 1, T0).cause
    assert "esam_verification_failed" == account.initialise(100, 0, T0, sealed=lambda: False).cause
    assert "hoarding_limit_exceeded" == account.initialise(CEILING_CENTS + 1, 0, T0).cause
    assert account.initialise(100, 0, T0).done
    assert (False, 0, 100) == (account.opened, account.purchase_count, account.remaining_cents(T0))
    production = a_meter(test_keys=False)
    assert "other" == production.initialise(100, 0, T0).cause


def test_time_never_goes_back() -> None:
    """A wallet would be asked for a balance that it can no longer know."""
    account = a_meter(preset_cents=100 * YUAN)
    account.advance(T0 + HOUR)
    with pytest.raises(TimeWentBack):
        account.remaining_cents(T0)


stories = st.lists(
    st.tuples(
        st.integers(1, 20_000),  # seconds
        st.sampled_from(
            ["buy", "repeat", "trip", "direct_close", "permit_close", "key", "guarantee_on", "guarantee_off"]
        ),
        st.integers(1, 5),  # yuan
    ),
    max_size=20,
)


def played(
    story: list[tuple[int, str, int]], *, look_every: timedelta | None
) -> tuple[Account, datetime, int]:
    account, at, done = a_meter(watts=1237, preset_cents=100), T0, 0
    for after_s, what, yuan in story:
        until = at + timedelta(seconds=after_s)
        while look_every is not None and at + look_every < until:
            at += look_every
            account.advance(at)
        at = until
        match what:
            case "buy":
                done += bought(account, yuan, at).done * yuan
            case "repeat":
                assert not bought(account, yuan, at, count=account.purchase_count).done
            case "key":
                account.switch.press_key(at)
            case _:
                account.switch.obey(Command(kind=what), at)  # type: ignore[arg-type]
    return account, at, done


@given(stories)
def test_laziness_cannot_be_seen_and_no_money_is_lost(story: list[tuple[int, str, int]]) -> None:
    """A balance or a trip would depend on who asked when, or money would come or go by itself."""
    lazy, at, credited = played(story, look_every=None)
    eager, _, _ = played(story, look_every=timedelta(seconds=1009))
    end = at + 20 * HOUR
    assert lazy.balance_microyuan(end) == eager.balance_microyuan(end)
    assert lazy.switch.memory.moves == eager.switch.memory.moves
    assert lazy.switch.memory.controls == eager.switch.memory.controls
    top_ups = [one for one in lazy.switch.memory.controls if one.kind == "top_up"]
    assert credited * YUAN == sum(int(one.details["amount_cents"]) for one in top_ups)
    assert list(range(1, len(top_ups) + 1)) == [int(one.details["purchase_count"]) for one in top_ups]
    spent = (YUAN + credited * YUAN) * MICROYUAN - lazy.balance_microyuan(end)
    energy = lazy._energy(end)
    assert spent == sum(int(price * 10_000) * ticks for price, ticks in zip(PRICES, energy, strict=True))
    assert lazy.switch.guarantee or lazy.switch.contact_open or lazy.balance_microyuan(end) > 0
