"""The security module of a meter in DL/T 698.45, object F100: what it tells of itself, and money in and out.

Keys are not updated here, and files of the module not read: the suite has no formulas for them.
Source: spec section 4.7 of control and prepayment.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from metersim.dlt698.circumstances import (
    CLASS_UNFIT,
    HOARDING,
    NOT_AUTHENTICATED,
    OTHER,
    OUT_OF_RANGE,
    REPEATED,
    TYPE_UNFIT,
    WRONG_COUNT,
    WRONG_CUSTOMER,
    WRONG_MAC,
    Circumstances,
    Done,
    Unfit,
    members,
)
from metersim.dlt698.envelopes import DARS, Envelopes
from metersim.dlt698.money import ALARM_LIMITS, OTHER_LIMITS
from metersim.security.failures import NotAccepted
from metersim.security.module import KEY_VERSION, VERSION, LabModule
from metersim.security.suite698 import SID
from metersim.works.account import Account, TopUpResult
from meterwire.dlt698.apdus.parts import SUCCESS, ActionItem, Dar, SetItem
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import Data, DateTimeS

ESAM: Final = 0xF100
CUSTOMER_OCTETS: Final = 6
METER_NUMBER_OCTETS: Final = 6

_KEPT: Final = (Oad(ALARM_LIMITS, 2, 0), Oad(OTHER_LIMITS, 2, 0))
_OPEN, _TOP_UP, _REFUND = 0, 1, 2
_PURSE_DATA: Final = bytes((0, 0x12))
_PRESET_DATA: Final = bytes((0, 0x08))
_LIMIT_OCTETS: Final = 4
_MINUTE: Final = timedelta(minutes=1)
_CAUSES: Final[dict[str | None, Dar]] = {
    None: SUCCESS,
    "customer_number_mismatch": WRONG_CUSTOMER,
    "esam_verification_failed": WRONG_MAC,
    "repeat_topup": REPEATED,
    "purchase_count_error": WRONG_COUNT,
    "hoarding_limit_exceeded": HOARDING,
    "other": OTHER,
}


class EsamPart:
    """Object F100 of one meter.

    Args:
        envelopes: has the security module.
        meter_number: 12 digits.
        shows: what the meter's clock shows at a true time.
        account: its wallet, where it has one.

    """

    objects: Final = frozenset({ESAM})

    def __init__(
        self,
        envelopes: Envelopes,
        meter_number: str,
        *,
        shows: Callable[[datetime], datetime],
        account: Account | None,
    ) -> None:
        self._envelopes = envelopes
        self._meter_number = bytes.fromhex(meter_number)
        self._shows = shows
        self._account = account

    def read(self, oad: Oad, at: datetime) -> Data | None:
        """What the module tells of itself."""
        if oad.attribute == 13:
            return Data("array", tuple(Data("OAD", one) for one in _KEPT if self._account))
        shown = _ATTRIBUTES.get(oad.attribute)
        return shown(self._envelopes.module, self._shows(at)) if shown else None

    def write(self, item: SetItem, how: Circumstances) -> Dar | None:
        """None: its attributes are read only."""
        del item, how
        return None

    def act(self, item: ActionItem, how: Circumstances) -> Done | None:
        """End or limit the association, or move money."""
        match item.omd.method:
            case 5:
                return self._end(item.data, how)
            case 6:
                return Done(self._money(item.data, how))
            case 9:
                return Done(self._limit(item.data))
            case 10:
                return Done(self._initialise(item.data, how))
            case _:
                return None

    def _end(self, data: Data, how: Circumstances) -> Done:
        if data.type != "null":
            raise Unfit(TYPE_UNFIT)
        self._envelopes.end()
        return Done(SUCCESS, Data("date_time_s", DateTimeS.of(self._shows(how.at))))

    def _limit(self, data: Data) -> Dar:
        """Four octets of minutes: how an encryption machine packs them for a real module is not public."""
        octets, sid = members(data, "octet-string", "SID")
        if len(octets) != _LIMIT_OCTETS or sid.id != SID:
            return OUT_OF_RANGE
        try:
            self._envelopes.module.association.set_limit(int.from_bytes(octets, "big"))
        except NotAccepted as refused:
            return DARS[refused.cause]
        return SUCCESS

    def _money(self, data: Data, how: Circumstances) -> Dar:
        types = ("integer", *["double-long-unsigned"] * 2, "octet-string", "SID_MAC", "octet-string")
        operation, cents, count, customer, proof, number = members(data, *types)
        account = self._account
        if account is None:
            return CLASS_UNFIT
        fits = len(customer) == CUSTOMER_OCTETS and customer.hex().isdecimal()
        if not fits or len(number) != METER_NUMBER_OCTETS or operation not in {_OPEN, _TOP_UP, _REFUND}:
            return OUT_OF_RANGE
        if number != self._meter_number:
            return OTHER
        shown = self._shows(how.at)
        if not self._envelopes.module.association.valid(shown):
            return NOT_AUTHENTICATED

        def sealed() -> bool:
            """Asked when its turn comes: a wrong customer or count is no wrong MAC."""
            return (proof.id, proof.data) == (SID, _PURSE_DATA) and self._proved(
                lambda: self._envelopes.module.association.check_purse(
                    cents, count, customer.hex(), mac=proof.mac, shown=shown
                )
            )

        if operation == _REFUND:
            result = account.refund(cents, count, customer.hex(), how.at, sealed=sealed)
        else:
            take = account.open_account if operation == _OPEN else account.top_up
            result = take(cents, count, customer.hex(), how.at, came_by="698.45", amount_sealed=sealed)
        return _verdict(result)

    def _initialise(self, data: Data, how: Circumstances) -> Dar:
        cents, proof = members(data, "double-long-unsigned", "SID_MAC")
        if self._account is None:
            return CLASS_UNFIT
        shown = self._shows(how.at)
        association = self._envelopes.module.association
        if not association.valid(shown):
            return NOT_AUTHENTICATED

        def sealed() -> bool:
            return (proof.id, proof.data) == (SID, _PRESET_DATA) and self._proved(
                lambda: association.check_preset(cents, mac=proof.mac, shown=shown)
            )

        return _verdict(self._account.initialise(cents, 0, how.at, came_by="698.45", sealed=sealed))

    def _proved(self, check: Callable[[], None]) -> bool:
        try:
            check()
        except NotAccepted:
            return False
        return True


def _counters(module: LabModule, _: datetime) -> Data:
    counters = (module.association.counter, 0, 0)
    return Data("structure", tuple(Data("double-long-unsigned", one) for one in counters))


def _left(module: LabModule, shown: datetime) -> Data:
    """Minutes, those begun too."""
    return Data("double-long-unsigned", -(-module.association.left(shown) // _MINUTE))


_ATTRIBUTES: Final[dict[int, Callable[[LabModule, datetime], Data]]] = {
    2: lambda module, _: Data("octet-string", module.serial),
    3: lambda _, __: Data("octet-string", VERSION),
    4: lambda _, __: Data("octet-string", KEY_VERSION),
    5: lambda module, _: Data("double-long-unsigned", module.association.limit_minutes),
    6: _left,
    7: _counters,
    14: lambda _, __: Data("double-long-unsigned", 0),
    15: lambda _, __: Data("double-long-unsigned", 0),
}


def _verdict(result: TopUpResult) -> Dar:
    return _CAUSES[result.cause]
