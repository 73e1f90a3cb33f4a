"""What acquisition knows of a protocol: items in, measured values out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.model.marks import Marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One value as a meter sent it.

    Args:
        item: name from the catalogue.
        period: for which time it stands (``settlement.1``); empty for "now".
        value: exact; ``None`` for a text or time, and when ``marks`` says why.
        text: the content for people, whatever it is; ``None`` when ``marks`` says why.
        unit: as in ``Reading``.
        marks: what is doubtful about it.

    """

    item: str
    period: str
    value: Decimal | None
    text: str | None
    unit: str
    marks: Marks

    @property
    def name(self) -> str:
        """Item and period as they are asked for: ``forward_active_energy@settlement.1``."""
        return f"{self.item}@{self.period}" if self.period else self.item


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterAnswer:
    """What one exchange brought.

    Args:
        values: in the order of the protocol; a block has several.
        taken_at: when the answer was complete; aware, UTC.

    """

    values: tuple[Measured, ...]
    taken_at: datetime


class Driver(Protocol):
    """One protocol's way to read; holds nothing between exchanges."""

    def check_item(self, item: str) -> None:
        """Refuse an item that this protocol does not have, or that cannot be read (a password).

        Raises:
            UnknownItem: not in the dictionary; the message names near ones.

        """

    def check_instant(self, item: str) -> None:
        """Refuse an item that cannot be kept as a value of the moment: of another time, or no number.

        Raises:
            UnknownItem: not in the dictionary, or not of that kind; the message says which.

        """

    async def read(self, line: Line, address: str, item: str, *, priority: Priority) -> MeterAnswer:
        """Read one item (or block, ``voltage.*``) of one meter in one exchange.

        Raises:
            UnknownItem: not in the dictionary.
            Refused: the meter said no.
            BadAnswer: the answer does not fit the item.
            ReplyTimeout, LineLost, LineBusy, LineClosed, BusFull: from the line.

        """
