"""What changes a meter of DL/T 645-1997: a frame and a time in, an answer or silence out.

Writes (04H), passwords (0FH) and the clear of the demands (10H), each under a password, and the time for all
(08H). There are no security modules and no operator codes. The speed (0CH) is that of the line and stays.
Source: DL/T 645-1997, 6; spec section 9.1.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from meterprofiles import Profile
from metersim.dlt645.broadcast_time import take_broadcast_time
from metersim.dlt645.parameters import parameters_of
from metersim.dlt645.passwords import Passwords
from metersim.works.works import Works
from meterwire.dlt645 import AbnormalReply, Entry, Frame, Message, from_frame, to_frame
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.address_and_baud import BaudRequest
from meterwire.dlt645.messages.clears_and_freezes import ClearDemandRequest
from meterwire.dlt645.messages.command import Acknowledgement
from meterwire.dlt645.messages.command_codec import address_kind
from meterwire.dlt645.messages.programming import ChangePasswordReply, ChangePasswordRequest, WriteRequest
from meterwire.dlt645.messages.time_and_terminals import BroadcastTime
from meterwire.errors import RemoteProtocolError
from meterwire.item_value import Content

EDITION: Final[Edition] = "dlt645-1997"
WRITE: Final = 0x04
SET_TIME: Final = 0x08
SET_SPEED: Final = 0x0C
CHANGE_PASSWORD: Final = 0x0F
CLEAR_DEMAND: Final = 0x10
FUNCTIONS: Final = frozenset({WRITE, SET_TIME, SET_SPEED, CHANGE_PASSWORD, CLEAR_DEMAND})

ILLEGAL_DATA: Final = b"\x01"
NO_SUCH_DATA: Final = b"\x02"
WRONG_PASSWORD: Final = b"\x04"

_CLOCK: Final = ("meter_date", "meter_time")
_WHOLE_CLOCK: Final = "meter_clock"
_USER_NUMBER: Final = "user_number"


class _Refused(Exception):
    """An ERR octet."""

    def __init__(self, err: bytes) -> None:
        super().__init__()
        self.err = err


class Commands1997:
    """Everything of one meter that commands of 1997 change.

    Args:
        address: the meter's own.
        profile: which model it is.
        works: its clock and what happens to it.
        passwords: by level, 6 digits each; the others are 000000.

    Attributes:
        written: items that are told as somebody wrote them.

    Raises:
        ValueError: no level, or no password.

    """

    def __init__(
        self, address: str, *, profile: Profile, works: Works, passwords: Mapping[int, str] | None
    ) -> None:
        self._address = address
        self._dictionary = profile.dictionary
        self._works = works
        self._first_passwords = Passwords(passwords) if passwords else None
        self.written: dict[str, Content] = {}

    @functools.cached_property
    def _passwords(self) -> Passwords:
        """Made when the first one comes: most meters of a plant are only read."""
        return self._first_passwords or Passwords()

    def hears(self, frame: Frame) -> bool:
        """Whether a frame with one of `FUNCTIONS` is for this meter."""
        everybody = frame.function == SET_TIME and address_kind(frame.address) == "broadcast"
        return everybody or frame.address == self._address

    def answer(self, frame: Frame, at: datetime) -> Frame | None:
        """What it says to a frame with one of `FUNCTIONS`; ``None`` when it is silent.

        Args:
            frame: to this meter.
            at: true time, to which everything was brought.

        """
        try:
            answer = self._obey(from_frame(frame, EDITION), at)
        except _Refused as refused:
            answer = self._refusal(frame.function, refused.err)
        except RemoteProtocolError:
            if frame.function == SET_TIME:
                return None
            answer = self._refusal(frame.function, ILLEGAL_DATA)
        return None if answer is None else to_frame(answer, EDITION)

    def _obey(self, message: Message, at: datetime) -> Message | None:
        match message:
            case BroadcastTime():
                take_broadcast_time(self._works, message, at)
            case WriteRequest():
                return self._write(message, at)
            case ChangePasswordRequest():
                return self._change_password(message, at)
            case ClearDemandRequest():
                return self._clear_demand(message, at)
            case BaudRequest():  # its speed is that of its line
                raise _Refused(ILLEGAL_DATA)
        return None

    def _write(self, request: WriteRequest, at: datetime) -> Acknowledgement:
        entry = self._dictionary.by_di(request.di)
        self._check_password(request.level, request.password, at)
        if entry is None:
            raise _Refused(NO_SUCH_DATA)
        before = self._works.clock.shows(at)
        contents = self._contents(entry, request.payload)
        if self._works.history.is_full:
            raise _Refused(ILLEGAL_DATA)
        self._set(contents, at)
        self._works.history.happen(
            at, "programmed", event_at=f"{before:%Y-%m-%d %H:%M:%S}", written_di=f"{request.di:04X}"
        )
        return Acknowledgement(address=self._address, function=WRITE)

    def _contents(self, entry: Entry, data: bytes) -> dict[str, Content]:
        """What is written, by item; only the clock and the user's number can be."""
        if not entry.items or not {*entry.items} <= {*_CLOCK, _USER_NUMBER}:
            raise _Refused(NO_SUCH_DATA)
        values = entry.decode(data)
        if any(value.problem is not None or value.content is None for value in values):
            raise _Refused(ILLEGAL_DATA)
        return {value.item: value.content for value in values}

    def _set(self, contents: Mapping[str, Content], at: datetime) -> None:
        """The clock is set once, also where its date and its time come together."""
        parameters = parameters_of(self._works)
        given = dict(contents)
        if set(_CLOCK) <= given.keys():
            given = {_WHOLE_CLOCK: " ".join(str(given[item]) for item in _CLOCK)}
        try:
            for item, content in given.items():
                if item == _USER_NUMBER:
                    self.written[item] = content
                else:
                    parameters[item].write(content, at)
        except ValueError:  # of no calendar, or too far from the true time
            raise _Refused(ILLEGAL_DATA) from None

    def _change_password(self, request: ChangePasswordRequest, at: datetime) -> ChangePasswordReply:
        """A new password under the old one, or under that of a higher level (0 is the highest)."""
        if request.level > request.new_level:
            raise _Refused(WRONG_PASSWORD)
        self._check_password(request.level, request.password, at)
        try:
            self._passwords.change(request.new_level, request.new_password)
        except ValueError:
            raise _Refused(ILLEGAL_DATA) from None
        return ChangePasswordReply(
            address=self._address, new_level=request.new_level, new_password=request.new_password
        )

    def _clear_demand(self, request: ClearDemandRequest, at: datetime) -> Acknowledgement:
        self._check_password(request.level, request.password, at)
        if self._works.history.is_full:
            raise _Refused(ILLEGAL_DATA)
        self._works.history.happen(at, "demand_cleared")
        return Acknowledgement(address=self._address, function=CLEAR_DEMAND)

    def _check_password(self, level: int, password: str, at: datetime) -> None:
        if not self._passwords.check(level, password, self._works.clock.shows(at)):
            raise _Refused(WRONG_PASSWORD)

    def _refusal(self, function: int, err: bytes) -> AbnormalReply:
        return AbnormalReply(address=self._address, function=function, error_word=err)
