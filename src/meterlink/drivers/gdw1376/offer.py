"""What can be read of meters behind a terminal of Q/GDW 1376.1: what they have, and what it keeps of them.

A terminal keeps daily freezes of meters that freeze nothing themselves, and values that a meter's protocol
has no word for. Where both have a thing, the meter's own protocol says what it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from meterlink.drivers.base import DAY_S, Depth, Offer
from meterlink.drivers.gdw1376.store import is_stored, is_told_now
from meterlink.errors import UnknownItem
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, MONTHLY_FREEZE, DataClass

STORE_DEPTHS: Mapping[DataClass, Depth] = {
    DAILY_FREEZE: Depth(records=31, every_s=DAY_S),
    MONTHLY_FREEZE: Depth(records=12, every_s=0),
    CURVE: Depth(records=31 * 96, every_s=900),
}
"""What terminals keep at the least, where the meter itself keeps no such class."""


class TerminalOffer:
    """An ``Offer`` of meters behind a terminal.

    Args:
        inner: what they have themselves.
        tells_now: what the terminal has read lately counts as a value of the moment.

    """

    def __init__(self, inner: Offer, *, tells_now: bool) -> None:
        self._inner = inner
        self._tells_now = tells_now
        self.check_status = inner.check_status
        self.event_kinds = inner.event_kinds

    @property
    def has_events(self) -> bool:
        """See ``EventReader.has_events``."""
        return self._inner.has_events

    @property
    def stored(self) -> Mapping[DataClass, Depth]:
        """See ``MemoryReader.stored``."""
        return {**STORE_DEPTHS, **self._inner.stored}

    def check_item(self, item: str) -> None:
        """See ``Driver.check_item``."""
        try:
            self._inner.check_item(item)
        except UnknownItem:
            if not (self._tells_now and is_told_now(item)):
                raise

    def check_instant(self, item: str) -> None:
        """See ``Driver.check_instant``."""
        if not self.is_the_terminals(item):
            self._inner.check_instant(item)

    def check_stored(self, data_class: DataClass, item: str) -> None:
        """See ``MemoryReader.check_stored``."""
        if not is_stored(data_class, item):
            self._inner.check_stored(data_class, item)

    def is_the_terminals(self, item: str) -> bool:
        """Whether the terminal tells a value of the moment for which the meters have no word."""
        if not (self._tells_now and is_told_now(item)):
            return False
        try:
            self._inner.check_item(item)
        except UnknownItem:
            return True
        return False
