"""What the control socket can be asked: one table of names, each with what does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.daemon.brake_requests import BrakeRequests
from meterlink.daemon.case_requests import CaseRequests
from meterlink.daemon.evidence_requests import EvidenceRequests
from meterlink.daemon.order_requests import OrderRequests, text
from meterlink.daemon.qualification_requests import QualificationRequests
from meterlink.errors import BadRequest, NotAllowed
from meterlink.model.days import day_in
from meterlink.orders.attention.desk import OPS, Attention
from meterlink.orders.attention.desk import answer as attended
from meterlink.orders.book import Book
from meterlink.orders.cases.service import CaseService
from meterlink.orders.dispatch.mac_guard import MacGuard
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.held import Held
from meterlink.orders.judging.brakes import Brakes
from meterlink.orders.judging.restored import Restored
from meterlink.orders.judging.watching import Watch
from meterlink.orders.paid.payments import Payments
from meterlink.orders.people import Actor, Deed, People
from meterlink.orders.protecting import Protecting
from meterlink.orders.qualifying.desk import Qualifier
from meterlink.orders.reconciliation.punctuality import Punctuality
from meterlink.orders.reconciliation.reconciler import Reconciler
from meterlink.orders.service import OrderService

KEEPS_FROM_HARM: Final = frozenset({"control.stop", "control.freeze", "evidence.add"})
"""What may be asked for by the file of people as it was right last; of evidence, what keeps from harm."""
NO_CONTROL: Final = "this daemon has no table [control] in its configuration, so nobody orders anything here"

Args = Mapping[str, Any]
Answer = Mapping[str, Any]
_Ask = Callable[[Actor, Args], Awaitable[Answer]]


class Requests:
    """Everything that may be asked.

    Args:
        people: who may be what.
        service: orders.
        cases: what goes before a trip.
        book: the same, to look at.
        brakes: the kill switch, freezes, quarantine.
        watch: what is counted.
        macs: knows which meters met a wrong MAC.
        restored: whether the log is the newest.
        evidence: what senders tell.
        protecting: ends the trips of who is protected.
        held: the places that an inspector holds.
        payments: what payments lead to.
        attention: work items and alarms.
        qualifier: walks people through the probes.
        reconciler: compares payments, log and meters.
        punctuality: counts who had current in time.
        clock: the time.

    """

    def __init__(
        self,
        *,
        people: People,
        service: OrderService,
        cases: CaseService,
        book: Book,
        brakes: Brakes,
        watch: Watch,
        macs: MacGuard,
        restored: Restored,
        evidence: EvidenceBook,
        protecting: Protecting,
        held: Held,
        payments: Payments,
        attention: Attention,
        qualifier: Qualifier,
        reconciler: Reconciler,
        punctuality: Punctuality,
        clock: Clock,
    ) -> None:
        self._people = people
        self._attention = attention
        self._reconciler = reconciler
        self._punctuality = punctuality
        told = EvidenceRequests(evidence, payments, cases, protecting=protecting, held=held, people=people)
        self._table: dict[str, _Ask] = {
            **OrderRequests(service, book, clock).table,
            **CaseRequests(cases).table,
            **told.table,
            "reconcile": self._reconcile,
            "reconnections": self._reconnections,
            **BrakeRequests(brakes, watch, book, service, people, macs, restored).table,
            **QualificationRequests(qualifier).table,
        }

    async def answer(self, user: str, op: str, args: Args) -> Answer:
        """Do what a local user asks.

        Raises:
            BadRequest: there is no such request, or its arguments are wrong.
            NotAllowed: the user has no role here.
            MeterlinkError: whatever the request itself says.

        """
        actor = self._people.last(user) if op in KEEPS_FROM_HARM else self._people.actor(user)
        if not actor.may(Deed.LOOK):
            raise NotAllowed(f"{user} has no role here: the file of people names nobody so", why="role")
        if op in OPS:
            return await attended(self._attention, actor, op, args)
        if op not in self._table:
            raise BadRequest(f"there is no request {op!r}")
        return await self._table[op](actor, args)

    async def _reconcile(self, actor: Actor, args: Args) -> Answer:
        return (await self._reconciler.compare(_day(args), actor)).body

    async def _reconnections(self, _: Actor, args: Args) -> Answer:
        days = args.get("days", 1)
        if not isinstance(days, int) or isinstance(days, bool):
            raise BadRequest("days must be a whole number")
        return (await self._punctuality.count(_day(args), days)).body


def _day(args: Args) -> date:
    return day_in(text(args, "day"))


async def no_control(user: str, op: str, args: Args) -> Answer:
    """The answer to everything where there is no control."""
    del user, op, args
    raise NotAllowed(NO_CONTROL, why="no_control")
