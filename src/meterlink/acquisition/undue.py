"""Why the ledger knows nothing of a slot: one sentence that is true, instead of a list of what may be.

Asked in this order: the time has not come; the meter did not stand there; no plan has such a slot; its
protocol has no such data; it was so long ago that nobody knows; nobody had begun to ask. What is left has
passed beside the ledger: a slot that is not over, or one so old that only its day is counted.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Final

from meterlink.acquisition.plans import Plan, StoredPlan
from meterlink.journal.ledger import FOLDED, KEPT_DAYS
from meterlink.journal.series import Series

PLANS_NAMED_MAX: Final = 5
"""Plans that a sentence names."""
LOOK_BACK_DAYS: Final = 31
"""So far back the slot of a plan before a time is looked for."""

_BEFORE_IT: Final = {"en": "; the one before it: ", "zh": ";其前的时段:"}
_BEGAN: Final = {"en": ", with ", "zh": ":"}
_LACKED: Final = {
    "en": "; its protocol has no such data as {plans} asks for",
    "zh": ";其规约没有此类数据:{plans}",
}
"""Of other plans with a slot then."""
_DAY: Final = timedelta(days=1)


class Undue(enum.StrEnum):
    """Why nothing was due, for programs."""

    FUTURE = "future"
    BEFORE_SERVICE = "before_service"
    AFTER_SERVICE = "after_service"
    OFF_GRID = "off_grid"
    NO_SUCH_DATA = "no_such_data"
    NOT_ASKED = "not_asked"
    FORGOTTEN = "forgotten"
    BEFORE_BEGIN = "before_begin"
    RUNNING = "running"
    FOLDED = "folded"
    NOT_PLANNED = "not_planned"


SENTENCES: Final[Mapping[Undue, Mapping[str, str]]] = {
    Undue.FUTURE: {
        "en": "{meter}: {slot} has not come yet, so nothing can be due",
        "zh": "{meter}:{slot}尚未到来,还没有应采数据",
    },
    Undue.BEFORE_SERVICE: {
        "en": "{meter}: nothing was due at {slot}: the meter came into service at {at}",
        "zh": "{meter}:{slot}无应采数据:该电能表自{at}起投运",
    },
    Undue.AFTER_SERVICE: {
        "en": "{meter}: nothing was due at {slot}: the meter went out of service at {at}",
        "zh": "{meter}:{slot}无应采数据:该电能表自{at}起退运",
    },
    Undue.OFF_GRID: {
        "en": "{meter}: nothing was due at {slot}: no plan has a slot at that time{plans}",
        "zh": "{meter}:{slot}无应采数据:没有采集方案在该时刻有时段{plans}",
    },
    Undue.NO_SUCH_DATA: {
        "en": "{meter}: nothing was due at {slot}: its protocol has no such data as {plans} asks for",
        "zh": "{meter}:{slot}无应采数据:其规约没有此类数据:{plans}",
    },
    Undue.NOT_ASKED: {
        "en": "{meter}: nothing was due at {slot}: the daemon has never asked this meter by {plans}: it has "
        "not run with the plan, or has not come to the meter yet",
        "zh": "{meter}:{slot}无应采数据:从未按该方案采集过该电能表:{plans}。采集程序尚未按该方案运行,"
        "或尚未轮到该电能表",
    },
    Undue.FORGOTTEN: {
        "en": "{meter}: nothing is known of {slot} any more: what the ledger knew of {plans} before {at} has "
        "been taken out by age",
        "zh": "{meter}:{slot}的情况已无从查考:台账中{plans}在{at}之前的记录已到期清除",
    },
    Undue.BEFORE_BEGIN: {
        "en": "{meter}: nothing was due at {slot}: its collection began later{plans}",
        "zh": "{meter}:{slot}无应采数据:对该表的采集此后才开始{plans}",
    },
    Undue.RUNNING: {
        "en": "{meter}: the slot of {slot} of {plans} is not over yet, and nothing of it is kept so far",
        "zh": "{meter}:{slot}的时段尚未结束({plans}),目前还没有数据",
    },
    Undue.FOLDED: {
        "en": "{meter}: the slot of {slot} is not missing: kept slots older than {days} days are "
        "counted by the day only",
        "zh": "{meter}:{slot}没有缺失:{days}天以前已采的时段只按日计数",
    },
    Undue.NOT_PLANNED: {
        "en": "{meter}: nothing was due at {slot}: no plan asked for it at that time, though one has such "
        "slots today: {plans}",
        "zh": "{meter}:{slot}无应采数据:当时没有采集方案要求,现有方案才有此时段:{plans}",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is known of a meter beside its slots.

    Args:
        plans: that hold now.
        lacked: those of them that pass the meter by, as its protocol has no such data.
        forgotten: by class, before when the ledger holds nothing any more.
        began: of each of its series in the ledger the first slot.
        reading_day: of the month, 1 to 28.
        in_service_since: before that it did not stand there; ``None``: always.
        in_service_until: from then on it does not.
        now: wall time.
        zone: in which people read times.

    """

    plans: Sequence[Plan | StoredPlan]
    began: Mapping[Series, datetime]
    reading_day: int
    in_service_since: datetime | None
    in_service_until: datetime | None
    now: datetime
    zone: tzinfo
    lacked: Sequence[Plan | StoredPlan] = ()
    forgotten: Mapping[str, datetime] = field(default_factory=dict)


def undue(meter: str, slot: datetime, scene: Scene) -> dict[str, str]:
    """Why the ledger has no row for a slot: ``undue`` for programs, and a sentence in each language.

    Args:
        meter: our id of it.
        slot: aware.
        scene: what else is known.

    """
    at_slot = [plan for plan in scene.plans if _has(plan, slot, scene.reading_day)]
    plans = [plan for plan in at_slot if plan not in scene.lacked]
    kind, at = next(_kinds(meter, slot, plans or at_slot, scene))
    named = _names(plans or at_slot)
    listed = {"en": named, "zh": named}
    if kind is Undue.OFF_GRID:
        listed = _list(
            _BEFORE_IT, [(plan, _before(plan, slot, scene.reading_day)) for plan in scene.plans], scene.zone
        )
    elif kind is Undue.BEFORE_BEGIN:
        listed = _list(_BEGAN, [(plan, scene.began.get(plan.series(meter))) for plan in plans], scene.zone)
    told = {
        lang: words.format(
            meter=meter,
            slot=_shown(slot, scene.zone),
            at=_shown(at, scene.zone),
            plans=listed[lang],
            days=KEPT_DAYS,
        )
        for lang, words in SENTENCES[kind].items()
    }
    if plans and len(plans) < len(at_slot):
        named = _names([plan for plan in at_slot if plan in scene.lacked])
        told = {lang: words + _LACKED[lang].format(plans=named) for lang, words in told.items()}
    return {"undue": kind.value, **told}


def _kinds(
    meter: str, slot: datetime, plans: Sequence[Plan | StoredPlan], scene: Scene
) -> Iterator[tuple[Undue, datetime]]:
    """What is true of the slot, the plainest first, and the time that its sentence tells."""
    since, until = scene.in_service_since, scene.in_service_until
    began = [first for plan in plans if (first := scene.began.get(plan.series(meter))) is not None]
    if slot > scene.now:
        yield Undue.FUTURE, slot
    if since is not None and slot < since:
        yield Undue.BEFORE_SERVICE, since
    if until is not None and slot >= until:
        yield Undue.AFTER_SERVICE, until
    if not plans:
        yield Undue.OFF_GRID, slot
    if all(plan in scene.lacked for plan in plans):
        yield Undue.NO_SUCH_DATA, slot
    old = [before for plan in plans if (before := scene.forgotten.get(plan.data_class)) is not None]
    if old and slot < max(old):
        yield Undue.FORGOTTEN, max(old)
    if not began:
        yield Undue.NOT_ASKED, slot
    elif slot < min(began) and not _is_older(meter, slot, plans, scene):
        yield Undue.BEFORE_BEGIN, min(began)
    if any(isinstance(plan, Plan) and plan.end_of(slot) > scene.now for plan in plans):
        yield Undue.RUNNING, slot
    is_old = slot < scene.now - timedelta(days=KEPT_DAYS)
    if is_old and any(plan.data_class in FOLDED for plan in plans):
        yield Undue.FOLDED, slot
    yield Undue.NOT_PLANNED, slot


def _is_older(meter: str, slot: datetime, plans: Sequence[Plan | StoredPlan], scene: Scene) -> bool:
    """Whether data of the class of one of these plans was asked for by then, in whatever interval."""
    classes = {plan.data_class for plan in plans}
    return any(
        series.meter == meter and series.data_class in classes and first <= slot
        for series, first in scene.began.items()
    )


def _has(plan: Plan | StoredPlan, slot: datetime, reading_day: int) -> bool:
    """Whether a plan has a slot at exactly this time."""
    if isinstance(plan, Plan):
        return plan.slot_at(slot) == slot and plan.has(slot)
    return slot in plan.slots_of(plan.calendar.day_of(slot), reading_day)


def _list(
    begins: Mapping[str, str], found: Sequence[tuple[Plan | StoredPlan, datetime | None]], zone: tzinfo
) -> dict[str, str]:
    """Some plans, each with a time, as the end of a sentence; those without one are left out."""
    told = [f"{_named(plan)} {_shown(at, zone)}" for plan, at in found if at is not None][:PLANS_NAMED_MAX]
    return {lang: begin + ", ".join(told) if told else "" for lang, begin in begins.items()}


def _before(plan: Plan | StoredPlan, slot: datetime, reading_day: int) -> datetime | None:
    """The last slot of a plan that begins no later than a time."""
    if isinstance(plan, Plan):
        at = plan.slot_at(slot)
        return at if plan.has(at) else None
    today = plan.calendar.day_of(slot)
    for days in range(LOOK_BACK_DAYS + 1):
        if slots := [at for at in plan.slots_of(today - days * _DAY, reading_day) if at <= slot]:
            return slots[-1]
    return None


def _names(plans: Sequence[Plan | StoredPlan]) -> str:
    return ", ".join(_named(plan) for plan in plans[:PLANS_NAMED_MAX])


def _named(plan: Plan | StoredPlan) -> str:
    return f"{plan.name} ({plan.data_class})" if plan.name != plan.data_class else plan.name


def _shown(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")
