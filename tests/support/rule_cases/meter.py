"""The meter itself."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from meterlink.drivers.control import ClockLook, Identity, Opening
from meterlink.orders.evidence.told import Told
from meterlink.orders.rules.live_meter import DEADLINE_MAX
from tests.support.orders import NOON, purse
from tests.support.rule_cases.case import (
    ALARM_OFF,
    CREATE,
    GUARANTEE_OFF,
    GUARANTEE_ON,
    LIVE,
    PAPER,
    PERMIT,
    TOP_UP,
    TRIP,
    Case,
    Made,
    balance,
    live_at,
    made,
    seen,
    trip,
)
from tests.support.rules import (
    DAYS,
    HOUR,
    METER,
    MINUTE,
    NUMBER,
    SECOND,
    record,
    told_at,
)

NO_LOAD: dict[str, Any] = {"currents_a": (Decimal(0),), "power_w": Decimal(0)}
"""What an open contact lets through."""

OPEN_GUARDED = seen(GUARANTEE_ON, contact_open=True, **NO_LOAD)
AGREED = record("consent", "c1", NOON - DAYS[20], form="written")
CLEAR = balance(balance_cents=0)


def _ahead(by: timedelta) -> ClockLook:
    """A meter's clock that is before ours, known to two seconds."""
    return ClockLook(offset=by, error=2 * SECOND)


def _guarded(*kept: Any) -> Made:
    """A guarantee over an open contact, with what was told."""
    return lambda: dataclasses.replace(OPEN_GUARDED(), told=Told(kept=kept))


def _paid_earlier(told: datetime) -> Any:
    """A payment of before the balance, and when it was told."""
    return told_at(told, record("payment", "p1", NOON - 2 * HOUR, amount_cents=1, settles=False))


def _upheld_earlier(told: datetime) -> Any:
    return told_at(told, record("dispute", "d1", NOON - 2 * HOUR, dispute="D1", state="upheld"))


def _other_balance(cents: int) -> Any:
    return told_at(NOON - MINUTE, record("balance_statement", "b2", NOON - 2 * HOUR, balance_cents=cents))


LIVE_METER = (
    Case(
        "CTRL-13",
        "a trip without a clock on a line of ours",
        LIVE,
        seen(TRIP, clock=None),
        seen(PERMIT, clock=None),
    ),
    Case("CTRL-12", "no customer in the file", PAPER, made(ALARM_OFF, meter={"customer_number": ""})),
    Case("CTRL-23", "digits of another script", PAPER, made(PERMIT, meter={"address": "\u0661" * 12})),
    Case(
        "CTRL-11",
        "nothing is owed",
        LIVE,
        trip(LIVE, balance(balance_cents=0)),
        trip(LIVE, balance(balance_cents=-1)),
        also=("CTRL-04",),
    ),
    Case(
        "CTRL-11",
        "a payment came since",
        LIVE,
        trip(LIVE, record("payment", "p1", NOON - HOUR, amount_cents=1, settles=False)),
        trip(LIVE, record("payment", "p1", NOON - HOUR - SECOND, amount_cents=1, settles=False)),
    ),
    Case(
        "CTRL-11",
        "a payment of before the balance that was told after it",
        LIVE,
        trip(LIVE, _paid_earlier(told=NOON - HOUR + SECOND)),
        trip(LIVE, _paid_earlier(told=NOON - HOUR - SECOND)),
    ),
    Case(
        "CTRL-11",
        "a balance of a slower clock, told after it, says that nothing is owed",
        LIVE,
        trip(LIVE, _other_balance(0)),
        trip(LIVE, _other_balance(-1)),
        also=("CTRL-04",),
    ),
    Case(
        "CTRL-11",
        "a dispute",
        PAPER,
        trip(PAPER, record("dispute", "d1", NOON - HOUR, dispute="D1", state="opened")),
    ),
    Case(
        "CTRL-11",
        "a dispute that was upheld, and no new balance",
        PAPER,
        trip(PAPER, record("dispute", "d1", NOON - HOUR, dispute="D1", state="upheld")),
        trip(PAPER, record("dispute", "d1", NOON - HOUR, dispute="D1", state="rejected")),
    ),
    Case(
        "CTRL-11",
        "a dispute that was upheld before the balance, which was told after it",
        PAPER,
        trip(PAPER, _upheld_earlier(told=NOON - HOUR + SECOND)),
        trip(PAPER, _upheld_earlier(told=NOON - HOUR - SECOND)),
    ),
    Case("CTRL-11", "guarantee on", LIVE, seen(TRIP, guarantee=True), seen(TRIP, guarantee=False)),
    Case("CTRL-11", "guarantee unknown", LIVE, seen(TRIP, guarantee=None)),
    Case("CTRL-11", "looked at 5 minutes ago", LIVE, live_at(5 * MINUTE + SECOND), live_at(5 * MINUTE)),
    Case("CTRL-12", "no meter number in the file", PAPER, trip(meter={"meter_number": ""})),
    Case("CTRL-12", "a replacement is pending", PAPER, made(PERMIT, meter={"pending_replacement": True})),
    Case("CTRL-12", "its way is being rebuilt", LIVE, made(PERMIT, LIVE, meter={"is_rebuilding": True})),
    Case(
        "CTRL-12",
        "read 48 hours ago",
        PAPER,
        trip(last_read_at=NOON - 48 * HOUR - SECOND),
        trip(last_read_at=NOON - 48 * HOUR),
    ),
    Case("CTRL-12", "never read", PAPER, trip(last_read_at=None)),
    Case(
        "CTRL-12",
        "the neighbour answers",
        LIVE,
        seen(TRIP, identity=Identity(address=METER.address, meter_number="202611220002")),
    ),
    Case(
        "CTRL-12",
        "another address answers",
        LIVE,
        seen(PERMIT, identity=Identity(address="000000000162", meter_number=NUMBER)),
    ),
    Case(
        "CTRL-13",
        "its clock is 120 s ahead",
        LIVE,
        seen(TRIP, clock=ClockLook(offset=timedelta(seconds=120), error=timedelta(milliseconds=1))),
        seen(TRIP, clock=ClockLook(offset=timedelta(seconds=120), error=timedelta())),
    ),
    Case(
        "CTRL-13",
        "its clock is 120 s behind",
        LIVE,
        seen(
            GUARANTEE_OFF,
            clock=ClockLook(offset=timedelta(seconds=-119), error=timedelta(seconds=1, milliseconds=1)),
        ),
        seen(GUARANTEE_OFF, clock=ClockLook(offset=timedelta(seconds=-119), error=SECOND)),
    ),
    Case("CTRL-13", "its clock cannot be read", LIVE, seen(TRIP, clock=None)),
    Case(
        "CTRL-13",
        "a closing without a clock over a line that stores",
        LIVE,
        seen(PERMIT, clock=None, meter={"line_is_ours": False}),
        seen(PERMIT, meter={"line_is_ours": False}),
    ),
    Case(
        "CTRL-20",
        "a closed contact without voltage, that a closing would be called needless at",
        LIVE,
        seen(PERMIT, command_open=False, contact_open=False, voltages_v=(Decimal(0),) * 3, **NO_LOAD),
        also=("NEED-01",),
    ),
    Case(
        "CTRL-20",
        "a closed contact without voltage",
        LIVE,
        seen(TRIP, voltages_v=(Decimal("29.9"),), **NO_LOAD),
        seen(TRIP, voltages_v=(Decimal("30.0"),), **NO_LOAD),
    ),
    Case(
        "CTRL-14",
        "more than 60 A",
        LIVE,
        seen(TRIP, currents_a=(Decimal("60.01"),)),
        seen(TRIP, currents_a=(Decimal("60.00"),)),
    ),
    Case(
        "CTRL-14",
        "one of three phases fed backwards",
        LIVE,
        seen(TRIP, currents_a=(Decimal(1), Decimal("-60.01"), Decimal(1))),
    ),
    Case("CTRL-14", "current unknown", LIVE, seen(GUARANTEE_OFF, currents_a=None)),
    Case(
        "CTRL-14",
        "more than the meter tells",
        LIVE,
        seen(TRIP, opening=Opening(limit_a=Decimal("4.99"))),
        seen(TRIP, opening=Opening(limit_a=Decimal("5.00"))),
    ),
    Case(
        "CTRL-14",
        "more than the file tells, though the meter tells more",
        LIVE,
        seen(TRIP, opening=Opening(limit_a=Decimal(80)), meter={"opening_limit_a": Decimal(4)}),
    ),
    Case(
        "CTRL-14",
        "no limit told of a meter behind transformers",
        LIVE,
        seen(
            TRIP,
            meter={
                "profile": dataclasses.replace(
                    METER.profile, meter=dataclasses.replace(METER.profile.meter, connection="ct")
                )
            },
        ),
    ),
    Case("CTRL-22", "a trip waits behind the guarantee", LIVE, seen(GUARANTEE_OFF, command_open=True)),
    Case("CTRL-22", "unknown whether one waits", LIVE, seen(GUARANTEE_OFF, command_open=None)),
    Case(
        "CTRL-22",
        "the wallet behind the guarantee is overdrawn",
        LIVE,
        seen(GUARANTEE_OFF, meter={"world": "local"}, purse=purse(remaining_cents=-1)),
        seen(GUARANTEE_OFF, meter={"world": "local"}, purse=purse(remaining_cents=0)),
    ),
    Case("CTRL-22", "the wallet is unknown", LIVE, seen(GUARANTEE_OFF, meter={"world": "local"})),
    Case(
        "CTRL-22", "a guarantee over an open contact", LIVE, seen(GUARANTEE_ON, contact_open=True, **NO_LOAD)
    ),
    Case("CTRL-22", "nobody agreed that a guarantee closes", LIVE, _guarded(CLEAR), _guarded(AGREED, CLEAR)),
    Case("CTRL-22", "a guarantee closes without a reason", LIVE, _guarded(AGREED), _guarded(AGREED, CLEAR)),
    Case("CTRL-22", "a guarantee over an unknown contact", LIVE, seen(GUARANTEE_ON, contact_open=None)),
    Case("CTRL-23", "broadcast", CREATE, trip(CREATE, meter={"address": "999999999999"})),
    Case("CTRL-23", "wildcard", PAPER, made(TOP_UP, meter={"address": "AAAAAAAAAAAA"})),
    Case("CTRL-23", "a short address", PAPER, made(PERMIT, meter={"address": "00000000016"})),
    Case(
        "CTRL-25",
        "the lab's keys for a customer",
        LIVE,
        seen(TRIP, provider="lab"),
        seen(TRIP, provider="lab", meter={"is_lab": True}),
    ),
    Case("CTRL-25", "nobody knows whose keys", LIVE, seen(PERMIT, provider="")),
    Case("QUAL-01", "not qualified", CREATE, trip(CREATE, unproven=("contact_bit",))),
    Case("QUAL-01", "no longer qualified", LIVE, trip(LIVE, unproven=("contact_bit",))),
    Case(
        "NEED-01",
        "open already",
        LIVE,
        seen(TRIP, contact_open=True, command_open=True, **NO_LOAD),
        seen(TRIP, contact_open=True, command_open=False, **NO_LOAD),
    ),
    Case(
        "NEED-01",
        "closed already",
        LIVE,
        seen(PERMIT, contact_open=False, command_open=False),
        seen(PERMIT, contact_open=True, command_open=False),
    ),
    Case("NEED-01", "alarm off already", LIVE, seen(ALARM_OFF, alarm=False), seen(ALARM_OFF, alarm=None)),
    Case(
        "RELAY-01",
        "no relay",
        PAPER,
        trip(
            meter={
                "profile": dataclasses.replace(
                    METER.profile, meter=dataclasses.replace(METER.profile.meter, relay="none")
                )
            }
        ),
    ),
    Case(
        "TIME-01",
        "at its deadline",
        PAPER,
        trip(order_deadline_at=NOON),
        trip(order_deadline_at=NOON + SECOND),
    ),
    Case(
        "TIME-01",
        "a deadline of next year",
        CREATE,
        made(ALARM_OFF, CREATE, order_deadline_at=NOON + DEADLINE_MAX + SECOND),
        made(ALARM_OFF, CREATE, order_deadline_at=NOON + DEADLINE_MAX),
    ),
    Case(
        "TIME-01",
        "a deadline at the end of the calendar",
        CREATE,
        made(ALARM_OFF, CREATE, order_deadline_at=datetime(9999, 12, 31, tzinfo=UTC)),
    ),
    Case(
        "TIME-01",
        "a clock that is behind the log",
        PAPER,
        trip(clock_from=NOON + SECOND),
        trip(clock_from=NOON),
    ),
    Case(
        "TIME-01",
        "a closing at a meter by whose clock its deadline has passed",
        LIVE,
        seen(PERMIT, clock=_ahead(HOUR + 2 * SECOND)),
        seen(PERMIT, clock=_ahead(HOUR + SECOND)),
    ),
    Case("TIME-01", "a top-up at its deadline", LIVE, made(TOP_UP, LIVE, order_deadline_at=NOON)),
)
