"""How a day of an area stands: of each meter in service what holds, and of those without a freeze why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, NamedTuple, TypedDict

from meterlink.acquisition.explaining import NOBODY, Place, why
from meterlink.billing.days import end_of
from meterlink.billing.freezes import FreezeRow
from meterlink.billing.manifest import Counts, Missing
from meterlink.billing.source import Freezes
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.marks import UNUSABLE, Marks, Standing
from meterlink.model.register import Register

UNPLANNED: Final = "unplanned"
"""Reason of a meter of which nothing was due."""
KEPT: Final = "kept"
"""Reason of a meter whose slot the ledger has as kept, though no register of its freeze is in the log."""


class FreezeValid(TypedDict):
    """The completeness of FRZ-01, for programs; ``rate`` is never rounded up, and ``None`` of no meters."""

    in_service: int
    valid: int
    rate: float | None


class _Held(NamedTuple):
    """What holds of a register of one freeze, and the row of the log that told it."""

    seq: int
    register: Register


@dataclass(frozen=True, slots=True)
class DayStanding:
    """Gathers the freezes of a day of an area, and tells how it stands.

    Args:
        day: which.
        area: transformer area.

    """

    day: date
    area: str
    _told: dict[str, dict[datetime, dict[str, _Held]]] = field(default_factory=dict)

    def add(self, row: FreezeRow) -> None:
        """One more, in the order of the log: what it tells of a register of its freeze holds from here on."""
        freeze = self._told.setdefault(row.meter, {}).setdefault(row.frozen_at, {})
        for one in row.registers:
            before = freeze.get(one.item)
            if before is None or not _is_worthless(one, before.register):
                freeze[one.item] = _Held(row.seq, one)

    def counts(self, in_service: list[str]) -> Counts:
        """How many meters stand how.

        Args:
            in_service: our ids of the meters at the end of the day.

        """
        worst = [_worst(_held(self._told[meter])) for meter in in_service if meter in self._told]
        return Counts(
            in_service=len(in_service),
            with_freeze=len(worst),
            valid=worst.count(Standing.VALID),
            suspect=worst.count(Standing.SUSPECT),
            rejected=worst.count(Standing.REJECTED),
            missing=len(in_service) - len(worst),
            beside=len(self._told) - len(worst),
        )

    def lacking(self, in_service: list[str]) -> list[str]:
        """Which meters in service have no freeze."""
        return [meter for meter in in_service if meter not in self._told]

    def missing(self, in_service: list[str], freezes: Freezes) -> tuple[Missing, ...]:
        """Which meters in service have no freeze, and why.

        Raises:
            JournalError: the journal cannot be read.

        """
        return tuple(self._missing(one, freezes) for one in self.lacking(in_service))

    def _missing(self, meter: str, freezes: Freezes) -> Missing:
        at = end_of(self.day, freezes.zone)
        told = why(freezes.standings(meter, at), {}, meter, at, freezes.zone)
        nobody = {"reason": UNPLANNED, **{lang: words.format(meter=meter) for lang, words in NOBODY.items()}}
        reason: Mapping[str, str | None] = next(
            (one for one in told["found"] if one["class"] == DAILY_FREEZE), nobody
        )
        place = freezes.points.place(meter, at)
        return Missing(
            meter=meter,
            meter_number=place.meter_number,
            customer_number=place.customer_number,
            reason=reason["reason"] or KEPT,
            en=str(reason["en"]),
            zh=str(reason["zh"]),
        )


def freeze_valid(freezes: Freezes, day: date, area: str | None) -> FreezeValid:
    """How many of the meters in service have a valid freeze of a day. Source: FRZ-01.

    Args:
        freezes: of the journal.
        day: which.
        area: transformer area; ``None``: all meters.

    Raises:
        JournalError: the journal cannot be read.

    """
    standing = DayStanding(day, area or "")
    for row in freezes.all_after(0, until=freezes.newest(), day=day, area=area):
        standing.add(row)
    return freeze_valid_of(standing.counts(freezes.points.in_service(freezes.end_of(day), area)))


def places_on(
    freezes: Freezes, day: date, places: Mapping[str, Place], others: Iterable[str] = ()
) -> dict[str, Place]:
    """Where meters stood at the end of a day: in the area by which ``freeze_valid`` counts them.

    So the rate of a day stays what it was when a meter is moved later. Of a meter's lines only the one of
    today is known.

    Args:
        freezes: of the journal.
        day: which.
        places: where each meter of the roster stands today, by id; it holds where the journal knows no other.
        others: ids of meters that have left the roster.

    Raises:
        JournalError: the journal cannot be read.

    """
    points, at = freezes.points, freezes.end_of(day)
    found = {**dict.fromkeys(others, Place("", "")), **places}
    for meter, place in found.items():
        if points.settings(meter) is not None:
            found[meter] = place._replace(area=points.place(meter, at).area)
    return found


def freeze_valid_of(counts: Counts) -> FreezeValid:
    """The same, of what was counted."""
    share = counts.shares["valid"]
    rate = None if share is None else float(share)
    return {"in_service": counts.in_service, "valid": counts.valid, "rate": rate}


def _is_worthless(again: Register, before: Register) -> bool:
    """Whether a reading again is rejected and shows something else than the good one before it."""
    is_worse = bool(again.marks & UNUSABLE) and not before.marks & UNUSABLE
    return is_worse and again.value != before.value


def _held(told: Mapping[datetime, Mapping[str, _Held]]) -> Mapping[str, Marks]:
    """Of each register what holds: of several freezes of a day, one that is not rejected, then the newest."""
    every = (item for freeze in told.values() for item in freeze.items())
    ordered = sorted(every, key=lambda item: (not item[1].register.marks & UNUSABLE, item[1].seq))
    return {item: one.register.marks for item, one in ordered}


def _worst(held: Mapping[str, Marks]) -> Standing:
    """Of a meter's registers, less what it does not have."""
    there = [marks.standing for marks in held.values() if Marks.ABSENT not in marks]
    return max(there, default=Standing.REJECTED)
