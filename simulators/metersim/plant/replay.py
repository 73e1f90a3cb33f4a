"""A line that answers as recorded meters did: requests are looked up, and what came back then comes again.

A request is a frame of DL/T 645 or DL/T 698.45, whatever stands around it. What came back after it, until
the next one, is its answer: in the same pieces, after the same delays; requests that went out in one piece
share what came back (`metersim.plant.sharing`). The same request again gets the next
answer that it had, and the last one from then on. A request that was never recorded gets the answer to the
same question to the same meter, where there is one (of another client, or with another number of the
request); a strict replay is silent to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from metersim.dlt645.language import DLT645
from metersim.dlt698.wording import DLT698
from metersim.line.language import Language
from metersim.line.wires import Duplex
from metersim.plant.capture import CaptureError, Piece
from metersim.plant.sharing import Asked, Said, Shared

LANGUAGES: Final[tuple[Language, ...]] = (DLT645, DLT698)
UNKNOWN_KEPT_MAX: Final = 1_000
"""Different requests that were asked and never recorded, of those that are remembered."""
DELAY_S_MAX: Final = 60.0
"""Longest delay that is repeated; a capture that was paused is not waited for."""


@dataclass(slots=True)
class Recorded:
    """A request, and everything that was ever said to it.

    Args:
        request: octets of the frame.
        answers: in their order; one without pieces is silence.
        asked: how often it was asked in the replay.

    """

    request: bytes
    answers: list[list[Said]] = field(default_factory=list)
    asked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How a replay has gone.

    Args:
        requests: different ones that were recorded.
        asked: requests that were answered, or met their recorded silence.
        unknown: requests that were never recorded.
        unknown_requests: the first different ones of them.
        never_asked: recorded ones that nobody asked.

    """

    requests: int
    asked: int
    unknown: int
    unknown_requests: tuple[bytes, ...]
    never_asked: tuple[bytes, ...]


class Replay:
    """A line of recorded meters.

    Args:
        pieces: of a capture.
        strict: silent to requests that were not recorded octet by octet.

    Raises:
        CaptureError: there is no request in it.

    """

    def __init__(self, pieces: Sequence[Piece], *, strict: bool = False) -> None:
        self._strict = strict
        self._recorded: dict[bytes, Recorded] = {}
        self._alike: dict[Any, Recorded] = {}
        self._asked = 0
        self._unknown = 0
        self._unknown_requests: dict[bytes, None] = {}
        self._wire = asyncio.Lock()
        for line in dict.fromkeys(piece.line for piece in pieces):
            self._learn([piece for piece in pieces if piece.line == line])
        if not self._recorded:
            raise CaptureError(f"{pieces[0].where}: no request in it; its direction is out")

    @property
    def summary(self) -> Summary:
        """How it has gone so far."""
        return Summary(
            requests=len(self._recorded),
            asked=self._asked,
            unknown=self._unknown,
            unknown_requests=tuple(self._unknown_requests),
            never_asked=tuple(one.request for one in self._recorded.values() if not one.asked),
        )

    async def serve(self, duplex: Duplex) -> None:
        """Answer what comes over ``duplex`` until the other side ends it.

        Args:
            duplex: the connection; several take turns.

        """
        ears = [(language, language.ear()) for language in LANGUAGES]
        with suppress(ConnectionError):  # nobody is left to answer
            while octets := await duplex.receive():
                for language, ear in ears:
                    for request in ear.feed(octets):
                        async with self._wire:
                            await self._answer(language, request, duplex)

    async def _answer(self, language: Language, request: Any, duplex: Duplex) -> None:
        octets = language.echo(request)
        found = self._recorded.get(octets)
        if found is None and not self._strict:
            found = self._alike.get(_question(language, request))
        if found is None:
            self._unknown += 1
            if len(self._unknown_requests) < UNKNOWN_KEPT_MAX:
                self._unknown_requests[octets] = None
            return
        answer = found.answers[min(found.asked, len(found.answers) - 1)]
        found.asked += 1
        self._asked += 1
        for said in answer:
            await asyncio.sleep(said.delay_s)
            await duplex.send(said.octets)

    def _learn(self, pieces: list[Piece]) -> None:
        """Requests of one line, with what came back after each."""
        ears = [(language, language.ear()) for language in LANGUAGES]
        shared = Shared()
        last_at = pieces[0].at
        for piece in pieces:
            if piece.at < last_at:
                raise CaptureError(
                    f"{piece.where}: is older than what stands before it; sort the lines by at"
                )
            if piece.direction == "in":
                delay_s = (piece.at - last_at).total_seconds()  # negative where a clock was set
                shared.hear(Said(max(0.0, min(delay_s, DELAY_S_MAX)), piece.octets))
            elif asked := [
                Asked(language, request, self._keep(language, request))
                for language, ear in ears
                for request in ear.feed(piece.octets)
            ]:
                shared.finish()
                shared = Shared(asked)  # from here on
            last_at = piece.at
        shared.finish()

    def _keep(self, language: Language, request: Any) -> list[Said]:
        """The answer of a request that was asked once more, still empty."""
        octets = language.echo(request)
        found = self._recorded.setdefault(octets, Recorded(octets))
        question = _question(language, request)
        if question is not None:
            self._alike.setdefault(question, found)
        found.answers.append([])
        return found.answers[-1]


def _question(language: Language, request: Any) -> tuple[Language, str, tuple[str, ...]] | None:
    """Who is asked what; ``None`` when that is nobody in particular, or nothing that has a name."""
    address, names = language.asked(request), language.names(request)
    return (language, address, names) if address is not None and names else None
