"""One exchange on a stream: a session's octets out, the line's octets in, until it is finished or late.

Three timers, each set once:

- *first octet*: from the moment the request has left the wire (645: a meter may take 500 ms, a serial
  server adds its own);
- *octet gap*: silence inside an answer (645: at most 500 ms);
- *whole answer*: a babbling node may not hold the line longer than the longest answer takes, one frame of
  it where a protocol cuts answers into several.

The end of an answer is the session's business (it knows the length octet), so no timer is waited out
after a good answer.

The octets of an exchange may be written down; which of them are secret the session says, by their place.

A session that raises is a fault of the program, and its caller's affair: the line is as good as before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from meterlink.bus.wire import Wire
from meterlink.errors import ReplyTimeout
from meterlink.trace import Ranges, Transcript

ANSWER_OCTETS_MAX = 300
"""Longest 645 answer with preambles and rubbish, for the whole-answer timer of a line with known rate."""


EXCHANGE_MAX_S = 300.0
"""Longest exchange with all its pieces: one that never comes to an end would keep its neighbours waiting."""


class Session(Protocol):
    """What the bus knows of a protocol: octets to send, octets to take, and whether it is over."""

    @property
    def finished(self) -> bool:
        """The answer is complete, or nothing more will come of it."""

    def octets_to_send(self) -> bytes:
        """What to send now; empty when there is nothing (more)."""

    def feed(self, octets: bytes) -> None:
        """Take octets from the line; any octets."""

    def expire(self) -> None:
        """The time is up, or the line is gone."""

    def secret_ranges(self, octets: bytes) -> Ranges:
        """Which octets of one turn hold passwords, keys or cipher, or may; never raises.

        Args:
            octets: a request, or all that was received before the next one.

        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long an exchange waits.

    Args:
        reply_timeout_s: for the first octet, counted from the request's last octet on the wire.
        octet_gap_s: for the next octet inside an answer.
        answer_max_s: for the whole answer, on top of ``reply_timeout_s``.
        character_s: time of one octet on the wire; 0 where the rate is not known (TCP).
        turnaround_s: quiet time before each request.
        answer_octets_max: longest frame that a meter of this line answers with.

    """

    reply_timeout_s: float = 1.5
    octet_gap_s: float = 0.5
    answer_max_s: float = 3.0
    character_s: float = 0.0
    turnaround_s: float = 0.0
    answer_octets_max: int = ANSWER_OCTETS_MAX

    @property
    def whole_answer_s(self) -> float:
        """Time that the longest answer may take after the first-octet timer."""
        return max(self.answer_max_s, self.answer_octets_max * self.character_s + self.octet_gap_s)


class PatientSession:
    """A session whose answers take longer than those of its line: somebody behind the line is asked first.

    Args:
        session: the exchange itself.
        reply_timeout_s: for the first octet of each answer; where the line's own is longer, that counts.

    """

    def __init__(self, session: Session, reply_timeout_s: float) -> None:
        self.reply_timeout_s = reply_timeout_s
        self._session = session
        self.octets_to_send = session.octets_to_send
        self.feed = session.feed
        self.expire = session.expire
        self.secret_ranges = session.secret_ranges

    @property
    def finished(self) -> bool:
        """See ``Session.finished``."""
        return self._session.finished


class NothingHeard(ReplyTimeout):
    """Not one octet came: the meter is silent, or the line carries nothing."""


class SessionBroke(Exception):
    """A session raised: ``error``, which is for its caller. Never leaves the room.

    Args:
        error: what it raised.

    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


async def carry_out(
    wire: Wire,
    session: Session,
    timing: Timing,
    now: Callable[[], float],
    transcript: Transcript | None = None,
) -> None:
    """Drive a session over a line until it is finished; it is, however this ends.

    Args:
        wire: the line; only this exchange may use it now.
        session: fresh; afterwards it holds the answer.
        timing: how long to wait.
        now: loop time.
        transcript: is told all octets, if there is one.

    Raises:
        ReplyTimeout: no complete answer in time; ``NothingHeard``: nothing at all.
        LineLost, LineClosed: from the stream.
        SessionBroke: the session raised.

    """
    try:
        late = await wire.clear()  # whatever came late for an earlier request is nobody's answer
        if late and transcript is not None:
            transcript.received(late)
        await _converse(wire, session, timing, now, transcript, has_heard=bool(late))
    finally:
        try:
            if not session.finished:
                session.expire()
        except Exception as error:
            raise SessionBroke(error) from error
        if transcript is not None:
            transcript.settle()


async def _converse(
    wire: Wire,
    session: Session,
    timing: Timing,
    now: Callable[[], float],
    transcript: Transcript | None,
    *,
    has_heard: bool,
) -> None:
    give_up_at = 0.0
    reply_timeout_s = timing.reply_timeout_s
    if isinstance(session, PatientSession):
        reply_timeout_s = max(reply_timeout_s, session.reply_timeout_s)
    while not session.finished:
        try:
            octets = session.octets_to_send()
        except Exception as error:
            raise SessionBroke(error) from error
        if octets:
            if give_up_at and now() >= give_up_at:
                raise ReplyTimeout("the answer has no end")
            if transcript is not None:
                transcript.sent(octets)
            await wire.send(octets)
            left_the_wire_at = now() + len(octets) * timing.character_s
            give_up_at = give_up_at or left_the_wire_at + EXCHANGE_MAX_S
            if session.finished:  # nobody answers
                await asyncio.sleep(left_the_wire_at - now())
                return
            first_by = wait_until = left_the_wire_at + reply_timeout_s
        try:
            received = await wire.receive(wait_until)
        except TimeoutError:
            raise (ReplyTimeout if has_heard else NothingHeard)("no answer in time") from None
        has_heard = True
        if transcript is not None:
            transcript.received(received)
        try:
            session.feed(received)
        except Exception as error:
            raise SessionBroke(error) from error
        if session.finished:
            return
        at = now()
        wait_until = min(max(first_by, at + timing.octet_gap_s), first_by + timing.whole_answer_s)
