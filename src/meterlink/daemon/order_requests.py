"""What the control socket can be asked about orders: names and arguments in, JSON out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from meterlink.clock import Clock
from meterlink.errors import BadRequest, JournalError, OrderClash
from meterlink.model.act import Topic
from meterlink.model.order import OWN_IDS, Order, Origin
from meterlink.model.payload import time_out
from meterlink.model.plain import hidden_in, texts_in
from meterlink.orders.book import Book
from meterlink.orders.foreseeing import Later
from meterlink.orders.judging.judge import told
from meterlink.orders.life.guards import FINDINGS
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.view import order_view, summary
from meterlink.orders.people import Actor
from meterlink.orders.rules.verdict import Stage, Verdict
from meterlink.orders.service import OrderService

FOLLOW_MAX_S: Final = 60
"""Longest wait for news in one request."""
LISTED_MAX: Final = 1_000
"""Orders in one answer."""
TEXT_MAX: Final = 4_096
"""Characters of one argument."""
WITHIN_MAX_MIN: Final = 1440
"""Most minutes that an order may be asked for."""
_MINUTE: Final = timedelta(minutes=1)
_STAGES: Final = {"approve": Stage.APPROVE, "operate": Stage.OPERATE}

Args = Mapping[str, Any]
Answer = dict[str, Any]
_T = TypeVar("_T")


class OrderRequests:
    """The requests about orders.

    Args:
        service: does what they want.
        book: what there is.
        clock: from when on minutes count.

    """

    def __init__(self, service: OrderService, book: Book, clock: Clock) -> None:
        self._service = service
        self._book = book
        self._clock = clock

    @property
    def table(self) -> Mapping[str, Callable[[Actor, Args], Awaitable[Answer]]]:
        """What can be asked."""
        return {
            "order.create": self._create,
            "order.dry_run": self._dry_run,
            "order.approve": self._approve,
            "order.reject": self._reject,
            "order.arm": self._arm,
            "order.operate": self._operate,
            "order.cancel": self._cancel,
            "order.find": self._find,
            "order.confirm": self._confirm,
            "order.check": self._check,
            "order.show": self._show,
            "order.follow": self._follow,
            "order.list": self._list,
        }

    async def _create(self, actor: Actor, args: Args) -> Answer:
        return await self._shown(await self._of_order(args, lambda one: self._service.create(actor, one)))

    async def _dry_run(self, actor: Actor, args: Args) -> Answer:
        async def rehearsed(order: Order) -> Answer:
            verdicts = await self._service.rehearsal.dry_run(actor, order)
            return _rehearsal(verdicts, await self._service.rehearsal.foreseen(actor, order, verdicts))

        return await self._of_order(args, rehearsed)

    async def _of_order(self, args: Args, do: Callable[[Order], Awaitable[_T]]) -> _T:
        """Do with the order of a request; the same minutes asked for again are those of the first time."""
        if "within_min" not in args:
            return await do(order_in(args))
        within = number(args, "within_min", 1, WITHIN_MAX_MIN) * _MINUTE
        order = order_in(_with_deadline(args, self._clock.utc_now().replace(microsecond=0) + within))
        try:
            return await do(order)
        except OrderClash:
            first = await self._book.read(order.id)
            deadline_at = first.order.deadline_at
            if not within - _MINUTE < deadline_at - first.created_at <= within:
                raise
            return await do(replace(order, deadline_at=deadline_at))

    async def _approve(self, actor: Actor, args: Args) -> Answer:
        life = await self._service.approve(actor, text(args, "id"), text(args, "reason", ""))
        return await self._shown(life)

    async def _reject(self, actor: Actor, args: Args) -> Answer:
        return await self._shown(await self._service.reject(actor, text(args, "id"), text(args, "reason")))

    async def _arm(self, actor: Actor, args: Args) -> Answer:
        return await self._shown(await self._service.arm(actor, text(args, "id")))

    async def _operate(self, actor: Actor, args: Args) -> Answer:
        return await self._shown(await self._service.operate(actor, text(args, "id")))

    async def _cancel(self, actor: Actor, args: Args) -> Answer:
        return await self._shown(await self._service.cancel(actor, text(args, "id"), text(args, "reason")))

    async def _find(self, actor: Actor, args: Args) -> Answer:
        finding, evidence, instead = _finding(args), text(args, "evidence"), text(args, "instead", "")
        if instead not in ("", *FINDINGS):
            raise BadRequest("instead must be done or not_done, or be left out")
        life = await self._service.find(actor, text(args, "id"), finding, evidence, instead=instead)
        return await self._shown(life)

    async def _confirm(self, actor: Actor, args: Args) -> Answer:
        step = number(args, "step", 1, 1_000_000) if "step" in args else 0
        return await self._shown(await self._service.confirm(actor, text(args, "id"), _finding(args), step))

    async def _check(self, actor: Actor, args: Args) -> Answer:
        stage = _STAGES.get(text(args, "verb"))
        if stage is None:
            raise BadRequest(f"verb is one of {', '.join(_STAGES)}")
        order_id = text(args, "id")
        verdicts = await self._service.rehearsal.check(actor, order_id, stage)
        return _rehearsal(verdicts, await self._service.rehearsal.foreseen_of(order_id, stage, verdicts))

    async def _show(self, _: Actor, args: Args) -> Answer:
        order_id = text(args, "id")
        return {**await self._view(order_id), "withdrawn": await self._service.rehearsal.withdrawn(order_id)}

    async def _follow(self, _: Actor, args: Args) -> Answer:
        """Answer when there is a step more than the caller knows, or he has waited long enough."""
        order_id, known = text(args, "id"), number(args, "step", 0, 1_000_000)
        try:
            async with asyncio.timeout(number(args, "wait_s", 0, FOLLOW_MAX_S)):
                while True:
                    news = self._book.news
                    life = await self._book.read(order_id)
                    if life.step > known or not life.is_open:
                        break
                    await news.wait()
        except TimeoutError:
            pass
        return await self._view(order_id)

    async def _list(self, _: Actor, args: Args) -> Answer:
        meter, everything = text(args, "meter", ""), args.get("all", False) is True
        lives, count = await self._listed(meter, everything)
        newest = sorted(lives, key=lambda life: (life.created_at, life.order.id))[-LISTED_MAX:]
        return {"orders": [summary(life) for life in newest], "left_out": count - len(newest)}

    async def _listed(self, meter: str, everything: bool) -> tuple[list[Life], int]:
        """Orders, and how many there are; of all that there ever were only the newest are read."""
        if not everything:
            lives = [life for life in self._book.open_orders() if meter in ("", life.order.meter)]
            return lives, len(lives)
        if meter:
            lives = await self._book.of_meter(meter)
            return lives, len(lives)
        acts = self._book.acts
        names = await acts.newest_subjects(Topic.ORDER, Signal.CREATE, limit=LISTED_MAX)
        return [await self._book.read(name) for name in names], await acts.count(Topic.ORDER)

    async def _shown(self, life: Life) -> Answer:
        return await self._view(life.order.id)

    async def _view(self, order_id: str) -> Answer:
        acts = await self._book.acts_of(order_id)
        try:
            return order_view(acts)
        except ValueError as error:
            raise JournalError(f"order {order_id!r} cannot be read from the log: {error}") from None


def _rehearsal(verdicts: Sequence[Verdict], later: Sequence[Later]) -> Answer:
    """What the rules say of a step now, and what would stop the steps behind it."""
    return {
        "rules": [told(verdict) for verdict in verdicts],
        "later": [
            {"stage": one.stage.value, "on_stop": one.verdict.on_stop.name.lower(), **told(one.verdict)}
            for one in later
        ],
    }


def _finding(args: Args) -> str:
    """The finding that a request names."""
    finding = text(args, "finding", "")
    if finding not in FINDINGS:
        raise BadRequest("finding must be done or not_done")
    return finding


def _with_deadline(args: Args, deadline_at: datetime) -> Args:
    given = args.get("order")
    if not isinstance(given, dict) or "deadline_at" in given:
        raise BadRequest("give deadline_at in the order, or within_min beside it")
    return {"order": {**given, "deadline_at": time_out(deadline_at)}}


def order_in(args: Args) -> Order:
    """The order of a request; a caller at the socket is a person, unless it says that a policy sends it.

    Raises:
        BadRequest: that is no order; the message says why.

    """
    given = args.get("order")
    if not isinstance(given, dict):
        raise BadRequest("order must be a table")
    body = {"origin": Origin.PERSON.value, "amount_cents": None, **given}
    try:
        order = Order.of(str(body.pop("id")), body)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise BadRequest(f"that is no order: {error}") from None
    if hidden := hidden_in(texts_in(dict(order.body))):
        raise BadRequest(f"{hidden} in the order is no character that shows: write plain text")
    if order.id.startswith(OWN_IDS):
        raise BadRequest(f"ids that begin with {', '.join(OWN_IDS)} are the daemon's own: take another")
    if order.origin is Origin.PAYMENT:
        raise BadRequest("orders of payments are made of payment records, see `meterlink evidence import`")
    if order.origin is Origin.PROBE:
        raise BadRequest("orders of probes are made at the meter, see `meterlink qualify`")
    return order


def text(args: Args, key: str, default: str | None = None) -> str:
    """An argument of text.

    Raises:
        BadRequest: it is missing, of another kind, or too long.

    """
    value = args.get(key, default)
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise BadRequest(f"{key} must be a text of at most {TEXT_MAX} characters")
    return value


def number(args: Args, key: str, least: int, most: int) -> int:
    """An argument that is a whole number.

    Raises:
        BadRequest: it is missing, of another kind, or out of range.

    """
    value = args.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadRequest(f"{key} must be a whole number from {least} to {most}")
    return value
