"""A plant for tests of billing: a journal with a roster and freezes in it, and a clock that is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from meterlink.audit.keys import GatewayKey
from meterlink.billing.days import end_of
from meterlink.billing.disk import Disk
from meterlink.billing.formats import FORMATS, Format
from meterlink.billing.sealing import Sealer
from meterlink.billing.settlements import Settlements
from meterlink.billing.settling import Settler
from meterlink.billing.source import Freezes
from meterlink.drivers.registers import capacities
from meterlink.journal.journal import Journal
from meterlink.journal.reader import JournalReader
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import Reading, Record
from meterlink.model.slot import SlotKey
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.book import RosterBook
from meterlink.roster.saying import Saying
from meterlink.validation.facts import MeterFacts
from tests.support.rosters import CHECKS, meter

TOTAL: Final = "forward_active_energy"
FIRST_DAY: Final = date(2026, 11, 1)
JOURNAL: Final = "journal.sqlite3"
_NO_ROUTES: Final[Mapping[str, str]] = {}


@dataclass
class ToldClock:
    """Shows what it is told."""

    now: datetime = datetime(2026, 10, 1, tzinfo=UTC)

    def utc_now(self) -> datetime:
        return self.now

    def monotonic_s(self) -> float:
        return self.now.timestamp()


@dataclass(frozen=True)
class AnyFacts:
    """Of each meter the same: a household's, of DL/T 645-2007.

    Args:
        plate_kva: what it may carry.

    """

    plate_kva: Decimal = Decimal("13.2")

    def get(self, meter: str, /) -> MeterFacts | None:
        del meter
        return MeterFacts(
            capacities=partial(capacities, "dlt645-2007"), plate_kva=self.plate_kva, zone=CHINA_TIME
        )


@dataclass
class Plant:
    """A journal that is open, and what is done with it.

    Args:
        folder: of the journal.
        journal: open.
        clock: of all.

    """

    folder: Path
    journal: Journal
    clock: ToldClock
    book: RosterBook = field(init=False)
    key: GatewayKey = field(init=False)

    def __post_init__(self) -> None:
        self.book = RosterBook(self.journal.roster, CHECKS, self.clock)
        self.key = GatewayKey.open(self.folder)

    async def put(self, *numbers: int, saying: Saying = Saying.NOTHING, **keys: Any) -> None:
        """Put meters into the roster, or give those that are there other settings."""
        held = await self.book.held()
        told = [meter(number, **keys) for number in numbers]
        await self.book.apply(told, revision=held.revision, actor="li", saying=saying)

    async def keep(
        self,
        meter_id: str,
        day: date,
        registers: Mapping[str, str | Decimal | None],
        *,
        marks: Marks = NO_MARKS,
        late: timedelta = timedelta(hours=1),
        at: timedelta = timedelta(0),
        routes: Mapping[str, str] = _NO_ROUTES,
    ) -> int:
        """Keep a freeze as acquisition does; its row of the log. ``routes``: of items that came otherwise."""
        slot = end_of(day, CHINA_TIME) + at
        readings = tuple(
            Reading(
                meter=meter_id,
                item=item,
                value=None if value is None else Decimal(value),
                unit="kWh",
                slot=slot,
                taken_at=slot + late,
                marks=marks,
                route=routes.get(item, "line1"),
            )
            for item, value in registers.items()
        )
        record = Record(meter=meter_id, data_class=DAILY_FREEZE, readings=readings)
        return await self.journal.keep(record, settles=SlotKey(meter_id, DAILY_FREEZE, 86_400, slot))

    def after(self, day: date, *, hours: float = 2) -> None:
        """Let it be so long after the end of a day."""
        self.clock.now = end_of(day, CHINA_TIME) + timedelta(hours=hours)

    @contextmanager
    def freezes(self) -> Iterator[Freezes]:
        """The freezes, as from another process."""
        with JournalReader(self.folder / JOURNAL) as reader:
            yield Freezes(reader, CHINA_TIME, AnyFacts())

    def settlements(self) -> Settlements:
        return Settlements(self.folder / "settlements")

    def settler(self, *, formats: tuple[Format, ...] = FORMATS, disk: Disk | None = None) -> Settler:
        sealer = Sealer(
            self.settlements(), self.key, gateway="gw1", formats=formats, clock=self.clock, disk=disk
        )
        return Settler(sealer, self.freezes, self.journal.acts, self.clock)


@asynccontextmanager
async def plant(folder: Path) -> AsyncIterator[Plant]:
    """The plant of a folder, as it was left there."""
    clock = ToldClock()
    async with Journal.open(folder / JOURNAL, clock=clock) as journal:
        yield Plant(folder, journal, clock)
