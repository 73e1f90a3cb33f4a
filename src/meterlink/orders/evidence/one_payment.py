"""Several records of one payment: the counter, the bank and the billing system each tell it. No I/O.

Two records are one payment for certain when both name the same transfer of the bank, and the same amount.
They may be one when only one of these agrees; or, where no transfer tells them apart, when they have the same
id, or two senders tell of the same amount within a day (one sender keeps his payments apart by their ids).
Capitals, blanks and the width of characters do not count. What may be one is never credited twice by itself,
nor into two meters of one customer: people find out.

Source: TOP-01.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, timedelta
from typing import Final

from meterlink.orders.evidence.records import Payment
from meterlink.orders.evidence.told import Told

SAME_MONEY_WITHIN: Final = timedelta(days=1)
"""Between the times that two senders give to one payment: one tells when it was paid in, one when booked."""


TELLERS_MAX: Final = 100
"""Payments of one transfer that each later one is held against."""


def subject_of(payment: Payment) -> str:
    """The subject of the acts that say who told of a transfer; empty: the payment names none.

    The blank keeps it apart from full ids of records.
    """
    transfer = _transfer(payment)
    return f"transfer {transfer}" if transfer else ""


def likenesses_of(payment: Payment) -> tuple[str, str]:
    """The subjects under which a payment is found by others of its customer: by its id, and by its amount."""
    by_id = f"like {payment.customer} id {payment.id.casefold()}"
    return by_id, _of_amount(payment, timedelta())


def likenesses_near(payment: Payment) -> tuple[str, ...]:
    """The subjects under which every payment is found that may be one with it, where no transfer tells."""
    near = (_of_amount(payment, by) for by in (-SAME_MONEY_WITHIN, timedelta(), SAME_MONEY_WITHIN))
    return likenesses_of(payment)[0], *near


def _of_amount(payment: Payment, by: timedelta) -> str:
    day = (payment.at.astimezone(UTC) + by).date()
    return f"like {payment.customer} {payment.amount_cents} {day}"


def sign_of(payment: Payment) -> tuple[str, str, int] | None:
    """What all records of one payment have in common for certain; ``None``: nothing tells."""
    transfer = _transfer(payment)
    return (payment.meter, transfer, payment.amount_cents) if transfer else None


def may_be_one(one: Payment, other: Payment) -> bool:
    """Whether two records of a customer may be one payment."""
    if _transfer(one) and _transfer(other):
        return _transfer(one) == _transfer(other)
    if one.id.casefold() == other.id.casefold():
        return True
    is_same_sum = one.sender != other.sender and one.amount_cents == other.amount_cents
    return is_same_sum and abs(one.at - other.at) <= SAME_MONEY_WITHIN


def first_told(told: Told, payment: Payment) -> Payment:
    """The record by which a payment was told first; the same for each of its records.

    Args:
        told: everything that is told of the meter.
        payment: one of its records.

    """
    sign = sign_of(payment)
    return next((one for one in _in_order(told) if sign and sign == sign_of(one)), payment)


def alike(told: Told, full_id: str) -> dict[str, bool]:
    """Other records that may be the same payment, by full id; whether each was told before it.

    Args:
        told: everything that is told of the meter.
        full_id: of the payment.

    """
    came = _in_order(told)
    place = next((number for number, one in enumerate(came) if one.full_id == full_id), None)
    if place is None:
        return {}
    return {
        one.full_id: number < place
        for number, one in enumerate(came)
        if number != place and may_be_one(one, came[place])
    }


def _in_order(told: Told) -> list[Payment]:
    """The payments of a meter, as they came here."""
    return [one.record for one in told.kept if isinstance(one.record, Payment)]


def _transfer(payment: Payment) -> str:
    """Its transfer as it is compared: two programs write blanks, dashes and wide characters differently."""
    plain = unicodedata.normalize("NFKC", payment.transfer).casefold()
    return "".join("-" if unicodedata.category(c) == "Pd" else c for c in plain if not c.isspace())
