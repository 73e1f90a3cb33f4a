"""Requests of ours that the module has not answered, and what becomes of answers; no I/O.

An answer is paired by (sequence, AFN, slave). A number that was given up is not used again for a while, so
that a late answer meets no new question; late answers still tell how long their node takes.
Source: spec gdw1376, A2; field practice, section 5.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from meterlink.errors import BusFull
from meterwire.gdw1376.functions.module import CONFIRM
from meterwire.gdw1376.link.module_frame import Addresses, Frame
from meterwire.gdw1376.messages.module import Message

SEQUENCES: Final = 256
OPEN_MAX: Final = 64
"""Requests that may be open: a window of reads, a command, and room."""
GIVEN_UP_MAX: Final = 128
"""Numbers of requests that are over and not used again yet; one more, and the oldest may be used."""
REST_S: Final = 120.0
"""How long a number rests after its request is over."""


@dataclass(slots=True)
class Asked:
    """One request.

    Args:
        frame: as it was sent.
        answer: set to the message that answers it, or to an error.
        sent_s: loop time at which it left; ``None``: it has not.

    """

    frame: Frame
    answer: asyncio.Future[Message] = field(repr=False)
    sent_s: float | None = None

    @property
    def slave(self) -> str:
        """Whom it asks; empty: the main node."""
        return self.frame.addresses.destination if self.frame.addresses else ""


@dataclass(frozen=True, slots=True)
class _Over:
    asked: Asked
    until_s: float
    is_answered: bool


@dataclass(slots=True)
class Strays:
    """Answers that no open request wanted.

    Attributes:
        late: to a request that had been given up.
        double: to one that had been answered.
        other: to none that we know of.

    """

    late: int = 0
    double: int = 0
    other: int = 0


class Outstanding:
    """The requests of one module since it was opened.

    Args:
        strays: counts what is dropped; outlives the opening.

    """

    def __init__(self, strays: Strays) -> None:
        self.strays = strays
        self._open: dict[int, Asked] = {}
        self._over: OrderedDict[int, _Over] = OrderedDict()
        self._last = SEQUENCES - 1

    def __len__(self) -> int:
        """Requests that are open."""
        return len(self._open)

    def number(self, now_s: float) -> int:
        """A sequence number for the next request.

        Args:
            now_s: loop time.

        Raises:
            BusFull: ``OPEN_MAX`` requests are open.

        """
        if len(self._open) >= OPEN_MAX:
            raise BusFull(f"{OPEN_MAX} requests are open at the module")
        while self._over and next(iter(self._over.values())).until_s <= now_s:
            self._over.popitem(last=False)
        while len(self._over) > GIVEN_UP_MAX:
            self._over.popitem(last=False)
        number = (self._last + 1) % SEQUENCES
        while number in self._open or number in self._over:
            number = (number + 1) % SEQUENCES
        self._last = number
        return number

    def add(self, asked: Asked) -> None:
        """A request is about to be sent."""
        self._open[asked.frame.info.sequence] = asked

    def close(self, asked: Asked, now_s: float) -> None:
        """A request is over: it was answered, or nobody waits any more."""
        number = asked.frame.info.sequence
        if self._open.get(number) is asked:
            del self._open[number]
            is_answered = asked.answer.done() and not asked.answer.cancelled()
            self._over[number] = _Over(asked, now_s + REST_S, is_answered)
            self._over.move_to_end(number)

    def take(self, message: Message) -> Asked | None:
        """Give an answer to its request.

        Returns:
            The request that it answers or answered; ``None``: it answers none. Only an open request gets it.

        """
        number = message.frame.info.sequence
        asked = self._open.get(number)
        if asked is not None and _answers(message.frame, asked.frame):
            if asked.answer.done():
                self.strays.double += 1
            else:
                asked.answer.set_result(message)
            return asked
        over = self._over.get(number)
        if over is None or not _answers(message.frame, over.asked.frame):
            self.strays.other += 1
            return None
        if over.is_answered:
            self.strays.double += 1
            return None
        self.strays.late += 1
        self._over[number] = _Over(over.asked, over.until_s, is_answered=True)
        return over.asked

    def fail(self, error: Exception) -> None:
        """No open request will be answered."""
        for asked in self._open.values():
            if not asked.answer.done():
                asked.answer.set_exception(error)
                asked.answer.exception()  # whoever asked may have gone


def _answers(frame: Frame, asked: Frame) -> bool:
    """Whether a frame of that number is the answer; a denial may name its slave, or nobody."""
    if frame.afn not in (asked.afn, CONFIRM) or (frame.afn == asked.afn and frame.fn != asked.fn):
        return False
    return _same_slave(frame.addresses, asked.addresses)


def _same_slave(found: Addresses | None, asked: Addresses | None) -> bool:
    return found is None or asked is None or found.source == asked.destination
