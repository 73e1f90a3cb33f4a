"""A due slot of one meter, where it stands, and why: what the ledger keeps, and the sentences that tell it.

Whoever asks for a hole gets one sentence. It is made of where the slot stands and of its reason, so that a
slot that is still due and one that is lost for the same cause are told apart.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, NamedTuple

from meterlink.model.data_classes import CURVE, EVENT, INSTANT, STATUS, DataClass

MONTH_S: Final = 0
"""``every_s`` of monthly freezes: they follow the calendar."""
DAY_S: Final = 86_400
"""``every_s`` of daily freezes."""
PASSING: Final[frozenset[DataClass]] = frozenset({INSTANT, STATUS, EVENT})
"""Classes whose slots no plan opens beforehand: a slot gets its row when it is kept or over. Of values of the
moment one that is over is lost; of events it is made up for by the next look into the meter's memory."""
ON_TIME_S: Final[Mapping[str, int]] = {CURVE: 7_200}
"""How long after it was due a slot may be read to count as read on time; others: ``ON_TIME_ELSE_S``."""
ON_TIME_ELSE_S: Final = DAY_S
"""A freeze is on time until the next one; of the others, what is kept at all was on time."""
NOTE_MAX: Final = 200
"""Characters that the ledger keeps of a meter's own words."""

_BETWEEN: Final = ", "
_BEHIND: Final = ": "
LOOK_OF_DAY: Final = "clock_or_status_word"
"""Stands among the items that a kept slot lacks: its meter did not tell them when its freeze was read."""
_UNTOLD: Final = "the meter did not tell it on that day"

Lang = Literal["en", "zh"]


class SlotKey(NamedTuple):
    """Which slot.

    Args:
        meter: our id of it.
        data_class: what was due.
        every_s: seconds from one slot to the next; ``MONTH_S`` of monthly freezes.
        slot: aware, UTC, whole seconds.

    """

    meter: str
    data_class: DataClass
    every_s: int
    slot: datetime


class Departure(NamedTuple):
    """A meter that has left its place.

    Args:
        at: when it went; aware.
        is_exchanged: another one stands there.

    """

    at: datetime
    is_exchanged: bool


class State(enum.IntEnum):
    """Where a slot stands; the numbers are those of the ledger and never change."""

    DUE = 0
    KEPT = 1
    REFUSED = 2
    EXPIRED = 3
    WAIVED = 4


class Reason(enum.IntEnum):
    """Why a slot is not kept, or not yet; the numbers are those of the ledger and never change."""

    WAITING = 0
    SILENT = 1
    LINE_DOWN = 2
    REFUSED = 3
    BAD_DATA = 4
    CLOCK_WRONG = 5
    EXCHANGED = 6
    NOT_RUNNING = 7
    NOT_IN_SERVICE = 8
    GONE = 9
    LINE_SLOW = 10
    NOT_TAKEN = 11
    NO_ROOM = 12
    NOT_PLANNED = 13


STATE_WORDS: Final[Mapping[State, Mapping[Lang, str]]] = {
    State.DUE: {"en": "missing", "zh": "缺失"},
    State.KEPT: {"en": "kept", "zh": "已采集"},
    State.REFUSED: {"en": "refused", "zh": "被拒绝"},
    State.EXPIRED: {"en": "lost", "zh": "已无法补采"},
    State.WAIVED: {"en": "not counted", "zh": "不计入"},
}
"""In a word, for tables and the beginning of a sentence."""

REASON_SENTENCES: Final[Mapping[Reason, Mapping[Lang, str]]] = {
    Reason.WAITING: {
        "en": "its turn has not come; it is due from {due}",
        "zh": "尚未轮到,自{due}起应采",
    },
    Reason.SILENT: {
        "en": "the meter did not answer, {tries} tries, the last at {at}",
        "zh": "电能表无应答,已尝试{tries}次,最后一次{at}",
    },
    Reason.LINE_DOWN: {
        "en": "the line could not be used when last wanted, at {at}{note}",
        "zh": "{at}需要时线路不可用{note}",
    },
    Reason.REFUSED: {
        "en": "the meter refuses it{note}",
        "zh": "电能表拒绝提供{note}",
    },
    Reason.BAD_DATA: {
        "en": "what the meter sent could not be used, {tries} tries, the last at {at}{note}",
        "zh": "电能表返回的数据不可用,已尝试{tries}次,最后一次{at}{note}",
    },
    Reason.CLOCK_WRONG: {
        "en": "a clock is wrong, the meter's or the gateway's{note}",
        "zh": "电能表或网关时钟有误{note}",
    },
    Reason.EXCHANGED: {
        "en": "the meter was exchanged{note}",
        "zh": "电能表已更换{note}",
    },
    Reason.NOT_RUNNING: {
        "en": "the daemon was not running{note}",
        "zh": "采集程序未运行{note}",
    },
    Reason.NOT_IN_SERVICE: {
        "en": "the meter was not in service{note}",
        "zh": "电能表未投运{note}",
    },
    Reason.GONE: {
        "en": "the meter's memory does not hold it any more, or never did{note}",
        "zh": "电能表存储中已无此记录,或从未记录{note}",
    },
    Reason.LINE_SLOW: {
        "en": "the line is too slow for its plans: there was no time for it{note}",
        "zh": "线路速率不能满足采集方案,未能轮到{note}",
    },
    Reason.NOT_TAKEN: {
        "en": "the meter has not taken it by its own clock{note}",
        "zh": "按电能表自身时钟尚未冻结{note}",
    },
    Reason.NO_ROOM: {
        "en": "the gateway's disk was almost full, and had no room for it, at {at}{note}",
        "zh": "{at}网关磁盘将满,没有空间保存{note}",
    },
    Reason.NOT_PLANNED: {
        "en": "no plan asks for it any more, since {at}{note}",
        "zh": "自{at}起已无采集方案要求{note}",
    },
}
"""One sentence each; ``{note}`` is what else is known, behind a colon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the ledger knows of a slot.

    Args:
        key: which.
        state: where it stands.
        reason: why it is not kept, or what the last try came to.
        tries: how often the meter was asked for it.
        due_at: when it was to be read first.
        changed_at: the last try, or when it was settled; ``None``: nothing has happened yet.
        note: the meter's own words, or other particulars; of one that is kept ``lacking_note``.

    """

    key: SlotKey
    state: State
    reason: Reason
    tries: int
    due_at: datetime
    changed_at: datetime | None = None
    note: str = ""

    def sentence(self, lang: Lang, *, shown: Mapping[datetime, str] | None = None) -> str:
        """One sentence that explains the slot.

        Args:
            lang: of the sentence.
            shown: how people want to see the two times; without it as UTC.

        """
        times = shown or {}
        at = "" if self.changed_at is None else times.get(self.changed_at, self.changed_at.isoformat())
        if self.state is State.KEPT:
            kept, without = (f"已采集,{at}", ",缺少 ") if lang == "zh" else (f"kept, at {at}", ", without ")
            return kept + without + self.note if self.note else kept
        words = REASON_SENTENCES[self.reason][lang].format(
            tries=self.tries,
            at=at or "-",
            due=times.get(self.due_at, self.due_at.isoformat()),
            note=(":" if lang == "zh" else ": ") + self.note if self.note else "",
        )
        return STATE_WORDS[self.state][lang] + (":" if lang == "zh" else ": ") + words


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many slots of one meter and plan stand alike.

    Args:
        meter: our id of it.
        data_class: what was due.
        every_s: of the slots.
        state: where they stand.
        reason: of those that are not kept.
        slots: how many.
        on_time: how many of them were kept on time (``ON_TIME_S``).
        lacking: how many of them are kept without some of their items, a look at the meter alone not counted;
            of days that have been folded into one row nobody knows it any more.

    """

    meter: str
    data_class: DataClass
    every_s: int
    state: State
    reason: Reason
    slots: int
    on_time: int
    lacking: int = 0


def lacking_note(items: Iterable[str], words: str) -> str:
    """What is noted of a slot that is kept without some items.

    Args:
        items: of the plan, that did not come.
        words: the meter's.

    """
    return f"{_BETWEEN.join(items)}{_BEHIND}{words}"


def lacking(note: str) -> frozenset[str]:
    """Undo ``lacking_note``: the items."""
    return frozenset(note.partition(_BEHIND)[0].split(_BETWEEN))


def unlooked_note(note: str = "") -> str:
    """What is noted of a slot whose freeze is kept without a look at its meter.

    Args:
        note: ``lacking_note`` of the items that it lacks; empty: none.

    """
    items, _, words = note.partition(_BEHIND)
    others = [item for item in items.split(_BETWEEN) if item and item != LOOK_OF_DAY]
    return lacking_note([LOOK_OF_DAY, *others], words or _UNTOLD)


def looked_note(note: str) -> str:
    """Undo ``unlooked_note``; empty: nothing else is lacking."""
    items, _, words = note.partition(_BEHIND)
    others = [item for item in items.split(_BETWEEN) if item and item != LOOK_OF_DAY]
    return lacking_note(others, words) if others else ""


def on_time_s(data_class: str) -> int:
    """How long after it was due a slot of a class may be read to be on time, in seconds."""
    return ON_TIME_S.get(data_class, ON_TIME_ELSE_S)
