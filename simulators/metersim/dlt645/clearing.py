"""What a meter is told to forget (19H, 1AH, 1BH): its largest demands, everything, its events.

Under a password in plain, the meter and its events only under level 02 and only on a meter that takes every
order so; one with a security module refuses it. A clear is a row of the history, and so a record of itself.
Source: DL/T 645-2007, 7.10 to 7.12; spec sections 2.1 and 2.2.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from metersim.dlt645.event_records import kind_of
from metersim.dlt645.passwords import Passwords
from metersim.works.conditions import EVERYTHING
from metersim.works.works import Works
from meterwire.dlt645 import AbnormalReply, Dictionary
from meterwire.dlt645.messages.clears_and_freezes import (
    ClearDemandRequest,
    ClearEventsRequest,
    ClearMeterRequest,
)
from meterwire.dlt645.messages.command import Acknowledgement

CLEAR_DEMAND: Final = 0x19
CLEAR_METER: Final = 0x1A
CLEAR_EVENTS: Final = 0x1B
CLEARS: Final = frozenset({CLEAR_DEMAND, CLEAR_METER, CLEAR_EVENTS})

ClearRequest = ClearDemandRequest | ClearMeterRequest | ClearEventsRequest

_ALL: Final = 0xFFFFFFFF
_DEMAND_LEVELS: Final = frozenset({2, 4})
_LEVELS: Final = frozenset({2})
_KEPT: Final = frozenset({"meter_clear", "event_clear"})
"""Kinds that cannot be cleared: they tell of clears."""
_OTHER: Final = b"\x01"
_NO_DATA: Final = b"\x02"
_PASSWORD: Final = b"\x04"


class ClearingDesk:
    """Where one meter is told to forget.

    Args:
        address: the meter's own.
        works: the meter's.
        dictionary: its identifiers.
        passwords: its passwords.

    """

    def __init__(self, address: str, works: Works, *, dictionary: Dictionary, passwords: Passwords) -> None:
        self._address = address
        self._works = works
        self._dictionary = dictionary
        self._passwords = passwords

    def answer(self, request: ClearRequest, at: datetime) -> Acknowledgement | AbnormalReply:
        """Forget, or refuse to.

        Args:
            request: to this meter.
            at: true time.

        """
        function = _FUNCTIONS[type(request)]
        err = self._refused(request, at) or self._cleared(request, at)
        if err is not None:
            return AbnormalReply(address=self._address, function=function, error_word=err)
        return Acknowledgement(address=self._address, function=function)

    def _refused(self, request: ClearRequest, at: datetime) -> bytes | None:
        """Why it may not be; a wrong password counts."""
        plain = self._works.switch.character.plain_orders
        free = plain == "all" or (plain == "closes" and isinstance(request, ClearDemandRequest))
        levels = _DEMAND_LEVELS if isinstance(request, ClearDemandRequest) else _LEVELS
        if not free or request.sealed or request.level not in levels:
            return _PASSWORD
        if not self._passwords.check(request.level, request.password, self._works.clock.shows(at)):
            return _PASSWORD
        return _OTHER if self._works.history.is_full else None

    def _cleared(self, request: ClearRequest, at: datetime) -> bytes | None:
        history, who = self._works.history, request.operator_code
        match request:
            case ClearDemandRequest():
                history.happen(at, "demand_cleared", operator_code=who)
            case ClearMeterRequest():
                history.happen(at, "registers_cleared", operator_code=who, **{EVERYTHING: "yes"})
            case ClearEventsRequest():
                return self._clear_events(request, at)
        return None

    def _clear_events(self, request: ClearEventsRequest, at: datetime) -> bytes | None:
        details = {"operator_code": request.operator_code, "cleared_di": f"{request.event:08X}"}
        if request.event != _ALL:
            kind = kind_of(self._dictionary, request.event)
            if kind is None:
                return _NO_DATA
            if kind in _KEPT:
                return _OTHER
            details["kind"] = kind
        self._works.history.happen(at, "events_cleared", **details)
        return None


_FUNCTIONS: Final = {
    ClearDemandRequest: CLEAR_DEMAND,
    ClearMeterRequest: CLEAR_METER,
    ClearEventsRequest: CLEAR_EVENTS,
}
