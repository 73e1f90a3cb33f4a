"""What evidence tells of one meter: questions of the rules, answered from records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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
from meterlink.orders.people import ROLES, Actor, Role

_R = TypeVar("_R", bound=Record)
_E = TypeVar("_E", bound=Record)
_BILLED: Final = "by_billing"
"""Beside the keys of a record in its act: that an account of a billing system brought it."""
_WORLD: Final = "world"
"""Beside those of a payment: the payment world of its meter then."""
_BESIDE: Final = frozenset({_BILLED, _WORLD, ROLES})
"""Keys of an act that are none of its record."""
_ACCOUNTS: Final = frozenset({"none", "remote"})
"""Worlds in which money goes to the head-end, for an account or a bill."""


def body_of(record: Record, actor: Actor, *, world: str = "") -> dict[str, Any]:
    """What the act of a record keeps.

    Args:
        record: as it came.
        actor: who takes it in.
        world: of the meter of a payment; empty: of another record.

    """
    return {
        **record.body,
        **actor.noted,
        **({_BILLED: True} if Role.BILLING in actor.roles else {}),
        **({_WORLD: world} if world else {}),
    }


def record_of(act: Act) -> Evidence:
    """The record that an act keeps.

    Raises:
        EvidenceRefused: it is of no kind that we know.

    """
    return parse({key: value for key, value in act.body.items() if key not in _BESIDE})


def is_for_wallet(act: Act) -> bool:
    """Whether an act keeps a payment for the wallet of a meter, which that had when it was told."""
    return act.body.get(_WORLD) == "local"


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
        withdrawn_by: who took it back; empty: nobody did.
        withdrawn_at: when, by our clock; ``None``: nobody did.
        by_billing: whether an account of a billing system brought it, and not a person by hand.
        set_since: by how much our clock was set forward since it was kept; negative: back.
        elsewhere: the other meter of the customer that it was told of; empty: the meter itself, one before
            it, or one that he has no more.
        is_for_account: whether it tells of money that went to the head-end, for an account or a bill, and so
            can fill no wallet, whatever the meter became since.

    """

    record: Evidence
    meter: str
    actor: str
    kept_at: datetime
    number: int
    confirmed_by: str = ""
    is_withdrawn: bool = False
    withdrawn_by: str = ""
    withdrawn_at: datetime | None = None
    by_billing: bool = False
    set_since: timedelta = timedelta()
    elsewhere: str = ""
    is_for_account: bool = False

    @property
    def counts_from(self) -> datetime:
        """From when on a period runs that protects the customer.

        Somebody who brings a record by hand may write any time into it; nothing runs before it was here.
        """
        return self.record.at if self.by_billing else max(self.record.at, self.kept_at)

    @property
    def shown_from(self) -> datetime:
        """The same instant, as our clock goes now."""
        return self.counts_from + self.set_since

    @property
    def no_later_than(self) -> datetime:
        """When it had happened at the latest: a sender's clock may be ahead, and nobody tells before."""
        return min(self.record.at, self.kept_at)

    @classmethod
    def of(cls, acts: Sequence[KeptAct]) -> Kept:
        """The record of all acts of one subject.

        Raises:
            EvidenceRefused: a row is of no kind that we know.

        """
        first = acts[0].act
        verbs = {kept.act.verb: kept.act for kept in acts}
        confirmed, withdrawn = verbs.get("confirm"), verbs.get("withdraw")
        return cls(
            record=record_of(first),
            meter=first.meter,
            actor=first.actor,
            kept_at=first.at,
            number=acts[0].number,
            confirmed_by=confirmed.actor if confirmed else "",
            is_withdrawn=withdrawn is not None,
            withdrawn_by=withdrawn.actor if withdrawn else "",
            withdrawn_at=withdrawn.at if withdrawn else None,
            by_billing=_BILLED in first.body,
            is_for_account=first.body.get(_WORLD) in _ACCOUNTS,
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

    def withdrawn(self) -> list[Kept]:
        """Records that somebody took back, in the order in which they came here."""
        return sorted((one for one in self.kept if one.is_withdrawn), key=lambda one: one.number)

    def knows(self, full_id: str) -> bool:
        """Whether a record of that full id was told at all, also one that was taken back."""
        return any(one.record.full_id == full_id for one in self.kept)

    def counts_from(self, *records: Record) -> datetime:
        """From when on a period runs that all of these records begin."""
        return max(self._by_id[record.full_id].counts_from for record in records)

    def runs_from(self, *records: Record) -> datetime:
        """The same instant by the clock that makes the period longer: ours may have been set since."""
        kept = [self._by_id[record.full_id] for record in records]
        return max(max(one.counts_from, one.shown_from) for one in kept)

    def shown_from(self, record: Record) -> datetime:
        """From when on a period runs that a record begins, as our clock goes now."""
        return self._by_id[record.full_id].shown_from

    def set_since(self, record: Record) -> timedelta:
        """By how much our clock was set forward since a record was kept; negative: back."""
        return self._by_id[record.full_id].set_since

    def no_later_than(self, record: Record) -> datetime:
        """When a record had happened at the latest, whatever its sender's clock says."""
        return self._by_id[record.full_id].no_later_than

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
        return one.at >= other.at or self.number_of(one) > self.number_of(other)

    def number_of(self, one: Record) -> int:
        """The place of a record in the log."""
        return self._by_id[one.full_id].number

    def receipt(self, record: Record) -> Receipt | None:
        """The last word of what became of a warning or notice.

        That it came there is the last word only where no failure happened after it, or was told after it.
        """
        found = [one for one in self.all(Receipt) if (one.sender, one.of) == (record.sender, record.id)]
        failed = [one for one in found if one.outcome == "failed"]
        delivered = [one for one in found if one.outcome == "delivered"]
        if not delivered or any(self.may_be_later(one, delivered[-1]) for one in failed):
            return failed[-1] if failed else None
        return delivered[-1]

    def delivered_at(self, record: Record) -> datetime | None:
        """When a warning or notice came there; ``None``: it did not, or nobody says so."""
        receipt = self.receipt(record)
        return receipt.at if receipt and receipt.outcome == "delivered" else None

    def paid_into_account(self, full_ids: Iterable[str]) -> list[str]:
        """Those of some payments whose money went to the head-end. Source: TOP-01, the two payment worlds."""
        kept = (self.kept_as(full_id) for full_id in full_ids)
        return [one.record.full_id for one in kept if one is not None and one.is_for_account]

    def open_disputes(self) -> list[str]:
        """Disputes that are open, or were upheld and not followed by a new balance."""
        told = self.all(Dispute)
        opened = [one for one in told if one.state == "opened"]
        upheld = [one for one in told if one.state == "upheld"]
        rejected = [one for one in told if one.state == "rejected"]
        unbalanced = [
            one
            for one, balance in self._ended(upheld, self.all(BalanceStatement), lambda _: "")
            if balance is None or balance.at == one.at
        ]
        standing = [
            *self._ended(opened, [*upheld, *rejected], _dispute_of),
            *self._ended(unbalanced, rejected, _dispute_of),
        ]
        return sorted({one.dispute for one, end in standing if end is None})

    def holds(self) -> list[SafetyHold]:
        """Safety holds that nobody has released."""
        told = self.all(SafetyHold)
        ended = self._ended(
            [one for one in told if one.state == "set"],
            [one for one in told if one.state == "released"],
            lambda one: one.hold,
        )
        return list({one.hold: one for one, end in ended if end is None}.values())

    def lifted(self) -> list[Record]:
        """The records by which protections and disputes ended that stood against a disconnection."""
        disputes, standing = self.open_disputes(), self.protections()
        lifts = {one.protection: one for one in self.all(Protection) if one.state == "lifted"}
        ended: Iterable[Protection | None] = (*lifts.values(), *(end for _, end in self._protected))
        found: list[Record] = [one for one in ended if one is not None and one.protection not in standing]
        found += [one for one in self.all(Dispute) if one.state == "rejected" and one.dispute not in disputes]
        return list({one.full_id: one for one in found}.values())

    def protections(self) -> set[str]:
        """Kinds of protection that records have set and not lifted."""
        return {one.protection for one in self.standing_protections()}

    def standing_protections(self) -> list[Protection]:
        """The records themselves that set one which was not lifted since.

        What sets a kind again, once it was lifted, is a protection of its own.
        """
        return [one for one, end in self._protected if end is None]

    @cached_property
    def _protected(self) -> list[tuple[Protection, Protection | None]]:
        """Protections that were set, and by what each was lifted: a record of the same meter."""
        told = self.all(Protection)
        return self._ended(
            [one for one in told if one.state == "set"],
            [one for one in told if one.state == "lifted"],
            lambda one: f"{one.protection} {self._by_id[one.full_id].elsewhere}",
        )

    def _ended(
        self, begun: Iterable[_R], ends: Iterable[_E], of: Callable[[_R | _E], str]
    ) -> list[tuple[_R, _E | None]]:
        """Each record that began something, and the last that can end it: no earlier, and told after it.

        Senders' clocks are wrong by minutes, and ours may be set: what protects somebody stands while either
        of the two orders says so.

        Args:
            begun: records that began something.
            ends: records that may end it.
            of: what a record is about.

        """
        later, newest = sorted(ends, key=self.number_of), dict[str, _E]()
        found: list[tuple[_R, _E | None]] = []
        for one in sorted(begun, key=self.number_of, reverse=True):
            while later and self.number_of(later[-1]) > self.number_of(one):
                end = later.pop()
                last = newest.get(of(end))
                newest[of(end)] = end if last is None or end.at > last.at else last
            last = newest.get(of(one))
            found.append((one, last if last is not None and last.at >= one.at else None))
        return found

    def cleared_since(self, record: Record) -> bool:
        """Whether an account owed nothing at some time after a record, or was told to owe nothing."""
        return any(self.may_be_later(one, record) for one in self._clear)

    def paid_clear_since(self, record: Record) -> bool:
        """Whether somebody paid after a record, and the account owed nothing then."""
        payments = [one for one in self.all(Payment) if self.may_be_later(one, record)]
        return any(
            self.may_be_later(balance, record) and self.may_be_later(balance, payment)
            for payment in payments
            for balance in self._clear
        )

    @cached_property
    def _clear(self) -> list[BalanceStatement]:
        """Statements by which nothing was owed."""
        return [one for one in self.all(BalanceStatement) if one.balance_cents >= 0]


def _dispute_of(one: Dispute) -> str:
    return one.dispute
