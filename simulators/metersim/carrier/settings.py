"""What a carrier module does when it is told to: begin anew (01), control (05), its list and work (11, 12).

Each takes effect before it is confirmed. What takes time of its own (a reset, a search, a broadcast) is an
errand that the module runs after the confirmation.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from metersim.carrier.standing import (
    ADDRESS_REPEATED,
    ADDRESS_UNKNOWN,
    INVALID_DATA,
    NOT_SUPPORTED,
    Denied,
    Standing,
)

INITIALISE, CONTROL, ROUTE_SET, ROUTE_CONTROL = 0x01, 0x05, 0x11, 0x12
PROTOCOL_MAX: Final = 3


class Errand(enum.Enum):
    """What is left to do once it is confirmed."""

    NOTHING = "nothing"
    RESET = "begin anew"
    JOIN = "let new slaves join"
    REJOIN = "let every slave join again"
    SEARCH = "let slaves register"
    BROADCAST = "send to every slave"
    WORK = "look what is to be read"


Setting = Callable[[Standing, Mapping[str, Any]], Errand]


def _forget_settings(standing: Standing, _: Mapping[str, Any]) -> Errand:
    standing.forget_settings()
    return Errand.REJOIN


def _forget_data(standing: Standing, _: Mapping[str, Any]) -> Errand:
    standing.found.clear()
    for node in standing.nodes.all:
        node.read = False
    return Errand.REJOIN


def _set_main_node(standing: Standing, told: Mapping[str, Any]) -> Errand:
    if not str(told["main_node"]).isdigit():
        raise Denied(INVALID_DATA)
    standing.main_node = told["main_node"]
    return Errand.NOTHING


def _allow_reports(standing: Standing, told: Mapping[str, Any]) -> Errand:
    if told["allow_report"] > 1:
        raise Denied(INVALID_DATA)
    standing.reports_allowed = bool(told["allow_report"])
    return Errand.NOTHING


def _broadcast(_: Standing, told: Mapping[str, Any]) -> Errand:
    if not told["payload"]:
        raise Denied(INVALID_DATA)
    return Errand.BROADCAST


def _set_monitor(standing: Standing, told: Mapping[str, Any]) -> Errand:
    if not told["monitor_timeout_s"]:
        raise Denied(INVALID_DATA)
    standing.monitor_s = told["monitor_timeout_s"]
    return Errand.NOTHING


def _add(standing: Standing, told: Mapping[str, Any]) -> Errand:
    """All of them, or none: a repeated address is denied, as a list without room is."""
    nodes = standing.nodes
    new = [(one["addr"], one["protocol"]) for one in told["nodes"]]
    addresses = {address for address, _ in new}
    if any(not address.isdigit() or protocol > PROTOCOL_MAX for address, protocol in new):
        raise Denied(INVALID_DATA)
    if len(addresses) < len(new) or any(address in nodes for address in addresses):
        raise Denied(ADDRESS_REPEATED)
    if len(nodes) + len(new) > nodes.limit:
        raise Denied(NOT_SUPPORTED)
    for address, protocol in new:
        nodes.add(address, protocol)
        standing.found.pop(address, None)
    return Errand.JOIN


def _delete(standing: Standing, told: Mapping[str, Any]) -> Errand:
    if any(address not in standing.nodes for address in told["nodes"]):
        raise Denied(ADDRESS_UNKNOWN)
    for address in told["nodes"]:
        standing.nodes.remove(address)
    return Errand.NOTHING


def _set_work(standing: Standing, told: Mapping[str, Any]) -> Errand:
    standing.learning, standing.registration = bool(told["learning"]), bool(told["registration"])
    return Errand.WORK


def _search(standing: Standing, told: Mapping[str, Any]) -> Errand:
    if not told["duration_min"]:
        raise Denied(INVALID_DATA)
    standing.registration = True
    standing.searches += 1
    return Errand.SEARCH


def _search_no_more(standing: Standing, _: Mapping[str, Any]) -> Errand:
    standing.registration = False
    standing.searches += 1  # the one that goes on is over
    return Errand.NOTHING


def _restart(standing: Standing, _: Mapping[str, Any]) -> Errand:
    standing.begin_round()
    return Errand.WORK


def _pause(standing: Standing, _: Mapping[str, Any]) -> Errand:
    standing.paused = True
    return Errand.NOTHING


def _resume(standing: Standing, _: Mapping[str, Any]) -> Errand:
    standing.working, standing.paused = True, False
    return Errand.WORK


SETTINGS: Final[Mapping[tuple[int, int], Setting]] = MappingProxyType(
    {
        (INITIALISE, 1): lambda _, __: Errand.RESET,
        (INITIALISE, 2): _forget_settings,
        (INITIALISE, 3): _forget_data,
        (CONTROL, 1): _set_main_node,
        (CONTROL, 2): _allow_reports,
        (CONTROL, 3): _broadcast,
        (CONTROL, 4): _set_monitor,
        (ROUTE_SET, 1): _add,
        (ROUTE_SET, 2): _delete,
        (ROUTE_SET, 4): _set_work,
        (ROUTE_SET, 5): _search,
        (ROUTE_SET, 6): _search_no_more,
        (ROUTE_CONTROL, 1): _restart,
        (ROUTE_CONTROL, 2): _pause,
        (ROUTE_CONTROL, 3): _resume,
    }
)
"""What an order does, by AFN and Fn."""
