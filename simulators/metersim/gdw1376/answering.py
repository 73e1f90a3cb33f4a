"""A request to a terminal -> the frames of its answer, without I/O: admission, units one by one, packing.

Commands need PW, and are confirmed all together, denied all together, or one by one (00 F3). A request that
is older than its time tag allows is not answered. What answers a read goes into as many frames as it needs.
Source: spec sections B1 to B3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from metersim.gdw1376.commands import Commands
from metersim.gdw1376.events import NOT_AUTHENTICATED, PARAMETERS_CHANGED, EventLog
from metersim.gdw1376.stored import Stored
from metersim.gdw1376.ways import PASSWORD_OCTETS, Ways1376
from meterwire.gdw1376.functions import terminal
from meterwire.gdw1376.link.auxiliary import PASSWORD_AFNS, TimeTag
from meterwire.gdw1376.link.unit_ids import da_of, dt_of
from meterwire.gdw1376.messages.terminal import (
    ALL_CONFIRMED,
    ALL_DENIED,
    ONE_BY_ONE,
    Group,
    Message,
    Unit,
    unit,
)
from meterwire.gdw1376.sessions.terminal_server import Answers

DENIED: Final[Answers] = ()
DONE, FAILED = 0, 1
"""Results of 00 F3."""
_UNITS_MAX: Final = 1024
"""Units of one request that are looked at."""
_UNITS_TOLD_MAX: Final = 60
"""Units that one event names; its content has 255 octets."""
_FOUR_ZEROS: Final = bytes(4)
_CODED_03: Final = (1, 2)
_CURVE: Final = "curve"
_HALF_A_MONTH: Final = timedelta(days=15)


class Answering:
    """Answers of one terminal.

    Args:
        commands: what it does, and tells of itself.
        stored: what it tells of its meters.
        events: what it recorded.
        ways: how it does things.
        shown: its civil time.

    """

    def __init__(
        self,
        commands: Commands,
        stored: Stored,
        events: EventLog,
        ways: Ways1376,
        shown: Callable[[], datetime],
    ) -> None:
        self._commands = commands
        self._stored = stored
        self._events = events
        self._ways = ways
        self._shown = shown

    def is_late(self, message: Message) -> bool:
        """Whether a request is older than its time tag allows."""
        tag = message.auxiliary.time_tag
        if tag is None or not tag.delay_min:
            return False
        sent = _sent(tag, self._shown())
        return sent is not None and self._shown() - sent > timedelta(minutes=tag.delay_min)

    def admits(self, message: Message) -> bool:
        """Whether PW is that of the terminal; a wrong one is recorded."""
        password, given = self._ways.password, message.auxiliary.password
        if message.head.afn not in PASSWORD_AFNS or password is None or given == password[: len(given)]:
            return True
        padded = given.ljust(PASSWORD_OCTETS, b"\0")
        self._events.tell(NOT_AUTHENTICATED, self._shown(), pw=padded, msa=message.address.master)
        return False

    def answer(self, message: Message) -> Answers:
        """The frames of the answer to an admitted request; none: denied."""
        units = message.units[:_UNITS_MAX]
        if not units:
            return DENIED
        if self._commands.commands(message.head.afn):
            return self._obeyed(message, units)
        return self._packed(self._told(message.head.afn, units))

    # --- commands ---

    def _obeyed(self, message: Message, units: tuple[Unit, ...]) -> Answers:
        afn = message.head.afn
        results = [(one, self._commands.obey(afn, one)) for one in units]
        done = [one for one, good in results if good]
        if afn == terminal.SET and done:
            named = [_id(one) for one in done[:_UNITS_TOLD_MAX]]
            self._events.tell(PARAMETERS_CHANGED, self._shown(), msa=message.address.master, units=named)
        coded_03 = "f3_coded_03" in self._ways.quirks
        if not coded_03 and len(done) in {0, len(results)}:
            fn = ALL_CONFIRMED if done else ALL_DENIED
            return [[unit(terminal.CONFIRM, fn, way="up")]]
        told = [{"da_dt": _id(one), "err": DONE if good else FAILED} for one, good in results]
        found = unit(terminal.CONFIRM, ONE_BY_ONE, {"afn": f"{afn:02X}", "results": told}, way="up")
        return [[found._replace(functions=_CODED_03) if coded_03 else found]]

    # --- reads ---

    def _told(self, afn: int, units: Iterable[Unit]) -> list[Group]:
        found: list[Group] = []
        for one in units:
            if afn in {terminal.CLASS_1, terminal.CLASS_2}:
                found += map(self._as_it_sends, self._stored.answer(afn, one))
            else:
                found += self._commands.tell(afn, one)
        return found

    def _as_it_sends(self, group: Group) -> Group:
        """One make sends four zero octets behind each curve."""
        if "four_zeros" not in self._ways.quirks:
            return group
        [told] = group.units
        if told.function is None or told.function.mark != _CURVE:
            return group
        return group._replace(units=(told._replace(content=told.content + _FOUR_ZEROS),))

    def _packed(self, groups: Iterable[Group]) -> Answers:
        """Units to frames, as many as fit into each."""
        frames: list[list[Group]] = []
        room = 0
        for group in groups:
            octets = 4 + sum(len(one.content) for one in group.units)
            if octets > room:
                frames.append([])
                room = self._ways.frame_octets
            frames[-1].append(group)
            room -= octets
        return frames


def _id(one: Unit) -> bytes:
    return da_of((one.point,)) + dt_of((one.fn,))


def _sent(tag: TimeTag, shown: datetime) -> datetime | None:
    """When a request was made: the day, hour, minute and second of a time tag next to now."""
    if tag.time is None or not tag.time.day:
        return None
    months = (shown, shown.replace(day=1) - timedelta(days=1), shown.replace(day=28) + timedelta(days=4))
    found = [when for month in months if (when := _on(month, tag)) is not None]
    near = [when for when in found if abs(when - shown) <= _HALF_A_MONTH]
    return near[0] if near else None


def _on(month: datetime, tag: TimeTag) -> datetime | None:
    assert tag.time is not None, "asked before"
    try:
        return month.replace(
            day=tag.time.day or 0,
            hour=tag.time.hour or 0,
            minute=tag.time.minute or 0,
            second=tag.time.second or 0,
            microsecond=0,
        )
    except ValueError:
        return None
