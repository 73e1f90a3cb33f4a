"""What acquisition knows of a protocol: items in, measured values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.drivers.events import Countable, EventReader
from meterlink.errors import BadAnswer, MeterlinkError, Refused
from meterlink.model.data_classes import CURVE, DataClass
from meterlink.model.marks import Marks

SLOTS_MAX: Final = 96
"""Most slots of one `Driver.read_stored`: a day of quarters of an hour."""
DAY_S: Final = 86_400


class Measured(NamedTuple):
    """One value as a meter sent it.

    A ``NamedTuple``, and so is ``MeterAnswer``: each poll makes them, and they cost a third of what a frozen
    dataclass does.

    Args:
        item: name from the catalogue.
        period: for which time it stands (``settlement.1``); empty for "now".
        value: exact; ``None`` for a text or time, and when ``marks`` says why.
        text: the content for people, whatever it is; ``None`` when ``marks`` says why.
        unit: as in ``Reading``.
        marks: what is doubtful about it.
        route: by which way it came, where that is not simply the line.

    """

    item: str
    period: str
    value: Decimal | None
    text: str | None
    unit: str
    marks: Marks
    route: str = ""

    @property
    def name(self) -> str:
        """Item and period as they are asked for: ``forward_active_energy@settlement.1``."""
        return f"{self.item}@{self.period}" if self.period else self.item


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which of the many records of an item are wanted.

    Args:
        count: how many, 1 or more; a protocol has its own limit.
        since: the first one is of this time or later; aware; ``None``: from the end that the item names.

    """

    count: int = 1
    since: datetime | None = None


class MeterAnswer(NamedTuple):
    """What one exchange brought.

    Args:
        values: in the order of the protocol; a block has several.
        taken_at: when the answer was complete; aware, UTC.

    """

    values: tuple[Measured, ...]
    taken_at: datetime


Brought = Mapping[str, MeterAnswer | Refused | BadAnswer]
"""What one request for several items brought, item by item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much of a class a meter holds, as far as its profile knows; what was never taken is not there.

    Args:
        records: how many, 1 or more; the next one takes the place of the oldest.
        every_s: time between them, in seconds; 0: by the calendar of the meter's settlements.
        is_sure: a profile says so of its model; otherwise it is what the standard lets expect.

    """

    records: int
    every_s: int
    is_sure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """One record of a meter's memory. All of it was taken at one instant.

    Args:
        slot: when, as the meter says; aware, UTC.
        values: of the items asked for, as far as they came; their period is the name of the class.
        refused: items that the meter has not kept in it, with its reason.
        unfit: items whose data did not fit, with what was wrong; another try may help.

    """

    slot: datetime
    values: tuple[Measured, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    unfit: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """What a meter's memory held of some slots.

    Each slot that was asked for stands in exactly one of ``records``, ``gone``, ``not_yet`` and
    ``unfit_slots``; where ``cut_short`` is set, some may stand in none: nothing is known of them yet.

    Args:
        records: newest first, one a slot; may hold slots that were not asked for.
        gone: slots asked for that the meter does not hold, and why: no later try will bring them.
        not_yet: slots asked for that are later than the newest record, by the meter's clock.
        unfit_slots: slots asked for whose record cannot be told apart or trusted; another try may help.
        refused: items that the meter does not have in any record of the class that was read.
        unfit: items whose data did not fit in some record; see ``StoredRecord.unfit``.
        taken_at: when the last answer was complete; aware, UTC.
        cut_short: what ended it before all was asked; what came before is here all the same.
        heard: whether the meter itself said any of it; a concentrator may have answered for it.

    """

    records: tuple[StoredRecord, ...]
    gone: Mapping[datetime, str]
    not_yet: Mapping[datetime, str]
    unfit_slots: Mapping[datetime, str]
    refused: Mapping[str, str]
    unfit: Mapping[str, str]
    taken_at: datetime
    cut_short: MeterlinkError | None = None
    heard: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records of a meter's memory are asked for.

    Args:
        data_class: daily, monthly or curve.
        items: as in a plan: ``forward_active_energy``, or ``.*`` for the block; 1 or more.
        slots: 1 to ``SLOTS_MAX`` instants, aware, whole minutes; in any order, newest first afterwards.
        every_s: of a curve, the plan's interval: whole minutes, 60 to 86,400; of other classes unused.

    Raises:
        ValueError: no items, no or too many slots, one without zone or not at a whole minute, an interval
            that no curve has, or slots of a curve that are not so far apart: a fault of the caller.

    """

    data_class: DataClass
    items: Sequence[str]
    slots: Sequence[datetime]
    every_s: int = 0

    def __post_init__(self) -> None:
        """Refuse what no caller may ask, and put it in order."""
        if not self.items or not 1 <= len(self.slots) <= SLOTS_MAX:
            raise ValueError(
                f"{len(self.items)} items of {len(self.slots)} slots: at least one, and {SLOTS_MAX} at most"
            )
        for slot in self.slots:
            if slot.tzinfo is None or slot.second or slot.microsecond:
                raise ValueError(f"slot {slot} has no zone, or is not at a whole minute")
        if self.data_class == CURVE:
            self._check_curve()
        object.__setattr__(self, "items", tuple(self.items))
        object.__setattr__(self, "slots", tuple(sorted(self.slots, reverse=True)))

    def _check_curve(self) -> None:
        if self.every_s % 60 or not 60 <= self.every_s <= DAY_S:
            raise ValueError(f"a curve of each {self.every_s} s: whole minutes, 60 to {DAY_S}")
        if any((slot - self.slots[0]).total_seconds() % self.every_s for slot in self.slots):
            raise ValueError(f"slots of a curve are whole intervals of {self.every_s} s apart")


class Stored(Protocol):
    """What meters of a kind have stored of past times."""

    @property
    def stored(self) -> Mapping[DataClass, Depth]:
        """The classes that a meter's memory holds, and how much of each."""

    def check_stored(self, data_class: DataClass, item: str) -> None:
        """Refuse an item that no record of a class holds, or not as a number.

        Raises:
            UnknownItem: the message says what there is.

        """


class MemoryReader(Stored, Protocol):
    """One protocol's way to read what meters have stored of past times."""

    async def read_stored(
        self, line: Exchanging, address: str, wanted: Wanted, *, priority: Priority
    ) -> StoredAnswer:
        """Read records of a meter's memory, each under the time that the meter says of it.

        Takes one or several exchanges, each queued by itself: what is more urgent goes in between. When one
        fails after others have brought something, what they brought is returned with ``cut_short``.

        Args:
            line: running.
            address: of the meter.
            wanted: which records; of a class of ``stored``.
            priority: who goes first on the line.

        Raises:
            UnknownItem: not in a record of that class.
            NoFreeze: the meter has no records of the class, or refuses them all.
            BadAnswer: what came fits nothing, and tells nothing of any slot.
            ReplyTimeout, LineLost, LineBusy, LineClosed, BusFull: from the line.

        """


class Offer(Stored, Countable, Protocol):
    """What can be asked of meters of a kind; for whoever asks nobody yet."""

    def check_item(self, item: str) -> None:
        """Refuse an item that this protocol does not have, or that cannot be read (a password).

        Raises:
            UnknownItem: not in the dictionary; the message names near ones.

        """

    def check_instant(self, item: str) -> None:
        """Refuse an item that cannot be kept as a value of the moment: of another time, or no number.

        Raises:
            UnknownItem: not in the dictionary, or not of that kind; the message says which.

        """

    def check_status(self, item: str) -> tuple[str, ...]:
        """The items that a status plan keeps of an item: words of state, and numbers.

        Raises:
            UnknownItem: not in the dictionary, or it holds something else; the message says which.

        """


class Driver(Offer, MemoryReader, EventReader, Protocol):
    """One protocol's way to read; holds nothing between exchanges."""

    def check_window(self, item: str, window: Window) -> None:
        """Refuse records that cannot be asked for so.

        Raises:
            UnknownItem: not in the dictionary, no item of records, or not with that count or time.

        """

    def association_lost(self, address: str) -> None:
        """Somebody else has ended what was agreed with a meter; where nothing ever is, this does nothing."""

    async def read(
        self, line: Exchanging, address: str, item: str, *, window: Window | None = None, priority: Priority
    ) -> MeterAnswer:
        """Read one item (or block, ``voltage.*``) of one meter in one exchange; of many records in several.

        Args:
            line: running.
            address: of the meter.
            item: its name.
            window: of records: which ones; ``None`` leaves it to the meter.
            priority: who goes first on the line.

        Raises:
            UnknownItem: not in the dictionary, or not with that window.
            Refused: the meter said no.
            NoRecord: it has no such record, or none with that item.
            BadAnswer: the answer does not fit the item.
            ReplyTimeout, LineLost, LineBusy, LineClosed, BusFull: from the line.

        """

    async def read_status(
        self, line: Exchanging, address: str, item: str, *, priority: Priority
    ) -> MeterAnswer:
        """Read one item as ``read`` does: its words as numbers, and each named bit of them as 0 or 1.

        Raises:
            UnknownItem, Refused, NoRecord, BadAnswer: as ``read``.
            ReplyTimeout, LineLost, LineBusy, LineClosed, BusFull: from the line.

        """

    def group(self, address: str, items: Sequence[str]) -> tuple[str, ...]:
        """Those of some items that one request to a meter may bring: the first, and others where it can be.

        Args:
            address: of the meter; which ones take such requests is remembered.
            items: names, 1 or more, each for itself fit for ``read`` or ``read_status``.

        """

    async def read_group(
        self, line: Exchanging, address: str, items: Sequence[str], *, as_status: bool, priority: Priority
    ) -> Brought:
        """Read a ``group`` of a meter in one exchange; what is refused or unfit costs only itself.

        Args:
            line: running.
            address: of the meter.
            items: of a ``group``, two or more.
            as_status: words and their bits, as ``read_status`` tells them.
            priority: who goes first on the line.

        Raises:
            Refused, BadAnswer: of the whole request; the items by themselves may still be read.
            ReplyTimeout, LineLost, LineBusy, LineClosed, BusFull: from the line.

        """
