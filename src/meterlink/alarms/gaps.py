"""Days without a freeze between two with one that nobody could fetch any more. Source: FRZ-02."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

from meterlink.alarms.finding import LOOK_BACK, Finding, Span, area_of, due
from meterlink.alarms.rules import FRZ_GAP
from meterlink.billing.days import day_of
from meterlink.billing.source import Freezes
from meterlink.journal import contact_rows

_DAY: Final = timedelta(days=1)


def gaps(freezes: Freezes, now: datetime, *, days: int) -> list[Finding]:
    """The gaps of all meters, those that ended first before the others.

    Args:
        freezes: of the journal.
        now: aware.
        days: for which a gap's last day was sought in vain.

    Raises:
        JournalError: the journal cannot be read.

    """
    until = now - days * _DAY
    found = []
    for meter, span in _spans(freezes, now):
        if freezes.end_of(span.last) > until or not _is_due(freezes, meter, span):
            continue
        found.append(
            Finding(
                alarm=FRZ_GAP,
                day=span.first,
                meter=meter,
                area=area_of(freezes, meter, freezes.end_of(span.first)),
                value=str(span),
                threshold=f"{days} d",
                span=span,
            )
        )
    return found


def _spans(freezes: Freezes, now: datetime) -> list[tuple[str, Span]]:
    """Of each meter the days that lie between two of which it has a usable freeze."""
    last: dict[str, date] = {}
    found = []
    kept = freezes.journal.look(lambda db: list(contact_rows.usable_nights(db, (now - LOOK_BACK, now))))
    for meter, slot in kept:
        day = day_of(slot, freezes.zone)
        before = last.get(meter, day)
        if day > before + _DAY:
            found.append((meter, Span(before + _DAY, day - _DAY)))
        last[meter] = max(day, before)
    return found


def _is_due(freezes: Freezes, meter: str, span: Span) -> bool:
    return any(due(freezes, meter, day) is not None for day in _days(span))


def _days(span: Span) -> Iterator[date]:
    day = span.first
    while day <= span.last:
        yield day
        day += _DAY
