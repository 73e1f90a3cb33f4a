"""The contract between gateway and ingest: one JSON document a message, versioned.

``{"v":1,"gateway","boot","seq","meter","class","readings":[{"item","value","unit","slot","taken_at",
"marks","route"}]}``: values are decimal strings or null, times ISO 8601 in UTC, marks their names.
``seq`` is the log's id: it grows within a gateway, and a repeated message carries the same one.
Events have an envelope of their own, ``event_envelope``. Source: decision 15.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meterlink.model import payload as fields
from meterlink.model.marks import Marks
from meterlink.model.reading import Reading, Record

READINGS_MAX = 2_000
"""Readings one envelope may hold; more is refused, so that a hostile payload costs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One message: a record and where in which gateway's log it stands."""

    gateway: str
    boot: int
    seq: int
    record: Record

    def to_json(self) -> bytes:
        """The payload as UTF-8 JSON."""
        return fields.write(
            {
                "v": fields.VERSION,
                "gateway": self.gateway,
                "boot": self.boot,
                "seq": self.seq,
                "meter": self.record.meter,
                "class": self.record.data_class,
                "readings": [_reading_out(reading) for reading in self.record.readings],
            }
        )

    @classmethod
    def from_json(cls, payload: bytes) -> Envelope:
        """Undo ``to_json``.

        Raises:
            EnvelopeError: not JSON, another version, a field missing or of the wrong kind.

        """
        return fields.read(payload, _envelope_in)


def _envelope_in(document: dict[str, Any]) -> Envelope:
    meter = fields.text_in(document["meter"])
    rows = fields.list_in(document["readings"], least=1, most=READINGS_MAX, what="readings")
    readings = tuple(_reading_in(meter, row) for row in rows)
    return Envelope(
        gateway=fields.text_in(document["gateway"]),
        boot=fields.count_in(document["boot"]),
        seq=fields.count_in(document["seq"]),
        record=Record(meter=meter, data_class=fields.text_in(document["class"]), readings=readings),
    )


def _reading_out(reading: Reading) -> dict[str, Any]:
    return {
        "item": reading.item,
        "value": None if reading.value is None else format(reading.value, "f"),
        "unit": reading.unit,
        "slot": fields.time_out(reading.slot),
        "taken_at": fields.time_out(reading.taken_at),
        "marks": list(reading.marks.names),
        "route": reading.route,
    }


def _reading_in(meter: str, row: dict[str, Any]) -> Reading:
    value = row["value"]
    return Reading(
        meter=meter,
        item=fields.text_in(row["item"]),
        value=None if value is None else fields.number_in(value),
        unit=fields.text_in(row["unit"]),
        slot=fields.time_in(row["slot"]),
        taken_at=fields.time_in(row["taken_at"]),
        marks=Marks.from_names(row["marks"]),
        route=fields.text_in(row["route"]),
    )
