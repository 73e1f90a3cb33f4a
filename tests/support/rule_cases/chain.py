"""The chain of evidence, and customers whom nobody cuts off."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

from meterlink.config.control import SeasonSettings
from meterlink.model.payload import time_out
from meterlink.orders.limits.calendar import Holidays
from meterlink.orders.limits.caps import Limited
from tests.support.orders import NOON
from tests.support.rule_cases.case import (
    APPROVE,
    CREATE,
    GUARANTEE_OFF,
    LIVE,
    PAPER,
    PREPAID,
    READ,
    Case,
    agreement,
    at,
    balance,
    early,
    made,
    moved,
    notice,
    trip,
)
from tests.support.rules import (
    CALENDAR,
    DAYS,
    HOUR,
    MINUTE,
    SECOND,
    SETTINGS,
    chain,
    facts,
    late,
    record,
    told_at,
    without,
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

_W1 = record("warning", "w1", NOON - DAYS[14], channel="sms")
_SERVED = (record("receipt", "n1r", NOON - DAYS[8], of="n1", outcome="delivered"),)


_WARNED = record("receipt", "w2r", NOON - DAYS[12], of="w2", outcome="delivered")
_FAILED = record("receipt", "w2x", NOON - DAYS[12] - SECOND, of="w2", outcome="failed")
_CLEAR = record("balance_statement", "b0", NOON - DAYS[10], balance_cents=0)


def _paid_before_the_warning() -> tuple[Any, Any]:
    """A payment before both warnings, and an account without debt."""
    return (
        record("payment", "p0", NOON - DAYS[15], amount_cents=5_000, settles=True),
        record("balance_statement", "b0", NOON - DAYS[15], balance_cents=0),
    )


def _paid_after_the_warning(cents: int) -> tuple[Any, Any]:
    """A payment between the two warnings, and how the account stood then."""
    return (
        record("payment", "p0", NOON - DAYS[13], amount_cents=5_000, settles=cents >= 0),
        record("balance_statement", "b0", NOON - DAYS[13], balance_cents=cents),
    )


CHAIN = (
    Case("CTRL-01", "no statement", PAPER, lambda: facts(kept=without(chain(), "b1"))),
    Case(
        "CTRL-01",
        "a statement of more than 48 h",
        PAPER,
        trip(PAPER, balance(48 * HOUR + SECOND)),
        trip(PAPER, balance(48 * HOUR)),
    ),
    Case(
        "CTRL-01",
        "a balance made of readings of more than 48 h before",
        PAPER,
        trip(PAPER, agreement(), balance(readings_until=time_out(NOON - 49 * HOUR - SECOND)), **PREPAID),
        trip(PAPER, agreement(), balance(readings_until=time_out(NOON - 49 * HOUR)), **PREPAID),
    ),
    Case(
        "CTRL-01",
        "a prepaid balance made of no reading",
        PAPER,
        trip(PAPER, agreement(), balance(), **PREPAID),
        trip(PAPER, agreement(), balance(**READ), **PREPAID),
    ),
    Case(
        "CTRL-01",
        "approved before the notice was served",
        LIVE,
        trip(
            LIVE,
            record("receipt", "n1r", NOON - DAYS[7], of="n1", outcome="delivered"),
            record("final_notice", "f1", NOON - HOUR, channel="phone"),
            steps={"approved_at": NOON - DAYS[7] - SECOND},
            settings=SETTINGS.model_copy(update={"approval_hours": 24 * 30}),
        ),
        trip(
            LIVE,
            record("receipt", "n1r", NOON - DAYS[7], of="n1", outcome="delivered"),
            steps={"approved_at": NOON - DAYS[7]},
            settings=SETTINGS.model_copy(update={"approval_hours": 24 * 30}),
        ),
    ),
    Case("CTRL-02", "no warning was delivered", PAPER, lambda: facts(kept=without(chain(), "w2r"))),
    Case(
        "CTRL-02",
        "delivered after the notice only",
        PAPER,
        trip(PAPER, record("receipt", "w2r", NOON - DAYS[9] + SECOND, of="w2", outcome="delivered")),
        trip(PAPER, record("receipt", "w2r", NOON - DAYS[9], of="w2", outcome="delivered")),
    ),
    Case(
        "CTRL-02",
        "its receipt was brought by hand after the notice",
        PAPER,
        trip(PAPER, *late(DAYS[3] + SECOND, _WARNED)),
        trip(PAPER, *late(DAYS[3], _WARNED)),
    ),
    Case(
        "CTRL-02",
        "it had failed, and that was told after its delivery",
        PAPER,
        trip(PAPER, told_at(NOON - DAYS[11], _FAILED)),
        trip(PAPER, _FAILED),
    ),
    Case(
        "CTRL-02",
        "the delivered one is more than a month before the notice",
        PAPER,
        trip(
            PAPER,
            record("warning", "w2", NOON - DAYS[39] - SECOND, channel="paper"),
            record("warning", "w3", NOON - DAYS[10], channel="sms"),
        ),
        trip(
            PAPER,
            record("warning", "w2", NOON - DAYS[39], channel="paper"),
            record("warning", "w3", NOON - DAYS[10], channel="sms"),
        ),
    ),
    Case(
        "CTRL-03",
        "both warnings on one day of the plant",
        PAPER,
        trip(PAPER, record("warning", "w1", NOON - DAYS[12] - 12 * HOUR, channel="sms")),
        trip(PAPER, record("warning", "w1", NOON - DAYS[12] - 12 * HOUR - SECOND, channel="sms")),
    ),
    Case(
        "CTRL-03",
        "one warning, and two were agreed",
        PAPER,
        trip(PAPER, agreement(warnings=3), balance(**READ), **PREPAID),
        trip(PAPER, agreement(warnings=2), balance(**READ), **PREPAID),
    ),
    Case(
        "CTRL-03",
        "the second warning came after the notice",
        PAPER,
        trip(PAPER, record("warning", "w1", NOON - DAYS[9] + SECOND, channel="sms")),
        trip(PAPER, record("warning", "w1", NOON - DAYS[9], channel="sms")),
    ),
    Case(
        "CTRL-03",
        "the first warning was brought by hand on the day of the second",
        PAPER,
        trip(PAPER, *late(DAYS[2], _W1)),
        trip(PAPER, *late(DAYS[1], _W1)),
    ),
    Case(
        "CTRL-03",
        "the first warning was brought by hand after the notice",
        PAPER,
        trip(PAPER, *late(DAYS[5] + SECOND, _W1)),
        trip(PAPER, *late(DAYS[5], _W1)),
    ),
    Case(
        "CTRL-03",
        "the first warning was answered by a payment",
        PAPER,
        trip(PAPER, *_paid_after_the_warning(0)),
        trip(PAPER, *_paid_after_the_warning(-1)),
    ),
    Case(
        "CTRL-03",
        "the first warning was answered by a payment that was told late",
        PAPER,
        trip(PAPER, *(told_at(NOON - DAYS[13], one) for one in _paid_before_the_warning())),
        trip(PAPER, *_paid_before_the_warning()),
    ),
    Case(
        "CTRL-04",
        "the newest notice that came there is too new",
        PAPER,
        trip(
            PAPER,
            record("notice", "n2", NOON - DAYS[2], owed_cents=1),
            record("receipt", "n2r", NOON - DAYS[1], of="n2", outcome="delivered"),
        ),
        trip(PAPER, record("notice", "n2", NOON - DAYS[2], owed_cents=1)),
    ),
    Case("CTRL-04", "no notice was served", PAPER, lambda: facts(kept=without(chain(), "n1r"))),
    Case(
        "CTRL-04",
        "a household, noticed less than 7 days ago",
        PAPER,
        trip(PAPER, *notice(DAYS[7] - SECOND)),
        trip(PAPER, *notice(DAYS[7])),
    ),
    Case(
        "CTRL-04",
        "a business, noticed less than 3 days ago",
        PAPER,
        trip(PAPER, *notice(DAYS[3] - SECOND), meter={"is_residential": False}),
        trip(PAPER, *notice(DAYS[3]), meter={"is_residential": False}),
    ),
    Case(
        "CTRL-04",
        "noticed more than 30 days ago",
        PAPER,
        trip(PAPER, *early(DAYS[30] + SECOND)),
        trip(PAPER, *early(DAYS[30])),
    ),
    Case(
        "CTRL-04",
        "a shorter notice, but not so short",
        PAPER,
        trip(PAPER, agreement(notice_days=2), balance(**READ), *notice(DAYS[2] - SECOND), **PREPAID),
        trip(PAPER, agreement(notice_days=2), balance(**READ), *notice(DAYS[2]), **PREPAID),
    ),
    Case(
        "CTRL-04",
        "the debt of the notice was settled since",
        PAPER,
        trip(PAPER, record("balance_statement", "b0", NOON - DAYS[8] + SECOND, balance_cents=0)),
        trip(PAPER, record("balance_statement", "b0", NOON - DAYS[8] + SECOND, balance_cents=-1)),
    ),
    Case(
        "CTRL-04",
        "the debt of the notice was settled, as was told since",
        PAPER,
        trip(PAPER, told_at(NOON - DAYS[8], _CLEAR)),
        trip(PAPER, _CLEAR),
    ),
    Case(
        "CTRL-04",
        "only a notice that is dated ahead",
        PAPER,
        trip(PAPER, record("notice", "n1", NOON + MINUTE, owed_cents=1)),
        trip(
            PAPER,
            record("notice", "n2", NOON + MINUTE, owed_cents=1),
            record("receipt", "n2r", NOON + MINUTE, of="n2", outcome="delivered"),
        ),
    ),
    Case(
        "CTRL-04",
        "a notice that was brought by hand less than 7 days ago",
        PAPER,
        trip(PAPER, *late(DAYS[2] + SECOND, record("notice", "n1", NOON - DAYS[9], owed_cents=12_000))),
        trip(PAPER, *late(DAYS[2], record("notice", "n1", NOON - DAYS[9], owed_cents=12_000))),
    ),
    Case(
        "CTRL-04",
        "a notice whose receipt was brought by hand less than 7 days ago",
        PAPER,
        trip(PAPER, *late(DAYS[1] + SECOND, *_SERVED)),
        trip(PAPER, *late(DAYS[1], *_SERVED)),
    ),
    Case(
        "CTRL-05",
        "overdue for 30 days and not more",
        PAPER,
        trip(PAPER, balance(overdue_since=time_out(NOON - DAYS[30]))),
        trip(PAPER, balance(overdue_since=time_out(NOON - DAYS[30] - SECOND))),
    ),
    Case(
        "CTRL-05",
        "an agreement that nobody has told",
        PAPER,
        trip(PAPER, **PREPAID),
        trip(PAPER, dataclasses.replace(agreement(), is_withdrawn=True, withdrawn_by="carl"), **PREPAID),
    ),
    Case("CTRL-05", "not overdue", PAPER, trip(PAPER, balance(overdue_since=None))),
    Case(
        "CTRL-05",
        "prepaid, within the agreed overdraft",
        PAPER,
        trip(PAPER, agreement(overdraft_cents=12_000), balance(**READ), **PREPAID),
        trip(PAPER, agreement(overdraft_cents=11_999), balance(**READ), **PREPAID),
    ),
    Case("CTRL-06", "no last notice", PAPER, lambda: facts(kept=without(chain(), "f1"))),
    Case(
        "CTRL-06",
        "less than 30 minutes after the last notice",
        PAPER,
        trip(PAPER, record("final_notice", "f1", NOON - 30 * MINUTE + SECOND, channel="phone")),
        trip(PAPER, record("final_notice", "f1", NOON - 30 * MINUTE, channel="phone")),
    ),
    Case(
        "CTRL-06",
        "a last notice that was brought by hand less than 30 minutes ago",
        LIVE,
        trip(LIVE, *late(30 * MINUTE + SECOND, record("final_notice", "f1", NOON - HOUR, channel="phone"))),
        trip(LIVE, *late(30 * MINUTE, record("final_notice", "f1", NOON - HOUR, channel="phone"))),
    ),
    Case(
        "CTRL-06",
        "a last notice that is dated ahead",
        PAPER,
        trip(PAPER, record("final_notice", "f1", NOON + MINUTE, channel="phone")),
        trip(PAPER, record("final_notice", "f2", NOON + MINUTE, channel="phone")),
    ),
    Case(
        "CTRL-06",
        "more than 4 hours after the last notice",
        PAPER,
        trip(PAPER, record("final_notice", "f1", NOON - 4 * HOUR - SECOND, channel="phone")),
        trip(PAPER, record("final_notice", "f1", NOON - 4 * HOUR, channel="phone")),
    ),
    Case(
        "CTRL-06",
        "a business where the local rule says 60 minutes",
        PAPER,
        trip(
            PAPER,
            meter={"is_residential": False},
            settings=SETTINGS.model_copy(update={"final_notice_minutes_other": 61}),
        ),
        trip(
            PAPER,
            meter={"is_residential": False},
            settings=SETTINGS.model_copy(update={"final_notice_minutes_other": 60}),
        ),
    ),
    Case(
        "CTRL-06",
        "the last notice did not come there",
        LIVE,
        trip(LIVE, record("receipt", "f1r", NOON - HOUR, of="f1", outcome="failed")),
        trip(LIVE, record("receipt", "f1r", NOON - HOUR, of="f1", outcome="delivered")),
    ),
    Case(
        "CTRL-07",
        "an important customer without a filing",
        PAPER,
        trip(PAPER, _FILED, meter={"is_important": True}),
        trip(PAPER, _FILED, **_IMPORTANT),
    ),
    Case(
        "CTRL-07",
        "the filing of another notice",
        PAPER,
        trip(
            PAPER,
            record("filing", "r1", NOON - DAYS[8], of="n0", authority="市经信局", number="1"),
            **_IMPORTANT,
        ),
    ),
)

CUSTOMERS = (
    Case("CTRL-08", "a hospital", CREATE, trip(CREATE, meter={"protected": ("hospital",)})),
    Case("CTRL-08", "a hospital, at the last moment", LIVE, trip(LIVE, meter={"protected": ("hospital",)})),
    Case(
        "CTRL-08",
        "heating in its season",
        PAPER,
        trip(PAPER, meter={"protected": ("heating",)}, calendar=_SEASON),
        trip(PAPER, meter={"protected": ("heating",)}, calendar=_SUMMER),
    ),
    Case(
        "CTRL-08",
        "somebody who became a protected customer",
        PAPER,
        trip(PAPER, record("protection", "x1", NOON - HOUR, protection="social", state="set")),
        trip(
            PAPER,
            record("protection", "x1", NOON - HOUR, protection="social", state="set"),
            record("protection", "x2", NOON - MINUTE, protection="social", state="lifted"),
        ),
    ),
    Case(
        "CTRL-08",
        "the guarantee of a protected customer",
        PAPER,
        made(GUARANTEE_OFF, meter={"protected": ("life_support",)}),
    ),
    Case("CTRL-09", "17:00", PAPER, moved("2026-11-24T17:00:00"), moved("2026-11-24T16:59:59")),
    Case("CTRL-09", "before 08:00", PAPER, moved("2026-11-24T07:59:59"), moved("2026-11-24T08:00:00")),
    Case("CTRL-09", "Saturday", PAPER, moved("2026-11-28T12:00:00"), moved("2026-11-27T12:00:00")),
    Case("CTRL-09", "Sunday", PAPER, moved("2026-11-29T12:00:00"), moved("2026-11-30T12:00:00")),
    Case("CTRL-09", "a holiday", PAPER, moved("2026-11-26T12:00:00")),
    Case("CTRL-09", "the day before", PAPER, moved("2026-11-25T12:00:00"), moved("2026-11-24T12:00:00")),
    Case(
        "CTRL-09", "no file of holidays", PAPER, trip(calendar=dataclasses.replace(CALENDAR, holidays=None))
    ),
    Case("CTRL-09", "the last day of the file", PAPER, trip(calendar=_YEAR_END)),
    Case("CTRL-09", "a day after the file", PAPER, moved("2027-01-04T12:00:00")),
    Case("CTRL-09", "a freeze", LIVE, trip(LIVE, limited=Limited(frozen="寒潮"))),
    Case(
        "CTRL-09", "approved at night", APPROVE, lambda: facts(stage=APPROVE, now=at("2026-11-24T20:00:00"))
    ),
    Case(
        "CTRL-09",
        "a guarantee ended at night",
        PAPER,
        lambda: facts(GUARANTEE_OFF, now=at("2026-11-24T20:00:00")),
    ),
)
