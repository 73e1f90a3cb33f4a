"""Whose hands the evidence came through."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

from meterlink.model.order import Origin
from meterlink.model.payload import time_out
from tests.support.orders import NOON
from tests.support.rule_cases.case import (
    APPROVE,
    CREATE,
    DIRECT,
    LIVE,
    OPERATE,
    PAPER,
    PERMIT,
    PREPAID,
    READ,
    Case,
    agreement,
    balance,
    by_policy,
    made,
    trip,
)
from tests.support.rules import DAYS, DISPATCHER, HOUR, MINUTE, SECOND, by_hand, chain, record

_W1, _W2 = (one for one in chain() if one.record.kind == "warning")
_FILED = record("filing", "r1", NOON - DAYS[8], of="n1", authority="市经信局", number="2026-118")
_IMPORTANT: dict[str, Any] = {"meter": {"is_important": True}, "order_reference": "billing:r1"}
_SAFE_AGAIN = (
    record("protection", "x1", NOON - HOUR, protection="social", state="set"),
    record("protection", "x2", NOON - MINUTE, protection="social", state="lifted"),
)
_DISPUTED = (
    record("dispute", "d1", NOON - 3 * HOUR, dispute="D1", state="opened"),
    record("dispute", "d2", NOON - 2 * HOUR, dispute="D1", state="rejected"),
)
_PAID = record("payment", "p1", NOON - MINUTE, amount_cents=10_000, settles=True)
_AGREED = record("consent", "c1", NOON - DAYS[20], form="written")
_CLEAR = record("balance_statement", "b1", NOON - HOUR, balance_cents=0)
_WORK = record("work_order", "o1", NOON - HOUR, until=time_out(NOON + HOUR), why="换表")
_UPHELD = record("dispute", "d1", NOON - HOUR, dispute="D1", state="upheld")
_NOTICE = record("notice", "n0", NOON - DAYS[7], owed_cents=12_000)
_BY_PERSON: dict[str, Any] = {"order_origin": Origin.PERSON, "order_payment": "billing:p1"}


def _taken_back(by: str, one: Any, *, ago: timedelta = HOUR) -> Any:
    return dataclasses.replace(one, is_withdrawn=True, withdrawn_by=by, withdrawn_at=NOON - ago)


def _of_chain(one: Any) -> Case:
    what = f"the {one.record.kind} {one.record.id} was brought by the clerk of the trip"
    stage = CREATE if one.record.id == "w1" else PAPER
    return Case(
        "AUD-02", what, stage, trip(stage, *by_hand("clara", one)), trip(stage, *by_hand("carl", one))
    )


def _closing_alone(what: str, reason: Any, *, named: str, **fields: Any) -> Case:
    """A dispatcher who is a clerk as well, and tells himself why he closes."""
    told = {
        "order_origin": Origin.PERSON,
        "order_payment": "",
        "actor": DISPATCHER,
        named: reason.record.full_id,
    }
    alone, two = {"created_by": "david"}, {"created_by": "clara"}
    kept = by_hand("david", reason)
    return Case(
        "AUD-02",
        f"a closing by one person, whose reason is his own {what}",
        OPERATE,
        made(PERMIT, OPERATE, kept=kept, steps=alone, **told, **fields),
        made(PERMIT, OPERATE, kept=kept, steps=two, **told, **fields),
    )


HANDS = (
    *(_of_chain(one) for one in chain()),
    Case(
        "AUD-02",
        "the agreement was brought by the clerk of the trip",
        PAPER,
        trip(PAPER, *by_hand("clara", agreement()), balance(**READ), **PREPAID),
        trip(PAPER, *by_hand("carl", agreement()), balance(**READ), **PREPAID),
    ),
    Case(
        "AUD-02",
        "the filing was brought by the clerk of the trip",
        PAPER,
        trip(PAPER, *by_hand("clara", _FILED), **_IMPORTANT),
        trip(PAPER, *by_hand("carl", _FILED), **_IMPORTANT),
    ),
    Case(
        "AUD-02",
        "a protection was lifted by the clerk of the trip",
        LIVE,
        trip(LIVE, _SAFE_AGAIN[0], *by_hand("clara", _SAFE_AGAIN[1])),
        trip(LIVE, *by_hand("clara", _SAFE_AGAIN[0]), _SAFE_AGAIN[1]),
    ),
    Case(
        "AUD-02",
        "a dispute was rejected by the clerk of the trip",
        PAPER,
        trip(PAPER, _DISPUTED[0], *by_hand("clara", _DISPUTED[1])),
        trip(PAPER, *by_hand("clara", _DISPUTED[0]), _DISPUTED[1]),
    ),
    Case(
        "AUD-02",
        "by policy, all that was brought by hand came from one person",
        PAPER,
        by_policy(*by_hand("carl", _W1, _W2)),
        by_policy(*by_hand("carl", _W1), *by_hand("carol", _W2)),
    ),
    Case(
        "AUD-02",
        "the consent was brought by the clerk of the closing",
        PAPER,
        made(DIRECT, kept=[_PAID, *by_hand("clara", _AGREED)], **_BY_PERSON),
        made(DIRECT, kept=[_PAID, *by_hand("carl", _AGREED)], **_BY_PERSON),
    ),
    Case(
        "AUD-02",
        "the consent to a permit that waits for no key was brought by the clerk of the closing",
        PAPER,
        made(PERMIT, kept=[_PAID, *by_hand("clara", _AGREED)], model={}, **_BY_PERSON),
        made(PERMIT, kept=[_PAID, *by_hand("clara", _AGREED)], **_BY_PERSON),
    ),
    Case(
        "AUD-02",
        "consent and payment came from one person",
        PAPER,
        made(DIRECT, kept=by_hand("carl", _PAID, _AGREED)),
        made(DIRECT, kept=[*by_hand("carl", _PAID), *by_hand("carol", _AGREED)]),
    ),
    Case(
        "AUD-02",
        "consent, payment and statement came from one person",
        PAPER,
        made(DIRECT, kept=by_hand("carl", _PAID, _AGREED, _CLEAR)),
        made(DIRECT, kept=[*by_hand("carl", _PAID, _AGREED), _CLEAR]),
    ),
    _closing_alone("payment", _PAID, named="order_payment"),
    _closing_alone("work order", _WORK, named="order_reference"),
    _closing_alone("upheld dispute", _UPHELD, named="order_reference"),
    _closing_alone("statement", _CLEAR, named="order_reference"),
    Case(
        "AUD-02",
        "its clerk has taken a notice back",
        PAPER,
        trip(PAPER, _taken_back("clara", _NOTICE)),
        trip(PAPER, _taken_back("carl", _NOTICE)),
    ),
    Case(
        "AUD-02",
        "its approver has taken a notice back",
        APPROVE,
        trip(APPROVE, _taken_back("anna", _NOTICE)),
        trip(APPROVE, _taken_back("carl", _NOTICE)),
    ),
    Case(
        "AUD-02",
        "its approver has taken a notice back since",
        LIVE,
        trip(LIVE, _taken_back("anna", _NOTICE)),
        trip(LIVE, _taken_back("carl", _NOTICE)),
    ),
    Case(
        "AUD-02",
        "its clerk took a notice back 30 days ago",
        CREATE,
        trip(CREATE, _taken_back("clara", _NOTICE, ago=DAYS[30])),
        trip(CREATE, _taken_back("clara", _NOTICE, ago=DAYS[30] + SECOND)),
    ),
    Case(
        "AUD-02",
        "its clerk took the agreement back, however long ago",
        CREATE,
        trip(CREATE, _taken_back("clara", agreement(), ago=DAYS[60]), **PREPAID),
        trip(CREATE, _taken_back("carl", agreement(), ago=DAYS[60]), **PREPAID),
    ),
    Case(
        "AUD-02",
        "its approver has ended by hand what protected the customer",
        APPROVE,
        trip(APPROVE, _SAFE_AGAIN[0], *by_hand("anna", _SAFE_AGAIN[1])),
        trip(APPROVE, _SAFE_AGAIN[0], *by_hand("carl", _SAFE_AGAIN[1])),
    ),
)
