"""Who was cut off and must not be: protected since, or a customer who is not the one that owed.

Before a frame leaves, CTRL-08 and CTRL-12 stop it. Once it has left nothing takes it back: whoever is told to
be protected then, and whoever moves in then, is cut off for a debt that is not to be had in this way. So what
is told behind the first frame is treated as what clears the debt (business-rules 2.1: finish, then
reconnect). What was told before it is no matter of this module: by that no frame left.

It is newly told where the household was not protected so when the frame left, and is now, by whichever way it
came (``households``): a record, an entry, or a number that is written onto one of the customer's meters. An
exchange copies an entry and tells nothing; what was lifted and is set again is told anew.

What counts is what holds now. A protection that was lifted again, or that is out of season in the roster,
spares nobody; nor does a number of a customer that had been written down wrongly: then the customer is who
he was, and people say so when they change it (``roster.saying``).

Source: CTRL-08, CTRL-16; business-rules 2.1.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from meterlink.errors import EvidenceRefused
from meterlink.model.order import Origin
from meterlink.model.roster_change import KeptChange
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.evidence.records import Protection
from meterlink.orders.evidence.told import Kept
from meterlink.orders.life.history import History
from meterlink.orders.waiting.households import Household, Place, households, turned
from meterlink.roster.roster import Roster, RosterMeter

BY_ROSTER: Final = "roster:"
"""Before the number of the revision, in the name of a cause that the roster tells."""
ANOTHER: Final = "another_customer"
"""Beside the kinds of protection: the meter has been another customer's since."""
SPARED_MAX: Final = timedelta(days=30)
"""Older causes close nothing by themselves: a log may tell of premises re-let years ago, all at once."""

ChangesOf = Callable[[str], Awaitable[Sequence[KeptChange]]]
"""What the roster was told of a meter, oldest first."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spared:
    """Why somebody must not be without current, told after the frame left that cut him off.

    Args:
        cause: full id of the record, or ``roster:`` and the number of the revision.
        number: its place in the log.
        at: when that was kept, as it is written there.
        why: the kind of protection, or ``another_customer``.

    """

    cause: str
    number: int
    at: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparing:
    """Finds them, by the log alone.

    Args:
        evidence: the protections.
        changes_of: what the roster was told.
        roster: as it is.
        protected_now: why nobody may cut off a meter's customer by the roster, today.

    """

    evidence: EvidenceBook
    changes_of: ChangesOf
    roster: Roster
    protected_now: Callable[[RosterMeter], Collection[str]]

    async def since(self, meter: RosterMeter, cut: History) -> list[Spared]:
        """What spares the household of a meter, the first that was told first.

        Args:
            meter: of whom.
            cut: the order that cut it off; the trip of a probe spares nobody, who asked for it stands there.

        Raises:
            JournalError: the log cannot be read.

        """
        if cut.life.order.origin is Origin.PROBE:
            return []
        number = cut.sent[0].number
        found = await self._protected(meter, number)
        found += await self._by_customer(meter, cut.life.order.meter, number)
        return sorted(found, key=lambda one: one.number)

    async def _protected(self, meter: RosterMeter, cut_at: int) -> list[Spared]:
        """By what protects the household now and did not when the frame left."""
        kinds, standing = self.protected_now(meter), await self._standing(meter)
        if not kinds and not standing:
            return []
        states = await self._households(meter, {one.record.meter for one in standing})
        came = [(kind, turned(states, cut_at, _says(kind))) for kind in sorted(kinds)]
        found = [_by_household(by, kind) for kind, by in came if by is not None]
        here = Place.of(meter)
        for one in standing:
            record = one.record
            assert isinstance(record, Protection), "such records were asked for"
            by = turned(states, cut_at, _tells(record, here))
            if by is not None and by.number > one.number:
                found.append(_by_household(by, record.protection))
            elif one.number > cut_at:
                found.append(
                    Spared(cause=record.full_id, number=one.number, at=one.kept_at, why=record.protection)
                )
        return found

    async def _standing(self, meter: RosterMeter) -> list[Kept]:
        """The records that protect a meter's customer now."""
        try:
            told = await self.evidence.of_meter(meter)
        except EvidenceRefused as error:  # no rule lets an order go before somebody has looked
            _log.error("protections_unreadable", meter=meter.id, reason=str(error))
            return []
        standing = {one.full_id for one in told.standing_protections()}
        return [one for one in told.kept if one.record.full_id in standing]

    async def _households(self, meter: RosterMeter, told_of: Collection[str]) -> list[Household]:
        """The household of a meter behind each revision, by those meters that can have protected it."""
        here = Place.of(meter)
        others = self.roster.of_customer(meter.customer_number) if meter.customer_number else ()
        places = [Place.of(one) for one in others if one.id != meter.id]
        names = dict.fromkeys(name for one in (here, *places) for name in one.chain)
        places += [Place(meter=name, chain=(name,)) for name in sorted(told_of) if name and name not in names]
        names |= dict.fromkeys(one.meter for one in places)
        return households(here, places, [one for name in names for one in await self.changes_of(name)])

    async def _by_customer(self, meter: RosterMeter, cut: str, cut_at: int) -> list[Spared]:
        """By whose meter it is now, and whose it was when the frame left.

        A meter that nobody has, or nobody had, is no other customer's.
        """
        then = ""
        for one in await self.changes_of(cut):
            if one.number < cut_at and "customer_number" in {**one.change.new, **(one.change.old or {})}:
                then = str(one.change.new.get("customer_number", ""))
        if not then or not meter.customer_number or then in (meter.customer_number, *meter.customer_was):
            return []
        told = [
            one
            for name in dict.fromkeys([cut, *meter.predecessors, meter.id])
            for one in await self.changes_of(name)
            if one.number > cut_at
        ]
        came = _came(then, sorted(told, key=lambda one: one.number), meter.customer_number)
        return [_by_revision(came, ANOTHER)] if came else []


def _came(then: str, told: Sequence[KeptChange], now: str) -> KeptChange | None:
    """The change by which another customer came, whose number may have been corrected since.

    An entry keeps only so many numbers that a customer had before, so they are followed through the changes.
    """
    known, number, came = {then}, then, None
    for one in told:
        new, old = one.change.new, one.change.old or {}
        if "customer_number" in {**new, **old}:
            number = str(new.get("customer_number", ""))
        elif "customer_was" not in new:
            continue
        if known & {number, *new.get("customer_was", ())}:
            known |= {number} - {""}
            came = None
        elif number:
            came = came or one
    return None if now in known else came


def _says(kind: str) -> Callable[[Household], bool]:
    """Whether the roster says of a household that it is protected so."""
    return lambda one: kind in one.kinds


def _tells(record: Protection, here: Place) -> Callable[[Household], bool]:
    """Whether a record is told of a household."""
    return lambda one: one.is_told_of(record, here)


def _by_household(one: Household, why: str) -> Spared:
    return Spared(cause=f"{BY_ROSTER}{one.revision}", number=one.number, at=one.at, why=why)


def _by_revision(change: KeptChange, why: str) -> Spared:
    return Spared(cause=f"{BY_ROSTER}{change.revision}", number=change.number, at=change.at, why=why)
