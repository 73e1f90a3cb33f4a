"""One turn of a collector: a meter is asked for some slots, and what comes of it is put where it belongs.

A meter whose clock is far ahead holds records of days to come under times that look like yesterday's: it took
the record that it calls yesterday's forty days ago. So a meter that nobody knows yet, or not for a week, is
asked for a record beside the others that cannot be there: whoever has it shows a wrong clock, and nothing of
such an answer is kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from meterlink.acquisition.streams import BACKFILL_POINTS, NOT_TAKEN, Job, Stream, depth_s
from meterlink.acquisition.troubles import Troubles
from meterlink.bus.line import Line
from meterlink.clock import Clock
from meterlink.drivers.base import SLOTS_MAX, StoredAnswer, Wanted
from meterlink.errors import ClockFarAhead, MeterlinkError
from meterlink.journal.series import Series
from meterlink.model.slot import DAY_S, MONTH_S, Reason

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
        self,
        series: Series,
        *,
        since: datetime,
        until: datetime,
        newest_first: bool,
        limit: int,
        beside: tuple[datetime, datetime] | None = None,
    ) -> list[datetime]:
        """See ``Ledger.open_slots``."""

    async def reopen(self, series: Series, *, since: datetime) -> int:
        """See ``Ledger.reopen``."""


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
        self._harvest = harvest
        self._looks = looks
        self._ledger = ledger
        self._clock = clock
        self._patience = Patience(line.name)
        self._troubles = Troubles(line.name, streams, looks, ledger, clock)
        self._lacking = Lacking(line.name, ledger, clock)

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
            if heard.answers:
                stream.silent_since[job.is_current] = math.inf
            await self._harvest.failed(stream, job.slots, error)
            return await self._troubles.note(job, error, was_heard=heard.answers > 0)
        if vouches:
            stream.meter.vouched_until = self._clock.monotonic_s() + VOUCHED_S
        stream.silent_since[job.is_current] = math.inf
        await self._note_answer(job, _without(answer, probe))
        if answer.cut_short is None:
            return 0.0
        job = replace(job, slots=_left(job, answer) or job.slots)
        return await self._troubles.note(job, answer.cut_short, was_heard=heard.answers > 0)

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

    async def _note_answer(self, job: Job, answer: StoredAnswer) -> None:
        stream, meter = job.stream, job.stream.meter
        self._troubles.note_heard(meter)
        if answer.records:
            await self._looks.renew(meter.point.meter, stream.plan.data_class)
        slots = [record.slot for record in answer.records if record.values]
        unlooked = self._looks.unlooked(meter.point.meter, stream.plan.data_class, slots)
        if not await self._harvest.take(stream, job.slots, answer, unlooked=unlooked):
            why = "the journal's disk is almost full: free some space"
            self._troubles.tell(stream, "no_room_for_curves", why)
            await self._troubles.wait_for_room()
            return
        self._looks.kept(meter.point.meter, stream.plan.data_class, unlooked)
        await self._lacking.look(stream, job.slots, answer)
        left = _left(job, answer)
        if len(left) < len(job.slots):
            stream.tries, stream.vain_rest_s = 0, 0.0
            stream.passed_over.clear()
            if not job.is_current:
                stream.points_a_turn = BACKFILL_POINTS
        if stream.may_reopen and any(record.values for record in answer.records):
            await self._reopen(stream)
        self._note_refused(stream, answer.refused)
        if job.checks_depth:
            await self._note_depth(job, answer)
        if answer.unfit or answer.unfit_slots:
            self._troubles.vain(replace(job, slots=left or job.slots))
        elif answer.not_yet:
            why = next(iter(answer.not_yet.values()))
            self._troubles.tell(stream, NOT_TAKEN, why)
            self._troubles.rest(job)
            if not job.is_current:  # then it has not taken any later one either
                await self._troubles.blame([stream.series], Reason.NOT_TAKEN, note=why)
        elif answer.cut_short is None:
            stream.tries, stream.told = 0, ""

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


def _left(job: Job, answer: StoredAnswer) -> tuple[datetime, ...]:
    """Slots of a turn that stay open behind an answer.

    A slot that lacks an item which another try may bring stays open and the most urgent: that it brought the
    others is no reason to ask for it again without a pause.
    """
    whole = {slot_of(job.stream, one, job.slots) for one in answer.records if not one.unfit}
    return tuple(slot for slot in job.slots if slot not in whole and slot not in answer.gone)


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
