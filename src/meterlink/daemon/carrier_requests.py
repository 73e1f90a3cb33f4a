"""What the control socket can be asked about carrier modules: how one is, whom it knows, what differs.

A comparison takes longer than one answer should, so it is begun, and then followed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from meterlink.config import Settings
from meterlink.daemon.carrier_part import CarrierPart
from meterlink.daemon.control_socket import Handler
from meterlink.daemon.line_set import Part
from meterlink.daemon.order_requests import number, text
from meterlink.drivers.carrier.asking import reason_of
from meterlink.drivers.carrier.owner import CarrierOwner
from meterlink.drivers.carrier.routes import Difference, Node
from meterlink.errors import BadRequest, NotAllowed, Unknown
from meterlink.model.payload import time_out
from meterlink.orders.people import Deed, People

FOLLOW_MAX_S: Final = 30
"""Longest wait for the end of a comparison in one request."""

Args = Mapping[str, Any]
Answer = dict[str, Any]


class CarrierDesk:
    """The requests, before all others.

    Args:
        part: the part of a line that runs, by name.
        others: answers what is about something else.
        settings: the configuration that holds now, with the meters in service.
        people: who may be what; ``None``: nobody orders anything here.
        owners: local users who may do what needs a role where ``people`` is ``None``.

    """

    def __init__(
        self,
        part: Callable[[str], Part | None],
        others: Handler,
        *,
        settings: Callable[[], Settings],
        people: People | None,
        owners: frozenset[str],
    ) -> None:
        self._part = part
        self._others = others
        self._settings = settings
        self._people = people
        self._owners = owners
        self._table: dict[str, Callable[[str, Args], Awaitable[Answer]]] = {
            "carrier.routes": self._routes,
            "carrier.sync": self._sync,
            "carrier.follow": self._follow,
        }

    async def answer(self, user: str, op: str, args: Args) -> Mapping[str, Any]:
        """Do what a local user asks; see ``control_socket.Handler``."""
        if (asked := self._table.get(op)) is None:
            return await self._others(user, op, args)
        return await asked(user, args)

    async def _routes(self, _: str, args: Args) -> Answer:
        return self._view(self._owner(args))

    async def _sync(self, user: str, args: Args) -> Answer:
        match args:
            case {"dry_run": bool(dry_run)}:
                pass
            case _:
                raise BadRequest("dry_run must be true or false")
        owner = self._owner(args)
        self._check(user, Deed.READ_METER if dry_run else Deed.CHANGE_ROSTER)
        owner.begin_sync(dry_run=dry_run)
        return self._view(owner)

    async def _follow(self, _: str, args: Args) -> Answer:
        owner = self._owner(args)
        if owner.in_step.asked is not None:
            await asyncio.wait([owner.in_step.asked], timeout=number(args, "wait_s", 0, FOLLOW_MAX_S))
        return self._view(owner)

    def _owner(self, args: Args) -> CarrierOwner:
        name = text(args, "line")
        part = self._part(name)
        if not isinstance(part, CarrierPart):
            known = [line.name for line, _ in self._settings().meters_by_line() if line.carrier is not None]
            told = ", ".join(known[:5]) or "none"
            raise Unknown(f"no line {name!r} has a carrier module here; there are: {told}")
        return part.owner

    def _check(self, user: str, deed: Deed) -> None:
        may = user in self._owners if self._people is None else self._people.actor(user).may(deed)
        if not may:
            raise NotAllowed(
                f"{user} may not do this to a carrier module ({deed.value}) / 无权操作载波模块", why="role"
            )

    def _view(self, owner: CarrierOwner) -> Answer:
        ids = {
            meter.address: meter.id
            for line, meters in self._settings().meters_by_line()
            if line.name == owner.name
            for meter in meters
        }
        return view_of(owner, ids)


def view_of(owner: CarrierOwner, ids: Mapping[str, str]) -> Answer:
    """A module as a caller sees it.

    Args:
        owner: of the module.
        ids: our id of a meter, by address.

    """
    facts, table, window = owner.facts, owner.in_step.table, owner.window
    found = Difference() if table is None else table.difference
    nodes = () if table is None else table.nodes
    counts = owner.counts
    return {
        "line": owner.name,
        "state": "down" if owner.trouble else "starting" if owner.stage else "ready",
        "stage": owner.trouble or owner.stage,
        "main_node": facts.main_node if facts else "",
        "vendor": facts.vendor if facts else "",
        "version": facts.version if facts else "",
        "capacity": facts.max_nodes if facts else 0,
        "module_leads": bool(facts and facts.leads),
        "way": owner.way,
        "window": {
            "places": window.places if window else 0,
            "used": window.used if window else 0,
            "most": owner.settings.window,
        },
        "table_at": None if owner.in_step.table_at is None else time_out(owner.in_step.table_at),
        "missing": [{"address": one, "meter": ids.get(one, "")} for one, _ in found.missing],
        "strangers": list(found.strangers),
        "other_protocol": [{"address": one, "meter": ids.get(one, "")} for one, _ in found.other],
        "nodes": [_node(owner, node, ids.get(node.address, "")) for node in nodes],
        "counts": {
            "starts": counts.starts,
            "resets": counts.resets,
            "late": counts.strays.late,
            "double": counts.strays.double,
            "stray": counts.strays.other,
            "reports": dict(counts.calls),
            "repeated": counts.repeated,
            "denied": [
                {"code": code, "reason": reason_of(code), "count": count}
                for code, count in sorted(counts.denied.items())
            ],
        },
        "syncing": owner.in_step.is_asked,
        "sync_trouble": owner.in_step.trouble,
        "changed": 0 if table is None else table.changed,
    }


def _node(owner: CarrierOwner, node: Node, meter: str) -> Answer:
    longest_s = owner.latencies.longest_s(node.address)
    return {
        "address": node.address,
        "meter": meter,
        "protocol": node.protocol,
        "level": node.level,
        "quality": node.quality,
        "phase": node.phase,
        "longest_s": None if longest_s is None else round(longest_s, 1),
        "timeout_s": round(owner.latencies.timeout_s(node.address), 1),
    }
