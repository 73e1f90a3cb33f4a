"""One terminal of Q/GDW 1376.1, over all its connections: what we ask it, and what we know of it.

It has one request at a time, whose number counts 0 to 15 in turn; each is answered in the generation of the
protocol in which the terminal logged in. A command bears PW, which is fetched when it is needed and not kept.
What is in its archive is known until it logs in or is dialled anew, and no longer than ``ARCHIVE_KEPT_S``.
Source: spec gdw1376, B1 to B3; field practice, section 4.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final, NamedTuple

import structlog

from meterlink.bus.exchange import PatientSession, Timing
from meterlink.bus.line import Exchanging, Holdable, Line
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.gdw1376.ahead import Ahead
from meterlink.drivers.gdw1376.archive import Archive, Entry
from meterlink.drivers.gdw1376.archive_read import Ask, entries_read
from meterlink.drivers.gdw1376.patience import Patience
from meterlink.drivers.gdw1376.settings import TerminalSettings
from meterlink.errors import BadAnswer, ReplyTimeout
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.transports.log_budget import LogBudget
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.link.auxiliary import (
    NO_AUXILIARY,
    PASSWORD_AFNS,
    PASSWORD_OCTETS,
    PASSWORD_OCTETS_2005,
    Auxiliary,
    TimeTag,
)
from meterwire.gdw1376.link.terminal_frame import ID_2005, ID_2009
from meterwire.gdw1376.messages.secrets import SecretRanges, all_of
from meterwire.gdw1376.messages.terminal import Group, Message, Unit, request, unit
from meterwire.gdw1376.sessions.terminal_exchange import SEQUENCES, State, TerminalExchange

FRAME_GAP_S: Final = 10.0
"""Between two frames of one answer, over a mobile network."""
ANSWER_MAX_S: Final = 60.0
"""Longest whole answer beside the first wait: an archive of 2,000 meters is some forty frames."""
ANSWER_OCTETS_MAX: Final = 16_391
UNTOLD_S: Final = 600.0
"""A terminal that did not say its archive is not asked for it again for so long by who reads a meter."""
ARCHIVE_KEPT_S: Final = 14_400.0
"""So long an archive is believed: people change it at the terminal, which need not log in for it."""
EMPTY_KEPT_S: Final = 600.0
"""So long one is that has no entry: a terminal that is busy denies it, as one does that has none."""
ARCHIVE_TRIES: Final = 3
"""An archive during whose reading the terminal logged in is read again; so often in all."""
CLOCK_OFF: Final = timedelta(minutes=5)
"""A terminal begins with the night at five past midnight: by a clock that is further off it may file one
under another day. Source: field practice, section 7."""
CLOCK_KEPT_S: Final = 86_400.0
"""So long is believed what a terminal's clock showed, on one connection."""
CLOCK_UNTOLD_S: Final = 3_600.0
"""A terminal that does not tell its clock is not asked for it again for so long."""
CLOCK_LOST: Final = timedelta(days=1)
"""What a terminal has taken by a clock that is so far off is marked. Source: business rules, VEE-13."""
CLOCK_FN: Final = 2
FORWARD_FN: Final = 1

_log = structlog.get_logger(__name__)


class Answer(NamedTuple):
    """What came for one request.

    Args:
        units: in the order of the wire; none where all was denied.
        is_denied: the terminal refused all, which of stored data often means "none of that day".
        taken_at: when it was complete; aware, UTC.
        messages: its frames.

    """

    units: tuple[Unit, ...]
    is_denied: bool
    taken_at: datetime
    messages: tuple[Message, ...] = ()


class Station:
    """One terminal.

    Args:
        settings: what is known of it.
        clock: ours.
        zone: what its clock shows.

    Attributes:
        settings: as given.
        zone: as given.
        clock: as given.
        empty_reads: times in turn that its archive had no entry, or was denied.
        works: functions, as (AFN, Fn), that have ever brought data: when one of them is denied, there is
            none.
        single_units: it takes requests of one data unit only, as far as it has shown.
        clock_ahead: of its clock, when it was looked at last; ``None``: it was not, or shows no time.
        clock_looks: how often its clock was looked at.
        many_work: a request of several data units has brought data.
        ahead: freezes that came along with those of other meters.
        roster: addresses of the meters that should be behind it.
        patience: how long it is to wait for each of its meters.
        forwarding_until_s: until then its port may be at a frame whose answer was not waited for, monotonic.

    """

    def __init__(self, settings: TerminalSettings, *, clock: Clock, zone: tzinfo) -> None:
        self.settings = settings
        self.clock = clock
        self.zone = zone
        self.empty_reads = 0
        self._archive: Archive | None = None
        self._archive_until_s = -math.inf
        self.works: set[tuple[int, int]] = set()
        self.single_units = settings.units_max == 1
        self.many_work = False
        self.clock_ahead: timedelta | None = None
        self.clock_looks = 0
        self._clock_until_s = -math.inf
        self._doubted_until: datetime | None = None
        self.ahead = Ahead()
        self.roster: frozenset[str] = frozenset()
        self.forwarding_until_s = 0.0
        self.patience = Patience(settings.frame_timeout_s, clock.monotonic_s)
        self.on_counts: Callable[[tuple[int, int]], None] = lambda _: None
        self.on_report: Callable[[Message, Callable[[], None]], None] = lambda _, __: None
        self.on_coming: Callable[[], None] = lambda: None
        self._protocol_id = ID_2009
        self._sequence = 0
        self._tags = 0
        self._reading: asyncio.Lock = asyncio.Lock()
        self._connection = 0
        self._log = LogBudget()
        self._untold_until_s = -math.inf

    @property
    def name(self) -> str:
        """As lines and logs write it: ``0171-2082``."""
        return self.settings.name

    # --- what its session tells ------------------------------------------------------------

    def came(self, protocol_id: int) -> None:
        """See ``Concerned.came``."""
        self._protocol_id = protocol_id
        self.dialled()

    def dialled(self) -> None:
        """See ``Concerned.dialled``: what it said before counts no more."""
        self._connection += 1
        self.forget_archive()
        self._untold_until_s = self._clock_until_s = -math.inf
        self.on_coming()

    def told(self, message: Message, confirm: Callable[[], None]) -> None:
        """See ``Concerned.told``."""
        self.on_report(message, confirm)

    # --- its archive -----------------------------------------------------------------------

    @property
    def archive(self) -> Archive | None:
        """What it said of its meters; ``None``: it is not known, or was said too long ago."""
        return self._archive if self.clock.monotonic_s() < self._archive_until_s else None

    @property
    def archive_until_s(self) -> float:
        """Until when its archive is believed, monotonic."""
        return self._archive_until_s

    def believe(self, archive: Archive) -> None:
        """It has said this of its meters just now."""
        if self._archive is None or self._archive.entries != archive.entries:
            self.ahead.clear()  # its points were others
        self.empty_reads = 0 if archive.entries else self.empty_reads + 1
        kept_s = ARCHIVE_KEPT_S if archive.entries else EMPTY_KEPT_S
        self._archive, self._archive_until_s = archive, self.clock.monotonic_s() + kept_s

    def forget_archive(self) -> None:
        """What its points mean may have changed."""
        self._archive = None
        self.ahead.clear()

    def last_entry(self, address: str) -> Entry | None:
        """What it said last of a meter since its login, however long ago: good for the way, for no value."""
        return None if self._archive is None else self._archive.of_address(address)

    # --- its clock -------------------------------------------------------------------------

    @property
    def clock_until_s(self) -> float:
        """Until when its clock need not be looked at again, monotonic."""
        return self._clock_until_s

    def files_well(self, slot: datetime, read_at: datetime | None = None) -> bool:
        """Whether a freeze that it has filed under a slot can be of that slot, by all that is known.

        Terminals read "the last freeze", and file it by their own clock: one that is off, or unknown, files
        some under the wrong day; so it has done before it was put right. Source: business rules, VEE-13.

        Args:
            slot: aware.
            read_at: when it has read it, by its own clock; ``None``: it does not say.

        """
        if self.clock_ahead is None or abs(self.clock_ahead) > CLOCK_OFF:
            return False
        if self.clock.monotonic_s() >= self._clock_until_s:
            return False
        if self._doubted_until is not None and slot <= self._doubted_until:
            return False
        # The terminal of the published conversation reads the end of a day at 23:59.
        return read_at is None or slot - CLOCK_OFF <= read_at <= self.clock.utc_now() + CLOCK_OFF

    async def known_clock(self, line: Line, *, priority: Priority) -> timedelta | None:
        """How far its clock is ahead of ours; looked at where it is not known, or was long ago.

        Raises:
            ConfigError, LineError, BusFull: as ``ask``.

        """
        async with self._reading:
            if self.clock.monotonic_s() >= self._clock_until_s:
                try:
                    await self.read_clock(line, priority=priority)
                except (ReplyTimeout, BadAnswer) as error:
                    self.showed(None)
                    self._log.tell(
                        _log.warning, "terminal_clock_untold", terminal=self.name, reason=str(error)
                    )
            return self.clock_ahead

    def showed(self, ahead: timedelta | None) -> None:
        """Its clock is so far ahead of ours, just now; ``None``: it does not tell."""
        self.clock_ahead = ahead
        self.clock_looks += 1
        kept_s = CLOCK_UNTOLD_S if ahead is None else CLOCK_KEPT_S
        self._clock_until_s = self.clock.monotonic_s() + kept_s
        if ahead is not None and abs(ahead) > CLOCK_OFF:
            self._doubted_until = self.clock.utc_now() + max(ahead, timedelta())

    # --- asking ----------------------------------------------------------------------------

    async def ask(
        self,
        line: Exchanging,
        afn: int,
        groups: Sequence[Group],
        *,
        priority: Priority,
        timeout_s: float = 0.0,
        inner: SecretRanges = all_of,
    ) -> Answer:
        """Have one request answered.

        Args:
            line: that of the terminal's connection, or a hold of it.
            afn: application function code.
            groups: data units.
            priority: who goes first.
            timeout_s: how long to wait, where that is longer than for data of the terminal's own.
            inner: which octets of a forwarded frame are secret.

        Raises:
            BadAnswer: frames of the answer are missing.
            ConfigError: the terminal's password cannot be fetched.
            ReplyTimeout, LineError, BusFull: from the line.

        """
        asked = request(
            self.settings.address,
            afn,
            groups,
            sequence=self._next(),
            auxiliary=self._auxiliary(afn),
            protocol_id=self._protocol_id,
        )
        session = TerminalExchange(asked, inner=inner)
        wait_s = max(timeout_s, self.settings.reply_timeout_s)
        try:
            await line.exchange(PatientSession(session, wait_s), priority=priority)
        except ReplyTimeout:
            if not session.answer:
                raise
        for message in session.answer:
            if message.auxiliary.event_counts is not None:
                self.on_counts(message.auxiliary.event_counts)
        if session.state is not State.DONE:
            raise BadAnswer(f"terminal {self.name} answered in frames that make no whole")
        units = tuple(one for message in session.answer if message.head.afn == afn for one in message.units)
        return Answer(units, session.is_denied, self.clock.utc_now(), session.answer)

    def asking_parameters(self, line: Line, priority: Priority) -> Ask:
        """A way to have questions for parameters (0A) answered; see ``ask``."""

        async def asked(group: Group) -> Sequence[Unit]:
            return (await self.ask(line, table.QUERY, [group], priority=priority)).units

        return asked

    async def archive_for(self, line: Line, address: str, *, priority: Priority) -> Entry | None:
        """The archive's one entry of a meter; ``None``: it has none, or not one alone.

        The archive is read where it is not known. A terminal that does not tell it is not asked again for
        ``UNTOLD_S``: its meters are reached all the same.

        Raises:
            ConfigError, LineError, BusFull: as ``ask``.

        """
        now_s = self.clock.monotonic_s()
        if self.archive is None and now_s < self._untold_until_s:
            return None
        try:
            return (await self.known_archive(line, priority=priority)).of_address(address)
        except (ReplyTimeout, BadAnswer) as error:
            self._untold_until_s = self.clock.monotonic_s() + UNTOLD_S
            self._log.tell(_log.warning, "archive_untold", terminal=self.name, reason=str(error))
            return None

    async def known_archive(
        self, line: Line, *, priority: Priority, anew: bool = False, whole: bool = False
    ) -> Archive:
        """What the terminal says of its meters; read where it is not known, or was told too long ago.

        Args:
            line: that of the terminal's connection.
            priority: who goes first.
            anew: read it, whatever is known.
            whole: then also behind long gaps.

        Raises:
            BadAnswer, ConfigError, ReplyTimeout, LineError, BusFull: as ``ask``.

        """
        async with self._reading:  # two readers would read it twice
            archive = self.archive
            if archive is None or anew:
                archive = await self._read_archive(self.asking_parameters(line, priority), whole=whole)
                self.believe(archive)
                meters = len(archive.entries)
                self._log.tell(_log.info, "archive_read", terminal=self.name, meters=meters)
            return archive

    async def read_clock(self, line: Exchanging, *, priority: Priority) -> timedelta | None:
        """How far the terminal's clock is ahead of ours; ``None``: it shows no time.

        The line is held for it: the wait behind others would be taken for the way there.

        Raises:
            BadAnswer, ConfigError, ReplyTimeout, LineError, BusFull: as ``ask``.

        """
        if isinstance(line, Holdable):
            async with line.hold(priority=priority) as held:
                return await self.read_clock(held, priority=priority)
        begun_s, connection = self.clock.monotonic_s(), self._connection
        answer = await self.ask(line, table.CLASS_1, [unit(table.CLASS_1, CLOCK_FN)], priority=priority)
        half_way = answer.taken_at - timedelta(seconds=self.clock.monotonic_s() - begun_s) / 2
        shown = next((one.values.get("clock") for one in answer.units if one.fn == CLOCK_FN), None)
        when = shown.when() if isinstance(shown, Moment) else None
        self.showed(None if when is None else when.replace(tzinfo=self.zone) - half_way)
        if connection != self._connection:  # it has logged in meanwhile, and may have another time
            self._clock_until_s = -math.inf
        return self.clock_ahead

    @property
    def clock_marks(self) -> Marks:
        """What is doubtful about what it takes by its own clock."""
        off = abs(self.clock_ahead or timedelta())
        far = Marks.CLOCK_FAR if off > CLOCK_LOST else NO_MARKS
        return (Marks.CLOCK_DEV if off > CLOCK_OFF else NO_MARKS) | far

    # --- inside ----------------------------------------------------------------------------

    async def _read_archive(self, ask: Ask, *, whole: bool) -> Archive:
        """The archive, all of it since one login."""
        for _ in range(ARCHIVE_TRIES):
            connection = self._connection
            archive = Archive(await entries_read(ask, self.roster, whole=whole))
            if connection == self._connection:
                return archive
        raise BadAnswer(f"terminal {self.name} logs in again and again while it is asked for its archive")

    def _next(self) -> int:
        self._sequence = (self._sequence + 1) % SEQUENCES
        return self._sequence

    def _auxiliary(self, afn: int) -> Auxiliary:
        password = b""
        if afn in PASSWORD_AFNS:
            octets = PASSWORD_OCTETS_2005 if self._protocol_id == ID_2005 else PASSWORD_OCTETS
            password = self.settings.password()[:octets]
        tag = None
        if self.settings.time_tag_min is not None:
            now = self.clock.utc_now().astimezone(self.zone)
            moment = Moment(day=now.day, hour=now.hour, minute=now.minute, second=now.second)
            self._tags = (self._tags + 1) % 256
            tag = TimeTag(self._tags, moment, self.settings.time_tag_min)
        return NO_AUXILIARY._replace(password=password, time_tag=tag)


def timing_of(settings: TerminalSettings) -> Timing:
    """Timers of the line of a terminal's connection."""
    return Timing(
        reply_timeout_s=settings.reply_timeout_s,
        octet_gap_s=FRAME_GAP_S,
        answer_max_s=ANSWER_MAX_S,
        answer_octets_max=ANSWER_OCTETS_MAX,
    )
