"""What a meter of DL/T 645 shows of its relay and its wallet: status word 3, balances, prices.

Source: control-and-prepayment, 1.5 and 2.3; spec section 7.1.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final

from metersim.works.account import Account
from metersim.works.works import Works
from meterwire.dlt645 import Entry
from meterwire.item_value import Content

STATUS_WORD: Final = "meter_status_word_3"
SHOWN: Final = frozenset({STATUS_WORD, "remaining_balance", "overdraft_balance"})
"""The items that are shown here."""
_CENT: Final = Decimal("0.01")


class Balances:
    """What one meter shows.

    Args:
        works: the meter's.
        authenticated: whether somebody is, at a time.

    """

    def __init__(self, works: Works, *, authenticated: Callable[[datetime], bool]) -> None:
        self._works = works
        self._authenticated = authenticated

    def data(self, entry: Entry, at: datetime) -> tuple[bytes, dict[str, Decimal]] | None:
        """The data of an identifier of DL/T 645; ``None`` when it is none of these.

        Args:
            entry: any identifier.
            at: when it is asked for, aware; not before the last time.

        Returns:
            the octets behind the identifier, and the numbers in them by item.

        """
        content: Content = None
        if entry.item == STATUS_WORD:
            content = f"{self._works.status_word_3(at, authenticated=self._authenticated(at)):04X}"
        elif self._works.account is not None:
            content = _of_account(self._works.account, entry.item, at)
        if content is None:
            return None
        return entry.encode([content]), {entry.item: content} if isinstance(content, Decimal) else {}


def _of_account(account: Account, item: str, at: datetime) -> Decimal | None:
    match item:
        case "remaining_balance":
            return account.remaining_cents(at) * _CENT
        case "overdraft_balance":
            return account.overdraft_cents(at) * _CENT
        case _:
            return None
