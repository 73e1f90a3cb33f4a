"""Reading Modbus meters: rows of the profile's map in, as few requests as they need, values out.

A meter of Modbus shows what it measures and remembers nothing: there are no freezes, no curves and no events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Brought, Depth, MeterAnswer, StoredAnswer, Wanted, Window
from meterlink.drivers.events import EventCounts, EventRecords, kinds_of
from meterlink.drivers.modbus.plan import Block, blocks, wider
from meterlink.drivers.modbus.sunspec import HEAD_REGISTERS, Ask, Model, find_models, head_of
from meterlink.drivers.modbus.talk import TalkModbus
from meterlink.drivers.modbus.values import Image, measured
from meterlink.drivers.near import near
from meterlink.drivers.together import Together
from meterlink.drivers.unknown_items import kept_by_none, no_number, no_status
from meterlink.errors import BadAnswer, NoFreeze, Refused, UnknownItem
from meterlink.model.data_classes import DataClass
from meterprofiles import Profile
from meterprofiles.registers import RegisterRow


class ModbusDriver:
    """Driver of the meters of one map, over RTU or TCP.

    Args:
        clock: says when an answer was taken.
        profile: of a model of Modbus.

    """

    def __init__(self, clock: Clock, *, profile: Profile) -> None:
        assert profile.registers is not None, f"{profile.name} has a map, its loader says so"
        self._map = profile.registers
        self._spans = tuple(span for row in self._map.rows for span in row.spans)
        self._profile = profile
        self._clock = clock
        self._talk = TalkModbus(profile, clock)
        self._together = Together(clock)
        self._models: dict[tuple[str, str], dict[int, Model]] = {}

    def check_item(self, item: str) -> None:
        """See ``Driver.check_item``."""
        self._rows(item)

    def check_instant(self, item: str) -> None:
        """See ``Driver.check_instant``."""
        if any(row.type == "text" for row in self._rows(item)):
            raise no_number(item)

    def check_status(self, item: str) -> tuple[str, ...]:
        """See ``Driver.check_status``."""
        rows = self._rows(item)
        if any(row.type == "text" for row in rows):
            raise no_status(item)
        return tuple(row.item for row in rows)

    def check_window(self, item: str, window: Window) -> None:
        """See ``Driver.check_window``."""
        del window
        self._rows(item)
        protocol = self._profile.protocol
        raise UnknownItem(
            f"{item}: a meter of {protocol} keeps no records", f"{item}:{protocol} 电表不保存记录"
        )

    def association_lost(self, address: str) -> None:
        """See ``Driver.association_lost``: reads of Modbus agree on nothing."""

    async def read(
        self, line: Exchanging, address: str, item: str, *, window: Window | None = None, priority: Priority
    ) -> MeterAnswer:
        """See ``Driver.read``."""
        rows = self._rows(item)
        if window is not None:
            self.check_window(item, window)
        with self._together.asked_alone(address):
            images = await self._images(line, address, rows, what=item, priority=priority)
        return self._answer(address, rows, images, self._clock.utc_now())

    async def read_status(
        self, line: Exchanging, address: str, item: str, *, priority: Priority
    ) -> MeterAnswer:
        """See ``Driver.read_status``: no map here has words of state."""
        self.check_status(item)
        return await self.read(line, address, item, priority=priority)

    def group(self, address: str, items: Sequence[str]) -> tuple[str, ...]:
        """See ``Driver.group``: rows of the map that lie so near that one request brings them."""
        found = list(items[:1])
        rows = list(self._rows(items[0]))
        if not self._together.may(address):
            return tuple(found)
        for item in items[1:]:
            more = self._rows(item)
            if len(found) < self._profile.reads.together and self._is_one_request([*rows, *more]):
                found.append(item)
                rows += more
        return tuple(found)

    def _is_one_request(self, rows: Sequence[RegisterRow]) -> bool:
        """Whether one request brings some rows, beside the head of their SunSpec model."""
        spans = [span for row in rows for span in row.spans]
        models = {row.model for row in rows}
        most, gap = self._map.registers_max, self._map.gap_max
        return len(models) == 1 and len(blocks(spans, registers_max=most, gap_max=gap)) == 1

    async def read_group(
        self, line: Exchanging, address: str, items: Sequence[str], *, as_status: bool, priority: Priority
    ) -> Brought:
        """See ``Driver.read_group``."""
        rows = {item: self._rows(item) for item in items}
        all_rows = tuple(dict.fromkeys(row for of in rows.values() for row in of))
        with self._together.asked_at_once(address):
            images = await self._images(
                line, address, all_rows, what=f"{len(items)} items", priority=priority
            )
        taken_at = self._clock.utc_now()
        found: dict[str, MeterAnswer | Refused | BadAnswer] = {}
        for item in items:
            try:
                found[item] = self._answer(address, rows[item], images, taken_at)
            except BadAnswer as error:
                found[item] = error
        return found

    async def _images(
        self,
        line: Exchanging,
        address: str,
        rows: Sequence[RegisterRow],
        *,
        what: str,
        priority: Priority,
    ) -> dict[int, Image]:
        """The registers of some rows, by SunSpec model."""
        ask = partial(self._ask, line, address, priority=priority, what=what)
        images: dict[int, Image] = {}
        for model in dict.fromkeys(row.model for row in rows):
            spans = [span for row in rows if row.model == model for span in row.spans]
            if model:
                images[model] = await self._read_model(ask, (line.name, address), model, spans)
            else:
                images[model] = await self._read_spans(ask, spans)
        return images

    def _answer(
        self, address: str, rows: Sequence[RegisterRow], images: Mapping[int, Image], taken_at: datetime
    ) -> MeterAnswer:
        """The values of an item's rows."""
        who = f"meter {address}"
        values = tuple(measured(row, images[row.model], self._map.words, who) for row in rows)
        return MeterAnswer(values=values, taken_at=taken_at)

    @property
    def stored(self) -> Mapping[DataClass, Depth]:
        """See ``Driver.stored``."""
        return {}

    def check_stored(self, data_class: DataClass, item: str) -> None:
        """See ``Driver.check_stored``."""
        del item
        raise kept_by_none(self._profile.name, data_class)

    async def read_stored(
        self, line: Exchanging, address: str, wanted: Wanted, *, priority: Priority
    ) -> StoredAnswer:
        """See ``Driver.read_stored``."""
        raise NoFreeze(f"meters of {self._profile.name} keep no {wanted.data_class}")

    # --- events ---

    @property
    def has_events(self) -> bool:
        """See ``EventReader.has_events``."""
        return False

    def event_kinds(self, item: str) -> tuple[str, ...]:
        """See ``EventReader.event_kinds``."""
        return kinds_of(item, (), self._profile.name)

    async def read_event_counts(
        self, line: Exchanging, address: str, kinds: Sequence[str], *, priority: Priority
    ) -> EventCounts:
        """See ``EventReader.read_event_counts``."""
        return EventCounts(counts={}, refused=dict.fromkeys(kinds, "no events of Modbus"), unfit={})

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
        return EventRecords(records=dict.fromkeys(lasts), taken_at=self._clock.utc_now())

    # --- registers ---

    async def _ask(
        self, line: Exchanging, address: str, block: Block, *, priority: Priority, what: str
    ) -> bytes:
        """See ``TalkModbus.ask``; of a map whose addresses stand fast others may be read along."""
        spans = self._spans if self._map.addressing == "absolute" else ()
        longer = wider(block, spans, registers_max=self._map.registers_max, gap_max=self._map.gap_max)
        return await self._talk.ask(
            line, address, self._map.table, block, wider=longer, priority=priority, what=what
        )

    async def _read_spans(self, ask: Ask, spans: Iterable[tuple[int, int]], *, base: int = 0) -> Image:
        """The registers of some spans, under their addresses counted from a base."""
        image = Image()
        for block in blocks(spans, registers_max=self._map.registers_max, gap_max=self._map.gap_max):
            image.put(block.start, await ask(Block(base + block.start, block.registers)))
        return image

    async def _read_model(
        self, ask: Ask, meter: tuple[str, str], model: int, spans: Sequence[tuple[int, int]]
    ) -> Image:
        """The same of a SunSpec model, whose head is read along: new firmware may have moved it.

        Raises:
            BadAnswer: it is not there any more, or ends too early: what stands behind is another's.

        """
        who = f"meter {meter[1]}"
        if meter not in self._models:
            wanted = frozenset(row.model for row in self._map.rows)
            self._models[meter] = await find_models(ask, wanted, who)
        place = self._models[meter][model]
        needed = max(start + count for start, count in spans)
        if needed > place.registers:
            self._models.pop(meter, None)
            raise BadAnswer(
                f"{who} has a SunSpec model {model} of {place.registers} registers; its map wants {needed}"
            )
        try:
            image = await self._read_spans(ask, [(0, HEAD_REGISTERS), *spans], base=place.at)
        except Refused:
            self._models.pop(meter, None)
            raise
        number, length = head_of(image.octets(0, HEAD_REGISTERS))
        if (number, HEAD_REGISTERS + length) != (model, place.registers):
            self._models.pop(meter, None)
            raise BadAnswer(f"{who} has moved its SunSpec model {model}; the next read looks for it anew")
        return image

    def _rows(self, item: str) -> tuple[RegisterRow, ...]:
        """The rows of an item.

        Raises:
            UnknownItem: the map has none.

        """
        if rows := self._map.wanted(item):
            return rows
        names = [row.item for row in self._map.rows]
        en, zh = near(item, names)
        raise UnknownItem(
            f"no item {item!r} in the map of {self._profile.name}{en}",
            f"{self._profile.name} 的寄存器表中没有数据项 {item!r}{zh}",
        )
