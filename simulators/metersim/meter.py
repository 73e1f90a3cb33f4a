"""A DL/T 645-2007 meter: request frame and time in, answer out. No I/O and no clock of its own.

It answers 11H (read data) for what it measures, as single items and as blocks, refuses every other
identifier with D1 ERR 02 ("no such data"), and answers 13H (read address). To anything else it is silent,
as a real meter is: other addresses, other functions, answers of its neighbours, broadcasts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from metersim.readings import GROWTH_KW, Readings
from meterwire.dlt645 import (
    BROADCAST,
    AbnormalReply,
    Entry,
    Frame,
    ReadReply,
    ReadRequest,
    dictionary,
    from_frame,
    to_frame,
)
from meterwire.errors import RemoteProtocolError

READ: Final = 0x11
READ_ADDRESS: Final = 0x13
NO_SUCH_DATA: Final = b"\x02"  # ERR bit 1

_ADDRESS = re.compile("[0-9]{12}").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a meter says to one request.

    Args:
        address: the meter's own address.
        frame: the frame to send.
        di: the identifier that was asked for; ``None`` for its address.
        values: item to value, of what the frame carries; empty for a refusal.

    """

    address: str
    frame: Frame
    di: int | None = None
    values: Mapping[str, Decimal] = field(default_factory=dict)


class Meter:
    """One meter.

    Args:
        address: 12 decimal digits, not all nines (nobody may answer to those).
        seed: seed of the plant.
        growth_kw: mean power that its registers count, 0 to 10,000 kW.

    Raises:
        ValueError: ``address`` or ``growth_kw`` is out of range.

    """

    def __init__(self, address: str, *, seed: int, growth_kw: Decimal = GROWTH_KW) -> None:
        if not _ADDRESS(address) or address == BROADCAST:
            raise ValueError(f"{address!r} is no meter address: 12 digits, not all nines")
        self.address = address
        self._readings = Readings(address, seed=seed, growth_kw=growth_kw)

    def value(self, item: str, at: datetime) -> Decimal | None:
        """What it shows for ``item`` at ``at``, any time; ``None`` when it has no such item.

        Args:
            item: e.g. ``"forward_active_energy.t1"``.
            at: aware.

        """
        return self._readings.value(item, at)

    def hears(self, frame: Frame) -> bool:
        """Whether ``frame`` is a request to this meter.

        Source: DL/T 645-2007, 5.2.2: high octets AAH match anything; 999999999999 is never answered.
        """
        return not frame.from_meter and matches(frame.address, self.address)

    def answer(self, frame: Frame, at: datetime) -> Answer | None:
        """What it says to ``frame`` at ``at``; ``None`` when it is silent."""
        if not self.hears(frame) or frame.abnormal or frame.has_following:
            return None
        if frame.function == READ_ADDRESS and not frame.data:
            data = bytes.fromhex(self.address)[::-1]
            address = Frame(address=self.address, function=READ_ADDRESS, data=data, from_meter=True)
            return Answer(address=self.address, frame=address)
        if frame.function != READ:  # 01H reads, too, but in the edition of 1997, which this meter has not
            return None
        try:
            message = from_frame(frame)
        except RemoteProtocolError:
            return None
        return self._read(message, at) if isinstance(message, ReadRequest) else None

    def _read(self, request: ReadRequest, at: datetime) -> Answer:
        entry = None if request.selector else dictionary().by_di(request.di)
        values = self._values(entry, at) if entry else {}
        if entry is None or not values:
            refusal = AbnormalReply(address=self.address, function=READ, error_word=NO_SUCH_DATA)
            return Answer(address=self.address, frame=to_frame(refusal), di=request.di)
        reply = ReadReply(address=self.address, di=request.di, data=entry.encode(tuple(values.values())))
        return Answer(address=self.address, frame=to_frame(reply), di=request.di, values=values)

    def _values(self, entry: Entry, at: datetime) -> dict[str, Decimal]:
        """The values of the entry, as far as the meter has them; none of another period than now.

        A block begins with what every meter has (the total, phase a), so what is missing is its end.
        """
        if "@" in entry.item:
            return {}
        shown = ((item, self.value(item, at)) for item in entry.items)
        return {item: value for item, value in shown if value is not None}


def matches(wanted: str, address: str) -> bool:
    """Whether a request to ``wanted`` is for the meter ``address``.

    Args:
        wanted: 12 digits as in the request; leading pairs ``AA`` match anything.
        address: 12 decimal digits.

    """
    while wanted.startswith("AA"):
        wanted = wanted[2:]
    return address.endswith(wanted)
