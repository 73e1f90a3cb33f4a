"""Money compared: channels, wallets, counts; at the limits of what may differ."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from meterlink.drivers.control import Purse
from meterlink.model.order import OrderKind, OrderState
from meterlink.model.payload import time_out
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.evidence.records import BalanceStatement, Payment, parse
from meterlink.orders.evidence.told import Kept, Told
from meterlink.orders.life.life import Life
from meterlink.orders.reconciliation.compare import (
    SPAN_MAX,
    TOLERANCE_CENTS,
    MeterMoney,
    PaidSince,
    Verdict,
    channels,
    money_of,
    paid_since,
)
from tests.support.orders import NOON, at_state, purse

DAY = date(2026, 11, 24)


def top_up(state: OrderState, **fields: Any) -> Life:
    """A top-up of 100 yuan with count 5, for the payment p1."""
    life = at_state(state, OrderKind.TOP_UP, payment="billing:p1").life
    return dataclasses.replace(life, **fields)


def payment(name: str, at: Any = NOON, channel: str = "counter", cents: int = 10_000) -> Payment:
    record = parse(
        {
            "kind": "payment",
            "id": name,
            "sender": "billing",
            "at": time_out(at),
            "meter": "m1",
            "amount_cents": cents,
            "settles": True,
            "channel": channel,
        }
    )
    assert isinstance(record, Payment)
    return record


def ledger(cents: int, at: datetime = NOON) -> BalanceStatement:
    record = parse(
        {
            "kind": "balance_statement",
            "id": "b1",
            "sender": "billing",
            "at": time_out(at),
            "meter": "m1",
            "balance_cents": cents,
        }
    )
    assert isinstance(record, BalanceStatement)
    return record


def wallet(cents: int, count: int = 5) -> Purse:
    return purse(remaining_cents=cents, purchase_count=count)


def test_channels_of_a_day() -> None:
    """Money of one channel would clear the gap of another, or yesterday's that of today (TOP-06)."""
    paid = [
        payment("p1"),
        payment("p2", cents=500),
        payment("p3", channel="app"),
        payment("p4", at=NOON - timedelta(days=1)),
    ]
    app, counter = channels(paid, [top_up(OrderState.DONE)], DAY, CHINA_TIME)
    assert ("app", 10_000, 0, ("billing:p3",)) == (app.name, app.gap_cents, app.settled_cents, app.waiting)
    assert (10_500, 10_000, 500) == (counter.received_cents, counter.settled_cents, counter.gap_cents)
    assert ("billing:p2",) == counter.waiting


def test_a_payment_that_two_senders_told_is_counted_once() -> None:
    """The same money would be booked twice, and the day never agree (TOP-06)."""
    first = payment("p1").model_copy(update={"transfer": "T-7"})
    again = payment("77").model_copy(update={"transfer": "t-7", "sender": "bank"})
    others = [payment("p2"), payment("p3"), again.model_copy(update={"meter": "m2", "id": "78"})]
    (counter,) = channels([first, again, *others], [top_up(OrderState.DONE)], DAY, CHINA_TIME)
    assert (40_000, 10_000) == (counter.received_cents, counter.settled_cents)
    assert ("billing:p2", "billing:p3", "bank:78") == counter.waiting


def test_the_day_is_the_plants() -> None:
    """A payment at one in the morning would belong to the day before."""
    at = NOON.replace(hour=16, minute=30)  # 00:30 in the plant, the next day
    assert [] == channels([payment("p1", at=at)], [], DAY, CHINA_TIME)
    assert 1 == len(channels([payment("p1", at=at)], [], DAY + timedelta(days=1), CHINA_TIME))


@pytest.mark.parametrize(
    ("off_cents", "verdict"),
    [
        (0, Verdict.AGREES),
        (TOLERANCE_CENTS, Verdict.AGREES),
        (-TOLERANCE_CENTS, Verdict.AGREES),
        (TOLERANCE_CENTS + 1, Verdict.DRIFT),
        (-TOLERANCE_CENTS - 1, Verdict.DRIFT),
    ],
)
def test_ledger_and_wallet(off_cents: int, verdict: Verdict) -> None:
    """A drift of some yuan would pass, or every cent be an alarm (TOP-08)."""
    found = money_of("m1", [top_up(OrderState.DONE)], wallet(12_000 - off_cents), ledger(12_000))
    assert (verdict, off_cents) == (found.verdict, found.drift_cents)


def test_what_is_on_its_way_is_no_drift() -> None:
    """A payment that comes into the meter tomorrow would be an alarm today."""
    found = money_of("m1", [top_up(OrderState.READBACK)], wallet(2_000, 4), ledger(12_000))
    assert (Verdict.AGREES, 10_000) == (found.verdict, found.in_flight_cents)


@pytest.mark.parametrize("count", [4, 6])
def test_a_count_that_is_not_ours(count: int) -> None:
    """Somebody else's purchase, or a purse that was reset, would not be seen."""
    found = money_of("m1", [top_up(OrderState.DONE)], wallet(12_000, count), None)
    assert Verdict.DRIFT is found.verdict


def test_what_cannot_be_compared_is_said() -> None:
    """What nobody knows would pass for agreement, or for a drift."""
    done, unknown = top_up(OrderState.DONE), top_up(OrderState.UNKNOWN)
    assert Verdict.UNREAD is money_of("m1", [done], None, ledger(1), "no answer").verdict
    assert Verdict.NO_LEDGER is money_of("m1", [done], wallet(1), None).verdict
    assert Verdict.UNKNOWN is money_of("m1", [], wallet(1, 7), None).verdict
    assert Verdict.UNKNOWN is money_of("m1", [unknown], wallet(1), ledger(9_999)).verdict
    found = dataclasses.replace(unknown, finding="done", found_by="sam", confirmed_by="steve")
    assert Verdict.AGREES is money_of("m1", [found], wallet(1), ledger(1)).verdict


def test_what_was_used_since_an_old_ledger_is_no_drift_and_no_agreement() -> None:
    """Each household that uses current would be an alarm, or a loss pass for it (TOP-08)."""
    done = [top_up(OrderState.DONE)]
    for before, less, verdict in (
        (SPAN_MAX, 500, Verdict.DRIFT),
        (SPAN_MAX + timedelta(seconds=1), 500, Verdict.UNKNOWN),
        (SPAN_MAX + timedelta(seconds=1), TOLERANCE_CENTS, Verdict.AGREES),
        (timedelta(days=2), -500, Verdict.DRIFT),
    ):
        found = money_of("m1", done, wallet(12_000 - less), ledger(12_000, NOON - before))
        assert verdict is found.verdict
        assert bool(found.told) is (verdict is Verdict.UNKNOWN)
    uncounted = money_of("m1", [], wallet(12_000), ledger(12_000, NOON - timedelta(days=1)))
    assert Verdict.UNKNOWN is uncounted.verdict, "a purchase could hide behind what was used"


def test_what_was_paid_since_the_ledger_is_expected_in_the_wallet() -> None:
    """A payment after the statement would be a drift, or hide as great a loss (TOP-08)."""
    done, of_5_000 = [top_up(OrderState.DONE)], ledger(5_000)
    since = PaidSince(cents=10_000)
    assert Verdict.AGREES is money_of("m1", done, wallet(15_000), of_5_000, since=since).verdict
    assert Verdict.DRIFT is money_of("m1", done, wallet(5_000), of_5_000, since=since).verdict
    doubtful = PaidSince(doubtful_cents=10_000)
    for cents, verdict in ((15_000, Verdict.UNKNOWN), (5_000, Verdict.UNKNOWN), (4_000, Verdict.DRIFT)):
        assert verdict is money_of("m1", done, wallet(cents), of_5_000, since=doubtful).verdict
    assert Verdict.DRIFT is money_of("m1", done, wallet(16_000), of_5_000, since=doubtful).verdict


def kept(record: Payment | BalanceStatement, number: int, *, is_for_account: bool = False) -> Kept:
    """A record in its place of the log."""
    return Kept(
        record=record,
        meter="m1",
        actor="billing",
        kept_at=NOON,
        number=number,
        is_for_account=is_for_account,
    )


def test_which_payments_a_ledger_cannot_have() -> None:
    """Money would be expected twice in the wallet, or not at all (TOP-08)."""
    later, sooner = NOON + timedelta(minutes=1), NOON - timedelta(minutes=1)
    of_bank = {"sender": "bank"}
    drawn_up = ledger(1)
    told = Told(
        kept=(
            kept(payment("late", later, cents=1), 1),
            kept(payment("before", sooner, cents=10), 9),
            kept(payment("at", NOON, cents=100), 9),
            kept(payment("account", later, cents=1_000), 9, is_for_account=True),
            kept(drawn_up, 5),
            kept(payment("sure", later, cents=10_000).model_copy(update=of_bank), 9),
            kept(payment("clock", later, cents=100_000).model_copy(update=of_bank), 2),
            kept(payment("told", sooner, cents=1_000_000).model_copy(update=of_bank), 9),
            kept(payment("old", sooner, cents=10_000_000).model_copy(update=of_bank), 2),
        )
    )
    assert PaidSince(cents=10_001, doubtful_cents=1_100_000) == paid_since(told, drawn_up)
    twice = [payment(name, later).model_copy(update={"transfer": "T-7"}) for name in ("a", "b")]
    told = Told(kept=(kept(drawn_up, 1), kept(twice[0], 2), kept(twice[1], 3)))
    assert PaidSince(cents=10_000) == paid_since(told, drawn_up)


def test_a_top_up_that_the_count_shows_is_not_on_its_way() -> None:
    """Money that was credited a moment ago would be expected once more: a drift each night."""
    found = money_of("m1", [top_up(OrderState.READBACK)], wallet(12_000, 5), ledger(12_000))
    assert (Verdict.AGREES, 0, 5) == (found.verdict, found.in_flight_cents, found.count_expected)
    other = money_of("m1", [top_up(OrderState.READBACK)], wallet(12_000, 6), ledger(12_000))
    assert Verdict.DRIFT is other.verdict


def test_what_two_people_found_done_is_settled() -> None:
    """Its payment would wait for ever, and somebody refund what the customer has had (TOP-06)."""
    unknown = top_up(OrderState.UNKNOWN)
    for finding, settled in (("done", 10_000), ("not_done", 0)):
        found = dataclasses.replace(unknown, finding=finding, found_by="sam", confirmed_by="steve")
        (counter,) = channels([payment("p1")], [found], DAY, CHINA_TIME)
        assert settled == counter.settled_cents
    alone = dataclasses.replace(unknown, finding="done", found_by="sam")
    assert 0 == channels([payment("p1")], [alone], DAY, CHINA_TIME)[0].settled_cents


def test_the_count_of_what_two_people_found_done_is_expected() -> None:
    """A purchase of somebody else behind it would pass, or itself be one (TOP-08)."""
    unknown = top_up(OrderState.UNKNOWN)
    found = dataclasses.replace(unknown, finding="done", found_by="sam", confirmed_by="steve")
    assert (Verdict.NO_LEDGER, 5) == _counted(money_of("m1", [found], wallet(1, 5), None))
    assert (Verdict.DRIFT, 5) == _counted(money_of("m1", [found], wallet(1, 4), None))
    not_done = dataclasses.replace(found, finding="not_done")
    assert (Verdict.UNKNOWN, None) == _counted(money_of("m1", [not_done], wallet(1, 4), None))


def _counted(found: MeterMoney) -> tuple[Verdict, int | None]:
    return found.verdict, found.count_expected


def test_what_never_came_into_the_meter_counts_nothing() -> None:
    """A top-up that was refused would be expected in the wallet."""
    refused = dataclasses.replace(top_up(OrderState.DONE), state=OrderState.REJECTED, is_left=True)
    found = money_of("m1", [refused], wallet(2_000, 4), ledger(2_000))
    assert (Verdict.AGREES, 0, None) == (found.verdict, found.in_flight_cents, found.count_expected)
