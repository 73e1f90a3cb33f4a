"""What a concentrator says of the meters behind it, and where the roster says otherwise; of any protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from meterprofiles import Profile

OTHER_PROTOCOL: Final = "?"
"""Of a meter that speaks what no roster of ours holds."""
UNSAID: Final = ""
"""Where the archive does not say what a meter speaks, or in a number of its maker's own."""
NOT_READ: Final = "-"
"""Of an entry that the terminal is told not to read: its places are taken all the same."""

ADDRESSES_TOLD_MAX: Final = 20
"""Addresses that one event names of each kind of difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedMeter:
    """One entry.

    Args:
        number: of the entry.
        address: of the meter, 12 digits; where it is none, as the terminal writes it.
        protocol: as rosters name it; ``OTHER_PROTOCOL``: none of those; ``UNSAID``: it is not said;
            ``NOT_READ``: the terminal does not read it.
        port: of the terminal, as its protocol names ports.
        point: measuring point, where its protocol has such.
        collector: address of the collector before it; empty: none.

    """

    number: int
    address: str
    protocol: str
    port: str
    point: int | None = None
    collector: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalArchive:
    """An archive as it was answered.

    Args:
        terminal: whose.
        meters: in its order.
        unreadable: entries that could not be understood, counted.

    """

    terminal: str
    meters: tuple[ArchivedMeter, ...]
    unreadable: int = 0


class Place(NamedTuple):
    """Where a meter is entered.

    Args:
        address: of the meter, 12 digits.
        number: of the entry.
        point: measuring point, where its protocol has such.
        stood: the entry of the same meter that is changed; ``None``: it is a new one.

    """

    address: str
    number: int
    point: int | None
    stood: ArchivedMeter | None


class RosterSide(NamedTuple):
    """A meter as the roster has it.

    Args:
        meter: our id.
        protocol: what it speaks.
        profile: of its model.

    """

    meter: str
    protocol: str
    profile: Profile


class Comparison(NamedTuple):
    """Where archive and roster differ, by address.

    Args:
        missing: of the roster, and not in the archive: the terminal collects nothing of them.
        strange: in the archive, and not of the roster.
        doubled: several times in the archive.
        other_protocol: in both, and said to speak something else, or not to be read.

    """

    missing: tuple[str, ...]
    strange: tuple[str, ...]
    doubled: tuple[str, ...]
    other_protocol: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether they differ at all."""
        return any(self[:])


class Archivist(Protocol):
    """Who reads and changes the archive of one terminal."""

    async def read(self, *, whole: bool = False) -> TerminalArchive:
        """Ask the terminal.

        Args:
            whole: also behind long gaps, as whoever enters meters must know what stands there.

        Raises:
            Refused, BadAnswer: it does not say.
            ReplyTimeout, LineLost, LineBusy, LineClosed, BusFull: from the line.

        """

    def places(self, meters: Mapping[str, RosterSide], before: TerminalArchive) -> tuple[Place, ...]:
        """Where meters would be entered: one that stands there keeps its place, a new one gets a free place.

        Args:
            meters: by address.
            before: what is there, all of it.

        Raises:
            Refused: there is no room, or a meter cannot be entered from here.

        """

    async def enter(self, meters: Mapping[str, RosterSide], before: TerminalArchive) -> None:
        """Write meters into their ``places``, new ones and those that stand there otherwise.

        Args:
            meters: by address.
            before: what is there.

        Raises:
            Refused: the terminal does not take them, or something else stands there by now; those of earlier
                requests may be in.
            BadAnswer, ReplyTimeout, LineLost, LineBusy, LineClosed, BusFull: as of ``read``.

        """


def compared(archive: TerminalArchive, roster: Mapping[str, RosterSide]) -> Comparison:
    """Where an archive and the roster of its line differ.

    Args:
        archive: as it was answered.
        roster: the meters behind the terminal, by address.

    """
    counts = Counter(one.address for one in archive.meters if one.protocol != NOT_READ)
    entries = by_address(archive)
    return Comparison(
        missing=tuple(sorted(set(roster) - set(entries))),
        strange=tuple(sorted(set(counts) - set(roster))),
        doubled=tuple(sorted(address for address, count in counts.items() if count > 1)),
        other_protocol=tuple(sorted(_of_other_protocol(entries.values(), roster))),
    )


def by_address(archive: TerminalArchive) -> dict[str, ArchivedMeter]:
    """The entry of each meter: the first that the terminal reads, else the first.

    Args:
        archive: as it was answered.

    """
    ranked = sorted(archive.meters, key=lambda one: (one.protocol == NOT_READ, one.number), reverse=True)
    return {one.address: one for one in ranked}


def told_of(differing: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What an event names of each kind of difference; nothing of those that there are not.

    Args:
        differing: addresses or points, by kind.

    """
    return {name: ", ".join(some[:ADDRESSES_TOLD_MAX]) for name, some in differing.items() if some}


def _of_other_protocol(meters: Iterable[ArchivedMeter], roster: Mapping[str, RosterSide]) -> set[str]:
    return {
        one.address
        for one in meters
        if one.address in roster and one.protocol not in (UNSAID, roster[one.address].protocol)
    }
