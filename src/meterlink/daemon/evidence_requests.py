"""What the control socket can be asked about evidence: take records in, confirm, take back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from meterlink.daemon.order_requests import text
from meterlink.errors import BadRequest, EvidenceRefused, NotAllowed, NotEntitled
from meterlink.model.order import OrderState
from meterlink.orders.cases.service import CaseService
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.evidence.records import Payment, SafetyHold, keeps_from_harm, parse
from meterlink.orders.held import Held
from meterlink.orders.life.bringing import leaves_a_permit
from meterlink.orders.life.life import Life
from meterlink.orders.paid.payments import Payments
from meterlink.orders.people import Actor, People
from meterlink.orders.protecting import Protecting

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
        protecting: ends the trips of who contests the debt or is protected.
        held: knows what is under way where an inspector forbids current.
        people: who may be what; while that cannot be said, only what keeps people from harm is taken in.

    """

    def __init__(
        self,
        evidence: EvidenceBook,
        payments: Payments,
        cases: CaseService,
        *,
        protecting: Protecting,
        held: Held,
        people: People,
    ) -> None:
        self._evidence = evidence
        self._payments = payments
        self._cases = cases
        self._protecting = protecting
        self._held = held
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
        if ended := await self._protecting.told(record, added.number):
            told["orders"] = ended
        if isinstance(record, Payment):
            told["orders"] = await self._payments.paid(record, added.number)
        if isinstance(record, SafetyHold) and record.state == "set":
            told["standing"] = [_standing(life) for life in await self._held.standing(added.meter)]
        return told

    async def _confirm(self, actor: Actor, args: Args) -> Answer:
        await self._evidence.confirm(text(args, "id"), actor)
        return {"id": text(args, "id")}

    async def _withdraw(self, actor: Actor, args: Args) -> Answer:
        await self._evidence.withdraw(text(args, "id"), actor, text(args, "reason"))
        return {"id": text(args, "id")}


def _standing(life: Life) -> Answer:
    """What may still bring current back at a place that is held, for whoever holds it."""
    is_permit = life.state is OrderState.WAITING_FOR_KEY
    order, kind, state = life.order.id, life.order.kind.value, life.state.value
    en = f"order {order} ({kind}) is {state} and may bring current back: secure the place"
    zh = f"工单{order}({kind})处于{state}状态,可能恢复供电:请立即看守现场"
    if is_permit:
        en = f"order {order} permits closing: whoever presses the key brings current back: secure the place"
        zh = f"工单{order}已允许合闸,按键即恢复供电:请立即看守现场,禁止按键"
    elif leaves_a_permit(life):
        en = f"order {order} ({kind}) may have permitted closing: let nobody press the key, secure it"
        zh = f"工单{order}({kind})已完成,电表可能已允许合闸:请立即看守现场,禁止按键"
    return {"order": order, "kind": kind, "state": state, "en": en, "zh": zh}
