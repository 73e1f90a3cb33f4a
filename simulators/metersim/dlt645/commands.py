"""What changes a meter of DL/T 645-2007: a frame and a time in, an answer or silence out.

Control (1CH), security and wallet (03H), writes (14H), passwords (18H), freezes (16H), and the time for all
(08H). Only what the standard sends to everybody is taken from everybody; control of all is heard by no meter
but one that is built to be wrong.
Source: DL/T 645-2007, 7; control-and-prepayment, 1 and 2.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from meterprofiles import Profile
from metersim.dlt645.balances import SHOWN, Balances
from metersim.dlt645.broadcast_time import take_broadcast_time
from metersim.dlt645.clearing import CLEARS, ClearingDesk
from metersim.dlt645.control import ControlDesk
from metersim.dlt645.parameters import ITEMS
from metersim.dlt645.passwords import Passwords
from metersim.dlt645.programming import CHANGE_PASSWORD, WRITE, Levels, Programming
from metersim.dlt645.relay import RelayRecords
from metersim.dlt645.wallet import WalletDesk
from metersim.security.identity import Identity645
from metersim.security.module import LabModule
from metersim.works.freezes import INSTANT, TIMED
from metersim.works.moments import to_us
from metersim.works.works import Works
from meterwire.dlt645 import AbnormalReply, Entry, Frame, Message, from_frame, to_frame
from meterwire.dlt645.items.dialects import dialects
from meterwire.dlt645.link.functions import CONTROL, SECURITY
from meterwire.dlt645.messages.address_and_baud import BaudRequest
from meterwire.dlt645.messages.clears_and_freezes import (
    ClearDemandRequest,
    ClearEventsRequest,
    ClearMeterRequest,
    FreezeRequest,
)
from meterwire.dlt645.messages.command import Acknowledgement
from meterwire.dlt645.messages.command_codec import address_kind
from meterwire.dlt645.messages.control import ControlRequest, SealedControlRequest, SecurityRequest
from meterwire.dlt645.messages.programming import ChangePasswordRequest, WriteRequest
from meterwire.dlt645.messages.time_and_terminals import BroadcastTime
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.item_value import Content

SET_TIME: Final = 0x08
FREEZE: Final = 0x16
SET_SPEED: Final = 0x17
FUNCTIONS: Final = frozenset(
    {SET_TIME, SECURITY, WRITE, FREEZE, CHANGE_PASSWORD, CONTROL, SET_SPEED, *CLEARS}
)
TO_ALL: Final = frozenset({SET_TIME, FREEZE})
"""What goes to everybody, and is answered by nobody then."""

_PRICES: Final = "tariff_price_setting"
_ITEMS: Final = ITEMS | SHOWN
_RELAY: Final = "relay_"
_NOW: Final = "99999999"
_OTHER_ERROR: Final = b"\x01"
_FIXED_SPEED: Final = b"\x08"


class Commands:
    """Everything of one meter that commands change.

    Args:
        address: the meter's own.
        profile: which model it is.
        works: its clock, switch, wallet and memory, and what it measures.
        seed: seed of the plant.
        passwords: by level, 6 digits each; the others are 000000.

    Raises:
        ValueError: no level, or no password.

    """

    def __init__(
        self,
        address: str,
        *,
        profile: Profile,
        works: Works,
        seed: int,
        passwords: Mapping[int, str] | None,
    ) -> None:
        self._address = address
        self._profile = profile
        self._works = works
        self._seed = seed
        self._passwords = Passwords(passwords) if passwords else None

    def lose_power(self) -> None:
        """Nobody is authenticated any more, when somebody was."""
        if "module" in self.__dict__:
            self.module.identity.lose_power()

    # Most meters of a plant are only read: what commands need is made when the first one comes.

    @functools.cached_property
    def _known_passwords(self) -> Passwords:
        return self._passwords or Passwords()

    @functools.cached_property
    def _control(self) -> ControlDesk:
        return ControlDesk(
            self._address,
            self._works,
            passwords=self._known_passwords,
            identity=self._identity_of,
            cipher_level=_levels(self._profile).cipher,
        )

    @functools.cached_property
    def _wallet(self) -> WalletDesk:
        return WalletDesk(self._address, self._works, module=lambda: self.module)

    @functools.cached_property
    def _programming(self) -> Programming:
        return Programming(
            self._address,
            self._works,
            dictionary=self._profile.dictionary,
            passwords=self._known_passwords,
            identity=self._identity_of,
            levels=_levels(self._profile),
        )

    @functools.cached_property
    def _clearing(self) -> ClearingDesk:
        return ClearingDesk(
            self._address, self._works, dictionary=self._profile.dictionary, passwords=self._known_passwords
        )

    @functools.cached_property
    def module(self) -> LabModule:
        """The security module."""
        return LabModule(self._works.plate.meter_number, seed=self._seed)

    def hears(self, frame: Frame) -> bool:
        """Whether a frame with one of `FUNCTIONS` is for this meter."""
        if frame.address == self._address:
            return True
        if frame.function in TO_ALL and address_kind(frame.address) == "broadcast":
            return True
        obeys_everybody = self._works.switch.character.obeys_everybody
        return (
            frame.function == CONTROL
            and obeys_everybody
            and address_kind(frame.address) in {"broadcast", "wildcard"}
        )

    def answer(self, frame: Frame, at: datetime) -> Frame | None:
        """What it says to a frame with one of `FUNCTIONS`; ``None`` when it is silent."""
        if not self.hears(frame):
            return None
        at = self._works.advance(at)
        try:
            answer = self._obey(from_frame(frame), at)
        except RemoteProtocolError:
            answer = self._unreadable(frame.function)
        everybody = address_kind(frame.address) == "broadcast"
        return None if answer is None or everybody else to_frame(answer)

    def data(self, entry: Entry, at: datetime) -> tuple[bytes, dict[str, Decimal]] | None:
        """The data of an identifier that commands change, or that tells of them; ``None``: it is none.

        Args:
            entry: any identifier.
            at: when it is asked for, aware; not before the last time.

        Returns:
            the octets behind the identifier, and the numbers in them by item.

        """
        if entry.item not in _ITEMS and _RELAY not in entry.item:
            return None
        at = self._works.advance(at)
        return (
            Balances(self._works, authenticated=self._authenticated).data(entry, at)
            or self._programming.data(entry, at)
            or RelayRecords(self._works).data(entry, at)
        )

    def content(self, item: str, at: datetime) -> Content:
        """What one parameter holds; ``None``: it is no parameter of this meter that can be written.

        Args:
            item: e.g. ``"tariff_price_setting.t1"``, of the first set.
            at: when it is asked for, aware.

        """
        if item.startswith(_PRICES):
            item += "@set.1"
        return self._programming.content(item, at) if item in ITEMS else None

    def _obey(self, message: Message, at: datetime) -> Message | None:
        match message:
            case BroadcastTime():
                take_broadcast_time(self._works, message, at)
                return None
            case BaudRequest():  # its speed is that of its line
                return AbnormalReply(address=self._address, function=SET_SPEED, error_word=_FIXED_SPEED)
            case FreezeRequest():
                return self._freeze(message, at)
            case ClearDemandRequest() | ClearMeterRequest() | ClearEventsRequest():
                return self._clearing.answer(message, at)
        return self._obey_secured(message, at)

    def _obey_secured(self, message: Message, at: datetime) -> Message | None:
        match message:
            case ControlRequest() | SealedControlRequest():
                return self._control.answer(message, at)
            case SecurityRequest():
                return self._wallet.answer(message, at)
            case WriteRequest():
                return self._programming.write(message, at)
            case ChangePasswordRequest():
                return self._programming.change_password(message, at)
        return None

    def _unreadable(self, function: int) -> Message | None:
        if function == CONTROL:
            return self._control.unreadable()
        if function == SECURITY:
            return self._wallet.refused("other")
        return None if function == SET_TIME else self._programming.unreadable(function)

    def _freeze(self, request: FreezeRequest, at: datetime) -> Message:
        """Freeze now, or by a pattern from now on, which takes the place of the one before."""
        history = self._works.history
        done = Acknowledgement(address=self._address, function=FREEZE)
        refused = AbnormalReply(address=self._address, function=FREEZE, error_word=_OTHER_ERROR)
        try:
            request.check(self._profile.edition)
        except LocalProtocolError:  # no pattern of the standard
            return refused
        details = {"table": INSTANT}
        if request.pattern != _NOW:
            details = {"table": TIMED, "pattern": request.pattern}
            if self._freezes_by(at) == request.pattern:
                return done
        if history.is_full:
            return refused
        history.happen(at, "frozen", **details)
        return done

    def _freezes_by(self, at: datetime) -> object:
        """The pattern by which the meter that hangs there freezes; ``None``: none."""
        rows = self._works.history.since_last(to_us(at), "frozen")
        own = (row.details for row in rows if row.at >= self._works.hung_since)
        return next((details["pattern"] for details in own if "pattern" in details), None)

    def _identity_of(self) -> Identity645:
        return self.module.identity

    def _authenticated(self, at: datetime) -> bool:
        made = "module" in self.__dict__
        return made and self.module.identity.valid(self._works.clock.shows(at))


def _levels(profile: Profile) -> Levels:
    """The password levels of a profile's dialect."""
    spoken = next(one for one in dialects() if (one.edition, one.name) == (profile.edition, profile.spoken))
    return Levels(spoken.cipher_level, spoken.mac_level)
