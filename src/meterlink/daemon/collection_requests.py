"""What the control socket can be asked about collection: why a slot is not there, how complete a day is.

Whoever may open the socket may ask: nothing is changed, and no meter is asked anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime, tzinfo
from typing import Any, Final

from meterlink.acquisition.explaining import WAYS, Place, completeness, slot_of, spans_of, why
from meterlink.config import Settings
from meterlink.daemon.control_socket import Handler
from meterlink.errors import BadRequest
from meterlink.journal.ledger import Ledger
from meterlink.model.marks import Marks

WHY: Final = "collection.why"
COMPLETENESS: Final = "collection.completeness"


def places_of(settings: Settings) -> dict[str, Place]:
    """Where each meter of a configuration stands."""
    return {
        meter.id: Place(line=line.name, area=meter.area)
        for line, meters in settings.meters_by_line()
        for meter in meters
    }


class CollectionRequests:
    """The requests, in front of all others.

    Args:
        ledger: of the journal.
        marks: tells of a meter and a slot what is doubtful, by class of data.
        places: where each meter stands now.
        zone: of the plant.
        others: answers everything else.

    """

    def __init__(
        self,
        ledger: Ledger,
        marks: Callable[[str, datetime], Awaitable[Mapping[str, Marks]]],
        places: Callable[[], Mapping[str, Place]],
        zone: tzinfo,
        others: Handler,
    ) -> None:
        self._ledger = ledger
        self._marks = marks
        self._places = places
        self._zone = zone
        self._others = others
        self._table: dict[str, Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]] = {
            WHY: self._why,
            COMPLETENESS: self._completeness,
        }

    async def answer(self, user: str, op: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a local user asks; see ``control_socket.Handler``.

        Raises:
            BadRequest: the arguments are wrong.
            JournalError: the journal cannot be read.
            MeterlinkError: whatever the others say.

        """
        if op in self._table:
            return await self._table[op](args)
        return await self._others(user, op, args)

    async def _why(self, args: Mapping[str, Any]) -> Mapping[str, Any]:
        match args:
            case {"meter": str(meter), "slot": str(written), **rest} if not rest:
                slot = slot_of(written, self._zone)
            case _:
                raise BadRequest("meter and slot must be texts, and nothing else is taken")
        standings = await self._ledger.standings(meter, slot)
        return why(standings, await self._marks(meter, slot), meter, slot, self._zone)

    async def _completeness(self, args: Mapping[str, Any]) -> Mapping[str, Any]:
        match args:
            case {"day": str(written), "by": str(by), "area": str(area), **rest} if not rest and by in WAYS:
                pass
            case _:
                raise BadRequest(f"day and area must be texts, and by one of {', '.join(WAYS)}")
        try:
            day = date.fromisoformat(written)
        except ValueError:
            raise BadRequest("day must be a date, e.g. 2026-11-22") from None
        tallies = []
        for classes, since, until in spans_of(day, self._zone):
            tallies += await self._ledger.tallies(classes, since=since, until=until)
        way = next(one for one in WAYS if one == by)
        return completeness(tallies, self._places(), day=day, by=way, area=area)
