"""One concentrator of DL/T 698.45 as a line knows it: drivers of meters become drivers through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from functools import partial

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Driver
from meterlink.drivers.behind698.archive import Archivist698
from meterlink.drivers.behind698.control import BehindControl
from meterlink.drivers.behind698.driver import BehindDriver
from meterlink.drivers.behind698.proxy import ProxyTalk
from meterlink.drivers.behind698.store import TerminalStore
from meterlink.drivers.behind698.tunnel import Forwarding
from meterlink.drivers.behind698.watch import ArchiveWatch698
from meterlink.drivers.behind698.ways import Behind
from meterlink.drivers.control import ControlDriver
from meterlink.drivers.dlt698.along import Asides
from meterlink.drivers.dlt698.driver import Dlt698Driver
from meterlink.drivers.dlt698.items import PROTOCOL
from meterlink.drivers.dlt698.talk import Talk
from meterlink.drivers.passwords import PasswordOf
from meterlink.drivers.reports import Report
from meterlink.drivers.terminal_archive import Archivist, RosterSide
from meterprofiles import Profile, generic


class Concentrator698:
    """The way to the meters behind one concentrator.

    Args:
        behind: which one, and its ways.
        addresses: of the meters behind it.
        clock: ours.
        random_octets: gives as many random octets as it is asked for.
        profile: of the concentrator itself; ``None``: the generic one.
        preamble: FEH octets before each request to it, 0 to 16, where it is not the profile's.
        zone: what clocks show there.
        password_of: its password, where its profile wants one.
        report: where goes what it tells along with its answers, and what is found of it.

    """

    def __init__(
        self,
        behind: Behind,
        addresses: Sequence[str],
        *,
        clock: Clock,
        random_octets: Callable[[int], bytes],
        profile: Profile | None,
        preamble: int | None,
        zone: tzinfo,
        password_of: PasswordOf,
        report: Callable[[Report], None],
    ) -> None:
        self._clock = clock
        self._behind = behind
        self._report = report
        profile = profile or generic(PROTOCOL)
        self.talk = Talk(
            clock,
            profile,
            preamble=profile.line.preamble if preamble is None else preamble,
            password_of=password_of,
            random_octets=random_octets,
            asides_of=partial(Asides, clock=clock, zone=zone, report=report),
        )
        self._store = TerminalStore(self.talk, behind, addresses, clock=clock, zone=zone)
        self._forwarding = Forwarding(self.talk, behind)
        self._proxied = partial(
            Dlt698Driver,
            clock,
            random_octets=random_octets,
            zone=zone,
            talk=ProxyTalk(self.talk, behind, clock.monotonic_s),
        )

    @property
    def behind(self) -> Behind:
        """Which concentrator it is, and its ways."""
        return self._behind

    def around(self, own: Driver, profile: Profile) -> Driver:
        """The driver of meters behind it.

        Args:
            own: of these meters, as if they were on a line of ours.
            profile: of these meters.

        """
        speaks_698 = profile.protocol == PROTOCOL
        return BehindDriver(
            self._behind,
            own=own,
            proxied=self._proxied(profile=profile if speaks_698 else None),
            store=self._store,
            forwarding=self._forwarding,
            profile=profile,
            clock=self._clock,
        )

    def control_around(self, own: ControlDriver, profile: Profile) -> ControlDriver:
        """The control driver of meters behind it; see ``around``."""
        return BehindControl(own, self._forwarding, profile, self._behind.terminal)

    def archivist(self, line: Exchanging) -> Archivist:
        """Who knows its archive.

        Args:
            line: of the concentrator, running.

        """
        return Archivist698(self.talk, self._behind, line)

    def archive_watch(self, line: Exchanging, roster: Mapping[str, RosterSide]) -> ArchiveWatch698 | None:
        """Who looks by itself whether its archive is as the roster; ``None``: nothing is asked by it.

        Args:
            line: of the concentrator, running.
            roster: the meters that should be behind it, by address.

        """
        if not roster or not {"store", "proxy"} & {*self._behind.ways}:
            return None
        archivist = Archivist698(self.talk, self._behind, line, Priority.BACKFILL)
        return ArchiveWatch698(archivist, self._behind.terminal, roster, clock=self._clock, put=self._report)
