"""What the control socket can be asked about the roster: a change in pieces, then all of it at once.

A roster is longer than a request may be. So its entries are put down piece by piece under a ticket, each
checked as it comes, and nothing happens before ``roster.commit``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.config.meters import MeterSettings
from meterlink.daemon.control_socket import Handler
from meterlink.daemon.live_roster import LiveRoster
from meterlink.daemon.order_requests import number, text
from meterlink.errors import BadRequest, BusFull, ConfigError, NotAllowed, with_chinese
from meterlink.journal.roster_log import CHANGES_MAX
from meterlink.model.payload import time_in
from meterlink.orders.people import Deed, People
from meterlink.roster.book import Applied
from meterlink.roster.correction import Correction
from meterlink.roster.entries import meter_of
from meterlink.roster.exchange import Exchange
from meterlink.roster.faults import RosterRefused
from meterlink.roster.saying import Saying
from meterlink.roster.turns import Turn

TICKETS_MAX: Final = 4
"""Changes that are put down at one time."""
TICKET_IDLE_S: Final = 300.0
"""A ticket that nobody has used for so long is forgotten."""
PUT_MAX: Final = 500
"""Entries in one request."""
REVISION_MAX: Final = 2**53

Args = Mapping[str, Any]
Answer = Mapping[str, Any]


@dataclass(slots=True)
class _Ticket:
    """One change that is being put down."""

    user: str
    used_s: float
    touched: dict[str, MeterSettings] = field(default_factory=dict)


class RosterDesk:
    """The requests about the roster, before all others.

    Args:
        book: the roster.
        others: answers what is about something else.
        people: who may be what; ``None``: nobody orders anything here, and who can use the socket may do it.
        clock: wall time.

    """

    def __init__(
        self,
        book: LiveRoster,
        others: Handler,
        *,
        people: People | None,
        clock: Clock,
    ) -> None:
        self._book = book
        self._others = others
        self._people = people
        self._clock = clock
        self._tickets: dict[str, _Ticket] = {}
        self._given = 0
        self._table: dict[str, Callable[[str, Args], Awaitable[Answer]]] = {
            "roster.begin": self._begin,
            "roster.put": self._put,
            "roster.commit": self._commit,
            "roster.exchange": self._exchange,
            "roster.turn": self._turn,
            "roster.correct": self._correct,
        }

    async def answer(self, user: str, op: str, args: Args) -> Answer:
        """Do what a local user asks; see ``control_socket.Handler``."""
        if (asked := self._table.get(op)) is None:
            return await self._others(user, op, args)
        check_may_change(self._people, user)
        return await asked(user, args)

    async def _begin(self, user: str, args: Args) -> Answer:
        del args
        now_s = self._clock.monotonic_s()
        self._tickets = {
            name: ticket for name, ticket in self._tickets.items() if now_s - ticket.used_s < TICKET_IDLE_S
        }
        if len(self._tickets) >= TICKETS_MAX:
            raise BusFull(f"{TICKETS_MAX} people change the roster already; try again in a few minutes")
        self._given += 1
        self._tickets[str(self._given)] = _Ticket(user, now_s)
        return {"ticket": str(self._given)}

    async def _put(self, user: str, args: Args) -> Answer:
        ticket = self._ticket(user, args)
        entries = args.get("entries")
        if not isinstance(entries, list) or not 1 <= len(entries) <= PUT_MAX:
            raise BadRequest(f"entries must be a list of 1 to {PUT_MAX}")
        for entry in entries:
            if not isinstance(entry, dict):
                raise BadRequest("an entry is a table")
            try:
                meter = meter_of(entry)
            except ConfigError as error:
                raise with_chinese(BadRequest(str(error)), error.zh) from None
            ticket.touched[meter.id] = meter
        if len(ticket.touched) > CHANGES_MAX:
            raise BadRequest(f"at most {CHANGES_MAX} entries change at once")
        return {"entries": len(ticket.touched)}

    async def _commit(self, user: str, args: Args) -> Answer:
        ticket = self._ticket(user, args)
        revision = number(args, "revision", 0, REVISION_MAX)
        note = text(args, "note", "")
        del self._tickets[text(args, "ticket")]
        try:
            applied = await self._book.apply(
                [*ticket.touched.values()],
                revision=revision,
                actor=user,
                note=note,
                saying=_saying(args),
            )
        except RosterRefused as refusal:
            return {"refused": [one.as_json() for one in refusal.faults], "count": refusal.count}
        return applied.as_json()

    async def _exchange(self, user: str, args: Args) -> Answer:
        exchange = exchange_in(args)
        return await self._noted(lambda: self._book.exchange(exchange, actor=user))

    async def _turn(self, user: str, args: Args) -> Answer:
        turn = turn_in(args)
        return await self._noted(lambda: self._book.turn(turn, actor=user))

    async def _correct(self, user: str, args: Args) -> Answer:
        correction = correction_in(args)
        return await self._noted(lambda: self._book.correct(correction, actor=user))

    async def _noted(self, note: Callable[[], Awaitable[Applied]]) -> Answer:
        try:
            applied = await note()
        except ConfigError as error:
            raise with_chinese(BadRequest(str(error)), error.zh) from None
        except RosterRefused as refusal:
            return {"refused": [one.as_json() for one in refusal.faults], "count": refusal.count}
        return applied.as_json()

    def _ticket(self, user: str, args: Args) -> _Ticket:
        ticket = self._tickets.get(text(args, "ticket"))
        if ticket is None or ticket.user != user:
            raise BadRequest("there is no such ticket, or it was not used for too long: begin anew")
        ticket.used_s = self._clock.monotonic_s()
        return ticket


def check_may_change(people: People | None, user: str) -> None:
    """Whether somebody may change the roster. Source: decision 27.

    Raises:
        NotAllowed: he may not.

    """
    if people is not None and not people.actor(user).may(Deed.CHANGE_ROSTER):
        raise NotAllowed(
            f"{user} may not change the roster: it takes the role of operator / 需要 operator 角色",
            why="role",
        )


def exchange_in(args: Args) -> Exchange:
    """The exchange of a request.

    Raises:
        BadRequest: that is none; the message says why.

    """
    new = text(args, "meter_number")
    return Exchange(
        old=text(args, "meter"),
        new=text(args, "new", new),
        meter_number=new,
        address=text(args, "address", ""),
        model=text(args, "model", ""),
        firmware=text(args, "firmware", ""),
        removed_at=_time(args, "removed_at"),
        installed_at=_time(args, "installed_at"),
        last=_registers(args, "last"),
        first=_registers(args, "first"),
        evidence=text(args, "evidence", ""),
        ct=_ratio(args, "ct"),
        pt=_ratio(args, "pt"),
    )


def turn_in(args: Args) -> Turn:
    """The turn of a request.

    Raises:
        BadRequest: that is none; the message says why.

    """
    return Turn(
        meter=text(args, "meter"),
        at=_time(args, "at"),
        registers=_registers(args, "registers"),
        ct=_ratio(args, "ct"),
        pt=_ratio(args, "pt"),
        evidence=text(args, "evidence", ""),
        only=args.get("only") is True,
        void_later=args.get("void_later") is True,
    )


def correction_in(args: Args) -> Correction:
    """The correction of a request.

    Raises:
        BadRequest: that is none; the message says why.

    """
    end = text(args, "end")
    if end not in {"first", "last"}:
        raise BadRequest("end must be first or last")
    return Correction(
        meter=text(args, "meter"),
        end="last" if end == "last" else "first",
        registers=_registers(args, "registers"),
        word=text(args, "word"),
        evidence=text(args, "evidence", ""),
    )


def _ratio(args: Args, key: str) -> Decimal | None:
    """Of transformers; ``None``: nobody told one. Whether it can be one, the entry says."""
    told = text(args, key, "")
    try:
        return Decimal(told) if told else None
    except InvalidOperation:
        raise BadRequest(f"{key}: a ratio is a number") from None


def _time(args: Args, key: str) -> datetime:
    try:
        return time_in(text(args, key))
    except (ValueError, OverflowError):
        raise BadRequest(f"{key} must be a time with its zone, e.g. 2026-11-22T10:30:00+08:00") from None


def _registers(args: Args, key: str) -> dict[str, Decimal]:
    told = args.get(key)
    if not isinstance(told, dict):
        raise BadRequest(f"{key} must be a table of items and what they showed")
    try:
        return {str(item): Decimal(str(value)) for item, value in told.items()}
    except InvalidOperation:
        raise BadRequest(f"{key}: what a register showed is a number") from None


def _saying(args: Args) -> Saying:
    """What somebody said of numbers that become other."""
    if args.get("are_numbers_corrected") is True:
        return Saying.CORRECTED
    return Saying.NEW_CUSTOMERS if args.get("are_customers_new") is True else Saying.NOTHING
