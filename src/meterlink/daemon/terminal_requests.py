"""What the control socket can be asked about concentrators: whom one knows, and to know others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from meterlink.config import LineSettings, MeterSettings, Settings
from meterlink.daemon.control_socket import Handler
from meterlink.daemon.order_requests import text
from meterlink.daemon.read_requests import check_may_read
from meterlink.daemon.roster_requests import check_may_change
from meterlink.drivers.profiles import MeterProfiles
from meterlink.drivers.terminal_archive import (
    Archivist,
    Comparison,
    Place,
    RosterSide,
    TerminalArchive,
    compared,
)
from meterlink.errors import BadRequest, OutOfTime, Unknown
from meterlink.orders.people import People

ANSWER_S: Final = 600.0
"""Longest that all of it may take; whoever asks waits longer. No question is interrupted: the terminal may
be at a silent meter, two minutes at most, each time that its line is to be ours, which is three times."""

Args = Mapping[str, Any]


class TerminalRequests:
    """The requests, in front of all others.

    Args:
        archivist: of a line by its name; ``None``: it is no concentrator, or does not run.
        settings: the configuration that holds now, with the meters in service.
        profiles: of their models.
        others: answers what is about something else.
        people: who may be what; ``None``: nobody orders anything here.
        owners: local users who may ask where ``people`` is ``None``.

    """

    def __init__(
        self,
        archivist: Callable[[str], Archivist | None],
        others: Handler,
        *,
        settings: Callable[[], Settings],
        profiles: Callable[[], MeterProfiles],
        people: People | None,
        owners: frozenset[str],
    ) -> None:
        self._archivist = archivist
        self._others = others
        self._settings = settings
        self._profiles = profiles
        self._people = people
        self._owners = owners
        self._table: dict[str, Callable[[str, Args], Awaitable[Mapping[str, Any]]]] = {
            "terminal.archive": self._archive,
            "terminal.download": self._download,
        }

    async def answer(self, user: str, op: str, args: Args) -> Mapping[str, Any]:
        """Do what a local user asks; see ``control_socket.Handler``."""
        if (asked := self._table.get(op)) is None:
            return await self._others(user, op, args)
        check_may_read(self._people, self._owners, user)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await asked(user, args)
        except TimeoutError:
            raise OutOfTime(f"the terminal was not done in {ANSWER_S:g} s: ask again later") from None

    async def _archive(self, user: str, args: Args) -> Mapping[str, Any]:
        del user
        line, archivist, roster = self._of(args)
        archive = await archivist.read()
        return _shown(line, archive, compared(archive, roster), roster)

    async def _download(self, user: str, args: Args) -> Mapping[str, Any]:
        check_may_change(self._people, user)
        is_dry = args.get("dry_run") is not False
        line, archivist, roster = self._of(args)
        archive = await archivist.read(whole=True)
        found = compared(archive, roster)
        if found.doubled or archive.unreadable:
            raise BadRequest(
                f"the archive of line {line} has entries that stand there twice or cannot be read: mend it "
                "at the terminal first"
            )
        wanted = {address: roster[address] for address in (*found.missing, *found.other_protocol)}
        places = [_placed(place, roster) for place in archivist.places(wanted, archive)]
        if wanted and not is_dry:
            await archivist.enter(wanted, archive)
            archive = await archivist.read()
            found = compared(archive, roster)
        told: dict[str, Any] = {
            "dry_run": is_dry,
            "entered": [] if is_dry else sorted(wanted),
            "to_enter": sorted(wanted),
        }
        told["places"] = places
        return {**_shown(line, archive, found, roster), **told}

    def _of(self, args: Args) -> tuple[str, Archivist, dict[str, RosterSide]]:
        """The line that is meant, who knows its terminal, and its meters by address."""
        line, meters = line_of(self._settings(), text(args, "line"))
        archivist = self._archivist(line.name)
        if archivist is None:
            raise BadRequest(f"line {line.name} is no concentrator whose archive can be read")
        own, find = _terminal_of(line), self._profiles().find
        roster = {
            meter.address: RosterSide(meter.id, meter.protocol, find(meter.protocol, meter.model))
            for meter in meters
            if meter.address != own
        }
        return line.name, archivist, roster


def line_of(settings: Settings, wanted: str) -> tuple[LineSettings, Sequence[MeterSettings]]:
    """The line that is meant by its name, its URL or the name of its terminal; and its meters.

    Raises:
        Unknown: there is none.

    """
    for line, meters in settings.meters_by_line():
        if wanted in {line.name, line.url, _terminal_of(line) or line.name}:
            return line, meters
    raise Unknown(f"no line is called {wanted!r}, and no terminal: `meterlink config check` lists them")


def _terminal_of(line: LineSettings) -> str:
    """The name of the terminal that a line is; empty: it is none, or has no name."""
    return str(getattr(line.parsed_url, "terminal", ""))


def _placed(place: Place, roster: Mapping[str, RosterSide]) -> dict[str, Any]:
    """Where a meter is entered, and what of it is changed."""
    return {
        "address": place.address,
        "meter": roster[place.address].meter,
        "protocol": roster[place.address].protocol,
        "number": place.number,
        "point": place.point,
        "stood_as": None if place.stood is None else place.stood.protocol,
    }


def _shown(
    line: str, archive: TerminalArchive, found: Comparison, roster: Mapping[str, RosterSide]
) -> dict[str, Any]:
    return {
        "line": line,
        "terminal": archive.terminal,
        "agrees": not found and not archive.unreadable,
        "unreadable": archive.unreadable,
        "meters": [
            {
                "number": one.number,
                "address": one.address,
                "meter": roster[one.address].meter if one.address in roster else None,
                "protocol": one.protocol,
                "port": one.port,
                "point": one.point,
                "collector": one.collector,
            }
            for one in archive.meters
        ],
        "missing": [{"address": one, "meter": roster[one].meter} for one in found.missing],
        "strange": list(found.strange),
        "doubled": list(found.doubled),
        "other_protocol": [
            {"address": one, "meter": roster[one].meter, "protocol": roster[one].protocol}
            for one in found.other_protocol
        ],
    }
