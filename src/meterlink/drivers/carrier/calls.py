"""What a module begins by itself, as reports: nodes that came, power that failed, what meters tell.

Everything is an event or a reading, so that a report can always be kept, and then confirmed: what cannot be
understood is kept as its octets, those that are secret, or may be, as ``**``. A meter's own report
(DL/T 698.45) is read as one that comes from a terminal. Source: spec gdw1376, A8.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

from meterlink.drivers.carrier.payload import incoming, inner_secrets
from meterlink.drivers.carrier.told645 import told_by_645
from meterlink.drivers.dlt698.reports import Told
from meterlink.drivers.events import ReportedEvent
from meterlink.drivers.reports import Part, Report
from meterlink.model.event import EventValue
from meterlink.model.event_kinds import (
    NODE_JOINED,
    NODE_POWER_BACK,
    NODE_POWER_FAIL,
    NODE_REFUSED,
    PASSED_ON_FRAMES,
    ROUTE_STATE,
    UNREAD_REPORT,
)
from meterlink.trace import SHOWN_BLANK
from meterwire.dlt698.axdr.values import DateTime
from meterwire.dlt698.sessions import listener as listener698
from meterwire.gdw1376.functions import module
from meterwire.gdw1376.link import module_frame as link
from meterwire.gdw1376.messages.module import Message
from meterwire.gdw1376.messages.secrets import module_secret_ranges

PROTOCOL: Final = "gdw1376.2"
PARTS_MAX: Final = 500
"""Events that one report may bring; a report of more is kept as its octets."""
_ROUTE_STATES: Final = {1: "reading finished", 2: "search finished", 3: "area recognition finished"}
_POWER: Final = {1: NODE_POWER_FAIL, 2: NODE_POWER_BACK}
_COLLECTOR, _POWER_EVENT, _REFUSED_EVENT, _DLT698 = 0, 4, 5, 3
_ADDRESS_OCTETS: Final = 6
_SLAVE_EVENT, _REFUSED = 5, 5
_NO_NODE: Final = ""


class Calls:
    """Makes reports of the calls of one module.

    Args:
        line: name of its line.
        zone: what the clocks of its meters show.

    """

    def __init__(self, line: str, zone: tzinfo) -> None:
        self._line = line
        self._zone = zone
        self._lives = ""

    def begin_anew(self, at: datetime) -> None:
        """The module began anew, and its numbers with it: what it tells from now on is no repeat.

        Args:
            at: when it said so; aware, UTC.

        """
        self._lives = f"since {at.isoformat()} "

    def report_of(
        self, call: Message, main_node: str, received_at: datetime, acknowledge: Callable[[], None]
    ) -> Report:
        """A report (AFN 06) with all that it holds.

        Args:
            call: the module's frame.
            main_node: address of the module, 12 digits.
            received_at: aware, UTC.
            acknowledge: confirms it.

        """
        try:
            parts = self._parts(call, main_node, received_at)
        except Exception as error:  # noqa: BLE001 (it is kept as its octets, or its module tells it for ever)
            parts = [_unread(main_node, f"this program broke over it ({type(error).__name__})", call)]
        if not 1 <= len(parts) <= PARTS_MAX:
            parts = [_unread(main_node, f"{len(parts)} parts are too few or too many", call)]
        number = f"{self._lives}{call.frame.info.sequence}"
        told = f"{self._line} {number} {call.frame.dt.hex()} ".encode() + call.frame.data
        return Report(
            terminal=main_node,
            parts=tuple(parts),
            key=hashlib.sha256(told).hexdigest()[:32],
            summary=f"{call.frame.afn:02X}-F{call.frame.fn} of the carrier module",
            received_at=received_at,
            acknowledge=acknowledge,
            line=self._line,
        )

    def _parts(self, call: Message, main_node: str, received_at: datetime) -> Sequence[Part]:
        values, fn = call.values, call.frame.fn
        if not values or call.frame.afn != module.REPORT:
            return [_unread(main_node, "its layout is not known, or it ends too early", call)]
        if fn in (1, 4):
            return list(_nodes(values["nodes"]))
        if fn == 3:
            state = values["state"]
            state_told = EventValue(item="state", content=_ROUTE_STATES.get(state, f"state {state}"))
            return [_event(main_node, ROUTE_STATE, [state_told], "06-F3")]
        whose = call.frame.addresses.source if call.frame.addresses else main_node
        if fn == 2:
            told = told_by_645(values["payload"], values["protocol"], f"{PROTOCOL} 06-F2")
            return told or [_frame_event(whose, values["payload"], "06-F2")]
        if fn == 5:
            return self._slave_event(values, whose, received_at)
        return [_unread(main_node, "nobody knows this function", call)]

    def _slave_event(self, values: dict[str, Any], whose: str, received_at: datetime) -> Sequence[Part]:
        """06-F5."""
        payload, protocol = values["payload"], values["protocol"]
        is_collector = values["device_type"] == _COLLECTOR
        is_power = protocol == _POWER_EVENT or (protocol == 0 and payload[:1] in (b"\x01", b"\x02"))
        if is_power and (found := list(_power(payload, is_collector=is_collector))):
            return found
        if protocol == _REFUSED_EVENT and (found := list(_refused(payload))):
            return found
        frames = incoming(payload, is_698=True)
        if protocol in (0, _DLT698) and (of_698 := self._of_698(frames, whose, received_at)):
            return of_698
        told = told_by_645(payload, protocol, f"{PROTOCOL} 06-F5")
        return told or [_frame_event(whose, payload, "06-F5")]

    def _of_698(self, octets: bytes, whose: str, received_at: datetime) -> list[Part]:
        """What a meter's own report says."""
        listener = listener698.Listener(lambda _: listener698.LINK_ILLEGAL_DEVICE)
        now = DateTime.of(received_at.astimezone(self._zone))
        found: list[Part] = []
        for heard in listener.feed(octets, now):
            if isinstance(heard, listener698.Report):
                address = heard.server.device_digits.lstrip("0").zfill(12)
                whose = address if address.isdecimal() else whose
                told = Told(heard, address=whose, zone=self._zone, received_at=received_at)
                found += told.parts
        return found


def nodes_of(call: Message) -> list[str]:
    """Addresses of nodes that came or went, as a report (AFN 06) says; empty: it speaks of something else.

    Nodes that were refused after the areas changed (06-F5, protocol 5) are told in octets of each maker's
    own, so their main node stands for them.
    """
    if call.function is None or call.frame.afn != module.REPORT or not call.values:
        return []
    if call.frame.fn in (1, 4):
        rows = call.values["nodes"]
        behind = [child["addr"] for row in rows for more in row.get("more", ()) for child in more["children"]]
        return [row["addr"] for row in rows] + behind
    is_refusal = call.frame.fn == _SLAVE_EVENT and call.values["protocol"] == _REFUSED
    return [_NO_NODE] if is_refusal else []


def _nodes(rows: Sequence[dict[str, Any]]) -> Iterator[Part]:
    """Nodes that came, and what hangs on them (06-F1, 06-F4)."""
    for row in rows:
        told = [EventValue(item="protocol", content=Decimal(row["protocol"]))]
        if "device_type" in row:
            told.append(EventValue(item="device_type", content=Decimal(row["device_type"])))
        yield _event(row["addr"], NODE_JOINED, told, "06-F4" if "device_type" in row else "06-F1")
        for more in row.get("more", ()):
            for child in more["children"]:
                told = [
                    EventValue(item="protocol", content=Decimal(child["protocol"])),
                    EventValue(item="behind", content=row["addr"]),
                ]
                yield _event(child["addr"], NODE_JOINED, told, "06-F4")


def _refused(payload: bytes) -> Iterator[Part]:
    """Nodes that were refused after a change of the service area; nothing where the octets do not add up.

    The layout is not published: addresses alone, or behind one octet as those of power events.
    """
    rows = payload[len(payload) % _ADDRESS_OCTETS :]
    if len(payload) - len(rows) > 1:
        return
    addresses = [rows[at : at + _ADDRESS_OCTETS][::-1].hex() for at in range(0, len(rows), _ADDRESS_OCTETS)]
    if all(address.isdecimal() for address in addresses):
        for address in addresses:
            yield _event(address, NODE_REFUSED, [], "06-F5")


def _power(payload: bytes, *, is_collector: bool) -> Iterator[Part]:
    """Power that failed or came back, by node; nothing where the octets do not add up."""
    kind = _POWER.get(payload[0]) if payload else None
    each = _ADDRESS_OCTETS + is_collector
    rows = payload[1:]
    if kind is None or not rows or len(rows) % each:
        return
    for at in range(0, len(rows), each):
        address = rows[at : at + _ADDRESS_OCTETS][::-1].hex()
        if not address.isdecimal():
            return
        one = kind
        if is_collector:
            one = NODE_POWER_BACK if rows[at + _ADDRESS_OCTETS] else NODE_POWER_FAIL
        yield _event(address, one, [], "06-F5")


def _frame_event(address: str, payload: bytes, function: str) -> ReportedEvent:
    """A meter's own frame, as its octets without the secret ones."""
    told = EventValue(item="frame.1", content=_shown(payload, inner_secrets(payload)))
    return _event(address, PASSED_ON_FRAMES, [told], function)


def _unread(address: str, fault: str, call: Message) -> ReportedEvent:
    octets = link.encode(call.frame)
    told = [
        EventValue(item="fault", content=fault),
        EventValue(item="octets", content=_shown(octets, module_secret_ranges(octets, inner_secrets))),
    ]
    return _event(address, UNREAD_REPORT, told, "")


def _event(address: str, kind: str, values: Sequence[EventValue], function: str) -> ReportedEvent:
    return ReportedEvent(
        address=address,
        kind=kind,
        occurred_at=None,
        ended_at=None,
        values=tuple(values),
        source=f"{PROTOCOL} {function}".rstrip(),
    )


def _shown(octets: bytes, secret: Sequence[tuple[int, int]]) -> str:
    digits = [f"{octet:02X}" for octet in octets]
    for first, after in secret:
        digits[first:after] = [SHOWN_BLANK] * (after - first)
    return "".join(digits)
