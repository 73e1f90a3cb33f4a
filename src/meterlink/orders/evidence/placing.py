"""Which meter a record concerns, which customer has it now, and whose accounts nobody tells of himself.

Source: AUD-02; CTRL-12.
"""

from __future__ import annotations

from meterlink.errors import EvidenceRefused, NotEntitled, with_chinese
from meterlink.orders.evidence.records import Evidence
from meterlink.orders.evidence.told import Kept
from meterlink.orders.people import Actor
from meterlink.roster.roster import Roster, RosterMeter


def placed(record: Evidence, roster: Roster) -> Evidence:
    """The record with its meter and the customer who has it now.

    Raises:
        EvidenceRefused: no such meter, customer and meter do not belong together, or nobody has it.

    """
    if not record.is_personal:
        return record
    meter = _checked(record, roster.meter(record.meter)) if record.meter else _only(record, roster)
    if not meter.customer_number:
        raise EvidenceRefused(f"meter: {meter.id} has no customer_number in the configuration: add it there")
    return record.model_copy(update={"meter": meter.id, "customer": meter.customer_number})


def check_others_told(record: Evidence, actor: Actor) -> None:
    """Refuse a record that somebody tells of his own account.

    Args:
        record: as it is placed.
        actor: who brings it.

    Raises:
        NotEntitled: it is.

    """
    if record.customer in actor.accounts:
        raise _own(record.customer, actor, "tells it", "提供")


def check_others_take_back(kept: Kept, actor: Actor, roster: Roster) -> None:
    """Refuse that somebody takes back what is told of his own account: it may stand against himself.

    Args:
        kept: the record; its customer may have another number by now.
        actor: who takes it back.
        roster: whose meter it is now.

    Raises:
        NotEntitled: it is his.

    """
    meter = roster.meter(kept.meter) or roster.heir_of(kept.meter) if kept.record.is_personal else None
    for number in (kept.record.customer, meter.customer_number if meter else ""):
        if number in actor.accounts:
            raise _own(number, actor, "takes it back", "撤回")


def _own(number: str, actor: Actor, does: str, does_zh: str) -> NotEntitled:
    error = NotEntitled(f"{number} is an account of {actor.name}'s own: somebody else {does}")
    return with_chinese(error, f"{number}为{actor.name}本人账户,须由他人{does_zh}")


def _only(record: Evidence, roster: Roster) -> RosterMeter:
    meters = roster.of_customer(record.customer)
    if len(meters) == 1:
        return meters[0]
    if not meters:
        raise EvidenceRefused(f"customer: nobody in the roster has the number {record.customer}")
    named = ", ".join(meter.id for meter in meters[:5])
    raise EvidenceRefused(f"meter: customer {record.customer} has {named}: send one record for each meter")


def _checked(record: Evidence, meter: RosterMeter | None) -> RosterMeter:
    if meter is None:
        raise EvidenceRefused(f"meter: there is no {record.meter!r} in the roster")
    if record.customer and record.customer != meter.customer_number:
        raise EvidenceRefused(
            f"customer: {record.meter} is not the meter of {record.customer}: one of the two is wrong"
        )
    return meter
