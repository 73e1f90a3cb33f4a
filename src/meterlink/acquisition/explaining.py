"""What people ask of the ledger: why a slot of a meter is not there, and how complete a day is.

*Success rate* (采集成功率): of the slots that are due, the share that was read on time, that is while it was
current: a freeze before the next one, a point of a curve within two hours, a value of the moment in its slot.
*Completeness* (完整率): the share that is kept by now, backfill included. A slot that is kept without an item
of which its meter says that it has no such data is *lacking* (缺项) besides. Slots that are waived (a meter
out of service) are not due; slots whose time has not come are not yet due.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Final, Literal, NamedTuple

from meterlink.errors import BadRequest, Unknown, with_chinese
from meterlink.model.data_classes import (
    CURVE,
    EVENT,
    FREEZES,
    INSTANT,
    STATUS,
    DataClass,
)
from meterlink.model.days import FIRST_YEAR, LAST_YEAR, SHOWN_MAX, day_in, moment_in
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.slot import Lang, Reason, Standing, State, Tally

By = Literal["meter", "line", "area", "class"]
"""What a table of completeness has a row for."""
WAYS: Final[tuple[By, ...]] = ("meter", "line", "area", "class")
OTHERS: Final[tuple[DataClass, ...]] = (CURVE, INSTANT, STATUS, EVENT)
NOBODY: Final = {
    "en": "nothing was due of {meter} then: no plan asks for it, or the meter is not known",
    "zh": "{meter} 在该时刻没有应采数据:没有采集方案要求,或没有该电能表",
}
AREAS_NAMED_MAX: Final = 5
"""Areas that a message names."""
_TO_COME: Final[Mapping[Lang, str]] = {
    "en": "not due yet: it is due from {due}",
    "zh": "尚未到采集时间:自{due}起应采",
}
_REMOVABLE: Final[tuple[DataClass, ...]] = (CURVE, INSTANT)
"""Classes that are kept under their slot, and that go by age or for room."""
_REMOVED: Final[Mapping[Lang, str]] = {
    "en": "; its values have been taken out since, by age or to make room on the disk",
    "zh": ";其数据此后已因到期或为腾出磁盘空间而清除",
}
_DAY: Final = timedelta(days=1)


class Place(NamedTuple):
    """Where a meter stands.

    Args:
        line: name of its line.
        area: transformer area; may be empty.

    """

    line: str
    area: str


class Span(NamedTuple):
    """The slots of a day: some classes, and from when to when."""

    classes: tuple[DataClass, ...]
    since: datetime
    until: datetime


def spans_of(day: date, zone: tzinfo) -> tuple[Span, Span]:
    """The slots of a day: the freezes that end it, and what begins in it.

    Args:
        day: of the years that ``model.days`` has; the days behind it are there too.
        zone: of the plant.

    """
    start, end, after = (datetime.combine(day + n * _DAY, time(0), zone) for n in range(3))
    return Span(FREEZES, end, after), Span(OTHERS, start, end)


def slot_of(text: str, zone: tzinfo) -> datetime:
    """The slot that a person means: a day stands for the freeze that ends it.

    Raises:
        BadRequest: it is neither a day nor a time, or of a year that there are no data of.

    """
    with contextlib.suppress(BadRequest):
        return datetime.combine(day_in(text) + _DAY, time(0), zone)
    if (moment := moment_in(text, zone)) is None:
        shown = repr(text[:SHOWN_MAX])
        raise with_chinese(
            BadRequest(
                f"slot {shown}: write a day, 2026-11-21, for its freeze, or a time, 2026-11-21T13:15, "
                f"of the years {FIRST_YEAR} to {LAST_YEAR}"
            ),
            f"时段 {shown}:请写日期 2026-11-21(指该日日终的冻结)或时刻 2026-11-21T13:15,"
            f"年份 {FIRST_YEAR} 至 {LAST_YEAR}",
        )
    return moment


def why(
    standings: Sequence[Standing],
    marks: Mapping[str, Marks],
    meter: str,
    slot: datetime,
    zone: tzinfo,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Why a slot is not there, or that it is: one sentence for each class that was due.

    Where nothing was due ``undue`` says why.

    Args:
        standings: what the ledger knows of it.
        marks: of what was kept of it, by class of data.
        meter: our id of it.
        slot: aware.
        zone: in which people read times.
        now: wall time; ``None``: all of it has come.

    """
    return {
        "meter": meter,
        "slot": slot.astimezone(zone).isoformat(),
        "found": [_told(one, marks.get(one.key.data_class), zone, now) for one in standings],
    }


def check_area(places: Iterable[Place], area: str) -> None:
    """See that meters are, or were, of an area; that of no name is there, with a meter in it or not.

    Raises:
        Unknown: there are none; the message names near areas.

    """
    areas = {place.area for place in places}
    if area and area not in areas:
        raise Unknown(f"no meter of the roster is of an area {area!r}{near_areas(area, areas)}")


def near_areas(area: str, areas: Set[str]) -> str:
    """How a refusal ends that names an area which there is not: with near ones, or the first there are."""
    named = areas - {""}
    near = difflib.get_close_matches(area, named, n=AREAS_NAMED_MAX) or sorted(named)[:AREAS_NAMED_MAX]
    return f"; there are: {', '.join(near)}" if near else ""


def completeness(
    tallies: Iterable[Tally], places: Mapping[str, Place], *, day: date, by: By, area: str | None = None
) -> dict[str, Any]:
    """How complete a day is.

    Args:
        tallies: of its slots.
        places: where each meter stood that day; of others nobody knows it.
        day: which.
        by: what a row is for.
        area: only of this transformer area; empty: of meters without one; ``None``: of all.

    """
    rows: dict[str, _Row] = {}
    total = _Row()
    for tally in tallies:
        place = places.get(tally.meter, Place("", ""))
        if area is not None and place.area != area:
            continue
        names: dict[By, str] = {
            "meter": tally.meter,
            "line": place.line,
            "area": place.area,
            "class": tally.data_class,
        }
        rows.setdefault(names[by], _Row()).add(tally)
        total.add(tally)
    return {
        "day": day.isoformat(),
        "area": area,
        "by": by,
        "total": total.told(),
        "rows": [{"name": name, **rows[name].told()} for name in sorted(rows)],
    }


@dataclass(slots=True)
class _Row:
    """Counts of slots."""

    kept: int = 0
    on_time: int = 0
    lacking: int = 0
    missing: int = 0
    refused: int = 0
    lost: int = 0
    waived: int = 0
    reasons: dict[Reason, int] | None = None

    def add(self, tally: Tally) -> None:
        """Count some more."""
        match tally.state:
            case State.KEPT:
                self.kept += tally.slots
                self.on_time += tally.on_time
                self.lacking += tally.lacking
            case State.DUE:
                self.missing += tally.slots
            case State.REFUSED:
                self.refused += tally.slots
            case State.EXPIRED:
                self.lost += tally.slots
            case State.WAIVED:
                self.waived += tally.slots
        if tally.state not in {State.KEPT, State.WAIVED}:
            self.reasons = self.reasons or {}
            self.reasons[tally.reason] = self.reasons.get(tally.reason, 0) + tally.slots

    def told(self) -> dict[str, Any]:
        """As a program reads it; a share of nothing is ``None``."""
        due = self.kept + self.missing + self.refused + self.lost
        return {
            "due": due,
            "kept": self.kept,
            "on_time": self.on_time,
            "lacking": self.lacking,
            "missing": self.missing,
            "refused": self.refused,
            "lost": self.lost,
            "waived": self.waived,
            "success_rate": self.on_time / due if due else None,
            "completeness": self.kept / due if due else None,
            "reasons": {one.name.lower(): count for one, count in sorted((self.reasons or {}).items())},
        }


def _told(standing: Standing, marks: Marks | None, zone: tzinfo, now: datetime | None) -> dict[str, Any]:
    """A standing as people and programs read it.

    Args:
        standing: where it is.
        marks: of what is held of it; ``None``: nothing is held.
        zone: in which people read times.
        now: wall time; ``None``: all of it has come.

    """
    key, is_kept = standing.key, standing.state is State.KEPT
    is_to_come = standing.state is State.DUE and now is not None and standing.due_at > now
    shown = {
        moment: moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")
        for moment in (standing.due_at, standing.changed_at)
        if moment is not None
    }
    is_removed = is_kept and marks is None and key.data_class in _REMOVABLE
    languages: tuple[Lang, ...] = ("en", "zh")
    words = {
        lang: _TO_COME[lang].format(due=shown[standing.due_at])
        if is_to_come
        else standing.sentence(lang, shown=shown)
        for lang in languages
    }
    return {
        "class": key.data_class,
        "every_s": key.every_s,
        "state": standing.state.name.lower(),
        "reason": None if is_kept else standing.reason.name.lower(),
        "is_due": not is_to_come and standing.state is not State.WAIVED,
        "is_removed": is_removed,
        "tries": standing.tries,
        "due_at": standing.due_at.isoformat(),
        "changed_at": standing.changed_at.isoformat() if standing.changed_at else None,
        "note": standing.note,
        "marks": list((marks or NO_MARKS).names),
        **{
            lang: told + (_REMOVED[lang] if is_removed else "") + _doubts(marks or NO_MARKS, lang)
            for lang, told in words.items()
        },
    }


def _doubts(marks: Marks, lang: Lang) -> str:
    """What is doubtful about what was kept, as the end of a sentence; nothing where there are no marks."""
    if not marks:
        return ""
    told = [f"{name} ({words})" for name, words in zip(marks.names, marks.words(lang), strict=True)]
    return f"; marked {', '.join(told)}" if lang == "en" else f";标记:{'、'.join(told)}"
