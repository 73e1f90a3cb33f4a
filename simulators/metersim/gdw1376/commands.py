"""What a master tells a terminal to do or be (01, 04, 05) and asks of it (09, 0A, 0E), without I/O.

Parameters beside the archive and the heartbeat are kept as they came, and told as they are.
Source: spec section B3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from metersim.gdw1376.archive import PointArchive
from metersim.gdw1376.events import GENERAL, IMPORTANT, EventLog
from metersim.gdw1376.store import PointStore
from metersim.gdw1376.ways import Ways1376
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions import terminal
from meterwire.gdw1376.link.unit_ids import TERMINAL
from meterwire.gdw1376.messages.terminal import Group, Unit, unit

PARAMETERS_MAX: Final = 256
"""Parameters that are kept beside the archive."""
UPLINK, ARCHIVE = 1, 10
"""Fn of 04 and 0A that mean something here."""
HARDWARE, DATA, FACTORY, FACTORY_BUT_MASTER = 1, 2, 3, 4
"""Fn of 01."""
SET_CLOCK, REPORTING_ON, REPORTING_OFF = 31, 29, 37
"""Fn of 05."""
ENTRY_OCTETS: Final = 27
_COUNT_OCTETS: Final = 2
_ID_OCTETS: Final = 4
_MINUTE_S: Final = 60
VERSION: Final[Mapping[str, Any]] = {
    "vendor": "MSIM",
    "device": "CONC0001",
    "software": "0001",
    "software_date": Moment(year=24, month=1, day=1),
    "capacity": "1000",
    "protocol": "1376",
    "hardware": "0001",
    "hardware_date": Moment(year=24, month=1, day=1),
}


@dataclass(slots=True, kw_only=True)
class Settings:
    """What a master has set.

    Args:
        heartbeat_s: between heartbeats.
        reports: important events are reported.
        parameters: contents by Fn and point.

    """

    heartbeat_s: int
    reports: bool
    parameters: dict[tuple[int, int], bytes] = field(default_factory=dict)


class Commands:
    """Carries them out for one terminal.

    Args:
        archive: its points.
        store: what it collected.
        events: what it recorded.
        ways: how it does things.
        set_clock: sets its clock to a civil time; whether that can be.
        reset: switches it off and on, in a moment.
        changed: told when the archive is another.

    Attributes:
        settings: what a master has set.

    """

    def __init__(
        self,
        *,
        archive: PointArchive,
        store: PointStore,
        events: EventLog,
        ways: Ways1376,
        set_clock: Callable[[datetime], bool],
        reset: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self._archive = archive
        self._store = store
        self._events = events
        self._ways = ways
        self._set_clock = set_clock
        self._reset = reset
        self._changed = changed
        self.settings = self._as_delivered()
        self._queries: dict[int, Callable[[Unit], list[Group]]] = {
            terminal.QUERY: self._queried,
            terminal.EVENTS: self._events_between,
            0x09: self._version,
        }
        self._does: dict[int, Callable[[Unit], bool]] = {
            terminal.RESET: self._initialised,
            terminal.SET: self._set,
            terminal.CONTROL: self._controlled,
        }

    def commands(self, afn: int) -> bool:
        """Whether an AFN is one of commands."""
        return afn in self._does

    def obey(self, afn: int, asked: Unit) -> bool:
        """Carry out one unit of a command; whether it could be."""
        return self._does[afn](asked)

    def tell(self, afn: int, asked: Unit) -> list[Group]:
        """What one unit of a request asks for; an archive in pieces, each to its frame; none: denied."""
        query = self._queries.get(afn)
        return [] if query is None or asked.fields is None else query(asked)

    def _as_delivered(self) -> Settings:
        return Settings(heartbeat_s=self._ways.heartbeat_s, reports=self._ways.reports)

    # --- commands ---

    def _initialised(self, asked: Unit) -> bool:
        if asked.fn not in {HARDWARE, DATA, FACTORY, FACTORY_BUT_MASTER}:
            return False
        if asked.fn == HARDWARE:
            self._reset()
            return True
        self._store.clear()
        self._events.clear()
        if asked.fn != DATA:
            heartbeat_s = self.settings.heartbeat_s
            self.settings = self._as_delivered()
            self._archive.clear()
            if asked.fn == FACTORY_BUT_MASTER:
                self.settings.heartbeat_s = heartbeat_s
        self._changed()
        return True

    def _set(self, asked: Unit) -> bool:
        if asked.fields is None:
            return False
        if asked.fn == ARCHIVE:
            taken = self._archive.put_all(asked.values["meters"])
            self._changed()
            return taken
        parameters, key = self.settings.parameters, (asked.fn, asked.point)
        if key not in parameters and len(parameters) >= PARAMETERS_MAX:
            return False
        parameters[key] = asked.content
        if asked.fn == UPLINK and asked.values["heartbeat_min"]:
            self.settings.heartbeat_s = asked.values["heartbeat_min"] * _MINUTE_S
        return True

    def _controlled(self, asked: Unit) -> bool:
        """A concentrator has no relays of its own to trip, and nothing to keep supplied."""
        if asked.point != TERMINAL:
            return False
        if asked.fn == SET_CLOCK and asked.values.get("time"):
            when = asked.values["time"].when()
            return when is not None and self._set_clock(when)
        if asked.fn in {REPORTING_ON, REPORTING_OFF}:
            self.settings.reports = asked.fn == REPORTING_ON
            return True
        return False

    # --- queries ---

    def _queried(self, asked: Unit) -> list[Group]:
        if asked.fn == ARCHIVE:
            return self._archive_pieces(asked)
        kept = self.settings.parameters.get((asked.fn, asked.point))
        known = terminal.function(terminal.QUERY, asked.fn, "up")
        if asked.fn == UPLINK and asked.point == TERMINAL and kept is None:
            return [unit(terminal.QUERY, UPLINK, self._uplink(), way="up")]
        if kept is None or known is None:
            return []
        return [Group((asked.point,), (asked.fn,), (Unit(asked.point, asked.fn, kept, None, known),))]

    def _uplink(self) -> dict[str, int]:
        heartbeat_min = -(-self.settings.heartbeat_s // _MINUTE_S)
        waiting = {"timeout_s": int(self._ways.answer_timeout_s), "tries": min(self._ways.tries, 3)}
        return {"rts": 0, "delay_min": 0, **waiting, "con_flags": 4, "heartbeat_min": heartbeat_min}

    def _archive_pieces(self, asked: Unit) -> list[Group]:
        wanted = asked.values.get("indexes", ())
        entries = [entry for index in wanted if (entry := self._archive.at(index)) is not None]
        if not entries and self._ways.lacks == "deny":
            return []
        most = max((self._ways.frame_octets - _COUNT_OCTETS - _ID_OCTETS) // ENTRY_OCTETS, 1)
        pieces = [entries[at : at + most] for at in range(0, len(entries), most)] or [[]]
        return [
            unit(
                terminal.QUERY,
                ARCHIVE,
                {"count": len(piece), "meters": [asdict(entry) for entry in piece]},
                way="up",
            )
            for piece in pieces
        ]

    def _version(self, asked: Unit) -> list[Group]:
        return [unit(0x09, 1, VERSION, way="up")] if asked.fn == 1 else []

    def _events_between(self, asked: Unit) -> list[Group]:
        if asked.fn not in {IMPORTANT, GENERAL}:
            return []
        first, last = asked.values["pm"], asked.values["pn_ptr"]
        found = self._events.between(asked.fn, first, last)
        return [event_unit(asked.fn, self._events.counts, (first, last), found)] if found else []


def event_unit(
    kind: int, counts: tuple[int, int], pointers: tuple[int, int], found: tuple[Mapping[str, Any], ...]
) -> Group:
    """Events as 0E has them."""
    first, last = pointers
    values = {"ec": list(counts), "pm": first, "pn_ptr": last, "events": list(found)}
    return unit(terminal.EVENTS, kind, values, way="up")
