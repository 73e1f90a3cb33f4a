"""Somebody was cut off who must not be: an alarm and a work item, at once, and once for each that says so.

The reconnection goes by itself (``lateness``); but a trip whose frame has left opens the contact whatever is
told then, and a reconnection waits until that is known. Somebody may be there sooner, or call.

Source: CTRL-08, CTRL-12; business-rules 2.1; decision 21.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final

from meterlink.model.act import Topic
from meterlink.model.order import OrderState
from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.orders.attention.words import as_words
from meterlink.orders.attention.work import WorkItems, item_id
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book
from meterlink.orders.life.history import History
from meterlink.orders.people import DAEMON
from meterlink.orders.waiting.spared import ANOTHER, SPARED_MAX, Spared
from meterlink.orders.waiting.wait import Wait

CUT_OFF_PROTECTED: Final = "CUT_OFF_PROTECTED"
"""Alarm: a protected household is cut off, or about to be, and no frame takes that back."""
CUT_OFF_ANOTHER: Final = "CUT_OFF_ANOTHER"
"""Alarm: the same of a customer who is not the one that owed."""
_CAUSE: Final = "spared"
"""In the act that opens an item: by what it is; its words have an end, and names may begin alike."""


class ToldOfSpared:
    """Tells people; see the module.

    Args:
        book: the orders.
        alarms: where it is told.
        work: sends somebody there.
        zone: of the plant, for the times in what is told.

    """

    def __init__(self, book: Book, alarms: Alarms, work: WorkItems, zone: timezone) -> None:
        self._book = book
        self._alarms = alarms
        self._work = work
        self._zone = zone

    async def tell(self, wait: Wait) -> None:
        """Raise the alarm and open the work of somebody who must not be cut off, unless that was done.

        Each kind of protection that came is told, by the first record of it that stands; what says the same
        again is none. Where the item of an earlier one is open, a note in it tells of the next.

        The item is written last, and says that it was: after a crash between the two the alarm counts twice.

        Raises:
            JournalError: it was not kept.

        """
        first: dict[str, Spared] = {}
        for spared in wait.spared:
            first.setdefault(spared.why, spared)
        for spared in first.values():
            await self._told(wait, spared)

    async def _told(self, wait: Wait, spared: Spared) -> None:
        cut = wait.cut.life.order.id
        item = item_id(WorkKind.CUT_OFF, cut)
        told = await self._book.acts.of_subject(Topic.WORK, item)
        if any(_is_told(kept.act.body, spared.cause) for kept in told):
            return
        why = as_words(self._words(wait.meter, spared, wait.cut))
        seen = Seen(
            rule=CUT_OFF_ANOTHER if spared.why == ANOTHER else CUT_OFF_PROTECTED,
            origin="CTRL-12" if spared.why == ANOTHER else "CTRL-08",
            meter=wait.meter,
            value=why,
            evidence=(f"order:{cut}", f"evidence:{spared.cause}"),
        )
        await self._alarms.raise_(seen, actor=DAEMON)
        beside = {_CAUSE: spared.cause}
        if told and told[-1].act.is_open:
            await self._work.tell(item, why, actor=DAEMON, beside=beside)
        else:
            await self._work.open(
                WorkKind.CUT_OFF, why, actor=DAEMON, meter=wait.meter, order=cut, beside=beside
            )

    def _words(self, meter: str, spared: Spared, cut: History) -> str:
        """What is to be known, in both languages; names stand in front, once: there is room for both."""
        order = cut.life.order.id
        is_another = spared.why == ANOTHER
        en = "another customer since" if is_another else f"protected since ({spared.why})"
        zh = "停电指令发出后已更换用户" if is_another else f"停电指令发出后登记为受保护用户({spared.why})"
        contact, contact_zh = self._contact(cut)
        timeline = self._book.timeline
        if timeline.now() - timeline.lived(spared.at) > SPARED_MAX:
            next_, next_zh = (
                "That is long ago: nothing closes by itself, decide",
                "时间已久,系统不会自动复电,请人工决定",
            )
        else:
            next_ = "A reconnection follows by itself; see that current comes back"
            next_zh = "系统将自动复电,请确认用户恢复供电"
        return (
            f"meter {meter}: {en}, by {spared.cause}, and cut off by order {order}; {contact}. "
            f"{next_} / {zh};{contact_zh}。{next_zh}"
        )

    def _contact(self, cut: History) -> tuple[str, str]:
        if cut.life.state is OrderState.DONE:
            return "its contact stands open", "开关已断开"
        if not cut.life.is_open:
            return "its contact may stand open", "开关可能已断开"
        sent = cut.life.sent
        if sent is None or not sent.opens_within:
            return "its contact may open at any moment", "开关随时可能断开"
        at = self._shown(cut.sent[-1].act.at + sent.opens_within)
        return f"its contact opens by {at} at the latest", f"开关最迟于{at}断开"

    def _shown(self, instant: datetime) -> str:
        return f"{instant.astimezone(self._zone):%Y-%m-%d %H:%M}"


def _is_told(body: Mapping[str, Any], cause: str) -> bool:
    """Whether an act of an item was for a cause; older ones name it in their words alone."""
    if _CAUSE in body:
        return bool(body[_CAUSE] == cause)
    return f", by {cause}, and " in str(body.get("why", ""))
