"""A module's table of nodes and the roster, kept in step: compared, told where they differ, brought together.

That is done at each start of the module, once a day, when it denies a meter as unknown, when it reports nodes
that are not where they are known to be, and when somebody asks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

import structlog

from meterlink.clock import Clock
from meterlink.config.carriers import CarrierSettings
from meterlink.drivers.carrier.asking import Asking, ModuleDenied
from meterlink.drivers.carrier.notices import notices
from meterlink.drivers.carrier.routes import Difference, lost_nodes
from meterlink.drivers.carrier.starting import Starting, Table
from meterlink.drivers.reports import Report
from meterlink.drivers.seldom import Seldom
from meterlink.errors import BusFull, MeterlinkError, ReplyTimeout

RESYNC_MIN_S: Final = 3_600.0
"""A module that does not know a meter (denial 7) is compared with the roster no more often than this."""
MOVED_MIN_S: Final = 300.0
"""A module that reports nodes is compared no more often than this; what it reports sooner waits so long."""
RESTART_MIN_S: Final = 3_600.0
"""Its route is restarted no more often than this: a module that forgets its list would never read."""
COMPARE_EVERY_S: Final = 86_400.0
"""A module that runs for months is compared with the roster so often: it loses meters and takes in others."""
_log = structlog.get_logger(__name__)


class InStep:
    """The table of one module, and how it compares; it outlives the openings of the port.

    Args:
        name: of the line.
        settings: of the module.
        roster: protocol octet by address of the meters of its line.
        clock: wall time.
        report: is told what differs.

    Attributes:
        table: as it was read last; ``None``: not yet.
        table_at: when; aware, UTC.
        asked: the comparison that somebody asked for last, or ``None``.
        trouble: why it came to nothing; empty: it did not.

    """

    def __init__(
        self,
        name: str,
        settings: CarrierSettings,
        roster: Mapping[str, int],
        *,
        clock: Clock,
        report: Callable[[Report], None],
    ) -> None:
        self.table: Table | None = None
        self.table_at: datetime | None = None
        self.asked: asyncio.Task[None] | None = None
        self.trouble = ""
        self._name = name
        self._settings = settings
        self._roster = roster
        self._clock = clock
        self._report = report
        self._told = Difference()
        self._lost: dict[str, None] = {}
        self._is_wanted = self._has_moved = False
        self._failed = Seldom(clock.monotonic_s)
        self._brought_s = self._restarted_s = float("-inf")

    # --- when ----------------------------------------------------------------------------------

    @property
    def due_s(self) -> float:
        """Loop time of the next comparison of its own accord."""
        return self._brought_s + (MOVED_MIN_S if self._has_moved else COMPARE_EVERY_S)

    def moved(self, addresses: Iterable[str]) -> bool:
        """The module reports nodes that came or went; whether that is news.

        Args:
            addresses: of the nodes.

        """
        known = {node.address for node in self.table.nodes} if self.table is not None else set()
        if all(one in self._roster and one in known for one in addresses):
            return False
        self._has_moved = True
        return True

    def lacks(self, address: str) -> bool:
        """The module does not know a meter: it may have forgotten its list; whether it is to be compared."""
        now_s = asyncio.get_running_loop().time()
        if address not in self._roster or now_s - self._brought_s < RESYNC_MIN_S:
            return False
        self._brought_s = now_s
        self._is_wanted = True
        return True

    def takes_turn(self) -> bool:
        """Whether it is to be compared now; it counts as done from here on."""
        is_due = self._is_wanted or asyncio.get_running_loop().time() >= self.due_s
        self._is_wanted = False
        return is_due

    # --- how -----------------------------------------------------------------------------------

    async def bring(self, begun: Starting, main_node: str) -> None:
        """Bring the table in step, and tell what differs; a module without one is read all the same.

        Args:
            begun: of the module.
            main_node: its address.

        Raises:
            LineLost, LineClosed: from the port.

        """
        loop = asyncio.get_running_loop()
        self._brought_s, self._has_moved = loop.time(), False
        try:
            table = await begun.synced(await self._looked(begun))
            self._has(table)
            if table.changed and loop.time() - self._restarted_s >= RESTART_MIN_S:
                self._restarted_s = loop.time()
                await begun.restart_route()
        except (ModuleDenied, ReplyTimeout, BusFull) as error:
            if times := self._failed.times():
                _log.warning("carrier_table", line=self._name, reason=str(error), times=times)
            return
        if self._lost or table.difference != self._told:  # once, for as long as it stays so
            lost, self._lost, self._told = list(self._lost), {}, table.difference
            for notice in notices(self._name, table, main_node, self._clock.utc_now(), lost):
                self._report(notice)

    def begin(self, group: asyncio.TaskGroup, asking: Asking, *, dry_run: bool) -> None:
        """Compare the table with the roster now, beside the reading; one at a time.

        Args:
            group: of the open port.
            asking: gives commands to the module.
            dry_run: change nothing.

        """
        self.trouble = ""
        doing = self._begun(asking, dry_run=dry_run)
        self.asked = group.create_task(doing, name=f"carrier[{self._name}].sync")

    @property
    def is_asked(self) -> bool:
        """Whether somebody's comparison is being made."""
        return self.asked is not None and not self.asked.done()

    async def _begun(self, asking: Asking, *, dry_run: bool) -> None:
        begun = Starting(asking, self._settings, self._roster, lambda _: None)
        try:
            table = await self._looked(begun)
            if dry_run:
                return
            table = await begun.synced(table)
            self._has(table)
            if table.changed:
                await begun.restart_route()
        except MeterlinkError as error:
            self.trouble = str(error)

    async def _looked(self, begun: Starting) -> Table:
        """The table now; what it has lost is told once a comparison comes to its end."""
        table = await begun.table()
        before = self.table.nodes if self.table is not None else ()
        self._lost |= dict.fromkeys(lost_nodes(before, table.nodes, self._roster))
        self._has(table)
        return table

    def _has(self, table: Table) -> None:
        self.table, self.table_at = table, self._clock.utc_now()
