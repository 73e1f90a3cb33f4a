"""What came back after requests in, the answer of each out.

One request gets everything that came back. Several that went out in one piece are answered one after another
on the same wires, often in one piece too: there each frame goes to the request whose meter and question it
names, or else to the next one that has no answer yet; what stands before a frame goes with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from metersim.line.language import Ear, Language


class Said(NamedTuple):
    """A piece of an answer.

    Args:
        delay_s: behind what passed before it.
        octets: of it.

    """

    delay_s: float
    octets: bytes


class Asked(NamedTuple):
    """A request that waits for its answer.

    Args:
        language: whose frame it is.
        request: the frame.
        answer: is filled with what came back.

    """

    language: Language
    request: Any
    answer: list[Said]


class Shared:
    """Shares out what comes back after requests that went out at once.

    Args:
        asked: the requests, in their order; none: nobody gets anything.

    """

    def __init__(self, asked: Sequence[Asked] = ()) -> None:
        self._asked = asked
        self._ears: list[tuple[Language, Ear]] = [
            (language, language.ear()) for language in dict.fromkeys(one.language for one in asked)
        ]
        self._questions = [
            ((one.language, one.language.asked(one.request)), one.language.names(one.request))
            for one in asked
        ]
        self._held: list[Said] = []  # of no whole frame yet
        self._last = 0

    def hear(self, said: Said) -> None:
        """Take the next piece that came back."""
        if len(self._asked) < 2:
            for one in self._asked:
                one.answer.append(said)
            return
        begin, delay_s = 0, said.delay_s
        for end in range(1, len(said.octets) + 1):
            octet = said.octets[end - 1 : end]
            for language, ear in self._ears:
                for frame in ear.feed(octet):
                    self._held.append(Said(delay_s, said.octets[begin:end]))
                    self._give(self._whose(language, frame))
                    begin, delay_s = end, 0.0
        if begin < len(said.octets):
            self._held.append(Said(delay_s, said.octets[begin:]))

    def finish(self) -> None:
        """Nothing more comes back: what is no whole frame goes to the next request that has no answer."""
        if self._held:
            self._give(next(iter(self._open()), self._last))

    def _give(self, number: int) -> None:
        self._asked[number].answer.extend(self._held)
        self._held, self._last = [], number

    def _open(self) -> list[int]:
        return [number for number, one in enumerate(self._asked) if not one.answer]

    def _whose(self, language: Language, frame: Any) -> int:
        """Number of the request that a frame answers."""
        address, names = language.asked(frame), language.names(frame)
        if address is None:
            of_meter, same = [], []
        else:
            who = (language, address)
            of_meter = [number for number, (each, _) in enumerate(self._questions) if each == who]
            same = [number for number in of_meter if names and self._questions[number][1] == names]
        still = dict.fromkeys(self._open())  # in their order
        likely = [
            *(number for number in same if number in still),
            *same,
            *(number for number in of_meter if number in still),
            *of_meter[-1:],
            *still,
        ]
        return likely[0] if likely else self._last
