"""A journal opened for billing: its freezes, with the facts of the meters that a roster and profiles tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timezone
from functools import partial
from pathlib import Path

from meterlink.billing.points import Points
from meterlink.billing.source import Freezes
from meterlink.drivers.profiles import MeterProfiles
from meterlink.drivers.registers import capacities
from meterlink.errors import ConfigError
from meterlink.journal import roster_rows
from meterlink.journal.reader import JournalReader
from meterlink.validation.facts import MeterFacts


class RosterFacts:
    """The facts of all meters that a roster ever knew.

    Args:
        points: the roster over time.
        profiles: of their models.
        zone: what their clocks show.

    """

    def __init__(self, points: Points, profiles: MeterProfiles, zone: timezone) -> None:
        self._points = points
        self._profiles = profiles
        self._zone = zone
        self._facts: dict[str, MeterFacts | None] = {}

    def get(self, meter: str, /) -> MeterFacts | None:
        """Of one meter; ``None``: the roster or the profiles do not know it."""
        if meter not in self._facts:
            self._facts[meter] = self._found(meter)
        return self._facts[meter]

    def _found(self, meter: str) -> MeterFacts | None:
        settings = self._points.settings(meter)
        if settings is None:
            return None
        try:
            profile = self._profiles.find(settings.protocol, settings.model)
        except ConfigError:
            return None
        scale = partial(capacities, settings.protocol)
        return MeterFacts.of(settings, profile, capacities=scale, zone=self._zone)


class FreezesOf:
    """Opens the freezes of a journal, again and again; the roster is read when it has become another.

    Args:
        journal: the file.
        profiles: of the meters' models.
        zone: of the plant.

    """

    def __init__(self, journal: Path, profiles: MeterProfiles, zone: timezone) -> None:
        self._journal = journal
        self._profiles = profiles
        self._zone = zone
        self._known: tuple[int, Points, RosterFacts] | None = None

    @contextmanager
    def __call__(self) -> Iterator[Freezes]:
        """The freezes, for the thread that opens them, all of one state of the journal.

        Roster, freezes and ledger that are read one after another, while the daemon goes on, would else tell
        of one day what was so at no time: a meter without a freeze, and the ledger's word that it is kept.

        Raises:
            JournalError: there is no journal, or it cannot be read.

        """
        with JournalReader(self._journal) as reader, reader.one_state():
            reader.check()
            yield self._freezes(reader)

    @contextmanager
    def as_they_come(self) -> Iterator[Freezes]:
        """The same, for what may take as long as somebody takes to read: each look sees the newest state.

        Raises:
            JournalError: there is no journal, or it cannot be read.

        """
        with JournalReader(self._journal) as reader:
            reader.check()
            yield self._freezes(reader)

    def _freezes(self, reader: JournalReader) -> Freezes:
        revision = reader.look(roster_rows.revision)
        known = self._known
        if known is None or known[0] != revision:
            points = Points.of(reader.look(roster_rows.every_change))
            known = self._known = (revision, points, RosterFacts(points, self._profiles, self._zone))
        return Freezes(reader, self._zone, known[2], known[1])


def open_freezes(journal: Path, profiles: MeterProfiles, zone: timezone) -> AbstractContextManager[Freezes]:
    """The freezes of a journal that a daemon may be at work on, once; see ``FreezesOf.as_they_come``.

    Raises (on entering):
        JournalError: there is no journal, or it cannot be read.

    """
    return FreezesOf(journal, profiles, zone).as_they_come()
