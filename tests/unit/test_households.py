"""Whether a household was protected when a frame left, and by which revision it has been since."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meterlink.model.payload import time_out
from meterlink.model.roster_change import EntryChange, KeptChange
from meterlink.orders.evidence.records import Protection
from meterlink.orders.waiting.households import Household, Place, households, turned

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
HERE = Place(meter="m2", chain=("m1", "m2"))
OTHER = Place(meter="o1", chain=("o1",))
A, B = "000000000001", "000000000002"


def _told(number: int, meter: str, old: Mapping[str, Any] | None = None, **new: Any) -> KeptChange:
    return KeptChange(
        revision=number,
        seq=number,
        number=10 * number,
        at=NOON + timedelta(hours=number),
        actor="olga",
        verb="apply",
        change=EntryChange(meter=meter, old=old, new=new),
    )


def _kinds(*told: KeptChange) -> list[set[str]]:
    return [set(one.kinds) for one in households(HERE, [OTHER], told)]


def _by(cut_at: int, *told: KeptChange) -> int | None:
    came = turned(households(HERE, [OTHER], told), cut_at, lambda one: "water" in one.kinds)
    return None if came is None else came.revision


def _protection(meter: str, customer: str) -> Protection:
    return Protection(
        kind="protection",
        id="x1",
        sender="billing",
        at=NOON,
        meter=meter,
        customer=customer,
        protection="life_support",
        state="set",
    )


@pytest.mark.parametrize(
    ("told", "revision"),
    [
        ([_told(1, "m1", customer_number=A), _told(3, "m1", {}, protected=["water"])], 3),
        ([_told(1, "m1", customer_number=A, protected=["water"]), _told(3, "m1", {}, area="x")], None),
        ([_told(1, "m1", customer_number=A, protected=["water"]), _told(3, "m2", protected=["water"])], None),
        ([_told(1, "m1", customer_number=A), _told(3, "o1", customer_number=A, protected=["water"])], 3),
        ([_told(1, "o1", customer_number=B, protected=["water"]), _told(3, "m1", customer_number=A)], None),
        (
            [
                _told(1, "m1", customer_number=A),
                _told(2, "o1", customer_number=B, protected=["water"]),
                _told(3, "m1", {"customer_number": A}, customer_number=B),
                _told(4, "m1", {"customer_number": B}, customer_number=A),
                _told(5, "o1", {"customer_number": B}, customer_number=A),
            ],
            5,
        ),
        (
            [
                _told(1, "m1", customer_number=A, protected=["water"]),
                _told(3, "m1", {"protected": ["water"]}),
                _told(4, "m1", {}, protected=["water"]),
            ],
            4,
        ),
        ([_told(3, "m1", {"area": "y"}, protected=["water"])], 3),
    ],
)
def test_what_turned_behind_the_frame_counts_if_it_holds_to_the_end(
    told: list[KeptChange], revision: int | None
) -> None:
    """Who must not be dark would stay so, or who owes be reconnected by an edit that says nothing new."""
    assert revision == _by(25, *told)
    assert revision == _by(25, *reversed(told)), "the log orders them, and not who reads"


def test_what_was_told_in_one_revision_is_one_step() -> None:
    """Two meters that swap their numbers would be protected, or not, by the order in which they are told."""
    first = [_told(1, "m1", customer_number=A), _told(1, "o1", customer_number=B, protected=["water"])]
    swapped = [
        _told(2, "o1", {"customer_number": B}, customer_number=A),
        _told(2, "m1", {"customer_number": A}, customer_number=B),
    ]
    assert [set(), set()] == _kinds(*first, *swapped)


def test_a_meter_that_has_gone_protects_nobody_else() -> None:
    """Its last entry says for ever that its customer is protected."""
    gone = time_out(NOON + timedelta(hours=2))
    told = [_told(1, "m1", customer_number=A), _told(2, "o1", customer_number=A, protected=["water"])]
    assert [set(), {"water"}, set()] == _kinds(*told, _told(3, "o1", {}, in_service_until=gone))


def test_whose_a_record_was() -> None:
    """A record of another customer would protect who has his meter now, or his own not be his."""
    (one,) = households(
        HERE,
        [OTHER],
        [
            _told(1, "m1", customer_number=A, customer_was=["000000000009"]),
            _told(1, "o1", customer_number=A, customer_was=["000000000008"]),
        ],
    )
    assert isinstance(one, Household)
    told = [
        ("o9", A, True),
        ("m1", B, False),
        ("m1", "000000000009", True),
        ("o1", "000000000009", False),
        ("o1", "000000000008", True),
        ("m1", "000000000008", False),
        ("o9", "000000000008", False),
    ]
    assert [is_his for *_, is_his in told] == [
        one.is_told_of(_protection(meter, customer), HERE) for meter, customer, _ in told
    ]
    (nobodys,) = households(HERE, [], [_told(1, "m1")])
    assert not nobodys.is_told_of(_protection("o1", ""), HERE)
