"""Reading DL/T 645 meters: one session an item, values out of the dictionary."""

from __future__ import annotations

import difflib

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Measured, MeterAnswer
from meterlink.errors import BadAnswer, Refused, UnknownItem
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.protocols import DEFAULT_PROTOCOL, MeterProtocol
from meterwire.dlt645 import AbnormalReply, Entry, ItemValue, ReadReply, ReadRequest, ReadSession, dictionary
from meterwire.errors import RemoteProtocolError

_MARK_OF_PROBLEM = {None: NO_MARKS, "absent": Marks.ABSENT, "invalid-bcd": Marks.INVALID_DIGITS}


class Dlt645Driver:
    """Driver of one edition of DL/T 645.

    Args:
        clock: says when an answer was taken.
        protocol: the edition that the meters speak.
        preamble: FEH octets before each request, 0 to 16.

    """

    def __init__(
        self, clock: Clock, *, protocol: MeterProtocol = DEFAULT_PROTOCOL, preamble: int = 4
    ) -> None:
        self._clock = clock
        self._protocol: MeterProtocol = protocol
        self._preamble = preamble
        self._dictionary = dictionary(protocol)

    def check_item(self, item: str) -> None:
        """See ``Driver.check_item``."""
        self._entry(item)

    async def read(self, line: Line, address: str, item: str, *, priority: Priority) -> MeterAnswer:
        """See ``Driver.read``."""
        entry = self._entry(item)
        request = ReadRequest(address=address, di=entry.di)
        session = ReadSession(request, preamble=self._preamble, edition=self._protocol)
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
            where = f"{self._protocol}{hint} (`meterlink items --protocol {self._protocol}` lists all)"
            raise UnknownItem(f"no item {item!r} in {where}")
        return entry


def _measured(value: ItemValue) -> Measured:
    return Measured(
        item=value.item, value=value.value, unit=value.unit, marks=_MARK_OF_PROBLEM[value.problem]
    )
