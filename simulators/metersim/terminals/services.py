"""What a concentrator answers for itself: its attributes, its archive and tasks, and what changes them.

Settings are open to everybody unless it has a password. Source: spec sections 6.8 and 8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from metersim.dlt698.admission import Admission, Limits
from metersim.dlt698.circumstances import (
    DENIED,
    NO_SUCH_ATTRIBUTE,
    NO_SUCH_OBJECT,
    NOT_AUTHORISED,
    Circumstances,
    Done,
    Part,
)
from metersim.dlt698.contents import MAKER, VERSION, VERSION_DATE
from metersim.dlt698.reporting import DEVICE, REPORTS_ALLOWED
from metersim.dlt698.services import CLOCK, Services
from metersim.terminals.archive import OUT_OF_RANGE, TYPE_UNFIT, MeterArchive
from metersim.terminals.collector import Collector
from metersim.terminals.downloads import Malformed, all_of, numbers_of, pair_of
from metersim.terminals.failures import READING_FAILURE, Failures
from metersim.terminals.schemes import SCHEMES_MAX, ReportScheme, Scheme
from metersim.terminals.store import Store
from metersim.terminals.tables import ConcentratorTables, run_data
from metersim.terminals.tasks import ENABLED, TASKS_MAX, Task
from metersim.works.clock import MeterClock
from meterwire.dlt698.apdus.parts import SUCCESS, ActionItem, Dar, SetItem, TimeTag
from meterwire.dlt698.axdr.selection import Oad, Omd
from meterwire.dlt698.axdr.values import Data, DateTimeS
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.object_rows import Object

ARCHIVE, TASKS, SCHEMES, REPORTS, MONITOR = 0x6000, 0x6012, 0x6014, 0x601C, 0x6034
NEW_EVENTS: Final = 0x3320
RESET: Final = Omd(DEVICE, 1)
SET, DELETE, CLEAR, CHANGE = 127, 128, 129, 130
"""Methods of the sets."""
_OBJECTS: Final = frozenset(
    {0x4000, 0x4001, DEVICE, ARCHIVE, TASKS, SCHEMES, REPORTS, MONITOR, READING_FAILURE, NEW_EVENTS}
)
_VERSIONS: Final = (MAKER, VERSION, VERSION_DATE, VERSION, VERSION_DATE, " " * 8)

T = TypeVar("T", Task, Scheme, ReportScheme)


class ConcentratorRegisters:
    """Reads the attributes of one concentrator.

    Args:
        address: 12 digits.
        clock: its own.
        archive: of its meters.
        collector: its tasks.
        reports: its report schemes by number.
        failures: its event.

    Attributes:
        reports_allowed: it may report by itself.

    """

    def __init__(
        self,
        address: str,
        *,
        clock: MeterClock,
        archive: MeterArchive,
        collector: Collector,
        reports: dict[int, ReportScheme],
        failures: Failures,
    ) -> None:
        self.reports_allowed = False
        self._failures = failures
        self._reads: dict[Oad, Callable[[datetime], Data]] = {
            CLOCK: lambda at: Data("date_time_s", DateTimeS.of(clock.shows(at))),
            Oad(0x4001, 2, 0): lambda _: Data("octet-string", bytes.fromhex(address)),
            Oad(DEVICE, 3, 0): lambda _: _structure(*(Data("visible-string", text) for text in _VERSIONS)),
            Oad(DEVICE, 7, 0): lambda _: Data("bool", False),
            REPORTS_ALLOWED: lambda _: Data("bool", self.reports_allowed),
            Oad(ARCHIVE, 2, 0): lambda _: archive.data(),
            Oad(ARCHIVE, 3, 0): lambda _: Data("long-unsigned", len(archive)),
            Oad(TASKS, 2, 0): lambda _: _array(task.data() for task in collector.tasks.values()),
            Oad(SCHEMES, 2, 0): lambda _: _array(scheme.data() for scheme in collector.schemes.values()),
            Oad(REPORTS, 2, 0): lambda _: _array(report.data() for report in reports.values()),
            Oad(MONITOR, 2, 0): lambda _: _array(run_data(run) for run in collector.runs.values()),
            Oad(NEW_EVENTS, 2, 0): lambda _: self._new_events(),
        }

    def read(self, oad: Oad, at: datetime) -> Data | Dar:
        """The attribute, or an element of it, or why not.

        Args:
            oad: what.
            at: true time, aware.

        """
        if oad.oi not in _OBJECTS:
            return NO_SUCH_OBJECT
        if oad.attribute == 1:
            return Data("octet-string", oad.oi.to_bytes(2, "big"))
        read = self._reads.get(oad._replace(index=0))
        if read is None:
            return (
                DENIED if (oad.oi, oad.attribute) in {(TASKS, 3), (READING_FAILURE, 2)} else NO_SUCH_ATTRIBUTE
            )
        whole = read(at)
        if not oad.index:
            return whole
        members = whole.value if whole.type in {"array", "structure"} else ()
        return members[oad.index - 1] if oad.index <= len(members) else NO_SUCH_ATTRIBUTE

    def object(self, oi: int, at: datetime) -> Object | None:
        """The object, where a concentrator here has it."""
        del at
        return dictionary().object(oi) if oi in _OBJECTS else None

    def part(self, oi: int) -> Part | None:
        """None: it has no relay, no wallet and no security module."""
        del oi
        return None

    def _new_events(self) -> Data:
        """The events that nobody has read; who reads this has read of them."""
        found = (Data("OI", READING_FAILURE),) if self._failures.unread else ()
        self._failures.unread = False
        return Data("array", found)


class ConcentratorServices(Services):
    """The services of one concentrator, but for those that reach through it.

    Args:
        registers: reads its attributes.
        tables: reads its tables.
        clock: its own.
        archive: of its meters.
        collector: its tasks.
        store: what was collected.
        reports: its report schemes by number.
        password: that a client has to know who wants to change something; ``None``: everybody can.
        limits: its sizes.
        reset: turns it off and on again.

    """

    def __init__(
        self,
        registers: ConcentratorRegisters,
        tables: ConcentratorTables,
        clock: MeterClock,
        *,
        archive: MeterArchive,
        collector: Collector,
        store: Store,
        reports: dict[int, ReportScheme],
        password: str | None,
        limits: Limits,
        reset: Callable[[], None],
    ) -> None:
        super().__init__(registers, tables, clock, admission=Admission(password=password, limits=limits))
        self._own = registers
        self._archive = archive
        self._collector = collector
        self._store = store
        self._reports = reports
        self._reset = reset

    def late(self, tag: TimeTag | None, at: datetime) -> Dar | None:
        """DAR 32 when the time of a request is over by the concentrator's clock."""
        return self._late(tag, Circumstances(at=at))

    def _written(self, item: SetItem, how: Circumstances) -> Dar:
        dar = super()._written(item, how)
        if item.oad == CLOCK:
            self._collector.changed()
        return dar

    def _can_be_written(self, oad: Oad) -> bool:
        return oad == REPORTS_ALLOWED or super()._can_be_written(oad)

    def _written_here(self, item: SetItem, how: Circumstances) -> Dar:
        if item.oad != REPORTS_ALLOWED:
            return super()._written_here(item, how)
        if item.data.type != "bool":
            return TYPE_UNFIT
        self._own.reports_allowed = bool(item.data.value)
        return SUCCESS

    def _performed(self, item: ActionItem, how: Circumstances) -> Done:
        does = self._methods().get(item.omd.oi)
        if does is None and item.omd != RESET:
            return super()._performed(item, how)
        return Done(self._changed(does, item, how))

    def _changed(self, does: Callable[[int, Data], Dar] | None, item: ActionItem, how: Circumstances) -> Dar:
        if not how.trusted:
            return NOT_AUTHORISED
        if does is None:
            self._reset()
            return SUCCESS
        try:
            dar = does(item.omd.method, item.data)
        except Malformed:
            return TYPE_UNFIT
        self._collector.changed()
        return dar

    def _methods(self) -> dict[int, Callable[[int, Data], Dar]]:
        return {
            ARCHIVE: self._change_archive,
            TASKS: self._change_tasks,
            SCHEMES: self._change_schemes,
            REPORTS: self._change_reports,
        }

    def _change_archive(self, method: int, data: Data) -> Dar:
        before = {entry.address for entry in self._archive.entries}
        dar = self._archive.act(method, data)
        for address in sorted(before - {entry.address for entry in self._archive.entries}):
            self._store.forget_meter(address)
        return dar

    def _change_tasks(self, method: int, data: Data) -> Dar:
        if method == CHANGE:
            number, state = pair_of(data)
            task = self._collector.tasks.get(number.value)
            if task is None:
                return OUT_OF_RANGE
            changed = replace(task, enabled=state.value == ENABLED)
            self._collector.tasks[task.number] = changed
            return SUCCESS
        return _change(self._collector.tasks, method, data, Task.of, TASKS_MAX)

    def _change_schemes(self, method: int, data: Data) -> Dar:
        schemes = self._collector.schemes
        before = dict(schemes)
        if method == CHANGE:
            asked, columns = pair_of(data)
            chosen = schemes.get(asked.value)
            if chosen is None:
                return OUT_OF_RANGE
            schemes[chosen.number] = chosen.with_columns(columns)
            dar = SUCCESS
        else:
            dar = _change(schemes, method, data, Scheme.of, SCHEMES_MAX)
        for number, scheme in before.items():
            now = schemes.get(number)
            if now is None or now.columns != scheme.columns:
                self._store.forget(number)
        return dar

    def _change_reports(self, method: int, data: Data) -> Dar:
        return _change(self._reports, method, data, ReportScheme.of, SCHEMES_MAX)


def _change(kept: dict[int, T], method: int, data: Data, make: Callable[[Data], T], most: int) -> Dar:
    """Methods 127 to 129 of a set: add or update, delete, clear."""
    if method == SET:
        new = {one.number: one for one in all_of(data, make)}
        if len(kept | new) > most:
            return OUT_OF_RANGE
        kept.update(new)
    elif method == DELETE:
        for number in numbers_of(data):
            kept.pop(number, None)
    elif method == CLEAR:
        kept.clear()
    else:
        return NO_SUCH_ATTRIBUTE
    return SUCCESS


def _structure(*members: Data) -> Data:
    return Data("structure", members)


def _array(elements: Iterable[Data]) -> Data:
    return Data("array", tuple(elements))
