"""The contract between gateway and whoever wants events: one JSON document an event, versioned.

``{"v":1,"gateway","boot","seq","meter","event":{"kind","occurred_at","ended_at","taken_at","route","source",
"values":[{"item","unit","value"}]}}``: a value has ``value`` (a decimal string), ``time`` or ``text``; times
are ISO 8601 in UTC, null where the device tells none. ``seq`` as in ``envelope``: both stand in one log.
Source: decision 15.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from meterlink.model import payload as fields
from meterlink.model.event import TEXT_MAX, VALUES_MAX, Event, EventContent, EventValue


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEnvelope:
    """One message: an event and where in which gateway's log it stands."""

    gateway: str
    boot: int
    seq: int
    event: Event

    def to_json(self) -> bytes:
        """The payload as UTF-8 JSON."""
        event = self.event
        return fields.write(
            {
                "v": fields.VERSION,
                "gateway": self.gateway,
                "boot": self.boot,
                "seq": self.seq,
                "meter": event.meter,
                "event": {
                    "kind": event.kind,
                    "occurred_at": _moment_out(event.occurred_at),
                    "ended_at": _moment_out(event.ended_at),
                    "taken_at": fields.time_out(event.taken_at),
                    "route": event.route,
                    "source": event.source,
                    "values": [_value_out(value) for value in event.values],
                },
            }
        )

    @classmethod
    def from_json(cls, payload: bytes) -> EventEnvelope:
        """Undo ``to_json``.

        Raises:
            EnvelopeError: not JSON, another version, a field missing or of the wrong kind.

        """
        return fields.read(payload, _envelope_in)


def _envelope_in(document: dict[str, Any]) -> EventEnvelope:
    event = document["event"]
    values = fields.list_in(event["values"], least=0, most=VALUES_MAX, what="values")
    return EventEnvelope(
        gateway=fields.text_in(document["gateway"]),
        boot=fields.count_in(document["boot"]),
        seq=fields.count_in(document["seq"]),
        event=Event(
            meter=fields.text_in(document["meter"]),
            kind=fields.text_in(event["kind"]),
            occurred_at=_moment_in(event["occurred_at"]),
            ended_at=_moment_in(event["ended_at"]),
            values=tuple(_value_in(value) for value in values),
            taken_at=fields.time_in(event["taken_at"]),
            route=fields.text_in(event["route"]),
            source=fields.text_in(event["source"]),
        ),
    )


def _value_out(value: EventValue) -> dict[str, str]:
    name, text = _content_out(value.content)
    return {"item": value.item, "unit": value.unit, name: text}


def _content_out(content: EventContent) -> tuple[str, str]:
    match content:
        case Decimal():
            return "value", format(content, "f")
        case datetime():
            return "time", fields.time_out(content)
        case _:
            return "text", content


def _value_in(row: dict[str, Any]) -> EventValue:
    [(name, content)] = ((name, row[name]) for name in ("value", "time", "text") if name in row)
    return EventValue(
        item=fields.text_in(row["item"]), content=_content_in(name, content), unit=fields.text_in(row["unit"])
    )


def _content_in(name: str, content: object) -> EventContent:
    match name:
        case "value":
            return fields.number_in(content)
        case "time":
            return fields.time_in(content)
        case _:
            text = fields.text_in(content)
            if len(text) > TEXT_MAX:
                raise ValueError(f"a text is at most {TEXT_MAX} characters")
            return text


def _moment_out(moment: datetime | None) -> str | None:
    return None if moment is None else fields.time_out(moment)


def _moment_in(text: object) -> datetime | None:
    return None if text is None else fields.time_in(text)
