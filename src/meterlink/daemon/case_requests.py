"""What the control socket can be asked about disconnect cases: names and arguments in, JSON out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from meterlink.daemon.order_requests import text
from meterlink.errors import JournalError
from meterlink.model.act import Topic
from meterlink.orders.cases.machine import Case, CaseSignal
from meterlink.orders.cases.service import CaseService
from meterlink.orders.cases.view import case_summary, case_view
from meterlink.orders.judging.judge import told
from meterlink.orders.people import Actor

LISTED_MAX: Final = 1_000
"""Cases in one answer."""

Args = Mapping[str, Any]
Answer = dict[str, Any]


class CaseRequests:
    """The requests about cases.

    Args:
        cases: does what they want.

    """

    def __init__(self, cases: CaseService) -> None:
        self._cases = cases

    @property
    def table(self) -> Mapping[str, Callable[[Actor, Args], Awaitable[Answer]]]:
        """What can be asked."""
        return {
            "case.create": self._create,
            "case.approve": self._approve,
            "case.reject": self._reject,
            "case.cancel": self._cancel,
            "case.show": self._show,
            "case.list": self._list,
        }

    async def _create(self, actor: Actor, args: Args) -> Answer:
        name, meter, reason = text(args, "id"), text(args, "meter"), text(args, "reason")
        return await self._view(await self._cases.create(actor, name, meter, reason))

    async def _approve(self, actor: Actor, args: Args) -> Answer:
        return await self._view(await self._cases.approve(actor, text(args, "id"), text(args, "reason", "")))

    async def _reject(self, actor: Actor, args: Args) -> Answer:
        return await self._view(await self._cases.reject(actor, text(args, "id"), text(args, "reason")))

    async def _cancel(self, actor: Actor, args: Args) -> Answer:
        return await self._view(await self._cases.cancel(actor, text(args, "id"), text(args, "reason")))

    async def _show(self, _: Actor, args: Args) -> Answer:
        return await self._view(await self._cases.book.read(text(args, "id")))

    async def _list(self, _: Actor, args: Args) -> Answer:
        meter, everything = text(args, "meter", ""), args.get("all", False) is True
        cases, count = await self._listed(meter, everything)
        newest = sorted(cases, key=lambda case: (case.opened_at, case.id))[-LISTED_MAX:]
        return {"cases": [case_summary(case) for case in newest], "left_out": count - len(newest)}

    async def _listed(self, meter: str, everything: bool) -> tuple[list[Case], int]:
        """Cases, and how many there are; of all that there ever were only the newest are read."""
        book = self._cases.book
        if not everything:
            cases = [case for case in book.open_cases() if meter in ("", case.meter)]
            return cases, len(cases)
        if meter:
            cases = await book.of_meter(meter)
            return cases, len(cases)
        names = await book.acts.newest_subjects(Topic.CASE, CaseSignal.OPEN, limit=LISTED_MAX)
        return [await book.read(name) for name in names], await book.acts.count(Topic.CASE)

    async def _view(self, case: Case) -> Answer:
        """A case, and what keeps it from its next step now."""
        acts = await self._cases.book.acts_of(case.id)
        waits_for = [told(verdict) for verdict in await self._cases.waits_for(case.id)]
        withdrawn = await self._cases.withdrawn(case.id)
        try:
            return {**case_view(acts), "waits_for": waits_for, "withdrawn": withdrawn}
        except ValueError as error:
            raise JournalError(f"case {case.id!r} cannot be read from the log: {error}") from None
