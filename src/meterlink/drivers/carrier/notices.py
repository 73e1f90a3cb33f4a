"""What we find out about a module ourselves, as reports that nobody waits for: nodes that differ, a reset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from meterlink.drivers.carrier.routes import Difference
from meterlink.drivers.carrier.starting import Table
from meterlink.drivers.events import ReportedEvent
from meterlink.drivers.reports import Part, Report
from meterlink.model.event import EventValue
from meterlink.model.event_kinds import MODULE_RESET, NODE_MISSING, NODE_STRANGE

TOLD_MAX: Final = 100
"""Nodes of one comparison that become events each; `meterlink carrier routes` shows all."""
_SOURCE: Final = "gdw1376.2 10-F2"


def notices(
    line: str, table: Table, main_node: str, at: datetime, lost: Sequence[str] = ()
) -> Iterator[Report]:
    """Meters that a module lacks after all or had lost, and strangers in it; nothing where there are none.

    Args:
        line: name of the line.
        table: as it stands.
        main_node: of the module.
        at: aware, UTC.
        lost: meters that it had when it was looked at last, and then no more.

    """
    found = table.difference
    missing = list(dict.fromkeys([*lost, *(one for one, _ in found.missing)]))
    parts = [*_parts(NODE_MISSING, missing), *_parts(NODE_STRANGE, found.strangers)]
    if parts:
        again = f" lost {at.isoformat()}" if lost else ""  # the same one may be lost once more
        yield _report(line, main_node, parts, f"nodes {_digest(found)}{again}", at)


def notice_of_reset(line: str, main_node: str, at: datetime) -> Report:
    """A module began anew."""
    part = ReportedEvent(
        address=main_node,
        kind=MODULE_RESET,
        occurred_at=None,
        ended_at=None,
        values=(),
        source="gdw1376.2 03-F10",
    )
    return _report(line, main_node, [part], f"reset {at.isoformat()}", at)


def _parts(kind: str, addresses: list[str] | tuple[str, ...]) -> Iterator[Part]:
    for address in addresses[:TOLD_MAX]:
        yield ReportedEvent(
            address=address,
            kind=kind,
            occurred_at=None,
            ended_at=None,
            values=(EventValue(item="of", content=Decimal(len(addresses))),),
            source=_SOURCE,
        )


def _digest(found: Difference) -> str:
    return f"{found.missing} {found.strangers}"


def _report(line: str, main_node: str, parts: list[Part], what: str, at: datetime) -> Report:
    return Report(
        terminal=main_node or "000000000000",
        parts=tuple(parts),
        key=hashlib.sha256(f"{line} {what}".encode()).hexdigest()[:32],
        summary=what.split(maxsplit=1)[0],
        received_at=at,
        acknowledge=lambda: None,
        line=line,
    )
