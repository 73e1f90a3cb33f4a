"""The wallet of a meter in DL/T 698.45: what is in it (202C to 202E), and its limits (401E, 401F).

Money goes in through the security module (`metersim.dlt698.esam`). Source: spec section 4.6.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Final

from metersim.dlt698.circumstances import OUT_OF_RANGE, Circumstances, Done, members
from metersim.works.account import CEILING_CENTS, Account
from meterwire.dlt698.apdus.parts import SUCCESS, ActionItem, Dar, SetItem
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import Data

WALLET: Final = 0x202C
OVERDRAFT: Final = 0x202D
PURCHASES: Final = 0x202E
ALARM_LIMITS: Final = 0x401E
OTHER_LIMITS: Final = 0x401F

_LIMITS: Final = {
    ALARM_LIMITS: ("alarm_1", "alarm_2"),
    OTHER_LIMITS: ("overdraft", "hoarding", "permit_close"),
}


class MoneyPart:
    """The objects of the wallet.

    Args:
        account: the wallet.

    """

    objects: Final = frozenset({WALLET, OVERDRAFT, PURCHASES, *_LIMITS})

    def __init__(self, account: Account) -> None:
        self._account = account

    def read(self, oad: Oad, at: datetime) -> Data | None:
        """Money and limits, in cents."""
        account = self._account
        if oad.attribute != 2:
            return None
        if oad.oi == WALLET:
            return _cents(account.remaining_cents(at), account.purchase_count)
        if oad.oi == OVERDRAFT:
            return Data("double-long-unsigned", account.overdraft_cents(at))
        if oad.oi == PURCHASES:
            return Data("double-long-unsigned", max(account.purchased_cents, 0))
        return _cents(*(getattr(account.limits, name) for name in _LIMITS[oad.oi]))

    def write(self, item: SetItem, how: Circumstances) -> Dar | None:
        """Limits; whoever is broke by a new one is tripped at once."""
        names = _LIMITS.get(item.oad.oi, ())
        if not names or item.oad != Oad(item.oad.oi, 2, 0):
            return None
        cents: tuple[int, ...] = members(item.data, *["double-long-unsigned"] * len(names))
        if max(cents) > CEILING_CENTS:
            return OUT_OF_RANGE
        changed = dict(zip(names, cents, strict=True))
        self._account.set_limits(dataclasses.replace(self._account.limits, **changed), how.at)
        return SUCCESS

    def act(self, item: ActionItem, how: Circumstances) -> Done | None:
        """None: money moves by methods of F100."""
        del item, how
        return None


def _cents(*numbers: int) -> Data:
    return Data("structure", tuple(Data("double-long-unsigned", number) for number in numbers))
