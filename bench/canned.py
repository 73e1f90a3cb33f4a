"""A line of meters that cost nothing: each question has its one answer, after the time that the wire takes.

Beside it a daemon's own work can be measured, for almost none of the time is the meters'. Answers come as a
serial server brings them, a frame at once, when the last octet has left the wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from meterlink.errors import LineClosed, LineLost
from meterlink.transports.stream import ByteStream
from meterwire.dlt645 import Frame, decode, encode

TD_S = 0.02
"""From the end of a question to the begin of its answer, in seconds; the shortest that DL/T 645 allows."""
OCTET_BITS = 11
_ADDRESS_END, _DATA_START, _CHECKED_END = 8, 10, 2
_TIME, _ENERGIES = 0x05060001, 0x05060101


def exchange_s(octets: int, baud: int) -> float:
    """What an exchange of so many octets takes at the least: the formula of the wire, without a pause."""
    return octets * OCTET_BITS / baud + TD_S


def frozen(at: datetime) -> dict[bytes, bytes]:
    """Answers of a meter that froze total and four tariffs, by the masked identifier.

    Args:
        at: when, by the clock of the meter.

    """
    time = bytes.fromhex(f"{at:%y%m%d%H%M}")[::-1]
    energies = bytes.fromhex("00345612 00100000 00200000 00300000 00004000")
    return dict(_answer(di, data) for di, data in ((_TIME, time), (_ENERGIES, energies)))


def _answer(di: int, data: bytes) -> tuple[bytes, bytes]:
    whole = encode(
        Frame(address="000000000000", function=0x11, data=di.to_bytes(4, "little") + data, from_meter=True)
    )
    assert decode(whole).data[4:] == data
    return whole[_DATA_START : _DATA_START + 4], whole[_ADDRESS_END:-_CHECKED_END]


class CannedLine:
    """Answers for whichever meter is asked.

    Args:
        answers: what stands between the address and the checksum, by the masked identifier.
        baud: of the line.

    Attributes:
        exchanges: answered.
        busy_s: what they took.

    """

    def __init__(self, answers: Mapping[bytes, bytes], baud: int) -> None:
        self._answers = answers
        self._baud = baud
        self.exchanges = 0
        self.busy_s = 0.0

    async def serve(self, stream: ByteStream) -> None:
        """Answer until the other end is gone."""
        try:
            while True:
                question = await stream.receive()
                start = question.find(b"\x68")
                asked = question[start + _DATA_START : start + _DATA_START + 4]
                body = question[start : start + _ADDRESS_END] + self._answers[asked]
                answer = body + bytes([sum(body) & 0xFF]) + b"\x16"
                took_s = exchange_s(len(question) + len(answer), self._baud)
                self.exchanges += 1
                self.busy_s += took_s
                await asyncio.sleep(took_s)
                await stream.send(answer)
        except (LineLost, LineClosed):
            return
