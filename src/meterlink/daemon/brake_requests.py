"""What the control socket can be asked about limits: stop, resume, freeze, release, unlock, send somebody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from meterlink.daemon.order_requests import text
from meterlink.errors import BadRequest
from meterlink.model.payload import time_in, time_out
from meterlink.orders.book import Book
from meterlink.orders.dispatch.mac_guard import MacGuard
from meterlink.orders.judging.brakes import Brakes
from meterlink.orders.judging.restored import Restored
from meterlink.orders.judging.watching import Watch
from meterlink.orders.life.life import Life
from meterlink.orders.people import Actor, People
from meterlink.orders.service import OrderService

Args = Mapping[str, Any]
Answer = Mapping[str, Any]


class BrakeRequests:
    """The requests about limits.

    Args:
        brakes: does what they want.
        watch: what is counted.
        book: the orders.
        service: cancels an order that was held and shall not go.
        people: whom a dispatcher may send.
        macs: knows which meters met a wrong MAC.
        restored: whether the log is the newest.

    """

    def __init__(
        self,
        brakes: Brakes,
        watch: Watch,
        book: Book,
        service: OrderService,
        people: People,
        macs: MacGuard,
        restored: Restored,
    ) -> None:
        self._brakes = brakes
        self._watch = watch
        self._book = book
        self._service = service
        self._people = people
        self._macs = macs
        self._restored = restored

    @property
    def table(self) -> Mapping[str, Callable[[Actor, Args], Awaitable[Answer]]]:
        """What can be asked."""
        return {
            "control.stop": self._stop,
            "control.resume": self._resume,
            "control.status": self._status,
            "control.release": self._release,
            "control.delete": self._delete,
            "control.release_batch": self._release_batch,
            "control.freeze": self._freeze,
            "control.lift": self._lift,
            "control.grant": self._grant,
            "control.revoke": self._revoke,
            "control.unlock": self._unlock,
            "control.trust": self._trust,
        }

    async def _stop(self, actor: Actor, args: Args) -> Answer:
        with _reasoned():
            await self._brakes.stop(actor, text(args, "reason"))
        return await self._status(actor, args)

    async def _resume(self, actor: Actor, args: Args) -> Answer:
        with _reasoned():
            await self._brakes.resume(actor, text(args, "reason"))
        return await self._status(actor, args)

    async def _status(self, _: Actor, _args: Args) -> Answer:
        await self._watch.refresh()
        limits = self._watch.limits
        return {
            "stopped_by": limits.stopped_by,
            "resume_asked_by": limits.asked_by,
            "log_doubt": self._restored.doubt,
            "trust_asked_by": self._restored.asked_by,
            "shut_meters": await self._macs.shut_meters(),
            "frozen": [
                {"area": one.area, "reason": one.why, "until": time_out(one.until) if one.until else ""}
                for one in self._brakes.frozen
            ],
            "held": [
                {"order": trip.order, "meter": trip.meter, "area": trip.area, "batch": trip.batch}
                for trip in limits.quarantined()
            ],
        }

    async def _release(self, actor: Actor, args: Args) -> Answer:
        life = await self._book.read(text(args, "id"))
        with _reasoned():
            await self._brakes.release(life, actor, text(args, "reason"), await self._hands_in(life))
        return await self._status(actor, args)

    async def _delete(self, actor: Actor, args: Args) -> Answer:
        """End the hold, and the order with it."""
        life, why = await self._book.read(text(args, "id")), text(args, "reason")
        with _reasoned():
            await self._brakes.delete(life, actor, why, await self._hands_in(life))
        await self._service.cancel_unsent(life.order.id, actor, why)
        return await self._status(actor, args)

    async def _hands_in(self, life: Life) -> set[str]:
        """Everybody who took a step of an order."""
        return {act.act.actor for act in await self._book.acts_of(life.order.id)}

    async def _release_batch(self, actor: Actor, args: Args) -> Answer:
        with _reasoned():
            await self._brakes.release_batch(text(args, "batch"), actor, text(args, "reason"))
        return await self._status(actor, args)

    async def _freeze(self, actor: Actor, args: Args) -> Answer:
        area, until = text(args, "area"), _time(args, "until")
        with _reasoned():
            await self._brakes.freeze(actor, text(args, "reason"), area=area, until=until)
        return await self._status(actor, args)

    async def _lift(self, actor: Actor, args: Args) -> Answer:
        with _reasoned():
            await self._brakes.lift(actor, text(args, "reason"), area=text(args, "area"))
        return await self._status(actor, args)

    async def _grant(self, actor: Actor, args: Args) -> Answer:
        life = await self._book.read(text(args, "id"))
        await self._brakes.grant(life, self._people.actor(text(args, "person")), actor)
        return {"id": life.order.id, "person": text(args, "person")}

    async def _revoke(self, actor: Actor, args: Args) -> Answer:
        life = await self._book.read(text(args, "id"))
        with _reasoned():
            person = await self._brakes.revoke(life, actor, text(args, "reason"))
        sent = life.transmissions
        return {"id": life.order.id, "person": person, "revoked": True, "transmissions": sent}

    async def _unlock(self, actor: Actor, args: Args) -> Answer:
        with _reasoned():
            await self._macs.unlock(text(args, "meter"), actor, text(args, "reason"))
        return await self._status(actor, args)

    async def _trust(self, actor: Actor, args: Args) -> Answer:
        with _reasoned():
            await self._restored.trust(actor, text(args, "reason"))
        return await self._status(actor, args)


def _time(args: Args, key: str) -> datetime | None:
    given = text(args, key, "")
    try:
        return time_in(given) if given else None
    except (ValueError, OverflowError):
        raise BadRequest(f"{key} must be a time with its zone, e.g. 2026-11-22T18:00:00+08:00") from None


@contextmanager
def _reasoned() -> Iterator[None]:
    """A reason that is none is the caller's fault."""
    try:
        yield
    except ValueError as error:
        raise BadRequest(str(error)) from None
