"""Which records of payments may be one payment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from meterlink.orders.evidence.one_payment import may_be_one
from meterlink.orders.evidence.records import Payment
from tests.support.orders import NOON
from tests.support.rules import record


def _payment(name: str, cents: int) -> Payment:
    told = record("payment", name, NOON - timedelta(days=cents), amount_cents=cents, settles=False).record
    assert isinstance(told, Payment)
    return told


@pytest.mark.parametrize(("other", "is_alike"), [("p-77", True), ("P-77", True), ("P-78", False)])
def test_capitals_keep_no_two_payments_apart(other: str, is_alike: bool) -> None:
    """What one writes in capitals and another does not would be brought to the meter twice (TOP-01)."""
    assert is_alike is may_be_one(_payment("p-77", 1), _payment(other, 2))
