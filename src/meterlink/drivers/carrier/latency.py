"""How long meters behind a module take, learned from their answers: what is waited for the next one.

A node next to the module answers within a second, one behind three relays within half a minute, and both are
as they are for weeks. So the wait follows the longest of the last answers of the node itself, between the
time in which the module would say that the node is silent, and a named longest.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

ANSWERS_KEPT: Final = 32
"""Answers of one node that count; the longest of so few is about the 97th percentile."""
NODES_MAX: Final = 4_096
"""Nodes that are remembered; twice what a module supports. One more, and the longest unheard is forgotten."""
MARGIN: Final = 1.5
"""A wait is so many times the longest answer, and ``MARGIN_S``."""
MARGIN_S: Final = 2.0


class Latencies:
    """Of all nodes of one module.

    Args:
        first_s: the wait for a node of which nothing is known.
        most_s: the longest wait for any.

    Attributes:
        least_s: the shortest wait for any; the module's own timeout and a margin, once it has told it.

    """

    def __init__(self, *, first_s: float, most_s: float) -> None:
        self.least_s = min(first_s, most_s)
        self._first_s = first_s
        self._most_s = most_s
        self._nodes: OrderedDict[str, deque[float]] = OrderedDict()

    def note(self, address: str, seconds: float) -> None:
        """A node has answered.

        Args:
            address: 12 digits.
            seconds: since it was asked; also where nobody waited any more.

        """
        kept = self._nodes.setdefault(address, deque(maxlen=ANSWERS_KEPT))
        kept.append(seconds)
        self._nodes.move_to_end(address)
        if len(self._nodes) > NODES_MAX:
            self._nodes.popitem(last=False)

    def timeout_s(self, address: str) -> float:
        """How long the next answer of a node is waited for."""
        kept = self._nodes.get(address)
        wanted = self._first_s if not kept else MARGIN * max(kept) + MARGIN_S
        return min(max(wanted, self.least_s), self._most_s)

    def longest_s(self, address: str) -> float | None:
        """The longest of the last answers; ``None``: there was none."""
        kept = self._nodes.get(address)
        return max(kept) if kept else None
