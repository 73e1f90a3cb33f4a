"""What goes wrong with a collector's turns: who is left alone for it, how long, and what is told of it.

A meter that is silent rests after its budget of tries, and so does one whose answers cannot be used: a little
at first, then for longer, at most as long as its plan says. One that answered some of a turn's questions, or
those of its other streams, is not silent: what it left unanswered is its stream's trouble, and all else that
is due of it goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog

from meterlink.acquisition.keeping import Patience
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.planner import LONG_AGO, BlameLedger
from meterlink.acquisition.plans import StoredPlan
from meterlink.acquisition.poller import LATE_ANSWER_S
from meterlink.acquisition.streams import Job, Meter, Stream
from meterlink.clock import Clock
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
from meterlink.journal.series import Series
from meterlink.model.data_classes import CURVE
from meterlink.model.slot import Reason

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
DEPTH_AGAIN_S: Final = 3_600.0
"""Who does not tell whether it holds a slot that it should have overwritten is asked for others meanwhile."""
HEARD_S: Final = 86_400.0
"""Who answered other questions since one that it did not answer, and within this time, is not silent."""

_log = structlog.get_logger(__name__)


class Troubles:
    """The troubles of one line.

    Args:
        line: its name.
        streams: all of the line.
        looks: know who was silent, for whichever plan.
        ledger: is told why slots are not read.
        clock: wall and monotonic time.

    """

    def __init__(
        self, line: str, streams: Sequence[Stream], looks: Looks, ledger: BlameLedger, clock: Clock
    ) -> None:
        self._line = line
        self._streams = streams
        self._looks = looks
        self._ledger = ledger
        self._clock = clock
        self._patience = Patience(line)
        self._line_rest_s = LINE_REST_S

    def note_heard(self, meter: Meter) -> None:
        """A meter of the line answers.

        Args:
            meter: which.

        """
        self._line_rest_s = LINE_REST_S
        if meter.silent:
            self._looks.was_silent(meter.point.meter)
        if self._looks.answers(meter.point.meter):
            _log.info("meter_answers", line=self._line, meter=meter.point.meter)
        meter.silent, meter.tries, meter.rest_s = False, 0, 0.0

    async def note(self, job: Job, error: MeterlinkError, *, was_heard: bool) -> float:
        """Something went wrong with a turn; gives the monotonic time until which the line is left alone.

        Args:
            job: the turn.
            error: what ended it.
            was_heard: the meter answered some of it.

        """
        stream = job.stream
        match error:
            case ReplyTimeout() if was_heard:
                self.note_heard(stream.meter)
                await self._note_left_open(job)
            case ReplyTimeout():
                self._line_rest_s = LINE_REST_S
                await self._note_unheard(job)
            case BusFull():
                return self._clock.monotonic_s() + LINE_REST_S
            case LineError():
                rest_s, self._line_rest_s = self._line_rest_s, min(2 * self._line_rest_s, LINE_REST_MAX_S)
                series = [one.series for one in self._streams]
                await self.blame(series, Reason.LINE_DOWN, note=str(error))
                return self._clock.monotonic_s() + rest_s
            case ClockFarAhead():
                self.tell(stream, "no_freeze", str(error))
                self.rest(job)
                await self.blame(self._series_of(stream.meter), Reason.CLOCK_WRONG, note=str(error))
            case FreezeRefused():
                self.tell(stream, "refused_for_now", str(error))
                self.vain(job)
            case NoFreeze():
                self.tell(stream, "no_freeze", str(error))
                self.rest(job)
            case _:
                self._note_useless(job, error)
        return 0.0

    def _note_useless(self, job: Job, error: MeterlinkError) -> None:
        """An answer that helps nobody, of a meter that is there."""
        event = "config_error" if isinstance(error, ConfigError) else "bad_answer"
        meter = job.stream.meter.point.meter
        _log.warning(event, line=self._line, meter=meter, reason=str(error))
        self.vain(job)

    def _series_of(self, meter: Meter) -> list[Series]:
        return [one.series for one in self._streams if one.meter is meter]

    async def _note_silent(self, stream: Stream) -> None:
        """Put the meter aside, for a moment or for longer; all that is due of it waits for it."""
        meter = stream.meter
        point = meter.point
        if not meter.silent and self._looks.falls_silent(point.meter):
            _log.warning("meter_silent", line=self._line, meter=point.meter, address=point.address)
        meter.silent = True
        meter.tries += 1
        rest_s = LATE_ANSWER_S
        if meter.tries >= stream.plan.tries:
            meter.tries, meter.rest_s = 0, _longer(meter.rest_s, stream.plan)
            rest_s = max(meter.rest_s, LATE_ANSWER_S)
        meter.rest_until = self._clock.monotonic_s() + rest_s
        await self.blame(self._series_of(meter), Reason.SILENT, tries=1)

    async def _note_unheard(self, job: Job) -> None:
        """A turn had no answer at all: the meter is silent, or about all that this stream asks."""
        stream, now_s = job.stream, self._clock.monotonic_s()
        heard_at = self._looks.heard_at(stream.meter.point.meter)
        silent_since = stream.silent_since[job.is_current]
        if heard_at > max(silent_since, now_s - HEARD_S):
            await self._note_left_open(job)
            return
        stream.silent_since[job.is_current] = min(silent_since, now_s)
        await self._note_silent(stream)

    async def _note_left_open(self, job: Job) -> None:
        """The meter answers, and left a question of the turn unanswered, or its answer did not come."""
        job.stream.meter.rest_until = self._clock.monotonic_s() + LATE_ANSWER_S
        self.vain(job)
        await self.blame([job.stream.series], Reason.SILENT)

    def vain(self, job: Job) -> None:
        """What came could not be used; another try behind the others, or a rest."""
        stream = job.stream
        if (newest := max(job.slots)) in stream.behind and not job.is_current:
            stream.passed_over.add(newest)  # it was asked for first
        if job.checks_depth:
            stream.depth_rests_until = self._clock.monotonic_s() + DEPTH_AGAIN_S
        stream.tries += 1
        if stream.tries >= stream.plan.tries:
            if stream.plan.data_class == CURVE and not job.is_current and not job.checks_depth:
                stream.pass_by(job.slots)
            stream.vain_rest_s = _longer(stream.vain_rest_s, stream.plan)
            self.rest(job, stream.vain_rest_s)

    def rest(self, job: Job, rest_s: float | None = None) -> None:
        """Leave the stream alone, for as long as its plan says where nothing else is said."""
        stream = job.stream
        stream.tries = 0
        stream.rests[job.is_current] = self._clock.monotonic_s() + (rest_s or stream.plan.retry_s)

    async def wait_for_room(self) -> None:
        """Ask nobody on the line for curves for a moment: there is no room for any of them."""
        curves = [one for one in self._streams if one.plan.data_class == CURVE]
        rested_s = self._clock.monotonic_s() + ROOM_REST_S
        for stream in curves:
            stream.rests = {kind: max(until_s, rested_s) for kind, until_s in stream.rests.items()}
        await self.blame([one.series for one in curves], Reason.NO_ROOM)

    def tell(self, stream: Stream, event: str, reason: str) -> None:
        """Say why a meter's records are missing, once until it brings some."""
        if stream.told != event:
            stream.told = event
            _log.warning(event, line=self._line, meter=stream.meter.point.meter, reason=reason)

    async def blame(
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
