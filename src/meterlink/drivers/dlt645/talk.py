"""Asking meters of DL/T 645 for one identifier: a read session out, values or a refusal in words back.

An answer names its identifier, a refusal names nothing: one that comes late, or two of them, pass for that of
the question in hand. So "no such data", which closes what was asked for, is believed when it comes again
behind an answer to something that every meter has: answers come in the order of the questions, so what was
owed for older ones is through by then. A way that changes their order could still deceive us; a meter that
refuses even that is believed by two refusals in a row, as nothing better can be had of it.
Source: spec dlt645, sections 2.2 and 2.5.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.errors import BadAnswer, Refused, ReplyTimeout
from meterprofiles import Profile
from meterwire.dlt645 import AbnormalReply, Entry, ItemValue, ReadReply, ReadRequest, ReadSession
from meterwire.errors import RemoteProtocolError

REFUSALS_BELIEVED: Final = 2
"""A meter that refuses so often in a row has no such data, or does not give it."""
EVERY_METER_HAS: Final = ("forward_active_energy", "meter_time")
"""What is asked for between two refusals: the first of these that the meter can have and did not refuse."""
NO_SUCH_DATA: Final = 0x02
"""Bit of an error word: no such data (of 1997: no such identifier). Source: spec sections 2.5 and 9.1."""


def _says_no_such(error_word: bytes) -> bool:
    """Whether an error word says that there is no such data; any other refusal may end."""
    return bool(error_word[:1]) and bool(error_word[0] & NO_SUCH_DATA)


class Told(NamedTuple):
    """What a meter told under one identifier.

    Args:
        values: in the order of the layout.
        octets: of the data, as they came.
        taken_at: when the answer was complete; aware, UTC.

    """

    values: tuple[ItemValue, ...]
    octets: bytes
    taken_at: datetime


class Talk645:
    """The way to ask meters of one profile.

    Args:
        clock: says when an answer was taken.
        profile: of the meters.
        preamble: FEH octets before each request, 0 to 16, where it is not the profile's.

    """

    def __init__(self, clock: Clock, profile: Profile, *, preamble: int | None = None) -> None:
        self.preamble = profile.line.preamble if preamble is None else preamble
        self._clock = clock
        self._edition = profile.edition
        self._repeat_selector = profile.switch("load_follow_up") == "parameters_and_sequence"
        self._dictionary = profile.dictionary

    async def ask(
        self,
        line: Exchanging,
        address: str,
        entry: Entry,
        *,
        priority: Priority,
        selector: bytes = b"",
        refusals: int = REFUSALS_BELIEVED,
    ) -> Told:
        """Ask for one identifier; once more when the meter says no.

        What a meter says that it does not have is not asked for again on that day, or counts as overwritten:
        so that is asked for again behind something that it surely has.

        Args:
            line: running.
            address: of the meter.
            entry: of the profile's dictionary.
            priority: who goes first on the line.
            selector: of load records: which.
            refusals: so many in a row are believed, 1 or more.

        Raises:
            Refused: the meter said no, so often.
            BadAnswer: the answer does not fit the identifier.
            ReplyTimeout, LineError, BusFull: from the line.

        """
        is_parted = refusals <= 1  # whoever believes the first one parts them himself
        while True:
            reply = await self._exchange(line, address, entry, selector, priority)
            taken_at = self._clock.utc_now()
            if isinstance(reply, ReadReply):
                return _told(address, entry, reply, taken_at)
            if reply is None:
                raise BadAnswer(f"meter {address} answered {entry.item} in pieces that make no whole")
            refusals -= 1
            no_such = _says_no_such(reply.error_word)
            if refusals <= 0 and (is_parted or not no_such):
                raise Refused(
                    f"meter {address} refused {entry.item}: {reply.sentence('en')}",
                    error_word=reply.error_word,
                    no_such=no_such,
                )
            if no_such and not is_parted:
                await self._part(line, address, entry, priority)
                is_parted = True

    async def _exchange(
        self, line: Exchanging, address: str, entry: Entry, selector: bytes, priority: Priority
    ) -> ReadReply | AbnormalReply | None:
        """One question and what came of it; ``None``: pieces that make no whole."""
        session = ReadSession(
            ReadRequest(address, entry.di, selector),
            self.preamble,
            self._edition,
            self._dictionary,
            self._repeat_selector,
        )
        try:
            await line.exchange(session, priority=priority)
        except ReplyTimeout:
            if session.reply is None:  # else no piece was owed: D5 called for its report word
                raise
        return session.reply

    async def _part(self, line: Exchanging, address: str, refused: Entry, priority: Priority) -> None:
        """Let what is owed for older questions come: ask for something else, until that is answered."""
        known = (self._dictionary.by_name(item) for item in EVERY_METER_HAS)
        sure = next((entry for entry in known if entry is not None and entry.di != refused.di), None)
        for _ in range(REFUSALS_BELIEVED):
            if sure is None:
                return
            if isinstance(await self._exchange(line, address, sure, b"", priority), ReadReply):
                return


def _told(address: str, entry: Entry, reply: ReadReply, taken_at: datetime) -> Told:
    try:
        return Told(entry.decode(reply.data), reply.data, taken_at)
    except RemoteProtocolError as error:
        raise BadAnswer(
            f"meter {address} answered {entry.item} with data that does not fit: {error}"
        ) from None
