"""The slaves that a carrier module knows: its list as it was told, and who of them is in its network."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final

LEVELS: Final = (1, 1, 1, 2, 2, 3, 4)
"""Hops to a slave, as often as they occur."""
PHASES: Final = 3
MAIN_TEI: Final = 1
END_STATION, PROXY_STATION, MAIN_STATION = 1, 2, 4
"""Roles in a network. Source: spec section A9, F21."""


@dataclass(slots=True)
class Node:
    """One slave.

    Args:
        address: 12 digits.
        protocol: what its meter speaks, as frames number it.
        level: hops to it.
        quality: of the last hop, 1 worst to 15 best.
        phase: 1 to 3.
        joined: it is in the network.
        read: the module has read it in this round.
        powered: what stands behind it has mains.

    """

    address: str
    protocol: int
    level: int
    quality: int
    phase: int
    joined: bool = False
    read: bool = False
    powered: bool = True

    @property
    def phase_bits(self) -> int:
        """Its phase as slave information has it: a bit for each."""
        return 1 << (self.phase - 1)


class NodeList:
    """The slaves of one module, in the order in which it was told of them.

    Args:
        limit: most that it takes.
        seed: of where they stand in the network.

    """

    def __init__(self, limit: int, seed: int) -> None:
        self.limit = limit
        self._seed = seed
        self._nodes: dict[str, Node] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, address: str) -> bool:
        return address in self._nodes

    @property
    def is_full(self) -> bool:
        """Whether no more fit."""
        return len(self._nodes) >= self.limit

    @property
    def all(self) -> list[Node]:
        """Every slave."""
        return [*self._nodes.values()]

    @property
    def unread(self) -> list[Node]:
        """Those that this round has not read yet."""
        return [node for node in self._nodes.values() if not node.read]

    def get(self, address: str) -> Node | None:
        """The slave of an address; ``None``: there is none."""
        return self._nodes.get(address)

    def index(self, node: Node) -> int:
        """Its number, from 1."""
        return [*self._nodes].index(node.address) + 1

    def place(self, address: str, protocol: int) -> Node:
        """Where a meter stands in the network, whether it is in the list or not."""
        random = Random(f"{self._seed}/node/{address}")  # noqa: S311  # repeatable is what it has to be
        return Node(
            address, protocol, random.choice(LEVELS), random.randint(4, 15), random.randint(1, PHASES)
        )

    def add(self, address: str, protocol: int) -> Node:
        """Take a slave into the list; a known one gets the protocol.

        Args:
            address: 12 digits.
            protocol: what its meter speaks.

        """
        assert address in self._nodes or not self.is_full, "who adds has asked for room"
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes[address] = self.place(address, protocol)
        node.protocol = protocol
        return node

    def remove(self, address: str) -> bool:
        """Forget a slave; whether there was one."""
        return self._nodes.pop(address, None) is not None

    def clear(self) -> None:
        """Forget all."""
        self._nodes.clear()


def slave_information(nodes: list[Node]) -> list[dict[str, Any]]:
    """Slaves as 10-F2 tells them."""
    return [
        {
            "addr": node.address,
            "relay_level": node.level,
            "quality": node.quality if node.joined else 0,
            "phase": node.phase_bits,
            "protocol": node.protocol,
        }
        for node in nodes
    ]


def topology(nodes: list[Node], main_node: str) -> list[dict[str, Any]]:
    """The network as 10-F21 tells it: the main node, then who is in it.

    A slave of level n hangs on the last one before it of level n - 1, or on the main node.
    """
    found = [_station(main_node, MAIN_TEI, 0, 0, MAIN_STATION)]
    parents = {0: MAIN_TEI}
    for tei, node in enumerate((node for node in nodes if node.joined), start=MAIN_TEI + 1):
        proxy = parents.get(node.level - 1, MAIN_TEI)
        parents[node.level] = tei
        found.append(_station(node.address, tei, proxy, node.level, END_STATION))
    proxies = {one["proxy_tei"] for one in found[1:]}
    for one in found[1:]:
        if one["tei"] in proxies:
            one["role"] = PROXY_STATION
    return found


def _station(address: str, tei: int, proxy: int, level: int, role: int) -> dict[str, Any]:
    return {"addr": address, "tei": tei, "proxy_tei": proxy, "level": level, "role": role}
