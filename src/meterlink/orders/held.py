"""An inspector's hold at a meter to which a closing is under way: who is there learns of it, and at once.

A hold stops every closing that has not been sent (HOLD-01). What a meter has got cannot be taken back: no
frame that withdraws a permit is known of any meter, so whoever presses the key brings current back. So when a
hold comes, what stands against it is written in its own transaction: an alarm and a work item for the place,
the words of the hold on every field order that sends somebody there to close, and an end to what asks
somebody to tell the customer about the key. When the last hold is released, all that is undone. Work that is
opened while a hold stands says so from its first word on (``under_holds``).

Source: HOLD-01; business-rules 2.2, HELD; decision 35.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Final, NamedTuple

from meterlink.errors import EvidenceRefused
from meterlink.model.act import Act, Basis, Topic
from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.attention.alarms import Seen, raised
from meterlink.orders.attention.words import as_words
from meterlink.orders.attention.work import closing, opening
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.evidence.records import Evidence, SafetyHold
from meterlink.orders.evidence.told import Kept
from meterlink.orders.life.bringing import bringing, leaves_a_permit
from meterlink.orders.life.life import Life
from meterlink.orders.people import DAEMON
from meterlink.roster.roster import Roster, RosterMeter

ITEMS_MAX: Final = 40
"""Open work items of one meter that a hold marks, the newest."""
STANDING_MAX: Final = 8
"""Orders of one meter for each of which a hold opens a work item, the newest."""
CLOSING_HELD: Final = "CLOSING_UNDER_HOLD"
"""Alarm: supply may come back where an inspector forbids it."""
UNREADABLE: Final = "what is told of this meter cannot be read, so nobody knows whether it is safe"
GOES_THERE: Final = frozenset(
    {WorkKind.FIELD_ORDER, WorkKind.UNKNOWN_OUTCOME, WorkKind.RELAY_FAULT, WorkKind.CUT_OFF}
)
"""Work that brings somebody to the meter, who may close it by hand."""
CONCERNED: Final = GOES_THERE | {WorkKind.MANUAL, WorkKind.REMINDER}
"""Work that may end with a closing: of a hold it says so, or is not opened at all."""
_RULE: Final = "HOLD-01"
_UNMARKED: Final = "unmarked"
"""In the body of an opening: the words without those of the hold."""
HELD: Final = "held"
"""In the body of a closing: that a hold closed it, and not whoever has told the customer."""
_RELEASED: Final = "; that hold is released"
"""Behind words that tell of an order which a hold has ended, once there is none any more."""
_GOES: Final = "has left work that sends somebody there to close"


class Held:
    """What holds mean for what is under way; goes with every record, see ``evidence.book.Companion``.

    Args:
        book: the orders.
        evidence: the holds.
        roster: the meters, and those before them.
        zone: of the plant.

    """

    def __init__(self, book: Book, evidence: EvidenceBook, roster: Roster, zone: timezone) -> None:
        self._book = book
        self._evidence = evidence
        self._roster = roster
        self._zone = zone

    async def why(self, meter: str) -> str:
        """Why an inspector holds a meter back, for people; empty: nobody does.

        Raises:
            JournalError: the log cannot be read.

        """
        entry = self._now_at(meter)
        if entry is None:
            return ""
        try:
            return _words((await self._evidence.of_meter(entry)).holds())
        except EvidenceRefused:
            return UNREADABLE

    def concerns(self, act: Act) -> bool:
        """See ``Holds.concerns``."""
        is_opened = act.topic is Topic.WORK and act.verb == "open" and bool(act.meter)
        return is_opened and act.body["kind"] in CONCERNED

    async def on(self, opening: Act) -> Act | None:
        """See ``Holds.on``: nobody is asked to have a key pressed there, and who goes there reads why not."""
        why = await self.why(opening.meter)
        if not why:
            return opening
        if opening.body["kind"] == WorkKind.REMINDER:
            return None
        return replace(opening, body={**opening.body, **_marked(opening.body, why)})

    def basis(self, meters: Collection[str], number: int) -> Basis:
        """See ``Holds.basis``: a hold is told of the meter that stands at the place now."""
        named = {name for meter in meters for name in self._also(meter)}
        meter = min(meters)
        here = frozenset({Topic.EVIDENCE})
        return Basis(number=number, meter=meter, others=frozenset(named - {meter}), here=here)

    async def standing(self, meter: str) -> list[Life]:
        """The orders by which current may still come back at a meter, the newest first.

        Raises:
            JournalError: the log cannot be read.

        """
        return bringing(await self._book.histories(meter))

    def _now_at(self, meter: str) -> RosterMeter | None:
        """The meter, or the one that was put in its place."""
        return self._roster.meter(meter) or self._roster.heir_of(meter)

    def _also(self, meter: str) -> tuple[str, ...]:
        """The ids under which something may be told of the place of a meter."""
        entry = self._now_at(meter)
        return (meter,) if entry is None else (meter, entry.id, *entry.predecessors)

    async def beside(self, record: Evidence, act: Act) -> Sequence[Act]:
        """What is written in the transaction of a hold, or of its release."""
        if not isinstance(record, SafetyHold):
            return ()
        why = await self._why_with(record, act)
        items = await self._open_items(act.meter)
        acts = [one for item in items if (one := _retold(item, why, act.at)) is not None]
        if why and record.state == "set":
            acts += await self._told_of_the_place(record, act, items)
        return acts

    async def _why_with(self, record: SafetyHold, act: Act) -> str:
        """Why the meter is held once this record is kept."""
        meter = self._roster.meter(act.meter)
        if meter is None:
            return ""
        try:
            told = await self._evidence.of_meter(meter)
        except EvidenceRefused:
            return UNREADABLE
        newest = max((one.number for one in told.kept), default=0)
        kept = Kept(record=record, meter=act.meter, actor=act.actor, kept_at=act.at, number=newest + 1)
        return _words(replace(told, kept=(*told.kept, kept)).holds())

    async def _open_items(self, meter: str) -> list[_Item]:
        """The open work items of a meter and of those before it, the newest last."""
        entry = self._roster.meter(meter)
        found: dict[str, _Item] = {}
        for name in (*(entry.predecessors if entry else ()), meter):
            async for kept in self._book.acts.all_of_meter(name, Topic.WORK):
                act = kept.act
                before = found.get(act.subject)
                opened = act if before is None or act.verb == "open" else before.opened
                found[act.subject] = _Item(act, opened)
        return [item for item in found.values() if item.last.is_open][-ITEMS_MAX:]

    async def _told_of_the_place(self, hold: SafetyHold, act: Act, items: Sequence[_Item]) -> list[Act]:
        """The alarm, and a work item for each order by which current may come back there."""
        field = [one.opened.body["order"] for one in items if one.kind is WorkKind.FIELD_ORDER]
        why = dict.fromkeys(field, _GOES)
        why |= {life.order.id: _threat(life) for life in reversed(await self.standing(act.meter))}
        why = dict(list(why.items())[-STANDING_MAX:])
        if not why:
            return []
        seen = Seen(
            rule=CLOSING_HELD,
            origin="HOLD-01",
            meter=act.meter,
            evidence=(f"evidence:{hold.full_id}", *(f"order:{order}" for order in why)),
        )
        return [
            *await raised(self._book.acts, seen, at=act.at, zone=self._zone),
            *[await self._secure(hold, act, order, threat) for order, threat in why.items()],
        ]

    async def _secure(self, hold: SafetyHold, act: Act, order: str, threat: str) -> Act:
        """The item that sends somebody to the place; told of each hold anew."""
        why = (
            f"secure the place of meter {act.meter}, and let nobody press the key: hold {hold.full_id} "
            f"({hold.why}) was set, and order {order} {threat}. No frame takes a permit back"
        )
        told, at = as_words(why), act.at
        fresh = opening(WorkKind.SECURE, told, at=at, actor=DAEMON, meter=act.meter, order=order)
        last = await self._book.acts.last_of(Topic.WORK, fresh.subject)
        return fresh if last is None else replace(fresh, step=last.act.step + 1)


class _Item(NamedTuple):
    """An open work item: its newest act, and the newest that opened it."""

    last: Act
    opened: Act

    @property
    def kind(self) -> WorkKind:
        """What is to be done."""
        return WorkKind(self.opened.body["kind"])


def _threat(life: Life) -> str:
    """What an order can still do, for people."""
    if life.state is OrderState.WAITING_FOR_KEY:
        return "permits closing: whoever presses the key brings current back"
    if leaves_a_permit(life):
        return f"({life.order.kind.value}) is done and may permit closing: who presses the key closes"
    if life.order.kind is OrderKind.TOP_UP:
        return "brings money, by which the meter may close"
    return f"({life.order.kind.value}) is {life.state.value}, and may bring current back by itself"


def _words(holds: Sequence[SafetyHold]) -> str:
    return "; ".join(sorted({one.why for one in holds}))


def _retold(item: _Item, why: str, at: datetime) -> Act | None:
    """What becomes of an open item once a meter is held, or no more; ``None``: it stays as it is."""
    if item.kind in GOES_THERE or (item.kind is WorkKind.MANUAL and not why):
        body = _marked(item.opened.body, why)
        if body == item.opened.body:
            return None
        step = item.last.step + 1
        return replace(item.opened, step=step, at=at, actor=DAEMON, body=body)
    if item.kind is WorkKind.REMINDER and why:
        words = as_words(f"safety hold ({why}): the customer must not press the key")
        told = closing(item.last, words, at=at, actor=DAEMON)
        return replace(told, body={**told.body, HELD: True})
    if item.kind is WorkKind.SECURE and not why:
        return closing(item.last, "an inspector has released the hold", at=at, actor=DAEMON)
    return None


def was_held(acts: Iterable[Act]) -> bool:
    """Whether a work item was ever opened with the words of a hold.

    Args:
        acts: of the item.

    """
    return any(_UNMARKED in act.body for act in acts)


def _marked(body: Mapping[str, Any], why: str) -> dict[str, Any]:
    plain = str(body.get(_UNMARKED, body["why"]))
    if not why:
        if _RULE in plain and not plain.endswith(_RELEASED):
            plain = as_words(plain + _RELEASED)
        return {"kind": body["kind"], "order": body["order"], "why": plain}
    told = as_words(f"DO NOT CLOSE, safety hold ({why}). Before: {plain}")
    return {"kind": body["kind"], "order": body["order"], "why": told, _UNMARKED: plain}
