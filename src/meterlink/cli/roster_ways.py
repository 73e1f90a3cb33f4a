"""Two ways to change a roster: ask the daemon that runs, or open the journal where none does."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from meterlink.cli.alone import own_name, people_of
from meterlink.cli.desk import DaemonAway, Desk, Refusal
from meterlink.clock import SystemClock
from meterlink.config import MeterSettings, Settings, data_dir
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.daemon.control_socket import REQUEST_OCTETS_MAX, SOCKET_FILE
from meterlink.daemon.enrolment import book_of
from meterlink.daemon.refusals import told
from meterlink.daemon.roster_requests import PUT_MAX, check_may_change, correction_in, exchange_in, turn_in
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import ConfigError, JournalError, MeterlinkError
from meterlink.journal.journal import Journal
from meterlink.roster.book import Applied, RosterBook
from meterlink.roster.entries import entry_of
from meterlink.roster.faults import RosterRefused
from meterlink.roster.saying import Saying

PIECE_OCTETS: Final = REQUEST_OCTETS_MAX - 1_024
"""Entries of one request, as JSON, with room for the rest of it."""

Tell = Callable[[int], None]
"""Is told how many entries have been given."""
Outcome = Mapping[str, Any]
"""As the daemon answers: counts and revision, or ``refused``."""


class Way(Protocol):
    """How a roster is changed."""

    def apply(
        self,
        touched: Sequence[MeterSettings],
        *,
        revision: int,
        note: str,
        tell: Tell,
        saying: Saying = Saying.NOTHING,
    ) -> Outcome:
        """Let entries become other, all of them or none.

        Raises:
            Refusal: it was not done.
            DaemonAway: the daemon went away; look whether it was.
            ConfigError: the configuration is wrong.

        """

    def exchange(self, args: Mapping[str, Any]) -> Outcome:
        """Note an exchange; the same errors."""

    def turn(self, args: Mapping[str, Any]) -> Outcome:
        """Note a turn; the same errors."""

    def correct(self, args: Mapping[str, Any]) -> Outcome:
        """Tell a last or first register again; the same errors."""

    @property
    def is_daemon(self) -> bool:
        """Whether a daemon does it."""


class DaemonWay:
    """Through the control socket.

    Args:
        desk: connected.

    """

    is_daemon: Final = True

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def apply(
        self,
        touched: Sequence[MeterSettings],
        *,
        revision: int,
        note: str,
        tell: Tell,
        saying: Saying = Saying.NOTHING,
    ) -> Outcome:
        """See ``Way``."""
        ticket = self._desk.ask("roster.begin")["ticket"]
        given = 0
        for piece in _pieces(touched):
            self._desk.ask("roster.put", ticket=ticket, entries=piece)
            tell(given := given + len(piece))
        return self._desk.ask(
            "roster.commit",
            ticket=ticket,
            revision=revision,
            note=note,
            are_numbers_corrected=saying is Saying.CORRECTED,
            are_customers_new=saying is Saying.NEW_CUSTOMERS,
        )

    def exchange(self, args: Mapping[str, Any]) -> Outcome:
        """See ``Way``."""
        return self._desk.ask("roster.exchange", **args)

    def turn(self, args: Mapping[str, Any]) -> Outcome:
        """See ``Way``."""
        return self._desk.ask("roster.turn", **args)

    def correct(self, args: Mapping[str, Any]) -> Outcome:
        """See ``Way``."""
        return self._desk.ask("roster.correct", **args)


class FileWay:
    """On the journal itself, with the lock that a daemon would have.

    Args:
        settings: checked.
        profiles: of the meters.

    """

    is_daemon: Final = False

    def __init__(self, settings: Settings, profiles: MeterProfiles) -> None:
        self._settings = settings
        self._profiles = profiles
        self._user = own_name()

    def apply(
        self,
        touched: Sequence[MeterSettings],
        *,
        revision: int,
        note: str,
        tell: Tell,
        saying: Saying = Saying.NOTHING,
    ) -> Outcome:
        """See ``Way``."""

        async def change(book: RosterBook) -> Applied:
            applied = await book.apply(touched, revision=revision, actor=self._user, note=note, saying=saying)
            tell(len(touched))
            return applied

        return self._changed(change)

    def exchange(self, args: Mapping[str, Any]) -> Outcome:
        """See ``Way``."""
        return self._changed(lambda book: book.exchange(exchange_in(args), actor=self._user))

    def turn(self, args: Mapping[str, Any]) -> Outcome:
        """See ``Way``."""
        return self._changed(lambda book: book.turn(turn_in(args), actor=self._user))

    def correct(self, args: Mapping[str, Any]) -> Outcome:
        """See ``Way``."""
        return self._changed(lambda book: book.correct(correction_in(args), actor=self._user))

    def _changed(self, change: Callable[[RosterBook], Any]) -> Outcome:
        async def work() -> Applied:
            clock = SystemClock()
            path = _folder(self._settings) / JOURNAL_FILE
            async with Journal.open(path, clock=clock, is_start=False) as journal:
                applied: Applied = await change(book_of(self._settings, self._profiles, journal, clock))
                return applied

        try:
            check_may_change(people_of(self._settings), self._user)
            return asyncio.run(work()).as_json()
        except RosterRefused as refusal:
            return {"refused": [one.as_json() for one in refusal.faults], "count": refusal.count}
        except ConfigError:
            raise
        except MeterlinkError as error:
            raise Refusal(told(error)) from None


@contextmanager
def way_to(settings: Settings, profiles: MeterProfiles) -> Iterator[Way]:
    """The daemon, if one runs with this configuration; else the journal."""
    try:
        desk = Desk(data_dir(settings) / SOCKET_FILE)
    except DaemonAway:
        yield FileWay(settings, profiles)
        return
    with desk:
        yield DaemonWay(desk)


def _folder(settings: Settings) -> Path:
    """The data directory, made if it is not there; never one in which our files would lock the daemon out.

    Raises:
        JournalError: it cannot be made, or is another user's.

    """
    folder = data_dir(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        owner = folder.stat().st_uid
    except OSError as error:
        raise JournalError(f"{folder}: the data directory cannot be made: {error.strerror}") from None
    if owner != os.geteuid():
        name = _name_of(owner)
        raise JournalError(
            f"{folder} belongs to {name}, and what another user writes there would lock the daemon out: "
            f"run this as {name} (sudo -u {name} meterlink roster ...)"
        )
    return folder


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"


def _pieces(touched: Sequence[MeterSettings]) -> list[list[dict[str, Any]]]:
    """As many entries as go into one request."""
    pieces: list[list[dict[str, Any]]] = [[]]
    octets = 0
    for meter in touched:
        entry = entry_of(meter)
        size = len(json.dumps(entry)) + 2
        if pieces[-1] and (octets + size > PIECE_OCTETS or len(pieces[-1]) == PUT_MAX):
            pieces.append([])
            octets = 0
        pieces[-1].append(entry)
        octets += size
    return [piece for piece in pieces if piece]
