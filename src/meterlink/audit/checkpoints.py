"""Signing the chain as it grows: every 1,000 acts, after ten minutes, at a day's end, at an orderly stop.

A signer signs nothing that it has not looked at: it goes from its last checkpoint to the end of the chain,
and where that is not whole it says so and signs no more. Otherwise it would bear witness for a forger.
Source: decisions 12 and 34.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta, timezone
from typing import Final

import structlog

from meterlink.audit.chain import CHECKPOINT_EVERY, PURPOSE, Fault, FaultKind, Walk, check_signature, signed
from meterlink.audit.keys import GatewayKey
from meterlink.clock import Clock
from meterlink.errors import JournalError, RowUnreadable
from meterlink.journal.acts import ActLog
from meterlink.model.checkpoint import Checkpoint

PAUSE_S: Final = 10.0
"""From one look at the chain to the next, while it grows or cannot be signed."""
WAIT_MAX_S: Final = 3_600.0
"""From one look at the clock to the next, while nothing happens: somebody may set it."""
SIGN_WITHIN_S: Final = 600.0
"""From the first act that no checkpoint covers to the next checkpoint, at most."""
READ_AT_ONCE: Final = 200
STOP_S: Final = 3.0
"""What an orderly stop waits for the last checkpoint."""

Tell = Callable[[Fault], Awaitable[None]]
"""Told once when the chain is found broken."""

_log = structlog.get_logger(__name__)


class Signer:
    """Signs the chain of one journal.

    Args:
        acts: the chain.
        key: the gateway's.
        clock: tells when a day ends.
        zone: whose days; that of the plant.
        tell: told once when the chain is broken; the log says it in any case.

    Attributes:
        fault: what is wrong with the chain; ``None``: nothing that was seen.

    """

    def __init__(
        self, acts: ActLog, key: GatewayKey, clock: Clock, *, zone: timezone, tell: Tell | None = None
    ) -> None:
        self.fault: Fault | None = None
        self._acts = acts
        self._key = key
        self._clock = clock
        self._zone = zone
        self._tell = tell
        self._walk: Walk | None = None
        self._signed = 0
        self._sign_by_s: float | None = None
        self._day_is_over = False
        self._failing = False

    async def run(self) -> None:
        """Sign until cancelled, or until the chain is found broken."""
        day = self._day_of(self._clock.utc_now())
        while True:
            now, appended = self._clock.utc_now(), self._acts.growth.count
            self._day_is_over |= self._day_of(now) != day
            day = self._day_of(now)
            await self._patiently()
            if self.fault is not None:
                break
            await self._rest(self._until_next(now), appended)
        if self._tell is not None:
            try:
                await self._tell(self.fault)
            except JournalError as error:
                _log.warning("audit.not_told", reason=str(error))

    async def _rest(self, rest_s: float, appended: int) -> None:
        """Until there are more acts, but not too soon; to the next signature at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_S if self._failing else min(WAIT_MAX_S, rest_s)):
                await self._acts.growth.beyond(appended)
                await asyncio.sleep(min(PAUSE_S, rest_s))

    async def sign(self) -> Checkpoint | None:
        """Sign the end of the chain, if it is not signed; the newest checkpoint, ``None``: there is no act.

        Raises:
            JournalError: the journal cannot be read or written.

        """
        walk = await self._go_on()
        if self.fault is None:
            await self._sign(walk)
        return await self._acts.last_checkpoint()

    async def _patiently(self) -> None:
        """A full disk or a locked file ends nothing: the next look tries again."""
        try:
            if self._day_is_over or self._is_time():
                await self.sign()
            else:
                await self._go_on()
            self._note_unsigned()
        except JournalError as error:
            if not self._failing:
                _log.warning("audit.not_signed", reason=str(error))
            self._failing = True
        else:
            self._failing = self._day_is_over = False

    def _is_time(self) -> bool:
        return self._sign_by_s is not None and self._clock.monotonic_s() >= self._sign_by_s

    def _note_unsigned(self) -> None:
        """An act is seen ``PAUSE_S`` after it came at the latest; from there the next signature is due."""
        if self._walk is None or self._walk.number <= self._signed:
            self._sign_by_s = None
        elif self._sign_by_s is None:
            self._sign_by_s = self._clock.monotonic_s() + SIGN_WITHIN_S - PAUSE_S

    def _until_next(self, now: datetime) -> float:
        """Seconds to the end of the day, or to the signature that is due before it."""
        day_s = (self._next_day(now) - now).total_seconds()
        if self._sign_by_s is None:
            return day_s
        return min(day_s, max(self._sign_by_s - self._clock.monotonic_s(), 0.0))

    async def _go_on(self) -> Walk:
        """Look at what is new, and sign behind each full thousand."""
        walk = self._walk or await self._begin()
        while self.fault is None:
            if walk.number % CHECKPOINT_EVERY == 0:
                await self._sign(walk)
            room = CHECKPOINT_EVERY - walk.number % CHECKPOINT_EVERY
            if not await self._look(walk, min(READ_AT_ONCE, room)):
                break
        return walk

    async def _look(self, walk: Walk, limit: int) -> bool:
        """Look at the next acts; whether there were any."""
        try:
            acts = await self._acts.after(walk.number, limit=limit)
        except RowUnreadable as error:
            self._found(_unreadable(walk.number + 1, error))
            return False
        for each in acts:
            if fault := walk.step(each.number, 0, each):
                self._found(fault)
                return False
        return bool(acts)

    async def _begin(self) -> Walk:
        """Behind the last checkpoint, if it is ours."""
        last = await self._acts.last_checkpoint()
        if last is None:
            self._walk = Walk()
            return self._walk
        self._walk = Walk(last.number, last.hash)
        self._signed = last.number
        try:
            there = await self._acts.after(last.number - 1, limit=1)
        except RowUnreadable as error:
            self._found(_unreadable(last.number, error))
            return self._walk
        if fault := check_signature(last, ()):
            self._found(fault)
        elif not there:
            newest = await self._acts.newest_number()
            why = "the journal's own last checkpoint says so"
            self._found(Fault(kind=FaultKind.CUT_OFF, first=newest + 1, last=last.number, why=why))
        elif there[0].hash != last.hash:
            why = "it is not what the journal's own last checkpoint stands behind"
            self._found(Fault(kind=FaultKind.REWRITTEN, first=last.number, last=last.number, why=why))
        return self._walk

    async def _sign(self, walk: Walk) -> None:
        if walk.number <= self._signed:
            return
        at, public = self._clock.utc_now(), self._key.public_hex
        bare = Checkpoint(number=walk.number, at=at, hash=walk.hash, key=public, signature="")
        signature = self._key.sign(PURPOSE, signed(bare))
        await self._acts.sign(
            Checkpoint(number=bare.number, at=at, hash=bare.hash, key=public, signature=signature)
        )
        self._signed = walk.number
        _log.info("audit.signed", number=bare.number, hash=bare.hash)

    def _found(self, fault: Fault) -> None:
        self.fault = fault
        _log.error("audit.chain_broken", fault=fault.en, kind=fault.kind.value, log_id=fault.log_id)

    def _day_of(self, at: datetime) -> object:
        return at.astimezone(self._zone).date()

    def _next_day(self, at: datetime) -> datetime:
        local = at.astimezone(self._zone)
        return (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def _unreadable(number: int, error: RowUnreadable) -> Fault:
    """The first of several rows: one of them, at or behind that number."""
    return Fault(kind=FaultKind.UNREADABLE, first=number, last=number, log_id=error.log_id, why=str(error))


@asynccontextmanager
async def signing(signer: Signer) -> AsyncIterator[None]:
    """Sign until the end of the block, and then what has come since."""
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(signer.run(), name="audit.signer")
        yield
        running.cancel()
    if signer.fault is None:
        try:
            async with asyncio.timeout(STOP_S):
                await signer.sign()
        except (JournalError, TimeoutError) as error:
            _log.warning("audit.not_signed", reason=str(error) or "it took too long")
