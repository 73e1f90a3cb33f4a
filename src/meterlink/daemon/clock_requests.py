"""What the control socket can be asked about clocks of concentrators: what one shows, and to set it.

A clock is set by a person, never by the daemon: by it nights are filed. Who did it stands in the chain before
the command leaves, and what came of it behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.config import Settings
from meterlink.daemon.control_socket import Handler
from meterlink.daemon.order_requests import text
from meterlink.daemon.read_requests import check_may_read
from meterlink.daemon.terminal_requests import line_of
from meterlink.drivers.terminal_clock import WITHIN, Against, ClockTurn, TerminalClock, against, is_broken
from meterlink.errors import BadRequest, BusFull, MeterlinkError, NotAllowed, OutOfTime
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic
from meterlink.orders.people import Deed, People

READ, SET = "terminal.clock", "terminal.set_clock"
SETTING, WAS_SET, NOT_SET = "set_clock", "clock_set", "clock_not_set"
"""Verbs: it is about to be set; what came of it. A ``set_clock`` without either: nobody knows."""
ANSWER_S: Final = 55.0
"""Longest that all of it may take: a clock is set at once, or not at all. Whoever asks waits a minute."""
TURN_S: Final = 25.0
"""So long the line may be at something else, so that there is time for the clock itself."""
_SECOND: Final = timedelta(seconds=1)

Args = Mapping[str, Any]


class ClockDesk:
    """The requests, in front of all others.

    Args:
        clock_of: who knows the clock of the terminal that a line is; ``None``: it is none, or does not run.
        others: answers what is about something else.
        settings: the configuration that holds now.
        acts: the chain.
        clock: ours.
        people: who may be what; ``None``: nobody orders anything here.
        owners: local users who may do it where ``people`` is ``None``.

    """

    def __init__(
        self,
        clock_of: Callable[[str], TerminalClock | None],
        others: Handler,
        *,
        settings: Callable[[], Settings],
        acts: ActLog,
        clock: Clock,
        people: People | None,
        owners: frozenset[str],
    ) -> None:
        self._clock_of = clock_of
        self._others = others
        self._settings = settings
        self._acts = acts
        self._clock = clock
        self._people = people
        self._owners = owners

    async def answer(self, user: str, op: str, args: Args) -> Mapping[str, Any]:
        """Do what a local user asks; see ``control_socket.Handler``."""
        if op not in {READ, SET}:
            return await self._others(user, op, args)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await (self._read(user, args) if op == READ else self._set(user, args))
        except TimeoutError:
            raise OutOfTime(
                f"the terminal was not done in {ANSWER_S:g} s; what its clock shows now, "
                "`meterlink terminal clock` says"
            ) from None

    async def _read(self, user: str, args: Args) -> Mapping[str, Any]:
        check_may_read(self._people, self._owners, user)
        line, theirs = self._of(args)
        async with _turn_of(line, theirs) as turn:
            ahead = await turn.read()
        return await self._told(line, theirs, ahead, against_=self._against(ahead, args))

    async def _set(self, user: str, args: Args) -> Mapping[str, Any]:
        match args:
            case {"dry_run": bool(is_dry), "may_be_far": bool()}:
                pass
            case _:
                raise BadRequest("dry_run and may_be_far must be true or false")
        roles = self._check_may_set(user)
        line, theirs = self._of(args)
        async with _turn_of(line, theirs) as turn:
            ahead = await turn.read()
            stops = self._against(ahead, args)
            if not stops and not is_dry:
                ahead = await self._set_now(user, {"line": line, **roles}, theirs.terminal, turn, ahead)
        told = await self._told(line, theirs, ahead, against_=stops)
        return {**told, "dry_run": is_dry, "is_set": not stops and not is_dry}

    async def _set_now(
        self, user: str, by: Mapping[str, Any], terminal: str, turn: ClockTurn, ahead: timedelta | None
    ) -> timedelta | None:
        """Set it; what it is ahead then."""
        step = len(await self._acts.of_subject(Topic.TERMINAL, terminal)) + 1

        async def note(step: int, verb: str, **body: Any) -> None:
            await self._acts.append(
                Act(
                    topic=Topic.TERMINAL,
                    subject=terminal,
                    step=step,
                    verb=verb,
                    at=self._clock.utc_now(),
                    actor=user,
                    body=body,
                )
            )

        await note(step, SETTING, ahead_s=seconds(ahead), **by)
        try:
            ahead = await turn.set()
        except MeterlinkError as error:
            await note(step + 1, NOT_SET, why=str(error))
            raise
        await note(step + 1, WAS_SET, ahead_s=seconds(ahead))
        return ahead

    def _check_may_set(self, user: str) -> Mapping[str, Any]:
        """What the act says of who may; the chain tells by which post somebody did it."""
        if self._people is None:
            if user in self._owners:
                return {}
        elif (actor := self._people.actor(user)).may(Deed.SET_CLOCK):
            return actor.noted
        raise NotAllowed(
            f"{user} may not set the clock of a terminal: it takes the role of dispatcher / "
            "无权设置终端时钟,需要 dispatcher 角色",
            why="role",
        )

    def _against(self, ahead: timedelta | None, args: Args) -> tuple[Against, ...]:
        gateway = self._settings().gateway
        return against(
            self._clock.utc_now(),
            ahead,
            gateway.plant_time,
            is_trusted=gateway.clock_trusted,
            may_be_far=args.get("may_be_far") is True,
        )

    async def _told(
        self, line: str, theirs: TerminalClock, ahead: timedelta | None, *, against_: tuple[Against, ...]
    ) -> dict[str, Any]:
        now, zone = self._clock.utc_now(), self._settings().gateway.plant_time
        settings = await self._settings_of(theirs.terminal, now)
        return {
            "line": line,
            "terminal": theirs.terminal,
            "shows": None if ahead is None else f"{(now + ahead).astimezone(zone):%Y-%m-%d %H:%M:%S}",
            "ahead_s": seconds(ahead),
            "against": [one.value for one in against_],
            "settings": settings,
            "is_broken": is_broken(ahead, settings),
        }

    async def _settings_of(self, terminal: str, now: datetime) -> int:
        """How often it was set lately."""
        acts = await self._acts.of_subject(Topic.TERMINAL, terminal)
        return sum(one.act.verb == SETTING and now - one.act.at <= WITHIN for one in acts)

    def _of(self, args: Args) -> tuple[str, TerminalClock]:
        """The line that is meant, and who knows its terminal's clock."""
        line, _ = line_of(self._settings(), text(args, "line"))
        theirs = self._clock_of(line.name)
        if theirs is None:
            raise BadRequest(
                f"line {line.name} is no terminal of Q/GDW 1376.1; one of DL/T 698.45 sets its clock by "
                "our answers to its heartbeats, where `clock_trusted` says so"
            )
        return line.name, theirs


@asynccontextmanager
async def _turn_of(line: str, theirs: TerminalClock) -> AsyncIterator[ClockTurn]:
    """The terminal's line, once what is under way on it has ended.

    Raises:
        BusFull: that took too long, and nothing was sent.

    """
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(TURN_S):
                turn = await stack.enter_async_context(theirs.turn())
        except TimeoutError:
            raise BusFull(
                f"line {line} was at a meter for {TURN_S:g} s; nothing was sent to its terminal: ask again"
            ) from None
        yield turn


def seconds(ahead: timedelta | None) -> int | None:
    """Whole seconds; ``None`` as it is."""
    return None if ahead is None else round(ahead / _SECOND)
