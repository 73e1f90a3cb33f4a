"""The module's table of nodes beside the roster of its line: what differs, and what would be changed; no I/O.

Strangers are kept by default: a node that the roster does not have may be one that somebody has installed and
not yet written down, a meter of a neighbour's archive, or a collector; taken out of the module it is out of
the network until somebody adds it again, and nothing tells that. Nodes that the module lacks are added, for
without that nothing is read; and adding one twice is denied without harm (6).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

_T = TypeVar("_T")
NODES_MAX: Final = 4_096
"""Nodes of one module that are looked at; modules in the field support 2,040."""
PAGE: Final = 20
"""Nodes asked for in one request: the answer stays below the 255 octets of old modules."""
GROUP: Final = 10
"""Nodes added or removed in one request. Source: spec gdw1376, A10."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One row of the module's table.

    Args:
        address: 12 digits.
        protocol: octet; see ``payload.CODES``.
        level: relays between the module and it.
        quality: 0 to 15.
        phase: bits of phases A, B and C; 0 unknown.

    """

    address: str
    protocol: int
    level: int
    quality: int
    phase: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Node:
        """A row of 10-F2."""
        return cls(
            address=row["addr"],
            protocol=row["protocol"],
            level=row["relay_level"],
            quality=row["quality"],
            phase=row["phase"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Between the roster and the module.

    Args:
        missing: address and protocol octet of meters that the module lacks.
        strangers: addresses that the roster lacks.
        other: address and protocol octet of the roster where the module has another; modules differ in what
            they tell here, so nothing is changed.

    """

    missing: tuple[tuple[str, int], ...] = ()
    strangers: tuple[str, ...] = ()
    other: tuple[tuple[str, int], ...] = ()

    def __bool__(self) -> bool:
        """Whether a node is here or there alone."""
        return bool(self.missing or self.strangers)


def difference(roster: Mapping[str, int], nodes: Iterable[Node], main_node: str) -> Difference:
    """Compare.

    Args:
        roster: protocol octet by address.
        nodes: of the module.
        main_node: the module itself, which some modules have in the table.

    """
    there = {node.address: node for node in nodes if node.address != main_node}
    return Difference(
        missing=tuple((one, code) for one, code in roster.items() if one not in there),
        strangers=tuple(one for one in there if one not in roster),
        other=tuple(
            (one, code)
            for one, code in roster.items()
            if one in there and there[one].protocol not in {0, code}
        ),
    )


def lost_nodes(before: Iterable[Node], now: Iterable[Node], roster: Collection[str]) -> tuple[str, ...]:
    """Meters of ours that a module had, and has no more, whether or not it can be given them again.

    Args:
        before: its table when it was looked at last.
        now: its table.
        roster: addresses of the meters of its line.

    """
    there = {node.address for node in now}
    return tuple(one.address for one in before if one.address in roster and one.address not in there)


@dataclass(frozen=True, slots=True)
class Change:
    """One request that changes the table: 11-F1 or 11-F2.

    Args:
        fn: 1 adds, 2 removes.
        addresses: of the nodes.
        values: of the layout.

    """

    fn: Literal[1, 2]
    addresses: tuple[str, ...]
    values: dict[str, Any]


def changes(found: Difference, *, remove_strangers: bool, group: int = GROUP) -> list[Change]:
    """The requests that would take a difference away: first what is to go, so that there is room.

    Args:
        found: the difference.
        remove_strangers: whether nodes that the roster lacks go.
        group: nodes in one request.

    """
    wanted: list[Change] = []
    if remove_strangers:
        for some in _groups(found.strangers, group):
            wanted.append(Change(2, tuple(some), {"count": len(some), "nodes": list(some)}))
    for rows in _groups(found.missing, group):
        nodes = [{"addr": address, "protocol": code} for address, code in rows]
        wanted.append(Change(1, tuple(one for one, _ in rows), {"count": len(rows), "nodes": nodes}))
    return wanted


def _groups(rows: Sequence[_T], size: int) -> list[Sequence[_T]]:
    return [rows[first : first + size] for first in range(0, len(rows), size)]
