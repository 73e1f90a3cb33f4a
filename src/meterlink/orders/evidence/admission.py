"""Which records are let in and taken back, and by whom. Source: AUD-01."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from meterlink.errors import EvidenceRefused, NotEntitled
from meterlink.model.plain import hidden_in, texts_in
from meterlink.orders.evidence.records import (
    Agreement,
    BalanceStatement,
    Consent,
    Dispute,
    Evidence,
    Filing,
    FinalNotice,
    Notice,
    Payment,
    Policy,
    ProbeOrder,
    Protection,
    Receipt,
    Record,
    SafetyHold,
    Warning_,
    WorkOrder,
)
from meterlink.orders.evidence.told import Kept
from meterlink.orders.people import Actor, Role

AHEAD_MAX: Final = timedelta(minutes=5)
"""How far a sender's clock may be ahead of ours; a record of later is refused."""
TIMES_FROM: Final = datetime(1970, 1, 1, tzinfo=UTC)
TIMES_UNTIL: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Every time in a record is between these two: at the ends of the calendar nothing can be reckoned."""

_CLERKS: Final = frozenset({Role.BILLING, Role.CLERK})
SENDERS: Final[Mapping[type[Record], frozenset[Role]]] = {
    BalanceStatement: _CLERKS,
    Warning_: _CLERKS,
    Notice: _CLERKS,
    FinalNotice: _CLERKS,
    Receipt: _CLERKS,
    Payment: _CLERKS,
    Consent: _CLERKS,
    Filing: _CLERKS,
    Dispute: _CLERKS,
    Agreement: _CLERKS,
    Protection: _CLERKS | {Role.INSPECTOR},
    SafetyHold: frozenset({Role.INSPECTOR}),
    WorkOrder: frozenset({Role.INSPECTOR, Role.DISPATCHER}),
    ProbeOrder: frozenset({Role.INSPECTOR, Role.DISPATCHER}),
    Policy: frozenset({Role.APPROVER}),
}
"""Who may take a record in. Source: AUD-01."""
WITHDRAWABLE: Final = (
    Warning_,
    Notice,
    FinalNotice,
    Receipt,
    Consent,
    Filing,
    Agreement,
    WorkOrder,
    ProbeOrder,
    Policy,
)
"""What only ever allows something, so that it may be taken back."""
PROTECTING: Final = (Agreement,)
"""What may be taken back, and may have protected its customer."""


def check_brought(record: Evidence, actor: Actor, now: datetime) -> None:
    """Refuse a record that nobody may bring, or that this one may not.

    Args:
        record: as it came.
        actor: who brings it.
        now: wall time.

    Raises:
        NotEntitled: the actor has no role that takes in such a record, or may not speak for its sender.
        EvidenceRefused: a time is ahead or at an end of the calendar, or a character does not show.

    """
    if not actor.is_daemon and not actor.roles & SENDERS[type(record)]:
        posts = ", ".join(sorted(SENDERS[type(record)]))
        raise NotEntitled(f"{actor.name} may not take in a {record.kind}: that is for {posts}")
    if not actor.is_daemon and not actor.may_send_as(record.sender):
        raise NotEntitled(
            f"sender: {actor.name} may not speak for {record.sender}: see `senders` in the file of people"
        )
    _check_times(record)
    if hidden := hidden_in(texts_in(record.body)):
        raise EvidenceRefused(f"{record.full_id!r}: {hidden} is no character that shows: use plain text")
    if record.at - now > AHEAD_MAX:
        raise EvidenceRefused(f"at: {record.body['at']} is ahead of our clock: check the sender's clock")


def check_taken_back(kept: Kept, actor: Actor) -> None:
    """Refuse to take a record back that cannot be, or that this one may not.

    Args:
        kept: the record.
        actor: who takes it back.

    Raises:
        NotEntitled: the actor has no role for such a record, or may not speak for its sender.
        EvidenceRefused: it cannot be taken back, or was already.

    """
    record = kept.record
    if not _only_allows(record) or kept.is_withdrawn:
        raise EvidenceRefused(f"{record.full_id}: a {record.kind} cannot be taken back, or was already")
    if not actor.roles & SENDERS[type(record)]:
        raise NotEntitled(f"{actor.name} may not take back a {record.kind}")
    if isinstance(record, PROTECTING) and not actor.may_send_as(record.sender):
        raise NotEntitled(
            f"{record.full_id} may protect its customer: who may speak for {record.sender} takes it back"
        )


def _check_times(record: Evidence) -> None:
    """Refuse a time at an end of the calendar; what an older log holds is read nevertheless."""
    for name in type(record).model_fields:
        value = getattr(record, name)
        if isinstance(value, datetime) and not TIMES_FROM <= value <= TIMES_UNTIL:
            raise EvidenceRefused(
                f"{name}: {record.body[name]} is not between the years {TIMES_FROM.year} and "
                f"{TIMES_UNTIL.year}: write the real time"
            )


def _only_allows(record: Evidence) -> bool:
    """Whether nobody is worse off without it: that a message failed protects whom it did not reach."""
    is_failure = isinstance(record, Receipt) and record.outcome == "failed"
    return isinstance(record, WITHDRAWABLE) and not is_failure
