"""Meters that were not reached for days. Source: FRZ-06.

A meter that refuses was reached. What counts is when a reading was kept, not of when it tells: backfill
of an old day is a word of today. Where a plan asks less than once a day, a silence begins when it has asked.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from meterlink.alarms.finding import Finding
from meterlink.alarms.rules import POINT_SILENT
from meterlink.billing.source import Freezes
from meterlink.config.alarms import SILENT_DAYS_MAX
from meterlink.journal import contact_rows
from meterlink.orders.attention.work_kinds import WorkKind

REFUSALS_SINCE: Final = timedelta(days=SILENT_DAYS_MAX)
"""Slots that are looked through for refusals: as far back as a silence is told."""
_DAY: Final = timedelta(days=1)


class Stage(NamedTuple):
    """How long a silence is, and what that means.

    Args:
        days: of silence.
        work: for a person; ``None``: it is told alone.

    """

    days: int
    work: WorkKind | None


class Silences:
    """Looks for silent meters again and again; one that was heard lately is not looked for.

    Args:
        stages: of a silence, the shortest first.

    """

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        self._stages = stages
        self._heard: dict[str, datetime] = {}

    def found(self, freezes: Freezes, now: datetime) -> list[Finding]:
        """The silent meters in service, each with the stage that its silence has reached.

        Args:
            freezes: of the journal.
            now: aware.

        Raises:
            JournalError: the journal cannot be read.

        """
        meters, told = freezes.points.in_service(now), []
        for meter in meters:
            if self._is_heard(meter, now):
                continue
            last = _last_word(freezes, meter, now)
            if last is None:
                continue
            self._heard[meter] = last
            since = None if self._is_heard(meter, now) else _silent_since(freezes, meter, last, now)
            if since is None:
                continue
            reached = [stage for stage in self._stages if now - since >= stage.days * _DAY]
            if reached:
                told.append(_finding(freezes, meter, since, reached[-1]))
        self._heard = {meter: self._heard[meter] for meter in meters if meter in self._heard}
        return told

    def _is_heard(self, meter: str, now: datetime) -> bool:
        heard = self._heard.get(meter)
        return heard is not None and now - heard < self._stages[0].days * _DAY


def heard_since(freezes: Freezes, meter: str, since: datetime, now: datetime) -> bool:
    """Whether a meter was reached behind a time.

    Raises:
        JournalError: the journal cannot be read.

    """
    heard = freezes.journal.look(partial(contact_rows.heard_at, meter=meter, since=now - REFUSALS_SINCE))
    return heard is not None and heard > since


def _last_word(freezes: Freezes, meter: str, now: datetime) -> datetime | None:
    """When a meter was last reached, or came to its place."""
    heard = freezes.journal.look(partial(contact_rows.heard_at, meter=meter, since=now - REFUSALS_SINCE))
    settings = freezes.points.settings(meter)
    came = None if settings is None else settings.in_service_since
    known = freezes.points.known_since(meter)
    return max((one for one in (heard, came or known) if one is not None), default=None)


def _silent_since(freezes: Freezes, meter: str, last: datetime, now: datetime) -> datetime | None:
    """When the silence behind a last word began; ``None``: nobody has asked the meter for anything since."""
    look = partial(contact_rows.asked_in_vain, meter=meter, since=last, now=now)
    asked = freezes.journal.look(look)
    if asked is None:
        return None
    return last if asked - last <= _DAY else asked


def _finding(freezes: Freezes, meter: str, since: datetime, stage: Stage) -> Finding:
    local = since.astimezone(freezes.zone)
    shown = f"{local:%Y-%m-%d %H:%M}"
    return Finding(
        alarm=POINT_SILENT,
        day=local.date(),
        meter=meter,
        area=freezes.points.place(meter, since).area,
        value=shown,
        threshold=f"{stage.days} d",
        work=stage.work,
        why=f"not reached since {shown}, for {stage.days} days / 自{shown}起已{stage.days}天无通信",
    )
