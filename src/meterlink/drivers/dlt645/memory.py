"""What meters of a profile of DL/T 645 hold of the past, and the reader for each class of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Depth, StoredAnswer, Wanted
from meterlink.drivers.dlt645.curves import CurveReader, curve_table
from meterlink.drivers.dlt645.identifiers import freeze_tables, numbers_of
from meterlink.drivers.dlt645.numbered import NumberedReader
from meterlink.drivers.dlt645.settlements import SettlementReader, settlement_entries
from meterlink.drivers.dlt645.talk import Talk645, Told
from meterlink.drivers.stored import StoredFindings, depths
from meterlink.drivers.unknown_items import kept_by_none
from meterlink.errors import BadAnswer, ClockFarAhead, FreezeRefused, NoFreeze, UnknownItem
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, MONTHLY_FREEZE, DataClass
from meterprofiles import Profile
from meterwire.dlt645 import Entry, ItemValue

_SETTLED = "forward_active_energy"
"""Every edition keeps this of a settlement."""


class Memory645:
    """The memory of meters of one profile.

    Args:
        profile: of the meters.
        talk: the way to ask them.
        clock: ours.
        zone: what the meters' clocks show.

    """

    def __init__(self, profile: Profile, *, talk: Talk645, clock: Clock, zone: tzinfo) -> None:
        self._profile = profile
        self._dictionary = profile.dictionary
        self._talk = talk
        self._clock = clock
        self._zone = zone

    @property
    def stored(self) -> Mapping[DataClass, Depth]:
        """See ``MemoryReader.stored``."""
        kept: list[DataClass] = [name for name in freeze_tables(self._dictionary) if name == DAILY_FREEZE]
        if settlement_entries(self._dictionary, [_SETTLED]):
            kept.append(MONTHLY_FREEZE)
        if curve_table(self._dictionary) is not None:
            kept.append(CURVE)
        return depths(self._profile, kept)

    def check(self, data_class: DataClass, item: str) -> None:
        """See ``MemoryReader.check_stored``."""
        if data_class not in self.stored:
            raise kept_by_none(self._profile.name, data_class)
        if data_class == DAILY_FREEZE:
            table = freeze_tables(self._dictionary)[data_class]
            holds, quantities = table.holding(item) is not None, table.quantities
        elif data_class == CURVE:
            curves = curve_table(self._dictionary)
            assert curves is not None, "what is stored has a table"
            holds, quantities = curves.class_of(item) is not None, curves.quantities
        else:
            entries = settlement_entries(self._dictionary, [item])
            holds = any(item.partition(".")[0] in numbers_of(entry) for entry, _ in entries)
            quantities = ("energies", "largest demands")
        if not holds:
            raise UnknownItem(
                f"no {item!r} in a {data_class} of {self._profile.protocol}; there are "
                f"{', '.join(quantities)}, with .* for tariffs or phases where there are some",
                f"{self._profile.protocol} 的 {data_class} 中没有 {item!r};可用的有 {'、'.join(quantities)},"
                "分费率或分相的可加 .*",
            )

    async def read(
        self, line: Exchanging, address: str, wanted: Wanted, *, priority: Priority
    ) -> StoredAnswer:
        """See ``MemoryReader.read_stored``."""
        data_class = wanted.data_class
        for item in wanted.items:
            self.check(data_class, item)
        found = StoredFindings(data_class, wanted.items, wanted.slots, self._clock.utc_now())
        asked = _Asked(self._talk, line, address, priority, found)
        with found.kept() as ended:
            if data_class == CURVE:
                await self._read_curve(asked, timedelta(seconds=wanted.every_s))
            else:
                await self._reader(data_class, asked).read(found)
        return found.of(ended)

    def _reader(self, data_class: DataClass, asked: _Asked) -> NumberedReader | SettlementReader:
        if data_class == DAILY_FREEZE:
            return NumberedReader(
                freeze_tables(self._dictionary)[data_class],
                dictionary=self._dictionary,
                ask=asked.values,
                zone=self._zone,
                meter=asked.meter,
            )
        return SettlementReader(
            self._profile.protocol,
            dictionary=self._dictionary,
            ask=asked.values,
            zone=self._zone,
            meter=asked.meter,
        )

    async def _read_curve(self, asked: _Asked, every: timedelta) -> None:
        """Each class of load records by itself: they are recorded apart, and one meter keeps not all of them.

        A class that is refused for now, or answered with what does not fit, is not one that the meter does
        not keep: its items are unfit in the records of the others, so that their slots stay open.

        Raises:
            NoFreeze: the meter keeps none of the classes.
            FreezeRefused, BadAnswer: no class brought anything, and of one another try may.
            ClockFarAhead: a record is yet to come.

        """
        table = curve_table(self._dictionary)
        assert table is not None, "what is stored has a table"
        found = asked.found
        by_class: dict[int, list[str]] = {}
        for item in found.items:
            number = table.class_of(item)
            assert number is not None, f"{item} was checked before"
            by_class.setdefault(number, []).append(item)
        failed: list[tuple[StoredFindings, NoFreeze | BadAnswer]] = []
        for number, items in by_class.items():
            part = found.part(items, found.asked)
            reader = CurveReader(
                table.of_class[number], every=every, ask=asked.records, zone=self._zone, meter=asked.meter
            )
            try:
                await reader.read(part)
            except ClockFarAhead:
                raise  # it would say the same of each class
            except (NoFreeze, BadAnswer) as error:
                if not _may_pass(error):
                    part.has_not(str(error))
                failed.append((part, error))
            finally:
                found.add(part)
        passing = [(part, error) for part, error in failed if _may_pass(error)]
        if len(failed) == len(by_class):
            raise next(iter(passing or failed))[1]
        for part, reason in passing:
            for slot in part.open:  # what is yet to come is that by the meter's clock, for all classes
                part.absent(slot, "not_yet" if found.is_to_come(slot) else "unfit", str(reason))
            found.add(part)


def _may_pass(error: NoFreeze | BadAnswer) -> bool:
    """Whether another try may bring what failed so."""
    return isinstance(error, FreezeRefused | BadAnswer)


class _Asked:
    """The exchanges of one reading."""

    def __init__(
        self, talk: Talk645, line: Exchanging, address: str, priority: Priority, found: StoredFindings
    ) -> None:
        self.meter = f"meter {address}"
        self.found = found
        self._talk = talk
        self._line = line
        self._address = address
        self._priority = priority

    async def values(self, entry: Entry) -> tuple[tuple[ItemValue, ...], datetime]:
        """One identifier; its refusal would be a freeze or a settlement that is gone."""
        told = await self._talk.ask(self._line, self._address, entry, priority=self._priority)
        self.found.taken_at = told.taken_at
        return told.values, told.taken_at

    async def records(self, entry: Entry, selector: bytes) -> Told:
        """Load records: which, the selector says."""
        told = await self._talk.ask(
            self._line, self._address, entry, priority=self._priority, selector=selector, refusals=1
        )
        self.found.taken_at = told.taken_at
        return told
