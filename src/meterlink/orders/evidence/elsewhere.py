"""What stands beside a record so that it is found at other meters: transfers, likenesses, protections."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic
from meterlink.orders.evidence.one_payment import (
    TELLERS_MAX,
    likenesses_near,
    likenesses_of,
    may_be_one,
    subject_of,
)
from meterlink.orders.evidence.records import Payment, Protection
from meterlink.orders.evidence.told import Kept, record_of
from meterlink.roster.roster import Roster, RosterMeter

TRANSFER: Final = "transfer"
"""Verb of the act that says of which meter a transfer was told."""
PROTECTION: Final = "protection"
"""Verb of the act by which a protection is found at every meter of its customer."""
LIKE: Final = "like"
"""Verb of the act by which a payment is found at another meter of its customer that may be the same money."""


class Elsewhere:
    """Records of one meter that concern others.

    Args:
        acts: the log.
        roster: whose meters there are.

    """

    def __init__(self, acts: ActLog, roster: Roster) -> None:
        self._acts = acts
        self._roster = roster

    async def beside(self, act: Act) -> tuple[Act, ...]:
        """What is written with a record.

        What bears no meter is looked at again before a frame leaves, whichever meter that goes to.

        Raises:
            JournalError: the log cannot be read.

        """
        record = record_of(act)
        if isinstance(record, Payment):
            return (*await self._transferred(act, record), *await self._likened(act, record))
        if not isinstance(record, Protection):
            return ()
        under = replace(act, subject=_protected_as(record.customer), verb=PROTECTION, meter="")
        return (await self._next(under),)

    async def protections_of(self, meter: RosterMeter) -> list[Kept]:
        """The protections of a meter's customer that were told of other meters, also of some that are gone.

        One that was told under a number which has been corrected counts for the meter that it was told of, so
        it counts for the others of the customer as well.
        """
        if not meter.customer_number:
            return []
        told = await self._under(meter.customer_number)
        others = self._roster.of_customer(meter.customer_number)
        for other in others:
            names = (other.id, *other.predecessors)
            for number in other.customer_was:
                told += [one for one in await self._under(number) if one.record.meter in names]
        here = (meter.id, *meter.predecessors)
        found = (one for one in told if one.record.meter not in here)
        places = {name: other.id for other in others for name in (other.id, *other.predecessors)}
        return [replace(one, elsewhere=places.get(one.record.meter, "")) for one in found]

    async def _under(self, number: str) -> list[Kept]:
        acts = await self._acts.of_subject(Topic.EVIDENCE, _protected_as(number))
        return [Kept.of([kept]) for kept in acts]

    async def payments_of(self, payment: Payment) -> list[str]:
        """Payments that were told of other meters, by full id, and are of the same transfer, or may be.

        Of one transfer nobody knows whose money it is, so all of them count; of what only may be the same
        money of one customer those that came before.

        Raises:
            EvidenceRefused: a row is of no kind that we know.
            JournalError: the log cannot be read.

        """
        subject = subject_of(payment)
        told = await self._acts.of_subject(Topic.EVIDENCE, subject) if subject else []
        same = [str(kept.act.body["payment"]) for kept in told if kept.act.body["meter"] != payment.meter]
        return list(dict.fromkeys([*same, *await self._alike(payment)]))

    async def _alike(self, payment: Payment) -> list[str]:
        """Payments of its customer that came before it, for other meters, and may be the same money."""
        found = [
            (kept.number, record)
            for subject in likenesses_near(payment)
            for kept in await self._acts.of_subject(Topic.EVIDENCE, subject)
            if isinstance(record := record_of(kept.act), Payment)
        ]
        here = next((one for one in self._roster if payment.meter in (one.id, *one.predecessors)), None)
        names = {payment.meter} if here is None else {here.id, *here.predecessors}
        own = max((number for number, one in found if one.full_id == payment.full_id), default=None)
        return [
            one.full_id
            for number, one in found
            if one.meter not in names and (own is None or number < own) and may_be_one(one, payment)
        ]

    async def _next(self, act: Act) -> Act:
        """An act as the next one of its subject."""
        last = await self._acts.last_of(Topic.EVIDENCE, act.subject)
        return replace(act, step=1 if last is None else last.act.step + 1)

    async def _likened(self, act: Act, payment: Payment) -> tuple[Act, ...]:
        """What says, beside the record of a payment of whoever has a wallet, of which money it is."""
        if not any(meter.world == "local" for meter in self._meters_of(payment)):
            return ()
        under = [replace(act, subject=subject, verb=LIKE) for subject in likenesses_of(payment)]
        return tuple([await self._next(one) for one in under])

    async def _transferred(self, act: Act, payment: Payment) -> tuple[Act, ...]:
        """What says, beside the record of a payment, that its transfer was told of this meter."""
        subject = subject_of(payment)
        told = await self._acts.of_subject(Topic.EVIDENCE, subject) if subject else []
        if not subject or len(told) >= TELLERS_MAX:
            return ()
        body = {"payment": act.subject, "meter": act.meter}
        return (replace(act, subject=subject, step=len(told) + 1, verb=TRANSFER, meter="", body=body),)

    def _meters_of(self, payment: Payment) -> list[RosterMeter]:
        """The meter of a payment, and the others of its customer."""
        meter = self._roster.meter(payment.meter)
        others = self._roster.of_customer(payment.customer) if payment.customer else ()
        return [*([meter] if meter else []), *others]


def _protected_as(customer: str) -> str:
    """The subject of the acts that hold a customer's protections; the blank keeps it apart from full ids."""
    return f"protected {customer}"
