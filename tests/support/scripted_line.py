"""A line whose meters say what a test wants: for answers that no simulated meter gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from meterlink.bus.exchange import Session
from meterlink.bus.queue import Priority
from meterlink.errors import ReplyTimeout
from meterwire.dlt645 import Frame, decode, encode

Answers = Callable[[Frame], Frame | bytes | None]
"""The frame, or any octets, that answer a request; ``None``: silence."""


class ScriptedLine:
    """Carries out exchanges without time.

    Args:
        answers: to each request.

    Attributes:
        sent: every request, as it would be on the wire.

    """

    name = "scripted"

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.sent: list[bytes] = []

    async def exchange(self, session: Session, *, priority: Priority) -> None:
        """See ``Line.exchange``."""
        del priority
        while not session.finished:
            if octets := session.octets_to_send():
                self.sent.append(octets)
                answer = self._answers(decode(octets))
                session.feed(encode(answer) if isinstance(answer, Frame) else answer or b"")
                continue
            session.expire()
            raise ReplyTimeout("no answer in time")


def telling(data: Mapping[int, str], address: str) -> Answers:
    """A meter that tells what stands under some identifiers, and refuses all others.

    Args:
        data: hexadecimal octets in wire order, by identifier.
        address: of the meter.

    """

    def answer(request: Frame) -> Frame:
        di = int.from_bytes(request.data[:4], "little")
        if di not in data:
            return Frame(
                address=address, function=request.function, data=b"\x02", from_meter=True, abnormal=True
            )
        told = request.data[:4] + bytes.fromhex(data[di])
        return Frame(address=address, function=request.function, data=told, from_meter=True)

    return answer
