"""What a meter has to tell by itself: events that nobody has read yet, in the words of 698.45.

An event is news from the moment that its report flag names (its beginning, its end) until a client has read
its table, or the list of new events 3320, or has confirmed a report of it. While there is news, and the meter
may tell it, answers carry the ACD bit; with follow reports (4300 attribute 7) they carry the list as well,
and with active reports (attribute 8) a terminal tells the records. Nothing that happened before it was
allowed is news. Source: spec sections 2.1, 3.8 and 6.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from metersim.dlt698.circumstances import OTHER, TYPE_UNFIT, Circumstances, Done
from metersim.dlt698.events import ON_END, ON_START, EventPart, EventRow, tables
from metersim.works.works import Works
from meterwire.dlt698.apdus import action, get
from meterwire.dlt698.apdus import set as writing
from meterwire.dlt698.apdus.apdu import encode_apdu
from meterwire.dlt698.apdus.association import FactoryVersion
from meterwire.dlt698.apdus.parts import (
    SUCCESS,
    ActionItem,
    AttributeResult,
    AttributeResults,
    Dar,
    Piid,
    RecordRequest,
    SetItem,
)
from meterwire.dlt698.axdr.selection import NoMeters, Oad, SelectLast
from meterwire.dlt698.axdr.values import Data, DateTimeS
from meterwire.dlt698.objects.records import EVENT_ENDED_AT, EVENT_NUMBER, EVENT_STARTED_AT

DEVICE: Final = 0x4300
NEWS: Final = 0x3320
NEW_EVENTS: Final = Oad(NEWS, 2, 0)
REPORTED: Final = Oad(NEWS, 3, 0)
FOLLOW_ALLOWED: Final = Oad(DEVICE, 7, 0)
REPORTS_ALLOWED: Final = Oad(DEVICE, 8, 0)
FOLLOW_MAX: Final = 16
"""Tables that one follow report names, and that one report tells; the others follow when these are read."""
ROWS_MAX: Final = 10
COLUMNS: Final = (EVENT_NUMBER, EVENT_STARTED_AT, EVENT_ENDED_AT)
"""What a report tells of an event."""

_PROTOCOLS: Final = ("DL/T 698.45",)
_TABLES: Final = tuple(tables())
_CLEARING: Final = {3: "registers_cleared", 5: "events_cleared", 6: "demand_cleared"}
_ANSWERS: Final = (
    get.GetResponseNormal,
    get.GetResponseNormalList,
    get.GetResponseRecord,
    get.GetResponseRecordList,
    get.GetResponseMD5,
    writing.SetResponseNormal,
    writing.SetResponseNormalList,
    action.ActionResponseNormal,
    action.ActionResponseNormalList,
)


class DevicePart:
    """The device 4300, and the list of new events 3320, of one meter.

    Args:
        works: of the meter.
        events: its event objects.
        factory: what it says of its maker.

    Attributes:
        follow_allowed: answers may carry the list of new events.
        reports_allowed: it may tell by itself.

    """

    objects: Final = frozenset({DEVICE, NEWS})

    def __init__(self, works: Works, events: EventPart, factory: FactoryVersion) -> None:
        self.follow_allowed = False
        self.reports_allowed = False
        self._works, self._events, self._factory = works, events, factory
        self._told: dict[Oad, datetime] = {}
        self._allowed_since: datetime | None = None

    # --- attributes and methods ---

    def read(self, oad: Oad, at: datetime) -> Data | None:
        """What the device says of itself, and what is new."""
        if oad.oi == NEWS:
            if oad == NEW_EVENTS:
                return _oads(table for table, _ in self.news(at))
            flagged = (table for table, _ in _TABLES if self._events.flag(table.oi))
            return _oads(flagged) if oad == REPORTED else None
        return self._shown().get(oad.attribute)

    def write(self, item: SetItem, how: Circumstances) -> Dar | None:
        """Whether it may tell, in its two ways."""
        if item.oad not in {FOLLOW_ALLOWED, REPORTS_ALLOWED}:
            return None
        if item.data.type != "bool":
            return TYPE_UNFIT
        if item.oad == FOLLOW_ALLOWED:
            self.follow_allowed = bool(item.data.value)
        else:
            self.reports_allowed = bool(item.data.value)
        if not self._may_tell:
            self._allowed_since = None
        elif self._allowed_since is None:
            self._allowed_since = how.at
        return SUCCESS

    def act(self, item: ActionItem, how: Circumstances) -> Done | None:
        """Clear the registers, the events, the demands."""
        if item.omd.oi != DEVICE or item.omd.method not in _CLEARING:
            return None
        if item.data.type != "null":
            return Done(TYPE_UNFIT)
        try:
            self._works.history.happen(how.at, _CLEARING[item.omd.method])  # type: ignore[arg-type]
        except ValueError:  # no room for another row
            return Done(OTHER)
        return Done()

    # --- news ---

    def news(self, at: datetime) -> list[tuple[Oad, tuple[EventRow, ...]]]:
        """Tables with events that nobody has read, and these events, oldest first.

        Args:
            at: true time, aware.

        """
        since = self._allowed_since
        if since is None:
            return []
        found = []
        for table, kind in _TABLES:
            if not (flag := self._events.flag(table.oi)):
                continue
            told = max(self._told.get(table, since), since)
            rows = tuple(row for row in self._events.rows(kind, at) if _is_news(row, flag, told))
            if rows:
                found.append((table, rows[::-1]))
        return found

    def reports(self, at: datetime) -> list[RecordRequest]:
        """Records that it would tell now; none when it may not."""
        news = self.news(at)[:FOLLOW_MAX] if self.reports_allowed else []
        return [
            RecordRequest(table, SelectLast(min(len(rows), ROWS_MAX), NoMeters()), COLUMNS)
            for table, rows in news
        ]

    def was_read(self, table: Oad, at: datetime) -> None:
        """A client knows everything that a table told at ``at``; of the list 3320: of all tables."""
        known = [one for one, _ in _TABLES] if table == NEW_EVENTS else [table._replace(index=0)]
        for one in known:
            self._told[one] = max(self._told.get(one, at), at)

    def along(self, answer: Any, at: datetime, *, octets_max: int) -> Any:
        """An answer with what is told along with it.

        Args:
            answer: an APDU.
            at: true time, aware.
            octets_max: longest APDU that the client takes; the list is left out where it has no room.

        """
        if not isinstance(answer, _ANSWERS) or not (news := self.news(at)):
            return answer
        answer = replace(answer, piid=Piid(answer.piid | Piid.of(0, acd=True)))
        if not self.follow_allowed:
            return answer
        listed = AttributeResult(NEW_EVENTS, _oads(table for table, _ in news[:FOLLOW_MAX]))
        followed = replace(answer, follow_report=AttributeResults((listed,)))
        return followed if len(encode_apdu(followed)) <= octets_max else answer

    def _shown(self) -> dict[int, Data]:
        since = self._works.clock.shows(self._works.since)
        return {
            2: Data("visible-string", "metersim"),
            3: Data("structure", tuple(Data("visible-string", text) for text in self._factory)),
            4: Data("date_time_s", DateTimeS.of(since)),
            5: Data("array", ()),
            6: Data("array", tuple(Data("visible-string", name) for name in _PROTOCOLS)),
            7: Data("bool", self.follow_allowed),
            8: Data("bool", self.reports_allowed),
        }

    @property
    def _may_tell(self) -> bool:
        return self.follow_allowed or self.reports_allowed


def tables_read(request: Any) -> tuple[Oad, ...]:
    """The tables, and the list of new events, that a request reads."""
    match request:
        case get.GetRequestNormal(oad=oad):
            return (oad,) if oad == NEW_EVENTS else ()
        case get.GetRequestNormalList(oads=oads):
            return tuple(oad for oad in oads if oad == NEW_EVENTS)
        case get.GetRequestRecord(record=record):
            return (record.oad,)
        case get.GetRequestRecordList(records=records):
            return tuple(record.oad for record in records)
        case _:
            return ()


def _is_news(row: EventRow, flag: int, told: datetime) -> bool:
    ended = row.event.ended_at
    return bool(flag & ON_START and row.event.started_at > told) or bool(
        flag & ON_END and ended is not None and ended > told
    )


def _oads(found: Iterator[Oad]) -> Data:
    return Data("array", tuple(Data("OAD", oad) for oad in found))
