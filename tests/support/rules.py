"""Orders that every rule lets go, and what they are judged by; tests change one thing at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from meterlink.config.control import ControlSettings
from meterlink.drivers.control import ClockLook, Identity
from meterlink.drivers.profiles import MeterProfiles
from meterlink.model.order import CLOSES, Order, OrderKind, Origin
from meterlink.model.payload import time_out
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.evidence.records import parse
from meterlink.orders.evidence.told import Kept, Told
from meterlink.orders.limits.calendar import Calendar, Holidays
from meterlink.orders.limits.caps import Limited
from meterlink.orders.people import THE_DAEMON, Actor, Role
from meterlink.orders.rules import Facts, Live, Stage, Steps
from meterlink.roster.roster import RosterMeter
from tests.support.orders import NOON, order, purse, standing

CUSTOMER: Final = "000012345678"
NUMBER: Final = "202611220001"
CLERK: Final = Actor(name="clara", roles=frozenset({Role.CLERK}))
APPROVER: Final = Actor(name="anna", roles=frozenset({Role.APPROVER}))
DISPATCHER: Final = Actor(name="david", roles=frozenset({Role.DISPATCHER}))
FIELD: Final = Actor(name="fred", roles=frozenset({Role.FIELD}))
INSPECTOR: Final = Actor(name="ivy", roles=frozenset({Role.INSPECTOR}))
SECURITY: Final = Actor(name="sam", roles=frozenset({Role.SECURITY}))
ADMIN: Final = Actor(name="adam", roles=frozenset({Role.ADMIN}))
BILLING: Final = Actor(
    name="billing", roles=frozenset({Role.BILLING}), senders=frozenset({"billing", "counter"})
)

SETTINGS: Final = ControlSettings.model_validate({"people": "people.toml", "operator_code": "20261122"})
HOLIDAYS: Final = Holidays(
    first_day=date(2026, 1, 1), last_day=date(2026, 12, 31), days=frozenset({date(2026, 11, 26)})
)
"""2026-11-26 is a Thursday."""
CALENDAR: Final = Calendar(zone=CHINA_TIME, calm_from_hour=17, calm_until_hour=8, holidays=HOLIDAYS)

PROFILES: Final = MeterProfiles()
_PROFILE: Final = PROFILES.find("dlt645-2007", "generic-remote-cost-control")
METER: Final = RosterMeter(
    id="m1",
    address="000000000161",
    line="hall",
    line_is_ours=True,
    protocol="dlt645-2007",
    profile=_PROFILE,
    firmware="1.0",
    meter_number=NUMBER,
    customer_number=CUSTOMER,
    area="east",
    world="remote",
    is_motor_load=False,
)
MODEL: Final = {"permit_waits_for_key": "yes"}

DAYS: Final = {days: timedelta(days=days) for days in range(61)}
SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)


def record(kind: str, name: str, at: datetime, **fields: Any) -> Kept:
    """A record that a billing system has sent; unless told otherwise, when it happened."""
    document = {"kind": kind, "id": name, "sender": "billing", "at": time_out(at), **fields}
    if kind != "policy":
        document.update(meter="m1", customer=CUSTOMER)
    return Kept(
        record=parse(document),
        meter=document.get("meter", ""),
        actor="billing",
        kept_at=at,
        number=_number(at),
        by_billing=True,
    )


def chain(now: datetime = NOON) -> list[Kept]:
    """All that must have happened before a household is cut off, billed afterwards."""
    return [
        record(
            "balance_statement",
            "b1",
            now - HOUR,
            balance_cents=-12_000,
            overdue_since=time_out(now - DAYS[60]),
        ),
        record("warning", "w1", now - DAYS[14], channel="sms"),
        record("receipt", "w1r", now - DAYS[14], of="w1", outcome="failed", why="no number on file"),
        record("warning", "w2", now - DAYS[12], channel="paper"),
        record("receipt", "w2r", now - DAYS[12], of="w2", outcome="delivered"),
        record("notice", "n1", now - DAYS[9], owed_cents=12_000),
        record("receipt", "n1r", now - DAYS[8], of="n1", outcome="delivered"),
        record("final_notice", "f1", now - HOUR, channel="phone"),
    ]


def by_hand(actor: str, *kept: Kept) -> list[Kept]:
    """Records as this person would have brought them, each when it happened."""
    return [dataclasses.replace(one, actor=actor, by_billing=False) for one in kept]


def late(days: timedelta, *kept: Kept) -> list[Kept]:
    """Records that a person brought so long after they had happened."""
    return [told_at(one.record.at + days, one) for one in by_hand("carl", *kept)]


def told_at(kept_at: datetime, one: Kept) -> Kept:
    """A record that came here at another time than it happened."""
    return dataclasses.replace(one, kept_at=kept_at, number=_number(kept_at))


def replaced(kept: Iterable[Kept], *others: Kept) -> list[Kept]:
    """Records, those of the same id replaced and new ones added."""
    found = {one.record.full_id: one for one in kept}
    found.update({one.record.full_id: one for one in others})
    return list(found.values())


def without(kept: Iterable[Kept], *names: str) -> list[Kept]:
    """Records without some of them, or only those with an id that begins otherwise."""
    return [one for one in kept if one.record.id not in names]


def policy(now: datetime = NOON, **fields: Any) -> Kept:
    """A policy for the meter's area, meant by two persons."""
    told = {"areas": ["east"], "until": time_out(now + DAYS[30]), **fields}
    return dataclasses.replace(record("policy", "v7", now - DAYS[1], **told), confirmed_by="anton")


def live(kind: OrderKind, now: datetime = NOON, **fields: Any) -> Live:
    """What a meter says that is ready for such an order."""
    is_open = kind in CLOSES or kind is OrderKind.GUARANTEE_ON
    switch = {OrderKind.GUARANTEE_ON: False}.get(kind, is_open)
    told: dict[str, Any] = {
        "identity": Identity(address=METER.address, meter_number=NUMBER),
        "standing": standing(
            taken_at=now,
            contact_open=switch,
            command_open=switch,
            guarantee=kind is OrderKind.GUARANTEE_OFF,
            alarm=kind is OrderKind.ALARM_OFF,
            **({"currents_a": (Decimal(0),), "power_w": Decimal(0)} if switch else {}),
        ),
        "clock": ClockLook(offset=timedelta(seconds=3), error=SECOND),
        "purse": purse(taken_at=now, customer_number=CUSTOMER) if kind is OrderKind.TOP_UP else None,
        "provider": "external",
    }
    return Live(**{**told, **fields})


def _number(kept_at: datetime) -> int:
    """A place in the log: what came earlier stands before what came later."""
    return int(kept_at.timestamp())


_PAID: Final = {OrderKind.PERMIT_CLOSE, OrderKind.DIRECT_CLOSE, OrderKind.TOP_UP, OrderKind.ALARM_OFF}
"""What comes from a payment in these tests."""


def facts(kind: OrderKind = OrderKind.TRIP, stage: Stage = Stage.PAPER, **fields: Any) -> Facts:
    """Facts with which every rule lets such an order go; ``order_`` fields change the order."""
    now: datetime = fields.pop("now", NOON)
    paid = kind in _PAID
    wanted = {
        "deadline_at": now + HOUR,
        "origin": Origin.PAYMENT if paid else Origin.PERSON,
        "payment": "billing:p1" if paid else "",
    }
    changes = {
        key.removeprefix("order_"): fields.pop(key) for key in list(fields) if key.startswith("order_")
    }
    one: Order = order(kind, **{**wanted, **changes})
    told: dict[str, Any] = {
        "order": one,
        "meter": dataclasses.replace(METER, world="local") if kind is OrderKind.TOP_UP else METER,
        "actor": _actor(one, stage),
        "now": now,
        "settings": SETTINGS,
        "calendar": CALENDAR,
        "steps": _steps(one, stage, now),
        "told": Told(kept=tuple(_told(kind, now))),
        "limited": Limited(),
        "last_read_at": now - HOUR,
        "model": MODEL,
        "live": live(kind, now) if stage is Stage.LIVE else None,
    }
    if "kept" in fields:
        fields["told"] = Told(kept=tuple(fields.pop("kept")))
    if "meter" in fields and isinstance(fields["meter"], dict):
        fields["meter"] = dataclasses.replace(told["meter"], **fields["meter"])
    if "steps" in fields and isinstance(fields["steps"], dict):
        fields["steps"] = dataclasses.replace(told["steps"], **fields["steps"])
    return Facts(**{**told, **fields})


def _actor(one: Order, stage: Stage) -> Actor:
    if one.origin is not Origin.PERSON:
        return THE_DAEMON
    return {Stage.CREATE: CLERK, Stage.APPROVE: APPROVER, Stage.OPERATE: DISPATCHER}.get(stage, THE_DAEMON)


def _steps(one: Order, stage: Stage, now: datetime) -> Steps:
    if stage is Stage.CREATE:
        return Steps()
    creator = "clara" if one.origin is Origin.PERSON else "meterlink"
    if stage is Stage.APPROVE or one.origin is not Origin.PERSON:
        return Steps(created_by=creator)
    armed = "david" if stage is Stage.OPERATE else ""
    return Steps(created_by=creator, approved_by=("anna",), approved_at=now - HOUR, armed_by=armed)


def _told(kind: OrderKind, now: datetime) -> list[Kept]:
    payment = record("payment", "p1", now - MINUTE, amount_cents=10_000, settles=True)
    consent = record("consent", "c1", now - DAYS[20], form="written")
    match kind:
        case OrderKind.TRIP:
            return chain(now)
        case OrderKind.DIRECT_CLOSE:
            return [payment, consent]
        case OrderKind.TOP_UP | OrderKind.PERMIT_CLOSE | OrderKind.ALARM_OFF:
            return [payment]
    return []
