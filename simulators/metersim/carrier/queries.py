"""What a carrier module answers to queries: of itself (03), and of its slaves and their network (10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Final

from metersim.carrier.nodes import Node, slave_information, topology
from metersim.carrier.standing import FRAME_OCTETS_MAX, INVALID_DATA, Denied, Standing
from meterwire.gdw1376.layouts.nodes import Values

QUERY, ROUTE_QUERY = 0x03, 0x10
_MADE_ON: Final = date(2024, 3, 18)
_VERSION: Final = "0210"
_READ_MODES: Final = {"concentrator": 1, "module": 2, "both": 3}
"""Bits 6 and 7 of the run mode. Source: spec section A6, F10."""
_SETTLED, _READING = 8, 6
"""Steps of a phase: idle, and reading. Source: spec section A9, F4."""
_NETWORK_ID: Final = 0x0A5C31
_BAND: Final = 2

Query = Callable[[Standing, Mapping[str, Any]], Values]


def _version(standing: Standing, _: Mapping[str, Any]) -> Values:
    ways = standing.ways
    return {"vendor": ways.vendor, "chip": ways.chip, "date": _MADE_ON, "version": _VERSION}


def _run_mode(standing: Standing, asked: Mapping[str, Any]) -> Values:
    ways = standing.ways
    return {
        "comm_mode": ways.mode & 0xF,
        "route_mgmt": 1,
        "slave_mode": 1,
        "read_mode": _READ_MODES[ways.leads],
        "delay_parameter": 0,
        "switch_mode": 1,
        "broadcast_confirm": 0,
        "broadcast_channel": 0,
        "channels": 1,
        "phases_without_mains": 0,
        "rates": 1,
        "reserved": bytes(2),
        "monitor_timeout_s": standing.monitor_s,
        "broadcast_timeout_s": round(ways.broadcast_s),
        "max_frame": FRAME_OCTETS_MAX,
        "max_file_packet": 256,
        "upgrade_wait": 5,
        "main_node": standing.main_node,
        "max_nodes": ways.nodes_max,
        "nodes": len(standing.nodes),
        "protocol_date": _MADE_ON,
        "registration_date": _MADE_ON,
        **_version(standing, asked),
        "rate_words": [0],
    }


def _main_node_state(standing: Standing, _: Mapping[str, Any]) -> Values:
    mode = _READ_MODES[standing.ways.leads]
    return {"rates": 1, "main_channel_feature": 1, "read_mode": mode, "channels": 1, "rate_words": [0]}


def _broadcast_delay(standing: Standing, asked: Mapping[str, Any]) -> Values:
    frame = {name: asked[name] for name in ("protocol", "len", "payload") if name in asked}
    return {"delay_s": round(standing.ways.broadcast_s), **frame}


def _page(standing: Standing, asked: Mapping[str, Any], what: list[Any]) -> list[Any]:
    """Some of a list: `start` counts from 1.

    Raises:
        Denied: nothing has the number 0.

    """
    start, count = asked["start"], min(asked["count"], standing.ways.page)
    if not start:
        raise Denied(INVALID_DATA)
    return what[start - 1 : start - 1 + count]


def _listed(choose: Callable[[Standing], list[Node]]) -> Query:
    def query(standing: Standing, asked: Mapping[str, Any]) -> Values:
        nodes = choose(standing)
        page = slave_information(_page(standing, asked, nodes))
        return {"total": len(nodes), "count": len(page), "nodes": page}

    return query


def _network(standing: Standing, asked: Mapping[str, Any]) -> Values:
    stations = topology(standing.nodes.all, standing.main_node)
    page = _page(standing, asked, stations)
    return {"total": len(stations), "start": asked["start"], "count": len(page), "nodes": page}


def _phases(standing: Standing, asked: Mapping[str, Any]) -> Values:
    nodes = standing.nodes.all
    page = [{"addr": node.address, "phase": node.phase_bits} for node in _page(standing, asked, nodes)]
    return {"total": len(nodes), "start": asked["start"], "count": len(page), "nodes": page}


def _run_state(standing: Standing, _: Mapping[str, Any]) -> Values:
    nodes = standing.nodes.all
    read = [node for node in nodes if node.read]
    return {
        "route_done": int(all(node.joined for node in nodes)),
        "working": int(standing.working and not standing.paused),
        "event": 0,
        "coding": 0,
        "nodes": len(nodes),
        "read": len(read),
        "read_by_relay": sum(node.level > 1 for node in read),
        "switch": int(standing.learning) | int(standing.registration) << 1,
        "rate": 0,
        "relay_levels": [_deepest(nodes, phase) for phase in (1, 2, 3)],
        "steps": [_READING if standing.leads else _SETTLED] * 3,
    }


def _deepest(nodes: list[Node], phase: int) -> int:
    return max((node.level for node in nodes if node.phase == phase), default=0)


QUERIES: Final[Mapping[tuple[int, int], Query]] = MappingProxyType(
    {
        (QUERY, 1): _version,
        (QUERY, 4): lambda standing, _: {"main_node": standing.main_node},
        (QUERY, 5): _main_node_state,
        (QUERY, 7): lambda standing, _: {"monitor_timeout_s": standing.monitor_s},
        (QUERY, 9): _broadcast_delay,
        (QUERY, 10): _run_mode,
        (QUERY, 16): lambda _, __: {"band": _BAND},
        (ROUTE_QUERY, 1): lambda standing, _: {
            "nodes": len(standing.nodes),
            "max_nodes": standing.ways.nodes_max,
        },
        (ROUTE_QUERY, 2): _listed(lambda standing: standing.nodes.all),
        (ROUTE_QUERY, 4): _run_state,
        (ROUTE_QUERY, 5): _listed(lambda standing: standing.nodes.unread),
        (ROUTE_QUERY, 6): _listed(lambda standing: [*standing.found.values()]),
        (ROUTE_QUERY, 9): lambda standing, _: {"size": len(standing.nodes)},
        (ROUTE_QUERY, 21): _network,
        (ROUTE_QUERY, 31): _phases,
        (ROUTE_QUERY, 111): lambda standing, _: {
            "networks": 1,
            "nid": _NETWORK_ID,
            "main_node": standing.main_node,
            "neighbours": [],
        },
    }
)
"""What is answered to a query, by AFN and Fn; 03-F11 comes of all that the module knows."""


def index_of(known: frozenset[tuple[int, int]], afn_text: str) -> Values:
    """What 03-F11 answers: the functions of one AFN that the module knows, a bit for each.

    Args:
        known: every AFN and Fn.
        afn_text: the AFN asked for, two hexadecimal digits.

    """
    afn = int(afn_text, 16)
    bits = sum(1 << (fn - 1) for one, fn in known if one == afn)
    return {"asked_afn": afn_text, "functions": bits.to_bytes(32, "little")}
