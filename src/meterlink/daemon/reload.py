"""Another configuration or roster for a running daemon: whole or not at all, felt only by what it concerns.

There are three occasions: somebody asks for the file to be read again; the roster was changed; the day has
come on which a meter enters service or leaves it. All three lead here: what there would be is made and
checked whole, with the meters of the journal; anything wrong, and the old holds. What cannot be changed while
the daemon runs is refused by name, before anything is touched. Then the delivery is exchanged, which alone
can still fail, and comes back to the old way if it does. Then the lines that it concerns change over: each
finishes what it has in hand, an order to its end, and begins anew; the others do not notice. What orders
reach meters by changes when all of these have ended and none has begun.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from meterlink.clock import Clock, wait_for
from meterlink.config import LineSettings, MeterSettings, Settings
from meterlink.config.changes import Changes, changes
from meterlink.daemon.delivery_slot import DeliverySlot
from meterlink.daemon.dial_in import Gatehouse
from meterlink.daemon.enrolment import tell_differences, with_roster
from meterlink.daemon.health import Health
from meterlink.daemon.line_set import LineSet, Part
from meterlink.daemon.live_roster import Held, LiveRoster
from meterlink.daemon.manager import Manager
from meterlink.daemon.notify import READY, reloading, status
from meterlink.daemon.ordering import Ordering
from meterlink.daemon.settings_check import check_items, profiles_of
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import ConfigError, MeterlinkError
from meterlink.journal.housekeeping import Housekeeper, Policy
from meterlink.roster.entries import next_turn
from meterlink.roster.lines import changed_lines

WAIT_MAX_S: Final = 60.0
"""Longest wait for a day to come before the wall clock is looked at again: it may have been set."""

_log = structlog.get_logger(__name__)


class PartMaker(Protocol):
    """Makes the part of one line from what holds."""

    def __call__(self, line: LineSettings, meters: tuple[MeterSettings, ...]) -> Part:
        """Make it; it does not run yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What of a running daemon a reload reaches.

    Args:
        lines: that run.
        make: makes the part of a line, of the configuration that holds.
        delivery: the way to the database.
        gatehouse: who may speak unasked.
        ordering: the orders, if there are any.
        roster: tells rules of another one.
        housekeeper: of the journal.
        health: is told what becomes of reloads.

    """

    lines: LineSet
    make: PartMaker
    delivery: DeliverySlot
    gatehouse: Gatehouse
    ordering: Ordering | None
    roster: LiveRoster
    housekeeper: Housekeeper
    health: Health


class Asked:
    """What a daemon was asked to look at again.

    Attributes:
        news: set while somebody waits for it.

    """

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self._file = False

    def file(self) -> None:
        """Read the configuration, and with it look at the roster."""
        self._file = True
        self.news.set()

    def roster(self) -> None:
        """Look at the roster alone: what is being written into the file is nobody's business yet."""
        self.news.set()

    def taken(self) -> bool:
        """Whether the file is to be read; from now on nothing is asked for."""
        found, self._file = self._file, False
        self.news.clear()
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What is other.

    Args:
        of_file: in the file, but for lines and meters.
        ending: names of the lines that end.
        beginning: names of the lines that begin, most of them the same.

    """

    of_file: Changes = Changes()  # noqa: RUF009  (it is frozen)
    ending: frozenset[str] = frozenset()
    beginning: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.of_file or self.ending or self.beginning)


class Reloader:
    """Takes another configuration or roster each time that there is one.

    Args:
        held: what holds; but for ``meters`` it is replaced here and nowhere else.
        parts: of the daemon.
        manager: where the configuration comes from, and who is told.
        clock: of the daemon.

    """

    def __init__(self, held: Held, parts: Parts, *, manager: Manager, clock: Clock) -> None:
        self._held = held
        self._parts = parts
        self._manager = manager
        self._clock = clock

    async def run(self, asked: Asked) -> None:
        """Reload whenever something was asked for or a meter's day has come, until cancelled."""
        while True:
            await self._wait(asked)
            await self.reload(rereads=asked.taken())

    async def _wait(self, asked: Asked) -> None:
        turn = next_turn(self._held.meters.values(), self._held.at)
        while not asked.news.is_set():
            wait_s = None
            if turn is not None:
                wait_s = min((turn - self._clock.utc_now()).total_seconds(), WAIT_MAX_S)
                if wait_s <= 0:
                    return
            await wait_for(asked.news, wait_s)

    async def reload(self, *, rereads: bool) -> str:
        """Make what there would be and take it, or leave all as it is.

        Args:
            rereads: whether the file is read again; otherwise only the meters may be others.

        Returns:
            ``applied``, ``unchanged`` or ``refused``.

        """
        tell, reloads = self._manager.notifier.tell, self._parts.health.reloads
        tell(reloading(self._clock.monotonic_s()), status("reading the configuration"))
        self._held.at = self._clock.utc_now()
        try:
            async with self._held.changing:
                found = await self._take(rereads=rereads)
            result, reloads.trouble = ("applied" if found else "unchanged"), ""
        except MeterlinkError as error:
            found, result, reloads.trouble = _Found(), "refused", str(error)
            _log.error("reload.refused", reason=str(error))
        reloads.results[result] += 1
        tell(READY, status(self._parts.health.words()))
        if result != "refused":
            await self._change_over(found)
            _log.info(f"reload.{result}", ended=len(found.ending), begun=len(found.beginning))
        return result

    async def _take(self, *, rereads: bool) -> _Found:
        """Check all of it, then let it hold.

        Raises:
            MeterlinkError: it is wrong, or cannot be had; the old one holds.

        """
        held, parts = self._held, self._parts
        await parts.roster.tell()  # also if the lines cannot follow: who has left gets no order
        file = self._reread() if rereads else held.file
        new, profiles, found = await asyncio.to_thread(self._compared, file)
        if found:
            _refuse_fixed(found.of_file)
        if found.of_file.delivery:
            assert self._manager.outside_of is not None, "who can read one can build one"
            await parts.delivery.exchange(new, self._manager.outside_of(new))
        held.file, held.settings, held.profiles = file, new, profiles
        parts.roster.check_by(file, profiles)
        await parts.roster.tell()
        return found

    def _reread(self) -> Settings:
        if self._manager.reread is None:
            raise ConfigError("there is no file to read the configuration from", "没有可重新读取的配置文件")
        file = self._manager.reread()
        tell_differences(file, self._held.meters, self._clock.utc_now())
        return file

    def _compared(self, file: Settings) -> tuple[Settings, MeterProfiles, _Found]:
        """What there would be, whole and checked, and what of it is other; on a thread of its own."""
        held = self._held
        new = with_roster(file, held.meters, held.at)
        profiles = held.profiles if file is held.file else profiles_of(new)
        found = _found(held, new, profiles)
        if found:
            check_items(new, self._clock, profiles)
            new.check_secrets()
        return new, profiles, found

    async def _change_over(self, found: _Found) -> None:
        parts, settings = self._parts, self._held.settings
        if found.of_file.retention:
            parts.housekeeper.policy = Policy(settings.retention.ages)
        if found.of_file.log:
            self._manager.relog(settings.log)
        if not (found.ending or found.beginning):
            return
        await parts.lines.end(found.ending)
        parts.gatehouse.take(settings)
        if parts.ordering is not None:
            parts.ordering.rebuild(settings, self._held.profiles)
        parts.lines.start(
            parts.make(line, meters)
            for line, meters in settings.meters_by_line()
            if line.name in found.beginning
        )


def _found(held: Held, new: Settings, profiles: MeterProfiles) -> _Found:
    """What is other in the file, on the lines, and in the profiles that their meters have."""
    of_file = changes(held.settings, new)
    lines = changed_lines(held.settings, new)
    beginning = {change.after.name for change in lines if change.after is not None}
    again = {
        line.name
        for line, meters in new.meters_by_line()
        if line.name not in beginning
        and (of_file.plans or any(_is_served_otherwise(meter, held.profiles, profiles) for meter in meters))
    }
    ending = {change.before.name for change in lines if change.before is not None}
    return _Found(of_file=of_file, ending=frozenset(ending | again), beginning=frozenset(beginning | again))


def _is_served_otherwise(meter: MeterSettings, before: MeterProfiles, after: MeterProfiles) -> bool:
    if before is after:
        return False
    return before.find(meter.protocol, meter.model) != after.find(meter.protocol, meter.model)


def _refuse_fixed(found: Changes) -> None:
    if found.fixed:
        raise ConfigError(
            f"cannot be changed while the daemon runs: {', '.join(found.fixed)}: start it anew",
            f"守护进程运行时不能更改:{'、'.join(found.fixed)}:请重新启动",
        )
