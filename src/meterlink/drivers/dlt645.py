"""Reading DL/T 645 meters: one session an item, values out of the dictionary."""

from __future__ import annotations

import difflib

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Measured, MeterAnswer
from meterlink.errors import BadAnswer, Refused, UnknownItem
from meterlink.model.marks import NO_MARKS, Marks
from meterwire.dlt645 import AbnormalReply, Entry, ItemValue, ReadReply, ReadRequest, ReadSession, dictionary
from meterwire.errors import RemoteProtocolError

_MARK_OF_PROBLEM = {None: NO_MARKS, "absent": Marks.ABSENT, "invalid-bcd": Marks.INVALID_DIGITS}


class Dlt645Driver:
    """Driver of DL/T 645-2007.

    Args:
        clock: says when an answer was taken.
        preamble: FEH octets before each request, 0 to 4.

    """

    def __init__(self, clock: Clock, *, preamble: int = 4) -> None:
        self._clock = clock
        self._preamble = preamble
        self._dictionary = dictionary("dlt645-2007")

    def check_item(self, item: str) -> None:
        """See ``Driver.check_item``."""
        self._entry(item)

    async def read(self, line: Line, address: str, item: str, *, priority: Priority) -> MeterAnswer:
        """See ``Driver.read``."""
        entry = self._entry(item)
        session = ReadSession(ReadRequest(address=address, di=entry.di), preamble=self._preamble)
        await line.exchange(session, priority=priority)
        taken_at = self._clock.utc_now()
        reply = session.reply
        if isinstance(reply, AbnormalReply):
            raise Refused(
                f"meter {address} refused {item}: {reply.sentence('en')}", error_word=reply.error_word
            )
        assert isinstance(reply, ReadReply), "a finished session that did not expire has a reply"
        try:
            values = entry.decode(reply.data)
        except RemoteProtocolError as error:
            raise BadAnswer(f"meter {address} answered {item} with data that does not fit: {error}") from None
        return MeterAnswer(values=tuple(map(_measured, values)), taken_at=taken_at)

    def _entry(self, item: str) -> Entry:
        entry = self._dictionary.by_name(item)
        if entry is None:
            names = [known.item for known in self._dictionary.entries()]
            near = difflib.get_close_matches(item, names, n=3)
            hint = f"; near it: {', '.join(near)}" if near else ""
            raise UnknownItem(f"no item {item!r} in dlt645-2007{hint} (`meterlink items` lists all)")
        return entry


def _measured(value: ItemValue) -> Measured:
    return Measured(
        item=value.item, value=value.value, unit=value.unit, marks=_MARK_OF_PROBLEM[value.problem]
    )
