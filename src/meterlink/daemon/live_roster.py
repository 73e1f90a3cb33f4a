"""The roster of a running daemon: who changes it changes the journal, then the rules, then the lines.

While a change is being kept no order goes to the meters that it names. Once it is kept, rules read the new
roster, and the reloader brings the lines to it when they have finished what is in hand; until then no order
goes to a meter that has come, has gone or is reached otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from meterlink.clock import Clock
from meterlink.config import MeterSettings, Settings
from meterlink.daemon.enrolment import with_roster
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import MeterlinkError
from meterlink.roster.book import Applied, RosterBook
from meterlink.roster.checks import Checks
from meterlink.roster.correction import Correction
from meterlink.roster.entries import Meters
from meterlink.roster.exchange import Exchange
from meterlink.roster.roster import Roster
from meterlink.roster.saying import Saying
from meterlink.roster.turns import Turn


@dataclass(slots=True, kw_only=True)
class Held:
    """What holds.

    Attributes:
        file: the configuration as it was read.
        settings: the same with the meters that the lines were built for.
        profiles: of its meters.
        at: when it was last seen which meters are in service.
        meters: the roster, by id, with those out of service; newer than ``settings`` until the next reload.
        changing: whoever changes any of these has it.

    """

    file: Settings
    settings: Settings
    profiles: MeterProfiles
    at: datetime
    meters: Meters = field(repr=False)
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)


class LiveRoster:
    """Changes the roster of a daemon.

    Args:
        book: of its journal.
        held: what holds; its ``meters`` are replaced here and nowhere else.
        rules: what orders know of it; ``None``: there are none.
        changed: is called once a change was kept.
        clock: wall time.

    """

    def __init__(
        self,
        book: RosterBook,
        held: Held,
        *,
        rules: Roster | None,
        changed: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._book = book
        self._held = held
        self._rules = rules
        self._changed = changed
        self._clock = clock

    async def apply(
        self,
        touched: Sequence[MeterSettings],
        *,
        revision: int,
        actor: str,
        note: str = "",
        saying: Saying = Saying.NOTHING,
    ) -> Applied:
        """See ``RosterBook.apply``."""
        return await self._change(
            (meter.id for meter in touched),
            lambda: self._book.apply(touched, revision=revision, actor=actor, note=note, saying=saying),
        )

    async def exchange(self, exchange: Exchange, *, actor: str) -> Applied:
        """See ``RosterBook.exchange``."""
        return await self._change([exchange.old], lambda: self._book.exchange(exchange, actor=actor))

    async def turn(self, turn: Turn, *, actor: str) -> Applied:
        """See ``RosterBook.turn``."""
        return await self._change([turn.meter], lambda: self._book.turn(turn, actor=actor))

    async def correct(self, correction: Correction, *, actor: str) -> Applied:
        """See ``RosterBook.correct``."""
        change = partial(self._book.correct, correction, actor=actor)
        return await self._change([correction.meter], change)

    async def tell(self) -> None:
        """Let rules know the roster as it is now, by what holds; who calls has ``Held.changing``.

        Raises:
            ConfigError: it does not fit the configuration; nothing was told.

        """
        if self._rules is not None:
            self._rules.renew(await asyncio.to_thread(self._seen))

    def check_by(self, file: Settings, profiles: MeterProfiles) -> None:
        """Hold the next changes against another configuration."""
        self._book.check_by(Checks(file, profiles))

    async def _change(self, meters: Iterable[str], change: Callable[[], Awaitable[Applied]]) -> Applied:
        async with self._held.changing:
            if self._rules is not None:
                self._rules.hold(meters)
            try:
                applied = await change()
            except MeterlinkError:  # nothing was changed; after anything else they stay held back
                await self.tell()
                raise
            self._held.meters = applied.meters
            self._changed()
            await self.tell()
        return applied

    def _seen(self) -> Roster:
        held = self._held
        settings = with_roster(held.file, held.meters, self._clock.utc_now())
        return Roster.of(settings, held.profiles)
