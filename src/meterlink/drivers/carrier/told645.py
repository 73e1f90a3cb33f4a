"""What a meter of DL/T 645 told its module, as events: 06-F2, and 06-F5 of protocols 1 and 2.

The frames are answers to reads, of which some nobody asked for: the report word of a meter with active
reports (04001501H) comes so. They are no readings: the standard's dictionary reads them, not that of the
meter's model, so the frame stands beside what it says. Source: spec gdw1376, A8; spec dlt645, section 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from meterlink.drivers.carrier.payload import CODES, frames_645, inner_secrets
from meterlink.drivers.dlt698.event_rows import clean
from meterlink.drivers.events import ReportedEvent
from meterlink.drivers.reports import Part
from meterlink.model.event import EventValue
from meterlink.model.event_kinds import REPORTED_VALUES
from meterwire.dlt645 import Entry, ItemValue, dictionary
from meterwire.dlt645.link import frame as frame645
from meterwire.dlt645.messages.messages import ReadReply, from_frame
from meterwire.errors import RemoteProtocolError

_EDITION_1997: Final = CODES["dlt645-1997"]


def told_by_645(payload: bytes, protocol: int, source: str) -> list[Part]:
    """What the frames of a payload say; nothing where one of them is not understood, or holds a secret.

    Args:
        payload: frames of a meter, with FEH around them or not.
        protocol: octet, as the module gave it.
        source: protocol and function that told it.

    """
    if inner_secrets(payload):
        return []
    edition = "dlt645-1997" if protocol == _EDITION_1997 else "dlt645-2007"
    found: list[Part] = []
    for octets in frames_645(payload):
        frame = frame645.decode(octets)
        if not frame.address.isdecimal():
            return []
        try:
            reply = from_frame(frame)
            entry = dictionary(edition).by_di(reply.di) if isinstance(reply, ReadReply) else None
            if not isinstance(reply, ReadReply) or reply.has_following or entry is None:
                return []
            found.append(_event(frame.address, entry, entry.decode(reply.data), octets, source))
        except RemoteProtocolError:
            return []
    return found


def _event(address: str, entry: Entry, values: Sequence[ItemValue], octets: bytes, source: str) -> Part:
    known = [value for value in values if value.problem is None]
    told = tuple(EventValue(item=one.label.key, content=_content(one), unit=one.unit) for one in known)
    return ReportedEvent(
        address=address,
        kind=REPORTED_VALUES,
        occurred_at=None,
        ended_at=None,
        values=(*told, EventValue(item="frame.1", content=octets.hex().upper())),
        source=f"{source} {entry.di:08X}",
    )


def _content(value: ItemValue) -> Decimal | str:
    return value.content if isinstance(value.content, Decimal) else clean(str(value.text))
