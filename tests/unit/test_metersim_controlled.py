"""A switch and a wallet among the other works of a meter: what flows, what is counted, and power cuts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from metersim.works.account import Account
from metersim.works.controlled import Wallet
from metersim.works.cost_control import LOCAL, CostControl
from metersim.works.load import Load
from metersim.works.plate import Plate
from metersim.works.switch import Command, State
from metersim.works.works import Works

T0 = datetime(2026, 5, 1, 4, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TOTAL = "forward_active_energy"
NOBODY = frozenset("abc")


def some_works(control: CostControl = LOCAL, *, preset_cents: int = 10_000, **more: Any) -> Works:
    plate = Plate(address="000000000161")
    wallet = Wallet(preset_cents=preset_cents) if control.payment == "local" else None
    return Works(plate, seed=1, control=control, wallet=wallet, since=T0, **more)


def account_of(works: Works) -> Account:
    assert works.account is not None
    return works.account


def test_nothing_flows_and_nothing_is_counted_behind_an_open_contact() -> None:
    """A disconnected customer would go on drawing, and paying."""
    works = some_works()
    works.switch.obey(Command(kind="trip"), T0 + HOUR)
    at_trip = works.value(TOTAL, T0 + HOUR)
    left = account_of(works).balance_microyuan(T0 + HOUR)
    assert (at_trip, Decimal("0.000")) == (works.value(TOTAL, T0 + DAY), works.current_a(T0 + DAY))
    assert left == account_of(works).balance_microyuan(T0 + DAY)
    works.switch.obey(Command(kind="direct_close"), T0 + DAY)
    assert (works.value(TOTAL, T0 + 2 * DAY) or 0) > (at_trip or 0)


def test_every_debit_is_a_tick_of_the_register() -> None:
    """Money and energy would tell two stories."""
    works = some_works()
    before = works.value(TOTAL, T0)
    used = (works.value(TOTAL, T0 + DAY) or Decimal()) - (before or Decimal())
    assert Decimal(10_000) / 100 - used * Decimal("0.5") == account_of(works).balance_microyuan(
        T0 + DAY
    ) * Decimal("0.000001")


def test_a_late_look_finds_the_same_instant_and_the_same_registers() -> None:
    """When the money ran out would depend on when somebody looked."""
    late, often = some_works(preset_cents=500), some_works(preset_cents=500)
    for minutes in range(0, 2 * 1440, 7):
        often.advance(T0 + minutes * MINUTE)
    late.advance(T0 + 2 * DAY)
    assert often.memory.moves == late.memory.moves
    assert State.OPEN is late.switch.state
    assert often.value(TOTAL, T0 + 2 * DAY) == late.value(TOTAL, T0 + 2 * DAY)
    broke_at = late.memory.moves[-1].moved_at
    assert late.value(TOTAL, broke_at) == late.value(TOTAL, T0 + 2 * DAY)
    assert late.history.at(broke_at).contact_open


def test_what_was_due_happens_before_what_somebody_does() -> None:
    """A row of the history would be refused because a trip that was due before it was not looked for."""
    works = some_works(preset_cents=500)
    works.history.change(T0 + 2 * DAY, cover_open=True)
    assert [False, True, True] == [row.conditions.contact_open for row in works.history.rows]
    assert works.history.last.conditions.cover_open
    assert T0 + 2 * DAY > works.memory.moves[-1].moved_at


@pytest.mark.parametrize(
    ("kind", "after"),
    [("trip_auto_direct_close", State.CLOSED), ("trip_auto_permit_close", State.WAITS_FOR_KEY)],
)
def test_an_outage_ends_a_trip_for_a_while(kind: Any, after: State) -> None:
    """A power cut in a plant would pass its switches by."""
    works = some_works()
    works.switch.obey(Command(kind=kind, reclose_after=DAY), T0 + HOUR)
    works.history.change(T0 + 2 * HOUR, without_supply=NOBODY)
    works.advance(T0 + 3 * HOUR)
    assert (State.OPEN_FOR_A_WHILE, False) == (works.switch.state, works.switch.has_power)
    works.history.change(T0 + 4 * HOUR, without_supply=frozenset())
    assert (after, True) == (works.switch.state, works.switch.has_power)
    assert works.history.last.conditions.contact_open == (after is State.WAITS_FOR_KEY)


def test_an_outage_of_one_phase_is_none() -> None:
    """A meter of three phases would forget its switch with the first one."""
    works = some_works()
    works.history.change(T0 + HOUR, without_supply=frozenset("a"))
    assert works.switch.has_power


def test_registers_that_are_set_cost_nothing() -> None:
    """Who clears or exchanges a meter would empty its wallet, or fill it."""
    works = some_works()
    left = account_of(works).balance_microyuan(T0 + HOUR)
    works.history.happen(T0 + HOUR, "registers_cleared")
    assert left == account_of(works).balance_microyuan(T0 + HOUR)
    works.history.happen(T0 + HOUR, "register_set", **{f"{TOTAL}.t1": Decimal(5000)})
    assert left == account_of(works).balance_microyuan(T0 + HOUR)
    assert left > account_of(works).balance_microyuan(T0 + 2 * HOUR) > left - 1_000_000


def test_a_trip_is_held_by_the_current_that_really_flows() -> None:
    """The protection of the contact would look at something else."""
    works = some_works(CostControl(), load=Load(mean_kw=Decimal(8)))
    works.switch.trip_current_a, works.switch.trip_wait = Decimal(1), 10 * MINUTE
    works.switch.obey(Command(kind="trip"), T0 + HOUR)
    assert State.TRIP_HELD is works.switch.state
    works.history.change(T0 + HOUR + 150 * timedelta(seconds=1), load_per_mille=0)
    works.advance(T0 + 2 * HOUR)
    assert T0 + HOUR + 3 * MINUTE == works.memory.moves[-1].moved_at


def test_a_clock_that_goes_back_is_waited_for() -> None:
    """A step of the simulator's wall clock would end it."""
    works = some_works()
    assert T0 + HOUR == works.advance(T0 + HOUR)
    assert T0 + HOUR == works.advance(T0)
    assert T0 + DAY == works.advance(T0 + DAY)


def test_what_somebody_worked_out_before_does_not_undo_a_move() -> None:
    """Tampering with a meter would close the contact that its empty wallet has just opened."""
    works = some_works(preset_cents=500)
    before = works.history.last.conditions
    works.history.become(T0 + 2 * DAY, replace(before, magnetic_field=True))
    last = works.history.last.conditions
    assert (True, True) == (last.contact_open, last.magnetic_field)
    works.history.become(T0 + 3 * DAY, replace(last, contact_open=False))  # a welded contact
    assert not works.history.last.conditions.contact_open
    assert "0040" == f"{int(str(works.content('meter_status_word_3', T0 + 3 * DAY)), 16) & 0x0050:04X}"


@pytest.mark.parametrize("kind", ["direct_close", "alarm_off"])
def test_a_contact_that_somebody_closes_without_paying_opens_again(kind: Any) -> None:
    """The switch would be open, the wire closed, and energy free for ever."""
    works = some_works(replace(LOCAL, alarm_is_breaker=True), preset_cents=500)
    works.advance(T0 + 3 * DAY)
    assert works.switch.contact_open, "the money is spent"
    works.switch.obey(Command(kind=kind), T0 + 3 * DAY)
    for days in (3, 4, 6):
        works.advance(T0 + days * DAY)
        assert works.switch.contact_open
        assert works.history.at(T0 + days * DAY).contact_open
    assert works.value(TOTAL, T0 + 3 * DAY) == works.value(TOTAL, T0 + 6 * DAY)
