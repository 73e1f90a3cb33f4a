"""Reading DL/T 698.45 meters: attributes and records, values out of the objects of the standard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import partial

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Brought, Depth, Measured, MeterAnswer, StoredAnswer, Wanted, Window
from meterlink.drivers.dlt698.along import Asides
from meterlink.drivers.dlt698.attributes import Attributes698, fit, rescaled
from meterlink.drivers.dlt698.events import Events698, counted_kinds
from meterlink.drivers.dlt698.items import PROTOCOL, Asked, asked, holds_state, numbers, scaler_of
from meterlink.drivers.dlt698.lists import attributes
from meterlink.drivers.dlt698.memory import MemoryReader698, tables_of
from meterlink.drivers.dlt698.rows import freezes_once, rows_asked
from meterlink.drivers.dlt698.tables import TableReader
from meterlink.drivers.dlt698.talk import Asking, Talk, refusal
from meterlink.drivers.events import EventCounts, EventRecords, kinds_of
from meterlink.drivers.passwords import PasswordOf, no_password
from meterlink.drivers.reports import Report, nobody_keeps
from meterlink.drivers.status import each_with_bits, with_bits
from meterlink.drivers.stored import StoredFindings, depths
from meterlink.drivers.unknown_items import kept_by_none, no_moment, no_number, no_status
from meterlink.drivers.values import each_once
from meterlink.errors import BadAnswer, NoRecord, UnknownItem
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, MONTHLY_FREEZE, DataClass
from meterlink.model.zone import CHINA_TIME
from meterprofiles import Profile, generic
from meterwire.dlt698.apdus.get import (
    GetRequestNormal,
    GetRequestRecord,
    GetResponseNormal,
    GetResponseRecord,
)
from meterwire.dlt698.apdus.parts import AttributeResult, RecordRequest
from meterwire.dlt698.axdr.selection import Oad, Rcsd
from meterwire.dlt698.objects.bit_words import bit_words
from meterwire.dlt698.objects.dictionary import Entry, dictionary, names
from meterwire.dlt698.objects.item_values import ItemValue
from meterwire.dlt698.objects.records import Record, Records, records
from meterwire.errors import RemoteProtocolError


class Dlt698Driver:
    """Driver of DL/T 698.45.

    Args:
        clock: says when an answer was taken.
        profile: how the meters want to be spoken to; the generic one by default.
        random_octets: gives as many random octets as it is asked for, other ones each time.
        preamble: FEH octets before each request, 0 to 16, where it is not the profile's.
        zone: what the meters' clocks show.
        password_of: the password of a meter, where the profile wants one.
        report: where goes what meters tell along with their answers.
        talk: carries the requests, where the meters are not asked straight; what only an association needs is
            then not used.

    """

    def __init__(
        self,
        clock: Clock,
        *,
        random_octets: Callable[[int], bytes],
        profile: Profile | None = None,
        preamble: int | None = None,
        zone: tzinfo = CHINA_TIME,
        password_of: PasswordOf = no_password,
        report: Callable[[Report], None] = nobody_keeps,
        talk: Asking | None = None,
    ) -> None:
        self._clock = clock
        self._zone = zone
        self._profile = profile or generic(PROTOCOL)
        self._talk: Asking = talk or Talk(
            clock,
            self._profile,
            preamble=self._profile.line.preamble if preamble is None else preamble,
            password_of=password_of,
            random_octets=random_octets,
            asides_of=partial(Asides, clock=clock, zone=zone, report=report),
        )
        self._events = Events698(self, clock=clock, zone=zone, portion_of=self._talk.portion)
        self._attributes = Attributes698(self, self._profile, clock)

    def association_lost(self, address: str) -> None:
        """Somebody else has ended what was agreed with a meter: the next request agrees anew."""
        self._talk.lost(address)

    # --- what can be asked ---

    def check_item(self, item: str) -> None:
        """See ``Driver.check_item``."""
        found = asked(item)
        if found.last is not None:
            found.records(None, self._zone)

    def check_instant(self, item: str) -> None:
        """See ``Driver.check_instant``."""
        found = asked(item)
        if found.table or any("@" in name for name in (item, *names(found.entry))):
            raise no_moment(item)
        if not all(numbers(found.entry.type)):
            raise no_number(item)

    def check_status(self, item: str) -> tuple[str, ...]:
        """See ``Driver.check_status``."""
        found = asked(item)
        items = names(found.entry)
        if found.table or any("@" in name for name in (item, *items)) or not holds_state(found.entry.type):
            raise no_status(item)
        return items

    @staticmethod
    def _check_record(data_class: DataClass, item: str) -> None:
        if "@" in item:
            raise UnknownItem(
                f"{item!r}: write an item of a {data_class} without a period",
                f"{item!r}:{data_class} 类的数据项不写 @ 时段",
            )
        entry = asked(item).entry
        if periods := [name for name in names(entry) if "@" in name]:
            raise UnknownItem(
                f"{item!r} holds several: {', '.join(periods)}; a {data_class} keeps one of each",
                f"{item!r} 含有多个:{'、'.join(periods)};{data_class} 类每项只保存一个",
            )
        if not any(numbers(entry.type)):
            raise UnknownItem(
                f"{item!r} is text or a time: a {data_class} keeps numbers",
                f"{item!r} 是文本或时间:{data_class} 类只保存数值",
            )

    def check_window(self, item: str, window: Window) -> None:
        """See ``Driver.check_window``."""
        self._record_requests(item, asked(item), window)

    # --- reading ---

    async def read(
        self, line: Exchanging, address: str, item: str, *, window: Window | None = None, priority: Priority
    ) -> MeterAnswer:
        """See ``Driver.read``."""
        found = asked(item)
        if found.table or window is not None:
            return await self._read_records(line, address, item, found, window, priority)
        with self._attributes.together.asked_alone(address):
            values = await self._read_attribute(line, address, found, priority)
        taken_at = self._clock.utc_now()
        return MeterAnswer(values=fit(address, item, values), taken_at=taken_at)

    async def read_status(
        self, line: Exchanging, address: str, item: str, *, priority: Priority
    ) -> MeterAnswer:
        """See ``Driver.read_status``."""
        return with_bits(await self.read(line, address, item, priority=priority), bit_words())

    def group(self, address: str, items: Sequence[str]) -> tuple[str, ...]:
        """See ``Driver.group``."""
        return self._attributes.group(address, items)

    async def read_group(
        self, line: Exchanging, address: str, items: Sequence[str], *, as_status: bool, priority: Priority
    ) -> Brought:
        """See ``Driver.read_group``."""
        found = await self._attributes.read(line, address, items, priority)
        return each_with_bits(found, bit_words()) if as_status else found

    # --- memory ---

    @property
    def stored(self) -> Mapping[DataClass, Depth]:
        """See ``Driver.stored``."""
        return depths(self._profile, (DAILY_FREEZE, MONTHLY_FREEZE, CURVE))

    def check_stored(self, data_class: DataClass, item: str) -> None:
        """See ``Driver.check_stored``."""
        if data_class not in self.stored:
            raise kept_by_none(self._profile.name, data_class)
        self._check_record(data_class, item)

    async def read_stored(
        self, line: Exchanging, address: str, wanted: Wanted, *, priority: Priority
    ) -> StoredAnswer:
        """See ``Driver.read_stored``."""
        data_class = wanted.data_class
        for item in wanted.items:
            self.check_stored(data_class, item)
        scaled: dict[Oad, Entry] = {}  # asked for with the first columns, and not with each span again

        async def ask(request: RecordRequest) -> tuple[Records, datetime]:
            if new := tuple(column for column in request.rcsd if column not in scaled):
                scaled.update(await self._entries(line, address, request._replace(rcsd=new), priority))
            return await self.ask_records(line, address, request, request.rcsd, scaled, priority)

        readers = {
            table: TableReader(
                table,
                data_class=data_class,
                every=timedelta(seconds=wanted.every_s),
                ask=ask,
                zone=self._zone,
                meter=f"meter {address}",
                portion=self._talk.portion(address),
            )
            for table in tables_of(data_class, wanted.every_s)
        }
        found = StoredFindings(data_class, wanted.items, wanted.slots, self._clock.utc_now())
        with found.kept() as ended:
            await MemoryReader698(readers, self._zone).read(found)
        return found.of(ended)

    # --- events ---

    @property
    def has_events(self) -> bool:
        """See ``EventReader.has_events``."""
        return True

    def event_kinds(self, item: str) -> tuple[str, ...]:
        """See ``EventReader.event_kinds``."""
        return kinds_of(item, tuple(counted_kinds()), PROTOCOL)

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

    # --- attributes ---

    async def _read_attribute(
        self, line: Exchanging, address: str, found: Asked, priority: Priority
    ) -> tuple[ItemValue, ...]:
        oads = self._attributes.oads(found)
        if len(oads) > 1:
            said = dict(zip(oads, await self.get_list(line, address, oads, priority), strict=True))
        else:
            reply = await self._talk.ask(
                line, address, lambda piid: GetRequestNormal(piid=piid, oad=found.oad), priority=priority
            )
            if not isinstance(reply, GetResponseNormal):
                raise BadAnswer(f"meter {address} answered {found.name} with {type(reply).__name__}")
            said = {found.oad: reply.result}
        return self._attributes.values(address, found, said)

    async def get_list(
        self, line: Exchanging, address: str, oads: tuple[Oad, ...], priority: Priority
    ) -> tuple[AttributeResult, ...]:
        """Several attributes, in the order asked for."""
        return await attributes(self._talk, line, address, oads, priority)

    # --- records ---

    def _record_requests(self, item: str, found: Asked, window: Window | None) -> tuple[RecordRequest, ...]:
        if not found.table:
            raise UnknownItem(
                f"{item!r} has no records: write {item}@daily_freeze or @curve",
                f"{item!r} 没有记录:请写 {item}@daily_freeze 或 @curve",
            )
        return found.records(window, self._zone)

    async def _read_records(
        self,
        line: Exchanging,
        address: str,
        item: str,
        found: Asked,
        window: Window | None,
        priority: Priority,
    ) -> MeterAnswer:
        requests = self._record_requests(item, found, window)
        entries = await self._entries(line, address, requests[0], priority)
        rows: list[Record] = []
        for request in requests:
            columns = request.rcsd if found.freeze else ()  # what a meter adds to an event has its own name
            answer, taken_at = await self.ask_records(line, address, request, columns, entries, priority)
            if answer.dar is not None:
                raise refusal(f"meter {address}", item, answer.dar)
            rows += rows_asked(request, answer.rows, f"meter {address}")
        return MeterAnswer(values=self._fit_rows(address, item, found, rows), taken_at=taken_at)

    def _fit_rows(
        self, address: str, item: str, found: Asked, rows: Sequence[Record]
    ) -> tuple[Measured, ...]:
        """The values of records, when they are what was asked for.

        Raises:
            NoRecord: the meter has none, or none with a value.
            BadAnswer: a value does not fit, or there are several records in the place of one.

        """
        meter = f"meter {address}"
        if not rows:
            raise NoRecord(f"{meter} has no such record of {found.table}")
        if found.freeze:
            rows = freezes_once(rows, meter)
        if found.last is not None and len(rows) > 1:
            raise BadAnswer(f"{meter} answered {item} with {len(rows)} records, and nobody knows which it is")
        values = [
            value for row in rows for value in fit(address, item, _named(each_once(row.values, meter), found))
        ]
        if found.freeze and not any(row.readings for row in rows):
            raise NoRecord(f"{meter} has the record of {found.table} at {rows[-1].at}, without {found.name}")
        return tuple(values)

    async def ask_records(
        self,
        line: Exchanging,
        address: str,
        request: RecordRequest,
        columns: Rcsd,
        entries: Mapping[Oad, Entry],
        priority: Priority,
    ) -> tuple[Records, datetime]:
        """The answer to one request for records, and when it was complete."""
        reply = await self._talk.ask(
            line, address, lambda piid: GetRequestRecord(piid=piid, record=request), priority=priority
        )
        taken_at = self._clock.utc_now()
        if not isinstance(reply, GetResponseRecord):
            raise BadAnswer(f"meter {address} answered records with {type(reply).__name__}")
        try:
            return records(reply.record, entries=entries, asked=columns), taken_at
        except RemoteProtocolError as error:
            raise BadAnswer(
                f"meter {address} answered records with data that does not fit: {error}"
            ) from None

    async def _entries(
        self, line: Exchanging, address: str, request: RecordRequest, priority: Priority
    ) -> dict[Oad, Entry]:
        """Columns as the meter scales them, where the profile says to ask."""
        if not self._profile.association.ask_scalers:
            return {}
        scalers: dict[Oad, tuple[Oad, Entry]] = {}
        for oad in request.rcsd:
            entry = dictionary().entry(oad) if isinstance(oad, Oad) else None
            if entry is not None and isinstance(oad, Oad) and (scaler := scaler_of(entry)) is not None:
                scalers[oad] = scaler, entry
        if not scalers:
            return {}
        oads = tuple(dict.fromkeys(scaler for scaler, _ in scalers.values()))
        said = dict(zip(oads, await self.get_list(line, address, oads, priority), strict=True))
        return {oad: rescaled(entry, said[scaler], address) for oad, (scaler, entry) in scalers.items()}


def _named(values: Sequence[ItemValue], found: Asked) -> list[ItemValue]:
    """Values of a record as those of the table, or of the one record, that was asked for."""
    period = f"{found.table}/last.{found.last}" if found.last is not None else found.table
    own = {"", found.freeze or found.entry.object.item}  # what says which record it is has no period
    return [
        value._replace(label=value.label._replace(period=period)) if value.period in own else value
        for value in values
    ]
