"""What is done with a module before meters are read through it: who it is, what it can, whom it knows.

The order is that of a field firmware: run mode (03-F10), main node (03-F4, 05-F1 and read back), what it can
(03-F11), the table of nodes (10-F1, 10-F2) against the roster, strangers out and missing ones in (11-F2,
11-F1), one restart of the route when the list changed (12-F1), reports allowed (05-F2), and the route begins
(12-F3). A module may lack any of these but the first; what it denies is noted, and the next thing is done.
Source: spec gdw1376, A15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog

from meterlink.config.carriers import MODULE_LEADS, CarrierSettings
from meterlink.drivers.carrier.asking import Asking, ModuleDenied
from meterlink.drivers.carrier.routes import NODES_MAX, PAGE, Change, Difference, Node, changes, difference
from meterlink.errors import LineLost, ReplyTimeout

START_MAX_S: Final = 900.0
"""Longest start: a table of 2,040 nodes takes one to two minutes. One that takes longer begins anew."""
DENIED_REPEATED: Final = 6
_F1_F1: Final = 0xF1
_MODULE_LEADS: Final = frozenset({2, 3})
"""Periodic reading as of 03-F10: the module leads, or both do."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFacts:
    """What is known of a module.

    Args:
        main_node: 12 digits; empty: it did not say.
        vendor: its maker and chip, four characters.
        version: four digits.
        monitor_timeout_s: after which it says that a node is silent; 0: it did not say.
        max_nodes: it supports; 0: it did not say.
        leads: it reads meters by itself, and asks what.
        way: by which function meters are read.
        troubles: what it denied or did not answer.

    """

    main_node: str = ""
    vendor: str = ""
    version: str = ""
    monitor_timeout_s: int = 0
    max_nodes: int = 0
    leads: bool = False
    way: str = "13-F1"
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The module's table of nodes, and how it compares.

    Args:
        nodes: rows, at most ``NODES_MAX``.
        difference: from the roster.
        changed: requests that changed it since.

    """

    nodes: tuple[Node, ...] = ()
    difference: Difference = field(default_factory=Difference)
    changed: int = 0


class Starting:
    """One start of one module.

    Args:
        asking: gives it commands.
        settings: of the module.
        roster: protocol octet by address of the meters of its line.
        stage: is told what is being done, for people.

    """

    def __init__(
        self,
        asking: Asking,
        settings: CarrierSettings,
        roster: Mapping[str, int],
        stage: Callable[[str], None],
    ) -> None:
        self._asking = asking
        self._settings = settings
        self._roster = roster
        self._stage = stage
        self._troubles: list[str] = []

    async def facts(self) -> ModuleFacts:
        """Who it is and what it can.

        Raises:
            LineLost: it says nothing at all, or cannot be given its address.
            ModuleDenied, ReplyTimeout, LineClosed, BusFull: from the module.

        """
        self._stage("asking who it is (03-F10)")
        try:
            mode = await self._tolerant(0x03, 10)
        except ReplyTimeout as error:
            raise LineLost(str(error)) from None
        found = _facts_of(mode)
        self._stage("its main node (03-F4)")
        main_node = await self._main_node(found.main_node)
        self._asking.port.main_node = main_node
        self._stage("what it can (03-F11)")
        way = await self._way(routes=bool(mode.get("route_mgmt", 1)))
        return replace(found, main_node=main_node, way=way, troubles=tuple(self._troubles))

    async def table(self) -> Table:
        """Read its table of nodes and compare it.

        Raises:
            ModuleDenied, ReplyTimeout, LineLost, LineClosed, BusFull: from the module.

        """
        count = await self._asking.ask(0x10, 1)
        total = min(int(count.values.get("nodes", 0)), NODES_MAX)
        nodes: dict[str, Node] = {}
        start = 1
        while start <= total:
            self._stage(f"its table of nodes (10-F2), {start} of {total}")
            page = await self._asking.ask(0x10, 2, {"start": start, "count": min(PAGE, total - start + 1)})
            rows = page.values.get("nodes", [])
            nodes |= {row["addr"]: Node.of(row) for row in rows}
            if not rows:
                break
            start += len(rows)
        found = tuple(nodes.values())
        return Table(nodes=found, difference=difference(self._roster, found, self._asking.port.main_node))

    async def synced(self, table: Table) -> Table:
        """Take the difference away as far as the settings allow, and read the table again if that changed it.

        Raises:
            ReplyTimeout, LineLost, LineClosed, BusFull: from the module.

        """
        is_removing = self._settings.strangers == "remove"
        wanted = changes(table.difference, remove_strangers=is_removing)
        done = sum([await self._change(change) for change in wanted])
        if not done:
            return table
        after = await self.table()
        if after.difference.missing:  # a group of which one was repeated may have been denied as a whole
            left = Difference(missing=after.difference.missing)
            for change in changes(left, remove_strangers=False, group=1):
                done += await self._change(change)
            after = await self.table()
        return replace(after, changed=done)

    async def restart_route(self) -> None:
        """12-F1: the list has changed."""
        self._stage("restarting its route (12-F1)")
        await self._tolerant(0x12, 1)

    async def begin(self, facts: ModuleFacts) -> tuple[str, ...]:
        """Let it report and route; what it denied of all this."""
        self._stage("letting it begin")
        await self._tolerant(0x05, 2, {"allow_report": int(self._settings.reports)})
        if facts.leads:
            await self._tolerant(0x12, 3)
        return tuple(self._troubles)

    async def _change(self, change: Change) -> int:
        """1 if it was done."""
        doing = "adding" if change.fn == 1 else "removing"
        self._stage(f"{doing} {len(change.addresses)} nodes (11-F{change.fn})")
        try:
            await self._asking.ask(0x11, change.fn, change.values)
        except ModuleDenied as error:
            if error.code == DENIED_REPEATED:
                return 1  # some of them are there; which, the table will say
            self._troubles.append(str(error))
            return 0
        return 1

    async def _main_node(self, told: str) -> str:
        answer = await self._tolerant(0x03, 4)
        has = str(answer.get("main_node", told))
        wanted = self._settings.main_node
        if wanted is None or wanted == has:
            return has or "000000000000"
        self._stage("writing its main node (05-F1)")
        await self._tolerant(0x05, 1, {"main_node": wanted})
        back = str((await self._tolerant(0x03, 4)).get("main_node", ""))
        if back != wanted:
            raise LineLost(
                f"the carrier module has main node {back or 'unknown'} and takes no other ({wanted})"
            )
        return wanted

    async def _way(self, *, routes: bool) -> str:
        if self._settings.read_by not in {"auto", MODULE_LEADS}:
            return self._settings.read_by
        known = await self._tolerant(0x03, 11, {"asked_afn": f"{_F1_F1:02X}"})
        bits = known.get("functions", b"")
        if bits and bits[0] & 1:
            return "F1-F1"
        return "13-F1" if routes else "02-F1"

    async def _tolerant(self, afn: int, fn: int, values: dict[str, Any] | None = None) -> dict[str, Any]:
        """The values of an answer; none where the module denies."""
        try:
            return (await self._asking.ask(afn, fn, values)).values
        except ModuleDenied as error:
            self._troubles.append(str(error))
            return {}


def _facts_of(mode: Mapping[str, Any]) -> ModuleFacts:
    """What 03-F10 says."""
    if not mode:
        return ModuleFacts()
    return ModuleFacts(
        main_node=str(mode["main_node"]),
        vendor=f"{mode['vendor']}{mode['chip']}",
        version=str(mode["version"]),
        monitor_timeout_s=int(mode["monitor_timeout_s"]),
        max_nodes=int(mode["max_nodes"]),
        leads=mode["read_mode"] in _MODULE_LEADS,
    )
