"""How a carrier module stands: what it was told, what it found, and whether it reads by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from metersim.carrier.nodes import Node, NodeList
from metersim.carrier.ways import CarrierWays

FRAME_OCTETS_MAX: Final = 2048
"""Longest frame that a module takes. Source: spec section A6, F10."""


class Denied(Exception):
    """The module says no.

    Args:
        code: as 00-F2 numbers it.

    """

    def __init__(self, code: int) -> None:
        super().__init__(f"denied with {code}")
        self.code = code


INVALID_DATA: Final = 1
WRONG_LENGTH: Final = 2
NO_SUCH_FN: Final = 4
WRONG_FORMAT: Final = 5
ADDRESS_REPEATED: Final = 6
ADDRESS_UNKNOWN: Final = 7
BUSY: Final = 9
NOT_SUPPORTED: Final = 10
NO_ANSWER: Final = 11
NOT_IN_NETWORK: Final = 12
TOO_MANY_REQUESTS: Final = 109
TOO_MANY_FRAMES: Final = 110
BEING_READ: Final = 111
"""Why a module denies. Source: spec section A3."""


@dataclass(slots=True)
class Standing:
    """What a module knows and does now.

    Args:
        ways: how it is set up.
        nodes: its list of slaves.
        protocols: what the meters speak that it could find, by address.
        main_node: its own address.
        monitor_s: how long it waits for a meter.
        reports_allowed: slaves may report.
        working: it was told to begin.
        paused: it was told to let the concentrator read.
        learning: it learns routes, and does not read.
        registration: slaves may register by themselves.
        searches: how often slaves were let register, or not any more.
        found: slaves that registered and are not in the list, by address.

    """

    ways: CarrierWays
    nodes: NodeList
    protocols: Mapping[str, int]
    main_node: str
    monitor_s: int
    reports_allowed: bool = True
    working: bool = False
    paused: bool = False
    learning: bool = False
    registration: bool = False
    searches: int = 0
    found: dict[str, Node] = field(default_factory=dict)

    @property
    def leads(self) -> bool:
        """Whether it decides now what is read next."""
        return self.ways.leads != "concentrator" and self.working and not self.paused and not self.learning

    def begin_round(self) -> None:
        """Everything is to be read again."""
        for node in self.nodes.all:
            node.read = False
        self.working, self.paused = True, False

    def forget_settings(self) -> None:
        """The parameter area is as delivered, with no slave."""
        self.nodes.clear()
        self.found.clear()
        self.main_node = self.ways.main_node
        self.monitor_s = self.ways.monitor_s
        self.reports_allowed, self.working, self.paused = True, False, False
