"""What a meter's memory brought, or did not: readings into the log, and each slot asked for into the ledger.

A record is kept under the time that the meter says of it. It settles the slot of that time, or the freeze
asked for that lies so near that it is the same night (a meter may freeze some minutes past midnight). What is
in the log already (a terminal may have reported it) is not kept again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final, Protocol, TypeVar

from meterlink.acquisition.keeping import Patience, readings_of
from meterlink.acquisition.streams import Stream
from meterlink.drivers.base import StoredAnswer, StoredRecord
from meterlink.errors import (
    BusFull,
    ClockFarAhead,
    DiskFull,
    FreezeRefused,
    LineError,
    MeterlinkError,
    NoFreeze,
    ReplyTimeout,
)
from meterlink.model.data_classes import CURVE, FREEZES
from meterlink.model.marks import OF_LOOKS, Marks
from meterlink.model.reading import Record
from meterlink.model.slot import Reason, SlotKey

NEAR: Final = timedelta(hours=1)
"""A freeze whose time lies this near to a night's slot is of that night. Source: business rules, FRZ-04."""


_T = TypeVar("_T")


class SlotLedger(Protocol):
    """What is written of slots; each raises ``JournalError``."""

    async def tried(self, keys: Sequence[SlotKey], reason: Reason, *, note: str = "", tries: int = 1) -> None:
        """See ``Ledger.tried``."""

    async def kept(self, keys: Sequence[SlotKey], *, unlooked: Sequence[SlotKey] = ()) -> None:
        """See ``Ledger.kept``."""

    async def refused(self, keys: Sequence[SlotKey], *, note: str) -> None:
        """See ``Ledger.refused``."""

    async def expired(
        self, keys: Sequence[SlotKey], reason: Reason, *, note: str = "", tries: int = 1
    ) -> None:
        """See ``Ledger.expired``."""


class RecordKeeper(Protocol):
    """What is needed of the log; each raises ``JournalError``."""

    async def keep_all(
        self, records: Sequence[tuple[Record, SlotKey | None]], *, unlooked: Sequence[SlotKey] = ()
    ) -> None:
        """See ``Journal.keep_all``."""

    async def kept_of_slots(
        self, data_class: str, meter: str, wanted: Mapping[datetime, Sequence[str]]
    ) -> dict[datetime, set[str]]:
        """See ``Journal.kept_of_slots``."""

    async def values_of_freezes(
        self, data_class: str, meter: str, slots: Sequence[datetime]
    ) -> dict[datetime, dict[str, Decimal | None]]:
        """See ``Journal.values_of_freezes``."""

    async def judge_anew(self, meter: str, freezes: Sequence[tuple[str, datetime]], *, marks: Marks) -> None:
        """See ``Journal.judge_anew``."""


class Harvest:
    """Where what one line brings is put.

    Args:
        line: name of the line, the readings' route.
        keeper: the log.
        ledger: the ledger.

    """

    def __init__(self, line: str, keeper: RecordKeeper, ledger: SlotLedger) -> None:
        self._line = line
        self._keeper = keeper
        self._ledger = ledger
        self._patience = Patience(line)

    async def take(
        self,
        stream: Stream,
        asked: Sequence[datetime],
        answer: StoredAnswer,
        *,
        unlooked: Collection[datetime] = (),
    ) -> bool:
        """Put away an answer; ``False``: there is no room for curves now, and the ledger says so.

        Whoever reads freezes waits for a disk that is full; nobody waits for room for a curve, which the
        meter remembers, while there is still room for freezes.

        Args:
            stream: whose.
            asked: slots.
            answer: what came of them.
            unlooked: times of records for which a look at the meter is missing.

        """
        key = stream.series.key
        open_slots = set(asked)
        for record in answer.records:
            open_slots.discard(slot_of(stream, record, asked))
        try:
            await self._keep(stream, asked, answer, unlooked)
        except DiskFull:
            keys = [key(record.slot) for record in answer.records]
            await self._do(partial(self._ledger.tried, keys, Reason.NO_ROOM, tries=0))
            return False
        gone = {slot: why for slot, why in answer.gone.items() if slot in open_slots}
        for why in dict.fromkeys(gone.values()):
            keys = [key(slot) for slot in gone if gone[slot] == why]
            await self._do(partial(self._ledger.expired, keys, Reason.GONE, note=why))
        for told, reason in ((answer.not_yet, Reason.NOT_TAKEN), (answer.unfit_slots, Reason.BAD_DATA)):
            await self._tried(stream, {slot: why for slot, why in told.items() if slot in open_slots}, reason)
        left = open_slots.difference(answer.gone, answer.not_yet, answer.unfit_slots)
        if left and answer.cut_short is not None:
            await self.failed(stream, sorted(left), answer.cut_short)
        elif left and answer.refused:
            await self.refused(stream, sorted(left), next(iter(answer.refused.values())))
        return True

    async def failed(self, stream: Stream, asked: Sequence[datetime], error: MeterlinkError) -> None:
        """Nothing came for these slots."""
        match error:
            case BusFull():
                return
            case ReplyTimeout():
                reason, tries, note = Reason.SILENT, 1, ""
            case LineError():
                reason, tries, note = Reason.LINE_DOWN, 0, str(error)
            case ClockFarAhead():
                reason, tries, note = Reason.CLOCK_WRONG, 1, str(error)
            case FreezeRefused():
                reason, tries, note = Reason.REFUSED, 1, str(error)
            case NoFreeze():
                reason, tries, note = Reason.NOT_TAKEN, 1, str(error)
            case _:
                reason, tries, note = Reason.BAD_DATA, 1, str(error)
        keys = [stream.series.key(slot) for slot in asked]
        await self._do(partial(self._ledger.tried, keys, reason, note=note, tries=tries))

    async def refused(self, stream: Stream, slots: Sequence[datetime], words: str) -> None:
        """The meter has nothing of what the plan asks for."""
        keys = [stream.series.key(slot) for slot in slots]
        await self._do(partial(self._ledger.refused, keys, note=words))

    async def gone(self, stream: Stream, slots: Sequence[datetime], note: str) -> None:
        """The meter has overwritten these slots; nobody asked for each of them."""
        keys = [stream.series.key(slot) for slot in slots]
        await self._do(partial(self._ledger.expired, keys, Reason.GONE, note=note, tries=0))

    async def _keep(
        self,
        stream: Stream,
        asked: Sequence[datetime],
        answer: StoredAnswer,
        unlooked: Collection[datetime],
    ) -> None:
        meter, data_class = stream.meter.point.meter, stream.plan.data_class
        wanted = {record.slot: [value.item for value in record.values] for record in answer.records}
        look = partial(self._keeper.kept_of_slots, data_class, meter, wanted)
        known = await self._do(look) if wanted else {}
        before = [slot for slot in known if known[slot]] if data_class in FREEZES else []
        if before:
            await self._drop_conflicts(stream, answer, before, known)
        new: list[tuple[Record, SlotKey | None]] = []
        settled: list[SlotKey] = []
        lacking_looks: list[SlotKey] = []
        for record in answer.records:
            slot = slot_of(stream, record, asked)
            fresh = [value for value in record.values if value.item not in known[record.slot]]
            is_whole = bool(record.values) and not record.unfit
            if fresh:
                readings = readings_of(
                    meter, fresh, slot=record.slot, taken_at=answer.taken_at, route=self._line
                )
                kept = Record(meter=meter, data_class=data_class, readings=readings)
                new.append((kept, stream.series.key(slot) if is_whole else None))
            elif is_whole:
                settled.append(stream.series.key(slot))
            if is_whole and record.slot in unlooked:
                lacking_looks.append(stream.series.key(slot))
            if record.unfit:
                await self._tried(stream, {slot: next(iter(record.unfit.values()))}, Reason.BAD_DATA)
            elif not record.values and record.refused:
                await self.refused(stream, [slot], next(iter(record.refused.values())))
        if new and data_class == CURVE:
            await self._keeper_now(partial(self._keeper.keep_all, new))
        elif new:
            await self._do(partial(self._keeper.keep_all, new, unlooked=lacking_looks))
        if settled:
            await self._do(partial(self._ledger.kept, settled, unlooked=lacking_looks))
        if before:
            # What a terminal reported, or another try brought, was kept before the looks that came with this.
            marks = OF_LOOKS | Marks.METER_MIXED  # it has just told the same itself
            freezes = [(data_class, slot) for slot in before]
            await self._do(partial(self._keeper.judge_anew, meter, freezes, marks=marks))

    async def _drop_conflicts(
        self,
        stream: Stream,
        answer: StoredAnswer,
        slots: Sequence[datetime],
        known: Mapping[datetime, set[str]],
    ) -> None:
        """Registers that the meter tells otherwise than they were kept do not count as known.

        What was kept first may be false, as of a terminal that takes a meter for another; both are kept then,
        and the second bears the mark of it.
        """
        look = partial(
            self._keeper.values_of_freezes, stream.plan.data_class, stream.meter.point.meter, slots
        )
        kept = await self._do(look)
        for record in answer.records:
            for value in record.values:
                of_slot = kept.get(record.slot, {})
                if value.item in of_slot and _differ(value.value, of_slot[value.item]):
                    known[record.slot].discard(value.item)

    async def _tried(self, stream: Stream, told: Mapping[datetime, str], reason: Reason) -> None:
        for why in dict.fromkeys(told.values()):
            keys = [stream.series.key(slot) for slot in told if told[slot] == why]
            await self._do(partial(self._ledger.tried, keys, reason, note=why))

    async def _keeper_now(self, work: Callable[[], Awaitable[None]]) -> None:
        """Keep, or find that there is no room.

        Raises:
            DiskFull: there is none for what is read often.

        """
        full: list[DiskFull] = []

        async def once() -> None:
            try:
                await work()
            except DiskFull as error:
                full.append(error)

        await self._do(once)
        if full:
            raise full[0]

    async def _do(self, work: Callable[[], Awaitable[_T]]) -> _T:
        return await self._patience.until_done(work)


def slot_of(stream: Stream, record: StoredRecord, asked: Sequence[datetime]) -> datetime:
    """The slot that a record settles: its own, or the one asked for that is the same night's.

    Args:
        stream: whose.
        record: that came.
        asked: slots that were asked for; may be none.

    """
    if record.slot in asked or stream.plan.data_class == CURVE:
        return record.slot
    near = [slot for slot in asked if abs(slot - record.slot) <= NEAR]
    return min(near, key=lambda slot: abs(slot - record.slot), default=record.slot)


def _differ(told: Decimal | None, kept: Decimal | None) -> bool:
    """Whether a register is told otherwise than it was kept, as far as both have places.

    A terminal may keep fewer places than its meter, or more.
    """
    if told is None or kept is None:
        return told is not None
    return abs(told - kept) >= max(_unit(told), _unit(kept))


def _unit(number: Decimal) -> Decimal:
    """One of the last place of a number."""
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), "a register is a number"
    return Decimal(1).scaleb(exponent)
