"""The last exchanges on the lines of a plant: who was asked what, and what came back, without any secret."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Final

from metersim.api.masking import masked
from metersim.api.views import AnswerView
from metersim.line.answers import AnswerRecord
from metersim.line.line import Clock
from metersim.plant.plant import Plant
from metersim.plant.watched import Direction

EXCHANGES_MAX: Final = 1_000
"""Exchanges of a plant that are remembered; the oldest go first."""
OCTETS_MAX: Final = 4_096
"""Octets of a request, and of what came back, that are remembered; what is cut off is hidden as a whole."""
PAUSE_S: Final = 0.5
"""Silence that ends a request which nobody answered. Source: DL/T 645-2007, 5.2: 500 ms at most."""
ANSWERS_MAX: Final = 100
"""Answers to one request that are told apart; a broadcast to more is remembered by its octets."""


@dataclass(slots=True)
class Exchange:
    """One exchange.

    Args:
        number: of the plant's exchanges, from 1.
        line: name of the line.
        at: true time of its first octet.
        request: octets of the client, as far as they are remembered.
        answer: octets of the meters, the same.
        answers: what meters said, as they meant it.

    """

    number: int
    line: str
    at: datetime
    request: bytearray = field(default_factory=bytearray)
    answer: bytearray = field(default_factory=bytearray)
    answers: list[AnswerRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """One exchange.

    Args:
        number: of the plant's exchanges, from 1.
        line: name of the line.
        at: true time at which it began.
        request: octets in hexadecimal digits; ``**`` stands for a secret one.
        answer: the same of what came back.
        answers: what meters said, as they meant it.

    """

    number: int
    line: str
    at: datetime
    request: str
    answer: str
    answers: list[AnswerView]


class Exchanges:
    """Remembers exchanges; it is the ``capture`` of a plant, and its `answered` the ``record``.

    Args:
        plant: whose.
        clock: of the plant.
        monotonic_s: seconds as the lines feel them.

    """

    def __init__(self, plant: Plant, *, clock: Clock, monotonic_s: Callable[[], float] = monotonic) -> None:
        self._clock, self._monotonic_s = clock, monotonic_s
        self._line_of = {meter.address: meter.line for meter in plant.meters()}
        self._protocols = {
            name: tuple({meter.profile.protocol for meter in line.meters})
            for name, line in zip(plant.line_names, plant.all_lines, strict=True)
        }
        self._kept: deque[Exchange] = deque(maxlen=EXCHANGES_MAX)
        self._open: dict[str, tuple[Exchange, float]] = {}
        self._number = 0

    def __call__(self, line: str, direction: Direction, octets: bytes) -> None:
        """Octets pass on a line."""
        now_s = self._monotonic_s()
        exchange, last_s = self._open.get(line, (None, 0.0))
        if exchange is None or (direction == "out" and (exchange.answer or now_s - last_s > PAUSE_S)):
            self._number += 1
            exchange = Exchange(self._number, line, self._clock.utc_now())
            self._kept.append(exchange)
        self._open[line] = exchange, now_s
        kept = exchange.request if direction == "out" else exchange.answer
        kept += octets[: OCTETS_MAX - len(kept)]

    def answered(self, answer: AnswerRecord) -> None:
        """A meter says something to what was asked last on its line."""
        exchange, _ = self._open.get(self._line_of[answer.address], (None, 0.0))
        if exchange is not None and len(exchange.answers) < ANSWERS_MAX:
            exchange.answers.append(answer)

    def last(
        self, limit: int, *, line: str | None = None, meter: str | None = None, before: int | None = None
    ) -> list[CallView]:
        """The last exchanges, newest first.

        Args:
            limit: at most so many.
            line: only of this line.
            meter: only those in which this meter said something.
            before: only those of a lower number.

        """
        found = (
            one
            for one in reversed(self._kept)
            if (line is None or one.line == line)
            and (meter is None or any(answer.address == meter for answer in one.answers))
            and (before is None or one.number < before)
        )
        return [self._shown(one) for one, _ in zip(found, range(limit), strict=False)]

    def _shown(self, one: Exchange) -> CallView:
        protocols: Iterable[str] = self._protocols[one.line]
        return CallView(
            number=one.number,
            line=one.line,
            at=one.at,
            request=masked(bytes(one.request), protocols),
            answer=masked(bytes(one.answer), protocols),
            answers=[AnswerView.of(answer) for answer in one.answers],
        )
