"""Reading DL/T 645 meters: one session an item, values out of the dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from functools import partial
from typing import Final

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Brought, Depth, MeterAnswer, StoredAnswer, Wanted, Window
from meterlink.drivers.dlt645.blocks import block_name, block_of, names_of
from meterlink.drivers.dlt645.events import Events645
from meterlink.drivers.dlt645.memory import Memory645
from meterlink.drivers.dlt645.talk import Talk645, Told
from meterlink.drivers.events import EventCounts, EventRecords, kinds_of
from meterlink.drivers.near import near
from meterlink.drivers.status import each_with_bits, with_bits
from meterlink.drivers.together import Together
from meterlink.drivers.unknown_items import no_moment, no_number, no_status
from meterlink.drivers.values import measured
from meterlink.errors import BadAnswer, Refused, ReplyTimeout, UnknownItem
from meterlink.model.data_classes import DataClass
from meterlink.model.protocols import DEFAULT_PROTOCOL
from meterlink.model.zone import CHINA_TIME
from meterprofiles import Profile, generic
from meterwire.dlt645 import Entry
from meterwire.dlt645.items import record_selector
from meterwire.dlt645.items.bit_words import bit_words
from meterwire.errors import LocalProtocolError

_WRITTEN: Final = ("can only be written", "只能写入,不能读取")
_OF_SECURITY: Final = ("belongs to security frames (03H)", "属于安全认证帧(03H)")
"""Why an item that there is cannot be read."""
_ONE_RECORD = b"\x01"


class Dlt645Driver:
    """Driver of one edition of DL/T 645.

    Args:
        clock: says when an answer was taken.
        profile: what the meters speak, and how they depart from it; the generic one of 2007 by default.
        preamble: FEH octets before each request, 0 to 16, where it is not the profile's.
        zone: what the meters' clocks show.

    """

    def __init__(
        self,
        clock: Clock,
        *,
        profile: Profile | None = None,
        preamble: int | None = None,
        zone: tzinfo = CHINA_TIME,
    ) -> None:
        self._zone = zone
        profile = profile or generic(DEFAULT_PROTOCOL)
        self._profile = profile
        self._dictionary = profile.dictionary
        self._talk = Talk645(clock, profile, preamble=preamble)
        self._events = Events645(profile, talk=self._talk, clock=clock, zone=zone)
        self._memory = Memory645(profile, talk=self._talk, clock=clock, zone=zone)
        self._together = Together(clock)

    def check_item(self, item: str) -> None:
        """See ``Driver.check_item``."""
        self._entry(item)

    def check_instant(self, item: str) -> None:
        """See ``Driver.check_instant``."""
        entry = self._entry(item)
        if "@" in item:
            raise no_moment(item)
        if not all(isinstance(value.content, Decimal) for value in entry.decode(bytes(entry.octets))):
            raise no_number(item)

    def check_status(self, item: str) -> tuple[str, ...]:
        """See ``Driver.check_status``."""
        values = self._entry(item).decode(bytes(self._entry(item).octets))
        fit = all(isinstance(value.content, Decimal) or value.unit == "hex" for value in values)
        if "@" in item or not fit:
            raise no_status(item)
        return tuple(value.item for value in values)

    def check_window(self, item: str, window: Window) -> None:
        """See ``Driver.check_window``."""
        self._selector(self._entry(item), window)

    def association_lost(self, address: str) -> None:
        """See ``Driver.association_lost``: reads of DL/T 645 agree on nothing."""

    async def read(
        self, line: Exchanging, address: str, item: str, *, window: Window | None = None, priority: Priority
    ) -> MeterAnswer:
        """See ``Driver.read``."""
        entry = self._entry(item)
        selector = _selector(entry) if window is None else self._selector(entry, window)
        try:
            told = await self._talk.ask(line, address, entry, priority=priority, selector=selector)
        except ReplyTimeout:
            self._together.silent_alone((address, block_name(item)))
            raise
        return _answer_of(told)

    async def read_status(
        self, line: Exchanging, address: str, item: str, *, priority: Priority
    ) -> MeterAnswer:
        """See ``Driver.read_status``."""
        return with_bits(await self.read(line, address, item, priority=priority), bit_words())

    def group(self, address: str, items: Sequence[str]) -> tuple[str, ...]:
        """See ``Driver.group``: items of one block."""
        block = block_of(self._dictionary, items, self._profile.reads.together)
        if block is None or not self._together.may((address, block_name(items[0]))):
            return tuple(items[:1])
        return block.items

    async def read_group(
        self, line: Exchanging, address: str, items: Sequence[str], *, as_status: bool, priority: Priority
    ) -> Brought:
        """See ``Driver.read_group``."""
        block = block_of(self._dictionary, items, len(items))
        assert block is not None, "a group has a block"
        with self._together.asked_at_once((address, block_name(items[0]))):
            told = await self._talk.ask(line, address, block.entry, priority=priority)
            found = self._parts(_answer_of(told), items, address)
        return each_with_bits(found, bit_words()) if as_status else found

    def _parts(self, answer: MeterAnswer, items: Sequence[str], address: str) -> Brought:
        """The answer to a block as answers to its items.

        Raises:
            BadAnswer: the block is shorter on this meter, and lacks one.

        """
        found: dict[str, MeterAnswer | Refused | BadAnswer] = {}
        for item in items:
            held = names_of(self._dictionary, item)
            values = tuple(value for value in answer.values if value.item in held)
            if len(values) != len(held):
                raise BadAnswer(f"meter {address} answered a block without {item}")
            found[item] = answer._replace(values=values)
        return found

    @property
    def stored(self) -> Mapping[DataClass, Depth]:
        """See ``Driver.stored``."""
        return self._memory.stored

    def check_stored(self, data_class: DataClass, item: str) -> None:
        """See ``Driver.check_stored``."""
        self._memory.check(data_class, item)

    async def read_stored(
        self, line: Exchanging, address: str, wanted: Wanted, *, priority: Priority
    ) -> StoredAnswer:
        """See ``Driver.read_stored``."""
        return await self._memory.read(line, address, wanted, priority=priority)

    # --- events ---

    @property
    def has_events(self) -> bool:
        """See ``EventReader.has_events``."""
        return bool(self._events.kinds)

    def event_kinds(self, item: str) -> tuple[str, ...]:
        """See ``EventReader.event_kinds``."""
        return kinds_of(item, tuple(self._events.kinds), self._profile.spoken)

    async def read_event_counts(
        self, line: Exchanging, address: str, kinds: Sequence[str], *, priority: Priority
    ) -> EventCounts:
        """See ``EventReader.read_event_counts``."""
        return await self._events.counts(line, address, kinds, priority=priority)

    async def read_event_records(
        self,
        line: Exchanging,
        address: str,
        kind: str,
        lasts: Sequence[int],
        *,
        count: int,
        priority: Priority,
    ) -> EventRecords:
        """See ``EventReader.read_event_records``."""
        return await self._events.records(line, address, kind, lasts, count=count, priority=priority)

    def _selector(self, entry: Entry, window: Window) -> bytes:
        """The octets that ask for the records of a window."""
        since = f"{window.since.astimezone(self._zone):%Y-%m-%d %H:%M}" if window.since else ""
        try:
            if self._profile.protocol != "dlt645-2007":
                raise LocalProtocolError(f"{self._profile.protocol} has no identifiers of records")
            return record_selector.selector(entry.di, count=window.count, since=since)
        except LocalProtocolError as error:
            raise UnknownItem(
                f"{entry.item}: {error}", f"{entry.item} 不能按所给的时段读取:{error}"
            ) from None

    def _entry(self, item: str) -> Entry:
        entry = self._dictionary.by_name(item)
        if entry is None:
            protocol = self._profile.protocol
            said = (f"no item {item!r} in {protocol}", f"{protocol} 没有数据项 {item!r}")
            raise UnknownItem(*said, partial(self._hint, item))
        if "r" not in entry.access:
            why, zh = _WRITTEN if entry.access == "w" else _OF_SECURITY
            raise UnknownItem(f"{item!r} {why}", f"{item!r} {zh}")
        return entry

    def _hint(self, item: str) -> tuple[str, str]:
        """Names near one that there is not, and where all are, in both languages."""
        # One name a family: comparing with each of several ten thousand takes seconds.
        names = [row.entry(row.first).item for row in self._dictionary.rows]
        protocol, spoken = self._profile.protocol, self._profile.spoken
        en, zh = near(item, names)
        shows = f"`meterlink items --protocol {protocol} --dialect {spoken}`"
        return f"{en} ({shows} lists all)", f"{zh}(全部见 {shows})"


def _answer_of(told: Told) -> MeterAnswer:
    return MeterAnswer(tuple(map(measured, told.values)), told.taken_at)


def _selector(entry: Entry) -> bytes:
    """What a request carries behind its identifier: how many load records are wanted, one.

    Source: spec section 8.2: the oldest and the newest record; those from a given time need that time too.
    """
    return _ONE_RECORD if entry.di >> 24 == 0x06 and entry.di & 0xFFFF in {0x0000, 0x0002} else b""
