"""One turn of a collector: a meter is asked for some slots, and what comes of it is put where it belongs.

A meter whose clock is far ahead holds records of days to come under times that look like yesterday's: it took
the record that it calls yesterday's forty days ago. So a meter that nobody knows yet, or not for a week, is
asked for a record beside the others that cannot be there: whoever has it shows a wrong clock, and nothing of
such an answer is kept.

A meter that is silent rests after its budget of tries, and so does one whose answers cannot be used: a little
at first, then for longer, at most as long as its plan says. One that answered some of a turn's questions is
not silent: what it left unanswered is its stream's trouble, and all else that is due of it goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

import structlog

from meterlink.acquisition.harvest import Harvest, SlotLedger, slot_of
from meterlink.acquisition.heard import HeardLine
from meterlink.acquisition.keeping import Patience
from meterlink.acquisition.lacking import Lacking, LackLedger
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.planner import LONG_AGO, BlameLedger
from meterlink.acquisition.plans import StoredPlan
from meterlink.acquisition.poller import LATE_ANSWER_S
from meterlink.acquisition.streams import NOT_TAKEN, Meter, Stream, depth_s
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import SLOTS_MAX, StoredAnswer, Wanted
from meterlink.errors import (
    BusFull,
    ClockFarAhead,
    ConfigError,
    FreezeRefused,
    LineError,
    MeterlinkError,
    NoFreeze,
    ReplyTimeout,
)
from meterlink.journal.ledger import Series
from meterlink.model.data_classes import CURVE
from meterlink.model.slot import DAY_S, MONTH_S, Reason

LINE_REST_S: Final = 5.0
"""A line that could not be used is left alone for so long, and for twice as long each time that follows."""
LINE_REST_MAX_S: Final = 60.0
"""The longest: each try writes into the journal, and a line may be gone for weeks."""
ROOM_REST_S: Final = 30.0
"""So long no curve of a line is read after one found no room on the disk: each costs the line a turn in vain,
and when there is room again they are to go on within a minute."""
FIRST_REST_S: Final = 300.0
"""How long a meter rests at first, then twice as long each time: a line that was bad for a moment is good
again soon, and a dead meter costs its neighbours four more pairs of tries than if it rested long at once."""
VOUCHED_S: Final = 7 * 86_400.0
"""So long a meter's clock is believed to be about right."""
AHEAD_MAX: Final = timedelta(days=1)
"""A record later than this is of a clock that is lost."""
SLOTS_A_TURN: Final = SLOTS_MAX - 1
"""Slots of one turn; there is room for the one that cannot be there."""
OVERWRITTEN_MAX: Final = 10_000
"""Slots that are told gone at once."""

_log = structlog.get_logger(__name__)


class TurnLedger(SlotLedger, BlameLedger, LackLedger, Protocol):
    """What a turn needs of the ledger; each raises ``JournalError``."""

    async def open_slots(
        self, series: Series, *, since: datetime, until: datetime, newest_first: bool, limit: int
    ) -> list[datetime]:
        """See ``Ledger.open_slots``."""

    async def reopen(self, series: Series, *, since: datetime) -> int:
        """See ``Ledger.reopen``."""


@dataclass(frozen=True, slots=True)
class Job:
    """One turn.

    Args:
        stream: whose.
        slots: 1 to ``SLOTS_A_TURN``, the most urgent first.
        priority: whose time of the line it takes.
        checks_depth: it asks whether the meter still holds what it should have overwritten.

    """

    stream: Stream
    slots: tuple[datetime, ...]
    priority: Priority
    checks_depth: bool = False


class Turn:
    """The turns of one line.

    Args:
        line: where the meters are.
        streams: all of the line.
        harvest: takes what comes.
        looks: what the meters show beside their values.
        ledger: the ledger.
        clock: wall and monotonic time.

    """

    def __init__(
        self,
        line: Line,
        streams: Sequence[Stream],
        harvest: Harvest,
        looks: Looks,
        ledger: TurnLedger,
        clock: Clock,
    ) -> None:
        self._line = line
        self._streams = streams
        self._harvest = harvest
        self._looks = looks
        self._ledger = ledger
        self._clock = clock
        self._patience = Patience(line.name)
        self._lacking = Lacking(line.name, ledger, clock)
        self._line_rest_s = LINE_REST_S

    async def take(self, job: Job) -> float:
        """Ask; returns the monotonic time until which the line is to be left alone."""
        stream = job.stream
        items = stream.items(stream.plan.calendar.day_of(self._clock.utc_now()))
        if not items:
            words = next(iter(stream.refused.values()))[1]
            await self._harvest.refused(stream, job.slots, words)
            return 0.0
        probe = self._probe(stream)
        heard = HeardLine(self._line)
        try:
            wanted = Wanted(stream.plan.data_class, items, [*job.slots, *probe], stream.plan.every_s)
            answer = await stream.driver.read_stored(
                heard, stream.meter.point.address, wanted, priority=job.priority
            )
            vouches = self._check_clock(probe, answer)
        except MeterlinkError as error:
            await self._harvest.failed(stream, job.slots, error)
            return await self._note_trouble(job, error, was_heard=heard.answers > 0)
        if vouches:
            stream.meter.vouched_until = self._clock.monotonic_s() + VOUCHED_S
        rests_until = await self._note_answer(job, _without(answer, probe))
        if answer.cut_short is None:
            return rests_until
        return await self._note_trouble(job, answer.cut_short, was_heard=heard.answers > 0)

    # --- the clock of the meter --------------------------------------------------------------

    def _probe(self, stream: Stream) -> tuple[datetime, ...]:
        """A slot of which no meter can have a record, unless its clock is known to be about right."""
        if self._clock.monotonic_s() < stream.meter.vouched_until or stream.plan.every_s == MONTH_S:
            return ()
        at = (self._clock.utc_now() + AHEAD_MAX).timestamp()
        start = stream.plan.calendar.start_of(stream.plan.calendar.day_of(self._clock.utc_now()))
        every_s = stream.plan.every_s if stream.plan.every_s < DAY_S else DAY_S
        passed = (at - start.timestamp()) // every_s + 1
        return (start + timedelta(seconds=passed * every_s),)

    def _check_clock(self, probe: Sequence[datetime], answer: StoredAnswer) -> bool:
        """Whether an answer shows that the meter's clock is not far ahead; one that says nothing does not.

        Raises:
            ClockFarAhead: it does not call that yet to come which is.

        """
        newest = max((record.slot for record in answer.records), default=LONG_AGO)
        if newest > self._clock.utc_now() + AHEAD_MAX:
            raise ClockFarAhead(f"it holds a record of {newest.isoformat()}: look at both clocks")
        if not probe or answer.cut_short is not None or not answer.heard:
            return False
        if probe[0] not in answer.not_yet:
            why = answer.unfit_slots.get(probe[0], "it has got beyond that time")
            raise ClockFarAhead(f"asked for {probe[0].isoformat()}, which is yet to come: {why}")
        return True

    # --- what people and the ledger are told -------------------------------------------------

    async def _note_answer(self, job: Job, answer: StoredAnswer) -> float:
        stream, meter = job.stream, job.stream.meter
        self._line_rest_s = LINE_REST_S
        self._note_heard(meter)
        if answer.records:
            await self._looks.renew(meter.point.meter, stream.plan.data_class)
        if not await self._harvest.take(stream, job.slots, answer):
            self._tell(stream, "no_room_for_curves", "the journal's disk is almost full: free some space")
            await self._wait_for_room()
            return 0.0
        slots = [record.slot for record in answer.records if record.values]
        self._looks.kept(meter.point.meter, stream.plan.data_class, slots)
        await self._lacking.look(stream, job.slots, answer)
        if _settles(job, answer):
            stream.tries, stream.vain_rest_s = 0, 0.0
        if stream.may_reopen and any(record.values for record in answer.records):
            await self._reopen(stream)
        self._note_refused(stream, answer.refused)
        if job.checks_depth:
            await self._note_depth(job, answer)
        if answer.unfit or answer.unfit_slots:
            self._vain(job)
        elif answer.not_yet:
            why = next(iter(answer.not_yet.values()))
            self._tell(stream, NOT_TAKEN, why)
            self._rest(job)
            if job.priority is Priority.BACKFILL:  # then it has not taken any later one either
                await self._blame([stream.series], Reason.NOT_TAKEN, note=why)
        elif answer.cut_short is None:
            stream.tries, stream.told = 0, ""
        return 0.0

    def _note_heard(self, meter: Meter) -> None:
        """It answers."""
        if meter.silent:
            self._looks.was_silent(meter.point.meter)
        if self._looks.answers(meter.point.meter):
            _log.info("meter_answers", line=self._line.name, meter=meter.point.meter)
        meter.silent, meter.tries, meter.rest_s = False, 0, 0.0

    async def _note_trouble(self, job: Job, error: MeterlinkError, *, was_heard: bool) -> float:
        """Something went wrong; until when the line is to be left alone."""
        stream = job.stream
        match error:
            case ReplyTimeout() if was_heard:
                self._line_rest_s = LINE_REST_S
                await self._note_broken_off(job)
            case ReplyTimeout():
                self._line_rest_s = LINE_REST_S
                await self._note_silent(stream)
            case BusFull():
                return self._clock.monotonic_s() + LINE_REST_S
            case LineError():
                rest_s, self._line_rest_s = self._line_rest_s, min(2 * self._line_rest_s, LINE_REST_MAX_S)
                series = [one.series for one in self._streams]
                await self._blame(series, Reason.LINE_DOWN, note=str(error))
                return self._clock.monotonic_s() + rest_s
            case ClockFarAhead():
                self._tell(stream, "no_freeze", str(error))
                self._rest(job)
                await self._blame(self._series_of(stream.meter), Reason.CLOCK_WRONG, note=str(error))
            case FreezeRefused():
                self._tell(stream, "refused_for_now", str(error))
                self._vain(job)
            case NoFreeze():
                self._tell(stream, "no_freeze", str(error))
                self._rest(job)
            case _:
                self._note_useless(job, error)
        return 0.0

    def _note_useless(self, job: Job, error: MeterlinkError) -> None:
        """An answer that helps nobody, of a meter that is there."""
        event = "config_error" if isinstance(error, ConfigError) else "bad_answer"
        meter = job.stream.meter.point.meter
        _log.warning(event, line=self._line.name, meter=meter, reason=str(error))
        self._vain(job)

    def _series_of(self, meter: Meter) -> list[Series]:
        return [one.series for one in self._streams if one.meter is meter]

    async def _note_silent(self, stream: Stream) -> None:
        """Put the meter aside, for a moment or for longer; all that is due of it waits for it."""
        meter = stream.meter
        point = meter.point
        if not meter.silent and self._looks.falls_silent(point.meter):
            _log.warning("meter_silent", line=self._line.name, meter=point.meter, address=point.address)
        meter.silent = True
        meter.tries += 1
        rest_s = LATE_ANSWER_S
        if meter.tries >= stream.plan.tries:
            meter.tries, meter.rest_s = 0, _longer(meter.rest_s, stream.plan)
            rest_s = max(meter.rest_s, LATE_ANSWER_S)
        meter.rest_until = self._clock.monotonic_s() + rest_s
        await self._blame(self._series_of(meter), Reason.SILENT, tries=1)

    async def _note_broken_off(self, job: Job) -> None:
        """The meter answers, and left a question of the turn unanswered, or its answer did not come."""
        meter = job.stream.meter
        self._note_heard(meter)
        meter.rest_until = self._clock.monotonic_s() + LATE_ANSWER_S
        self._vain(job)
        await self._blame([job.stream.series], Reason.SILENT)

    def _note_refused(self, stream: Stream, refused: Mapping[str, str]) -> None:
        today, meter = stream.plan.calendar.day_of(self._clock.utc_now()), stream.meter.point.meter
        for item, words in refused.items():
            stream.refused[item] = (today, words)
            stream.may_reopen = True
            _log.warning("item_refused", line=self._line.name, meter=meter, item=item, reason=words)

    async def _reopen(self, stream: Stream) -> None:
        """The class brings something: what the meter said that it has not may have been a passing refusal.

        Once for each refusal that was believed, so that what it really lacks is asked for once a day at most.
        """
        work = partial(
            self._ledger.reopen, stream.series, since=stream.overwritten_before(self._clock.utc_now())
        )
        if slots := await self._patience.until_done(work):
            meter = stream.meter.point.meter
            _log.info("refused_slots_reopened", line=self._line.name, meter=meter, slots=slots)
        stream.may_reopen = False

    def _vain(self, job: Job) -> None:
        """What came could not be used; another try behind the others, or a rest."""
        stream = job.stream
        stream.tries += 1
        if stream.tries >= stream.plan.tries:
            stream.vain_rest_s = _longer(stream.vain_rest_s, stream.plan)
            self._rest(job, stream.vain_rest_s)

    def _rest(self, job: Job, rest_s: float | None = None) -> None:
        """Leave the stream alone, for as long as its plan says where nothing else is said."""
        stream, is_current = job.stream, job.priority is not Priority.BACKFILL
        stream.tries = 0
        stream.rests[is_current] = self._clock.monotonic_s() + (rest_s or stream.plan.retry_s)

    async def _wait_for_room(self) -> None:
        """Ask nobody on the line for curves for a moment: there is no room for any of them."""
        curves = [one for one in self._streams if one.plan.data_class == CURVE]
        rested_s = self._clock.monotonic_s() + ROOM_REST_S
        for stream in curves:
            stream.rests = {kind: max(until_s, rested_s) for kind, until_s in stream.rests.items()}
        await self._blame([one.series for one in curves], Reason.NO_ROOM)

    def _tell(self, stream: Stream, event: str, reason: str) -> None:
        """Say why a meter's records are missing, once until it brings some."""
        if stream.told != event:
            stream.told = event
            _log.warning(event, line=self._line.name, meter=stream.meter.point.meter, reason=reason)

    async def _note_depth(self, job: Job, answer: StoredAnswer) -> None:
        """The oldest slot has shown whether the meter holds what it should have overwritten."""
        stream, now, [oldest] = job.stream, self._clock.utc_now(), job.slots
        if oldest not in answer.gone:
            if any(record.slot == oldest for record in answer.records):
                stream.depth_s = max(stream.depth_s, (now - oldest).total_seconds())
            return
        stream.depth_s = depth_s(stream.depth)
        border = stream.overwritten_before(now)
        look = partial(
            self._ledger.open_slots,
            stream.series,
            since=LONG_AGO,
            until=now - stream.plan.current_for,
            newest_first=False,
            limit=OVERWRITTEN_MAX,
        )
        slots = [slot for slot in await self._patience.until_done(look) if slot < border]
        note = f"it holds {stream.depth.records} records, and no longer that of {oldest:%Y-%m-%d %H:%M} UTC"
        await self._harvest.gone(stream, slots, note)

    async def _blame(
        self, series: Sequence[Series], reason: Reason, *, note: str = "", tries: int = 0
    ) -> None:
        """Say of all that is due by now of series, and that nobody has come to, why that is."""
        until = self._clock.utc_now()
        work = partial(
            self._ledger.blame, series, reason, since=LONG_AGO, until=until, note=note, tries=tries
        )
        await self._patience.until_done(work)


def _longer(rest_s: float, plan: StoredPlan) -> float:
    """The rest after one of so many seconds; 0: there was none."""
    return min(max(2 * rest_s, FIRST_REST_S), float(plan.retry_s))


def _settles(job: Job, answer: StoredAnswer) -> bool:
    """Whether a slot that was asked for is done with.

    One that lacks an item which another try may bring stays open and the most urgent: that it brought the
    others is no reason to ask for it again without a pause.
    """
    whole = (record for record in answer.records if not record.unfit)
    return bool(answer.gone) or any(slot_of(job.stream, one, job.slots) in job.slots for one in whole)


def _without(answer: StoredAnswer, probe: Sequence[datetime]) -> StoredAnswer:
    """An answer without the slot that was asked for to see the clock."""
    if not probe:
        return answer

    def rest(told: Mapping[datetime, str]) -> dict[datetime, str]:
        return {slot: why for slot, why in told.items() if slot not in probe}

    return replace(
        answer,
        gone=rest(answer.gone),
        not_yet=rest(answer.not_yet),
        unfit_slots=rest(answer.unfit_slots),
    )
