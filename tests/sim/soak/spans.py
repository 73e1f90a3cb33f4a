"""Stretches of time, as seconds since the simulation began: cut out of each other, and in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """From ``begin`` on, before ``end``; seconds since the start."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.begin

    def overlaps(self, begin: float, end: float) -> bool:
        """Whether some of it lies between two times."""
        return self.begin < end and begin < self.end


def without(spans: Sequence[Span], holes: Iterable[Span]) -> list[Span]:
    """What is left of stretches when others are cut out."""
    left = list(spans)
    for hole in holes:
        left = [
            piece
            for span in left
            for piece in (
                Span(span.begin, min(span.end, hole.begin)),
                Span(max(span.begin, hole.end), span.end),
            )
            if piece.begin < piece.end
        ]
    return left


def after(spans: Iterable[Span], moment: float) -> list[Span]:
    """What of stretches lies behind a moment."""
    return [Span(max(span.begin, moment), span.end) for span in spans if span.end > moment]
