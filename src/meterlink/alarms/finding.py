"""What a rule of collection has found: an alarm, and where it takes a person the work for one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from meterlink.billing.days import end_of
from meterlink.billing.source import Freezes
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.slot import Standing, State
from meterlink.orders.attention.work_kinds import WorkKind

LOOK_BACK: Final = timedelta(days=62)
"""So far back it is looked: what the meters of China remember. What is older has been told."""


class Span(NamedTuple):
    """Days one after another.

    Args:
        first: the first.
        last: the last.

    """

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"

    @classmethod
    def of(cls, written: str) -> Span | None:
        """Undo ``str``; ``None``: that is none."""
        first, _, last = written.partition("..")
        try:
            return cls(date.fromisoformat(first), date.fromisoformat(last))
        except ValueError:
            return None

    def covers(self, other: Span) -> bool:
        """Whether all days of another are among these."""
        return self.first <= other.first and other.last <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule has found.

    Args:
        alarm: its name, as the rules have it: ``READ_MISSING``.
        day: of which the rule speaks.
        meter: our id of it; empty: it is about an area.
        area: transformer area.
        value: what was seen.
        threshold: what it was measured by; the same alarm of the same day is told once for each.
        evidence: rows that show it.
        span: days of which one alarm is enough, however some of them fill up; ``None``: it is about the day.
        work: what a person has to do; ``None``: nothing yet.
        why: of the work, for people.

    """

    alarm: str
    day: date
    meter: str = ""
    area: str = ""
    value: str = ""
    threshold: str
    evidence: tuple[str, ...] = ()
    span: Span | None = None
    work: WorkKind | None = None
    why: str = ""


def due(freezes: Freezes, meter: str, day: date) -> Standing | None:
    """Where the freeze of a meter's day stands in the ledger; ``None``: none was due.

    Raises:
        JournalError: the journal cannot be read.

    """
    found = freezes.standings(meter, end_of(day, freezes.zone))
    standing = next((one for one in found if one.key.data_class == DAILY_FREEZE), None)
    return None if standing is None or standing.state is State.WAIVED else standing


def area_of(freezes: Freezes, meter: str, at: datetime) -> str:
    """Where a meter stood."""
    return freezes.points.place(meter, at).area
