"""One thing at a time, not too much at once, and money."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from meterlink.model.order import OrderState
from meterlink.orders.limits.caps import Limited, Over
from meterlink.orders.limits.trips import Quarantine
from meterlink.orders.rules import (
    OtherOrder,
    Stage,
)
from meterlink.orders.rules.money import BOUGHT_SINCE_MAX
from tests.support.orders import NOON, purse
from tests.support.rule_cases.case import (
    ALARM_OFF,
    CREATE,
    DIRECT,
    LIVE,
    PAPER,
    PERMIT,
    TOP_UP,
    TRIP,
    Case,
    made,
    other,
    seen,
    trip,
)
from tests.support.rules import (
    CUSTOMER,
    DAYS,
    METER,
    SECOND,
    facts,
    live,
    record,
)

QUEUE = (
    Case(
        "CTRL-21",
        "a closing while another closing waits for the key",
        CREATE,
        made(PERMIT, CREATE, others=other(DIRECT, OrderState.QUEUED)),
        made(PERMIT, CREATE, others=(OtherOrder(id="o-2", kind=DIRECT, state=OrderState.DONE),)),
    ),
    Case(
        "CTRL-21", "another is open", CREATE, trip(CREATE, others=other(PERMIT, OrderState.WAITING_FOR_KEY))
    ),
    Case(
        "CTRL-21",
        "a direct close while a permit is read back",
        CREATE,
        made(DIRECT, CREATE, others=other(PERMIT, OrderState.READBACK)),
        made(DIRECT, CREATE, others=other(PERMIT, OrderState.WAITING_FOR_KEY)),
    ),
    Case(
        "CTRL-21",
        "a second permit at its turn while one waits for its key",
        LIVE,
        made(PERMIT, LIVE, others=other(PERMIT, OrderState.WAITING_FOR_KEY)),
        made(DIRECT, LIVE, others=other(PERMIT, OrderState.WAITING_FOR_KEY)),
    ),
    Case("CTRL-21", "a second trip", CREATE, trip(CREATE, others=other(TRIP, OrderState.CREATED))),
    Case(
        "CTRL-21",
        "nobody knows what the last one did",
        CREATE,
        trip(CREATE, others=other(PERMIT, OrderState.UNKNOWN)),
    ),
    Case(
        "CTRL-21",
        "F52: a closing while the trip is in flight",
        PAPER,
        made(PERMIT, others=other(TRIP, OrderState.READBACK)),
        made(PERMIT, others=other(TRIP, OrderState.UNKNOWN)),
    ),
    *(
        Case(
            "CTRL-21",
            f"{kind.value} behind {other_kind.value} of which nobody knows what it did",
            stage,
            made(kind, stage, others=other(other_kind, OrderState.UNKNOWN)),
        )
        for kind, other_kind in ((TRIP, TRIP), (TRIP, PERMIT), (PERMIT, DIRECT))
        for stage in (PAPER, LIVE)
    ),
    Case(
        "CTRL-21",
        "a top-up while an alarm is in flight",
        PAPER,
        made(TOP_UP, others=other(ALARM_OFF, OrderState.SENDING)),
        made(TOP_UP, others=other(PERMIT, OrderState.WAITING_FOR_KEY)),
    ),
    Case(
        "CTRL-21",
        "a closing while a frame of an alarm may still arrive",
        PAPER,
        made(PERMIT, others=other(ALARM_OFF, OrderState.READBACK, arrives_until=NOON + SECOND)),
        made(PERMIT, others=other(ALARM_OFF, OrderState.READBACK, arrives_until=NOON)),
    ),
    Case(
        "CTRL-21",
        "a closing while nobody knows whether money may still arrive",
        LIVE,
        made(PERMIT, LIVE, others=other(TOP_UP, OrderState.READBACK)),
        made(PERMIT, LIVE, others=other(TOP_UP, OrderState.READBACK, arrives_until=NOON)),
    ),
    Case(
        "CTRL-21",
        "money while a frame of a closing may still arrive",
        PAPER,
        made(TOP_UP, others=other(PERMIT, OrderState.READBACK, arrives_until=NOON + SECOND)),
        made(TOP_UP, others=other(PERMIT, OrderState.READBACK, arrives_until=NOON)),
    ),
    Case(
        "CTRL-21",
        "money while a trip is only read back",
        PAPER,
        made(TOP_UP, others=other(TRIP, OrderState.READBACK, arrives_until=NOON)),
    ),
    Case(
        "CTRL-21",
        "a trip while an alarm is only read back",
        PAPER,
        trip(others=other(ALARM_OFF, OrderState.READBACK, arrives_until=NOON)),
    ),
    Case(
        "CTRL-21",
        "a closing while an alarm is unconfirmed",
        PAPER,
        made(PERMIT, others=other(ALARM_OFF, OrderState.UNCONFIRMED, arrives_until=NOON)),
    ),
    Case(
        "TOP-05",
        "a top-up while another is only read back",
        PAPER,
        made(TOP_UP, others=other(TOP_UP, OrderState.READBACK, arrives_until=NOON)),
        also=("CTRL-21",),
    ),
    Case(
        "CTRL-21",
        "a trip while a top-up is in flight",
        PAPER,
        trip(others=other(TOP_UP, OrderState.UNCONFIRMED)),
        trip(others=other(TOP_UP, OrderState.UNKNOWN)),
    ),
    Case(
        "CTRL-21",
        "a second trip at its turn",
        PAPER,
        trip(others=other(TRIP, OrderState.AUTHORISED)),
    ),
    Case(
        "CTRL-21",
        "a closing while the trip may be repeated",
        PAPER,
        made(PERMIT, others=other(TRIP, OrderState.NOT_DONE)),
    ),
    Case(
        "CTRL-21",
        "a closing while the trip is not withdrawn",
        PAPER,
        made(PERMIT, others=other(TRIP, OrderState.QUEUED)),
    ),
    Case(
        "CTRL-21",
        "a top-up while a trip is in flight",
        LIVE,
        made(TOP_UP, LIVE, others=other(TRIP, OrderState.SENDING)),
    ),
    Case(
        "CTRL-21",
        "an alarm while a closing is in flight",
        PAPER,
        made(ALARM_OFF, others=other(PERMIT, OrderState.SENDING)),
        made(ALARM_OFF, others=other(PERMIT, OrderState.WAITING_FOR_KEY)),
    ),
    Case(
        "CTRL-24",
        "its batch stands",
        PAPER,
        trip(limited=Limited(is_braked=True, batch="b", batch_size=100, batch_failures=6)),
        trip(limited=Limited(is_braked=False, batch="b", batch_size=100, batch_failures=5)),
    ),
    Case(
        "CAP-01",
        "over a cap",
        PAPER,
        trip(limited=Limited(over=(Over(cap="trips_per_line_10_min", count=20, limit=20),))),
        trip(
            limited=Limited(
                over=(Over(cap="trips_per_line_10_min", count=20, limit=20),),
                quarantine=Quarantine.RELEASED,
                released_by="sam",
            )
        ),
    ),
    Case("CAP-01", "held", LIVE, trip(LIVE, limited=Limited(quarantine=Quarantine.HELD))),
    Case("CAP-01", "nothing could be counted", PAPER, trip(limited=Limited(is_blind=True))),
    Case(
        "TOP-05",
        "another top-up is open",
        CREATE,
        made(TOP_UP, CREATE, others=other(TOP_UP, OrderState.READBACK)),
    ),
    Case(
        "TOP-05",
        "nobody knows what the last one did",
        PAPER,
        made(TOP_UP, others=other(TOP_UP, OrderState.UNKNOWN)),
        made(TOP_UP, others=other(TOP_UP, OrderState.AUTHORISED)),
    ),
    Case(
        "TOP-05",
        "another top-up stands before its line",
        LIVE,
        made(TOP_UP, LIVE, others=other(TOP_UP, OrderState.QUEUED)),
        made(TOP_UP, LIVE, others=other(TOP_UP, OrderState.CREATED)),
    ),
)


def _told_again(
    stage: Stage,
    other: tuple[int, str],
    state: OrderState,
    *,
    cents: int = 10_000,
    transfers: tuple[str, str] = ("", ""),
    at: datetime = NOON,
    **fields: Any,
) -> Any:
    """A top-up of ``billing:p1``, and one of another record that came before it (-1) or after it (1)."""
    place, full_id = other
    ours = record("payment", "p1", NOON, amount_cents=10_000, settles=True, transfer=transfers[0])
    told = {"amount_cents": cents, "settles": True, "transfer": transfers[1]}
    sender, _, name = full_id.partition(":")
    theirs = record("payment", name, at, sender=sender, **told)
    others = (OtherOrder(id="o-2", kind=TOP_UP, state=state, payment=full_id, **fields),)
    kept = [theirs, ours] if place < 0 else [ours, theirs]
    return lambda: facts(TOP_UP, stage, kept=kept, others=others)


def _into_account(ours: bool, theirs: bool, *, transfer: str = "") -> Any:
    """A top-up of ``billing:p1``, and a bank's record of the same amount; which went into the account."""
    told = {"amount_cents": 10_000, "settles": True}
    first = record("payment", "b1", NOON, sender="bank", transfer=transfer, **told)
    kept = [
        replace(first, is_for_account=theirs),
        replace(record("payment", "p1", NOON, transfer=transfer and "T-1", **told), is_for_account=ours),
    ]
    return lambda: facts(TOP_UP, LIVE, kept=kept)


def _found(finding: str, count: int | None, purchases: int, **fields: Any) -> Any:
    """A top-up of ``billing:p1`` behind one of unknown end, whose frame bore a count."""
    before = OtherOrder(
        id="o-2",
        kind=TOP_UP,
        state=OrderState.UNKNOWN,
        payment="billing:p1",
        finding=finding,
        purchase_count=count,
        sent_to=fields.pop("sent_to", METER.meter_number),
    )
    said = live(TOP_UP, NOON, purse=purse(customer_number=CUSTOMER, purchase_count=purchases))
    return lambda: facts(TOP_UP, LIVE, live=said, others=(before,), **fields)


def _cancelled(purchases: int, *, was_sent: bool = True) -> Any:
    """A top-up of ``billing:p1`` behind one that was cancelled, and whose frame bore the count 5."""
    before = OtherOrder(
        id="o-2",
        kind=TOP_UP,
        state=OrderState.CANCELLED,
        payment="billing:p1",
        sent_at=(NOON,) if was_sent else (),
        purchase_count=5 if was_sent else None,
        sent_to=METER.meter_number if was_sent else "",
    )
    said = live(TOP_UP, NOON, purse=purse(customer_number=CUSTOMER, purchase_count=purchases))
    return lambda: facts(TOP_UP, LIVE, live=said, others=(before,))


def _credited(first: int, last: int) -> frozenset[tuple[str, int]]:
    """Purchases of other payments that were proved."""
    return frozenset((METER.meter_number, count) for count in range(first, last + 1))


MONEY = (
    Case(
        "TOP-01",
        "found not done, and the count says otherwise",
        LIVE,
        _found("not_done", 5, 5),
        _found("not_done", 5, 4),
    ),
    Case(
        "TOP-01",
        "found not done, and somebody has bought since",
        LIVE,
        _found("not_done", 5, 6, credited=_credited(6, 6)),
        _found("not_done", 5, 6, credited=_credited(5, 6)),
    ),
    Case(
        "TOP-01",
        "found not done, and a count of another meter says so",
        LIVE,
        _found("not_done", 5, 5, credited=frozenset({("000000000162", 5)})),
    ),
    Case(
        "TOP-01",
        "found not done, and more was bought since than is looked for",
        LIVE,
        _found("not_done", 5, 5 + BOUGHT_SINCE_MAX, credited=_credited(5, 5 + BOUGHT_SINCE_MAX)),
        _found("not_done", 5, 4 + BOUGHT_SINCE_MAX, credited=_credited(5, 4 + BOUGHT_SINCE_MAX)),
    ),
    Case(
        "TOP-01", "cancelled behind a frame, and the count says otherwise", LIVE, _cancelled(5), _cancelled(4)
    ),
    Case(
        "TOP-01",
        "cancelled behind a frame, and never sent",
        LIVE,
        _cancelled(5),
        _cancelled(5, was_sent=False),
    ),
    Case("TOP-01", "found not done, and the purse was set back", LIVE, _found("not_done", 5, 3)),
    Case("TOP-01", "found not done at another meter", LIVE, _found("not_done", 5, 4, sent_to="000000000162")),
    Case("TOP-01", "found not done, and no count tells", LIVE, _found("not_done", None, 4)),
    Case("TOP-01", "found done by two", LIVE, _found("done", 5, 4)),
    Case(
        "TOP-01",
        "it was paid into the account at the head-end",
        LIVE,
        _into_account(True, False),
        _into_account(False, False),
    ),
    Case(
        "TOP-01",
        "another sender told it of the account",
        LIVE,
        _into_account(False, True),
        _into_account(False, True, transfer="T-2"),
    ),
    Case(
        "TOP-01",
        "its transfer went into the account, as another sender has told",
        LIVE,
        _into_account(False, True, transfer="T-1"),
    ),
    Case("TOP-01", "no payment", PAPER, made(TOP_UP, kept=[])),
    Case(
        "TOP-01",
        "another amount",
        PAPER,
        made(TOP_UP, order_amount_cents=9_999),
        made(TOP_UP, order_amount_cents=10_000),
    ),
    Case(
        "TOP-01",
        "the payment was brought already",
        PAPER,
        made(
            TOP_UP, others=(OtherOrder(id="o-2", kind=TOP_UP, state=OrderState.DONE, payment="billing:p1"),)
        ),
        made(
            TOP_UP,
            others=(OtherOrder(id="o-2", kind=TOP_UP, state=OrderState.EXPIRED, payment="billing:p1"),),
        ),
    ),
    Case(
        "TOP-01",
        "a meter said no to it",
        PAPER,
        made(
            TOP_UP,
            others=(OtherOrder(id="o-2", kind=TOP_UP, state=OrderState.REJECTED, payment="billing:p1"),),
        ),
    ),
    Case(
        "TOP-01",
        "another sender told of the same payment before",
        PAPER,
        _told_again(PAPER, (-1, "bank:p1"), OrderState.AUTHORISED),
        _told_again(PAPER, (-1, "bank:p1"), OrderState.REFUSED),
    ),
    Case(
        "TOP-01",
        "another sender told of it later, and its top-up was sent",
        LIVE,
        _told_again(LIVE, (1, "bank:p1"), OrderState.NOT_DONE, sent_at=(NOON,)),
        _told_again(LIVE, (1, "bank:p1"), OrderState.AUTHORISED),
    ),
    Case(
        "TOP-01",
        "ids that differ in capitals alone",
        PAPER,
        _told_again(PAPER, (-1, "bank:P1"), OrderState.DONE),
        _told_again(PAPER, (-1, "bank:P1"), OrderState.DONE, transfers=("T-1", "T-2")),
    ),
    Case(
        "TOP-01",
        "the same transfer under another id, of another amount",
        CREATE,
        _told_again(CREATE, (-1, "bank:p7"), OrderState.DONE, cents=9_999, transfers=("T-1", "t-1 ")),
        _told_again(CREATE, (-1, "bank:p7"), OrderState.DONE, cents=9_999, transfers=("T-1", "")),
    ),
    Case(
        "TOP-01",
        "the same amount of another sender within a day, and one tells no transfer",
        CREATE,
        _told_again(CREATE, (-1, "bank:p7"), OrderState.DONE, transfers=("", "T-1"), at=NOON - DAYS[1]),
        _told_again(
            CREATE, (-1, "bank:p7"), OrderState.DONE, transfers=("", "T-1"), at=NOON - DAYS[1] - SECOND
        ),
    ),
    Case(
        "TOP-01",
        "the same amount of another sender, and nobody tells a transfer",
        CREATE,
        _told_again(CREATE, (-1, "bank:p7"), OrderState.DONE),
        _told_again(CREATE, (-1, "billing:p7"), OrderState.DONE),
    ),
    Case(
        "TOP-01",
        "its transfer was told of another meter",
        LIVE,
        made(TOP_UP, LIVE, told_elsewhere=("bank:p7",)),
        made(TOP_UP, LIVE),
    ),
    Case(
        "TOP-02",
        "more than 10 000.00 yuan",
        PAPER,
        made(
            TOP_UP,
            order_amount_cents=1_000_001,
            kept=[record("payment", "p1", NOON, amount_cents=1_000_001, settles=True)],
        ),
        made(
            TOP_UP,
            order_amount_cents=1_000_000,
            kept=[record("payment", "p1", NOON, amount_cents=1_000_000, settles=True)],
        ),
    ),
    Case(
        "TOP-03",
        "beyond the hoarding limit",
        LIVE,
        seen(TOP_UP, purse=purse(customer_number=CUSTOMER, hoarding_limit_cents=14_999)),
        seen(TOP_UP, purse=purse(customer_number=CUSTOMER, hoarding_limit_cents=15_000)),
    ),
    Case(
        "TOP-03",
        "beyond 999 999.99 yuan",
        LIVE,
        seen(TOP_UP, purse=purse(customer_number=CUSTOMER, remaining_cents=99_990_000)),
        seen(TOP_UP, purse=purse(customer_number=CUSTOMER, remaining_cents=99_989_999)),
    ),
    Case(
        "TOP-04",
        "another customer's wallet",
        LIVE,
        seen(TOP_UP, purse=purse(customer_number="000012345679")),
    ),
    Case("TOP-04", "a wallet that does not say whose it is", LIVE, seen(TOP_UP, purse=purse())),
    Case(
        "TOP-01",
        "the same payment, brought by another top-up",
        PAPER,
        made(
            TOP_UP,
            others=(OtherOrder(id="o-2", kind=TOP_UP, state=OrderState.UNKNOWN, payment="billing:p1"),),
        ),
        made(
            TOP_UP,
            others=(
                OtherOrder(id="o-2", kind=PERMIT, state=OrderState.DONE, payment="billing:p1"),
                OtherOrder(id="o-3", kind=TOP_UP, state=OrderState.DONE, payment="billing:p0"),
            ),
        ),
    ),
    Case("PEOPLE-01", "nobody knows who is who", LIVE, trip(LIVE, people_fault="not TOML"), trip(LIVE)),
    Case(
        "PEOPLE-01",
        "nobody was known since the start",
        LIVE,
        made(PERMIT, LIVE, people_fault="not TOML", people_were_known=False),
        made(PERMIT, LIVE, people_fault="not TOML"),
    ),
    Case(
        "PEOPLE-01",
        "a top-up while nobody was known",
        PAPER,
        made(TOP_UP, people_fault="not TOML", people_were_known=False),
    ),
    Case("LOG-01", "an old copy of the log", PAPER, trip(log_doubt="journal.mark is missing"), trip()),
    Case("LOG-01", "a top-up by it", LIVE, made(TOP_UP, LIVE, log_doubt="act 7 is another")),
    Case("TOP-04", "nobody's wallet", LIVE, seen(TOP_UP, meter={"customer_number": ""}, purse=purse())),
    Case("WORLD-01", "no wallet", CREATE, made(TOP_UP, CREATE, meter={"world": "remote"})),
)
