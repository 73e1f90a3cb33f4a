"""One value out of a device's answer, in any protocol: what it is, and its content or why there is none."""

from __future__ import annotations

from decimal import Decimal
from typing import Generic, NamedTuple, TypeVar

Content = Decimal | str | None
"""A number with the digits that were sent, or text; ``None`` where there is a problem."""

ProblemT = TypeVar("ProblemT", bound=str)
"""What a protocol calls the reasons why a value has no content."""
RawT = TypeVar("RawT")
"""What a protocol takes a value out of."""


class Label(NamedTuple):
    """What one value is: its item and the words for it.

    ``period`` says for which time or element it stands (``settlement.1``, ``number.1``); empty for "now".
    ``word`` is the word of ``bit_words.csv`` whose bits the content holds; empty for any other content, and
    where the value's format says it.
    """

    item: str
    period: str
    en: str
    zh: str
    unit: str
    word: str = ""

    @property
    def key(self) -> str:
        """The item, ``@`` and the period behind."""
        return f"{self.item}@{self.period}" if self.period else self.item


class LabelledValue(NamedTuple, Generic[ProblemT, RawT]):
    """One value; each protocol derives its own ``ItemValue``.

    Args:
        label: what it is.
        content: number or text, ``None`` when ``problem`` says why.
        problem: why there is no content; ``None`` when there is.
        raw: as the device sent it.

    """

    label: Label
    content: Content
    problem: ProblemT | None
    raw: RawT

    def __repr__(self) -> str:
        """All but what was sent, which may be secret."""
        return f"{type(self).__name__}({self.label.key!r}, {self.content!r}, {self.problem!r})"

    @property
    def item(self) -> str:
        """Item name, e.g. ``forward_active_energy.t1``."""
        return self.label.item

    @property
    def name(self) -> str:
        """English words."""
        return self.label.en

    @property
    def zh(self) -> str:
        """Chinese words."""
        return self.label.zh

    @property
    def unit(self) -> str:
        """Unit, or empty."""
        return self.label.unit

    @property
    def period(self) -> str:
        """For which time or element the value stands; empty for "now"."""
        return self.label.period

    @property
    def value(self) -> Decimal | None:
        """The number, exact; ``None`` for text and where there is a problem."""
        return self.content if isinstance(self.content, Decimal) else None

    @property
    def text(self) -> str | None:
        """The content for people: decimals kept, times as ``2026-09-08 14:25:00``."""
        if not isinstance(self.content, Decimal):
            return self.content
        text = str(self.content)  # in a quarter of the time; an exponent is seldom
        return format(self.content, "f") if "E" in text else text
