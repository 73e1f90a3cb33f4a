"""Records that a concentrator has collected from its meters (60120300), so that no meter need be asked.

A row is known by the address that stands in it and by the time at which the *meter* froze it, never by its
place or by when it was stored: concentrators store under several stamps (the day, the day before, the task's
start), so a wide span of those is asked for, and what lies outside of what was wanted is passed over. A row
without an address or a time, a value that is NULL or does not fit, and two rows of one instant that do not
say the same are as if they were not there: the meter itself is asked then.

Where a night is wanted of one meter, it will be wanted of its neighbours in a moment: one request asks for
several. What came for a neighbour waits for him a short while and is given once, so that whoever asks again
is not told the same old thing. A concentrator that cannot send so long an answer is asked for less.
Source: spec dlt698, sections 2.2, 2.3, 7 and 8.1 a; field practice, section 4.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

import structlog

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import StoredRecord, Wanted
from meterlink.drivers.behind698.store_rows import RowReader, octets_of_row
from meterlink.drivers.behind698.ways import Behind
from meterlink.drivers.dlt698.memory import may_hold, tables_of
from meterlink.drivers.dlt698.portion import Portion
from meterlink.drivers.dlt698.talk import RequestRefused, Talk, code_words
from meterlink.drivers.joined import is_meant
from meterlink.drivers.seldom import Seldom
from meterlink.errors import BadAnswer, Refused
from meterlink.model.data_classes import CURVE
from meterwire.dlt698.apdus.get import GetRequestRecord, GetResponseRecord
from meterwire.dlt698.apdus.parts import RecordRequest
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.objects.concentrator import EVERY_RECORD, OWN_ADDRESS, ReadCollected
from meterwire.dlt698.objects.records import METER_ADDRESS, Record, Records, records
from meterwire.errors import LocalProtocolError, RemoteProtocolError

METERS_TOGETHER: Final = 32
"""Most meters of one request."""
ANSWER_OCTETS: Final = 1_600
"""So long an answer may become by our guess: what fits an APDU of 2,000 octets needs no blocks, and a
concentrator that restarts amid blocks has to begin again."""
BATCHES_MAX: Final = 32
"""Requests of which something waits for a neighbour; the oldest goes first."""
FRESH_S: Final = 120.0
"""So long it waits."""

_DAY: Final = timedelta(days=1)
_TOGETHER: Final = frozenset({Priority.BILLING, Priority.CURVE})
"""What is due of all meters at once; what is fetched later is another night of each."""
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Batch:
    """What one kind of request has brought, by address.

    Args:
        until_s: monotonic time until which it is fresh.
        fetching: one asks at a time.
        rows: of those who have not asked for theirs yet.
        given: who has had theirs.

    """

    until_s: float = 0.0
    fetching: asyncio.Lock = field(default_factory=asyncio.Lock)
    rows: dict[str, list[Record]] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)


class TerminalStore:
    """The store of one concentrator.

    Args:
        talk: with the concentrator.
        behind: which one.
        neighbours: addresses of all meters behind it.
        clock: ours.
        zone: what its clock and those of its meters show.

    Attributes:
        zone: what clocks show there.
        answers: the last answer was none that says no.

    """

    def __init__(
        self, talk: Talk, behind: Behind, neighbours: Sequence[str], *, clock: Clock, zone: tzinfo
    ) -> None:
        self._talk = talk
        self._behind = behind
        self._neighbours = tuple(neighbours)
        self._reader = RowReader(behind, clock=clock, zone=zone)
        self._clock = clock
        self.zone = zone
        self._address_column = METER_ADDRESS
        self.answers = True
        self._names_meters = False  # in the column that is asked for; once it has, no other is tried
        self._portion = Portion(clock.monotonic_s)
        self._batches: OrderedDict[tuple[str, Wanted], _Batch] = OrderedDict()
        self._trouble = ""
        self._vain = Seldom(clock.monotonic_s)

    async def read(
        self, line: Exchanging, address: str, wanted: Wanted, *, priority: Priority
    ) -> tuple[StoredRecord, ...]:
        """What the store holds of what is wanted of a meter; what it lacks is simply not there.

        Args:
            line: of the concentrator, running.
            address: of the meter.
            wanted: of it.
            priority: who goes first.

        Raises:
            ReplyTimeout, LineLost, LineBusy, LineClosed, BusFull: from the line.

        """
        found: dict[datetime, StoredRecord] = {}
        for table in tables_of(wanted.data_class, wanted.every_s):
            left = [
                slot
                for slot in may_hold(table, wanted.slots, self.zone)
                if not self._is_in(found, slot, wanted)
            ]
            if not left:
                continue
            rows = await self._rows(line, address, table, replace(wanted, slots=left), priority)
            for record in self._reader.records(address, table, rows, wanted):
                found.setdefault(record.slot, record)
        return tuple(found[slot] for slot in sorted(found, reverse=True))

    # --- several meters at once --------------------------------------------------------------

    def _is_in(self, found: Iterable[datetime], slot: datetime, wanted: Wanted) -> bool:
        return any(is_meant(one, slot, wanted) for one in found)

    async def _rows(
        self, line: Exchanging, address: str, table: str, wanted: Wanted, priority: Priority
    ) -> list[Record]:
        """Rows of a meter: those that came with a neighbour's, or new ones."""
        batch = self._batches.setdefault((table, wanted), _Batch())
        self._batches.move_to_end((table, wanted))
        if len(self._batches) > BATCHES_MAX:
            self._batches.popitem(last=False)
        async with batch.fetching:
            now_s = self._clock.monotonic_s()
            if now_s > batch.until_s:
                batch.rows.clear()
                batch.given.clear()
            if address not in batch.rows:
                together, brought = await self._brought(line, address, table, wanted, priority, batch)
                batch.until_s = self._clock.monotonic_s() + FRESH_S
                for one in together:
                    batch.rows[one] = [row for row in brought if row.address == one]
            batch.given.add(address)
            return batch.rows.pop(address)

    async def _brought(
        self,
        line: Exchanging,
        address: str,
        table: str,
        wanted: Wanted,
        priority: Priority,
        batch: _Batch,
    ) -> tuple[tuple[str, ...], list[Record]]:
        """Rows, and of which meters: of fewer, and fewer at once, where the answer may have been too long."""
        row_octets, slots = octets_of_row(wanted), len(wanted.slots)
        while True:
            octets = self._portion.of(max(ANSWER_OCTETS, slots * row_octets))
            rows_max = max(1, octets // row_octets)
            count = min(octets, ANSWER_OCTETS) // row_octets // slots if priority in _TOGETHER else 1
            together = self._together(address, count, batch)
            brought: list[Record] = []
            try:
                for first in range(0, slots, rows_max):
                    part = replace(wanted, slots=wanted.slots[first : first + rows_max])
                    brought += await self._fetch(line, together, table, part, priority)
                    if not self.answers:
                        break
            except RequestRefused as error:
                rows = min(slots, rows_max) * len(together)
                if self._portion.halved(rows * row_octets, least=row_octets):
                    continue
                self._note(str(error))
            return together, brought

    def _together(self, address: str, count: int, batch: _Batch) -> tuple[str, ...]:
        """The meter, and so many in all of those who will ask the same in a moment."""
        others = (
            one
            for one in self._neighbours
            if one != address and one not in batch.given and one not in batch.rows
        )
        return (
            address,
            *(one for one, _ in zip(others, range(min(count, METERS_TOGETHER) - 1), strict=False)),
        )

    # --- one request -------------------------------------------------------------------------

    async def _fetch(
        self, line: Exchanging, addresses: tuple[str, ...], table: str, wanted: Wanted, priority: Priority
    ) -> tuple[Record, ...]:
        """Rows of meters; none where the store has nothing of the kind, or answers with what fits nothing.

        Raises:
            RequestRefused: the answer may have been too long.
            ReplyTimeout, LineLost, LineBusy, LineClosed, BusFull: from the line.

        """
        try:
            request = self._request(addresses, table, wanted, self._address_column)
            told = await self._ask(line, request, priority)
            if not self._names_meters and lacks_addresses(told):
                request = self._request(addresses, table, wanted, OWN_ADDRESS)
                told = await self._ask(line, request, priority)
                self._address_column = METER_ADDRESS if lacks_addresses(told) else OWN_ADDRESS
        except (Refused, BadAnswer, LocalProtocolError) as error:
            if isinstance(error, RequestRefused) and error.may_be_too_long:
                raise
            self._note(str(error))
            return ()
        if told.dar is not None:
            self._note(code_words("dar", told.dar))
            return ()
        self._trouble, self.answers = "", True
        self._portion.answered()
        self._names_meters |= any(row.address for row in told.rows)
        return told.rows

    async def _ask(self, line: Exchanging, request: RecordRequest, priority: Priority) -> Records:
        """One exchange.

        Raises:
            Refused, BadAnswer: it says no, or something that does not fit.
            ReplyTimeout, LineLost, LineBusy, LineClosed, BusFull: from the line.

        """
        terminal = self._behind.terminal
        reply = await self._talk.ask(
            line, terminal, lambda piid: GetRequestRecord(piid=piid, record=request), priority=priority
        )
        if not isinstance(reply, GetResponseRecord):
            raise BadAnswer(f"terminal {terminal} answered records with {type(reply).__name__}")
        try:
            return records(reply.record)
        except RemoteProtocolError as error:
            raise BadAnswer(f"terminal {terminal} answered records that do not fit: {error}") from None

    def _request(
        self, addresses: tuple[str, ...], table: str, wanted: Wanted, address_column: Oad
    ) -> RecordRequest:
        first, after = self._span(wanted)
        read = ReadCollected(
            items=tuple(wanted.items),
            freeze=table,
            stored_from=first,
            stored_to=after,
            meters=addresses,
            interval=EVERY_RECORD,
            address_column=address_column,
        )
        return read.records()[0]

    def _span(self, wanted: Wanted) -> tuple[datetime, datetime]:
        """When what is wanted may have been stored, in civil time."""
        oldest, newest = (
            slot.astimezone(self.zone).replace(tzinfo=None) for slot in (wanted.slots[-1], wanted.slots[0])
        )
        if wanted.data_class == CURVE:
            return oldest, newest + timedelta(seconds=wanted.every_s)
        return oldest - _DAY, newest + _DAY

    def _note(self, why: str) -> None:
        self.answers = False
        if why != self._trouble:
            self._trouble = why
            if times := self._vain.times():
                _log.info("store_says_no", terminal=self._behind.terminal, reason=why, times=times)


def lacks_addresses(told: Records) -> bool:
    """Whether an answer names no meter: this concentrator knows the column of addresses by another name.

    Args:
        told: the answer.

    """
    return told.dar is not None or (bool(told.rows) and all(row.address is None for row in told.rows))
