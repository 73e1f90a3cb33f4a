"""Who does it."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any, Final

from meterlink.model.order import Origin
from meterlink.model.payload import time_out
from meterlink.orders.limits.caps import Limited
from meterlink.orders.limits.trips import Quarantine
from meterlink.orders.people import THE_DAEMON, Actor, Role
from meterlink.orders.rules import (
    FieldGrant,
    Stage,
)
from tests.support.orders import NOON
from tests.support.rule_cases.case import (
    APPROVE,
    CREATE,
    GUARANTEE_OFF,
    GUARANTEE_ON,
    LIVE,
    OPERATE,
    PAPER,
    PERMIT,
    Case,
    Made,
    agreement,
    by_policy,
    made,
    trip,
)
from tests.support.rules import (
    APPROVER,
    CLERK,
    CUSTOMER,
    DAYS,
    DISPATCHER,
    FIELD,
    HOUR,
    INSPECTOR,
    SECOND,
    SETTINGS,
    policy,
)

_OTHER_PEOPLE = Actor(name="anna", roles=frozenset(Role) - {Role.ADMIN, Role.AUDITOR})
_GRANT = FieldGrant(person="fred", granted_at=NOON - timedelta(hours=4) + SECOND)
_THREE_A_DAY = SETTINGS.model_copy(update={"policy_trips_per_area_day": 3})
_BY_FIELD: Final[dict[str, Any]] = {"field_person": "fred", "is_field_still": True, "field_grant": _GRANT}


def _repeated(stage: Stage = LIVE, **grant: Any) -> Made:
    """A closing that field staff operated, at another sending."""
    return made(PERMIT, stage, steps={**_BY_FIELD, "field_grant": dataclasses.replace(_GRANT, **grant)})


PERSONS = (
    Case("CTRL-10", "by policy, nothing signed", PAPER, by_policy(meter={"agreement": ""})),
    Case("CTRL-10", "by policy, none of that name", PAPER, by_policy(order_reference="billing:v8")),
    Case(
        "CTRL-10",
        "by policy, before it begins",
        PAPER,
        by_policy(dataclasses.replace(policy(NOON + DAYS[1] + SECOND), confirmed_by="anton")),
        by_policy(dataclasses.replace(policy(NOON + DAYS[1]), confirmed_by="anton")),
    ),
    Case(
        "AUD-01",
        "one who holds two posts, and was given nothing",
        OPERATE,
        made(PERMIT, OPERATE, actor=dataclasses.replace(FIELD, roles=frozenset({Role.FIELD, Role.CLERK}))),
        made(
            PERMIT, OPERATE, actor=dataclasses.replace(FIELD, roles=frozenset({Role.FIELD, Role.DISPATCHER}))
        ),
    ),
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
    Case(
        "CTRL-10",
        "by policy, more than the configuration says",
        PAPER,
        by_policy(limited=Limited(policy_trips=3), settings=_THREE_A_DAY),
        by_policy(limited=Limited(policy_trips=2), settings=_THREE_A_DAY),
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
        "a guarantee begun by one person",
        OPERATE,
        made(GUARANTEE_ON, OPERATE, steps={"approved_by": ()}),
        made(GUARANTEE_ON, OPERATE),
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
        "AUD-01",
        "field staff's closing, again after 4 hours",
        LIVE,
        _repeated(granted_at=NOON - 4 * HOUR),
        _repeated(),
    ),
    Case(
        "AUD-01",
        "field staff's closing, given to another since",
        PAPER,
        _repeated(PAPER, person="frida"),
        _repeated(PAPER),
    ),
    Case(
        "AUD-01",
        "field staff's closing, of somebody who is no more of them",
        PAPER,
        made(PERMIT, steps={**_BY_FIELD, "is_field_still": False}),
    ),
    Case(
        "AUD-01",
        "field staff's closing, while nobody can say who is of them",
        PAPER,
        made(PERMIT, steps={**_BY_FIELD, "is_field_still": False}, people_fault="people.toml: not TOML"),
        made(PERMIT, people_fault="people.toml: not TOML"),
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
    Case(
        "AUD-02",
        "operated by who released it",
        OPERATE,
        trip(OPERATE, limited=Limited(quarantine=Quarantine.RELEASED, released_by="david")),
        trip(OPERATE, limited=Limited(quarantine=Quarantine.RELEASED, released_by="sam")),
    ),
    Case("AUD-02", "its creator among the approvers", PAPER, trip(steps={"approved_by": ("anna", "clara")})),
)
