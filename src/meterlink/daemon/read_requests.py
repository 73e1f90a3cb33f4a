"""What the control socket can be asked about meters' values of now: begin a read, wait for it, take it back.

A read lasts longer than one answer should, so it is begun under an id, and its results are fetched by
following it. Who follows it no more has given it up (see ``acquisition.on_demand``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final

from meterlink.acquisition.keeping import readings_of
from meterlink.acquisition.on_demand import (
    ITEMS_MAX,
    RECORDS_MAX,
    TIMEOUT_MAX_S,
    TRIES_MAX,
    OnDemand,
)
from meterlink.acquisition.on_demand_read import ItemResult, OnDemandRead, ReadState, Wish
from meterlink.config import Settings
from meterlink.daemon.control_socket import Handler
from meterlink.daemon.meter_finder import MeterFinder
from meterlink.daemon.order_requests import number, text
from meterlink.drivers.base import Window
from meterlink.errors import (
    BadRequest,
    JournalError,
    MeterlinkError,
    NotAllowed,
    Refused,
    UnknownItem,
    with_chinese,
)
from meterlink.model.data_classes import INSTANT
from meterlink.model.marks import Marks
from meterlink.model.payload import time_in, time_out
from meterlink.model.reading import Record
from meterlink.orders.people import Deed, People

FOLLOW_MAX_S: Final = 60
"""Longest wait for the end of a read in one request."""
ITEM_MAX: Final = 256
"""Characters of an item's name."""
COUNT_MAX: Final = 255
"""Records of one item."""

_NO_MARKS: Final[Mapping[str, Marks]] = {}

Args = Mapping[str, Any]
Answer = dict[str, Any]


class ReadDesk:
    """The requests, before all others.

    Args:
        on_demand: reads.
        others: answers what is about something else.
        settings: the configuration that holds now, with the meters in service.
        judged: gives a record that is not kept its marks.
        people: who may be what; ``None``: nobody orders anything here.
        owners: local users who may read where ``people`` is ``None``.

    """

    def __init__(
        self,
        on_demand: OnDemand,
        others: Handler,
        *,
        settings: Callable[[], Settings],
        judged: Callable[[Record], Awaitable[Record]],
        people: People | None,
        owners: frozenset[str],
    ) -> None:
        self._on_demand = on_demand
        self._others = others
        self._settings = settings
        self._judged = judged
        self._people = people
        self._owners = owners
        self._finder: MeterFinder | None = None
        self._table: dict[str, Callable[[str, Args], Awaitable[Answer]]] = {
            "read.begin": self._begin,
            "read.follow": self._follow,
            "read.cancel": self._cancel,
        }

    async def answer(self, user: str, op: str, args: Args) -> Mapping[str, Any]:
        """Do what a local user asks; see ``control_socket.Handler``."""
        if (asked := self._table.get(op)) is None:
            return await self._others(user, op, args)
        check_may_read(self._people, self._owners, user)
        return await asked(user, args)

    async def _begin(self, user: str, args: Args) -> Answer:
        line, meter = self._meters().find(text(args, "meter"))
        items = _items(args)
        wish = Wish(
            user=user,
            meter=meter.id,
            address=meter.address,
            line=line,
            items=items,
            window=_window(args, len(items)),
            tries=number(args, "tries", 1, TRIES_MAX),
            timeout_s=number(args, "timeout_s", 1, TIMEOUT_MAX_S),
        )
        try:
            read = self._on_demand.begin(wish)
        except UnknownItem as error:
            raise with_chinese(BadRequest(str(error)), error.said("zh")) from None
        return self._view(read) | {"protocol": meter.protocol, "model": meter.model}

    async def _follow(self, user: str, args: Args) -> Answer:
        read = self._on_demand.find(text(args, "id"), user)
        await self._on_demand.follow(read, number(args, "wait_s", 0, FOLLOW_MAX_S))
        view = self._view(read)
        if read.state is ReadState.DONE:
            view["items"] = [await self._result(read.wish.meter, result) for result in read.results]
        return view

    async def _result(self, meter: str, result: ItemResult) -> Answer:
        """One item's result, with the marks that its values of now would be kept with."""
        outcome = result.outcome
        if isinstance(outcome, MeterlinkError):
            return result_out(result)
        now = [value for value in outcome.values if not value.period]
        if not now:
            return result_out(result)
        at = outcome.taken_at
        readings = readings_of(meter, now, slot=at, taken_at=at, route="on demand")
        try:
            found = await self._judged(Record(meter=meter, data_class=INSTANT, readings=readings))
        except JournalError:  # what was read is shown as it came
            return result_out(result)
        return result_out(result, {one.item: one.marks for one in found.readings})

    async def _cancel(self, user: str, args: Args) -> Answer:
        read = self._on_demand.find(text(args, "id"), user)
        self._on_demand.cancel(read)
        return self._view(read)

    def _view(self, read: OnDemandRead) -> Answer:
        """A read as a caller sees it, without its results."""
        wish = read.wish
        return {
            "id": read.id,
            "state": read.state.value,
            "meter": wish.meter,
            "address": wish.address,
            "line": wish.line,
            "before": self._on_demand.before(read),
            "done": len(read.results),
            "of": len(wish.items),
            "items": [],
        }

    def _meters(self) -> MeterFinder:
        settings = self._settings()
        if self._finder is None or self._finder.settings is not settings:
            self._finder = MeterFinder(settings)
        return self._finder


def check_may_read(people: People | None, owners: frozenset[str], user: str) -> None:
    """Whether somebody may read on demand. Source: decision 27.

    Args:
        people: who may be what; ``None``: nobody orders anything here.
        owners: local users who may read then.
        user: who asks.

    Raises:
        NotAllowed: he may not.

    """
    if people is None:
        if user not in owners:
            raise NotAllowed(
                f"{user} may not read on demand: without a table [control] only the daemon's own user "
                "may / 未配置 [control] 时只有守护进程自己的用户可以召测",
                why="role",
            )
    elif not people.actor(user).may(Deed.READ_METER):
        raise NotAllowed(
            f"{user} may not read on demand: it takes the role of operator, dispatcher, field or "
            "inspector / 召测需要 operator、dispatcher、field 或 inspector 角色",
            why="role",
        )


def result_out(result: ItemResult, marks: Mapping[str, Marks] = _NO_MARKS) -> Answer:
    """One item's result: its values, or the error by its class and words.

    Args:
        result: as it was read.
        marks: of its values of now, by item.

    """
    outcome = result.outcome
    if isinstance(outcome, MeterlinkError):
        error = {"kind": type(outcome).__name__, "message": str(outcome)}
        if isinstance(outcome, Refused):
            error["error_word"] = outcome.error_word.hex().upper()
        return {"item": result.item, "values": [], "error": error}
    return {
        "item": result.item,
        "values": [
            {
                "item": value.name,
                "value": value.text,
                "unit": value.unit,
                "taken_at": time_out(outcome.taken_at),
                "marks": list((value.marks if value.period else marks.get(value.item, value.marks)).names),
            }
            for value in outcome.values
        ],
        "error": None,
    }


def _items(args: Args) -> tuple[str, ...]:
    items = args.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= ITEMS_MAX:
        raise BadRequest(f"items must be a list of 1 to {ITEMS_MAX}; ask for more in another read")
    if not all(isinstance(item, str) and len(item) <= ITEM_MAX for item in items):
        raise BadRequest(f"an item is a text of at most {ITEM_MAX} characters")
    return tuple(items)


def _window(args: Args, items: int) -> Window | None:
    """Which records are wanted; ``None``: nothing was said about it."""
    count = number(args, "count", 0, COUNT_MAX)
    since = _time(text(args, "since", ""))
    if count * items > RECORDS_MAX:
        raise BadRequest(f"{items} items with {count} records each: at most {RECORDS_MAX} records at once")
    return Window(count=count or 1, since=since) if count or since else None


def _time(written: str) -> datetime | None:
    try:
        return time_in(written) if written else None
    except (ValueError, OverflowError):
        raise BadRequest("since must be a time with its zone, e.g. 2026-11-22T10:30:00+08:00") from None
