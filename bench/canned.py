"""A line of meters that cost nothing: each question has its one answer, after the time that the wire takes.

Beside it a daemon's own work can be measured, for almost none of the time is the meters'. Answers come as a
serial server brings them, a frame at once, when the last octet has left the wire. A question that they have
no answer to is refused as a meter does, and noted: who measures beside them says so instead of a figure.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo

from meterlink.clock import Clock
from meterlink.errors import LineClosed, LineLost
from meterlink.transports.stream import ByteStream
from meterwire.dlt645 import Frame, decode, encode

TD_S = 0.02
"""From the end of a question to the begin of its answer, in seconds; the shortest that DL/T 645 allows."""
OCTET_BITS = 11
_ADDRESS_START, _ADDRESS_END, _DATA_START, _CHECKED_END = 1, 8, 10, 2
_FROZEN_AT, _FROZEN_ENERGIES = 0x05060001, 0x05060101
_DATE, _TIME, _NUMBER, _STATUS_WORD_1 = 0x04000101, 0x04000102, 0x04000402, 0x04000501
_SETTLES_ON = 0x04000B01
_ENERGIES = bytes.fromhex("00345612 00100000 00200000 00300000 00004000")
_REFUSED = 0xC0
"""Of the control octet: a meter says it, and says no."""
_NO_SUCH_DATA = bytes((1, 0x02 + 0x33))
"""Length and masked error word."""

Answer = Callable[[bytes], bytes]
"""Control octet, length and masked data, for the address that was asked, its lowest octet first."""


class AskedInVain(Exception):
    """Canned meters were asked for what they have no answer to."""


def exchange_s(octets: int, baud: int) -> float:
    """What an exchange of so many octets takes at the least: the formula of the wire, without a pause."""
    return octets * OCTET_BITS / baud + TD_S


def meters(frozen_at: datetime, *, clock: Clock, zone: tzinfo) -> dict[bytes, Answer]:
    """Answers by the masked identifier, of meters that keep time and are well.

    Each has its address as number, and settles on the first of a month.

    Args:
        frozen_at: when they froze total and four tariffs, by their clock.
        clock: they show what it says.
        zone: in which they show it.

    """

    def fixed(di: int, octets: bytes) -> Answer:
        answer = _answer(di, octets)
        return lambda _: answer

    def shown(di: int, digits: str) -> Answer:
        return lambda _: _answer(di, _lowest_first(f"{clock.utc_now().astimezone(zone):{digits}}"))

    answers = {
        _FROZEN_AT: fixed(_FROZEN_AT, _lowest_first(f"{frozen_at:%y%m%d%H%M}")),
        _FROZEN_ENERGIES: fixed(_FROZEN_ENERGIES, _ENERGIES),
        _DATE: shown(_DATE, "%y%m%d0%w"),
        _TIME: shown(_TIME, "%H%M%S"),
        _STATUS_WORD_1: fixed(_STATUS_WORD_1, bytes(2)),
        _NUMBER: lambda address: _answer(_NUMBER, address),
        _SETTLES_ON: fixed(_SETTLES_ON, _lowest_first("0100")),
    }
    return {_masked(di): answer for di, answer in answers.items()}


def _lowest_first(digits: str) -> bytes:
    return bytes.fromhex(digits)[::-1]


def _framed(di: int, octets: bytes) -> bytes:
    data = di.to_bytes(4, "little") + octets
    return encode(Frame(address="000000000000", function=0x11, data=data, from_meter=True))


def _masked(di: int) -> bytes:
    return _framed(di, b"")[_DATA_START:-_CHECKED_END]


def _answer(di: int, octets: bytes) -> bytes:
    return _framed(di, octets)[_ADDRESS_END:-_CHECKED_END]


class CannedLine:
    """Answers for whichever meter is asked.

    Args:
        answers: what stands between the address and the checksum, by the masked identifier.
        baud: of the line.

    Attributes:
        in_vain: how often was asked for what has no answer, by what was asked, for people.

    """

    def __init__(self, answers: Mapping[bytes, Answer], baud: int) -> None:
        self._answers = answers
        self._baud = baud
        self.in_vain: Counter[str] = Counter()

    async def serve(self, stream: ByteStream) -> None:
        """Answer until the other end is gone."""
        try:
            while True:
                question = await stream.receive()
                body = self._answered(question[question.find(b"\x68") :])
                answer = body + bytes([sum(body) & 0xFF]) + b"\x16"
                await asyncio.sleep(exchange_s(len(question) + len(answer), self._baud))
                await stream.send(answer)
        except (LineLost, LineClosed):
            return

    def check(self) -> None:
        """Say so if something was asked in vain.

        Raises:
            AskedInVain: canned meters need an answer more.

        """
        if self.in_vain:
            listed = ", ".join(f"{asked} ({count} times)" for asked, count in self.in_vain.items())
            raise AskedInVain(
                f"canned meters know no answer to {listed}: add it to `meters` in bench/canned.py"
            )

    def _answered(self, question: bytes) -> bytes:
        """An answer without its checksum, to a frame without its preamble."""
        head, address = question[:_ADDRESS_END], question[_ADDRESS_START : _ADDRESS_END - 1]
        answer = self._answers.get(question[_DATA_START : _DATA_START + 4])
        if answer is not None:
            return head + answer(address)
        asked = decode(question)
        self.in_vain[f"{asked.function:02X}H of {asked.data[:4][::-1].hex().upper()}"] += 1
        return head + bytes([question[_ADDRESS_END] | _REFUSED]) + _NO_SUCH_DATA
