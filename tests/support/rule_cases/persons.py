"""Who does it, and why supply comes back."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from typing import Any

from meterlink.config.control import SeasonSettings
from meterlink.model.order import OrderState, Origin
from meterlink.model.payload import time_out
from meterlink.orders.calendar import Holidays
from meterlink.orders.limits import Limited
from meterlink.orders.people import THE_DAEMON, Actor, Role
from meterlink.orders.rules import (
    FieldGrant,
    OtherOrder,
)
from tests.support.orders import NOON
from tests.support.rule_cases.case import (
    APPROVE,
    CREATE,
    DIRECT,
    GUARANTEE_OFF,
    LIVE,
    OPERATE,
    PAPER,
    PERMIT,
    Case,
    agreement,
    balance,
    by_policy,
    made,
    trip,
)
from tests.support.rules import (
    APPROVER,
    CALENDAR,
    CLERK,
    CUSTOMER,
    DAYS,
    DISPATCHER,
    FIELD,
    HOUR,
    INSPECTOR,
    MINUTE,
    SECOND,
    policy,
    record,
)

_FILED = record("filing", "r1", NOON - DAYS[8], of="n1", authority="市经信局", number="2026-118")
_IMPORTANT: dict[str, Any] = {"meter": {"is_important": True}, "order_reference": "billing:r1"}
_SEASON = dataclasses.replace(
    CALENDAR, seasons=(SeasonSettings(kind="heating", first="11-15", last="03-15"),)
)
_SUMMER = dataclasses.replace(
    CALENDAR, seasons=(SeasonSettings(kind="heating", first="05-01", last="11-23"),)
)
_YEAR_END = dataclasses.replace(
    CALENDAR,
    holidays=Holidays(first_day=date(2026, 1, 1), last_day=date(2026, 11, 24), days=frozenset()),
)
_OTHER_PEOPLE = Actor(name="anna", roles=frozenset(Role) - {Role.ADMIN, Role.AUDITOR})
_GRANT = FieldGrant(person="fred", granted_at=NOON - timedelta(hours=4) + SECOND)

PERSONS = (
    Case(
        "CTRL-10", "nobody approved", OPERATE, trip(OPERATE, steps={"approved_by": (), "approved_at": None})
    ),
    Case(
        "CTRL-10",
        "nobody approved, at its turn",
        PAPER,
        trip(steps={"approved_by": (), "approved_at": None}),
    ),
    Case(
        "CTRL-10",
        "approved 8 hours ago",
        PAPER,
        trip(steps={"approved_at": NOON - 8 * HOUR}),
        trip(steps={"approved_at": NOON - 8 * HOUR + SECOND}),
    ),
    Case(
        "CTRL-10",
        "by policy, without agreement",
        PAPER,
        by_policy(agreement(automatic_trips=False)),
        by_policy(),
    ),
    Case(
        "CTRL-10",
        "by policy, the policy meant by one person",
        PAPER,
        by_policy(dataclasses.replace(policy(), confirmed_by="")),
    ),
    Case("CTRL-10", "by policy, of another area", PAPER, by_policy(policy(areas=["west"]))),
    Case(
        "CTRL-10",
        "by policy, after its last moment",
        PAPER,
        by_policy(policy(until=time_out(NOON - SECOND))),
        by_policy(policy(until=time_out(NOON))),
    ),
    Case(
        "CTRL-10",
        "by policy, 200 in the area",
        PAPER,
        by_policy(limited=Limited(policy_trips=200)),
        by_policy(limited=Limited(policy_trips=199)),
    ),
    Case(
        "CTRL-10",
        "by policy, more than the policy says",
        PAPER,
        by_policy(policy(trips_per_area_day=7), limited=Limited(policy_trips=7)),
        by_policy(policy(trips_per_area_day=7), limited=Limited(policy_trips=6)),
    ),
    Case("CTRL-10", "because of a payment", CREATE, trip(CREATE, order_origin=Origin.PAYMENT)),
    Case("CTRL-10", "the kill switch", LIVE, trip(LIVE, limited=Limited(stopped_by="anna"))),
    Case(
        "CTRL-10",
        "the kill switch, a guarantee",
        PAPER,
        made(GUARANTEE_OFF, limited=Limited(stopped_by="anna")),
    ),
    Case(
        "CTRL-22",
        "a guarantee ended by one person",
        OPERATE,
        made(GUARANTEE_OFF, OPERATE, steps={"approved_by": ()}),
    ),
    Case(
        "AUD-01",
        "created by a dispatcher",
        CREATE,
        trip(CREATE, actor=DISPATCHER),
        trip(CREATE, actor=CLERK),
    ),
    Case("AUD-01", "created by nobody's name", CREATE, trip(CREATE, actor=Actor(name="mallory"))),
    Case(
        "AUD-01",
        "a person claims a payment",
        CREATE,
        made(PERMIT, CREATE, actor=CLERK),
        made(PERMIT, CREATE),
    ),
    Case("AUD-01", "the daemon claims a person", CREATE, trip(CREATE, actor=THE_DAEMON)),
    Case("AUD-01", "approved by an inspector", APPROVE, trip(APPROVE, actor=INSPECTOR), trip(APPROVE)),
    Case("AUD-01", "operated by a clerk", OPERATE, trip(OPERATE, actor=CLERK), trip(OPERATE)),
    Case("AUD-01", "operated by the daemon for a person", OPERATE, trip(OPERATE, actor=THE_DAEMON)),
    Case(
        "AUD-01", "a trip by field staff", OPERATE, trip(OPERATE, actor=FIELD, steps={"field_grant": _GRANT})
    ),
    Case("AUD-01", "field staff without authorisation", OPERATE, made(PERMIT, OPERATE, actor=FIELD)),
    Case(
        "AUD-01",
        "field staff after 4 hours",
        OPERATE,
        made(
            PERMIT,
            OPERATE,
            actor=FIELD,
            steps={"field_grant": dataclasses.replace(_GRANT, granted_at=NOON - 4 * HOUR)},
        ),
        made(PERMIT, OPERATE, actor=FIELD, steps={"field_grant": _GRANT}),
    ),
    Case(
        "AUD-01",
        "field staff for the second time",
        OPERATE,
        made(PERMIT, OPERATE, actor=FIELD, steps={"field_grant": dataclasses.replace(_GRANT, is_used=True)}),
    ),
    Case(
        "AUD-01",
        "field staff with another's authorisation",
        OPERATE,
        made(
            PERMIT, OPERATE, actor=FIELD, steps={"field_grant": dataclasses.replace(_GRANT, person="frida")}
        ),
    ),
    Case(
        "AUD-02",
        "F49: approved by its creator",
        APPROVE,
        trip(APPROVE, steps={"created_by": "anna"}),
        trip(APPROVE),
    ),
    Case(
        "AUD-02",
        "approved by the customer",
        APPROVE,
        trip(APPROVE, actor=dataclasses.replace(APPROVER, accounts=frozenset({CUSTOMER}))),
        trip(APPROVE, actor=dataclasses.replace(APPROVER, accounts=frozenset({"000012345679"}))),
    ),
    Case(
        "AUD-02",
        "operated by its approver",
        OPERATE,
        trip(OPERATE, actor=_OTHER_PEOPLE, steps={"armed_by": ""}),
    ),
    Case("AUD-02", "its creator among the approvers", PAPER, trip(steps={"approved_by": ("anna", "clara")})),
)

CLOSING = (
    Case("CTRL-15", "motor load", PAPER, made(DIRECT, meter={"is_motor_load": True}), made(DIRECT)),
    Case("CTRL-15", "motor load unknown", CREATE, made(DIRECT, CREATE, meter={"is_motor_load": None})),
    Case(
        "CTRL-15",
        "no consent",
        PAPER,
        made(DIRECT, kept=[record("payment", "p1", NOON, amount_cents=1, settles=True)]),
    ),
    Case(
        "CTRL-15",
        "a consent by telephone of half an hour ago",
        PAPER,
        made(
            DIRECT,
            kept=[
                record("payment", "p1", NOON, amount_cents=1, settles=True),
                record("consent", "c1", NOON - 30 * MINUTE - SECOND, form="recorded"),
            ],
        ),
        made(
            DIRECT,
            kept=[
                record("payment", "p1", NOON, amount_cents=1, settles=True),
                record("consent", "c1", NOON - 30 * MINUTE, form="recorded"),
            ],
        ),
    ),
    Case(
        "CTRL-15",
        "a permit that does not wait",
        PAPER,
        made(PERMIT, model={"permit_waits_for_key": "no"}),
        made(PERMIT),
    ),
    Case("CTRL-15", "a permit of which nobody knows", PAPER, made(PERMIT, model={})),
    Case(
        "CTRL-16",
        "a payment that does not settle, where there is no wallet",
        PAPER,
        made(PERMIT, kept=[record("payment", "p1", NOON, amount_cents=1, settles=False)]),
        made(
            PERMIT,
            kept=[record("payment", "p1", NOON, amount_cents=1, settles=False)],
            meter={"world": "local"},
        ),
    ),
    Case(
        "CTRL-16",
        "no reason",
        PAPER,
        made(PERMIT, kept=[balance(balance_cents=-1)]),
        made(PERMIT, kept=[balance(balance_cents=0)]),
    ),
    Case(
        "CTRL-16",
        "a work order that is over",
        PAPER,
        made(
            PERMIT,
            kept=[record("work_order", "k1", NOON - HOUR, until=time_out(NOON - SECOND), why="换表")],
            order_reference="billing:k1",
        ),
        made(
            PERMIT,
            kept=[record("work_order", "k1", NOON - HOUR, until=time_out(NOON), why="换表")],
            order_reference="billing:k1",
        ),
    ),
    Case(
        "CTRL-16",
        "a dispute that was rejected",
        PAPER,
        made(
            PERMIT,
            kept=[record("dispute", "d1", NOON, dispute="D", state="rejected")],
            order_reference="billing:d1",
        ),
        made(
            PERMIT,
            kept=[record("dispute", "d1", NOON, dispute="D", state="upheld")],
            order_reference="billing:d1",
        ),
    ),
    Case(
        "CTRL-17",
        "three frames",
        PAPER,
        made(
            PERMIT,
            steps={"sent_at": (NOON - 3 * SECOND,)},
            others=(
                OtherOrder(
                    id="o-2",
                    kind=PERMIT,
                    state=OrderState.NOT_DONE,
                    payment="billing:p1",
                    sent_at=(NOON - 20 * SECOND, NOON - 9 * SECOND),
                ),
            ),
        ),
        made(
            PERMIT,
            steps={"sent_at": (NOON - 3 * SECOND,)},
            others=(
                OtherOrder(
                    id="o-2",
                    kind=PERMIT,
                    state=OrderState.NOT_DONE,
                    payment="billing:p1",
                    sent_at=(NOON - 20 * SECOND,),
                ),
            ),
        ),
    ),
    Case(
        "CTRL-17",
        "half an hour",
        PAPER,
        made(PERMIT, steps={"sent_at": (NOON - 30 * MINUTE - SECOND,)}),
        made(PERMIT, steps={"sent_at": (NOON - 30 * MINUTE,)}),
    ),
    Case(
        "HOLD-01",
        "an inspector holds it",
        PAPER,
        made(
            PERMIT,
            kept=[
                record("payment", "p1", NOON, amount_cents=1, settles=True),
                record("safety_hold", "h1", NOON - DAYS[3], hold="H", state="set", why="窃电"),
            ],
        ),
        made(
            PERMIT,
            kept=[
                record("payment", "p1", NOON, amount_cents=1, settles=True),
                record("safety_hold", "h1", NOON - DAYS[3], hold="H", state="set", why="窃电"),
                record("safety_hold", "h2", NOON - DAYS[1], hold="H", state="released", why="已整改"),
            ],
        ),
    ),
)
