"""Every wait for current that there was at a meter, by the same signs as the one of now (``wait``).

Source: CTRL-16.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from meterlink.model.act import KeptAct
from meterlink.orders.book import Book
from meterlink.orders.waiting.clearing import clearing, told_there
from meterlink.orders.waiting.seen import seen_closed
from meterlink.orders.waiting.wait import is_proved_closed, may_have_cut
from meterlink.roster.roster import RosterMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """Somebody who waited for current, or still does.

    Args:
        cause: the act that keeps the record which cleared the debt.
        closed: the first act behind it that proves the contact closed; ``None``: none does yet.

    """

    cause: KeptAct
    closed: KeptAct | None


async def waits_of(book: Book, meter: RosterMeter) -> list[Episode]:
    """Every wait at a meter and at those before it, the oldest first, by the same signs as ``who_waits``.

    Of those who must not be cut off the log tells as of now alone, so they are no part of what was.

    Raises:
        JournalError: the log cannot be read, or an order in it makes no sense.

    """
    histories = await book.histories(meter.id, meter.predecessors)
    cuts = sorted((one for one in histories if may_have_cut(one)), key=lambda one: one.sent[0].number)
    if not cuts:
        return []
    seen = await seen_closed(book.acts, (*meter.predecessors, meter.id))
    proved = [one.acts[-1] for one in histories if is_proved_closed(one)]
    closed = sorted((*proved, *seen), key=lambda kept: kept.number)
    told = await told_there(book.acts, meter)
    found = []
    for cut, following in zip_longest(cuts, cuts[1:]):
        ends = [kept for kept in closed if kept.number > cut.sent[-1].number][:1]
        until = [kept.number for kept in (*ends, *(following.sent[:1] if following else ()))]
        before = [one for one in told if not until or one[0].number < min(until)]
        if (cause := clearing(before, meter, cut.sent[0].number)) is not None:
            found.append(Episode(cause=cause[0], closed=ends[0] if ends else None))
    return found
