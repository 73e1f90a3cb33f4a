"""Meters entered into the archive of a terminal of Q/GDW 1376.1: what stands there stays."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from meterlink.bus.queue import Priority
from meterlink.drivers.gdw1376.archive import ENTRIES_MAX
from meterlink.drivers.gdw1376.archivist import ENTERED_MAX, Archivist1376
from meterlink.drivers.terminal_archive import NOT_READ, RosterSide, compared
from meterlink.errors import Refused, ReplyTimeout
from meterprofiles.load import generic
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.messages.terminal import ALL_CONFIRMED, Group, Message, unit
from meterwire.gdw1376.sessions.terminal_server import Answers
from tests.support.stocked_terminal import StockedTerminal, entry
from tests.support.terminal_world import ADDRESS, OTHER, World, run

NEW, NEWER = "000000000777", "000000000778"
_DEAD_S = 60.0
PASSWORD = bytes.fromhex("010203040506")


class _Entered(StockedTerminal):
    """It takes what is entered: an entry takes the place of one of the same index, or point."""

    def _unit(self, afn: int, fn: int, point: int, values: Mapping[str, Any]) -> list[Group]:
        if (afn, fn) != (table.SET, 10):
            return super()._unit(afn, fn, point, values)
        for one in values["meters"]:
            self.archive = [
                each
                for each in self.archive
                if each["index"] != one["index"] and each["point"] != one["point"]
            ]
            self.archive.append(dict(one))
        return [unit(table.CONFIRM, ALL_CONFIRMED, way="up")]


def _side(address: str, protocol: str = "dlt645-2007") -> RosterSide:
    return RosterSide(meter=f"m{address}", protocol=protocol, profile=generic(protocol))


def _enter(terminal: _Entered, *addresses: str, change: Mapping[str, Any] | None = None) -> None:
    """Enter meters; what is shown beforehand is where they are found afterwards."""

    async def body(world: World) -> None:
        archivist = Archivist1376(world.station, world.upper, world.line)
        roster = {address: _side(address) for address in addresses}
        before = await archivist.read(whole=True)
        places = archivist.places(roster, before)
        if change is not None:
            terminal.archive.append(change)
        await archivist.enter(roster, before)
        found = {one["addr"]: (one["index"], one["point"]) for one in terminal.archive}
        assert {one.address: (one.number, one.point) for one in places}.items() <= found.items()
        assert not compared(await archivist.read(whole=True), roster).missing

    run(body, terminal)


def _whole(terminal: StockedTerminal, address: str) -> Mapping[str, Any]:
    [found] = [one for one in terminal.archive if one["addr"] == address]
    return found


@pytest.mark.parametrize(
    ("numbers", "points", "free"),
    [
        ((1, 2), (11, 12), [(3, 1), (4, 2)]),
        ((11, 12), (1, 2), [(1, 3), (2, 4)]),
        ((2, 4), (1, 3), [(1, 2), (3, 4)]),
        ((1, ENTRIES_MAX), (2, 1), [(2, 3), (3, 4)]),
    ],
)
def test_new_meters_get_an_index_and_a_point_that_are_both_free(
    numbers: tuple[int, int], points: tuple[int, int], free: list[tuple[int, int]]
) -> None:
    """A meter that was collected for years would be gone from its terminal, for one that was entered."""
    stood = [entry(n, p, a) for n, p, a in zip(numbers, points, (ADDRESS, OTHER), strict=True)]
    terminal = _Entered(archive=stood)
    _enter(terminal, NEW, NEWER)
    for one in stood:
        assert one == _whole(terminal, one["addr"])
    assert free == [(_whole(terminal, a)["index"], _whole(terminal, a)["point"]) for a in (NEW, NEWER)]


def test_what_a_terminal_is_told_not_to_read_keeps_its_place() -> None:
    """An entry that somebody switched off for a while would be overwritten, with all that stood in it."""
    off = entry(1, 1, OTHER, protocol=0)
    terminal = _Entered(archive=[off, entry(2, 2, ADDRESS)])
    _enter(terminal, NEW)
    assert off == _whole(terminal, OTHER)
    assert (3, 3) == (_whole(terminal, NEW)["index"], _whole(terminal, NEW)["point"])


def test_a_meter_of_the_roster_that_is_not_read_is_shown_and_switched_on_in_its_place() -> None:
    """It would be entered a second time, or the terminal would never read it, and its archive look right."""
    stood = entry(5, 9, NEW, protocol=0, password=PASSWORD, tariffs=1, class_large=5, port=2, baud_code=6)
    terminal = _Entered(archive=[entry(1, 1, ADDRESS), stood])

    async def body(world: World) -> None:
        roster = {ADDRESS: _side(ADDRESS), NEW: _side(NEW)}
        archivist = Archivist1376(world.station, world.upper, world.line)
        before = await archivist.read(whole=True)
        assert (NEW,) == compared(before, roster).other_protocol
        [place] = archivist.places({NEW: roster[NEW]}, before)
        assert place.stood is not None
        assert (5, 9, NOT_READ) == (place.number, place.point, place.stood.protocol)
        await archivist.enter({NEW: roster[NEW]}, before)
        assert not compared(await archivist.read(whole=True), roster)

    run(body, terminal)
    assert {**stood, "protocol": 30} == _whole(terminal, NEW), "what the roster does not say stays"


def test_a_meter_that_is_switched_off_elsewhere_and_read_here_stands_there_once() -> None:
    """The rest of an exchange would keep anybody from entering meters, and be told as a mistake."""
    terminal = _Entered(archive=[entry(1, 1, ADDRESS, protocol=0), entry(2, 2, ADDRESS)])

    async def body(world: World) -> None:
        archivist = Archivist1376(world.station, world.upper, world.line)
        assert not compared(await archivist.read(), {ADDRESS: _side(ADDRESS)})

    run(body, terminal)


def test_a_place_that_was_taken_meanwhile_is_not_written() -> None:
    """Somebody stands at the terminal and enters a meter while we do."""
    terminal = _Entered(archive=[entry(1, 1, ADDRESS)])
    taken = entry(2, 7, OTHER)
    with pytest.raises(Refused, match="entry 2 of terminal 0171-2082 has changed meanwhile"):
        _enter(terminal, NEW, change=taken)
    assert taken == _whole(terminal, OTHER)
    assert NEW not in {one["addr"] for one in terminal.archive}


def test_entries_far_behind_a_gap_are_seen_before_any_is_entered() -> None:
    """The point of a meter that nobody looked for would be given to another."""
    far = entry(1999, 2, OTHER)
    terminal = _Entered(archive=[entry(1, 1, ADDRESS), far])
    _enter(terminal, NEW)
    assert far == _whole(terminal, OTHER)
    assert (2, 3) == (_whole(terminal, NEW)["index"], _whole(terminal, NEW)["point"])


def test_more_meters_than_one_request_takes_stand_in_several() -> None:
    """The first meter of the second request would take a place of the first."""
    addresses = [f"{7_000 + n:012d}" for n in range(ENTERED_MAX + 2)]
    terminal = _Entered(archive=[entry(1, 5, ADDRESS)])
    _enter(terminal, *addresses)
    assert {ADDRESS, *addresses} == {one["addr"] for one in terminal.archive}


def test_a_full_archive_takes_no_meter() -> None:
    """The last one would be overwritten for the new one, or the command end with an error of ours."""
    archive = [entry(n, n, f"{n:012d}") for n in range(1, ENTRIES_MAX + 1)]
    terminal = _Entered(archive=archive)
    with pytest.raises(Refused, match="has no room for meter m000000009999"):
        _enter(terminal, "000000009999")
    assert archive == terminal.archive


class _AtDeadMeters(_Entered):
    """Each frame that it forwards costs it the whole wait."""

    def answers(self, message: Message) -> Answers:
        self.seconds = _DEAD_S if message.head.afn == table.FORWARD else 0.0
        return super().answers(message)


@pytest.mark.parametrize("enters", [False, True])
def test_an_archive_waits_for_one_silent_meter_and_not_for_one_with_each_question(enters: bool) -> None:
    """Where several meters are dead, nobody could look into the archive, or mend it."""
    terminal = _AtDeadMeters(archive=[entry(1, 1, ADDRESS), entry(1999, 2, OTHER)])

    async def body(world: World) -> None:
        archivist, loop = Archivist1376(world.station, world.upper, world.line), asyncio.get_running_loop()
        before = await archivist.read(whole=True)

        async def read_dead_meters() -> None:
            while True:
                with suppress(ReplyTimeout, Refused):
                    await world.driver.read(world.line, ADDRESS, "frequency", priority=Priority.CURVE)

        reading = loop.create_task(read_dead_meters())
        await asyncio.sleep(1)
        begun_s, questions, forwarded = loop.time(), len(terminal.asked), len(terminal.forwarded)
        if enters:
            addresses = [f"{7_000 + n:012d}" for n in range(2 * ENTERED_MAX)]
            await archivist.enter({address: _side(address) for address in addresses}, before)
        else:
            await archivist.read(whole=True)
        assert len(terminal.asked) - questions > 3, "it takes several"
        assert len(terminal.forwarded) == forwarded
        assert loop.time() - begun_s < _DEAD_S + 10
        reading.cancel()

    run(body, terminal)
