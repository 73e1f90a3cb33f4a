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
from meterwire.dlt645.items.bit_words import bit_words
from meterwire.item_value import Content

STATUS_WORD: Final = "meter_status_word_3"
SHOWN: Final = frozenset({STATUS_WORD, "remaining_balance", "overdraft_balance"})
"""The items that are shown here."""
_CENT: Final = Decimal("0.01")
_TRIPPED_VENDOR: Final = 1 << 1
"""Bit of the vendor's word: tripped by command; it shows no command and no alarm where others do."""
_ALWAYS_VENDOR: Final = 1 << 9


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
            content = self.status_word(at)
        elif self._works.account is not None:
            content = _of_account(self._works.account, entry.item, at)
        if content is None:
            return None
        return entry.encode([content]), {entry.item: content} if isinstance(content, Decimal) else {}

    def status_word(self, at: datetime) -> str:
        """Status word 3 as four hexadecimal digits, highest first."""
        switch, account = self._works.switch, self._works.account
        bits = {
            "relay_open": switch.contact_open,
            "guarantee": switch.guarantee,
            "auth_valid": self._authenticated(at),
            "local_account_closed": account is None or not account.opened,
        }
        word = 0
        if switch.character.status_word == "vendor":
            word = _ALWAYS_VENDOR | (_TRIPPED_VENDOR if switch.command_open else 0)
        else:
            bits["command_open"] = switch.command_open
            bits["pre_trip_alarm"] = switch.alarm or (account is not None and account.alarm_level(at) > 0)
            bits["money_prepaid"] = account is not None
            bits["remote_account_closed"] = switch.character.payment != "remote"
        places = {bit.name: bit.place for bit in bit_words()[STATUS_WORD]}
        word |= sum(1 << places[name] for name, is_set in bits.items() if is_set)
        return f"{word:04X}"


def _of_account(account: Account, item: str, at: datetime) -> Decimal | None:
    match item:
        case "remaining_balance":
            return account.remaining_cents(at) * _CENT
        case "overdraft_balance":
            return account.overdraft_cents(at) * _CENT
        case _:
            return None
