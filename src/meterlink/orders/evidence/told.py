"""What evidence tells of one meter: questions of the rules, answered from records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, TypeVar

from meterlink.model.act import Act, KeptAct
from meterlink.orders.evidence.records import (
    BalanceStatement,
    Dispute,
    Evidence,
    Payment,
    Protection,
    Receipt,
    Record,
    SafetyHold,
    parse,
)

_R = TypeVar("_R", bound=Record)
_BILLED: Final = "by_billing"
"""Beside the keys of a record in its act: that an account of a billing system brought it."""


def body_of(record: Record, *, by_billing: bool) -> dict[str, Any]:
    """What the act of a record keeps."""
    return {**record.body, **({_BILLED: True} if by_billing else {})}


def record_of(act: Act) -> Evidence:
    """The record that an act keeps.

    Raises:
        EvidenceRefused: it is of no kind that we know.

    """
    return parse({key: value for key, value in act.body.items() if key != _BILLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A record and what became of it.

    Args:
        record: as it came.
        meter: our id of the meter it was kept for; empty: of a policy.
        actor: who took it in.
        kept_at: when, by our clock, which may have been set back since.
        number: its place in the log; who has the greater one came here later, whatever any clock says.
        confirmed_by: who else said that it is meant; empty: nobody.
        is_withdrawn: whether it was taken back.
        by_billing: whether an account of a billing system brought it, and not a person by hand.

    """

    record: Evidence
    meter: str
    actor: str
    kept_at: datetime
    number: int
    confirmed_by: str = ""
    is_withdrawn: bool = False
    by_billing: bool = False

    @property
    def counts_from(self) -> datetime:
        """From when on a period runs that protects the customer.

        Somebody who brings a record by hand may write any time into it; nothing runs before it was here.
        """
        return self.record.at if self.by_billing else max(self.record.at, self.kept_at)

    @classmethod
    def of(cls, acts: Sequence[KeptAct]) -> Kept:
        """The record of all acts of one subject.

        Raises:
            EvidenceRefused: a row is of no kind that we know.

        """
        first = acts[0].act
        verbs = {kept.act.verb: kept.act for kept in acts}
        confirmed = verbs.get("confirm")
        return cls(
            record=record_of(first),
            meter=first.meter,
            actor=first.actor,
            kept_at=first.at,
            number=acts[0].number,
            confirmed_by=confirmed.actor if confirmed else "",
            is_withdrawn="withdraw" in verbs,
            by_billing=_BILLED in first.body,
        )


@dataclass(frozen=True, kw_only=True)
class Told:
    """What evidence tells of one meter, for one order; questions of the rules, answered from records.

    Args:
        kept: every record of the meter, and the policy that the order names; withdrawn ones do not count.

    """

    kept: tuple[Kept, ...] = ()

    def all(self, kind: type[_R]) -> list[_R]:
        """Records of a kind that were not taken back, by the time when it happened."""
        return [record for record in self._in_order if isinstance(record, kind)]

    @cached_property
    def _in_order(self) -> list[Evidence]:
        """Sorted once: each order asks dozens of times."""
        found = [one.record for one in self.kept if not one.is_withdrawn]
        return sorted(found, key=lambda record: record.at)

    def newest(self, kind: type[_R]) -> _R | None:
        """The newest of a kind."""
        return found[-1] if (found := self.all(kind)) else None

    def find(self, full_id: str, kind: type[_R]) -> _R | None:
        """The record of that kind and full id."""
        return next((record for record in self.all(kind) if record.full_id == full_id), None)

    def kept_as(self, full_id: str) -> Kept | None:
        """A record with who took it in."""
        return self._by_id.get(full_id)

    @cached_property
    def _by_id(self) -> dict[str, Kept]:
        return {one.record.full_id: one for one in self.kept if not one.is_withdrawn}

    def counts_from(self, *records: Record) -> datetime:
        """From when on a period runs that all of these records begin."""
        return max(self._by_id[record.full_id].counts_from for record in records)

    def by_hand(self, records: Iterable[Record]) -> set[str]:
        """Who brought some of these records, where no billing system did."""
        kept = (self._by_id[record.full_id] for record in records)
        return {one.actor for one in kept if not one.by_billing}

    def is_by_hand(self, records: Iterable[Record]) -> bool:
        """Whether people brought all of these records; of none: no."""
        kept = [self._by_id[record.full_id] for record in records]
        return bool(kept) and not any(one.by_billing for one in kept)

    def may_be_later(self, one: Record, other: Record) -> bool:
        """Whether a record happened no earlier than another one, or came here after it.

        Senders tell late, and clocks are wrong: what protects a customer counts by either.
        """
        return one.at >= other.at or self._came_after(one, other)

    def _came_after(self, one: Record, other: Record) -> bool:
        return self._by_id[one.full_id].number > self._by_id[other.full_id].number

    def receipt(self, record: Record) -> Receipt | None:
        """The newest word of what became of a warning or notice."""
        found = [one for one in self.all(Receipt) if (one.sender, one.of) == (record.sender, record.id)]
        return found[-1] if found else None

    def delivered_at(self, record: Record) -> datetime | None:
        """When a warning or notice came there; ``None``: it did not, or nobody says so."""
        receipt = self.receipt(record)
        return receipt.at if receipt and receipt.outcome == "delivered" else None

    def open_disputes(self) -> list[str]:
        """Disputes that are open, or were upheld and not followed by a new balance."""
        states = {one.dispute: one for one in self.all(Dispute)}
        return [
            name
            for name, one in states.items()
            if one.state == "opened" or (one.state == "upheld" and not self._is_balanced(one))
        ]

    def _is_balanced(self, upheld: Dispute) -> bool:
        """Whether a balance was made after it, and told after it: an older one knows nothing of it."""
        return any(one.at > upheld.at and self._came_after(one, upheld) for one in self.all(BalanceStatement))

    def holds(self) -> list[SafetyHold]:
        """Safety holds that nobody has released."""
        states = {one.hold: one for one in self.all(SafetyHold)}
        return [one for one in states.values() if one.state == "set"]

    def lifted(self) -> list[Record]:
        """The records by which protections and disputes ended that stood against a disconnection."""
        protections = {one.protection: one for one in self.all(Protection)}
        disputes = {one.dispute: one for one in self.all(Dispute)}
        return [
            *(one for one in protections.values() if one.state == "lifted"),
            *(one for one in disputes.values() if one.state == "rejected"),
        ]

    def protections(self) -> set[str]:
        """Kinds of protection that records have set and not lifted."""
        states = {one.protection: one.state for one in self.all(Protection)}
        return {kind for kind, state in states.items() if state == "set"}

    def cleared_since(self, instant: datetime) -> bool:
        """Whether an account owed nothing at some time since."""
        return any(one.at > instant and one.balance_cents >= 0 for one in self.all(BalanceStatement))

    def paid_clear_since(self, instant: datetime) -> bool:
        """Whether somebody paid since, and the account owed nothing then."""
        payments = [one.at for one in self.all(Payment) if one.at > instant]
        if not payments:
            return False
        first = min(payments)
        return any(one.at >= first and one.balance_cents >= 0 for one in self.all(BalanceStatement))
