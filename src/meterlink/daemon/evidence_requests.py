"""What the control socket can be asked about evidence: take records in, confirm, take back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from meterlink.daemon.order_requests import text
from meterlink.errors import BadRequest, EvidenceRefused, NotAllowed, NotEntitled
from meterlink.orders.cases.service import CaseService
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.evidence.records import Payment, keeps_from_harm, parse
from meterlink.orders.paid.payments import Payments
from meterlink.orders.people import Actor, People

RECORDS_MAX: Final = 200
"""Records in one request."""

Args = Mapping[str, Any]
Answer = Mapping[str, Any]


class EvidenceRequests:
    """The requests about evidence.

    Args:
        evidence: keeps it.
        payments: does what payments lead to.
        cases: are moved by what is told.
        people: who may be what; while that cannot be said, only what keeps people from harm is taken in.

    """

    def __init__(
        self, evidence: EvidenceBook, payments: Payments, cases: CaseService, people: People
    ) -> None:
        self._evidence = evidence
        self._payments = payments
        self._cases = cases
        self._people = people

    @property
    def table(self) -> Mapping[str, Callable[[Actor, Args], Awaitable[Answer]]]:
        """What can be asked."""
        return {
            "evidence.add": self._add,
            "evidence.confirm": self._confirm,
            "evidence.withdraw": self._withdraw,
        }

    async def _add(self, actor: Actor, args: Args) -> Answer:
        """Take records in, one by one; what became of each is in the answer."""
        records = args.get("records")
        if not isinstance(records, list) or not 1 <= len(records) <= RECORDS_MAX:
            raise BadRequest(f"records must be a list of 1 to {RECORDS_MAX}")
        return {"records": [await self._add_one(actor, record) for record in records]}

    async def _add_one(self, actor: Actor, document: object) -> Answer:
        try:
            record = parse(document)
            if not keeps_from_harm(record):
                self._people.actor(actor.name)
            added = await self._evidence.add(record, actor)
        except (EvidenceRefused, NotEntitled, NotAllowed) as error:
            return {"refused": str(error)}
        told: dict[str, Any] = {"id": added.full_id, "meter": added.meter, "is_new": added.is_new}
        if not added.meter:
            return told
        record = record.model_copy(update={"meter": added.meter})
        if cases := await self._cases.told(record):  # first, so that none becomes an order behind our back
            told["cases"] = cases
        if isinstance(record, Payment):
            told["orders"] = await self._payments.paid(record, added.number)
        return told

    async def _confirm(self, actor: Actor, args: Args) -> Answer:
        await self._evidence.confirm(text(args, "id"), actor)
        return {"id": text(args, "id")}

    async def _withdraw(self, actor: Actor, args: Args) -> Answer:
        await self._evidence.withdraw(text(args, "id"), actor, text(args, "reason"))
        return {"id": text(args, "id")}
